//! OpenAI responses.

use serde_json::{Value, json};

use super::super::script::{Answer, Calls, Frame, Say, Script, set};

pub(super) fn script(answer: &Answer<'_>) -> Script {
    let reply = |status: &str, output: &[Value]| {
        json!({
            "id": "resp_hostile", "object": "response", "created_at": 1, "status": status,
            "model": answer.model, "output": output, "error": null, "incomplete_details": null,
        })
    };
    let (events, output) = match &answer.say {
        Say::Text(pieces) => text(pieces),
        Say::Calls(calls) => called(*calls),
    };
    let mut whole = reply("completed", &output);
    let usage = answer
        .usage
        .object("input_tokens", "output_tokens", Some("total_tokens"));
    set(&mut whole, "usage", usage);
    let begun = reply("in_progress", &[]);
    let mut numbers = 0..;
    let mut frame = |(kind, mut event): (&'static str, Value)| {
        set(&mut event, "type", json!(kind));
        set(&mut event, "sequence_number", json!(numbers.next()));
        Frame::named(kind, &event)
    };
    let mut opening = vec![
        frame(("response.created", json!({"response": begun.clone()}))),
        frame(("response.in_progress", json!({"response": begun}))),
    ];
    let [start, said, end] = events.map(|events| events.into_iter().map(&mut frame).collect());
    let start: Vec<Frame> = start;
    opening.extend(start);
    Script {
        opening,
        saying: said,
        closing: end,
        terminal: frame(("response.completed", json!({"response": whole.clone()}))),
        whole: whole.to_string(),
    }
}

type Events = Vec<(&'static str, Value)>;

fn text(pieces: &[String]) -> ([Events; 3], Vec<Value>) {
    let words = pieces.concat();
    let part = |text: &str| json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []});
    let item = |status: &str, content: &[Value]| {
        json!({
            "type": "message", "id": "msg_hostile", "status": status, "role": "assistant",
            "content": content,
        })
    };
    let at = |mut event: Value| {
        set(&mut event, "item_id", json!("msg_hostile"));
        set(&mut event, "output_index", json!(0));
        set(&mut event, "content_index", json!(0));
        event
    };
    let done = item("completed", &[part(&words)]);
    let events = [
        vec![
            (
                "response.output_item.added",
                json!({"output_index": 0, "item": item("in_progress", &[])}),
            ),
            ("response.content_part.added", at(json!({"part": part("")}))),
        ],
        pieces
            .iter()
            .map(|piece| {
                let delta = at(json!({"delta": piece, "logprobs": []}));
                ("response.output_text.delta", delta)
            })
            .collect(),
        vec![
            (
                "response.output_text.done",
                at(json!({"text": words, "logprobs": []})),
            ),
            (
                "response.content_part.done",
                at(json!({"part": part(&words)})),
            ),
            (
                "response.output_item.done",
                json!({"output_index": 0, "item": done.clone()}),
            ),
        ],
    ];
    (events, vec![done])
}

fn called(calls: Calls) -> ([Events; 3], Vec<Value>) {
    let item = |number: usize, arguments: String| {
        let mut item = json!({
            "type": "function_call", "id": format!("fc_hostile_{number}"), "status": "completed",
            "name": Calls::NAME, "arguments": arguments,
        });
        set(&mut item, "call_id", json!(calls.id(number)));
        item
    };
    let at = |number: usize, mut event: Value| {
        set(&mut event, "item_id", json!(format!("fc_hostile_{number}")));
        set(&mut event, "output_index", json!(number));
        event
    };
    let whole = |number: usize| item(number, calls.arguments(number).concat());
    let delta = |number: usize, piece: usize| {
        let text = calls.arguments(number).into_iter().nth(piece);
        (
            "response.function_call_arguments.delta",
            at(number, json!({"delta": text})),
        )
    };
    let start = |number: usize| {
        let item = item(number, String::new());
        (
            "response.output_item.added",
            json!({"output_index": number, "item": item}),
        )
    };
    let end = |number: usize| {
        let arguments = calls.arguments(number).concat();
        [
            (
                "response.function_call_arguments.done",
                at(number, json!({"arguments": arguments})),
            ),
            (
                "response.output_item.done",
                json!({"output_index": number, "item": whole(number)}),
            ),
        ]
    };
    let events = [
        vec![start(0), start(1)],
        vec![delta(0, 0), delta(1, 0), delta(0, 1), delta(1, 1)],
        [end(0), end(1)].into_iter().flatten().collect(),
    ];
    (events, vec![whole(0), whole(1)])
}
