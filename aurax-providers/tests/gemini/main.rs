//! The Gemini wire: what it sends, what it reads, and the provider over it.
//!
//! Fixtures and replies are written by hand from the documentation. A fixture has the subjects of
//! the warnings in order, and the body.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a failed test is a panic"
)]

mod errors;
mod messages;
mod parts;
mod prefix;
mod provider;
mod replies;
mod settings;

use aurax_core::{
    Call, Error, Event, Fold, ModelId, Native, Origin, Request, Response, Result, Signature,
};
use aurax_providers::RuleBook;
use aurax_providers::frame::Frame;
use aurax_providers::gemini::{Gemini, RULES};
use aurax_providers::wire::{Encoded, Target, Wire};
use serde_json::{Value, json};

const FLASH_2_5: &str = "gemini-2.5-flash";
const FLASH_3: &str = "gemini-3-flash-preview";

fn target(model: &str) -> Target {
    let model = ModelId::parse(model).unwrap();
    Target {
        provider: "gemini".into(),
        rules: RuleBook::parse(RULES).unwrap().of(&model),
        model,
        info: None,
    }
}

fn encode(model: &str, request: impl Into<Request>) -> Result<Encoded, Error> {
    let target = target(model);
    Gemini::new().encode(&Call::chat(target.model.clone(), request), &target)
}

fn body(encoded: &Encoded) -> Value {
    serde_json::from_slice(&encoded.body).unwrap()
}

fn fixture(name: &str) -> Value {
    let path = format!("{}/fixtures/gemini/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn subjects(encoded: &Encoded) -> Value {
    let warnings = encoded.warnings.iter();
    warnings.map(|warning| json!(warning.subject)).collect()
}

/// Encodes for a model and compares with the fixture of that name.
fn check(name: &str, model: &str, request: impl Into<Request>) {
    let encoded = encode(model, request).unwrap();
    let expected = fixture(name);
    assert_eq!(body(&encoded), expected["body"], "{name}: body");
    assert_eq!(subjects(&encoded), expected["warnings"], "{name}: warnings");
}

/// What the target of `model` signed.
fn signed(model: &str, data: &str) -> Option<Signature> {
    Some(Signature::new(data, Some(Origin::new("gemini", model))))
}

fn native(model: &str, kind: &str, json: &Value) -> Native {
    let origin = Origin::new("gemini", model);
    Native::new(Some(origin), kind, json.to_string())
}

fn events_of(
    model: &str,
    request: Request,
    read: impl FnOnce(&mut dyn aurax_providers::wire::Decode, &mut Vec<Event>) -> Result<()>,
) -> (Vec<Event>, Result<()>) {
    let target = target(model);
    let call = Call::chat(target.model.clone(), request);
    let mut decoder = Gemini::new().decoder(&call, &target);
    let mut events = Vec::new();
    let result = read(&mut *decoder, &mut events);
    assert_eq!(decoder.is_done(), result.is_ok());
    (events, result)
}

fn fold((events, result): (Vec<Event>, Result<()>)) -> Result<Response> {
    result?;
    let ends = events.iter().filter(|event| matches!(event, Event::End(_)));
    assert_eq!(ends.count(), 1);
    assert!(matches!(events.last(), Some(Event::End(_))));
    let mut fold = Fold::new("gemini", "m");
    events.iter().for_each(|event| fold.push(event));
    Ok(fold.finish())
}

fn whole(model: &str, reply: &Value) -> Result<Response> {
    fold(events_of(model, "Hi".into(), |decoder, events| {
        decoder.whole(reply.to_string().as_bytes(), events)
    }))
}

fn stream(model: &str, chunks: &[Value]) -> Result<Response> {
    fold(events_of(model, "Hi".into(), |decoder, events| {
        for chunk in chunks {
            decoder.frame(Frame::data(&chunk.to_string()), events)?;
        }
        decoder.finish(events)
    }))
}

/// One reply with these parts, which is done for `finish`, if any.
fn reply(parts: &Value, finish: Option<&str>) -> Value {
    let mut candidate = json!({"content": {"role": "model", "parts": parts}, "index": 0});
    if let Some(finish) = finish {
        candidate["finishReason"] = json!(finish);
    }
    json!({"candidates": [candidate], "modelVersion": "m-1", "responseId": "r1",
        "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5}})
}
