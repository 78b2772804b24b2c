//! Anthropic messages.

use serde_json::{Value, json};

use super::super::script::{Answer, Calls, Frame, Say, Script, set};

pub(super) fn script(answer: &Answer<'_>) -> Script {
    let tokens = answer.usage.tokens();
    let mut message = json!({
        "id": "msg_hostile", "type": "message", "role": "assistant", "model": answer.model,
        "content": [], "stop_reason": null, "stop_sequence": null,
    });
    let started = tokens.map_or(
        Value::Null,
        |(input, _)| json!({"input_tokens": input, "output_tokens": 1}),
    );
    let mut begun = message.clone();
    set(&mut begun, "usage", started);
    let (starts, saying, blocks, finish) = match &answer.say {
        Say::Text(pieces) => (
            vec![json!({"type": "text", "text": ""})],
            pieces
                .iter()
                .map(|piece| (0, json!({"type": "text_delta", "text": piece})))
                .collect(),
            vec![json!({"type": "text", "text": pieces.concat()})],
            "end_turn",
        ),
        Say::Calls(calls) => (
            (0..2)
                .map(|number| block(*calls, number, &json!({})))
                .collect(),
            deltas(*calls),
            (0..2)
                .map(|number| block(*calls, number, &calls.object(number)))
                .collect::<Vec<_>>(),
            "tool_use",
        ),
    };
    let mut opening = vec![Frame::named(
        "message_start",
        &json!({"type": "message_start", "message": begun}),
    )];
    let mut closing = Vec::new();
    for (index, start) in starts.iter().enumerate() {
        opening.push(Frame::named(
            "content_block_start",
            &json!({"type": "content_block_start", "index": index, "content_block": start}),
        ));
        closing.push(Frame::named(
            "content_block_stop",
            &json!({"type": "content_block_stop", "index": index}),
        ));
    }
    let saying = saying.iter().map(|(index, delta): &(usize, Value)| {
        let delta = json!({"type": "content_block_delta", "index": index, "delta": delta});
        Frame::named("content_block_delta", &delta)
    });
    let mut last = json!({
        "type": "message_delta",
        "delta": {"stop_reason": finish, "stop_sequence": null},
    });
    let counted = tokens.map_or(Value::Null, |(_, output)| json!({"output_tokens": output}));
    set(&mut last, "usage", counted);
    closing.push(Frame::named("message_delta", &last));
    set(&mut message, "content", json!(blocks));
    set(&mut message, "stop_reason", json!(finish));
    let usage = answer.usage.object("input_tokens", "output_tokens", None);
    set(&mut message, "usage", usage);
    Script {
        opening,
        saying: saying.collect(),
        closing,
        terminal: Frame::named("message_stop", &json!({"type": "message_stop"})),
        whole: message.to_string(),
    }
}

fn block(calls: Calls, number: usize, input: &Value) -> Value {
    let mut block = json!({"type": "tool_use", "name": Calls::NAME, "input": input});
    set(&mut block, "id", json!(calls.id(number)));
    block
}

/// Both calls at once, fragment by fragment.
fn deltas(calls: Calls) -> Vec<(usize, Value)> {
    let delta = |number: usize, piece: usize| {
        let text = calls.arguments(number).into_iter().nth(piece);
        (
            number,
            json!({"type": "input_json_delta", "partial_json": text}),
        )
    };
    vec![delta(0, 0), delta(1, 0), delta(0, 1), delta(1, 1)]
}
