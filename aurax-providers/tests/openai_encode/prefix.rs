//! Requests that begin alike are sent alike: prompt caches compare bytes.

use aurax_core::{Function, Message, Part, Request, Role, Text, Thinking, ToolCall, ToolResult};
use proptest::prelude::*;

use super::encode;

fn turn() -> impl Strategy<Value = Vec<Message>> {
    let words = "[a-z é]{0,8}";
    prop_oneof![
        words.prop_map(|text| vec![Message::user(Text::new(text))]),
        words.prop_map(|text| vec![Message::assistant(Text::new(text))]),
        (words, words).prop_map(|(thought, text)| {
            let parts = vec![Part::from(Thinking::new(thought)), Part::from(text)];
            vec![Message::new(Role::Assistant, parts)]
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
        provider in prop_oneof![
            Just("openai/gpt-5.6-sol"),
            Just("deepseek/deepseek-flash"),
            Just("mistral/mistral-large-4"),
            Just("openrouter/any"),
        ],
    ) {
        let short = turns.get(..cut.min(turns.len())).unwrap();
        let sent = |turns| encode(provider, request(turns)).unwrap().body;
        let (long, short) = (sent(&turns), sent(short));
        // The shorter one's messages end where its list of them does.
        let end = br#"],"tools":"#;
        let at = short.windows(end.len()).position(|window| window == end).unwrap();
        prop_assert_eq!(&long[..at], &short[..at]);
    }

    #[test]
    fn settings_change_nothing_of_the_conversation(
        turns in proptest::collection::vec(turn(), 0..4),
        temperature in 0.0..1.0_f64,
        stream in any::<bool>(),
    ) {
        let plain = encode("openai/gpt-4o", request(&turns)).unwrap().body;
        let set = request(&turns).with_temperature(temperature).with_stream(stream);
        let set = encode("openai/gpt-4o", set).unwrap().body;
        let shared = plain.len() - 1;
        prop_assert_eq!(&set[..shared], &plain[..shared]);
    }

    #[test]
    fn the_same_request_gives_the_same_bytes(turns in proptest::collection::vec(turn(), 0..4)) {
        let sent = || encode("openai/gpt-4o", request(&turns)).unwrap().body;
        prop_assert_eq!(sent(), sent());
    }
}
