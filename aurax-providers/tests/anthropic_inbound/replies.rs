//! Whole replies, and what a stream of them puts together.

use aurax_core::{Delta, Finish, FinishReason, Refusal, Signature};
use serde_json::{Value, json};

use super::{OWN, arguments, call, end, said, start, text, thinking, whole};

#[test]
fn every_block_has_its_fields() {
    let events = [
        start(),
        thinking(0, "hm"),
        said(0, Delta::Signature(Signature::new("EqQB", None))),
        text(1, "A"),
        call(2, "t1"),
        arguments(2, "{\"z\": 1, \"a\": 2}"),
        end(FinishReason::ToolCalls),
    ];
    assert_eq!(
        whole(OWN, &events),
        json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "EqQB"},
                {"type": "text", "text": "A"},
                {"type": "tool_use", "id": "t1", "name": "f", "input": {"z": 1, "a": 2}}],
            "stop_reason": "tool_use", "stop_sequence": null, "stop_details": null,
            "usage": {"input_tokens": 10, "output_tokens": 4, "cache_creation_input_tokens": 30,
                "cache_read_input_tokens": 60}})
    );
}

#[test]
fn arguments_that_were_cut_off_are_no_input() {
    let events = [
        call(0, "t1"),
        arguments(0, "{\"a\": "),
        end(FinishReason::Length),
    ];
    let reply = whole("openai.chat", &events);
    assert_eq!(reply["content"][0]["input"], json!({}));
    assert_eq!(reply["stop_reason"], "max_tokens");
}

#[test]
fn words_of_a_refusal_are_text() {
    let refusal = Refusal::new("no");
    let events = [
        said(0, Delta::Refusal(refusal.text)),
        end(FinishReason::Refusal),
    ];
    let reply = whole("openai.chat", &events);
    assert_eq!(reply["content"], json!([{"type": "text", "text": "no"}]));
    assert_eq!(reply["stop_reason"], "refusal");
}

#[test]
fn details_of_the_end_are_this_wire_s_own() {
    let mut finish = Finish::new(FinishReason::Refusal, Some("refusal".into()));
    finish
        .extra
        .insert("stop_details".into(), json!({"category": "x"}));
    let end = aurax_core::Event::End(Box::new(aurax_core::End::new(vec![finish], None)));
    let events = [text(0, "A"), end];
    assert_eq!(
        whole(OWN, &events)["stop_details"],
        json!({"category": "x"})
    );
    assert_eq!(whole("openai.chat", &events)["stop_details"], Value::Null);
}
