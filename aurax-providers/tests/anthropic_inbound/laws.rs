//! What holds whatever clients send.

use aurax_core::ErrorKind;
use aurax_providers::ModelRules;
use aurax_providers::anthropic::Anthropic;
use aurax_providers::inbound::Inbound;
use aurax_providers::wire::{Target, Wire};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{chat, codec};

/// Names that mean something here, so that odd values stand in odd places.
const NAMES: [&str; 20] = [
    "model",
    "messages",
    "role",
    "content",
    "type",
    "text",
    "source",
    "data",
    "thinking",
    "signature",
    "tool_use_id",
    "input",
    "name",
    "id",
    "tools",
    "system",
    "cache_control",
    "citations",
    "max_tokens",
    "output_config",
];

fn odd() -> impl Strategy<Value = Value> {
    let words = prop::sample::select(vec![
        "user",
        "assistant",
        "system",
        "text",
        "tool_use",
        "tool_result",
        "thinking",
        "document",
        "base64",
        "enabled",
        "aurax1.",
        "",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
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
        let with = |content: &Value, role: &str| json!({"model": "m", "max_tokens": 1,
            "messages": [{"role": role, "content": content}]});
        let mut settings = with(&json!("Hi"), "user");
        for name in ["system", "tools", "tool_choice", "thinking", "output_config", "metadata"] {
            settings[name] = value.clone();
        }
        for body in [
            value.clone(),
            with(&value, "user"),
            with(&json!([part]), "assistant"),
            with(&json!([{"type": "tool_result", "tool_use_id": "t", "content": value}]), "user"),
            settings,
        ] {
            if let Err(error) = codec().read(body.to_string().as_bytes()) {
                prop_assert_eq!(error.kind(), ErrorKind::InvalidRequest);
            }
        }
    }

    #[test]
    fn bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        prop_assert!(codec().read(&bytes).is_err());
    }

    /// What is read encodes to what is read again as the same.
    #[test]
    fn a_request_that_was_written_reads_the_same(
        texts in prop::collection::vec("[a-z]{1,12}", 1..4),
        budget in prop::option::of(1024_u32..4096),
        stop in prop::collection::vec("[a-z]{1,4}", 0..3),
        stream in any::<bool>(),
    ) {
        let mut messages = Vec::new();
        for text in &texts {
            messages.push(json!({"role": "user", "content": [{"type": "text", "text": text,
                "cache_control": null}]}));
            messages.push(json!({"role": "assistant", "content": [
                {"type": "thinking", "thinking": text, "signature": "EqQB"},
                {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": text}}]}));
            messages.push(json!({"role": "user", "content": [{"type": "tool_result",
                "tool_use_id": "t1", "content": [{"type": "text", "text": text}]}]}));
            messages.push(json!({"role": "assistant", "content": text}));
        }
        messages.push(json!({"role": "user", "content": "Go on"}));
        let thinking = budget.map(|budget| json!({"type": "enabled", "budget_tokens": budget}));
        let body = json!({"model": "m", "max_tokens": 9999, "system": "S", "messages": messages,
            "stop_sequences": stop, "stream": stream, "thinking": thinking,
            "tools": [{"name": "f", "input_schema": {"type": "object"}}]});
        let first = codec().read(body.to_string().as_bytes()).unwrap();
        let target = Target {
            provider: "p".into(),
            model: first.call.model.clone(),
            rules: ModelRules::default(),
            info: None,
        };
        let encoded = Anthropic::new().encode(&first.call, &target).unwrap();
        let second = codec().read(&encoded.body).unwrap();
        prop_assert_eq!(chat(&first), chat(&second));
    }
}
