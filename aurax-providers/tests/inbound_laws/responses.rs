use aurax_providers::Seal;
use aurax_providers::responses::{Quirks, Responses, ResponsesInbound};
use proptest::prelude::*;
use serde_json::json;

use super::{bytes, is_read_or_refused, is_refused, odd, reads_the_same_again};

const NAMES: [&str; 14] = [
    "input",
    "summary",
    "encrypted_content",
    "call_id",
    "arguments",
    "output",
    "image_url",
    "file_data",
    "format",
    "schema",
    "effort",
    "phase",
    "annotations",
    "instructions",
];
const WORDS: [&str; 10] = [
    "message",
    "reasoning",
    "function_call",
    "function_call_output",
    "custom_tool_call_output",
    "input_text",
    "output_text",
    "input_image",
    "input_audio",
    "function",
];

fn codec() -> ResponsesInbound {
    ResponsesInbound::new().with_seal(Seal::new(b"key"))
}

proptest! {
    #[test]
    fn odd_requests_are_read_or_refused(value in odd(&NAMES, &WORDS), part in odd(&NAMES, &WORDS)) {
        let mut settings = json!({"model": "m", "input": "Hi"});
        for name in ["instructions", "tools", "tool_choice", "text", "reasoning", "include"] {
            settings[name] = value.clone();
        }
        for body in [
            value.clone(),
            json!({"model": "m", "input": value}),
            json!({"model": "m", "input": [part, value]}),
            json!({"model": "m", "input": [{"role": "assistant", "content": [part]}]}),
            settings,
        ] {
            is_read_or_refused(&codec(), &body)?;
        }
    }

    #[test]
    fn any_item_is_read_or_refused(
        kind in "(message|reasoning|function_call|function_call_output|\\PC{0,6})",
        role in "(user|assistant|system|x)",
        text in "(aurax1\\.[A-Za-z0-9_.-]{0,60}|\\PC{0,8})",
    ) {
        let item = json!({"type": kind, "role": role, "content": text, "call_id": text,
            "name": text, "arguments": text, "output": text, "id": text,
            "encrypted_content": text, "summary": [{"text": text}]});
        is_read_or_refused(&codec(), &json!({"model": "m", "input": [item]}))?;
    }

    #[test]
    fn bytes_are_refused(bytes in bytes()) {
        is_refused(&codec(), &bytes)?;
    }

    #[test]
    fn a_request_that_was_written_reads_the_same(
        texts in prop::collection::vec(".{1,12}", 1..4),
        limit in prop::option::of(16_u32..9999),
        phase in prop::option::of("(commentary|final_answer)"),
        stream in any::<bool>(),
    ) {
        let mut input = Vec::new();
        for text in &texts {
            input.push(json!({"role": "user", "content": text}));
            input.push(json!({"type": "reasoning", "id": "rs_1", "encrypted_content": "gA",
                "summary": [{"type": "summary_text", "text": text}]}));
            input.push(json!({"type": "message", "id": "msg_1", "role": "assistant",
                "phase": phase, "content": [{"type": "output_text", "text": text}]}));
            input.push(json!({"type": "function_call", "id": "fc_1", "call_id": "c1",
                "name": "f", "arguments": "{}"}));
            input.push(json!({"type": "function_call_output", "call_id": "c1", "output": text}));
        }
        let body = json!({"model": "m", "instructions": "S", "input": input,
            "max_output_tokens": limit, "stream": stream, "store": false,
            "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"},
                "strict": false}]});
        reads_the_same_again(&codec(), &Responses::new(Quirks::openai()), &body)?;
    }
}
