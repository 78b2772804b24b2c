//! Streams, in the one order the official SDKs take.

use std::sync::Arc;

use aurax_core::{
    Citation, Delta, End, Error, ErrorKind, Event, Finish, FinishReason, Json, Native, Origin,
    Signature, Totals, Usage,
};
use bytes::BytesMut;
use serde_json::{Value, json};

use super::{
    OWN, arguments, call, end, frames, said, start, stream, text, thinking, usage, writer,
};

const OTHER: &str = "openai.chat";

fn begun(index: u32, block: &Value) -> Value {
    json!({"type": "content_block_start", "index": index, "content_block": block})
}

fn more(index: u32, delta: &Value) -> Value {
    json!({"type": "content_block_delta", "index": index, "delta": delta})
}

fn ended(index: u32) -> Value {
    json!({"type": "content_block_stop", "index": index})
}

fn word(index: u32, text: &str) -> Value {
    more(index, &json!({"type": "text_delta", "text": text}))
}

fn input(index: u32, text: &str) -> Value {
    more(
        index,
        &json!({"type": "input_json_delta", "partial_json": text}),
    )
}

fn ping() -> Value {
    json!({"type": "ping"})
}

/// The frames between the beginning of the message and its end.
fn blocks(mut frames: Vec<Value>) -> Vec<Value> {
    assert_eq!(frames.remove(0)["type"], "message_start");
    assert_eq!(frames.pop().unwrap(), json!({"type": "message_stop"}));
    assert_eq!(frames.pop().unwrap()["type"], "message_delta");
    frames.retain(|frame| *frame != ping());
    frames
}

#[test]
fn words() {
    let counted = Event::Usage(Arc::new(usage()));
    let events = [
        start(),
        counted,
        text(0, ""),
        text(0, "Hello"),
        text(0, " world"),
        end(FinishReason::Stop),
    ];
    let usage = json!({"input_tokens": 10, "output_tokens": 4,
        "cache_creation_input_tokens": 30, "cache_read_input_tokens": 60});
    assert_eq!(
        stream(OTHER, &events),
        [
            json!({"type": "message_start", "message": {"id": "msg_1", "type": "message",
                "role": "assistant", "model": "claude", "content": [], "stop_reason": null,
                "stop_sequence": null, "stop_details": null, "usage": usage}}),
            begun(0, &json!({"type": "text", "text": ""})),
            ping(),
            word(0, "Hello"),
            word(0, " world"),
            ended(0),
            json!({"type": "message_delta", "delta": {"stop_reason": "end_turn",
                "stop_sequence": null}, "usage": usage}),
            json!({"type": "message_stop"}),
        ]
    );
}

#[test]
fn a_call() {
    let events = [
        start(),
        call(0, "t1"),
        arguments(0, "{\"a\""),
        arguments(0, ":1}"),
        end(FinishReason::ToolCalls),
    ];
    for wire in [OWN, OTHER] {
        let frames = stream(wire, &events);
        assert_eq!(frames[frames.len() - 2]["delta"]["stop_reason"], "tool_use");
        assert_eq!(
            blocks(frames),
            [
                begun(
                    0,
                    &json!({"type": "tool_use", "id": "t1", "name": "f", "input": {}})
                ),
                input(0, ""),
                input(0, "{\"a\""),
                input(0, ":1}"),
                ended(0),
            ]
        );
    }
}

#[test]
fn a_call_without_arguments_is_a_block_all_the_same() {
    for wire in [OWN, OTHER] {
        let frames = stream(wire, &[call(0, "t1"), end(FinishReason::ToolCalls)]);
        assert_eq!(
            blocks(frames),
            [
                begun(
                    0,
                    &json!({"type": "tool_use", "id": "t1", "name": "f", "input": {}})
                ),
                input(0, ""),
                ended(0),
            ]
        );
    }
}

