//! What clients get: frames in the order official SDKs insist on, and whole objects.

use aurax_core::{
    Citation, Delta, Event, FinishReason, Fold, Image, Item, Logprob, Source, TokenLogprob,
    ToolCallStart,
};
use bytes::BytesMut;
use serde_json::{Value, json};

use super::{delta, end, frames, start, writer, written};

const FOREIGN: &str = "openai.chat";

fn text(part: u32, words: &str) -> Event {
    delta(part, Delta::Text(words.into()))
}

fn call(part: u32, number: u32) -> Event {
    let start = ToolCallStart::new(format!("call_{number}"), "f");
    delta(part, Delta::ToolCall(start))
}

fn arguments(part: u32, text: &str) -> Event {
    delta(part, Delta::Arguments(text.into()))
}

fn names(frames: &[(String, Value)]) -> Vec<&str> {
    frames
        .iter()
        .map(|(name, _)| name.strip_prefix("response.").unwrap_or(name))
        .collect()
}

/// What holds of every stream: names, numbers, and ids that stay the same.
fn check(frames: &[(String, Value)]) {
    let mut ids = std::collections::BTreeMap::new();
    for (number, (name, data)) in frames.iter().enumerate() {
        assert_eq!(data["type"], **name);
        assert_eq!(data["sequence_number"], number);
        if let Some(response) = data.get("response") {
            assert_eq!(response["id"], frames[0].1["response"]["id"]);
        }
        let Some(index) = data.get("output_index") else {
            continue;
        };
        let id = data
            .get("item_id")
            .or_else(|| data["item"].get("id"))
            .unwrap();
        assert_eq!(ids.entry(index.as_u64()).or_insert(id), &id, "{name}");
    }
    let output = frames.last().unwrap().1["response"]["output"]
        .as_array()
        .unwrap();
    let listed: Vec<&Value> = output.iter().map(|item| &item["id"]).collect();
    assert_eq!(listed, ids.into_values().collect::<Vec<_>>());
}

