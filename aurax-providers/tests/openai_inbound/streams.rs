//! Streams, in the order and with the fields the official SDKs insist on.

use aurax_core::{
    Citation, Delta, End, Error, ErrorKind, Event, Finish, FinishReason, Logprob, Signature, Start,
    TokenLogprob, Warning,
};
use aurax_providers::inbound::{Inbound, Stamp};
use aurax_providers::openai::{ChatInbound, ThoughtFields};
use bytes::BytesMut;
use serde_json::{Value, json};

use super::{
    OWN, arguments, call, counting, end, frames, head, read, said, start, stream, streaming, text,
    writer,
};

fn deltas(frames: &[Value]) -> Vec<Value> {
    let choice = |frame: &Value| frame["choices"][0].get("delta").cloned();
    frames.iter().filter_map(choice).collect()
}

#[test]
fn words() {
    let events = [
        start(),
        text("Hello"),
        text(" world"),
        end(FinishReason::Stop),
    ];
    let frames = stream(&counting(), OWN, &events);
    let chunk = |delta: Value, reason: Value| {
        json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 5,
            "model": "gpt", "choices": [{"index": 0, "delta": delta, "logprobs": null,
            "finish_reason": reason}], "usage": null})
    };
    assert_eq!(
        frames[0],
        chunk(json!({"role": "assistant", "content": ""}), Value::Null)
    );
    assert_eq!(frames[1], chunk(json!({"content": "Hello"}), Value::Null));
    assert_eq!(frames[2], chunk(json!({"content": " world"}), Value::Null));
    assert_eq!(frames[3], chunk(json!({}), json!("stop")));
    assert_eq!(frames[4]["choices"], json!([]));
    assert_eq!(
        frames[4]["usage"],
        json!({"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13,
            "prompt_tokens_details": {"cached_tokens": 2, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0,
                "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}})
    );
    assert_eq!(frames[5], json!("[DONE]"));
    assert_eq!(frames.len(), 6);
}

#[test]
fn usage_that_was_not_asked_for_is_no_field() {
    let frames = stream(
        &streaming(),
        OWN,
        &[start(), text("Hi"), end(FinishReason::Stop)],
    );
    assert!(frames.iter().all(|frame| frame.get("usage").is_none()));
    assert!(frames.iter().all(|frame| frame["choices"] != json!([])));
}

#[test]
fn no_field_is_a_null_error() {
    let frames = stream(
        &counting(),
        OWN,
        &[start(), text("Hi"), end(FinishReason::Stop)],
    );
    assert!(frames.iter().all(|frame| frame.get("error").is_none()));
}

#[test]
fn a_call() {
    let events = [
        start(),
        call(65536, "c1"),
        arguments(65536, "{\"city\":"),
        arguments(65536, "\"Paris\"}"),
        end(FinishReason::ToolCalls),
    ];
    let frames = stream(&streaming(), OWN, &events);
    let piece = |call: Value| json!({"tool_calls": [call]});
    assert_eq!(
        deltas(&frames),
        [
            json!({"role": "assistant", "content": null}),
            piece(json!({"index": 0, "id": "c1", "type": "function",
                "function": {"name": "f", "arguments": ""}})),
            piece(json!({"index": 0, "function": {"arguments": "{\"city\":"}})),
            piece(json!({"index": 0, "function": {"arguments": "\"Paris\"}"}})),
            json!({}),
        ]
    );
    assert_eq!(frames[4]["choices"][0]["finish_reason"], "tool_calls");
}

#[test]
fn calls_do_not_interleave() {
    let events = [
        call(9, "c1"),
        call(10, "c2"),
        arguments(10, "{}"),
        arguments(9, "{"),
        arguments(9, "}"),
        end(FinishReason::ToolCalls),
    ];
    let frames = stream(&streaming(), OWN, &events);
    let order: Vec<(u64, String)> = deltas(&frames)
        .iter()
        .filter_map(|delta| delta["tool_calls"].get(0).cloned())
        .map(|call| {
            let text = call["function"]["arguments"].as_str().unwrap();
            (call["index"].as_u64().unwrap(), text.to_owned())
        })
        .collect();
    let piece = |index: u64, text: &str| (index, text.to_owned());
    assert_eq!(
        order,
        [
            piece(0, ""),
            piece(0, "{"),
            piece(0, "}"),
            piece(1, ""),
            piece(1, "{}")
        ]
    );
}

#[test]
fn no_arguments_are_an_empty_object_unless_they_were_cut_off() {
    for (reason, expected) in [(FinishReason::ToolCalls, "{}"), (FinishReason::Length, "")] {
        let frames = stream(&streaming(), OWN, &[call(9, "c1"), end(reason)]);
        let text: String = deltas(&frames)
            .iter()
            .filter_map(|delta| delta["tool_calls"][0]["function"]["arguments"].as_str())
            .collect();
        assert_eq!(text, expected);
    }
}

#[test]
fn the_form_before_tools_is_answered_in_it() {
    let mut body = streaming();
    body["functions"] = json!([{"name": "f"}]);
    let events = [
        call(9, "c1"),
        arguments(9, "{}"),
        end(FinishReason::ToolCalls),
    ];
    let frames = stream(&body, OWN, &events);
    let deltas = deltas(&frames);
    assert_eq!(
        deltas[1],
        json!({"function_call": {"name": "f", "arguments": ""}})
    );
    assert_eq!(deltas[2], json!({"function_call": {"arguments": "{}"}}));
    assert_eq!(frames[3]["choices"][0]["finish_reason"], "function_call");
}

#[test]
fn thoughts_come_in_the_fields_that_are_wanted() {
    let events = [
        said(0, Delta::Thinking("hm".into())),
        text("A"),
        end(FinishReason::Stop),
    ];
    for (fields, expected) in [
        (ThoughtFields::None, json!([])),
        (
            ThoughtFields::ReasoningContent,
            json!([{"reasoning_content": "hm"}]),
        ),
        (ThoughtFields::Reasoning, json!([{"reasoning": "hm"}])),
        (
            ThoughtFields::Both,
            json!([{"reasoning_content": "hm", "reasoning": "hm"}]),
        ),
    ] {
        let codec = ChatInbound::new().with_thoughts(fields);
        let mut writer = codec.writer(&read(&streaming()), &head("x"), Stamp::new("r", 1));
        let mut out = BytesMut::new();
        for event in &events {
            writer.event(event, &mut out);
        }
        let all = deltas(&frames(&out));
        let thoughts: Vec<&Value> = all
            .iter()
            .filter(|delta| {
                delta
                    .as_object()
                    .unwrap()
                    .keys()
                    .any(|key| key.starts_with("rea"))
            })
            .collect();
        assert_eq!(json!(thoughts), expected);
    }
}

#[test]
fn every_choice_begins_and_ends() {
    let at = |choice, delta| Event::Delta {
        choice,
        part: 2,
        delta,
    };
    let finish = |reason| Finish::new(reason, None);
    let end = End::new(
        vec![finish(FinishReason::Stop), finish(FinishReason::Length)],
        None,
    );
    let events = [
        at(1, Delta::Text("B".into())),
        at(0, Delta::Text("A".into())),
        Event::End(Box::new(end)),
    ];
    let frames = stream(&streaming(), OWN, &events);
    for (index, word, reason) in [(0, "A", "stop"), (1, "B", "length")] {
        let own: Vec<&Value> = frames
            .iter()
            .filter_map(|frame| frame["choices"].get(0))
            .filter(|choice| choice["index"] == index)
            .collect();
        assert_eq!(own[0]["delta"], json!({"role": "assistant", "content": ""}));
        assert_eq!(own[1]["delta"], json!({"content": word}));
        assert_eq!(own[2]["finish_reason"], reason);
        assert_eq!(own.len(), 3);
    }
}

#[test]
fn probabilities_and_sources_are_pieces_of_their_own() {
    let token = TokenLogprob {
        token: Logprob {
            token: "Hi".into(),
            logprob: -0.5,
            bytes: None,
        },
        top: Vec::new(),
    };
    let mut source = Citation::from_url("https://a.example");
    source.title = Some("A".into());
    let logprobs = Event::Logprobs {
        choice: 0,
        tokens: vec![token],
    };
    let events = [text("Hi"), logprobs, said(2, Delta::Citation(source))];
    let frames = stream(&streaming(), OWN, &events);
    assert_eq!(
        frames[2]["choices"][0]["logprobs"],
        json!({"content": [{"token": "Hi", "logprob": -0.5, "bytes": null, "top_logprobs": []}],
            "refusal": null})
    );
    assert_eq!(
        frames[3]["choices"][0]["delta"]["annotations"],
        json!([{"type": "url_citation", "url_citation": {"url": "https://a.example",
            "title": "A", "start_index": 0, "end_index": 0}}])
    );
}

#[test]
fn reasons_become_the_words_clients_know() {
    for (reason, raw, own, other) in [
        (FinishReason::Stop, "eos", "eos", "stop"),
        (FinishReason::StopSequence, "stop", "stop", "stop"),
        (FinishReason::Length, "max_tokens", "max_tokens", "length"),
        (FinishReason::Length, "tool_calls", "length", "length"),
        (
            FinishReason::ContextWindow,
            "model_context_window_exceeded",
            "model_context_window_exceeded",
            "length",
        ),
        (FinishReason::ToolCalls, "stop", "tool_calls", "tool_calls"),
        (
            FinishReason::ContentFilter,
            "content_filter",
            "content_filter",
            "content_filter",
        ),
        (FinishReason::Refusal, "stop", "stop", "content_filter"),
        (FinishReason::Pause, "pause_turn", "pause_turn", "stop"),
    ] {
        for (wire, expected) in [(OWN, own), ("anthropic.messages", other)] {
            let finish = Finish::new(reason, Some(raw.into()));
            let end = Event::End(Box::new(End::new(vec![finish], None)));
            let frames = stream(&streaming(), wire, &[text("A"), end]);
            assert_eq!(
                frames[2]["choices"][0]["finish_reason"], expected,
                "{reason:?}"
            );
        }
    }
}

#[test]
fn ids_that_nobody_gave_are_made_from_the_request() {
    let frames = stream(
        &streaming(),
        OWN,
        &[Event::Start(Start::default()), text("A")],
    );
    assert_eq!(frames[0]["id"], "chatcmpl-r1");
    assert_eq!(frames[0]["created"], 1_700_000_000);
    assert_eq!(frames[0]["model"], "asked");
}

#[test]
fn opaque_parts_of_other_wires_are_not_shown() {
    let native = aurax_core::Native::new(None, "server_tool_use", "{\"secret\":1}");
    let signature = Signature::new("EqQB", None);
    let events = [
        text("A"),
        said(3, Delta::Native(native)),
        said(2, Delta::Signature(signature)),
    ];
    let frames = stream(&streaming(), "anthropic.messages", &events);
    assert_eq!(frames.len(), 2);
}

#[test]
fn an_error_in_the_middle_is_the_last_frame() {
    let mut out = BytesMut::new();
    let mut writer = writer(&streaming(), OWN);
    writer.event(&text("A"), &mut out);
    writer.error(&Error::new(ErrorKind::Overloaded, "no capacity"), &mut out);
    let frames = frames(&out);
    assert_eq!(
        frames.last().unwrap(),
        &json!({"error": {"message": "no capacity", "type": "server_error", "param": null,
            "code": "overloaded"}})
    );
}

#[test]
fn a_sign_of_life_is_a_comment() {
    let mut out = BytesMut::new();
    writer(&streaming(), OWN).ping(&mut out);
    assert_eq!(&out[..], b": keepalive\n\n");
    // Warnings of the head have no place in a stream.
    let mut head = head(OWN);
    head.warnings.push(Warning::new("x", "left out"));
    let codec = ChatInbound::new();
    let mut writer = codec.writer(&read(&streaming()), &head, Stamp::new("r", 1));
    out.clear();
    writer.event(&text("A"), &mut out);
    assert_eq!(frames(&out).len(), 2);
}
