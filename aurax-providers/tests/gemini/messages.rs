//! Conversations.

use aurax_core::{
    Audio, Document, Effort, ErrorKind, Function, Image, Message, Native, Origin, Part, Reasoning,
    Request, Role, ShowThinking, Signature, Source, Text, Thinking, ToolCall, ToolChoice,
    ToolResult,
};
use serde_json::json;

use super::{FLASH_2_5, FLASH_3, body, check, encode, native, signed, stream, whole};

fn call(id: &str, name: &str, arguments: &str) -> ToolCall {
    ToolCall::new(id, name, arguments)
}

fn model(parts: Vec<Part>) -> Message {
    Message::new(Role::Assistant, parts)
}

#[test]
fn a_second_turn_is_sent_as_the_documentation_has_it() {
    let mut asked = call("fc1", "get_weather", r#"{"city":"Paris"}"#);
    asked.signature = signed(FLASH_3, "Co");
    let weather = Function::new("get_weather")
        .with_description("w")
        .with_parameters(
            json!({"type": "object", "properties": {"city": {"type": "string"}},
            "required": ["city"]}),
        );
    let request = Request::new([
        Message::system("S"),
        Message::user("Weather in Paris?"),
        model(vec![asked.clone().into()]),
        Message::tool([ToolResult::new(&asked, "sunny")]),
    ])
    .with_tools([weather])
    .with_tool_choice(ToolChoice::Auto)
    .with_max_output_tokens(4096)
    .with_reasoning(Reasoning::new(Effort::Medium).with_show(ShowThinking::Auto));
    check("second_turn", FLASH_3, request.clone());
    let path = |request| encode(FLASH_3, request).unwrap().path;
    let streamed = request.clone().with_stream(true);
    let start = "/v1beta/models/gemini-3-flash-preview";
    assert_eq!(path(request), format!("{start}:generateContent"));
    assert_eq!(
        path(streamed),
        format!("{start}:streamGenerateContent?alt=sse")
    );
}

/// Results may be given in any order, and after the user's words: they are matched by order.
#[test]
fn results_stand_first_and_in_the_order_of_their_calls() {
    let answered = whole(
        FLASH_2_5,
        &super::reply(
            &json!([
                {"functionCall": {"name": "add", "args": {"x": 1}}, "thoughtSignature": "S1"},
                {"functionCall": {"name": "add", "args": {"x": 2}}},
            ]),
            Some("STOP"),
        ),
    )
    .unwrap();
    let calls: Vec<ToolCall> = answered.tool_calls().cloned().collect();
    let request = Request::new([
        Message::user("Both?"),
        answered.into_message(),
        Message::tool([
            ToolResult::new(&calls[1], "two").with_error(),
            ToolResult::new(&calls[0], "one"),
        ]),
        Message::user("And now?"),
    ]);
    check("parallel_calls", FLASH_2_5, request);
}

#[test]
fn calls_of_another_model_get_a_stand_in_where_proofs_are_wanted() {
    let mut first = call("toolu_1", "f", "{}");
    first.signature = Some(Signature::new("X", Some(Origin::new("elsewhere", "m"))));
    let second = call("call_2", "g", "");
    let third = call("call_3", "f", "{}");
    let request = Request::new([
        Message::user("Hi"),
        model(vec![first.clone().into(), second.clone().into()]),
        Message::tool([ToolResult::new(&first, "1"), ToolResult::new(&second, "2")]),
        model(vec![third.clone().into()]),
        Message::tool([ToolResult::new(&third, "3")]),
    ]);
    check("foreign_history", FLASH_3, request.clone());
    check("foreign_history_2_5", FLASH_2_5, request);
}

#[test]
fn an_id_the_provider_made_goes_back_and_a_made_up_one_does_not() {
    let chunk = super::reply(
        &json!([
            {"functionCall": {"id": "fc_9", "name": "f", "args": {}}, "thoughtSignature": "S"},
            {"functionCall": {"name": "g"}},
        ]),
        Some("STOP"),
    );
    let answered = stream(FLASH_3, &[chunk]).unwrap();
    let calls: Vec<ToolCall> = answered.tool_calls().cloned().collect();
    assert_eq!(calls[0].id, "fc_9");
    assert!(calls[1].id.starts_with("call_"), "{}", calls[1].id);
    let results = calls.iter().map(|call| ToolResult::new(call, "ok"));
    let results: Vec<ToolResult> = results.collect();
    let request = Request::new([
        Message::user("Hi"),
        answered.into_message(),
        Message::tool(results),
    ]);
    let sent = body(&encode(FLASH_3, request).unwrap());
    let contents = &sent["contents"];
    assert_eq!(contents[1]["parts"][0]["functionCall"]["id"], "fc_9");
    assert_eq!(contents[1]["parts"][1]["functionCall"].get("id"), None);
    assert_eq!(contents[2]["parts"][0]["functionResponse"]["id"], "fc_9");
    assert_eq!(contents[2]["parts"][1]["functionResponse"].get("id"), None);
    assert_eq!(contents[2]["parts"][1]["functionResponse"]["name"], "g");
}

#[test]
fn proofs_go_back_on_the_parts_they_came_on() {
    let mut end = Text::new("");
    end.signature = signed(FLASH_3, "B");
    let parts = vec![
        Thinking::new("T")
            .with_signature(signed(FLASH_3, "A").unwrap())
            .into(),
        // A summary without a proof is nothing the API wants back.
        Thinking::new("summary").into(),
        Part::from("Hello"),
        end.into(),
    ];
    let request = Request::new([Message::user("Hi"), model(parts), Message::user("Go on")]);
    check("signed_words", FLASH_3, request.clone());
    // Another model is not shown them.
    let encoded = encode(FLASH_2_5, request).unwrap();
    let parts = body(&encoded)["contents"][1]["parts"].clone();
    assert_eq!(parts, json!([{"text": "Hello"}]));
    assert!(encoded.warnings[0].message.starts_with("2 proofs"));
}

#[test]
fn parts_of_the_providers_own_go_back_as_they_came() {
    let code =
        json!({"executableCode": {"code": "1", "language": "PYTHON"}, "thoughtSignature": "A"});
    let foreign = Native::new(Some(Origin::new("anthropic", "m")), "server_tool_use", "{}");
    let request = Request::new([
        Message::user("Run"),
        model(vec![
            native(FLASH_3, "executableCode", &code).into(),
            Image::new(Source::bytes("image/png", b"hi")).into(),
            native(
                FLASH_3,
                "thoughtSignature",
                &json!({"thoughtSignature": "P"}),
            )
            .into(),
            foreign.into(),
            Part::from("Done"),
        ]),
        Message::user("Go on"),
    ]);
    check("native_parts", FLASH_3, request);
}

#[test]
fn media_go_along_or_are_named_in_googles_storage() {
    let file = Source::File {
        id: "files/abc".into(),
        media_type: None,
    };
    let stored = Source::Url {
        url: "gs://bucket/a.jpg".into(),
        media_type: Some("image/jpeg".into()),
    };
    let mut pdf = Document::new(Source::bytes("application/pdf", b"hi")).with_filename("a.pdf");
    pdf.title = Some("A".into());
    pdf.context = Some("Read with care".into());
    let parts = vec![
        Image::new(Source::bytes("image/png", b"hi"))
            .with_detail("high")
            .into(),
        Image::new(stored).into(),
        Image::new(file).into(),
        pdf.into(),
        Document::new(Source::Text("A plain document".into())).into(),
        Audio::new(Source::bytes("audio/wav", b"hi")).into(),
        Part::from("What is all this?"),
    ];
    check("media", FLASH_2_5, Message::new(Role::User, parts));
}

#[test]
fn an_address_on_the_web_is_an_error_that_names_the_part() {
    let message = Message::user("See").with(Image::from_url("https://example.com/a.png"));
    let error = encode(FLASH_2_5, message).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(error.context("part"), Some("messages[0].parts[1]"));
}

#[test]
fn media_in_results_follow_them() {
    let look = call("a", "look", "{}");
    let ask = call("b", "ask", "{}");
    let picture = Image::new(Source::bytes("image/png", b"hi"));
    let request = Request::new([
        Message::user("Look"),
        model(vec![look.clone().into(), ask.clone().into()]),
        Message::tool([
            ToolResult::new(&look, "see").with(picture),
            ToolResult::new(&ask, "yes"),
        ]),
    ]);
    check("tool_results_media", FLASH_2_5, request);
}

#[test]
fn instructions_go_to_the_top() {
    let request = Request::new([
        Message::system("One"),
        Message::new(Role::Developer, vec!["Two".into(), " and three".into()]),
        Message::user("Hi").with_name("Ann"),
        Message::system("Late"),
    ]);
    check("instructions", FLASH_2_5, request);
}

#[test]
fn arguments_that_were_cut_name_their_tool() {
    let cut = call("a", "f", "{\"x\":");
    let request = Request::new([Message::user("Hi"), model(vec![cut.into()])]);
    let error = encode(FLASH_2_5, request).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert_eq!(error.context("tool"), Some("f"));
}

#[test]
fn what_nobody_says_is_refused() {
    let result = ToolResult::for_id("a", "1");
    for message in [
        Message::new(Role::User, vec![call("a", "f", "{}").into()]),
        Message::system("S").with(Image::new(Source::bytes("image/png", b"hi"))),
        Message::new(Role::User, vec![result.into()]),
    ] {
        let request = Request::new([Message::user("Hi"), message]);
        let error = encode(FLASH_2_5, request).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
    }
    let empty = Request::new([Message::system("S"), Message::user("")]);
    let error = encode(FLASH_2_5, empty).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
}

/// The name of a tool is told with each result of its calls: a long one would make the request many
/// times its size.
#[test]
fn a_result_of_a_tool_with_a_long_name_is_refused() {
    let encode = |length: usize| {
        let asked = call("a", &"n".repeat(length), "{}");
        let results = Message::tool([ToolResult::new(&asked, "1")]);
        let asked = Message::assistant(asked);
        encode(
            FLASH_2_5,
            Request::new([Message::user("Hi"), asked, results]),
        )
    };
    assert!(encode(256).is_ok());
    let error = encode(257).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
}
