//! What providers of other wires want back goes through clients of this one.

use aurax_core::{
    Delta, Event, FinishReason, Fold, Message, Native, Origin, Part, RedactedThinking, Response,
    Signature, Text, Thinking, ToolCall, ToolCallStart,
};
use serde_json::{Value, json};

use super::{delta, end, request, start, writer, written};

fn signature(data: &str) -> Signature {
    Signature::new(data, Some(Origin::new("anthropic", "claude-opus-4-8")))
}

/// An answer with everything another wire's provider may want back.
fn events() -> Vec<Event> {
    let native = Native::new(signature("").origin, "server_tool_use", r#"{"id":"srv_1"}"#);
    vec![
        start(),
        delta(0, Delta::Thinking("hm".into())),
        delta(0, Delta::Signature(signature("Eq1"))),
        delta(1, Delta::RedactedThinking(signature("Eq2"))),
        delta(2, Delta::Native(native)),
        delta(3, Delta::Text("Hi".into())),
        delta(3, Delta::Signature(signature("Eq3"))),
        delta(4, Delta::ToolCall(ToolCallStart::new("call_1", "f"))),
        delta(4, Delta::Signature(signature("Eq4"))),
        delta(4, Delta::Arguments("{}".into())),
        end(FinishReason::ToolCalls),
    ]
}

fn answer() -> Response {
    let mut fold = Fold::new("anthropic", "claude-opus-4-8");
    events().iter().for_each(|event| fold.push(event));
    fold.finish()
}

/// The items of a reply, sent back by the client.
fn returned(output: &Value) -> Vec<Part> {
    let mut input = vec![json!({"role": "user", "content": "Hi"})];
    input.extend(output.as_array().unwrap().iter().cloned());
    let body = json!({"model": "m", "input": input});
    let messages: Vec<Message> = request(&body).messages.clone();
    messages
        .iter()
        .skip(1)
        .flat_map(|message| message.parts.clone())
        .collect()
}

fn expected() -> Vec<Part> {
    let mut text = Text::new("Hi");
    text.signature = Some(signature("Eq3"));
    let mut call = ToolCall::new("call_1", "f", "{}");
    call.signature = Some(signature("Eq4"));
    vec![
        Thinking::new("hm").with_signature(signature("Eq1")).into(),
        RedactedThinking::new(signature("Eq2")).into(),
        Native::new(signature("").origin, "server_tool_use", r#"{"id":"srv_1"}"#).into(),
        text.into(),
        call.into(),
    ]
}

/// The parts without the ids that were made for the client.
fn plain(mut parts: Vec<Part>) -> Vec<Part> {
    for part in &mut parts {
        match part {
            Part::Text(text) => text.item = None,
            Part::ToolCall(call) => call.item = None,
            _ => {}
        }
    }
    parts
}

#[test]
fn a_stream_carries_it_there_and_back() {
    let frames = written("anthropic.messages", &events());
    let output = &frames.last().unwrap().1["response"]["output"];
    assert_eq!(plain(returned(output)), expected());
}

#[test]
fn a_whole_reply_carries_it_there_and_back() {
    let body = json!({"model": "m", "input": "Hi"});
    let whole = writer("anthropic.messages", &body).whole(&answer());
    let whole: Value = serde_json::from_slice(&whole).unwrap();
    assert_eq!(plain(returned(&whole["output"])), expected());
}

#[test]
fn what_was_tampered_with_is_dropped() {
    let frames = written("anthropic.messages", &events());
    let mut output = frames.last().unwrap().1["response"]["output"].clone();
    for item in output.as_array_mut().unwrap() {
        if let Some(Value::String(text)) = item.get_mut("encrypted_content") {
            text.replace_range(10..11, "!");
        }
    }
    let parts = plain(returned(&output));
    let unsigned = ToolCall::new("call_1", "f", "{}");
    assert_eq!(
        parts,
        [
            Thinking::new("hm").into(),
            Text::new("Hi").into(),
            Part::ToolCall(unsigned)
        ]
    );
}

#[test]
fn what_this_wires_own_provider_signed_stays_as_it_is() {
    let events = [
        start(),
        delta(0, Delta::Thinking(String::new())),
        delta(0, Delta::Signature(Signature::new("gAAA", None))),
        end(FinishReason::Stop),
    ];
    let frames = written("openai.responses", &events);
    let output = &frames.last().unwrap().1["response"]["output"];
    assert_eq!(output[0]["encrypted_content"], "gAAA");
    assert_eq!(output[0]["summary"], json!([]));
}

#[test]
fn thoughts_of_another_wire_that_nobody_signed_are_not_this_wires_own() {
    let events = [
        start(),
        delta(0, Delta::Thinking("hm".into())),
        delta(1, Delta::Text("Hi".into())),
        end(FinishReason::Stop),
    ];
    let frames = written("openai.chat", &events);
    let output = &frames.last().unwrap().1["response"]["output"];
    assert!(output[0]["encrypted_content"].is_string());
    let added = frames
        .iter()
        .find(|(name, _)| name == "response.output_item.added");
    assert!(added.unwrap().1["item"].get("encrypted_content").is_none());
    // Without a proof and without an id a provider of this wire is not given them.
    assert_eq!(
        plain(returned(output)),
        [Thinking::new("hm").into(), Text::new("Hi").into()]
    );
    let mut input = vec![json!({"role": "user", "content": "Hi"})];
    input.extend(output.as_array().unwrap().iter().cloned());
    let incoming = super::read(&json!({"model": "m", "input": input})).unwrap();
    let sent = super::sent(&incoming);
    assert!(!sent["input"].to_string().contains("reasoning"), "{sent}");
}

#[test]
fn thoughts_of_this_wire_that_nobody_signed_stay_its_own() {
    let item = json!({"type": "reasoning", "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "hm"}]});
    let body = json!({"model": "m", "input": [{"role": "user", "content": "Hi"}, item]});
    let sent = super::sent(&super::read(&body).unwrap());
    assert_eq!(sent["input"][1], item);
    let known = aurax_core::Item::new("rs_1");
    let events = [
        start(),
        delta(0, Delta::Thinking(String::new())),
        delta(0, Delta::Item(known)),
        delta(0, Delta::Thinking("hm".into())),
        end(FinishReason::Stop),
    ];
    let frames = written("openai.responses", &events);
    assert_eq!(frames.last().unwrap().1["response"]["output"][0], item);
}

#[test]
fn what_is_sealed_for_one_purpose_is_refused_for_another() {
    let frames = written("anthropic.messages", &events());
    let output = &frames.last().unwrap().1["response"]["output"];
    let proof = output[0]["encrypted_content"].as_str().unwrap();
    for suffix in [".redacted", ".last", ".native-x", ":redacted"] {
        let item = json!({"type": "reasoning", "summary": [],
            "encrypted_content": format!("{proof}{suffix}")});
        assert_eq!(returned(&json!([item])), [], "{suffix}");
    }
}
