//! What holds whatever clients send.

use aurax_core::{ErrorKind, Message};
use aurax_providers::ModelRules;
use aurax_providers::inbound::Inbound;
use aurax_providers::openai::{ChatInbound, EmbeddingsInbound, OpenAi, Quirks};
use aurax_providers::wire::{Target, Wire};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Names that mean something here, so that odd values stand in odd places.
const NAMES: [&str; 24] = [
    "model",
    "messages",
    "role",
    "content",
    "type",
    "text",
    "image_url",
    "url",
    "file",
    "tool_calls",
    "function",
    "name",
    "arguments",
    "tools",
    "tool_choice",
    "stop",
    "reasoning",
    "thinking",
    "response_format",
    "json_schema",
    "schema",
    "stream",
    "input",
    "logprobs",
];

fn odd() -> impl Strategy<Value = Value> {
    let words = prop::sample::select(vec![
        "user",
        "assistant",
        "tool",
        "system",
        "text",
        "function",
        "auto",
        "json_schema",
        "m",
        "",
        "data:;base64,",
        "\u{0}",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        words.prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 48, 5, |inner| {
        let name = prop::sample::select(NAMES.to_vec());
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

proptest! {
    #[test]
    fn odd_requests_are_read_or_refused(value in odd(), part in odd()) {
        let bodies = [
            value.clone(),
            json!({"model": "m", "messages": value.clone()}),
            json!({"model": "m", "messages": [{"role": "user", "content": value.clone()}]}),
            json!({"model": "m", "messages": [{"role": "assistant", "content": [part],
                "tool_calls": value.clone()}], "tools": value.clone(), "reasoning": value.clone()}),
            json!({"model": "m", "input": value}),
        ];
        for body in bodies {
            let body = body.to_string();
            for read in [
                ChatInbound::new().read(body.as_bytes()),
                EmbeddingsInbound::new().read(body.as_bytes()),
            ] {
                if let Err(error) = read {
                    prop_assert_eq!(error.kind(), ErrorKind::InvalidRequest);
                }
            }
        }
    }

    #[test]
    fn bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        prop_assert!(ChatInbound::new().read(&bytes).is_err());
    }

    /// What is read encodes to what is read again as the same.
    #[test]
    fn a_request_that_was_written_reads_the_same(
        texts in prop::collection::vec(".{1,12}", 1..4),
        temperature in prop::option::of(0_u8..20),
        limit in prop::option::of(1_u32..9999),
        stop in prop::collection::vec("[a-z]{1,4}", 0..3),
        stream in any::<bool>(),
    ) {
        let mut messages = vec![json!({"role": "system", "content": "S"})];
        for text in &texts {
            messages.push(json!({"role": "user", "content": text}));
            messages.push(json!({"role": "assistant", "content": null, "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}));
            messages.push(json!({"role": "tool", "tool_call_id": "c1", "content": text}));
        }
        let body = json!({"model": "m", "messages": messages, "max_tokens": limit,
            "temperature": temperature.map(|n| f64::from(n) / 10.0), "stop": stop,
            "stream": stream, "tools": [{"type": "function",
                "function": {"name": "f", "parameters": {"type": "object"}}}]});
        let first = ChatInbound::new().read(body.to_string().as_bytes()).unwrap();
        let target = Target {
            provider: "p".into(),
            model: first.call.model.clone(),
            rules: ModelRules::default(),
            info: None,
        };
        let encoded = OpenAi::new(Quirks::compatible()).encode(&first.call, &target).unwrap();
        let second = ChatInbound::new().read(&encoded.body).unwrap();
        let (first, second) = (super::chat(&first), super::chat(&second));
        let said = |messages: &[Message]| messages.to_vec();
        prop_assert_eq!(said(&first.messages), said(&second.messages));
        prop_assert_eq!(first, second);
    }
}