#[test]
fn who_called_stands_beside_the_input() {
    let beside = Signature::new(r#"{"caller":{"type":"x"}}"#, None);
    let events = [
        call(0, "t1"),
        said(0, Delta::Signature(beside)),
        arguments(0, "{}"),
        end(FinishReason::ToolCalls),
    ];
    let block = json!({"type": "tool_use", "id": "t1", "name": "f", "input": {},
        "caller": {"type": "x"}});
    assert_eq!(blocks(stream(OWN, &events))[0], begun(0, &block));
    let plain = json!({"type": "tool_use", "id": "t1", "name": "f", "input": {}});
    let other = blocks(stream(OTHER, &events));
    assert_eq!((other[0].clone(), other.len()), (begun(0, &plain), 6));
    // What another wire's provider wants back follows, sealed.
    assert_eq!(other[4]["content_block"]["type"], "redacted_thinking");
}

#[test]
fn nothing_comes_into_the_middle_of_a_call() {
    let events = [
        call(5, "t1"),
        arguments(5, "{"),
        call(6, "t2"),
        text(2, "W"),
        arguments(6, "{}"),
        arguments(5, "}"),
        end(FinishReason::ToolCalls),
    ];
    let tool = |index, id| {
        begun(
            index,
            &json!({"type": "tool_use", "id": id, "name": "f", "input": {}}),
        )
    };
    assert_eq!(
        blocks(stream(OTHER, &events)),
        [
            tool(0, "t1"),
            input(0, ""),
            input(0, "{"),
            input(0, "}"),
            ended(0),
            tool(1, "t2"),
            input(1, ""),
            input(1, "{}"),
            ended(1),
            begun(2, &json!({"type": "text", "text": ""})),
            word(2, "W"),
            ended(2),
        ]
    );
}

#[test]
fn parts_are_blocks_one_after_another() {
    let events = [
        thinking(0, ""),
        thinking(0, "hm"),
        said(0, Delta::Signature(Signature::new("EqQB", None))),
        said(1, Delta::RedactedThinking(Signature::new("RED", None))),
        text(2, "A"),
        end(FinishReason::Stop),
    ];
    assert_eq!(
        blocks(stream(OWN, &events)),
        [
            begun(
                0,
                &json!({"type": "thinking", "thinking": "", "signature": ""})
            ),
            more(0, &json!({"type": "thinking_delta", "thinking": "hm"})),
            more(0, &json!({"type": "signature_delta", "signature": "EqQB"})),
            ended(0),
            begun(1, &json!({"type": "redacted_thinking", "data": "RED"})),
            ended(1),
            begun(2, &json!({"type": "text", "text": ""})),
            word(2, "A"),
            ended(2),
        ]
    );
}

#[test]
fn blocks_of_server_tools_pass() {
    let origin = Some(Origin::new("p", "asked"));
    let native = |json: Value| {
        let kind = json["type"].as_str().unwrap();
        Delta::Native(Native::new(origin.clone(), kind, json.to_string()))
    };
    let used = json!({"type": "server_tool_use", "id": "s1", "name": "web_search",
        "input": {"query": "q"}});
    let found = json!({"type": "web_search_tool_result", "tool_use_id": "s1", "content": []});
    let events = [
        said(0, native(used)),
        said(1, native(found.clone())),
        end(FinishReason::Pause),
    ];
    let empty = json!({"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}});
    assert_eq!(
        blocks(stream(OWN, &events)),
        [
            begun(0, &empty),
            input(0, "{\"query\":\"q\"}"),
            ended(0),
            begun(1, &found),
            ended(1),
        ]
    );
    assert!(blocks(stream(OTHER, &events)).is_empty());
}

#[test]
fn sources_are_this_wire_s() {
    let own = json!({"type": "char_location", "cited_text": "q", "document_index": 0});
    let mut citation = Citation::from_url("https://a.example");
    citation.native = Some(Native::new(None, "char_location", own.to_string()));
    let events = [text(0, "A"), said(0, Delta::Citation(citation))];
    let cited = |wire| {
        let frames = stream(wire, &events);
        frames.last().unwrap()["delta"]["citation"].clone()
    };
    assert_eq!(cited(OWN), own);
    assert_eq!(
        cited(OTHER),
        json!({"type": "web_search_result_location", "cited_text": "",
            "url": "https://a.example", "title": null, "encrypted_index": ""})
    );
}

#[test]
fn reasons_become_the_words_clients_know() {
    for (reason, raw, own, other) in [
        (FinishReason::Stop, Some("end_turn"), "end_turn", "end_turn"),
        (
            FinishReason::StopSequence,
            Some("stop_sequence"),
            "stop_sequence",
            "stop_sequence",
        ),
        (FinishReason::Length, None, "max_tokens", "max_tokens"),
        (
            FinishReason::ContextWindow,
            None,
            "model_context_window_exceeded",
            "model_context_window_exceeded",
        ),
        (
            FinishReason::ToolCalls,
            Some("end_turn"),
            "tool_use",
            "tool_use",
        ),
        (FinishReason::ContentFilter, None, "refusal", "refusal"),
        (FinishReason::Refusal, None, "refusal", "refusal"),
        (FinishReason::Pause, None, "pause_turn", "pause_turn"),
        (
            FinishReason::Other,
            Some("compaction"),
            "compaction",
            "end_turn",
        ),
    ] {
        for (wire, expected) in [(OWN, own), (OTHER, other)] {
            let finish = Finish::new(reason, raw.map(str::to_owned));
            let finish = finish.with_stop_sequence(Some("x".into()));
            let end = Event::End(Box::new(End::new(vec![finish], None)));
            let frames = stream(wire, &[text(0, "A"), end]);
            let delta = &frames[frames.len() - 2]["delta"];
            assert_eq!(delta["stop_reason"], expected, "{reason:?}");
            assert_eq!(delta["stop_sequence"], "x");
        }
    }
}

#[test]
fn a_stream_of_which_nothing_is_known_has_usage_all_the_same() {
    let frames = stream(OTHER, &[text(0, "A")]);
    assert_eq!(
        frames[0]["message"]["usage"],
        json!({"input_tokens": 0, "output_tokens": 1, "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0})
    );
    assert_eq!(frames[0]["message"]["id"], "msg_r1");
}

#[test]
fn a_provider_of_this_wire_sees_its_own_usage_again() {
    let raw = r#"{"input_tokens":1,"output_tokens":2,"server_tool_use":{"web_search_requests":1}}"#;
    let mut totals = Totals::default();
    totals.input = Some(1);
    totals.output = Some(2);
    let mut counted = Usage::from_totals(totals);
    counted.raw = Some(Json::parse(raw).unwrap());
    let finish = Finish::new(FinishReason::Stop, None);
    let end = Event::End(Box::new(End::new(vec![finish], Some(counted))));
    let frames = stream(OWN, &[text(0, "A"), end]);
    let usage = &frames[frames.len() - 2]["usage"];
    assert_eq!(*usage, serde_json::from_str::<Value>(raw).unwrap());
}

#[test]
fn an_error_in_the_middle_is_an_event() {
    let mut out = BytesMut::new();
    let mut writer = writer(OWN);
    writer.event(&text(0, "A"), &mut out);
    writer.error(&Error::new(ErrorKind::Overloaded, "no capacity"), &mut out);
    assert_eq!(
        frames(&out).last().unwrap(),
        &json!({"type": "error", "error": {"type": "overloaded_error", "message": "no capacity"},
            "request_id": "r1"})
    );
}

#[test]
fn a_sign_of_life_is_a_comment_and_then_an_event() {
    let mut out = BytesMut::new();
    let mut writer = writer(OWN);
    writer.ping(&mut out);
    assert_eq!(&out[..], b": keepalive\n\n");
    out.clear();
    writer.event(&text(0, "A"), &mut out);
    out.clear();
    writer.ping(&mut out);
    assert_eq!(&out[..], b"event: ping\ndata: {\"type\":\"ping\"}\n\n");
}
