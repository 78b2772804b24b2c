//! What clients of the responses API send and get.

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

mod carried;
mod errors;
mod requests;
mod streams;

use std::sync::Arc;

use aurax_core::{
    Delivery, Delta, End, Event, Finish, FinishReason, Head, ModelId, Op, Request, Result, Start,
    Totals, Usage,
};
use aurax_providers::inbound::{Inbound, Incoming, Stamp, WriteReply};
use aurax_providers::responses::{Quirks, Responses, ResponsesInbound};
use aurax_providers::wire::{Target, Wire};
use aurax_providers::{ModelRules, Seal};
use bytes::BytesMut;
use serde_json::{Value, json};

fn inbound() -> ResponsesInbound {
    ResponsesInbound::new().with_seal(Seal::new(b"key"))
}

fn read(body: &Value) -> Result<Incoming> {
    inbound().read(body.to_string().as_bytes())
}

fn request(body: &Value) -> Arc<Request> {
    match read(body).unwrap().call.op {
        Op::Chat(request) => request,
        other => panic!("{other:?}"),
    }
}

/// The request as it goes to a provider of this wire.
fn sent(incoming: &Incoming) -> Value {
    let target = Target {
        provider: "openai".into(),
        model: incoming.call.model.clone(),
        rules: ModelRules::default(),
        info: None,
    };
    let encoded = Responses::new(Quirks::openai()).encode(&incoming.call, &target);
    serde_json::from_slice(&encoded.unwrap().body).unwrap()
}

/// A writer of replies that come over `wire`.
fn writer(wire: &'static str, body: &Value) -> Box<dyn WriteReply> {
    let incoming = read(body).unwrap();
    let model = ModelId::parse("m").unwrap();
    let head = Head::new(wire, "someone", model, Delivery::Streamed);
    inbound().writer(&incoming, &head, Stamp::new("req_1", 1_700_000_000))
}

fn delta(part: u32, delta: Delta) -> Event {
    Event::Delta {
        choice: 0,
        part,
        delta,
    }
}

fn start() -> Event {
    Event::Start(Start::new(Some("chatcmpl-1".into()), Some("m-1".into())))
}

fn end(reason: FinishReason) -> Event {
    let mut totals = Totals::default();
    totals.input = Some(3);
    totals.output = Some(5);
    let usage = Usage::from_totals(totals);
    let finish = Finish::new(reason, Some("stop".into()));
    Event::End(Box::new(End::new(vec![finish], Some(usage))))
}

/// The frames of a stream: the name and the data of each.
fn frames(bytes: &BytesMut) -> Vec<(String, Value)> {
    let text = std::str::from_utf8(bytes).unwrap();
    text.split_terminator("\n\n")
        .map(|frame| {
            let (event, data) = frame.split_once('\n').unwrap();
            let name = event.strip_prefix("event: ").unwrap().to_owned();
            let data = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
            (name, data)
        })
        .collect()
}

/// What a writer makes of events.
fn written(wire: &'static str, events: &[Event]) -> Vec<(String, Value)> {
    let mut writer = writer(wire, &json!({"model": "m", "input": "Hi"}));
    let mut out = BytesMut::new();
    for event in events {
        writer.event(event, &mut out);
    }
    frames(&out)
}
