//! What an answer is made of.

use aurax_core::{Clock, SystemClock};

use super::*;

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
fn an_answer_with_more_parts_than_any_is_an_error() {
    let call = json!({"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}});
    let text = json!({"type": "text", "text": "a"});
    for (block, most) in [(call, 1024), (text, 4096)] {
        let body = |count| message(&json!(vec![&block; count]), "end_turn", &usage());
        let response = whole(&body(most)).complete();
        assert_eq!(response.message().unwrap().parts.len(), most);
        let mut frames = vec![start()];
        frames.extend((0..=most).map(|_| open(0, &block)));
        frames.extend([stop("end_turn"), end()]);
        for heard in [whole(&body(most + 1)), stream(&frames)] {
            assert_eq!(heard.result.unwrap_err().kind(), ErrorKind::Decode);
        }
    }
}

/// What an odd server sends does not grow with how often it says it.
#[test]
fn what_is_kept_of_a_message_is_bounded() {
    let mut frames = vec![start()];
    frames.extend((0..500).map(|n| {
        json!({"type": "message_delta", "delta": {format!("inner{n}"): n}, format!("top{n}"): n,
            "usage": {format!("usage{n}"): "x".repeat(1000), "output_tokens": n}})
    }));
    frames.extend([stop("end_turn"), end()]);
    let response = stream(&frames).complete();
    assert_eq!(response.extra.len(), 64);
    let usage = response.usage.unwrap();
    assert_eq!(
        (usage.reported.input, usage.reported.output),
        (Some(10), Some(5))
    );
    assert!(usage.raw.as_ref().unwrap().as_str().len() < 128 << 10);
}

/// A block of a later version is put together from its deltas, in a time that is not many times
/// what there is to read.
#[test]
fn a_block_nobody_knows_is_gathered_whole() {
    let pieces = 20_000;
    let mut blocks = vec![open(
        0,
        &json!({"type": "x_new", "said": "a", "left": 1.50, "n": 0}),
    )];
    blocks.extend((1..=pieces).map(|n| {
        delta(
            0,
            &json!({"type": "x_delta", "said": "0123456789", "n": n, "more": "b"}),
        )
    }));
    blocks.push(delta(
        0,
        &json!({"type": "x_delta", "more": {"is": "none"}}),
    ));
    blocks.push(delta(0, &json!({"type": "x_delta", "more": "c"})));
    blocks.push(delta(
        0,
        &json!({"type": "input_json_delta", "partial_json": "{\"a\":"}),
    ));
    blocks.push(delta(
        0,
        &json!({"type": "input_json_delta", "partial_json": "1}"}),
    ));
    blocks.push(close(0));
    let begun = SystemClock.monotonic();
    let response = stream(&framed(&blocks, "end_turn")).complete();
    let took = SystemClock.monotonic().duration_since(begun);
    assert!(took < Duration::from_secs(10), "{took:?}");
    let Some(Part::Native(native)) = response.message().unwrap().parts.first() else {
        panic!("{response:?}");
    };
    assert_eq!(native.kind, "x_new");
    let said = format!("a{}", "0123456789".repeat(pieces));
    let expected = json!({"type": "x_new", "said": said, "left": 1.50, "n": pieces, "more": "c",
        "input": {"a": 1}});
    assert_eq!(
        serde_json::from_str::<Value>(&native.json).unwrap(),
        expected
    );
}

#[test]
fn a_block_nobody_knows_keeps_its_bytes_and_an_input_cut_short_is_left_out() {
    let text = r#"{"type":"x_new","n":1.50,  "a":{"b":1e3}}"#;
    let cut = delta(
        0,
        &json!({"type": "input_json_delta", "partial_json": "{\"a\":"}),
    );
    let frames = framed(&[json!("OPEN"), cut, close(0)], "end_turn");
    let begun = open(0, &json!("BLOCK"))
        .to_string()
        .replace("\"BLOCK\"", text);
    let text_of = sse(&frames).replace(
        "event: x\ndata: \"OPEN\"",
        &format!("event: content_block_start\ndata: {begun}"),
    );
    let response = bytes(text_of.as_bytes(), 4096).complete();
    let Some(Part::Native(native)) = response.message().unwrap().parts.first() else {
        panic!("{response:?}");
    };
    assert_eq!(native.json, text);
}
