//! Ollama's own chat.

use serde_json::{Value, json};

use super::super::script::{Answer, Calls, Frame, Say, Script, set};

pub(super) fn script(answer: &Answer<'_>) -> Script {
    let line = |message: Value, done: bool| {
        json!({
            "model": answer.model, "created_at": "2026-01-01T00:00:00Z",
            "message": message, "done": done,
        })
    };
    let (pieces, mut together) = match &answer.say {
        Say::Text(pieces) => (
            pieces
                .iter()
                .map(|piece| json!({"role": "assistant", "content": piece}))
                .collect::<Vec<_>>(),
            json!({"role": "assistant", "content": pieces.concat()}),
        ),
        Say::Calls(calls) => {
            let calls: Vec<Value> = (0..2).map(|number| call(*calls, number)).collect();
            (
                calls
                    .iter()
                    .map(|call| json!({"role": "assistant", "content": "", "tool_calls": [call]}))
                    .collect(),
                json!({"role": "assistant", "content": "", "tool_calls": calls}),
            )
        }
    };
    let done = |message: Value| {
        let mut line = line(message, true);
        set(&mut line, "done_reason", json!("stop"));
        if let Some((input, output)) = answer.usage.tokens() {
            set(&mut line, "prompt_eval_count", json!(input));
            set(&mut line, "eval_count", json!(output));
        }
        line
    };
    Script {
        opening: Vec::new(),
        saying: pieces
            .into_iter()
            .map(|message| Frame::new(&line(message, false)))
            .collect(),
        closing: Vec::new(),
        terminal: Frame::new(&done(json!({"role": "assistant", "content": ""}))),
        whole: done(together.take()).to_string(),
    }
}

fn call(calls: Calls, number: usize) -> Value {
    let mut call = json!({"function": {
        "index": number, "name": Calls::NAME, "arguments": calls.object(number),
    }});
    if let Some(id) = calls.id(number) {
        set(&mut call, "id", json!(id));
    }
    call
}
