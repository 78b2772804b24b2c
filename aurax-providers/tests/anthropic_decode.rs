//! What the Anthropic wire makes of replies, errors and lists: hand-made, by the documentation.

#![cfg(feature = "anthropic")]
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a failed test is a panic"
)]

use std::time::Duration;

use aurax_core::{
    Bucket, Call, Delivery, Effort, Error, ErrorKind, Event, FinishReason, Fold, Head, KeyStatus,
    Lifecycle, Message, ModelId, Origin, Part, Phase, Request, Response, Retry, ToolResult,
};
use aurax_providers::ModelRules;
use aurax_providers::anthropic::Anthropic;
use aurax_providers::frame::{FrameParser, Framing};
use aurax_providers::wire::{Target, Wire};
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use serde_json::{Value, json};

fn target() -> Target {
    Target {
        provider: "anthropic".into(),
        model: ModelId::parse("claude-opus-4-8").unwrap(),
        rules: ModelRules::default(),
        info: None,
    }
}

fn call() -> Call {
    Call::chat(target().model, "Hi")
}

struct Heard {
    events: Vec<Event>,
    result: Result<(), Error>,
}

impl Heard {
    fn response(&self) -> Response {
        let mut fold = Fold::new("anthropic", "claude-opus-4-8");
        self.events.iter().for_each(|event| fold.push(event));
        fold.finish()
    }

    fn complete(self) -> Response {
        let response = self.response();
        self.result.unwrap();
        let ends = self
            .events
            .iter()
            .filter(|e| matches!(e, Event::End(_)))
            .count();
        assert_eq!(ends, 1);
        assert!(matches!(self.events.last(), Some(Event::End(_))));
        response
    }
}

fn whole(body: &Value) -> Heard {
    let mut events = Vec::new();
    let mut decoder = Anthropic::new().decoder(&call(), &target());
    let result = decoder.whole(body.to_string().as_bytes(), &mut events);
    Heard { events, result }
}

fn bytes(bytes: &[u8], chunk: usize) -> Heard {
    let mut events = Vec::new();
    let mut decoder = Anthropic::new().decoder(&call(), &target());
    let mut parser = FrameParser::new(Framing::Sse);
    let mut result = Ok(());
    for piece in bytes.chunks(chunk) {
        result = result
            .and_then(|()| parser.push(piece, &mut |frame| decoder.frame(frame, &mut events)));
    }
    let result = result
        .and_then(|()| parser.finish(&mut |frame| decoder.frame(frame, &mut events)))
        .and_then(|()| decoder.finish(&mut events));
    Heard { events, result }
}

fn sse(frames: &[Value]) -> String {
    frames
        .iter()
        .map(|frame| {
            format!(
                "event: {}\ndata: {frame}\n\n",
                frame["type"].as_str().unwrap_or("x")
            )
        })
        .collect()
}

fn stream(frames: &[Value]) -> Heard {
    bytes(sse(frames).as_bytes(), 4096)
}

fn usage() -> Value {
    json!({"input_tokens": 10, "output_tokens": 5})
}

fn message(content: &Value, stop_reason: &str, usage: &Value) -> Value {
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-opus-4-8",
        "content": content, "stop_reason": stop_reason, "stop_sequence": null,
        "stop_details": null, "usage": usage,
    })
}

fn start() -> Value {
    json!({"type": "message_start", "message": {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-opus-4-8",
        "content": [], "stop_reason": null, "stop_sequence": null, "stop_details": null,
        "usage": {"input_tokens": 10, "output_tokens": 1},
    }})
}

fn open(index: u32, block: &Value) -> Value {
    json!({"type": "content_block_start", "index": index, "content_block": block})
}

fn delta(index: u32, delta: &Value) -> Value {
    json!({"type": "content_block_delta", "index": index, "delta": delta})
}

fn close(index: u32) -> Value {
    json!({"type": "content_block_stop", "index": index})
}

fn stop(reason: &str) -> Value {
    json!({"type": "message_delta", "usage": {"output_tokens": 5},
        "delta": {"stop_reason": reason, "stop_sequence": null, "stop_details": null}})
}

fn end() -> Value {
    json!({"type": "message_stop"})
}

/// Frames around the blocks of an answer.
fn framed(blocks: &[Value], reason: &str) -> Vec<Value> {
    let mut frames = vec![start(), json!({"type": "ping"})];
    frames.extend_from_slice(blocks);
    frames.extend([stop(reason), end()]);
    frames
}

