//! What the responses wire sends: expectations written by hand from the documentation.

#![cfg(feature = "openai")]
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a failed test is a panic"
)]

mod conversation;
mod settings;

use aurax_core::{Call, Error, ModelId, Request};
use aurax_providers::responses::Responses;
use aurax_providers::wire::{Encoded, Target, Wire};
use aurax_providers::{Protocol, RuleBook, presets};
use serde_json::Value;

fn encode(name: &str, request: impl Into<Request>) -> Result<Encoded, Error> {
    let (provider, model) = name.split_once('/').unwrap();
    let preset = presets::find(provider).unwrap();
    let Protocol::Responses(quirks) = preset.protocol.clone() else {
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
    Responses::new(quirks).encode(&Call::chat(target.model.clone(), request), &target)
}

fn body(name: &str, request: impl Into<Request>) -> Value {
    let encoded = encode(name, request).unwrap();
    assert_eq!(encoded.path, "/responses");
    let subjects: Vec<&str> = encoded
        .warnings
        .iter()
        .map(|w| w.subject.as_str())
        .collect();
    assert_eq!(subjects, [""; 0]);
    serde_json::from_slice(&encoded.body).unwrap()
}

/// The body, and the subjects of the warnings.
fn warned(name: &str, request: impl Into<Request>) -> (Value, Vec<String>) {
    let encoded = encode(name, request).unwrap();
    let subjects = encoded.warnings.into_iter().map(|warning| warning.subject);
    (
        serde_json::from_slice(&encoded.body).unwrap(),
        subjects.collect(),
    )
}
