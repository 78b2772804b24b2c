//! What clients of chat completions send, and what they get.

#![cfg(all(feature = "openai", feature = "anthropic"))]
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a failed test is a panic"
)]

mod embeddings;
mod errors;
mod forms;
mod replies;
mod settings;
mod streams;

use aurax_core::{
    Delivery, Delta, End, Error, Event, Finish, FinishReason, Head, ModelId, Op, Part, Request,
    Start, ToolCallStart, Totals, Usage,
};
use aurax_providers::inbound::{Inbound, Incoming, Stamp, WriteReply};
use aurax_providers::openai::ChatInbound;
use bytes::BytesMut;
use serde_json::{Value, json};

const OWN: &str = "openai.chat";

fn read(body: &Value) -> Incoming {
    ChatInbound::new()
        .read(body.to_string().as_bytes())
        .unwrap()
}

fn refused(body: &Value) -> Error {
    let read = ChatInbound::new().read(body.to_string().as_bytes());
    read.unwrap_err()
}

/// The request a body stands for: a hello with `fields`.
fn request(fields: &Value) -> Request {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}]});
    for (name, value) in fields.as_object().unwrap() {
        body[name] = value.clone();
    }
    chat(&read(&body))
}

fn chat(incoming: &Incoming) -> Request {
    match &incoming.call.op {
        Op::Chat(request) => (**request).clone(),
        _ => panic!("not a chat"),
    }
}

/// The parts of one message.
fn parts(message: &Value) -> Vec<Part> {
    let body = json!({"model": "m", "messages": [message]});
    chat(&read(&body)).messages.remove(0).parts
}

fn head(wire: &'static str) -> Head {
    let model = ModelId::parse("asked").unwrap();
    Head::new(wire, "p", model, Delivery::Streamed)
}

fn writer(body: &Value, wire: &'static str) -> Box<dyn WriteReply> {
    ChatInbound::new().writer(&read(body), &head(wire), Stamp::new("r1", 1_700_000_000))
}

/// The data of each frame; the mark of the end is a text.
fn stream(body: &Value, wire: &'static str, events: &[Event]) -> Vec<Value> {
    let mut out = BytesMut::new();
    let mut writer = writer(body, wire);
    for event in events {
        writer.event(event, &mut out);
    }
    frames(&out)
}

fn frames(out: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(out).unwrap();
    assert!(text.ends_with("\n\n"));
    text.split_terminator("\n\n")
        .map(|frame| {
            let data = frame.strip_prefix("data: ").unwrap();
            serde_json::from_str(data).unwrap_or_else(|_| json!(data))
        })
        .collect()
}

fn streaming() -> Value {
    json!({
        "model": "m",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": true,
    })
}

fn counting() -> Value {
    let mut body = streaming();
    body["stream_options"] = json!({"include_usage": true});
    body
}

fn start() -> Event {
    let mut start = Start::new(Some("chatcmpl-1".into()), Some("gpt".into()));
    start.created = Some(5);
    Event::Start(start)
}

fn said(part: u32, delta: Delta) -> Event {
    Event::Delta {
        choice: 0,
        part,
        delta,
    }
}

fn text(text: &str) -> Event {
    said(2, Delta::Text(text.into()))
}

fn call(part: u32, id: &str) -> Event {
    said(part, Delta::ToolCall(ToolCallStart::new(id, "f")))
}

fn arguments(part: u32, text: &str) -> Event {
    said(part, Delta::Arguments(text.into()))
}

fn usage() -> Usage {
    let mut totals = Totals::default();
    totals.input = Some(9);
    totals.output = Some(4);
    totals.cache_read = Some(2);
    Usage::from_totals(totals)
}

fn end(reason: FinishReason) -> Event {
    let finish = Finish::new(reason, None);
    Event::End(Box::new(End::new(vec![finish], Some(usage()))))
}
