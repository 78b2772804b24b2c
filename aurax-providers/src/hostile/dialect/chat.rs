//! OpenAI chat completions.

use serde_json::{Value, json};

use super::super::script::{Answer, Calls, Frame, Say, Script, set};

pub(super) fn script(answer: &Answer<'_>) -> Script {
    let usage = answer
        .usage
        .object("prompt_tokens", "completion_tokens", Some("total_tokens"));
    let chunk = |delta: Value, finish: Value| {
        json!({
            "id": "chatcmpl-hostile", "object": "chat.completion.chunk", "created": 1,
            "model": answer.model,
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        })
    };
    let (saying, message, finish) = match &answer.say {
        Say::Text(pieces) => (
            pieces
                .iter()
                .map(|piece| chunk(json!({"content": piece}), Value::Null))
                .collect(),
            json!({"role": "assistant", "content": pieces.concat(), "refusal": null}),
            "stop",
        ),
        Say::Calls(calls) => (
            deltas(*calls)
                .into_iter()
                .map(|call| chunk(json!({"tool_calls": [call]}), Value::Null))
                .collect::<Vec<_>>(),
            json!({"role": "assistant", "content": null, "tool_calls": whole_calls(*calls)}),
            "tool_calls",
        ),
    };
    let mut closing = vec![Frame::new(&chunk(json!({}), json!(finish)))];
    if !usage.is_null() {
        let mut last = chunk(json!({}), Value::Null);
        set(&mut last, "choices", json!([]));
        set(&mut last, "usage", usage.clone());
        closing.push(Frame::new(&last));
    }
    let mut whole = json!({
        "id": "chatcmpl-hostile", "object": "chat.completion", "created": 1,
        "model": answer.model,
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
    });
    set(&mut whole, "usage", usage);
    let begin = json!({"role": "assistant", "content": ""});
    Script {
        opening: vec![Frame::new(&chunk(begin, Value::Null))],
        saying: saying.iter().map(Frame::new).collect(),
        closing,
        terminal: Frame::word("[DONE]"),
        whole: whole.to_string(),
    }
}

/// Both calls at once, fragment by fragment.
fn deltas(calls: Calls) -> Vec<Value> {
    let mut deltas = Vec::new();
    for number in 0..2 {
        let mut start = json!({
            "index": number, "type": "function",
            "function": {"name": Calls::NAME, "arguments": ""},
        });
        set(&mut start, "id", json!(calls.id(number)));
        deltas.push(start);
    }
    for piece in 0..2 {
        for number in 0..2 {
            let text = calls.arguments(number).into_iter().nth(piece);
            deltas.push(json!({"index": number, "function": {"arguments": text}}));
        }
    }
    deltas
}

fn whole_calls(calls: Calls) -> Vec<Value> {
    let whole = |number| {
        let mut call = json!({
            "type": "function",
            "function": {"name": Calls::NAME, "arguments": calls.arguments(number).concat()},
        });
        set(&mut call, "id", json!(calls.id(number)));
        call
    };
    (0..2).map(whole).collect()
}
