//! What the OpenAI wire reads: replies written by hand from the documentation, one a tolerance.
//!
//! Nearly every reply is read twice, whole and as a stream, and must fold to the same response.

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

mod calls;
mod ends;
mod errors;
mod lists;
mod parts;
mod same;
mod usage;

use aurax_core::{
    Call, Error, Event, Fold, Message, ModelId, Part, Request, Response, Result, ToolCall, Usage,
};
use aurax_providers::frame::Frame;
use aurax_providers::openai::OpenAi;
use aurax_providers::wire::{Target, Wire};
use aurax_providers::{ModelRules, Protocol, presets};
use serde_json::{Value, json};

/// A question to a provider of a preset.
struct Asked {
    wire: OpenAi,
    target: Target,
    call: Call,
}

impl Asked {
    fn new(provider: &str, request: impl Into<Request>) -> Self {
        let preset = presets::find(provider).unwrap();
        let Protocol::OpenAi(quirks) = preset.protocol.clone() else {
            panic!("{provider} speaks another wire");
        };
        let model = ModelId::parse("any").unwrap();
        let target = Target {
            provider: preset.name.into(),
            model: model.clone(),
            rules: ModelRules::default(),
            info: None,
        };
        Self {
            wire: OpenAi::new(quirks),
            target,
            call: Call::chat(model, request),
        }
    }

    fn whole_events(&self, body: &str) -> (Vec<Event>, Result<()>) {
        let mut events = Vec::new();
        let mut decoder = self.wire.decoder(&self.call, &self.target);
        let result = decoder.whole(body.as_bytes(), &mut events);
        (events, result)
    }

    fn stream_events(&self, frames: &[&str]) -> (Vec<Event>, Result<()>) {
        let mut events = Vec::new();
        let mut decoder = self.wire.decoder(&self.call, &self.target);
        for frame in frames {
            if decoder.is_done() {
                break;
            }
            if let Err(error) = decoder.frame(Frame::data(frame), &mut events) {
                return (events, Err(error));
            }
        }
        let result = decoder.finish(&mut events);
        assert_eq!(decoder.is_done(), result.is_ok());
        (events, result)
    }

    fn fold(&self, (events, result): (Vec<Event>, Result<()>)) -> Result<Response> {
        result?;
        let ends = events.iter().filter(|event| matches!(event, Event::End(_)));
        assert_eq!(ends.count(), 1);
        assert!(matches!(events.last(), Some(Event::End(_))));
        let starts = events
            .iter()
            .filter(|event| matches!(event, Event::Start(_)));
        assert!(starts.count() <= 1);
        let mut fold = Fold::new("p", "any");
        for event in &events {
            fold.push(event);
        }
        Ok(fold.finish())
    }

    fn whole(&self, body: &Value) -> Result<Response> {
        self.fold(self.whole_events(&body.to_string()))
    }

    fn stream(&self, chunks: &[Value]) -> Result<Response> {
        let frames: Vec<String> = chunks.iter().map(Value::to_string).collect();
        let frames: Vec<&str> = frames.iter().map(String::as_str).collect();
        self.fold(self.stream_events(&frames))
    }

    /// Reads a reply in both forms and returns what both fold to.
    fn both(&self, whole: &Value, chunks: &[Value]) -> Response {
        let whole = self.whole(whole).unwrap();
        let stream = self.stream(chunks).unwrap();
        let (mut from_whole, mut from_stream) = (whole.clone(), stream);
        // Their own bytes may differ in white space.
        for response in [&mut from_whole, &mut from_stream] {
            if let Some(usage) = &mut response.usage {
                std::sync::Arc::make_mut(usage).raw = None;
            }
        }
        assert_eq!(from_stream, from_whole);
        whole
    }
}

fn asked(provider: &str) -> Asked {
    Asked::new(provider, "Hi")
}

/// A whole reply with one message.
fn reply(message: Value, finish: &str) -> Value {
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 7, "model": "m-1",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
    })
}

/// A chunk of a stream.
fn chunk(delta: Value) -> Value {
    json!({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 7, "model": "m-1",
        "choices": [{"index": 0, "delta": delta, "finish_reason": null}],
    })
}

/// The chunk that ends the one choice of a stream.
fn last(finish: &str) -> Value {
    json!({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 7, "model": "m-1",
        "choices": [{"index": 0, "delta": {}, "finish_reason": finish}],
    })
}

/// Deltas and an end as a stream.
fn stream(deltas: &[Value], finish: &str) -> Vec<Value> {
    let mut chunks: Vec<Value> = deltas.iter().cloned().map(chunk).collect();
    chunks.push(last(finish));
    chunks
}

fn message(response: &Response) -> &Message {
    response.message().unwrap()
}

fn kinds(response: &Response) -> Vec<&'static str> {
    message(response).parts.iter().map(Part::kind).collect()
}

fn called(response: &Response) -> Vec<(String, String, String)> {
    let call = |call: &ToolCall| (call.id.clone(), call.name.clone(), call.arguments.clone());
    response.tool_calls().map(call).collect()
}

fn used(response: &Response) -> &Usage {
    response.usage.as_ref().unwrap()
}

fn failure(result: Result<Response>) -> Error {
    result.unwrap_err()
}
