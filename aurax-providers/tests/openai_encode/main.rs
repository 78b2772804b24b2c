//! What the OpenAI wire sends: one fixture a feature, written by hand from the documentation.
//!
//! A fixture has the subjects of the warnings in order, and the body.

#![cfg(feature = "openai")]
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a failed test is a panic"
)]

mod messages;
mod prefix;
mod settings;
mod vendors;

use aurax_core::{Call, Error, ModelId, Native, Origin, Request};
use aurax_providers::openai::OpenAi;
use aurax_providers::wire::{Encoded, Target, Wire};
use aurax_providers::{Protocol, RuleBook, presets};
use serde_json::Value;

/// A model at a provider of a preset.
fn target(provider: &str, model: &str) -> (OpenAi, Target) {
    let preset = presets::find(provider).unwrap();
    let Protocol::OpenAi(quirks) = preset.protocol.clone() else {
        panic!("{provider} speaks another wire");
    };
    let model = ModelId::parse(model).unwrap();
    let rules = preset.rules.map(|rules| RuleBook::parse(rules).unwrap());
    let target = Target {
        provider: preset.name.into(),
        rules: rules.map(|rules| rules.of(&model)).unwrap_or_default(),
        model,
        info: None,
    };
    (OpenAi::new(quirks), target)
}

fn encode(name: &str, request: impl Into<Request>) -> Result<Encoded, Error> {
    let (provider, model) = name.split_once('/').unwrap();
    let (wire, target) = target(provider, model);
    wire.encode(&Call::chat(target.model.clone(), request), &target)
}

fn body(encoded: &Encoded) -> Value {
    serde_json::from_slice(&encoded.body).unwrap()
}

/// Encodes for `provider/model` and compares with the fixture of that name.
fn check(fixture: &str, name: &str, request: impl Into<Request>) {
    let encoded = encode(name, request).unwrap();
    assert_eq!(encoded.path, "/chat/completions");
    let path = format!(
        "{}/fixtures/openai/{fixture}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    let text = std::fs::read_to_string(&path).unwrap();
    let expected: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(body(&encoded), expected["body"], "{fixture}: body");
    let subjects: Vec<&str> = encoded
        .warnings
        .iter()
        .map(|warning| warning.subject.as_str())
        .collect();
    assert_eq!(
        serde_json::json!(subjects),
        expected["warnings"],
        "{fixture}: warnings"
    );
}

/// One field of what is sent for a question with these settings, and how many warnings there are.
fn field(name: &str, request: Request, field: &str) -> (Value, usize) {
    let encoded = encode(name, request).unwrap();
    let value = body(&encoded).get(field).cloned().unwrap_or_default();
    (value, encoded.warnings.len())
}

fn hi() -> Request {
    Request::from("Hi")
}

fn native(provider: &str, model: &str, kind: &str, json: &str) -> Native {
    Native::new(Some(Origin::new(provider, model)), kind, json)
}
