//! Requests.

use aurax_core::{
    Audio, CacheHint, CacheTtl, Document, Effort, ErrorKind, Function, Image, Message, Native,
    OnUnsupported, Origin, OutputFormat, Part, Reasoning, Request, Role, Sampling, ShowThinking,
    Signature, Source, Thinking, Tool, ToolCall, ToolChoice, ToolResult, Truncation,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{body, check, encode, subjects};

#[test]
fn a_second_turn_is_sent_as_the_documentation_has_it() {
    let asked = ToolCall::new("call_1", "get_weather", r#"{"city":"Paris"}"#);
    let weather = Function::new("get_weather")
        .with_description("w")
        .with_parameters(
            json!({"type": "object", "properties": {"city": {"type": "string"}},
            "required": ["city"]}),
        );
    let mut request = Request::new([
        Message::system("S"),
        Message::user("Weather in Paris?"),
        Message::new(
            Role::Assistant,
            vec![Thinking::new("Let me see").into(), asked.clone().into()],
        ),
        Message::tool([ToolResult::new(&asked, "sunny")]),
    ])
    .with_tools([weather])
    .with_max_output_tokens(512)
    .with_temperature(0.2)
    .with_effort(Effort::Medium)
    .with_cache(CacheHint::new().with_ttl(CacheTtl::FiveMinutes))
    .with_stream(true);
    request.context_window = Some(8192);
    check("second_turn", "qwen3:4b", request);
}

#[test]
fn settings_have_their_places_and_the_rest_is_told() {
    let mut sampling = Sampling::default();
    sampling.temperature = Some(0.5);
    sampling.top_p = Some(0.9);
    sampling.top_k = Some(4);
    sampling.min_p = Some(0.1);
    sampling.seed = Some(7);
    sampling.frequency_penalty = Some(0.1);
    sampling.presence_penalty = Some(0.2);
    let mut request = Request::from("Hi")
        .with_sampling(sampling)
        .with_max_output_tokens(9)
        .with_stop(["END"])
        .with_logprobs(3)
        .with_cache(CacheHint::new().with_ttl(CacheTtl::Day))
        .with_service_tier("flex")
        .with_store(true)
        .with_user("u")
        .with_metadata("k", "v");
    request.speed = Some("fast".into());
    request.truncation = Some(Truncation::Disabled);
    request.context_window = Some(4096);
    request.reasoning.mode = Some("pro".into());
    check("settings", "m", request.clone());
    let strict = request.with_on_unsupported(OnUnsupported::Refuse);
    let error = encode("m", strict).unwrap_err();
    assert_eq!(error.context("part"), Some("service_tier"));
}

/// Without the field the server streams.
#[test]
fn whether_to_stream_is_always_said() {
    for stream in [true, false] {
        let encoded = encode("m", Request::from("Hi").with_stream(stream)).unwrap();
        assert_eq!(body(&encoded)["stream"], json!(stream));
        assert_eq!(subjects(&encoded), json!([]));
    }
}

#[test]
fn messages_have_one_text_and_pictures_beside_it() {
    let look = ToolCall::new("a", "look", "");
    let picture = || Image::new(Source::bytes("image/png", b"hi"));
    let mut foreign = Thinking::new("theirs");
    foreign.signature = Some(Signature::new("S", Some(Origin::new("anthropic", "m"))));
    let dark = ToolResult::new(&look, "dark").with(picture()).with_error();
    let request = Request::new([
        Message::new(Role::System, vec!["One".into(), "two".into()]),
        Message::user("See")
            .with_name("Ann")
            .with(picture())
            .with(Document::new(Source::Text("A plain document".into())))
            .with(Document::new(Source::bytes("text/plain", b"Decoded"))),
        Message::new(
            Role::Assistant,
            vec![
                foreign.into(),
                Thinking::new("own").into(),
                "Hel".into(),
                "lo".into(),
            ],
        ),
        Message::new(Role::Assistant, vec![look.clone().into()]),
        Message::tool([dark]),
    ]);
    check("messages", "m", request);
}

#[test]
fn what_the_api_cannot_take_is_named() {
    let of = |part: Part| Message::new(Role::User, vec!["Hi".into(), part]);
    let pdf = Source::bytes("application/pdf", b"hi");
    let sound = Source::bytes("audio/wav", b"hi");
    for part in [
        Image::from_url("https://example.com/a.png").into(),
        Document::new(pdf).into(),
        Audio::new(sound).into(),
    ] {
        let error = encode("m", of(part)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert_eq!(error.context("part"), Some("messages[0].parts[1]"));
    }
    let several = encode("m", Request::from("Hi").with_n(2)).unwrap_err();
    assert_eq!(several.kind(), ErrorKind::Unsupported);
    let call = ToolCall::new("a", "f", "{\"x\":");
    let cut = Request::new([Message::user("Hi"), Message::assistant(call)]);
    let cut = encode("m", cut).unwrap_err();
    assert_eq!(cut.context("tool"), Some("f"));
}

/// The name of a tool is told with each result of its calls: a long one would make the request many
/// times its size.
#[test]
fn a_long_name_is_not_repeated_with_every_result() {
    let name = |length: usize| {
        let call = ToolCall::new("a", "n".repeat(length), "{}");
        let result = Message::tool([ToolResult::new(&call, "1")]);
        let said = [Message::user("Hi"), Message::assistant(call), result];
        let sent = body(&encode("m", Request::new(said)).unwrap());
        sent["messages"][2].get("tool_name").cloned()
    };
    assert_eq!(name(256), Some(json!("n".repeat(256))));
    assert_eq!(name(257), None);
}

#[test]
fn thinking_is_whether_and_for_a_few_models_how_much() {
    let level = |level| Reasoning::new(level);
    let hidden = Reasoning::new(Effort::High).with_show(ShowThinking::Omitted);
    for (model, reasoning, expected, warnings) in [
        ("qwen3:4b", Reasoning::default(), Value::Null, 0),
        ("qwen3:4b", level(Effort::Low), json!(true), 0),
        ("qwen3:4b", level(Effort::Auto), json!(true), 0),
        ("qwen3:4b", level(Effort::Off), json!(false), 0),
        ("qwen3:4b", Reasoning::budget(0), json!(false), 0),
        ("qwen3:4b", Reasoning::budget(9), json!(true), 1),
        ("qwen3:4b", hidden, json!(true), 1),
        ("gpt-oss:20b", level(Effort::Medium), json!("medium"), 0),
        ("gpt-oss:20b", level(Effort::Max), json!("high"), 0),
        ("gpt-oss:20b", level(Effort::Auto), Value::Null, 0),
        ("gpt-oss:20b", level(Effort::Off), json!("low"), 1),
        (
            "hf.co/unsloth/gpt-oss-20b",
            level(Effort::Minimal),
            json!("low"),
            0,
        ),
    ] {
        let encoded = encode(model, Request::from("Hi").with_reasoning(reasoning.clone()));
        let encoded = encoded.unwrap();
        let think = body(&encoded).get("think").cloned().unwrap_or_default();
        assert_eq!(think, expected, "{model} {reasoning:?}");
        assert_eq!(encoded.warnings.len(), warnings, "{model} {reasoning:?}");
    }
}

#[test]
fn the_form_of_the_answer_is_a_schema_or_any_json() {
    let schema = json!({"type": "object"});
    let output = OutputFormat::JsonSchema {
        name: "s".into(),
        schema: schema.clone().into(),
        strict: None,
    };
    let format = |output| {
        let encoded = encode("m", Request::from("Hi").with_output(output)).unwrap();
        body(&encoded)["format"].clone()
    };
    assert_eq!(format(output), schema);
    assert_eq!(format(OutputFormat::JsonObject), json!("json"));
}

#[test]
fn tools_that_may_not_be_used_are_left_out() {
    let native = Native::new(None, "search", "{}");
    let request = Request::from("Hi").with_tools([
        Tool::from(Function::new("f").with_strict(true)),
        Function::new("g").into(),
        native.into(),
    ]);
    let allowed = |required| ToolChoice::Allowed {
        required,
        tools: vec!["g".into()],
    };
    for (choice, names, told) in [
        (
            ToolChoice::Auto,
            vec!["f", "g"],
            vec!["tools[0].strict", "tools[2]"],
        ),
        (ToolChoice::None, vec![], vec![]),
        (
            ToolChoice::Required,
            vec!["f", "g"],
            vec!["tool_choice", "tools[0].strict", "tools[2]"],
        ),
        (
            ToolChoice::Tool("g".into()),
            vec!["g"],
            vec!["tool_choice", "tools[2]"],
        ),
        (allowed(true), vec!["g"], vec!["tool_choice", "tools[2]"]),
        (allowed(false), vec!["g"], vec!["tools[2]"]),
    ] {
        let encoded = encode("m", request.clone().with_tool_choice(choice.clone())).unwrap();
        let sent = body(&encoded);
        let sent = sent["tools"].as_array().cloned().unwrap_or_default();
        let sent: Vec<&str> = sent
            .iter()
            .map(|tool| tool["function"]["name"].as_str().unwrap())
            .collect();
        assert_eq!(sent, names, "{choice:?}");
        assert_eq!(subjects(&encoded), json!(told), "{choice:?}");
    }
    let one = request.with_parallel_tool_calls(false);
    let told = subjects(&encode("m", one).unwrap());
    assert_eq!(told[0], "parallel_tool_calls");
}

#[test]
fn extra_fields_are_merged_into_what_is_sent() {
    let request = Request::from("Hi")
        .with_max_output_tokens(9)
        .with_extra("options", json!({"mirostat": 1}))
        .with_extra("stream", true)
        .with_extra("keep_alive", -1);
    check("extra", "m", request);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_longer_conversation_begins_with_the_bytes_of_the_shorter(
        words in proptest::collection::vec("[a-z é]{0,8}", 1..8),
        cut in 1_usize..8,
    ) {
        let sent = |words: &[String]| {
            let turns = words.iter().enumerate().map(|(at, text)| match at % 2 {
                0 => Message::user(text.as_str()),
                _ => Message::assistant(text.as_str()),
            });
            let request = Request::new(turns).with_tools([Function::new("f")]);
            encode("m", request).unwrap().body
        };
        let short = sent(words.get(..cut.min(words.len())).unwrap());
        let shared = short.len() - 2;
        prop_assert_eq!(&sent(&words)[..shared], &short[..shared]);
    }
}
