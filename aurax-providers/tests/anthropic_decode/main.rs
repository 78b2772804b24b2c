//! What the Anthropic wire makes of replies, errors and lists: hand-made, by the documentation.

#![cfg(feature = "anthropic")]
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a failed test is a panic"
)]

mod ends;
mod errors;
mod lists;
mod parts;
mod same;
mod usage;

use std::time::Duration;

use aurax_core::{
    Bucket, Call, Delivery, Effort, Error, ErrorKind, Event, FinishReason, Fold, Head, KeyStatus,
    Lifecycle, Message, ModelId, Origin, Part, Phase, Request, Response, Retry, ToolResult,
};
use aurax_providers::ModelRules;
use aurax_providers::anthropic::Anthropic;
use aurax_providers::frame::{FrameParser, Framing};
use aurax_providers::wire::{Target, Wire};
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use serde_json::{Value, json};

fn target() -> Target {
    Target {
        provider: "anthropic".into(),
        model: ModelId::parse("claude-opus-4-8").unwrap(),
        rules: ModelRules::default(),
        info: None,
    }
}

fn call() -> Call {
    Call::chat(target().model, "Hi")
}

struct Heard {
    events: Vec<Event>,
    result: Result<(), Error>,
}

impl Heard {
    fn response(&self) -> Response {
        let mut fold = Fold::new("anthropic", "claude-opus-4-8");
        self.events.iter().for_each(|event| fold.push(event));
        fold.finish()
    }

    fn complete(self) -> Response {
        let response = self.response();
        self.result.unwrap();
        let ends = self
            .events
            .iter()
            .filter(|e| matches!(e, Event::End(_)))
            .count();
        assert_eq!(ends, 1);
        assert!(matches!(self.events.last(), Some(Event::End(_))));
        response
    }
}

fn whole(body: &Value) -> Heard {
    let mut events = Vec::new();
    let mut decoder = Anthropic::new().decoder(&call(), &target());
    let result = decoder.whole(body.to_string().as_bytes(), &mut events);
    Heard { events, result }
}

fn bytes(bytes: &[u8], chunk: usize) -> Heard {
    let mut events = Vec::new();
    let mut decoder = Anthropic::new().decoder(&call(), &target());
    let mut parser = FrameParser::new(Framing::Sse);
    let mut result = Ok(());
    for piece in bytes.chunks(chunk) {
        result = result
            .and_then(|()| parser.push(piece, &mut |frame| decoder.frame(frame, &mut events)));
    }
    let result = result
        .and_then(|()| parser.finish(&mut |frame| decoder.frame(frame, &mut events)))
        .and_then(|()| decoder.finish(&mut events));
    Heard { events, result }
}

fn sse(frames: &[Value]) -> String {
    frames
        .iter()
        .map(|frame| {
            format!(
                "event: {}\ndata: {frame}\n\n",
                frame["type"].as_str().unwrap_or("x")
            )
        })
        .collect()
}

fn stream(frames: &[Value]) -> Heard {
    bytes(sse(frames).as_bytes(), 4096)
}

fn usage() -> Value {
    json!({"input_tokens": 10, "output_tokens": 5})
}

fn message(content: &Value, stop_reason: &str, usage: &Value) -> Value {
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-opus-4-8",
        "content": content, "stop_reason": stop_reason, "stop_sequence": null,
        "stop_details": null, "usage": usage,
    })
}

fn start() -> Value {
    json!({"type": "message_start", "message": {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-opus-4-8",
        "content": [], "stop_reason": null, "stop_sequence": null, "stop_details": null,
        "usage": {"input_tokens": 10, "output_tokens": 1},
    }})
}

fn open(index: u32, block: &Value) -> Value {
    json!({"type": "content_block_start", "index": index, "content_block": block})
}

fn delta(index: u32, delta: &Value) -> Value {
    json!({"type": "content_block_delta", "index": index, "delta": delta})
}

fn close(index: u32) -> Value {
    json!({"type": "content_block_stop", "index": index})
}

fn stop(reason: &str) -> Value {
    json!({"type": "message_delta", "usage": {"output_tokens": 5},
        "delta": {"stop_reason": reason, "stop_sequence": null, "stop_details": null}})
}

fn end() -> Value {
    json!({"type": "message_stop"})
}

/// Frames around the blocks of an answer.
fn framed(blocks: &[Value], reason: &str) -> Vec<Value> {
    let mut frames = vec![start(), json!({"type": "ping"})];
    frames.extend_from_slice(blocks);
    frames.extend([stop(reason), end()]);
    frames
}

/// The same answer as a body and as a stream; both must fold to the same, however the stream is
/// cut into pieces.
fn both(content: &Value, blocks: &[Value], reason: &str) -> Response {
    let expected = whole(&message(content, reason, &usage())).complete();
    let text = sse(&framed(blocks, reason));
    for chunk in [1, 7, 4096] {
        assert_eq!(
            bytes(text.as_bytes(), chunk).complete(),
            expected,
            "chunks of {chunk}"
        );
        let crlf = text.replace('\n', "\r\n");
        assert_eq!(
            bytes(crlf.as_bytes(), chunk).complete(),
            expected,
            "CRLF in {chunk}"
        );
    }
    // Every frame but the last leaves the answer incomplete.
    let frames = framed(blocks, reason);
    for count in 0..frames.len() {
        let error = stream(&frames[..count]).result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Truncated, "after {count} frames");
    }
    expected
}
