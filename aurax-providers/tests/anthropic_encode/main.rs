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

mod bytes;
mod messages;
mod refusals;
mod settings;
mod thinking;

use aurax_core::{
    CacheHint, CacheTtl, Call, Citation, Document, Effort, Error, ErrorKind, Extra, Function,
    Image, Json, Message, ModelId, ModelInfo, Native, OnUnsupported, Origin, OutputFormat, Part,
    Reasoning, RedactedThinking, Request, Role, Sampling, ShowThinking, Signature, Source, Text,
    Thinking, Tool, ToolCall, ToolChoice, ToolResult,
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
