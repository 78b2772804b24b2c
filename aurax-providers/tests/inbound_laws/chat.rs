use aurax_providers::openai::{ChatInbound, EmbeddingsInbound, OpenAi, Quirks};
use proptest::prelude::*;
use serde_json::json;

use super::{bytes, is_read_or_refused, is_refused, odd, reads_the_same_again};

const NAMES: [&str; 17] = [
    "messages",
    "image_url",
    "url",
    "file",
    "tool_calls",
    "function",
    "arguments",
    "stop",
    "reasoning",
    "reasoning_details",
    "thinking",
    "response_format",
    "json_schema",
    "schema",
    "input",
    "logprobs",
    "data",
];
const WORDS: [&str; 6] = [
    "tool",
    "function",
    "auto",
    "json_schema",
    "m",
    "reasoning.encrypted",
];

proptest! {
    #[test]
    fn odd_requests_are_read_or_refused(value in odd(&NAMES, &WORDS), part in odd(&NAMES, &WORDS)) {
        for body in [
            value.clone(),
            json!({"model": "m", "messages": value}),
            json!({"model": "m", "messages": [{"role": "user", "content": value}]}),
            json!({"model": "m", "messages": [{"role": "assistant", "content": [part],
                "reasoning_details": value, "tool_calls": value}], "tools": value,
                "reasoning": value}),
            json!({"model": "m", "input": value}),
        ] {
            is_read_or_refused(&ChatInbound::new(), &body)?;
            is_read_or_refused(&EmbeddingsInbound::new(), &body)?;
        }
    }

    #[test]
    fn bytes_are_refused(bytes in bytes()) {
        is_refused(&ChatInbound::new(), &bytes)?;
    }

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
        reads_the_same_again(&ChatInbound::new(), &OpenAi::new(Quirks::compatible()), &body)?;
    }
}
