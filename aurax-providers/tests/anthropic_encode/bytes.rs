//! The same request is the same bytes, and so is the same beginning.

use super::*;

#[test]
fn arguments_and_schemas_keep_their_bytes() {
    let arguments = r#"{"b": 1.50, "a":"é", "n":12345678901234567890}"#;
    let parameters = r#"{"type": "object", "properties": {"z": {}, "a": {}}}"#;
    let call = ToolCall::new("toolu_1", "now", arguments);
    let request = Request::new([
        Message::user("Hi"),
        Message::assistant(call.clone()),
        Message::tool([ToolResult::new(&call, "noon")]),
    ])
    .with_tools([Function::new("now").with_parameters(schema(parameters))]);
    let sent = encode(OPUS, request).unwrap().body;
    let sent = std::str::from_utf8(&sent).unwrap();
    assert!(sent.contains(arguments), "{sent}");
    assert!(sent.contains(parameters), "{sent}");
}

fn message() -> impl Strategy<Value = Message> {
    let words = "[a-z ]{0,12}";
    prop_oneof![
        words.prop_map(Message::user),
        words.prop_map(Message::assistant),
        (words, any::<bool>()).prop_map(|(words, long_lived)| {
            let hint = if long_lived { long() } else { short() };
            Message::user(Text::new(words).with_cache(hint))
        }),
        ("[a-z]{1,3}", words).prop_map(|(id, words)| {
            Message::assistant(ToolCall::new(id, "now", format!("{{\"w\":{words:?}}}")))
        }),
        words.prop_map(|words| Message::assistant(signed(&words, "Eq", OPUS)).with("Then.")),
    ]
}

proptest! {
    /// A longer conversation begins with the bytes of the shorter one: prompt caches keep hitting.
    #[test]
    fn requests_that_share_a_prefix_share_its_bytes(
        start in prop::collection::vec(message(), 0..6),
        answer in "[a-z]{1,8}",
        question in "[a-z]{1,8}",
    ) {
        // Marks move on as a conversation grows, and do not belong to what is cached.
        let start: Vec<Message> = start
            .into_iter()
            .map(|mut message| {
                for part in &mut message.parts {
                    if let Part::Text(text) = part {
                        text.cache = None;
                    }
                }
                message
            })
            .collect();
        let short = Request::new(
            [Message::system("S"), Message::user("Hi")]
                .into_iter()
                .chain(start)
                .chain([Message::user("Go on.")]),
        )
        .with_tools([weather()]);
        let long = short
            .clone()
            .with_message(Message::assistant(answer))
            .with_message(Message::user(question));
        let short = encode(OPUS, short).unwrap().body;
        let long = encode(OPUS, long).unwrap().body;
        let prefix = short.strip_suffix(b"]}").unwrap();
        prop_assert!(long.starts_with(prefix));
    }

    #[test]
    fn the_same_request_gives_the_same_bytes(messages in prop::collection::vec(message(), 1..6)) {
        let request = Request::new(
            [Message::user("Hi")].into_iter().chain(messages).chain([Message::user("Go on.")]),
        );
        let bytes = || encode(OPUS, request.clone()).unwrap().body;
        prop_assert_eq!(bytes(), bytes());
        let marks = String::from_utf8_lossy(&bytes()).matches("cache_control").count();
        prop_assert!(marks <= 4, "{} marks", marks);
    }
}
