//! Frames and bodies nobody would write: an error or an answer, never a panic.

use aurax_core::ErrorKind;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{reply, stream, stream_of, whole};

/// Values that stand in the wrong places.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        Just(json!(0)),
        Just(json!(1)),
        "(message|reasoning|function_call|output_text|refusal|completed|failed|\\PC{0,4})"
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let name = prop::sample::select(vec![
            "id",
            "type",
            "item",
            "output",
            "content",
            "summary",
            "text",
            "delta",
            "part",
            "usage",
            "call_id",
            "name",
            "arguments",
            "annotations",
            "logprobs",
            "error",
            "status",
            "response",
            "encrypted_content",
            "incomplete_details",
            "tool_usage",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..6).prop_map(|fields| {
                let named = fields
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value));
                Value::Object(named.collect())
            }),
        ]
    })
}

fn frame() -> impl Strategy<Value = Value> {
    let kind = prop::sample::select(vec![
        "created",
        "output_item.added",
        "output_item.done",
        "content_part.done",
        "output_text.delta",
        "output_text.done",
        "refusal.delta",
        "reasoning_text.delta",
        "reasoning_summary_text.done",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_text.annotation.added",
        "completed",
        "failed",
    ]);
    let fields = prop::collection::vec(value(), 5);
    (kind, 0_u32..3, 0_u32..3, fields).prop_map(|(kind, output, part, mut fields)| {
        let mut next = || fields.pop().unwrap_or_default();
        json!({
            "type": format!("response.{kind}"), "output_index": output, "content_index": part,
            "summary_index": part, "item": next(), "delta": next(), "text": next(),
            "part": next(), "response": next(),
        })
    })
}

proptest! {
    #[test]
    fn any_frames_are_an_answer_or_an_error(frames in prop::collection::vec(frame(), 0..12)) {
        let (events, result) = stream(&frames);
        let ends = events.iter().filter(|event| matches!(event, aurax_core::Event::End(_)));
        prop_assert_eq!(ends.count(), usize::from(result.is_ok()));
    }

    #[test]
    fn any_body_is_an_answer_or_an_error(body in value()) {
        drop(whole(&body));
        drop(whole(&json!({"output": body})));
    }
}

#[test]
fn more_items_than_any_answer_has_are_an_error() {
    let item = json!({"type": "web_search_call", "id": "ws", "status": "completed"});
    let body = |count| reply(json!(vec![&item; count]));
    let parts = whole(&body(4096)).unwrap().message().unwrap().parts.len();
    assert_eq!(parts, 4096);
    assert_eq!(whole(&body(4097)).unwrap_err().kind(), ErrorKind::Decode);
    let (_, result) = stream(&stream_of(&body(4097), Vec::new()));
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Decode);
}
