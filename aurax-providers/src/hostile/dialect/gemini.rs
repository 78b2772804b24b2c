//! Gemini `generateContent`.

use serde_json::{Value, json};

use super::super::script::{Answer, Calls, Frame, Say, Script, set};

pub(super) fn script(answer: &Answer<'_>) -> Script {
    let usage = answer.usage.object(
        "promptTokenCount",
        "candidatesTokenCount",
        Some("totalTokenCount"),
    );
    let reply = |parts: Value, finish: Option<&str>| {
        let mut candidate = json!({"index": 0, "content": {"role": "model", "parts": parts}});
        set(&mut candidate, "finishReason", json!(finish));
        json!({
            "candidates": [candidate], "modelVersion": answer.model, "responseId": "hostile",
        })
    };
    let (pieces, together) = match &answer.say {
        Say::Text(pieces) => (
            pieces
                .iter()
                .map(|piece| json!([{"text": piece}]))
                .collect::<Vec<_>>(),
            json!([{"text": pieces.concat()}]),
        ),
        Say::Calls(calls) => {
            let calls: Vec<Value> = (0..2).map(|number| part(*calls, number)).collect();
            (vec![json!(calls)], json!(calls))
        }
    };
    let with_usage = |mut reply: Value| {
        set(&mut reply, "usageMetadata", usage.clone());
        reply
    };
    Script {
        opening: Vec::new(),
        saying: pieces
            .into_iter()
            .map(|parts| Frame::new(&reply(parts, None)))
            .collect(),
        closing: Vec::new(),
        terminal: Frame::new(&with_usage(reply(json!([{"text": ""}]), Some("STOP")))),
        whole: with_usage(reply(together, Some("STOP"))).to_string(),
    }
}

fn part(calls: Calls, number: usize) -> Value {
    let mut call = json!({"name": Calls::NAME, "args": calls.object(number)});
    set(&mut call, "id", json!(calls.id(number)));
    json!({"functionCall": call})
}
