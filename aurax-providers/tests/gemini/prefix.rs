//! Requests that begin alike are sent alike: prompt caches compare bytes.

use aurax_core::{Function, Message, Part, Request, Role, Text, Thinking, ToolCall, ToolResult};
use proptest::prelude::*;

use super::encode;

fn turn() -> impl Strategy<Value = Vec<Message>> {
    let words = "[a-z é]{1,8}";
    prop_oneof![
        words.prop_map(|text| vec![Message::assistant(Text::new(text)), Message::user("More")]),
        (words, words).prop_map(|(thought, text)| {
            let parts = vec![Part::from(Thinking::new(thought)), Part::from(text)];
            vec![Message::new(Role::Assistant, parts), Message::user("More")]
        }),
        ("[a-z]{1,12}", words).prop_map(|(id, text)| {
            let call = ToolCall::new(id, "f", "{}");
            vec![
                Message::new(Role::Assistant, vec![call.clone().into()]),
                Message::tool([ToolResult::new(&call, text)]),
            ]
        }),
    ]
}

fn request(turns: &[Vec<Message>]) -> Request {
    let start = [Message::system("S"), Message::user("Hi")];
    Request::new(start.into_iter().chain(turns.iter().flatten().cloned()))
        .with_tools([Function::new("f")])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_longer_conversation_begins_with_the_bytes_of_the_shorter(
        turns in proptest::collection::vec(turn(), 0..8),
        cut in 0_usize..8,
        model in prop_oneof![Just(super::FLASH_2_5), Just(super::FLASH_3)],
    ) {
        let short = turns.get(..cut.min(turns.len())).unwrap();
        let sent = |turns| encode(model, request(turns)).unwrap().body;
        let (long, short) = (sent(&turns), sent(short));
        // Of the shorter one, what closes the conversation and the body: `]}`.
        let shared = short.len() - 2;
        prop_assert_eq!(&long[..shared], &short[..shared]);
    }

    #[test]
    fn the_same_request_gives_the_same_bytes(turns in proptest::collection::vec(turn(), 0..4)) {
        let sent = || encode(super::FLASH_3, request(&turns)).unwrap().body;
        prop_assert_eq!(sent(), sent());
    }
}
