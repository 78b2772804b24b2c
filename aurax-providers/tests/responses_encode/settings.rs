//! Settings, and what becomes of those the wire or a vendor does not have.

use aurax_core::{
    CacheHint, CacheTtl, Effort, ErrorKind, Function, Json, Native, OnUnsupported, OutputFormat,
    Reasoning, Request, Tool, ToolChoice, Truncation,
};
use serde_json::{Value, json};

use super::{body, encode, warned};

const MODEL: &str = "openai-responses/gpt-4o";

fn ask() -> Request {
    Request::from("Hi")
}

#[test]
fn every_setting_has_its_place() {
    let mut request = ask()
        .with_temperature(0.5)
        .with_top_p(0.9)
        .with_logprobs(3)
        .with_cache_key("k")
        .with_service_tier("flex")
        .with_user("u")
        .with_metadata("a", "b")
        .with_tools([Function::new("f").with_strict(true)])
        .with_tool_choice(ToolChoice::Allowed {
            required: true,
            tools: vec!["f".into()],
        })
        .with_parallel_tool_calls(false)
        .with_output(OutputFormat::JsonSchema {
            name: "out".into(),
            schema: Json::parse(r#"{"type":"object"}"#).unwrap(),
            strict: Some(true),
        });
    request.truncation = Some(Truncation::Auto);
    assert_eq!(
        body(MODEL, request),
        json!({
            "model": "gpt-4o",
            "input": [{"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}],
            "tools": [{"type": "function", "name": "f", "strict": true,
                       "parameters": {"type": "object", "properties": {}}}],
            "tool_choice": {"type": "allowed_tools", "mode": "required",
                            "tools": [{"type": "function", "name": "f"}]},
            "parallel_tool_calls": false,
            "text": {"format": {"type": "json_schema", "name": "out",
                                "schema": {"type": "object"}, "strict": true}},
            "temperature": 0.5, "top_p": 0.9, "top_logprobs": 3,
            "truncation": "auto", "prompt_cache_key": "k", "service_tier": "flex",
            "safety_identifier": "u", "metadata": {"a": "b"},
            "store": false,
            "include": ["reasoning.encrypted_content", "message.output_text.logprobs"],
        })
    );
}

#[test]
fn thoughts_are_handed_out_even_where_the_answer_is_stored() {
    let body = body(MODEL, ask().with_store(true));
    assert_eq!(body["store"], true);
    assert_eq!(body["include"], json!(["reasoning.encrypted_content"]));
}

#[test]
fn what_the_wire_lacks_is_left_out_with_a_warning() {
    let mut request = ask().with_stop(["END"]).with_seed(7);
    request.sampling.top_k = Some(5);
    request.sampling.min_p = Some(0.1);
    request.sampling.frequency_penalty = Some(0.1);
    request.sampling.presence_penalty = Some(0.1);
    let (body, warnings) = warned(MODEL, request.clone());
    for name in [
        "stop",
        "seed",
        "top_k",
        "min_p",
        "frequency_penalty",
        "presence_penalty",
    ] {
        assert!(body.get(name).is_none(), "{name}");
    }
    assert_eq!(
        warnings,
        [
            "stop",
            "sampling.top_k",
            "sampling.min_p",
            "sampling.seed",
            "sampling.frequency_penalty",
            "sampling.presence_penalty"
        ]
    );
    let refused = encode(MODEL, request.with_on_unsupported(OnUnsupported::Refuse)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported);
}

#[test]
fn several_answers_are_an_error() {
    let error = encode(MODEL, ask().with_n(2)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(error.context("part"), Some("n"));
    assert!(encode(MODEL, ask().with_n(1)).is_ok());
}

#[test]
fn sampling_a_thinking_model_refuses_is_left_out() {
    let (body, warnings) = warned("openai-responses/o3", ask().with_temperature(0.5));
    assert!(body.get("temperature").is_none());
    assert_eq!(warnings, ["sampling.temperature"]);
}

#[test]
fn thinking_has_levels_a_way_and_a_context() {
    let reasoning =
        |request: Request| body("openai-responses/gpt-5.6", request)["reasoning"].clone();
    let mut all = Reasoning::new(Effort::Off);
    all.mode = Some("pro".into());
    all.context = Some("all_turns".into());
    assert_eq!(
        reasoning(ask().with_reasoning(all)),
        json!({"effort": "none", "mode": "pro", "context": "all_turns"})
    );
    assert_eq!(reasoning(ask().with_effort(Effort::Auto)), Value::Null);
    let (body, warnings) = warned(
        "openai-responses/gpt-5.6",
        ask().with_reasoning(Reasoning::budget(2000)),
    );
    assert_eq!(body["reasoning"], json!({"effort": "medium"}));
    assert_eq!(warnings, ["reasoning.budget_tokens"]);
}

#[test]
fn caches_are_told_how_long_where_the_model_takes_it() {
    let hint = |ttl| ask().with_cache(CacheHint::new().with_ttl(ttl));
    let newer = body("openai-responses/gpt-5.6", hint(CacheTtl::HalfDay));
    assert_eq!(newer["prompt_cache_options"], json!({"ttl": "12h"}));
    let older = body(MODEL, hint(CacheTtl::HalfHour));
    assert!(older.get("prompt_cache_options").is_none());
}

#[test]
fn a_vendors_gaps_are_warned_of() {
    let mut request = ask()
        .with_metadata("a", "b")
        .with_user("u")
        .with_logprobs(2);
    request.truncation = Some(Truncation::Auto);
    let (body, warnings) = warned("xai-responses/grok-4.3", request);
    assert_eq!(warnings, ["truncation", "metadata"]);
    assert_eq!(body["user"], "u");
    assert_eq!(
        (&body["logprobs"], &body["top_logprobs"]),
        (&json!(true), &json!(2))
    );
    assert_eq!(body["include"], json!(["reasoning.encrypted_content"]));
}

#[test]
fn tools_of_the_providers_own_go_in_their_own_words() {
    let search = r#"{"type": "web_search", "search_context_size": "low"}"#;
    let native = Tool::Native(Native::new(None, "web_search", search));
    let body = body(MODEL, ask().with_tools([native]));
    assert_eq!(
        body["tools"],
        json!([{"type": "web_search", "search_context_size": "low"}])
    );
}

#[test]
fn extra_fields_replace_all_but_what_the_engine_answers_for() {
    let request = ask()
        .with_extra("previous_response_id", "resp_1")
        .with_extra("text", json!({"verbosity": "low"}))
        .with_extra("stream", true);
    let (body, warnings) = warned(MODEL, request);
    assert_eq!(body["previous_response_id"], "resp_1");
    assert_eq!(body["text"], json!({"verbosity": "low"}));
    assert!(body.get("stream").is_none());
    assert_eq!(warnings, ["extra.stream"]);
}