/// The same answer as a body and as a stream; both must fold to the same, however the stream is
/// cut into pieces.
fn both(content: &Value, blocks: &[Value], reason: &str) -> Response {
    let expected = whole(&message(content, reason, &usage())).complete();
    let text = sse(&framed(blocks, reason));
    for chunk in [1, 7, 4096] {
        assert_eq!(
            bytes(text.as_bytes(), chunk).complete(),
            expected,
            "chunks of {chunk}"
        );
        let crlf = text.replace('\n', "\r\n");
        assert_eq!(
            bytes(crlf.as_bytes(), chunk).complete(),
            expected,
            "CRLF in {chunk}"
        );
    }
    // Every frame but the last leaves the answer incomplete.
    let frames = framed(blocks, reason);
    for count in 0..frames.len() {
        let error = stream(&frames[..count]).result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Truncated, "after {count} frames");
    }
    expected
}

#[test]
fn words_in_pieces_are_the_words() {
    let response = both(
        &json!([{"type": "text", "text": "Grüße 🌊"}]),
        &[
            open(0, &json!({"type": "text", "text": ""})),
            delta(0, &json!({"type": "text_delta", "text": "Grü"})),
            delta(0, &json!({"type": "text_delta", "text": "ße 🌊"})),
            close(0),
        ],
        "end_turn",
    );
    assert_eq!(response.text(), "Grüße 🌊");
    assert_eq!(response.id.as_deref(), Some("msg_1"));
    assert_eq!(response.finish_reason(), Some(FinishReason::Stop));
}

#[test]
fn an_answer_without_blocks_has_no_parts() {
    let response = both(&json!([]), &[], "end_turn");
    assert_eq!(response.text(), "");
    assert_eq!(response.choices[0].message.parts, []);
}

