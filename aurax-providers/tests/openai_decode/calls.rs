//! Tool calls, however they arrive.

use std::collections::HashSet;

use aurax_core::{ErrorKind, Message, Request, Role, ToolCall};
use serde_json::{Value, json};

use super::{Asked, asked, called, kinds, reply, stream};

fn whole(calls: Value) -> Value {
    reply(
        json!({"role": "assistant", "content": null, "tool_calls": calls}),
        "tool_calls",
    )
}

fn pieces(lists: &[Value]) -> Vec<Value> {
    let deltas: Vec<Value> = lists
        .iter()
        .map(|list| json!({"tool_calls": list}))
        .collect();
    stream(&deltas, "tool_calls")
}

fn two() -> Value {
    whole(json!([
        {"id": "call_a", "type": "function", "function": {"name": "f", "arguments": "{\"x\":1}"}},
        {"id": "call_b", "type": "function", "function": {"name": "g", "arguments": "{}"}},
    ]))
}

fn expected() -> Vec<(String, String, String)> {
    vec![
        ("call_a".into(), "f".into(), "{\"x\":1}".into()),
        ("call_b".into(), "g".into(), "{}".into()),
    ]
}

fn begin(index: Value, id: &str, name: &str, arguments: Value) -> Value {
    json!({"index": index, "id": id, "type": "function",
        "function": {"name": name, "arguments": arguments}})
}

fn more(index: Value, arguments: &str) -> Value {
    json!({"index": index, "function": {"arguments": arguments}})
}

/// Streams of the same two calls in all the ways servers have.
#[test]
fn two_calls_are_the_same_however_they_are_streamed() {
    let null = || Value::Null;
    let ways: [(&str, Vec<Value>); 11] = [
        (
            "first id and name, then arguments",
            vec![
                json!([begin(json!(0), "call_a", "f", json!(""))]),
                json!([more(json!(0), "{\"x\"")]),
                json!([more(json!(0), ":1}")]),
                json!([begin(json!(1), "call_b", "g", json!(""))]),
                json!([more(json!(1), "{}")]),
            ],
        ),
        (
            "interleaved",
            vec![
                json!([begin(json!(0), "call_a", "f", json!(""))]),
                json!([begin(json!(1), "call_b", "g", json!("{"))]),
                json!([more(json!(0), "{\"x\":1}")]),
                json!([more(json!(1), "}")]),
            ],
        ),
        (
            "several in one chunk",
            vec![
                json!([
                    begin(json!(0), "call_a", "f", json!("{\"x\":1")),
                    begin(json!(1), "call_b", "g", json!("")),
                ]),
                json!([more(json!(0), "}"), more(json!(1), "{}")]),
            ],
        ),
        (
            "the second first",
            vec![
                json!([begin(json!(1), "call_b", "g", json!("{}"))]),
                json!([begin(json!(0), "call_a", "f", json!("{\"x\":1}"))]),
            ],
        ),
        (
            "id and name repeated with every piece",
            vec![
                json!([begin(json!(0), "call_a", "f", json!("{\"x\""))]),
                json!([begin(json!(0), "call_a", "f", json!(":1}"))]),
                json!([begin(json!(1), "call_b", "g", json!("{"))]),
                json!([begin(json!(1), "call_b", "g", json!("}"))]),
            ],
        ),
        (
            "no index: by id",
            vec![
                json!([begin(null(), "call_a", "f", json!("{\"x\""))]),
                json!([begin(null(), "call_b", "g", json!("{"))]),
                json!([begin(null(), "call_a", "f", json!(":1}"))]),
                json!([begin(null(), "call_b", "g", json!("}"))]),
            ],
        ),
        (
            "no index and no id: the last one",
            vec![
                json!([begin(null(), "call_a", "f", json!(""))]),
                json!([more(null(), "{\"x\":1}")]),
                json!([begin(null(), "call_b", "g", json!(""))]),
                json!([more(null(), "{}")]),
            ],
        ),
        (
            "every index 0",
            vec![
                json!([begin(json!(0), "call_a", "f", json!("{\"x\""))]),
                json!([more(json!(0), ":1}")]),
                json!([begin(json!(0), "call_b", "g", json!("{"))]),
                json!([more(json!(0), "}")]),
            ],
        ),
        (
            "arguments as an object",
            vec![
                json!([begin(json!(0), "call_a", "f", json!({"x": 1}))]),
                json!([begin(json!(1), "call_b", "g", json!({}))]),
            ],
        ),
        (
            "the name after the arguments",
            vec![
                json!([{"index": 0, "id": "call_a", "function": {"arguments": "{\"x\":"}}]),
                json!([begin(json!(0), "call_a", "f", json!("1}"))]),
                json!([begin(json!(1), "call_b", "g", json!("{}"))]),
            ],
        ),
        (
            "another id with every piece",
            vec![
                json!([begin(json!(0), "call_a", "f", json!("{\"x\""))]),
                json!([{"index": 0, "id": "call_z", "function": {"name": null, "arguments": ":1}"}}]),
                json!([begin(json!(1), "call_b", "g", json!("{}"))]),
            ],
        ),
    ];
    for (way, lists) in ways {
        let response = asked("openai").both(&two(), &pieces(&lists));
        assert_eq!(called(&response), expected(), "{way}");
    }
}

#[test]
fn a_whole_list_is_read_by_place() {
    let mut reply = two();
    for call in reply["choices"][0]["message"]["tool_calls"]
        .as_array_mut()
        .unwrap()
    {
        call["index"] = json!(0);
    }
    let response = asked("openai").whole(&reply).unwrap();
    assert_eq!(called(&response), expected());
}

