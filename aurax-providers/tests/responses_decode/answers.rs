//! Items of an answer: words, thoughts, calls, and what the domain has no word for.

use aurax_core::{Delta, Event, FinishReason, Part};
use serde_json::{Value, json};

use super::{fold, item, own, reply, stream, stream_of, streamed, whole};

fn message(content: Value) -> Value {
    json!({"id": "msg_1", "type": "message", "role": "assistant", "status": "completed",
           "content": content})
}

fn added(index: u32, item: Value) -> Value {
    json!({"type": "response.output_item.added", "output_index": index, "item": item})
}

fn done(index: u32, item: &Value) -> Value {
    json!({"type": "response.output_item.done", "output_index": index, "item": item})
}

fn delta(kind: &str, index: u32, part: u32, text: &str) -> Value {
    json!({"type": format!("response.{kind}.delta"), "output_index": index,
           "content_index": part, "summary_index": part, "delta": text})
}

#[test]
fn words_sources_and_probabilities_are_the_same_whole_and_streamed() {
    let source = json!({"type": "url_citation", "url": "https://e.org", "title": "E",
                        "start_index": 0, "end_index": 5});
    let token = |text: &str| {
        json!({"token": text, "logprob": -0.5, "bytes": null,
                                    "top_logprobs": []})
    };
    let text = json!({"type": "output_text", "text": "Hello you", "annotations": [source],
                      "logprobs": [token("Hello"), token(" you")]});
    let mut message = message(json!([text, {"type": "refusal", "refusal": "but no"}]));
    message["phase"] = json!("final_answer");
    let reply = reply(json!([message]));
    let mut first = delta("output_text", 0, 0, "Hello");
    first["logprobs"] = json!([token("Hello")]);
    let mut second = delta("output_text", 0, 0, " you");
    second["logprobs"] = json!([token(" you")]);
    let mut begun = message.clone();
    begun["content"] = json!([]);
    let frames = stream_of(
        &reply,
        vec![
            added(0, begun),
            first,
            second,
            json!({"type": "response.output_text.annotation.added", "output_index": 0,
                   "content_index": 0, "annotation_index": 0, "annotation": source}),
            json!({"type": "response.output_text.done", "output_index": 0, "content_index": 0,
                   "text": "Hello you", "logprobs": [token("Hello"), token(" you")]}),
            json!({"type": "response.content_part.done", "output_index": 0, "content_index": 0,
                   "part": text}),
            delta("refusal", 0, 1, "but no"),
            done(0, &message),
        ],
    );
    let answer = whole(&reply).unwrap();
    assert_eq!(answer, streamed(&frames));
    assert_eq!(
        (answer.text(), answer.created),
        ("Hello you".into(), Some(7))
    );
    assert_eq!(answer.finish_reason(), Some(FinishReason::Refusal));
    assert_eq!(answer.choices[0].logprobs.len(), 2);
    let Part::Text(text) = &answer.choices[0].message.parts[0] else {
        panic!("a text comes first");
    };
    let place = item("msg_1").map(|item| item.with_phase(Some("final_answer".into())));
    assert_eq!(text.item, place);
    assert_eq!(text.citations.len(), 1);
    assert_eq!(text.citations[0].url.as_deref(), Some("https://e.org"));
    assert_eq!(
        answer.message().unwrap().refusal().as_deref(),
        Some("but no")
    );
}

