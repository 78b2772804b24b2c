//! What the Anthropic wire sends: one fixture a feature, written by hand from the documentation.
//!
//! A fixture has the version of the API, the beta features, the subjects of the warnings in order,
//! and the body.

#![cfg(feature = "anthropic")]
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a failed test is a panic"
)]
use aurax_core::{
    CacheHint, CacheTtl, Call, Citation, Document, Effort, Error, ErrorKind, Extra, Function,
    Image, Item, Json, Message, ModelId, ModelInfo, Native, OnUnsupported, Origin, OutputFormat,
    Part, Reasoning, RedactedThinking, Request, Role, Sampling, ShowThinking, Signature, Source,
    Text, Thinking, Tool, ToolCall, ToolChoice, ToolResult,
};
use aurax_providers::RuleBook;
use aurax_providers::anthropic::{Anthropic, RULES};
use aurax_providers::wire::{Encoded, Target, Wire};
use proptest::prelude::*;
use serde_json::{Value, json};

fn target(model: &str) -> Target {
    let model = ModelId::parse(model).unwrap();
    Target {
        provider: "anthropic".into(),
        rules: RuleBook::parse(RULES).unwrap().of(&model),
        model,
        info: None,
    }
}

fn call(target: &Target, request: impl Into<Request>) -> Call {
    Call::chat(target.model.clone(), request)
}

fn encode(model: &str, request: impl Into<Request>) -> Result<Encoded, Error> {
    let target = target(model);
    Anthropic::new().encode(&call(&target, request), &target)
}

fn header<'a>(encoded: &'a Encoded, name: &str) -> Option<&'a str> {
    let (_, value) = encoded.headers.iter().find(|(key, _)| key == name)?;
    value.to_str().ok()
}

fn body(encoded: &Encoded) -> Value {
    serde_json::from_slice(&encoded.body).unwrap()
}

fn subjects(encoded: &Encoded) -> Vec<&str> {
    encoded
        .warnings
        .iter()
        .map(|warning| warning.subject.as_str())
        .collect()
}