#[test]
fn a_text_is_written_in_the_order_clients_insist_on() {
    let frames = written(
        FOREIGN,
        &[
            start(),
            text(2, ""),
            text(2, "Hello"),
            text(2, " world"),
            end(FinishReason::Stop),
        ],
    );
    check(&frames);
    assert_eq!(
        names(&frames),
        [
            "created",
            "in_progress",
            "output_item.added",
            "content_part.added",
            "output_text.delta",
            "output_text.delta",
            "output_text.done",
            "content_part.done",
            "output_item.done",
            "completed",
        ]
    );
    let data = |at: usize| &frames[at].1;
    assert_eq!(data(0)["response"]["status"], "in_progress");
    assert_eq!(data(0)["response"]["output"], json!([]));
    assert_eq!(data(2)["item"]["content"], json!([]));
    assert_eq!(data(2)["item"]["status"], "in_progress");
    let empty = json!({"type": "output_text", "text": "", "annotations": [], "logprobs": []});
    assert_eq!(data(3)["part"], empty);
    for (at, words) in [(4, "Hello"), (5, " world")] {
        assert_eq!(data(at)["delta"], words);
        assert_eq!(data(at)["logprobs"], json!([]));
        assert_eq!(
            (&data(at)["content_index"], &data(at)["output_index"]),
            (&json!(0), &json!(0))
        );
    }
    let response = &data(9)["response"];
    assert_eq!(response["output"][0]["content"][0]["text"], "Hello world");
    assert_eq!(response["output"][0]["status"], "completed");
    assert_eq!(response["model"], "m-1");
    assert!(response["id"].as_str().unwrap().starts_with("resp_"));
    assert_eq!(
        response["usage"],
        json!({"input_tokens": 3, "input_tokens_details": {"cached_tokens": 0,
               "cache_write_tokens": 0}, "output_tokens": 5,
               "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 8})
    );
}

#[test]
fn a_call_is_written_in_the_order_clients_insist_on() {
    let frames = written(
        FOREIGN,
        &[
            start(),
            call(7, 1),
            arguments(7, ""),
            arguments(7, "{\"city\""),
            arguments(7, ":1}"),
            end(FinishReason::ToolCalls),
        ],
    );
    check(&frames);
    assert_eq!(
        names(&frames),
        [
            "created",
            "in_progress",
            "output_item.added",
            "function_call_arguments.delta",
            "function_call_arguments.delta",
            "function_call_arguments.done",
            "output_item.done",
            "completed",
        ]
    );
    assert_eq!(frames[2].1["item"]["arguments"], "");
    let item = &frames[6].1["item"];
    assert!(item["id"].as_str().unwrap().starts_with("fc_"));
    assert_eq!(
        (
            &item["call_id"],
            &item["name"],
            &item["arguments"],
            &item["status"]
        ),
        (
            &json!("call_1"),
            &json!("f"),
            &json!("{\"city\":1}"),
            &json!("completed")
        )
    );
}

#[test]
fn a_call_without_arguments_has_an_empty_object_of_them() {
    let frames = written(
        FOREIGN,
        &[start(), call(0, 1), end(FinishReason::ToolCalls)],
    );
    check(&frames);
    let done = |name: &str| frames.iter().find(|(known, _)| known == name).unwrap();
    assert_eq!(
        done("response.function_call_arguments.done").1["arguments"],
        "{}"
    );
}

#[test]
fn calls_whose_pieces_alternate_lose_nothing() {
    let frames = written(
        FOREIGN,
        &[
            start(),
            call(1, 1),
            arguments(1, "{\"a\""),
            call(2, 2),
            arguments(2, "{}"),
            arguments(1, ":1}"),
            text(3, "Done"),
            arguments(2, "\n"),
            end(FinishReason::ToolCalls),
        ],
    );
    check(&frames);
    let output = &frames.last().unwrap().1["response"]["output"];
    assert_eq!(output[0]["arguments"], "{\"a\":1}");
    assert_eq!(output[1]["arguments"], "{}");
    let done = names(&frames)
        .iter()
        .filter(|name| **name == "output_item.done")
        .count();
    assert_eq!(done, 3);
}

#[test]
fn thoughts_come_as_summaries_one_ended_before_the_next() {
    let item = |part| delta(part, Delta::Item(Item::new("rs_1")));
    let thought = |part, words: &str| delta(part, Delta::Thinking(words.into()));
    let events = [
        start(),
        thought(0, ""),
        item(0),
        thought(0, "a"),
        thought(1, ""),
        item(1),
        thought(1, "b"),
        text(9, "Hi"),
        end(FinishReason::Stop),
    ];
    let frames = written("openai.responses", &events);
    check(&frames);
    assert_eq!(
        names(&frames)[2..11],
        [
            "output_item.added",
            "reasoning_summary_part.added",
            "reasoning_summary_text.delta",
            "reasoning_summary_text.done",
            "reasoning_summary_part.done",
            "reasoning_summary_part.added",
            "reasoning_summary_text.delta",
            "reasoning_summary_text.done",
            "reasoning_summary_part.done",
        ]
    );
    let output = &frames.last().unwrap().1["response"]["output"];
    assert_eq!(
        (&output[0]["id"], &output[0]["summary"][1]["text"]),
        (&json!("rs_1"), &json!("b"))
    );
    assert_eq!(output[1]["type"], "message");
    // A reply over another wire has no items: each part is one.
    let frames = written(FOREIGN, &events);
    check(&frames);
    assert_eq!(
        frames.last().unwrap().1["response"]["output"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
}

#[test]
fn sources_and_probabilities_reach_the_client() {
    let token = |text: &str| {
        let token = Logprob {
            token: text.into(),
            logprob: -0.5,
            bytes: None,
        };
        TokenLogprob { token, top: vec![] }
    };
    let logprobs = |text: &str| Event::Logprobs {
        choice: 0,
        tokens: vec![token(text)],
    };
    let mut source = Citation::from_url("https://e.org");
    source.title = Some("E".into());
    let frames = written(
        FOREIGN,
        &[
            start(),
            text(0, "a"),
            logprobs("a"),
            text(0, "b"),
            logprobs("b"),
            delta(0, Delta::Citation(source)),
            end(FinishReason::Stop),
        ],
    );
    check(&frames);
    let annotation = json!({"type": "url_citation", "url": "https://e.org", "title": "E",
                            "start_index": 0, "end_index": 0});
    let added = frames
        .iter()
        .find(|(name, _)| name.ends_with("annotation.added"))
        .unwrap();
    assert_eq!(added.1["annotation"], annotation);
    let part = &frames.last().unwrap().1["response"]["output"][0]["content"][0];
    assert_eq!(part["annotations"], json!([annotation]));
    let tokens: Vec<&Value> = part["logprobs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| &t["token"])
        .collect();
    assert_eq!(tokens, ["a", "b"]);
}

#[test]
fn words_that_come_late_begin_another_message() {
    let frames = written(
        FOREIGN,
        &[
            start(),
            text(2, "a"),
            call(5, 1),
            text(2, "b"),
            end(FinishReason::ToolCalls),
        ],
    );
    check(&frames);
    let output = &frames.last().unwrap().1["response"]["output"];
    assert_eq!(output[0]["content"][0]["text"], "a");
    assert_eq!(output[2]["content"][0]["text"], "b");
}

#[test]
fn an_answer_cut_by_the_limit_is_incomplete() {
    let frames = written(FOREIGN, &[start(), text(0, "a"), end(FinishReason::Length)]);
    check(&frames);
    let (name, data) = frames.last().unwrap();
    assert_eq!(name, "response.incomplete");
    let response = &data["response"];
    assert_eq!(response["status"], "incomplete");
    assert_eq!(
        response["incomplete_details"],
        json!({"reason": "max_output_tokens"})
    );
    assert_eq!(response["output"][0]["status"], "incomplete");
}

#[test]
fn pictures_are_the_results_of_calls_for_them() {
    let image = Image::new(Source::bytes("image/png", b"png"));
    let frames = written(
        FOREIGN,
        &[
            start(),
            delta(0, Delta::Image(image)),
            end(FinishReason::Stop),
        ],
    );
    check(&frames);
    let output = &frames.last().unwrap().1["response"]["output"];
    assert_eq!(
        (&output[0]["type"], &output[0]["result"]),
        (&json!("image_generation_call"), &json!("cG5n"))
    );
}

#[test]
fn an_empty_answer_is_an_answer() {
    let frames = written(FOREIGN, &[start(), end(FinishReason::Stop)]);
    assert_eq!(names(&frames), ["created", "in_progress", "completed"]);
}

#[test]
fn a_whole_reply_has_what_the_stream_ends_with() {
    let events = [
        start(),
        delta(0, Delta::Thinking("hm".into())),
        text(2, "Hello"),
        call(5, 1),
        arguments(5, "{}"),
        end(FinishReason::ToolCalls),
    ];
    let mut fold = Fold::new("someone", "m");
    events.iter().for_each(|event| fold.push(event));
    let body = json!({"model": "m", "input": "Hi", "instructions": "S", "temperature": 0.5,
                      "tools": [{"type": "function", "name": "f"}], "reasoning": {"effort": "low"},
                      "text": {"verbosity": "low"}, "metadata": {"a": "b"}});
    let whole = writer(FOREIGN, &body).whole(&fold.finish());
    let whole: Value = serde_json::from_slice(&whole).unwrap();
    let mut out = BytesMut::new();
    let mut streamed = writer(FOREIGN, &body);
    events
        .iter()
        .for_each(|event| streamed.event(event, &mut out));
    let frames = frames(&out);
    check(&frames);
    assert_eq!(whole, frames.last().unwrap().1["response"]);
    for (name, value) in [
        ("object", json!("response")),
        ("created_at", json!(1_700_000_000)),
        ("status", json!("completed")),
        ("error", Value::Null),
        ("incomplete_details", Value::Null),
        ("instructions", json!("S")),
        ("temperature", json!(0.5)),
        ("top_p", Value::Null),
        ("parallel_tool_calls", json!(true)),
        ("tool_choice", json!("auto")),
        ("tools", json!([{"type": "function", "name": "f"}])),
        ("reasoning", json!({"effort": "low", "summary": null})),
        (
            "text",
            json!({"format": {"type": "text"}, "verbosity": "low"}),
        ),
        ("metadata", json!({"a": "b"})),
        ("store", json!(false)),
        ("previous_response_id", Value::Null),
        ("truncation", json!("disabled")),
    ] {
        assert_eq!(whole.get(name), Some(&value), "{name}");
    }
}

#[test]
fn ids_differ_between_requests_and_items() {
    let events = [
        start(),
        text(0, "a"),
        call(1, 1),
        end(FinishReason::ToolCalls),
    ];
    let frames = written(FOREIGN, &events);
    let output = &frames.last().unwrap().1["response"]["output"];
    assert_ne!(output[0]["id"], output[1]["id"]);
    // The same request written again, as a client's retry of a stored reply sees it.
    assert_eq!(frames, written(FOREIGN, &events));
}

#[test]
fn calls_that_all_begin_before_their_arguments_lose_nothing() {
    let call = |part, id: &str| delta(part, Delta::ToolCall(ToolCallStart::new(id, "f")));
    let frames = written(
        "openai.chat",
        &[
            start(),
            call(0, "call_1"),
            call(1, "call_2"),
            delta(0, Delta::Arguments("{\"a\":1}".into())),
            delta(1, Delta::Arguments("{\"b\":2}".into())),
            end(FinishReason::ToolCalls),
        ],
    );
    let output = &frames.last().unwrap().1["response"]["output"];
    assert_eq!(output[0]["arguments"], "{\"a\":1}");
    assert_eq!(output[1]["arguments"], "{\"b\":2}");
}