#[test]
fn no_arguments_stay_none() {
    for arguments in [json!(""), Value::Null] {
        let call = json!([begin(json!(0), "call_a", "f", arguments)]);
        let response = asked("openai").both(&whole(call.clone()), &pieces(&[call]));
        let call = response.tool_calls().next().unwrap();
        assert_eq!(call.arguments, "");
        assert_eq!(call.arguments_json(), "{}");
    }
    let call = json!([begin(json!(0), "call_a", "f", json!("null"))]);
    let response = asked("groq").both(&whole(call.clone()), &pieces(&[call]));
    assert_eq!(response.tool_calls().next().unwrap().arguments, "null");
}

#[test]
fn arguments_keep_the_models_own_bytes() {
    let text = "{\"a\" : 1.50,\"é\":\"\\u0041\"";
    let call = json!([begin(json!(0), "call_a", "f", json!(text))]);
    let response = asked("openai").both(&whole(call.clone()), &pieces(&[call]));
    assert_eq!(response.tool_calls().next().unwrap().arguments, text);
}

fn without_ids() -> Value {
    json!([
        {"function": {"name": "f", "arguments": "{}"}},
        {"function": {"name": "f", "arguments": "{}"}},
    ])
}

#[test]
fn a_call_without_an_id_gets_one() {
    let streamed = pieces(&[
        json!([{"index": 0, "function": {"name": "f", "arguments": "{"}}]),
        json!([{"index": 0, "function": {"arguments": "}"}}]),
        json!([{"index": 1, "function": {"name": "f", "arguments": "{}"}}]),
    ]);
    let first = asked("openai").both(&whole(without_ids()), &streamed);
    let again = asked("openai").whole(&whole(without_ids())).unwrap();
    assert_eq!(called(&first), called(&again));

    // Another turn of the conversation, and another reply, give other ids.
    let earlier = Message::new(
        Role::Assistant,
        vec![ToolCall::new("call_0", "f", "{}").into()],
    );
    let later = Asked::new("openai", Request::new([Message::user("go"), earlier]));
    let later = later.whole(&whole(without_ids())).unwrap();
    let mut other = whole(without_ids());
    other["id"] = json!("chatcmpl-2");
    let other = asked("openai").whole(&other).unwrap();

    let ids: HashSet<String> = [first, later, other]
        .iter()
        .flat_map(|response| called(response).into_iter().map(|(id, ..)| id))
        .collect();
    assert_eq!(ids.len(), 6, "{ids:?}");
    assert!(
        ids.iter()
            .all(|id| id.starts_with("call_") && id.len() == 14)
    );
}

#[test]
fn the_older_form_of_a_call_is_read() {
    let call = json!({"name": "f", "arguments": "{\"x\":1}"});
    let response = asked("openai").both(
        &reply(
            json!({"role": "assistant", "content": null, "function_call": call}),
            "function_call",
        ),
        &stream(
            &[
                json!({"role": "assistant", "function_call": {"name": "f", "arguments": ""}}),
                json!({"function_call": {"arguments": "{\"x\""}}),
                json!({"function_call": {"arguments": ":1}"}}),
            ],
            "function_call",
        ),
    );
    let calls = called(&response);
    assert_eq!((&*calls[0].1, &*calls[0].2), ("f", "{\"x\":1}"));
    assert_eq!(calls.len(), 1);
}

#[test]
fn calls_of_custom_tools_are_kept_as_they_are() {
    let call =
        json!([{"id": "call_a", "type": "custom", "custom": {"name": "run", "input": "ls -l"}}]);
    let response = asked("openai").both(
        &whole(call),
        &pieces(&[
            json!([{"index": 0, "id": "call_a", "type": "custom", "custom": {"name": "run", "input": ""}}]),
            json!([{"index": 0, "custom": {"input": "ls"}}]),
            json!([{"index": 0, "custom": {"input": " -l"}}]),
        ]),
    );
    assert_eq!(kinds(&response), ["native"]);
}

#[test]
fn words_may_come_with_calls_and_null_lists_are_none() {
    let call = json!([begin(json!(0), "call_a", "f", json!("{}"))]);
    let response = asked("openai-compatible").both(
        &reply(
            json!({"role": "assistant", "content": "One moment.", "tool_calls": call}),
            "stop",
        ),
        &stream(
            &[
                json!({"role": "assistant", "content": "One moment.", "tool_calls": null}),
                json!({"role": null, "content": null, "tool_calls": call}),
            ],
            "stop",
        ),
    );
    assert_eq!(kinds(&response), ["text", "tool_call"]);
}

/// An answer that lacks calls and says nothing of it would be worse than none.
#[test]
fn more_calls_than_any_answer_has_are_an_error() {
    let call = |n: usize| begin(json!(n), &format!("call_{n}"), "f", json!("{}"));
    let calls = |count: usize| Value::from((0..count).map(call).collect::<Vec<_>>());
    let asked = asked("openai");
    for (count, is_read) in [(1024, true), (1025, false)] {
        for result in [
            asked.whole(&whole(calls(count))),
            asked.stream(&pieces(&[calls(count)])),
        ] {
            let read = result.map(|response| response.tool_calls().count());
            match read {
                Ok(read) => assert!(is_read && read == count, "{read} of {count}"),
                Err(error) => {
                    assert!(!is_read, "{error}");
                    assert_eq!(error.kind(), ErrorKind::Decode);
                }
            }
        }
    }
}
