//! What clients of Anthropic's messages send, and what they get.

#![cfg(feature = "anthropic")]
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a failed test is a panic"
)]

mod errors;
mod forms;
mod models;
mod replies;
mod settings;
mod signatures;
mod streams;

use aurax_core::{
    Delivery, Delta, End, Error, Event, Finish, FinishReason, Fold, Head, ModelId, Op, Part,
    Request, Response, Start, ToolCallStart, Totals, Usage,
};
use aurax_providers::Seal;
use aurax_providers::anthropic::MessagesInbound;
use aurax_providers::inbound::{Inbound, Incoming, Stamp, WriteReply};
use bytes::BytesMut;
use serde_json::{Value, json};

const OWN: &str = "anthropic.messages";

fn codec() -> MessagesInbound {
    MessagesInbound::new(Seal::new(b"key"))
}

fn read(body: &Value) -> Incoming {
    codec().read(body.to_string().as_bytes()).unwrap()
}

fn refused(body: &Value) -> Error {
    codec().read(body.to_string().as_bytes()).unwrap_err()
}

fn chat(incoming: &Incoming) -> Request {
    match &incoming.call.op {
        Op::Chat(request) => (**request).clone(),
        _ => panic!("not a chat"),
    }
}

fn hello() -> Value {
    json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]})
}

/// The request a body stands for: a hello with `fields`.
fn request(fields: &Value) -> Request {
    let mut body = hello();
    for (name, value) in fields.as_object().unwrap() {
        body[name] = value.clone();
    }
    chat(&read(&body))
}

/// The parts of one message.
fn parts(role: &str, content: &Value) -> Vec<Part> {
    let body = json!({"model": "m", "max_tokens": 9,
        "messages": [{"role": role, "content": content}]});
    chat(&read(&body)).messages.remove(0).parts
}

fn head(wire: &'static str) -> Head {
    let model = ModelId::parse("asked").unwrap();
    Head::new(wire, "p", model, Delivery::Streamed)
}

fn writer(wire: &'static str) -> Box<dyn WriteReply> {
    codec().writer(&read(&hello()), &head(wire), Stamp::new("r1", 7))
}

/// The events of a stream: each frame's name must be the type of its data.
fn stream(wire: &'static str, events: &[Event]) -> Vec<Value> {
    let mut out = BytesMut::new();
    let mut writer = writer(wire);
    for event in events {
        writer.event(event, &mut out);
    }
    frames(&out)
}

fn frames(out: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(out).unwrap();
    text.split_terminator("\n\n")
        .map(|frame| {
            let (event, data) = frame.split_once('\n').unwrap();
            let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
            assert_eq!(event.strip_prefix("event: "), data["type"].as_str());
            data
        })
        .collect()
}

fn whole(wire: &'static str, events: &[Event]) -> Value {
    serde_json::from_slice(&writer(wire).whole(&fold(wire, events))).unwrap()
}

fn fold(wire: &'static str, events: &[Event]) -> Response {
    let mut fold = Fold::from_head(&head(wire));
    for event in events {
        fold.push(event);
    }
    fold.finish()
}

fn start() -> Event {
    Event::Start(Start::new(Some("msg_1".into()), Some("claude".into())))
}

fn said(part: u32, delta: Delta) -> Event {
    Event::Delta {
        choice: 0,
        part,
        delta,
    }
}

fn text(part: u32, text: &str) -> Event {
    said(part, Delta::Text(text.into()))
}

fn thinking(part: u32, text: &str) -> Event {
    said(part, Delta::Thinking(text.into()))
}

fn call(part: u32, id: &str) -> Event {
    said(part, Delta::ToolCall(ToolCallStart::new(id, "f")))
}

fn arguments(part: u32, text: &str) -> Event {
    said(part, Delta::Arguments(text.into()))
}

fn usage() -> Usage {
    let mut totals = Totals::default();
    totals.input = Some(100);
    totals.output = Some(4);
    totals.cache_read = Some(60);
    totals.cache_write = Some(30);
    Usage::from_totals(totals)
}

fn end(reason: FinishReason) -> Event {
    let finish = Finish::new(reason, None);
    Event::End(Box::new(End::new(vec![finish], Some(usage()))))
}
