use aurax_providers::Seal;
use aurax_providers::anthropic::{Anthropic, MessagesInbound};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{bytes, is_read_or_refused, is_refused, odd, reads_the_same_again};

const NAMES: [&str; 12] = [
    "messages",
    "source",
    "data",
    "thinking",
    "signature",
    "tool_use_id",
    "input",
    "system",
    "cache_control",
    "citations",
    "max_tokens",
    "output_config",
];
const WORDS: [&str; 7] = [
    "tool_use",
    "tool_result",
    "thinking",
    "redacted_thinking",
    "document",
    "base64",
    "enabled",
];

fn codec() -> MessagesInbound {
    MessagesInbound::new(Seal::new(b"key"))
}

proptest! {
    #[test]
    fn odd_requests_are_read_or_refused(value in odd(&NAMES, &WORDS), part in odd(&NAMES, &WORDS)) {
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
            is_read_or_refused(&codec(), &body)?;
        }
    }

    #[test]
    fn bytes_are_refused(bytes in bytes()) {
        is_refused(&codec(), &bytes)?;
    }

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
        reads_the_same_again(&codec(), &Anthropic::new(), &body)?;
    }
}
