//! Ollama's own wire: what it sends, what it reads, and the provider over it.
//!
//! Fixtures and replies are written by hand from the documentation. A fixture has the subjects of
//! the warnings in order, and the body.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a failed test is a panic"
)]

mod encode;
mod provider;
mod replies;

use aurax_core::{Call, Error, Event, Fold, ModelId, Request, Response, Result};
use aurax_providers::RuleBook;
use aurax_providers::frame::Frame;
use aurax_providers::ollama::{Ollama, RULES};
use aurax_providers::wire::{Encoded, Target, Wire};
use serde_json::{Value, json};

fn target(model: &str) -> Target {
    let model = ModelId::parse(model).unwrap();
    Target {
        provider: "ollama".into(),
        rules: RuleBook::parse(RULES).unwrap().of(&model),
        model,
        info: None,
    }
}

fn encode(model: &str, request: impl Into<Request>) -> Result<Encoded, Error> {
    let target = target(model);
    Ollama::new().encode(&Call::chat(target.model.clone(), request), &target)
}

fn body(encoded: &Encoded) -> Value {
    serde_json::from_slice(&encoded.body).unwrap()
}

fn subjects(encoded: &Encoded) -> Value {
    let warnings = encoded.warnings.iter();
    warnings.map(|warning| json!(warning.subject)).collect()
}

/// Encodes for a model and compares with the fixture of that name.
fn check(name: &str, model: &str, request: impl Into<Request>) {
    let encoded = encode(model, request).unwrap();
    assert_eq!(encoded.path, "/api/chat");
    let path = format!("{}/fixtures/ollama/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let expected: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(body(&encoded), expected["body"], "{name}: body");
    assert_eq!(subjects(&encoded), expected["warnings"], "{name}: warnings");
}

fn read(
    request: Request,
    read: impl FnOnce(&mut dyn aurax_providers::wire::Decode, &mut Vec<Event>) -> Result<()>,
) -> Result<Response> {
    let target = target("m");
    let call = Call::chat(target.model.clone(), request);
    let mut decoder = Ollama::new().decoder(&call, &target);
    let mut events = Vec::new();
    let result = read(&mut *decoder, &mut events);
    assert_eq!(decoder.is_done(), result.is_ok());
    result?;
    assert!(matches!(events.last(), Some(Event::End(_))));
    let mut fold = Fold::new("ollama", "m");
    events.iter().for_each(|event| fold.push(event));
    Ok(fold.finish())
}

fn whole(body: &str) -> Result<Response> {
    read("Hi".into(), |decoder, events| {
        decoder.whole(body.as_bytes(), events)
    })
}

fn stream(lines: &[Value]) -> Result<Response> {
    read("Hi".into(), |decoder, events| {
        for line in lines {
            decoder.frame(Frame::data(&line.to_string()), events)?;
        }
        decoder.finish(events)
    })
}

/// A line of a stream that says this.
fn line(message: &Value) -> Value {
    json!({"model": "m:latest", "created_at": "2026-08-04T19:58:15.1Z", "message": message,
        "done": false})
}

/// The last line.
fn last(reason: &str) -> Value {
    json!({"model": "m:latest", "created_at": "2026-08-04T19:58:15.9Z",
        "message": {"role": "assistant", "content": ""}, "done": true, "done_reason": reason,
        "total_duration": 9, "load_duration": 1, "prompt_eval_count": 3, "prompt_eval_duration": 2,
        "eval_count": 2, "eval_duration": 5})
}
