//! Messages and their parts.

use aurax_core::{
    Audio, CacheHint, Document, ErrorKind, Function, Image, Json, Message, Part, RedactedThinking,
    Refusal, Request, Role, Signature, Source, Text, Thinking, ToolCall, ToolChoice, ToolResult,
};

use super::{check, encode, hi, native};

fn weather() -> Function {
    let schema = r#"{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}"#;
    Function::new("get_weather")
        .with_description("w")
        .with_parameters(Json::parse(schema).unwrap())
}

fn asked() -> ToolCall {
    ToolCall::new("call_1", "get_weather", r#"{"city":"Paris"}"#)
}

/// The second turn of appendix A of the wire contract.
fn second_turn() -> Request {
    Request::new([
        Message::system("S"),
        Message::user("Weather in Paris?"),
        Message::new(Role::Assistant, vec![asked().into()]),
        Message::tool([ToolResult::new(&asked(), "sunny")]),
    ])
    .with_tools([weather()])
    .with_tool_choice(ToolChoice::Auto)
    .with_max_output_tokens(512)
    .with_stream(true)
}

#[test]
fn a_question_is_one_message() {
    check("text", "openai/gpt-4o", "Hi");
}

#[test]
fn the_second_turn_of_a_tool_loop() {
    check("second_turn", "openai/gpt-4o", second_turn());
}

#[test]
fn schemas_and_arguments_keep_their_bytes() {
    let schema = r#"{ "type": "object", "a": 1.50, "properties": {"x":{"const":1e3}} }"#;
    let arguments = r#"{"city" :  "Köln\u0021"}"#;
    let function = Function::new("f").with_parameters(Json::parse(schema).unwrap());
    let call = ToolCall::new("call_1", "f", arguments);
    let request = Request::new([
        Message::user("go"),
        Message::new(Role::Assistant, vec![call.clone().into()]),
        Message::tool([ToolResult::new(&call, "done")]),
    ])
    .with_tools([function])
    .with_extra("verbosity", "low");
    let sent = encode("openai/gpt-4o", request).unwrap().body;
    let sent = String::from_utf8(sent.to_vec()).unwrap();
    assert!(sent.contains(schema), "{sent}");
    let quoted = serde_json::to_string(arguments).unwrap();
    assert!(sent.contains(&quoted), "{sent}");
    assert!(sent.contains(r#""verbosity":"low""#), "{sent}");
}

#[test]
fn instructions_go_under_the_role_the_model_wants() {
    let request = || {
        Request::new([
            Message::system("S"),
            Message::new(Role::Developer, vec!["D".into()]),
            Message::user("Hi"),
        ])
    };
    check("roles_reasoning_model", "openai/o3", request());
    check("roles", "openai/gpt-4o", request());
}

#[test]
fn speakers_have_names_where_the_provider_takes_them() {
    let request = || Request::new([Message::user("Hi").with_name("ada")]);
    check("speaker_name", "openai/gpt-4o", request());
    check(
        "speaker_name_left_out",
        "groq/llama-3.3-70b-versatile",
        request(),
    );
}

#[test]
fn images_are_addresses_or_data() {
    let message = Message::user("What is this?")
        .with(Image::from_url("https://example.com/a.png").with_detail("low"))
        .with(Image::new(Source::bytes("image/png", b"abc")));
    check("images", "openai/gpt-4o", message);
}

#[test]
fn documents_are_data_files_or_text() {
    let mut notes = Document::new(Source::Text("one\ntwo".into()));
    notes.title = Some("Notes".into());
    let message = Message::user("Sum up.")
        .with(Document::new(Source::bytes("application/pdf", b"%PDF")).with_filename("report.pdf"))
        .with(Document::new(Source::bytes("application/pdf", b"%PDF")))
        .with(Document::new(Source::file("file-1")))
        .with(notes)
        .with(Document::new(Source::bytes("text/markdown", b"# three")));
    check("documents", "openai/gpt-4o", message);
}

#[test]
fn audio_is_wav_or_mp3() {
    let message = Message::user("Listen.")
        .with(Audio::new(Source::bytes("audio/wav", b"abc")))
        .with(Audio::new(Source::bytes("audio/mpeg", b"abc")));
    check("audio", "openai/gpt-audio", message);
}

#[test]
fn a_part_the_provider_cannot_take_is_an_error_that_names_it() {
    let url = || Source::url("https://example.com/a.pdf");
    for (name, part) in [
        (
            "openai/gpt-4o",
            Part::from(Image::new(Source::file("file-1"))),
        ),
        ("openai/gpt-4o", Document::new(url()).into()),
        (
            "openai/gpt-4o",
            Audio::new(Source::bytes("audio/flac", b"x")).into(),
        ),
        ("openai/gpt-4o", Audio::new(url()).into()),
        (
            "deepseek/deepseek-flash",
            Image::from_url("https://example.com/a.png").into(),
        ),
        (
            "deepseek/deepseek-flash",
            Document::new(Source::bytes("application/pdf", b"x")).into(),
        ),
        (
            "deepseek/deepseek-flash",
            Audio::new(Source::bytes("audio/wav", b"x")).into(),
        ),
        (
            "mistral/mistral-large-4",
            Document::new(Source::file("file-1")).into(),
        ),
    ] {
        let kind = part.kind();
        let error = encode(name, Message::user("Hi").with(part)).unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::Unsupported,
            "{name} {kind}: {error}"
        );
        assert_eq!(
            error.context("part"),
            Some("messages[0].parts[1]"),
            "{error}"
        );
    }
}

#[test]
fn a_part_in_the_wrong_place_is_an_error_that_names_it() {
    let system = Message::system("S").with(Image::from_url("https://example.com/a.png"));
    let error = encode("openai/gpt-4o", Request::new([system, Message::user("Hi")])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let user = Message::user("Hi").with(asked());
    let error = encode("openai/gpt-4o", user).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert_eq!(error.context("part"), Some("messages[0].parts[1]"));
}

#[test]
fn every_result_is_a_message_and_media_follow_them() {
    let second = ToolCall::new("call_2", "draw", "");
    let request = Request::new([
        Message::user("go"),
        Message::assistant("").with(asked()).with(second.clone()),
        Message::tool([
            ToolResult::new(&second, "a picture")
                .with(Image::from_url("https://example.com/a.png")),
            ToolResult::for_id("call_1", "sunny")
                .with("and warm")
                .with_error(),
        ]),
        Message::user("Well?"),
    ])
    .with_tools([weather(), Function::new("draw")]);
    check("tool_results", "openai/gpt-4o", request);
}

#[test]
fn results_inside_a_users_turn_come_before_what_is_said() {
    let request = Request::new([
        Message::user("go"),
        Message::new(Role::Assistant, vec![asked().into()]),
        Message::user("and?").with(ToolResult::new(&asked(), "sunny")),
    ])
    .with_tools([weather()]);
    check("tool_results_of_user", "openai/gpt-4o", request);
}

#[test]
fn an_assistants_turn_keeps_words_refusals_and_spoken_answers() {
    let spoken = Audio::new(Source::bytes("audio/wav", b"abc"));
    let mut heard = spoken.clone();
    heard.transcript = Some("Hello.".into());
    let request = || {
        Request::new([
            Message::user("Hi"),
            Message::assistant("A").with("B"),
            Message::user("?"),
            Message::new(Role::Assistant, vec![Refusal::new("No.").into()]),
            Message::user("!"),
            Message::new(
                Role::Assistant,
                vec![
                    spoken.clone().into(),
                    native("openai", "gpt-audio", "audio", r#"{"id":"audio_1"}"#).into(),
                ],
            ),
            Message::user("…"),
            Message::new(Role::Assistant, vec![heard.clone().into()]),
            Message::user("Bye"),
        ])
    };
    check("assistant", "openai/gpt-audio", request());
}

#[test]
fn a_refusal_is_text_where_there_is_no_field_for_it() {
    let request = Request::new([
        Message::user("Hi"),
        Message::new(Role::Assistant, vec![Refusal::new("No.").into()]),
        Message::user("Please"),
    ]);
    check("refusal_as_text", "groq/llama-3.3-70b-versatile", request);
}

fn thoughtful(parts: Vec<Part>) -> Request {
    let mut parts = parts;
    parts.extend([Part::from("Sunny."), asked().into()]);
    Request::new([
        Message::user("Weather?"),
        Message::new(Role::Assistant, parts),
        Message::tool([ToolResult::new(&asked(), "sunny")]),
    ])
    .with_tools([weather()])
}

#[test]
fn thoughts_go_back_in_the_form_their_provider_wants() {
    let thought = || vec![Part::from(Thinking::new("Paris, "))];
    check("thoughts_dropped", "openai/gpt-4o", thoughtful(thought()));
    check(
        "thoughts_reasoning_content",
        "deepseek/deepseek-flash",
        thoughtful(thought()),
    );
    check(
        "thoughts_none_deepseek",
        "deepseek/deepseek-flash",
        thoughtful(Vec::new()),
    );
    check(
        "thoughts_content",
        "mistral/magistral-medium-latest",
        thoughtful(thought()),
    );
    check(
        "thoughts_reasoning",
        "openrouter/openai/gpt-5.2",
        thoughtful(thought()),
    );
    let details = native(
        "openrouter",
        "openai/gpt-5.2",
        "reasoning_details",
        r#"[{"type":"reasoning.encrypted","data":"gAAA=","id":"rs_1","index":0}]"#,
    );
    let mut both = thought();
    both.push(details.into());
    check(
        "thoughts_details",
        "openrouter/openai/gpt-5.2",
        thoughtful(both.clone()),
    );
    check(
        "thoughts_of_another_model",
        "openrouter/openai/gpt-5.4",
        thoughtful(both),
    );
}

#[test]
fn proven_thoughts_of_another_provider_are_left_out_with_one_warning() {
    let signature = Signature::new("Eq==", None);
    let parts = vec![
        Part::from(Thinking::new("hm").with_signature(signature.clone())),
        RedactedThinking::new(signature).into(),
    ];
    check("thoughts_foreign", "openai/gpt-4o", thoughtful(parts));
}

#[test]
fn native_parts_go_to_their_own_provider() {
    let request = Request::new([
        Message::user("Watch.")
            .with(native(
                "openrouter",
                "any",
                "video_url",
                r#"{"type":"video_url","video_url":{"url":"https://example.com/v.mp4"}}"#,
            ))
            .with(native(
                "anthropic",
                "any",
                "search_result",
                r#"{"type":"search_result"}"#,
            )),
        Message::new(
            Role::Assistant,
            vec![
                native(
                    "openrouter",
                    "qwen/qwen3",
                    "custom_tool_call",
                    r#"{"id":"call_9","type":"custom","custom":{"name":"run","input":"ls"}}"#,
                )
                .into(),
            ],
        ),
        Message::user("Go on"),
    ]);
    check("native_parts", "openrouter/qwen/qwen3", request);
}

#[test]
fn marks_of_what_to_cache_are_sent_to_models_that_take_them() {
    let hint = CacheHint::new();
    let mut result = ToolResult::new(&asked(), "sunny");
    result.cache = Some(hint);
    let request = || {
        let mut request = Request::new([
            Message::system(Text::new("S").with_cache(hint)),
            Message::user("Weather?"),
            Message::new(Role::Assistant, vec![asked().into()]),
            Message::tool([result.clone()]),
        ])
        .with_tools([weather()]);
        request.cache = Some(hint.with_ttl(aurax_core::CacheTtl::HalfHour));
        request
    };
    check("cache_marks", "openai/gpt-5.6-sol", request());
    let older = encode("openai/gpt-4o", request()).unwrap();
    let plain = encode("openai/gpt-4o", second_turn()).unwrap();
    assert!(older.warnings.is_empty());
    let messages =
        |encoded: &aurax_providers::wire::Encoded| super::body(encoded)["messages"][0].clone();
    assert_eq!(messages(&older), messages(&plain));
}

#[test]
fn impossible_requests_fail_before_sending() {
    let empty = Request::new(std::iter::empty::<Message>());
    let stray = Message::tool([ToolResult::for_id("call_9", "?")]);
    for request in [
        empty,
        hi().with_n(0),
        hi().with_logprobs(21),
        hi().with_stop(["a", "b", "c", "d", "e"]),
        hi().with_tool_choice(ToolChoice::Required),
        hi().with_tools([Function::new("not a name")]),
        Request::new([Message::user("Hi"), stray]),
    ] {
        let error = encode("openai/gpt-4o", request).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
        assert_eq!(error.phase(), Some(aurax_core::Phase::Encode), "{error}");
    }
}

#[test]
fn fields_of_a_part_that_is_a_mere_text_here_are_reported() {
    let own = || {
        Some(Box::new(native(
            "openai",
            "gpt-4o",
            "part",
            r#"{"mark":1}"#,
        )))
    };
    let mut refusal = Refusal::new("No.");
    refusal.native = own();
    let mut thinking = Thinking::new("Hm.");
    thinking.native = own();
    let said = vec![thinking.into(), refusal.into()];
    let request = Request::new([
        Message::user("Go."),
        Message::new(Role::Assistant, said),
        Message::user("Why?"),
    ]);
    let encoded = encode("openai/gpt-4o", request).unwrap();
    let subjects = encoded.warnings.iter().map(|warning| &*warning.subject);
    let subjects: Vec<&str> = subjects.filter(|at| at.ends_with(".native")).collect();
    assert_eq!(
        subjects,
        ["messages[1].parts[0].native", "messages[1].parts[1].native"]
    );
}

#[test]
fn native_fields_stay_with_their_own_message() {
    let own = |mark: &str| {
        native(
            "openai",
            "gpt-4o",
            "message",
            &format!(r#"{{"mark":"{mark}"}}"#),
        )
    };
    let with = |mut message: Message, mark: &str| {
        message.native = Some(own(mark));
        message
    };
    let picture = Image::from_url("https://a.test/a.png");
    let result = ToolResult::new(&asked(), picture);
    let request = Request::new([
        with(Message::user("Weather?"), "asked"),
        Message::new(Role::Assistant, vec![asked().into()]),
        with(Message::tool([result]), "answered"),
        // Tools that answered nothing are no message; what came before is another one.
        with(Message::tool([]), "lost"),
        with(Message::user("And?"), "went on"),
    ]);
    let encoded = encode("openai/gpt-4o", request).unwrap();
    let sent = super::body(&encoded);
    let marks: Vec<(&str, Option<&str>)> = sent["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| (message["role"].as_str().unwrap(), message["mark"].as_str()))
        .collect();
    assert_eq!(
        marks,
        [
            ("user", Some("asked")),
            ("assistant", None),
            ("tool", Some("answered")),
            ("user", None),
            ("user", Some("went on")),
        ]
    );
    let warned = |subject: &str| encoded.warnings.iter().any(|w| w.subject == subject);
    assert!(warned("messages[3].native"), "{:?}", encoded.warnings);
}
