//! How answers end, and what has no place of its own.

use super::*;

#[test]
fn every_end_has_its_reason() {
    for (raw, reason) in [
        ("end_turn", FinishReason::Stop),
        ("stop_sequence", FinishReason::StopSequence),
        ("max_tokens", FinishReason::Length),
        ("model_context_window_exceeded", FinishReason::ContextWindow),
        ("tool_use", FinishReason::ToolCalls),
        ("refusal", FinishReason::Refusal),
        ("pause_turn", FinishReason::Pause),
        ("compaction", FinishReason::Other),
        ("a_later_one", FinishReason::Other),
    ] {
        let response = both(&json!([]), &[], raw);
        let finish = response.choices[0].finish.as_ref().unwrap();
        assert_eq!((finish.reason, finish.raw.as_deref()), (reason, Some(raw)));
    }
    let mut body = message(&json!([]), "refusal", &usage());
    body["stop_details"] = json!({"type": "refusal", "category": "cyber", "explanation": null});
    let finish = whole(&body).complete().choices[0].finish.clone().unwrap();
    assert_eq!(finish.extra["stop_details"]["category"], "cyber");
    body["stop_sequence"] = json!("END");
    let finish = whole(&body).complete().choices[0].finish.clone().unwrap();
    assert_eq!(finish.stop_sequence.as_deref(), Some("END"));
}

#[test]
fn fields_without_a_place_are_kept() {
    let mut body = message(&json!([]), "end_turn", &usage());
    body["provider"] = json!("A cloud");
    body["container"] = json!({"id": "container_1", "expires_at": "2026-11-21T00:00:00Z"});
    body["diagnostics"] = Value::Null;
    let mut frames = framed(&[], "end_turn");
    frames[0]["message"]["provider"] = json!("A cloud");
    frames[2]["delta"]["container"] = body["container"].clone();
    let expected = whole(&body).complete();
    assert_eq!(stream(&frames).complete(), expected);
    assert_eq!(expected.extra.len(), 2);
    frames[2]["context_management"] = json!({"applied_edits": []});
    let extra = stream(&frames).complete().extra;
    assert_eq!(extra["context_management"], json!({"applied_edits": []}));
}

#[test]
fn what_imitators_do_differently_is_understood() {
    let text = |text: &str| json!({"type": "text_delta", "text": text});
    let block = json!({"type": "text", "text": ""});
    let heard = |blocks: &[Value]| stream(&framed(blocks, "end_turn")).complete();

    let unnumbered = heard(&[
        open(0, &block),
        delta(0, &text("A")),
        close(0),
        open(0, &block),
        delta(0, &text("B")),
        close(0),
    ]);
    assert_eq!(
        unnumbered.choices[0].message.parts,
        ["A".into(), "B".into()]
    );

    let unopened = heard(&[delta(0, &text("A")), delta(0, &text("B"))]);
    assert_eq!(unopened.choices[0].message.parts, ["AB".into()]);

    let unclosed = heard(&[open(
        0,
        &json!({"type": "tool_use", "id": "t", "name": "now", "input": {"a": 1}}),
    )]);
    assert_eq!(
        unclosed.tool_calls().next().unwrap().arguments,
        r#"{"a":1}"#
    );
    assert_eq!(unclosed.finish_reason(), Some(FinishReason::ToolCalls));

    let call = |id: &str| json!({"type": "tool_use", "id": id, "name": "now", "input": {}});
    let neither = heard(&[open(0, &call("a")), open(0, &call("b"))]);
    let arguments = neither.tool_calls().map(|call| call.arguments.as_str());
    assert_eq!(arguments.collect::<Vec<_>>(), ["{}", "{}"]);

    let nothing_known = heard(&[
        json!({"type": "later_event", "x": 1}),
        open(0, &block),
        delta(0, &json!({"type": "later_delta", "text": 1.to_string()})),
        close(0),
        close(7),
    ]);
    assert_eq!(nothing_known.text(), "");

    // Without event lines, with a comment, with OpenAI's end, and nothing after the end is read.
    let frames = framed(&[open(0, &block), delta(0, &text("Hi"))], "end_turn");
    let lines: String = frames
        .iter()
        .map(|frame| format!("data:{frame}\n\n: x\n\n"))
        .collect();
    let odd = format!("data: [DONE]\n\n{lines}event: data\ndata: [DONE]\n\ndata: no JSON\n\n");
    assert_eq!(bytes(odd.as_bytes(), 5).complete().text(), "Hi");
}