fn compare(name: &str, encoded: &Encoded) {
    let path = format!(
        "{}/fixtures/anthropic/{name}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    let fixture: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(body(encoded), fixture["body"], "{name}: body");
    assert_eq!(
        json!(header(encoded, "anthropic-version")),
        fixture["version"],
        "{name}: version"
    );
    assert_eq!(
        json!(header(encoded, "anthropic-beta")),
        fixture["beta"],
        "{name}: beta"
    );
    assert_eq!(
        json!(subjects(encoded)),
        fixture["warnings"],
        "{name}: warnings"
    );
}

/// Encodes and compares with the fixture of that name.
fn check(name: &str, model: &str, request: impl Into<Request>) {
    let encoded = encode(model, request).unwrap();
    assert_eq!(encoded.path, "/v1/messages");
    compare(name, &encoded);
}

const OPUS: &str = "claude-opus-4-8";

fn hi() -> Request {
    Request::from("Hi")
}

fn origin(model: &str) -> Option<Origin> {
    Some(Origin::new("anthropic", model))
}

fn signed(text: &str, signature: &str, model: &str) -> Thinking {
    Thinking::new(text).with_signature(Signature::new(signature, origin(model)))
}

fn native(provider: &str, kind: &str, json: &str) -> Native {
    Native::new(Some(Origin::new(provider, OPUS)), kind, json)
}

fn cited(native: Native) -> Citation {
    let mut citation = Citation::default();
    citation.native = Some(native);
    citation
}

fn long() -> CacheHint {
    CacheHint::new().with_ttl(CacheTtl::OneHour)
}

fn short() -> CacheHint {
    CacheHint::new().with_ttl(CacheTtl::FiveMinutes)
}

fn schema(json: &str) -> Json {
    Json::parse(json).unwrap()
}

const CITY: &str =
    r#"{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}"#;

fn weather() -> Function {
    Function::new("get_weather")
        .with_description("The weather in a city.")
        .with_parameters(schema(CITY))
}

fn two_tools() -> Request {
    hi().with_tools([Function::new("now"), Function::new("here")])
}

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
fn thoughts_a_client_brought_from_another_wire_stay_behind() {
    let mut listed = Thinking::new("hm").with_signature(Signature::new("gAAA", None));
    let own = Request::new([
        Message::user("Hi"),
        Message::assistant(listed.clone()).with("Hello"),
        Message::user("Bye"),
    ]);
    let encoded = encode("claude-opus-4-5", own.clone()).unwrap();
    assert!(body(&encoded).to_string().contains("gAAA"));
    listed.item = Some(Item::new("rs_1"));
    let mut foreign = own;
    foreign.messages[1].parts[0] = Part::Thinking(listed);
    let encoded = encode("claude-opus-4-5", foreign).unwrap();
    assert!(!body(&encoded).to_string().contains("gAAA"));
    assert_eq!(subjects(&encoded).len(), 1);
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
fn tools_and_whether_they_must_be_used() {
    let untyped = schema(r#"{"properties":{"a":{}}}"#);
    let search = r#"{"type":"web_search_20250305","name":"web_search","max_uses":3}"#;
    let tools = [
        Tool::from(weather().with_strict(true)),
        Function::new("now").into(),
        Function::new("untyped")
            .with_parameters(untyped)
            .with_cache(CacheHint::new())
            .into(),
        Native::new(None, "web_search_20250305", search).into(),
    ];
    check(
        "tools",
        OPUS,
        hi().with_tools(tools).with_parallel_tool_calls(false),
    );
    let choose = |choice| two_tools().with_tool_choice(choice);
    let allowed = |names: &[&str]| ToolChoice::Allowed {
        required: true,
        tools: names.iter().map(|name| (*name).to_owned()).collect(),
    };
    check("choice_required", OPUS, choose(ToolChoice::Required));
    check(
        "choice_named",
        OPUS,
        choose(ToolChoice::Tool("now".into())).with_parallel_tool_calls(true),
    );
    let none = choose(ToolChoice::None).with_parallel_tool_calls(false);
    check("choice_none", OPUS, none);
    check("choice_allowed", OPUS, choose(allowed(&["now", "here"])));
    check("choice_allowed_one", OPUS, choose(allowed(&["here"])));
    check(
        "choice_not_forced",
        "claude-opus-5-5",
        choose(ToolChoice::Required),
    );
}

#[test]
fn output_of_a_schema() {
    let schema = schema(
        r#"{"type":"object","properties":{"city":{"type":"string"}},"required":["city"],"additionalProperties":false}"#,
    );
    let output = OutputFormat::JsonSchema {
        name: "place".into(),
        schema,
        strict: Some(true),
    };
    check("structured_output", OPUS, hi().with_output(output));
    let output = OutputFormat::JsonSchema {
        name: "anything".into(),
        schema: Json::parse(r#"{"type":"object"}"#).unwrap(),
        strict: None,
    };
    let reasoning = Reasoning::new(Effort::High).with_show(ShowThinking::Omitted);
    check(
        "effort_and_schema",
        "claude-sonnet-4-6",
        hi().with_output(output).with_reasoning(reasoning),
    );
}

#[test]
fn sampling_where_the_model_takes_it() {
    let mut sampling = Sampling::default();
    sampling.temperature = Some(0.2);
    sampling.top_k = Some(40);
    let request = hi()
        .with_sampling(sampling.clone())
        .with_stop(["END", "\n"])
        .with_max_output_tokens(100);
    check("sampling", "claude-haiku-4-5", request);

    sampling.top_p = Some(0.9);
    sampling.frequency_penalty = Some(0.5);
    sampling.presence_penalty = Some(0.5);
    sampling.seed = Some(7);
    let request = hi()
        .with_sampling(sampling)
        .with_logprobs(3)
        .with_metadata("team", "red");
    check("sampling_refused", OPUS, request);
}

#[test]
fn marks_of_cacheable_prefixes() {
    let hinted = Text::new("Hi").with_cache(short());
    check(
        "cache_whole",
        OPUS,
        Request::from(Message::user(hinted)).with_cache(long()),
    );

    let half_hour = CacheHint::new().with_ttl(CacheTtl::HalfHour);
    let text = |text: &str, hint| Text::new(text).with_cache(hint);
    let request = Request::new([
        Message::system(text("Be brief.", short())),
        Message::user(text("1", short())),
        Message::assistant(text("2", short())),
        Message::user(text("3", half_hour)),
        Message::assistant("4"),
        Message::user(text("5", CacheHint::new())),
    ]);
    check(
        "cache_marks",
        OPUS,
        request.with_tools([Function::new("now").with_cache(long())]),
    );
}

#[test]
fn labels() {
    check(
        "labels",
        OPUS,
        hi().with_user("u-1").with_service_tier("standard_only"),
    );
}

#[test]
fn fields_of_the_callers_own() {
    let request = hi()
        .with_effort(Effort::Low)
        .with_extra("speed", "fast")
        .with_extra(
            "output_config",
            json!({"task_budget": {"type": "tokens", "total": 64000}}),
        )
        .with_extra("betas", json!(["task-budgets-2026-03-13"]));
    check("extra", OPUS, request);
    let mut request = hi().with_extra("reasoning_effort", "low");
    request.extra = Extra::new(Some("openai.chat".into()), request.extra.fields);
    check("extra_elsewhere", OPUS, request);
    let encoded = encode(OPUS, hi().with_extra("stream", true)).unwrap();
    assert_eq!(subjects(&encoded), ["extra.stream"]);
    assert_eq!(body(&encoded)["stream"], Value::Null);
    // A temperature of the caller's own needs the version that has it.
    let own = encode(OPUS, hi().with_extra("temperature", 1.0)).unwrap();
    assert_eq!(header(&own, "anthropic-version"), Some("2023-06-01"));
}

fn second_turn(model: &str) -> Request {
    let call = ToolCall::new("toolu_1", "get_weather", r#"{"city":"Paris"}"#);
    Request::new([
        Message::system(Text::new("S").with_cache(CacheHint::new())),
        Message::user("Weather in Paris?"),
        Message::assistant(signed("…", "Eq…", model)).with(call.clone()),
        Message::tool([ToolResult::new(&call, "sunny")]),
    ])
    .with_tools([weather().with_description("w")])
    .with_tool_choice(ToolChoice::Auto)
    .with_parallel_tool_calls(true)
    .with_max_output_tokens(4096)
    .with_stream(true)
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

#[test]
fn a_count_of_tokens_has_no_limits_and_no_sampling() {
    let target = target("claude-opus-5-5");
    let request = hi()
        .with_system("S")
        .with_tools([Function::new("now")])
        .with_effort(Effort::Low)
        .with_max_output_tokens(10)
        .with_stop(["END"])
        .with_user("u-1")
        .with_stream(true);
    let encoded = Anthropic::new().count_tokens(&call(&target, request), &target);
    let encoded = encoded.unwrap().unwrap();
    assert_eq!(encoded.path, "/v1/messages/count_tokens");
    compare("count_tokens", &encoded);
}

/// What is sent for each level on each generation of models: the thinking, the effort, and whether
/// something was changed, which is an error where the request wants nothing changed.
#[test]
fn each_generation_thinks_as_it_can() {
    let adaptive = || json!({"type": "adaptive"});
    let enabled = |tokens: u32| json!({"type": "enabled", "budget_tokens": tokens});
    let disabled = || json!({"type": "disabled"});
    let between = || json!({"type": "between_tools"});
    let nothing = || Value::Null;
    type Row<'a> = (&'a str, Reasoning, Value, Option<&'a str>, bool);
    let rows: Vec<Row<'_>> = vec![
        (
            "claude-3-5-haiku-latest",
            Reasoning::new(Effort::Off),
            nothing(),
            None,
            false,
        ),
        (
            "claude-3-5-haiku-latest",
            Reasoning::new(Effort::High),
            nothing(),
            None,
            true,
        ),
        (
            "claude-sonnet-4-20250514",
            Reasoning::new(Effort::Off),
            nothing(),
            None,
            false,
        ),
        (
            "claude-sonnet-4-20250514",
            Reasoning::new(Effort::Minimal),
            enabled(1024),
            None,
            false,
        ),
        (
            "claude-haiku-4-5",
            Reasoning::new(Effort::Medium),
            enabled(8000),
            None,
            false,
        ),
        (
            "claude-haiku-4-5",
            Reasoning::new(Effort::Max),
            enabled(24000),
            None,
            false,
        ),
        (
            "claude-haiku-4-5",
            Reasoning::budget(2000),
            enabled(2000),
            None,
            false,
        ),
        (
            "claude-haiku-4-5",
            Reasoning::budget(10),
            enabled(1024),
            None,
            true,
        ),
        (
            "claude-opus-4-5-20251101",
            Reasoning::new(Effort::Medium),
            enabled(8000),
            Some("medium"),
            false,
        ),
        (
            "claude-opus-4-5-20251101",
            Reasoning::new(Effort::Max),
            enabled(24000),
            Some("high"),
            false,
        ),
        (
            "claude-sonnet-4-6",
            Reasoning::new(Effort::Off),
            nothing(),
            None,
            false,
        ),
        (
            "claude-sonnet-4-6",
            Reasoning::new(Effort::Max),
            adaptive(),
            Some("max"),
            false,
        ),
        (
            "claude-sonnet-4-6",
            Reasoning::new(Effort::XHigh),
            adaptive(),
            Some("high"),
            false,
        ),
        (
            "claude-sonnet-4-6",
            Reasoning::budget(5000),
            enabled(5000),
            None,
            false,
        ),
        (OPUS, Reasoning::new(Effort::Off), nothing(), None, false),
        (
            OPUS,
            Reasoning::new(Effort::XHigh),
            adaptive(),
            Some("xhigh"),
            false,
        ),
        (
            OPUS,
            Reasoning::new(Effort::Minimal),
            adaptive(),
            Some("low"),
            false,
        ),
        (
            OPUS,
            Reasoning::budget(5000),
            adaptive(),
            Some("medium"),
            true,
        ),
        (
            "claude-sonnet-5",
            Reasoning::new(Effort::Off),
            disabled(),
            None,
            false,
        ),
        (
            "claude-opus-5",
            Reasoning::new(Effort::Off),
            disabled(),
            None,
            false,
        ),
        (
            "claude-opus-5",
            Reasoning::default(),
            nothing(),
            None,
            false,
        ),
        (
            "claude-haiku-5-5",
            Reasoning::new(Effort::Off),
            disabled(),
            None,
            false,
        ),
        (
            "claude-haiku-5-5",
            Reasoning::budget(20_000),
            adaptive(),
            Some("high"),
            true,
        ),
        (
            "claude-sonnet-5-5",
            Reasoning::new(Effort::Off),
            between(),
            None,
            true,
        ),
        (
            "claude-sonnet-5-5",
            Reasoning::new(Effort::High),
            adaptive(),
            Some("high"),
            false,
        ),
        (
            "claude-opus-5-5",
            Reasoning::new(Effort::Off),
            nothing(),
            Some("low"),
            true,
        ),
        (
            "claude-fable-5-1",
            Reasoning::new(Effort::Off),
            nothing(),
            Some("low"),
            true,
        ),
        (
            "claude-fable-5-1",
            Reasoning::budget(100),
            adaptive(),
            Some("low"),
            true,
        ),
        (
            "claude-mythos-5-2",
            Reasoning::new(Effort::Max),
            adaptive(),
            Some("max"),
            false,
        ),
        (
            "claude-opus-9",
            Reasoning::budget(9000),
            adaptive(),
            Some("high"),
            true,
        ),
        (
            "not-a-claude",
            Reasoning::budget(9000),
            enabled(9000),
            None,
            false,
        ),
    ];
    for (model, reasoning, thinking, effort, changed) in rows {
        let row = format!("{model} {reasoning:?}");
        let request = hi().with_reasoning(reasoning);
        let encoded = encode(model, request.clone()).unwrap();
        let body = body(&encoded);
        assert_eq!(body["thinking"], thinking, "{row}");
        assert_eq!(body["output_config"]["effort"].as_str(), effort, "{row}");
        assert_eq!(
            !encoded.warnings.is_empty(),
            changed,
            "{row}: {:?}",
            encoded.warnings
        );
        let strict = encode(model, request.with_on_unsupported(OnUnsupported::Refuse));
        assert_eq!(
            strict.err().map(|e| e.kind()),
            changed.then_some(ErrorKind::Unsupported),
            "{row}"
        );
    }
}

#[test]
fn effort_without_thinking_stays_below_the_models_bound() {
    let mut reasoning = Reasoning::budget(0);
    reasoning.effort = Some(Effort::Max);
    let asked = |model| {
        let body = body(&encode(model, hi().with_reasoning(reasoning.clone())).unwrap());
        (
            body["thinking"].clone(),
            body["output_config"]["effort"].clone(),
        )
    };
    assert_eq!(
        asked("claude-haiku-5-5"),
        (json!({"type": "disabled"}), json!("high"))
    );
    assert_eq!(
        asked("claude-sonnet-5-5"),
        (json!({"type": "between_tools"}), json!("high"))
    );
    assert_eq!(
        asked("claude-sonnet-5"),
        (json!({"type": "disabled"}), json!("max"))
    );
    assert_eq!(asked(OPUS), (Value::Null, json!("max")));
}

/// Settings that newer generations refuse: left out with a warning, or an error.
#[test]
fn each_generation_refuses_what_it_refuses() {
    let temperature = || hi().with_temperature(0.5);
    let both = || temperature().with_top_p(0.9);
    let forced = || two_tools().with_tool_choice(ToolChoice::Required);
    let rows: Vec<(&str, Request, &[&str])> = vec![
        ("claude-3-haiku-20240307", both(), &[]),
        ("claude-haiku-4-5", both(), &["sampling.top_p"]),
        ("claude-sonnet-4-6", temperature(), &[]),
        ("claude-opus-4-7", temperature(), &["sampling.temperature"]),
        ("claude-sonnet-5", temperature(), &["sampling.temperature"]),
        (
            "claude-haiku-5-5-20261001",
            temperature(),
            &["sampling.temperature"],
        ),
        (
            "anthropic/claude-opus-5.5",
            temperature(),
            &["sampling.temperature"],
        ),
        (
            "claude-haiku-4-5",
            hi().with_temperature(1.5),
            &["sampling.temperature"],
        ),
        (
            "claude-haiku-4-5",
            temperature().with_effort(Effort::Low),
            &["sampling.temperature"],
        ),
        (
            "claude-haiku-4-5",
            forced().with_effort(Effort::Low),
            &["tool_choice"],
        ),
        ("claude-sonnet-4-6", forced().with_effort(Effort::Low), &[]),
        ("claude-haiku-5-5", forced(), &[]),
        ("claude-fable-5", forced(), &[]),
        ("claude-fable-5-1", forced(), &["tool_choice"]),
        ("claude-sonnet-5-5", forced(), &["tool_choice"]),
        (
            OPUS,
            hi().with_output(OutputFormat::JsonObject),
            &["output"],
        ),
        (
            OPUS,
            hi().with_max_output_tokens(500_000),
            &["max_output_tokens"],
        ),
    ];
    for (model, request, expected) in rows {
        let encoded = encode(model, request.clone()).unwrap();
        assert_eq!(
            subjects(&encoded),
            expected,
            "{model} {:?}",
            request.sampling
        );
        let strict = encode(model, request.with_on_unsupported(OnUnsupported::Refuse));
        let part = strict.as_ref().err().and_then(|e| e.context("part"));
        assert_eq!(part, expected.first().copied(), "{model}");
    }
}

#[test]
fn only_some_models_continue_the_assistants_words() {
    let prefill = Request::new([
        Message::user("Pick."),
        Message::assistant("The answer is ( \n"),
    ]);
    let encoded = encode("claude-haiku-4-5", prefill.clone()).unwrap();
    assert_eq!(
        body(&encoded)["messages"][1]["content"][0]["text"],
        "The answer is ("
    );
    for model in ["claude-opus-4-6", "claude-opus-4-8", "claude-sonnet-5-5"] {
        let error = encode(model, prefill.clone()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{model}");
    }
    let thinking = prefill.with_effort(Effort::Low);
    let error = encode("claude-haiku-4-5", thinking).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[test]
fn the_providers_own_list_beats_the_table() {
    let mut target = target("claude-sonnet-4-6");
    let mut info = ModelInfo::new("claude-sonnet-4-6");
    info.settings.insert("thinking_budget".into(), false);
    info.settings.insert("effort_max".into(), false);
    info.max_output_tokens = Some(2000);
    target.info = Some(info);
    let ask = |reasoning| {
        let call = call(&target, hi().with_reasoning(reasoning));
        body(&Anthropic::new().encode(&call, &target).unwrap())
    };
    assert_eq!(
        ask(Reasoning::budget(5000))["thinking"],
        json!({"type": "adaptive"})
    );
    let max = ask(Reasoning::new(Effort::Max));
    assert_eq!(max["output_config"]["effort"], "high");
    assert_eq!(max["max_tokens"], 2000);
}

#[test]
fn the_limit_on_output_leaves_room_to_think() {
    let limit = |model: &str, request: Request| {
        let encoded = encode(model, request).unwrap();
        (
            body(&encoded)["max_tokens"].as_u64().unwrap(),
            encoded.warnings.len(),
        )
    };
    let haiku = "claude-haiku-4-5";
    let medium = || hi().with_effort(Effort::Medium);
    assert_eq!(limit(haiku, hi()), (4096, 0));
    assert_eq!(limit(haiku, medium()), (12_096, 0));
    assert_eq!(
        limit(haiku, medium().with_max_output_tokens(20_000)),
        (20_000, 0)
    );
    assert_eq!(
        limit(haiku, medium().with_max_output_tokens(1000)),
        (9000, 1)
    );
    assert_eq!(limit("claude-3-haiku-20240307", hi()), (4096, 0));
    assert_eq!(limit("claude-opus-5-5", hi()), (16_384, 0));
    // More to think with than the model can say at all.
    let encoded = encode(haiku, hi().with_reasoning(Reasoning::budget(100_000))).unwrap();
    assert_eq!(body(&encoded)["max_tokens"], 64_000);
    assert_eq!(body(&encoded)["thinking"]["budget_tokens"], 62_976);
}

#[test]
fn a_part_that_would_be_lost_is_an_error_that_names_it() {
    let image = |media_type: &str| Image::new(Source::bytes(media_type, b"x"));
    let audio = aurax_core::Audio::new(Source::bytes("audio/wav", b"x"));
    let cut = ToolCall::new("toolu_1", "get_weather", r#"{"city":"Par"#);
    let list = ToolCall::new("toolu_1", "get_weather", "[1]");
    let user = |part: Part| Request::from(Message::user("See:").with(part));
    let said = |part: Part| Request::new([Message::user("Hi"), Message::assistant(part)]);
    let wrong_schema = weather().with_parameters(schema(r#"{"type":"string"}"#));
    let rows = [
        (
            user(audio.into()),
            ErrorKind::Unsupported,
            "messages[0].parts[1]",
            "",
        ),
        (
            user(image("image/bmp").into()),
            ErrorKind::Unsupported,
            "messages[0].parts[1]",
            "",
        ),
        (
            user(Document::new(Source::bytes("application/msword", b"x")).into()),
            ErrorKind::Unsupported,
            "messages[0].parts[1]",
            "",
        ),
        (
            said(image("image/png").into()),
            ErrorKind::InvalidRequest,
            "messages[1].parts[0]",
            "",
        ),
        (
            said(cut.into()),
            ErrorKind::InvalidRequest,
            "messages[1].parts[0]",
            "get_weather",
        ),
        (
            said(list.into()),
            ErrorKind::InvalidRequest,
            "messages[1].parts[0]",
            "get_weather",
        ),
        (
            Request::new([Message::system(image("image/png")), Message::user("Hi")]),
            ErrorKind::InvalidRequest,
            "messages[0].parts[0]",
            "",
        ),
        (
            hi().with_tools([wrong_schema]),
            ErrorKind::InvalidRequest,
            "tools[0]",
            "get_weather",
        ),
        (hi().with_n(2), ErrorKind::Unsupported, "n", ""),
        (
            hi().with_extra("betas", 1),
            ErrorKind::InvalidRequest,
            "extra.betas",
            "",
        ),
        (
            Message::user(" ").into(),
            ErrorKind::InvalidRequest,
            "messages",
            "",
        ),
        (
            hi().with_tools([Function::new("a".repeat(129))]),
            ErrorKind::InvalidRequest,
            "tools[0]",
            "",
        ),
    ];
    for (request, kind, part, tool) in rows {
        let error = encode(OPUS, request).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(error.context("part"), Some(part), "{error}");
        assert_eq!(error.context("tool").unwrap_or_default(), tool, "{error}");
    }
}

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

#[test]
fn embeddings_are_elsewhere() {
    let target = target(OPUS);
    let request = aurax_core::EmbedRequest::new(["a"]);
    let call = Call::embed(target.model.clone(), request);
    let error = Anthropic::new().encode(&call, &target).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
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
