//! What the responses wire reads: replies written by hand from the documentation.
//!
//! Most answers are read twice, whole and as a stream, and must fold to the same response.

#![cfg(feature = "openai")]
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a failed test is a panic"
)]
#![expect(
    clippy::needless_pass_by_value,
    reason = "literals are handed over as they are written"
)]

mod answers;
mod ends;
mod hostile;

use aurax_core::{Call, Error, Event, Fold, Item, ModelId, Origin, Response, Result};
use aurax_providers::ModelRules;
use aurax_providers::frame::Frame;
use aurax_providers::responses::{Quirks, Responses};
use aurax_providers::wire::{Decode, Target, Wire};
use serde_json::{Value, json};

fn target() -> Target {
    Target {
        provider: "openai-responses".into(),
        model: ModelId::parse("gpt-5").unwrap(),
        rules: ModelRules::default(),
        info: None,
    }
}

fn own() -> Origin {
    target().origin()
}

fn item(id: &str) -> Option<Item> {
    Some(Item::new(id).with_origin(Some(own())))
}

fn decoder() -> Box<dyn Decode> {
    let call = Call::chat(ModelId::parse("gpt-5").unwrap(), "Hi");
    Responses::new(Quirks::openai()).decoder(&call, &target())
}

fn fold(events: &[Event]) -> Response {
    let mut fold = Fold::new("openai-responses", "gpt-5");
    events.iter().for_each(|event| fold.push(event));
    fold.finish()
}

fn whole(body: &Value) -> Result<Response> {
    let mut events = Vec::new();
    decoder().whole(body.to_string().as_bytes(), &mut events)?;
    Ok(fold(&events))
}

/// The events of a stream, and how it ended.
fn stream(frames: &[Value]) -> (Vec<Event>, Result<()>) {
    let mut events = Vec::new();
    let mut decoder = decoder();
    let mut result = Ok(());
    for frame in frames {
        let data = frame.to_string();
        let event = frame["type"].as_str();
        result = result.and_then(|()| decoder.frame(Frame { event, data: &data }, &mut events));
    }
    let result = result.and_then(|()| decoder.finish(&mut events));
    (events, result)
}

fn streamed(frames: &[Value]) -> Response {
    let (events, result) = stream(frames);
    result.unwrap();
    fold(&events)
}

fn fails(frames: &[Value]) -> Error {
    stream(frames).1.unwrap_err()
}

/// A reply with these items.
fn reply(output: Value) -> Value {
    json!({
        "id": "resp_1", "object": "response", "created_at": 7, "model": "gpt-5-2025",
        "status": "completed", "error": null, "incomplete_details": null, "output": output,
        "usage": {"input_tokens": 3, "output_tokens": 5, "total_tokens": 8},
    })
}

/// The stream that leads to a reply: its beginning, `pieces`, and its end.
fn stream_of(reply: &Value, pieces: Vec<Value>) -> Vec<Value> {
    let mut begun = reply.clone();
    begun["status"] = json!("in_progress");
    begun["output"] = json!([]);
    begun["usage"] = Value::Null;
    let mut frames = vec![
        json!({"type": "response.created", "response": begun}),
        json!({"type": "response.in_progress", "response": begun}),
    ];
    frames.extend(pieces);
    frames.push(json!({"type": "response.completed", "response": reply}));
    for (number, frame) in frames.iter_mut().enumerate() {
        frame["sequence_number"] = json!(number);
    }
    frames
}
