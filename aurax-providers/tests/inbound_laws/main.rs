//! What holds whatever clients send, of every protocol.

#![cfg(all(feature = "openai", feature = "anthropic"))]
#![expect(clippy::unwrap_used, reason = "a failed test is a panic")]

mod chat;
mod messages;
mod responses;

use aurax_core::{ErrorKind, Op, Request};
use aurax_providers::ModelRules;
use aurax_providers::inbound::{Inbound, Incoming};
use aurax_providers::wire::{Target, Wire};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use serde_json::{Map, Value};

/// Names and words every protocol knows.
const NAMES: [&str; 10] = [
    "model",
    "role",
    "content",
    "type",
    "text",
    "name",
    "id",
    "tools",
    "stream",
    "tool_choice",
];
const WORDS: [&str; 8] = [
    "user",
    "assistant",
    "system",
    "text",
    "aurax1.",
    "",
    "\u{0}",
    "data:;base64,",
];

/// Any JSON, in which odd values stand in the places of a protocol's own `names` and `words`.
fn odd(
    names: &'static [&'static str],
    words: &'static [&'static str],
) -> impl Strategy<Value = Value> {
    let words = prop::sample::select([&WORDS, words].concat());
    let names = [&NAMES, names].concat();
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        words.prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        "aurax1\\.[A-Za-z0-9_.-]{0,60}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 48, 5, move |inner| {
        let name = prop::sample::select(names.clone());
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..6).prop_map(|fields| {
                let fields = fields
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value));
                Value::Object(fields.collect::<Map<_, _>>())
            }),
        ]
    })
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..64)
}

/// A request is read, or refused as a mistake of the client's.
fn is_read_or_refused(inbound: &dyn Inbound, body: &Value) -> TestCaseResult {
    if let Err(error) = inbound.read(body.to_string().as_bytes()) {
        prop_assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{}", body);
    }
    Ok(())
}

/// Bytes that are no request are refused.
fn is_refused(inbound: &dyn Inbound, bytes: &[u8]) -> TestCaseResult {
    let error = inbound.read(bytes).map(|_| "read").unwrap_err();
    prop_assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    Ok(())
}

/// What is read encodes to what is read again as the same.
fn reads_the_same_again(inbound: &dyn Inbound, wire: &dyn Wire, body: &Value) -> TestCaseResult {
    let first = inbound.read(body.to_string().as_bytes()).unwrap();
    let target = Target {
        provider: "p".into(),
        model: first.call.model.clone(),
        rules: ModelRules::default(),
        info: None,
    };
    let encoded = wire.encode(&first.call, &target).unwrap();
    let second = inbound.read(&encoded.body).unwrap();
    let (first, second) = (asked(&first), asked(&second));
    prop_assert_eq!(&first.messages, &second.messages);
    prop_assert_eq!(first, second);
    Ok(())
}

fn asked(incoming: &Incoming) -> Request {
    match &incoming.call.op {
        Op::Chat(request) => (**request).clone(),
        _ => panic!("not a chat"),
    }
}