#[test]
fn tool_calls_keep_the_bytes_of_their_arguments() {
    let response = both(
        &json!([
            {"type": "text", "text": "Let me see."},
            {"type": "tool_use", "id": "toolu_1", "name": "get_weather",
             "input": {"city": "Paris", "n": 1.5}, "caller": {"type": "direct"}},
            {"type": "tool_use", "id": "toolu_2", "name": "now", "input": {}},
        ]),
        &[
            open(0, &json!({"type": "text", "text": ""})),
            delta(0, &json!({"type": "text_delta", "text": "Let me see."})),
            close(0),
            open(
                1,
                &json!({"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {}}),
            ),
            delta(1, &json!({"type": "input_json_delta", "partial_json": ""})),
            delta(
                1,
                &json!({"type": "input_json_delta", "partial_json": "{\"city\":\"Pa"}),
            ),
            delta(
                1,
                &json!({"type": "input_json_delta", "partial_json": "ris\",\"n\":1.5}"}),
            ),
            close(1),
            open(
                2,
                &json!({"type": "tool_use", "id": "toolu_2", "name": "now", "input": {}}),
            ),
            delta(2, &json!({"type": "input_json_delta", "partial_json": ""})),
            close(2),
        ],
        "tool_use",
    );
    let calls: Vec<_> = response.tool_calls().collect();
    assert_eq!(calls[0].arguments, r#"{"city":"Paris","n":1.5}"#);
    assert_eq!(calls[1].arguments, "{}");
    assert_eq!(response.finish_reason(), Some(FinishReason::ToolCalls));
}

#[test]
fn who_called_a_tool_goes_back_with_the_call() {
    let caller = json!({"type": "code_execution_20260521", "tool_id": "srvtoolu_1"});
    let call = |input: &Value| {
        json!({"type": "tool_use", "id": "toolu_1", "name": "click", "input": input,
            "caller": caller, "toolset_name": "computer"})
    };
    let response = both(
        &json!([call(&json!({"x": 1}))]),
        &[
            open(0, &call(&json!({}))),
            delta(
                0,
                &json!({"type": "input_json_delta", "partial_json": "{\"x\":1}"}),
            ),
            close(0),
        ],
        "tool_use",
    );
    let called = response.tool_calls().next().unwrap().clone();
    let request = Request::new([
        Message::user("Hi"),
        response.into_message(),
        Message::tool([ToolResult::new(&called, "done")]),
    ]);
    let again = Call::chat(target().model, request);
    let encoded = Anthropic::new().encode(&again, &target()).unwrap();
    let body: Value = serde_json::from_slice(&encoded.body).unwrap();
    assert_eq!(body["messages"][1]["content"][0], call(&json!({"x": 1})));
    assert_eq!(
        body["messages"][2]["content"][0]["toolset_name"],
        "computer"
    );
}

#[test]
fn thoughts_keep_their_proof_and_who_gave_it() {
    let response = both(
        &json!([
            {"type": "thinking", "thinking": "Hm.", "signature": "EqQB"},
            {"type": "thinking", "thinking": "", "signature": "EqQC"},
            {"type": "redacted_thinking", "data": "Emw="},
            {"type": "text", "text": "Yes."},
        ]),
        &[
            open(
                0,
                &json!({"type": "thinking", "thinking": "", "signature": ""}),
            ),
            delta(0, &json!({"type": "thinking_delta", "thinking": "H"})),
            delta(0, &json!({"type": "thinking_delta", "thinking": "m."})),
            delta(0, &json!({"type": "signature_delta", "signature": "EqQB"})),
            close(0),
            open(
                1,
                &json!({"type": "thinking", "thinking": "", "signature": ""}),
            ),
            delta(1, &json!({"type": "signature_delta", "signature": "EqQC"})),
            close(1),
            open(2, &json!({"type": "redacted_thinking", "data": "Emw="})),
            close(2),
            open(3, &json!({"type": "text", "text": ""})),
            delta(3, &json!({"type": "text_delta", "text": "Yes."})),
            close(3),
        ],
        "end_turn",
    );
    let parts = &response.choices[0].message.parts;
    let kinds: Vec<_> = parts.iter().map(Part::kind).collect();
    assert_eq!(kinds, ["thinking", "thinking", "redacted_thinking", "text"]);
    let Part::Thinking(thinking) = &parts[1] else {
        panic!("{parts:?}")
    };
    let signature = thinking.signature.as_ref().unwrap();
    assert_eq!(signature.data, "EqQC");
    assert_eq!(
        signature.origin,
        Some(Origin::new("anthropic", "claude-opus-4-8"))
    );
}

#[test]
fn blocks_of_the_providers_own_come_whole() {
    let found = json!({"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [
        {"type": "web_search_result", "url": "https://example.com", "title": "Sky",
         "encrypted_content": "Eo=", "page_age": null}]});
    let cite = json!({"type": "web_search_result_location", "url": "https://example.com",
        "title": "Sky", "cited_text": "It scatters.", "encrypted_index": "Eo"});
    let search = |input: Value| json!({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": input});
    let response = both(
        &json!([
            search(json!({"query": "sky"})),
            found,
            {"type": "text", "text": "It scatters.", "citations": [cite]},
            {"type": "compaction", "content": "So far.", "signature": "Eq"},
            {"type": "later_block", "data": [1, 2]},
        ]),
        &[
            open(0, &search(json!({}))),
            delta(0, &json!({"type": "input_json_delta", "partial_json": ""})),
            delta(
                0,
                &json!({"type": "input_json_delta", "partial_json": "{\"query\":"}),
            ),
            delta(
                0,
                &json!({"type": "input_json_delta", "partial_json": "\"sky\"}"}),
            ),
            close(0),
            open(1, &found),
            close(1),
            open(2, &json!({"type": "text", "text": "", "citations": null})),
            delta(2, &json!({"type": "citations_delta", "citation": cite})),
            delta(2, &json!({"type": "text_delta", "text": "It scatters."})),
            close(2),
            open(
                3,
                &json!({"type": "compaction", "content": null, "signature": "Eq"}),
            ),
            delta(3, &json!({"type": "compaction_delta", "content": "So "})),
            delta(3, &json!({"type": "compaction_delta", "content": "far."})),
            close(3),
            open(4, &json!({"type": "later_block", "data": [1, 2]})),
            close(4),
        ],
        "end_turn",
    );
    let parts = &response.choices[0].message.parts;
    let Part::Native(block) = &parts[0] else {
        panic!("{parts:?}")
    };
    assert_eq!(block.kind, "server_tool_use");
    assert_eq!(block.json, search(json!({"query": "sky"})).to_string());
    let Part::Text(text) = &parts[2] else {
        panic!("{parts:?}")
    };
    let citation = &text.citations[0];
    assert_eq!(citation.url.as_deref(), Some("https://example.com"));
    assert_eq!(citation.quote.as_deref(), Some("It scatters."));
    assert_eq!(citation.native.as_ref().unwrap().json, cite.to_string());
}

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
fn counts_near_the_end_replace_those_of_the_start() {
    let mut frames = framed(&[], "end_turn");
    frames[0]["message"]["usage"] = json!({
        "input_tokens": 3, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 20,
        "cache_creation": {"ephemeral_5m_input_tokens": 15, "ephemeral_1h_input_tokens": 5},
        "output_tokens": 1, "service_tier": "standard", "inference_geo": "us",
    });
    frames[2]["usage"] = json!({
        "input_tokens": 4, "cache_read_input_tokens": null, "output_tokens": 50,
        "output_tokens_details": {"thinking_tokens": 30},
        "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 1},
    });
    let heard = stream(&frames);
    let first = heard.events.iter().find_map(|event| match event {
        Event::Usage(usage) => Some(usage.clone()),
        _ => None,
    });
    assert_eq!(first.unwrap().reported.output, Some(1));
    let response = heard.complete();
    let usage = response.usage.unwrap();
    let totals = &usage.reported;
    assert_eq!(totals.input, Some(124));
    assert_eq!(totals.output, Some(50));
    assert_eq!(totals.reasoning, Some(30));
    assert_eq!(
        (totals.cache_read, totals.cache_write),
        (Some(100), Some(20))
    );
    assert_eq!(
        (totals.cache_write_5m, totals.cache_write_1h),
        (Some(15), Some(5))
    );
    for (bucket, count) in [
        (Bucket::Input, 4),
        (Bucket::CacheRead, 100),
        (Bucket::CacheWrite, 15),
        (Bucket::CacheWrite1h, 5),
        (Bucket::Output, 20),
        (Bucket::Reasoning, 30),
        (Bucket::WebSearches, 2),
        (Bucket::Requests, 1),
    ] {
        assert_eq!(usage.buckets.get(bucket), count, "{bucket:?}");
    }
    assert_eq!(response.service_tier.as_deref(), Some("standard"));
    assert_eq!(
        usage.price_context.into_iter().collect::<Vec<_>>(),
        [("inference_geo".to_owned(), "us".to_owned())]
    );
}

#[test]
fn counts_that_are_not_reported_are_not_zero() {
    let usage = json!({"input_tokens": 7, "output_tokens": 2});
    let usage = whole(&message(&json!([]), "end_turn", &usage))
        .complete()
        .usage
        .unwrap();
    assert_eq!(usage.reported.cache_read, None);
    assert_eq!(usage.reported.reasoning, None);
    assert_eq!(
        usage.raw.unwrap().as_str(),
        r#"{"input_tokens":7,"output_tokens":2}"#
    );
    let none = whole(&message(&json!([]), "end_turn", &Value::Null))
        .complete()
        .usage;
    assert_eq!(none, None);
}

#[test]
fn facts_that_change_the_price_are_named() {
    for (field, value, expected) in [
        (
            "service_tier",
            "Priority",
            Some(("service_tier", "priority")),
        ),
        ("service_tier", "batch", Some(("processing", "batch"))),
        ("speed", "fast", Some(("speed", "fast"))),
        ("inference_geo", "US", Some(("inference_geo", "us"))),
        ("service_tier", "standard", None),
        ("speed", "standard", None),
        ("inference_geo", "global", None),
        ("inference_geo", "not_available", None),
    ] {
        let mut usage = usage();
        usage[field] = json!(value);
        let usage = whole(&message(&json!([]), "end_turn", &usage))
            .complete()
            .usage
            .unwrap();
        let context = usage.price_context.iter().next();
        let context = context.map(|(key, value)| (key.as_str(), value.as_str()));
        assert_eq!(context, expected, "{field}: {value}");
    }
}

/// Kind, model, input and output tokens.
type Run = (String, Option<String>, u64, u64);

fn billed(iterations: &Value) -> (Vec<Run>, Option<String>) {
    let usage = json!({"input_tokens": 9, "output_tokens": 2, "iterations": iterations,
        "server_tool_use": {"web_search_requests": 1}});
    let usage = whole(&message(&json!([]), "end_turn", &usage))
        .complete()
        .usage
        .unwrap();
    assert_eq!(usage.buckets.get(Bucket::WebSearches), 1);
    let runs = usage.iterations.iter().map(|run| {
        let (input, output) = (run.buckets.input_tokens(), run.buckets.output_tokens());
        (run.kind.clone(), run.model.clone(), input, output)
    });
    (
        runs.collect(),
        usage.price_context.get("iteration").cloned(),
    )
}

#[test]
fn runs_inside_a_call_are_billed_apart() {
    let run = |kind: &str, model: Option<&str>, input: u64| {
        json!({"type": kind, "model": model, "input_tokens": input, "output_tokens": 1,
            "cache_read_input_tokens": 1, "cache_creation_input_tokens": 0})
    };
    let line = |kind: &str, model: Option<&str>, input: u64| {
        (kind.to_owned(), model.map(str::to_owned), input + 1, 1)
    };
    // The call's own run says nothing the totals do not say.
    assert_eq!(billed(&json!([run("message", None, 9)])), (vec![], None));
    let advisor = Some("claude-fable-5");
    assert_eq!(
        billed(&json!([
            run("compaction", None, 500),
            run("message", None, 5),
            run("advisor_message", advisor, 70),
            run("message", None, 4),
        ])),
        (
            vec![
                line("compaction", None, 500),
                line("message", None, 5),
                line("advisor_message", advisor, 70),
                line("message", None, 4),
            ],
            None
        )
    );
    // Attempts that were declined before a fallback served the turn are not billed.
    let (asked, fallback) = (Some("claude-fable-5"), Some("claude-opus-4-8"));
    assert_eq!(
        billed(&json!([
            run("message", asked, 50),
            run("message", fallback, 60),
            run("fallback_message", fallback, 80),
        ])),
        (
            vec![
                line("message", fallback, 60),
                line("fallback_message", fallback, 80)
            ],
            None
        )
    );
    // A run of a type this version does not know is billed, and named where prices are looked up.
    assert_eq!(
        billed(&json!([run("message", None, 5), run("Judge", advisor, 6)])),
        (
            vec![line("message", None, 5), line("Judge", advisor, 6)],
            Some("judge".to_owned())
        )
    );
}

#[test]
fn a_gateways_cost_is_read_from_its_digits() {
    let text = message(&json!([]), "end_turn", &usage())
        .to_string()
        .replace(r#""output_tokens":5"#, r#""output_tokens":5,"cost":1.8e-7"#);
    let mut events = Vec::new();
    let mut decoder = Anthropic::new().decoder(&call(), &target());
    decoder.whole(text.as_bytes(), &mut events).unwrap();
    let heard = Heard {
        events,
        result: Ok(()),
    };
    let cost = heard.complete().usage.unwrap().reported_cost.unwrap();
    assert_eq!(cost.to_string(), "0.00000018");
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

#[test]
fn an_error_in_a_stream_is_that_error() {
    let error = json!({"type": "error", "request_id": "req_1",
        "error": {"type": "overloaded_error", "message": "Overloaded"}});
    let block = open(0, &json!({"type": "text", "text": "So"}));
    let heard = stream(&[start(), block, error.clone(), end()]);
    assert_eq!(heard.response().text(), "So");
    for error in [heard.result.unwrap_err(), whole(&error).result.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Overloaded);
        assert_eq!(error.retry(), Retry::Transient);
        assert_eq!(error.phase(), Some(Phase::Body));
        assert_eq!(error.request_id(), Some("req_1"));
        assert_eq!(error.upstream().unwrap().status, None);
        assert_eq!(error.upstream().unwrap().message, "Overloaded");
    }
    let bare = stream(&[start(), json!({"error": {"message": "boom"}})]);
    assert_eq!(bare.result.unwrap_err().kind(), ErrorKind::Server);
}

#[test]
fn what_is_no_message_cannot_be_read() {
    for body in [json!({"id": "x"}), json!([]), json!({"content": "Hi"})] {
        assert_eq!(
            whole(&body).result.unwrap_err().kind(),
            ErrorKind::Decode,
            "{body}"
        );
    }
    let cut = bytes(b"event: message_start\ndata: {\"type\":\"mess", 4096)
        .result
        .unwrap_err();
    assert!(
        matches!(cut.kind(), ErrorKind::Decode | ErrorKind::Truncated),
        "{cut}"
    );
    let empty = bytes(b"", 1).result.unwrap_err();
    assert_eq!(empty.kind(), ErrorKind::Truncated);
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_str(value).unwrap(),
            )
        })
        .collect()
}

fn refused(status: u16, error_type: &str, message: &str, code: Option<&str>) -> Error {
    let mut body = json!({"type": "error", "request_id": null,
        "error": {"type": error_type, "message": message}});
    if let Some(code) = code {
        body["error"]["details"] = json!({"error_code": code});
    }
    Anthropic::new().error(status, &HeaderMap::new(), body.to_string().as_bytes())
}

#[test]
fn every_error_has_its_kind_and_says_whether_to_try_again() {
    use ErrorKind as K;
    let invalid = "invalid_request_error";
    type Row<'a> = (u16, &'a str, &'a str, Option<&'a str>, ErrorKind, bool);
    let rows: &[Row<'_>] = &[
        (
            400,
            invalid,
            "temperature: range: 0..1",
            None,
            K::InvalidRequest,
            false,
        ),
        (
            400,
            invalid,
            "prompt is too long: 210000 tokens > 200000 maximum",
            None,
            K::ContextLength,
            false,
        ),
        (
            400,
            invalid,
            "input length and `max_tokens` exceed context limit: 1 + 2 > 2",
            None,
            K::ContextLength,
            false,
        ),
        (
            400,
            invalid,
            "Output blocked by content filtering policy",
            None,
            K::ContentFilter,
            false,
        ),
        (
            400,
            invalid,
            "Your credit balance is too low to access the API.",
            None,
            K::Quota,
            false,
        ),
        (
            400,
            invalid,
            "You have reached your specified API usage limits.",
            None,
            K::Quota,
            false,
        ),
        (
            400,
            invalid,
            "On hold.",
            Some("organization_on_hold"),
            K::Permission,
            false,
        ),
        (
            401,
            "authentication_error",
            "API key is invalid.",
            None,
            K::Auth,
            false,
        ),
        (402, "billing_error", "Pay.", None, K::Quota, false),
        (
            402,
            "billing_error",
            "Pay.",
            Some("linked_organization_spend_limit_reached"),
            K::Quota,
            false,
        ),
        (
            403,
            "permission_error",
            "Not yours.",
            None,
            K::Permission,
            false,
        ),
        (
            404,
            "not_found_error",
            "model: claude-x",
            None,
            K::ModelNotFound,
            false,
        ),
        (
            404,
            "not_found_error",
            "file_1 not found",
            None,
            K::NotFound,
            false,
        ),
        (408, "timeout_error", "Slow.", None, K::Timeout, true),
        (409, "conflict_error", "Busy.", None, K::Conflict, true),
        (
            413,
            "request_too_large",
            "Request exceeds the maximum size",
            None,
            K::TooLarge,
            false,
        ),
        (
            429,
            "rate_limit_error",
            "Too many.",
            None,
            K::RateLimited,
            true,
        ),
        (
            429,
            "rate_limit_error",
            "Ramp.",
            Some("ramp_limit_exceeded"),
            K::RateLimited,
            true,
        ),
        (
            429,
            "rate_limit_error",
            "Spent.",
            Some("enforced_spend_limit_reached"),
            K::Quota,
            false,
        ),
        (
            429,
            "rate_limit_error",
            "Spent.",
            Some("contract_spend_limit_reached"),
            K::Quota,
            false,
        ),
        (
            500,
            "api_error",
            "Internal server error",
            None,
            K::Server,
            true,
        ),
        (504, "timeout_error", "Slow.", None, K::Timeout, true),
        (
            529,
            "overloaded_error",
            "Overloaded",
            None,
            K::Overloaded,
            true,
        ),
        (
            529,
            "overloaded_error",
            "Later.",
            Some("compaction_unavailable"),
            K::Overloaded,
            true,
        ),
        (422, "a_later_error", "?", None, K::InvalidRequest, false),
        (503, "a_later_error", "?", None, K::Overloaded, true),
        (502, "a_later_error", "?", None, K::Server, true),
    ];
    for (status, error_type, message, code, kind, again) in rows {
        let error = refused(*status, error_type, message, *code);
        let retry = if *again {
            Retry::Transient
        } else {
            Retry::Never
        };
        assert_eq!(
            (error.kind(), error.retry()),
            (*kind, retry),
            "{status} {message}"
        );
        let upstream = error.upstream().unwrap();
        assert_eq!(upstream.status, Some(*status));
        assert_eq!(upstream.error_type.as_deref(), Some(*error_type));
        assert_eq!(upstream.code.as_deref(), *code);
        assert_eq!(upstream.message, *message);
        assert_eq!(error.phase(), Some(Phase::Headers));
    }
}

#[test]
fn headers_say_more_than_the_status() {
    let body =
        br#"{"type":"error","error":{"type":"api_error","message":"x"},"request_id":"req_b"}"#;
    let wire = Anthropic::new();
    let never = headers(&[("x-should-retry", "false"), ("request-id", "req_h")]);
    let error = wire.error(500, &never, body);
    assert_eq!(error.retry(), Retry::Never);
    assert_eq!(error.request_id(), Some("req_h"));
    let again = headers(&[("x-should-retry", "true"), ("retry-after", "7")]);
    let error = wire.error(400, &again, body);
    assert_eq!(error.retry(), Retry::Transient);
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    assert_eq!(error.request_id(), Some("req_b"));
    let spent = headers(&[
        ("date", "Sat, 21 Nov 2026 12:00:00 GMT"),
        ("anthropic-ratelimit-requests-remaining", "9"),
        ("anthropic-ratelimit-requests-reset", "2026-11-21T12:05:00Z"),
        ("anthropic-ratelimit-tokens-remaining", "0"),
        ("anthropic-ratelimit-tokens-reset", "2026-11-21T12:00:42Z"),
    ]);
    assert_eq!(wire.error(500, &spent, body).retry_after(), None);
    let limited = br#"{"error":{"type":"rate_limit_error","message":"x"}}"#;
    let wait = wire.error(429, &spent, limited).retry_after();
    assert_eq!(wait, Some(Duration::from_secs(42)));
    // No wait lifts a limit of spending, whatever a header says.
    let spent = br#"{"error":{"type":"rate_limit_error","message":"x","details":{"error_code":"enforced_spend_limit_reached"}}}"#;
    assert_eq!(wire.error(429, &again, spent).retry(), Retry::Never);
}

#[test]
fn bodies_that_are_no_error_of_the_api_are_read_as_far_as_they_go() {
    let wire = Anthropic::new();
    let none = HeaderMap::new();
    for (body, message) in [
        (r#"{"error":"model is loading"}"#, "model is loading"),
        (r#"{"detail":"nope"}"#, "nope"),
        (r#"{"error":{"message":"quota","code":429}}"#, "quota"),
        ("upstream connect error", "upstream connect error"),
        ("<html><body>502</body></html>", ""),
        ("", ""),
    ] {
        let error = wire.error(502, &none, body.as_bytes());
        assert_eq!(error.kind(), ErrorKind::Server, "{body}");
        assert_eq!(error.upstream().unwrap().message, message, "{body}");
    }
    let echo = r#"{"error":{"type":"api_error","message":"bad key 'sk-ant-api03-abcdefghijkl'"}}"#;
    let error = wire.error(500, &none, echo.as_bytes());
    assert!(!format!("{error:?}").contains("abcdefghijkl"), "{error:?}");
    let long = json!({"error": {"type": "api_error", "message": "é".repeat(5000)}}).to_string();
    let error = wire.error(500, &none, long.as_bytes());
    assert_eq!(error.upstream().unwrap().message.len(), 4096);
}

#[test]
fn rate_limits_become_waits_by_the_replys_own_date() {
    let headers = headers(&[
        ("request-id", "req_1"),
        ("anthropic-workspace-id", "wrkspc_1"),
        ("set-cookie", "secret=1"),
        ("date", "Sat, 21 Nov 2026 12:00:00 GMT"),
        ("anthropic-ratelimit-requests-limit", "50"),
        ("anthropic-ratelimit-requests-remaining", "49"),
        ("anthropic-ratelimit-requests-reset", "2026-11-21T12:00:30Z"),
        ("anthropic-ratelimit-input-tokens-limit", "1000"),
        ("anthropic-ratelimit-input-tokens-remaining", "0"),
        (
            "anthropic-ratelimit-input-tokens-reset",
            "2026-11-21T11:59:00Z",
        ),
    ]);
    let mut head = Head::new(
        "anthropic.messages",
        "anthropic",
        target().model,
        Delivery::Whole,
    );
    Anthropic::new().read_headers(&headers, &mut head);
    assert_eq!(head.request_id.as_deref(), Some("req_1"));
    let kept = ("anthropic-workspace-id".to_owned(), "wrkspc_1".to_owned());
    assert_eq!(head.headers, [kept]);
    let limits = &head.rate_limits;
    assert_eq!(limits.len(), 2, "{limits:?}");
    assert_eq!(limits[0].kind, "requests");
    assert_eq!((limits[0].limit, limits[0].remaining), (Some(50), Some(49)));
    assert_eq!(limits[0].reset, Some(Duration::from_secs(30)));
    assert_eq!(limits[1].kind, "input_tokens");
    assert_eq!(limits[1].reset, Some(Duration::ZERO));
}

#[test]
fn a_list_of_models_tells_what_they_take() {
    let wire = Anthropic::new();
    let yes = json!({"supported": true});
    let no = json!({"supported": false});
    let page = json!({"has_more": true, "first_id": "claude-a", "last_id": "claude-b", "data": [
        {"type": "model", "id": "claude-a", "display_name": "Claude A",
         "created_at": "2026-09-22T00:00:00Z", "max_input_tokens": 1_000_000, "max_tokens": 128_000,
         "lifecycle": "deprecated", "retires_at": "2027-01-31T00:00:00Z",
         "capabilities": {
            "image_input": yes, "pdf_input": no, "structured_outputs": yes,
            "effort": {"supported": true, "low": yes, "high": yes, "max": no},
            "thinking": {"supported": true, "types": {
                "adaptive": yes, "enabled": no, "disabled": no, "between_tools": yes}},
            "server_tools": {"supported": true, "web_search": yes, "code_execution": no}}},
        {"type": "model", "id": "claude-b", "created_at": "1970-01-01T00:00:00Z"},
    ]});
    let (models, next) = wire.read_models(page.to_string().as_bytes()).unwrap();
    assert_eq!(next.as_deref(), Some("claude-b"));
    let a = &models[0];
    assert_eq!(a.display_name.as_deref(), Some("Claude A"));
    assert_eq!(
        (a.context_window, a.max_output_tokens),
        (Some(1_000_000), Some(128_000))
    );
    assert_eq!(a.lifecycle, Lifecycle::Deprecated);
    assert_eq!(a.retires.as_deref(), Some("2027-01-31"));
    assert_eq!(a.created, Some(1_790_035_200));
    assert_eq!(
        (a.features.vision, a.features.pdf),
        (Some(true), Some(false))
    );
    assert_eq!(a.features.reasoning, Some(true));
    assert_eq!(a.features.web_search, Some(true));
    assert_eq!(
        (models[1].created, models[1].lifecycle),
        (None, Lifecycle::Active)
    );
    assert_eq!(models[1].features.vision, None);

    let rules = ModelRules::default().informed_by(a);
    assert!(rules.thinks_between_tools);
    assert_eq!(rules.efforts, [Effort::Low, Effort::High]);
    assert_eq!(rules.max_output_tokens, Some(128_000));

    // A page that does not say whether there is more is the last.
    for end in [
        json!({"data": [], "has_more": true, "last_id": "x"}),
        json!({"data": []}),
    ] {
        let (_, next) = wire.read_models(end.to_string().as_bytes()).unwrap();
        assert_eq!(next, None, "{end}");
    }
    assert_eq!(
        wire.read_models(b"{}").unwrap_err().kind(),
        ErrorKind::Decode
    );
}

#[test]
fn the_free_verbs_ask_for_the_current_version() {
    let wire = Anthropic::new();
    for (encoded, path) in [
        (wire.list_models(None), "/v1/models?limit=1000"),
        (
            wire.list_models(Some("claude b")),
            "/v1/models?limit=1000&after_id=claude%20b",
        ),
        (wire.verify_key(), "/v1/models?limit=1"),
    ] {
        let encoded = encoded.unwrap();
        assert_eq!(encoded.path, path);
        assert_eq!(encoded.headers[0].1, "2026-10-21");
        assert!(encoded.body.is_empty());
    }
    assert_eq!(wire.read_count(br#"{"input_tokens":42}"#).unwrap(), 42);
    assert_eq!(
        wire.read_count(b"{}").unwrap_err().kind(),
        ErrorKind::Decode
    );
    let error = refused(401, "authentication_error", "API key is invalid.", None);
    assert_eq!(wire.read_key_status(Err(&error)), KeyStatus::Invalid);
    assert_eq!(wire.read_key_status(Ok(b"{}")), KeyStatus::Valid);
}

/// Pieces of a text, cut between characters.
fn pieces(text: &str, size: usize) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    characters
        .chunks(size.max(1))
        .map(|piece| piece.iter().collect())
        .collect()
}

/// A block as it stands in a whole answer, and the frames it is streamed in.
fn block() -> impl Strategy<Value = (Value, Vec<Value>)> {
    let words = "[a-zß🌊\"\\\\ \n]{0,12}";
    let start = |frame: Value, deltas: Vec<Value>| {
        let deltas = deltas.iter().map(|d| delta(0, d));
        let frames = std::iter::once(open(0, &frame)).chain(deltas);
        frames.chain([close(0)]).collect::<Vec<Value>>()
    };
    prop_oneof![
        (words, 1_usize..4).prop_map(move |(text, size)| {
            let deltas = pieces(&text, size);
            let deltas = deltas.iter().map(|t| json!({"type": "text_delta", "text": t}));
            let frames = start(json!({"type": "text", "text": ""}), deltas.collect());
            (json!({"type": "text", "text": text}), frames)
        }),
        (words, "[A-Za-z]{1,6}", 1_usize..4).prop_map(move |(text, proof, size)| {
            let block = |text: &str, proof: &str| {
                json!({"type": "thinking", "thinking": text, "signature": proof})
            };
            let deltas = pieces(&text, size);
            let deltas = deltas.iter().map(|t| json!({"type": "thinking_delta", "thinking": t}));
            let proof_delta = json!({"type": "signature_delta", "signature": proof});
            let frames = start(block("", ""), deltas.chain([proof_delta]).collect());
            (block(&text, &proof), frames)
        }),
        (words, 1_usize..4, any::<bool>()).prop_map(move |(text, size, server)| {
            let kind = if server { "server_tool_use" } else { "tool_use" };
            let input = json!({"w": text, "n": [1, null]});
            let block = |input: &Value| json!({"type": kind, "id": "t", "name": "now", "input": input});
            let deltas = pieces(&input.to_string(), size);
            let deltas = deltas.iter().map(|t| json!({"type": "input_json_delta", "partial_json": t}));
            let frames = start(block(&json!({})), deltas.collect());
            (block(&input), frames)
        }),
        words.prop_map(move |data| {
            let block = json!({"type": "redacted_thinking", "data": data});
            (block.clone(), start(block, vec![]))
        }),
    ]
}

proptest! {
    /// A streamed answer folds to what the same answer in one body folds to.
    #[test]
    fn streamed_or_whole_the_answer_is_the_same(
        blocks in prop::collection::vec(block(), 0..5),
        chunk in 1_usize..64,
    ) {
        let mut content = Vec::new();
        let mut frames = Vec::new();
        for (index, (block, streamed)) in blocks.into_iter().enumerate() {
            content.push(block);
            frames.extend(streamed.into_iter().map(|mut frame| {
                frame["index"] = json!(index);
                frame
            }));
        }
        let expected = whole(&message(&json!(content), "end_turn", &usage())).complete();
        let streamed = sse(&framed(&frames, "end_turn"));
        prop_assert_eq!(bytes(streamed.as_bytes(), chunk).complete(), expected);
    }
}
