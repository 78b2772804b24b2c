//! The conversation.

use super::*;

#[test]
fn words() {
    check("text", OPUS, "Hi");
    check("stream", OPUS, hi().with_stream(true));
}

#[test]
fn instructions_stand_at_the_top() {
    let brief = Message::system("Be brief.");
    let conversation =
        |system: Vec<Message>| Request::new(system.into_iter().chain([Message::user("Hi")]));
    let french = Message::new(Role::Developer, vec!["Answer in ".into(), "French.".into()]);
    check(
        "system_joined",
        OPUS,
        conversation(vec![brief.clone(), french]),
    );
    let handbook = Message::system(Text::new("The handbook.").with_cache(long()));
    let today = Message::system("Today is Monday.");
    check(
        "system_cached",
        OPUS,
        conversation(vec![brief.clone(), handbook, today]),
    );
    check(
        "system_late",
        OPUS,
        Request::new([Message::user("Hi"), brief]),
    );
}

#[test]
fn turns_alternate_and_begin_with_the_user() {
    check(
        "turns_merged",
        OPUS,
        Request::new([
            Message::user("One."),
            Message::user(" "),
            Message::user("Two."),
            Message::assistant("Three.").with(""),
            Message::assistant("Four."),
            Message::assistant(""),
            Message::user("Five."),
        ]),
    );
    let greeting = Message::assistant("Hello, how can I help?");
    check(
        "user_first",
        OPUS,
        Request::new([greeting, Message::user("Hi")]),
    );
}

#[test]
fn results_of_tools_come_first_in_one_turn() {
    let paris = ToolCall::new("toolu_1", "get_weather", r#"{"city":"Paris"}"#);
    let here = ToolCall::new("toolu_2", "get_weather", "");
    let sky = Image::from_url("https://example.com/sky.png");
    let mut failed = ToolResult::new(&here, Text::new("no position").with_cache(CacheHint::new()));
    failed = failed.with_error();
    check(
        "tool_results",
        OPUS,
        Request::new([
            Message::user("Weather in Paris and here?"),
            Message::assistant(paris.clone()).with(here),
            Message::user("Well?"),
            Message::tool([ToolResult::new(&paris, "sunny").with(sky)]),
            Message::tool([failed]),
        ]),
    );
}

#[test]
fn ids_of_other_providers_are_rewritten_alike_in_call_and_result() {
    let now = ToolCall::new("call a:1", "now", "{}");
    check(
        "tool_ids",
        OPUS,
        Request::new([
            Message::user("Hi"),
            Message::assistant(now.clone()),
            Message::tool([ToolResult::new(&now, "noon")]),
        ]),
    );
}

#[test]
fn images_and_documents() {
    let mut file = Image::new(Source::file("file_1"));
    file.cache = Some(CacheHint::new());
    check(
        "images",
        OPUS,
        Message::user("Compare.")
            .with(Image::from_url("data:image/png;base64,iVBORw0KGgo="))
            .with(Image::from_url("https://example.com/a.webp"))
            .with(file),
    );
    let mut contract = Document::new(Source::Inline {
        media_type: "application/pdf".into(),
        data: "JVBERi0=".into(),
    })
    .with_filename("contract.pdf");
    contract.title = Some("Contract".into());
    contract.context = Some("Signed in May.".into());
    contract.citations = Some(true);
    let sky = Document::new(Source::Text("The sky is blue.".into())).with_filename("sky.txt");
    check(
        "documents",
        OPUS,
        Message::user(contract)
            .with(sky)
            .with(Document::new(Source::bytes(
                "text/markdown",
                "Grüße".as_bytes(),
            )))
            .with(Document::new(Source::url("https://example.com/a.pdf")))
            .with(Document::new(Source::file("file_2")))
            .with("Summarise."),
    );
}

#[test]
fn what_only_the_first_version_takes_goes_to_it() {
    let draft = Document::new(Source::Text("A draft.".into()));
    check(
        "assistant_document",
        OPUS,
        Request::new([
            Message::user("Draft it."),
            Message::assistant(draft),
            Message::user("Shorter."),
        ]),
    );
    let mut words = Text::new("The sky is blue.");
    words.citations = vec![cited(native(
        "anthropic",
        "char_location",
        r#"{"type":"char_location","cited_text":"blue","document_index":0,"document_title":null,"start_char_index":11,"end_char_index":15}"#,
    ))];
    check("user_citations", OPUS, Message::user(words));
}

#[test]
fn thoughts_go_back_to_who_signed_them() {
    let redacted = Signature::new("Emw=", origin("claude-opus-5-5"));
    check(
        "thinking_history",
        "claude-opus-5-5",
        Request::new([
            Message::user("Hi"),
            Message::assistant(signed("", "EqQB", "claude-opus-5-5"))
                .with(RedactedThinking::new(redacted))
                .with(signed("Other model.", "Zz", "claude-opus-4-8"))
                .with(Thinking::new("Unsigned."))
                .with("Hello."),
            Message::user("Again."),
        ]),
    );
}

#[test]
fn blocks_only_the_provider_knows_go_back_as_they_came() {
    let search = r#"{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{"query":"sky"}}"#;
    let found = r#"{"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[{"type":"web_search_result","url":"https://example.com","title":"Sky","encrypted_content":"Eo=","page_age":null}]}"#;
    let cite = r#"{"type":"web_search_result_location","url":"https://example.com","title":"Sky","cited_text":"scatters","encrypted_index":"Eo"}"#;
    let mut words = Text::new("It scatters.");
    words.citations = vec![cited(native(
        "anthropic",
        "web_search_result_location",
        cite,
    ))];
    let later = r#"{"type":"later_block","x":[1, 2.50]}"#;
    let request = Request::new([
        Message::user("Why is the sky blue?"),
        Message::assistant(native("anthropic", "server_tool_use", search))
            .with(native("anthropic", "web_search_tool_result", found))
            .with(words)
            .with(native("anthropic", "later_block", later))
            .with(native("openai", "web_search_call", "{}")),
        Message::user("Thanks."),
    ]);
    let encoded = encode(OPUS, request).unwrap();
    compare("native_blocks", &encoded);
    let sent = String::from_utf8(encoded.body.to_vec()).unwrap();
    for bytes in [search, found, cite, later] {
        assert!(sent.contains(bytes), "{bytes}");
    }
}

#[test]
fn a_paused_turn_goes_back_to_be_continued() {
    let search = r#"{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}}"#;
    let paused =
        Message::assistant("Let me see.").with(native("anthropic", "server_tool_use", search));
    let encoded = encode(OPUS, Request::new([Message::user("Hi"), paused])).unwrap();
    assert_eq!(
        body(&encoded)["messages"][1]["content"][1],
        json!({
            "type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {},
        })
    );
}

#[test]
fn the_second_turn_of_a_tool_loop() {
    let reasoning = Reasoning::new(Effort::Medium).with_show(ShowThinking::Concise);
    let model = "claude-opus-5-5";
    check(
        "second_turn",
        model,
        second_turn(model).with_reasoning(reasoning),
    );
    let request = second_turn(model).with_temperature(0.5);
    check("second_turn_first_version", "claude-haiku-4-5", request);
}