#[test]
fn thoughts_keep_summaries_apart_and_take_the_last_proof() {
    let mut thoughts = json!({"id": "rs_1", "type": "reasoning", "status": "completed",
        "summary": [{"type": "summary_text", "text": "one"}, {"type": "summary_text", "text": "two"}],
        "content": [{"type": "reasoning_text", "text": "raw"}],
        "encrypted_content": "final", "format": "f1"});
    let reply = reply(json!([thoughts]));
    let complete = thoughts.clone();
    thoughts["summary"] = json!([]);
    thoughts["content"] = json!([]);
    thoughts["encrypted_content"] = json!("early");
    let frames = stream_of(
        &reply,
        vec![
            added(0, thoughts),
            delta("reasoning_summary_text", 0, 0, "on"),
            delta("reasoning_summary_text", 0, 0, "e"),
            json!({"type": "response.reasoning_summary_text.done", "output_index": 0,
                   "summary_index": 1, "text": "two"}),
            delta("reasoning_text", 0, 0, "raw"),
            done(0, &complete),
        ],
    );
    let answer = whole(&reply).unwrap();
    assert_eq!(answer, streamed(&frames));
    let parts: Vec<_> = answer.choices[0]
        .message
        .parts
        .iter()
        .map(|part| match part {
            Part::Thinking(part) => part.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    let words: Vec<&str> = parts.iter().map(|part| part.text.as_str()).collect();
    assert_eq!(words, ["one", "two", "raw"]);
    let kinds: Vec<_> = parts
        .iter()
        .map(|p| p.item.as_ref().unwrap().kind.as_deref())
        .collect();
    assert_eq!(kinds, [None, None, Some("reasoning_text")]);
    let proofs: Vec<_> = parts.iter().map(|p| p.signature.as_ref()).collect();
    assert_eq!(proofs[..2], [None, None]);
    let proof = proofs[2].unwrap();
    assert_eq!(
        (proof.data.as_str(), &proof.origin),
        ("final", &Some(own()))
    );
    let extra = parts[0].item.as_ref().unwrap().extra.as_ref();
    assert_eq!(extra.unwrap().as_str(), r#"{"format":"f1"}"#);
}

#[test]
fn hidden_thoughts_are_one_empty_part() {
    let answer = whole(&reply(json!([
        {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "x"},
    ])));
    let message = answer.unwrap().into_message();
    let [Part::Thinking(thinking)] = message.parts.as_slice() else {
        panic!("{message:?}");
    };
    assert_eq!(
        (thinking.text.as_str(), &thinking.item),
        ("", &item("rs_1"))
    );
    assert_eq!(thinking.signature.as_ref().unwrap().data, "x");
}

#[test]
fn calls_that_arrive_in_turns_are_kept_apart() {
    let call = |number: u32, arguments: &str| {
        json!({"id": format!("fc_{number}"), "type": "function_call", "status": "completed",
               "call_id": format!("call_{number}"), "name": "f", "arguments": arguments})
    };
    let reply = reply(json!([call(0, "{\"a\":1}"), call(1, "{\"b\":2}")]));
    let more = |index, text| delta("function_call_arguments", index, 0, text);
    let frames = stream_of(
        &reply,
        vec![
            added(0, call(0, "")),
            added(1, call(1, "")),
            more(0, "{\"a\""),
            more(1, "{\"b\":2}"),
            more(0, ":1}"),
            json!({"type": "response.function_call_arguments.done", "output_index": 0,
                   "arguments": "{\"a\":1}"}),
            done(0, &call(0, "{\"a\":1}")),
            done(1, &call(1, "{\"b\":2}")),
        ],
    );
    let answer = whole(&reply).unwrap();
    assert_eq!(answer, streamed(&frames));
    let calls: Vec<_> = answer.tool_calls().cloned().collect();
    assert_eq!(
        (calls[0].id.as_str(), &calls[0].item),
        ("call_0", &item("fc_0"))
    );
    assert_eq!(calls[1].arguments, "{\"b\":2}");
    assert_eq!(answer.finish_reason(), Some(FinishReason::ToolCalls));
}

#[test]
fn complete_values_fill_in_what_the_pieces_lacked_and_do_not_contradict_them() {
    let message = message(json!([{"type": "output_text", "text": "Hello you"}]));
    let reply = reply(json!([message]));
    for (piece, expected) in [("Hello", "Hello you"), ("Hallo", "Hallo")] {
        let pieces = vec![delta("output_text", 0, 0, piece), done(0, &message)];
        let answer = streamed(&stream_of(&reply, pieces));
        assert_eq!(answer.text(), expected);
    }
    // Nothing but the end.
    assert_eq!(streamed(&stream_of(&reply, vec![])).text(), "Hello you");
}

#[test]
fn an_end_without_items_takes_those_that_came() {
    let call = json!({"id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "f",
                      "arguments": "{}"});
    let frames = stream_of(&reply(json!([])), vec![done(0, &call)]);
    let answer = streamed(&frames);
    assert_eq!(answer.tool_calls().count(), 1);
    assert_eq!(answer.finish_reason(), Some(FinishReason::ToolCalls));
}

#[test]
fn other_items_are_kept_as_they_came() {
    let search = json!({"type": "web_search_call", "id": "ws_1", "status": "completed",
                        "action": {"type": "search", "query": "rain"}});
    let custom = json!({"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_1",
                        "name": "sh", "input": "ls"});
    let reply = reply(json!([search, custom]));
    let pieces = vec![
        added(
            0,
            json!({"type": "web_search_call", "id": "ws_1", "status": "in_progress"}),
        ),
        json!({"type": "response.web_search_call.searching", "output_index": 0}),
        done(0, &search),
        json!({"type": "response.custom_tool_call_input.delta", "output_index": 1, "delta": "ls"}),
    ];
    let answer = whole(&reply).unwrap();
    assert_eq!(answer, streamed(&stream_of(&reply, pieces)));
    let parts = &answer.choices[0].message.parts;
    let natives: Vec<_> = parts
        .iter()
        .map(|part| match part {
            Part::Native(native) => (native.kind.as_str(), native.origin.clone()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        natives,
        [
            ("web_search_call", Some(own())),
            ("custom_tool_call", Some(own()))
        ]
    );
    // A custom tool is the caller's to run.
    assert_eq!(answer.finish_reason(), Some(FinishReason::ToolCalls));
    assert_eq!(answer.usage.unwrap().reported.web_searches, Some(1));
}

#[test]
fn ids_come_before_the_first_words() {
    let begun = json!({"id": "msg_1", "type": "message", "role": "assistant", "content": []});
    let message = message(json!([{"type": "output_text", "text": "Hi"}]));
    let pieces = vec![
        added(0, begun),
        delta("output_text", 0, 0, "Hi"),
        done(0, &message),
    ];
    let (events, _) = stream(&stream_of(&reply(json!([message])), pieces));
    let deltas: Vec<&Delta> = events
        .iter()
        .filter_map(|event| match event {
            Event::Delta { delta, .. } => Some(delta),
            _ => None,
        })
        .collect();
    let id = Delta::Item(item("msg_1").unwrap());
    let (nothing, words) = (Delta::Text(String::new()), Delta::Text("Hi".into()));
    assert_eq!(deltas, [&nothing, &id, &words]);
    assert_eq!(fold(&events).text(), "Hi");
}

#[test]
fn numbers_beyond_any_answer_are_passed_over() {
    let pieces = vec![
        delta("output_text", u32::MAX, 0, "far"),
        delta("output_text", 0, u32::MAX, "far"),
        delta("output_text", 0, 0, "near"),
    ];
    let answer = streamed(&stream_of(&reply(json!([])), pieces));
    assert_eq!(answer.text(), "near");
}
