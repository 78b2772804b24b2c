//! Whole replies, with every field the official SDKs insist on.

use aurax_core::{Delta, Event, Finish, FinishReason, Fold, Json, Response, Usage};
use serde_json::{Value, json};

use super::{OWN, arguments, call, end, head, said, start, streaming, text, usage, writer};

fn fold(events: &[Event]) -> Response {
    let mut fold = Fold::from_head(&head(OWN));
    for event in events {
        fold.push(event);
    }
    fold.finish()
}

fn whole(body: &Value, wire: &'static str, events: &[Event]) -> Value {
    let bytes = writer(body, wire).whole(&fold(events));
    serde_json::from_slice(&bytes).unwrap()
}

#[test]
fn words() {
    let reply = whole(
        &streaming(),
        "x",
        &[start(), text("Hello"), end(FinishReason::Stop)],
    );
    assert_eq!(
        reply,
        json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 5, "model": "gpt",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello",
                "refusal": null, "annotations": []}, "logprobs": null, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13,
                "prompt_tokens_details": {"cached_tokens": 2, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0,
                    "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}},
            "system_fingerprint": null})
    );
}

#[test]
fn calls_have_no_words_beside_them() {
    let events = [
        call(9, "c1"),
        arguments(9, "{\"a\": 1}"),
        call(10, "c2"),
        end(FinishReason::ToolCalls),
    ];
    let reply = whole(&streaming(), OWN, &events);
    let message = &reply["choices"][0]["message"];
    assert_eq!(message["content"], Value::Null);
    assert_eq!(
        message["tool_calls"],
        json!([
            {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"a\": 1}"}},
            {"id": "c2", "type": "function", "function": {"name": "f", "arguments": "{}"}}])
    );
    let words = whole(&streaming(), OWN, &[text("A"), end(FinishReason::Stop)]);
    assert!(words["choices"][0]["message"].get("tool_calls").is_none());
}

#[test]
fn a_refusal_stands_apart() {
    let events = [
        said(3, Delta::Refusal("no".into())),
        end(FinishReason::Refusal),
    ];
    let reply = whole(&streaming(), OWN, &events);
    let message = &reply["choices"][0]["message"];
    assert_eq!(
        (&message["refusal"], &message["content"]),
        (&json!("no"), &Value::Null)
    );
}

#[test]
fn a_provider_of_this_wire_sees_its_own_usage_again() {
    let raw = r#"{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13,"cost":1.8e-7}"#;
    let mut counted: Usage = usage();
    counted.raw = Some(Json::parse(raw).unwrap());
    let mut end = aurax_core::End::new(vec![Finish::new(FinishReason::Stop, None)], Some(counted));
    end.extra.insert("provider".into(), json!("Azure"));
    let events = [text("A"), Event::End(Box::new(end))];
    let bytes = writer(&streaming(), OWN).whole(&fold(&events));
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    assert!(text.contains("\"cost\":1.8e-7"), "{text}");
    assert!(text.contains("\"provider\":\"Azure\""), "{text}");
    let other = whole(&streaming(), "other", &events);
    assert_eq!(other["usage"].get("cost"), None);
    assert_eq!(other.get("provider"), None);
}
