//! A model's proofs go through the clients of every protocol and come back to their place.

#![cfg(all(feature = "gemini", feature = "openai", feature = "anthropic"))]
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a failed test is a panic"
)]

use std::collections::BTreeMap;

use aurax_core::{Call, Delivery, Event, Fold, Head, ModelId};
use aurax_providers::anthropic::MessagesInbound;
use aurax_providers::frame::{Frame, FrameParser};
use aurax_providers::gemini::{Gemini, RULES};
use aurax_providers::inbound::{Inbound, Stamp};
use aurax_providers::openai::ChatInbound;
use aurax_providers::responses::ResponsesInbound;
use aurax_providers::wire::{Target, Wire};
use aurax_providers::{RuleBook, Seal};
use bytes::BytesMut;
use serde_json::{Map, Value, json};

const MODEL: &str = "gemini-3-flash-preview";

fn target() -> Target {
    let model = ModelId::parse(MODEL).unwrap();
    Target {
        provider: "gemini".into(),
        rules: RuleBook::parse(RULES).unwrap().of(&model),
        model,
        info: None,
    }
}

/// The events of a reply with these parts.
fn events(parts: &Value, calls: bool) -> Vec<Event> {
    let reply = json!({"candidates": [{"content": {"role": "model", "parts": parts},
        "finishReason": "STOP"}], "modelVersion": MODEL, "responseId": "r1"});
    let target = target();
    let call = Call::chat(target.model.clone(), "Hi");
    let mut decoder = Gemini::new().decoder(&call, &target);
    let mut events = Vec::new();
    decoder
        .frame(Frame::data(&reply.to_string()), &mut events)
        .unwrap();
    decoder.finish(&mut events).unwrap();
    assert_eq!(calls, parts.to_string().contains("functionCall"));
    events
}

/// A protocol's clients: what they send, and what they make of what they get.
struct Client {
    name: &'static str,
    inbound: Box<dyn Inbound>,
    ask: fn(Vec<Value>) -> Value,
    whole: fn(Value) -> Vec<Value>,
    stream: fn(&[Value]) -> Vec<Value>,
    result: fn(&str) -> Value,
}

fn clients() -> [Client; 3] {
    let seal = || Seal::new(b"key");
    [
        Client {
            name: "chat",
            inbound: Box::new(ChatInbound::new().with_seal(seal())),
            ask: |messages| json!({"model": "m", "messages": messages}),
            whole: |reply| vec![reply["choices"][0]["message"].clone()],
            stream: chat_message,
            result: |id| json!({"role": "tool", "tool_call_id": id, "content": "sunny"}),
        },
        Client {
            name: "messages",
            inbound: Box::new(MessagesInbound::new(seal())),
            ask: |messages| json!({"model": "m", "max_tokens": 9, "messages": messages}),
            whole: |reply| vec![json!({"role": "assistant", "content": reply["content"]})],
            stream: |frames| vec![json!({"role": "assistant", "content": blocks(frames)})],
            result: |id| {
                json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id,
                    "content": "sunny"}]})
            },
        },
        Client {
            name: "responses",
            inbound: Box::new(ResponsesInbound::new().with_seal(seal())),
            ask: |items| json!({"model": "m", "input": items}),
            whole: |reply| reply["output"].as_array().unwrap().clone(),
            stream: |frames| {
                let done = |frame: &&Value| frame["type"] == "response.output_item.done";
                let mut items: Vec<Value> = frames.iter().filter(done).cloned().collect();
                items.sort_by_key(|frame| frame["output_index"].as_u64());
                items.iter().map(|frame| frame["item"].clone()).collect()
            },
            result: |id| json!({"type": "function_call_output", "call_id": id, "output": "sunny"}),
        },
    ]
}

/// What the official SDKs put together of a streamed chat.
fn chat_message(frames: &[Value]) -> Vec<Value> {
    let mut message = json!({"role": "assistant", "content": null});
    let mut calls: BTreeMap<u64, Value> = BTreeMap::new();
    for delta in frames
        .iter()
        .filter_map(|frame| frame.pointer("/choices/0/delta"))
    {
        for name in ["content", "reasoning_content"] {
            if let Some(text) = delta[name].as_str() {
                let before = message[name].as_str().unwrap_or_default().to_owned();
                message[name] = json!(before + text);
            }
        }
        if let Some(details) = delta.get("reasoning_details") {
            message["reasoning_details"] = details.clone();
        }
        for piece in delta["tool_calls"].as_array().into_iter().flatten() {
            let call = calls
                .entry(piece["index"].as_u64().unwrap())
                .or_insert_with(|| piece.clone());
            if piece.get("id").is_none() {
                let before = call["function"]["arguments"].as_str().unwrap().to_owned();
                let more = piece["function"]["arguments"].as_str().unwrap();
                call["function"]["arguments"] = json!(before + more);
            }
        }
    }
    if !calls.is_empty() {
        message["tool_calls"] = calls.into_values().collect();
    }
    vec![message]
}

/// What the official SDKs put together of streamed messages.
fn blocks(frames: &[Value]) -> Vec<Value> {
    let mut blocks: Vec<Value> = Vec::new();
    let mut inputs: BTreeMap<usize, String> = BTreeMap::new();
    for frame in frames {
        let at = usize::try_from(frame["index"].as_u64().unwrap_or_default()).unwrap();
        let delta = &frame["delta"];
        let add = |blocks: &mut Vec<Value>, name: &str| {
            let before = blocks[at][name].as_str().unwrap_or_default().to_owned();
            blocks[at][name] = json!(before + delta[name].as_str().unwrap());
        };
        match (frame["type"].as_str().unwrap(), delta["type"].as_str()) {
            ("content_block_start", _) => blocks.push(frame["content_block"].clone()),
            (_, Some("text_delta")) => add(&mut blocks, "text"),
            (_, Some("thinking_delta")) => add(&mut blocks, "thinking"),
            (_, Some("signature_delta")) => blocks[at]["signature"] = delta["signature"].clone(),
            (_, Some("input_json_delta")) => {
                let piece = delta["partial_json"].as_str().unwrap();
                inputs.entry(at).or_default().push_str(piece);
            }
            _ => {}
        }
    }
    for (at, input) in inputs {
        let text = if input.is_empty() { "{}" } else { &input };
        blocks[at]["input"] = serde_json::from_str(text).unwrap();
    }
    blocks
}

/// The items of a reply as each way of delivery hands them to a client.
fn replies(client: &Client, events: &[Event]) -> [(&'static str, Vec<Value>); 2] {
    let asked = (client.ask)(vec![json!({"role": "user", "content": "Hi"})]);
    let incoming = client.inbound.read(asked.to_string().as_bytes()).unwrap();
    let head = Head::new(
        "gemini.generate",
        "gemini",
        ModelId::parse(MODEL).unwrap(),
        Delivery::Streamed,
    );
    let writer = || client.inbound.writer(&incoming, &head, Stamp::new("r1", 7));
    let mut fold = Fold::from_head(&head);
    events.iter().for_each(|event| fold.push(event));
    let whole: Value = serde_json::from_slice(&writer().whole(&fold.finish())).unwrap();
    let (mut out, mut stream) = (BytesMut::new(), writer());
    events
        .iter()
        .for_each(|event| stream.event(event, &mut out));
    let mut frames = Vec::new();
    let mut parser = FrameParser::new(aurax_providers::openai::OpenAi::default().framing());
    let mut read = |frame: Frame<'_>| {
        frames.extend(serde_json::from_str::<Value>(frame.data).ok());
        Ok(())
    };
    parser.push(&out, &mut read).unwrap();
    parser.finish(&mut read).unwrap();
    [
        ("whole", (client.whole)(whole)),
        ("stream", (client.stream)(&frames)),
    ]
}

/// The model's turn in the request that follows, as it goes to the model.
fn sent_back(client: &Client, reply: Vec<Value>, calls: bool) -> Value {
    let mut said = vec![json!({"role": "user", "content": "Hi"})];
    said.extend(reply);
    said.push(match calls {
        true => (client.result)("fc1"),
        false => json!({"role": "user", "content": "Go on"}),
    });
    let body = (client.ask)(said);
    let incoming = client.inbound.read(body.to_string().as_bytes()).unwrap();
    let encoded = Gemini::new().encode(&incoming.call, &target()).unwrap();
    let body: Value = serde_json::from_slice(&encoded.body).unwrap();
    assert_eq!(body["contents"][1]["role"], "model", "{body}");
    body["contents"][1]["parts"].clone()
}

/// Sends a turn through every protocol, whole and streamed; the model gets `expected` back.
fn check(parts: &Value, expected: &Value) {
    let calls = parts.to_string().contains("functionCall");
    let events = events(parts, calls);
    for client in clients() {
        for (how, reply) in replies(&client, &events) {
            let shown = json!(reply);
            let back = sent_back(&client, reply, calls);
            assert_eq!(back, *expected, "{} {how}: {shown}", client.name);
        }
    }
}

fn signed_call() -> Value {
    json!({"functionCall": {"id": "fc1", "name": "get_weather", "args": {"city": "Paris"}},
        "thoughtSignature": "Q29s"})
}

#[test]
fn the_proof_of_a_call_comes_back_on_the_call() {
    check(&json!([signed_call()]), &json!([signed_call()]));
}

#[test]
fn of_calls_made_at_once_only_the_first_has_a_proof() {
    let second = json!({"functionCall": {"id": "fc2", "name": "get_time", "args": {}}});
    let parts = json!([{"text": "Let me see."}, signed_call(), second]);
    check(&parts, &parts);
}

#[test]
fn the_proof_of_words_comes_back_on_the_words() {
    let parts = json!([{"text": "It rains.", "thoughtSignature": "Q29u"}]);
    check(&parts, &parts);
    let parts = json!([{"text": "It rains"}, {"text": " or not.", "thoughtSignature": "Q29v"}]);
    check(&parts, &parts);
}

#[test]
fn a_proof_without_words_comes_back_behind_them() {
    let parts = json!([{"text": "It rains."}, {"text": "", "thoughtSignature": "Q29w"}]);
    check(&parts, &parts);
    let parts = json!([{"text": "", "thoughtSignature": "Q29x"}, signed_call()]);
    check(&parts, &parts);
}

#[test]
fn the_proof_of_thoughts_comes_back_on_the_thoughts() {
    let parts = json!([{"text": "Hm.", "thought": true, "thoughtSignature": "Q29y"},
        {"text": "It rains."}]);
    check(
        &parts,
        &json!([{"thought": true, "text": "Hm.", "thoughtSignature": "Q29y"},
        {"text": "It rains."}]),
    );
}

#[test]
fn words_a_client_changed_go_back_without_a_proof() {
    let events = events(
        &json!([{"text": "It rains.", "thoughtSignature": "Q29u"}]),
        false,
    );
    for client in clients()
        .into_iter()
        .filter(|client| client.name != "responses")
    {
        for (how, reply) in replies(&client, &events) {
            let changed = json!(reply).to_string().replace("It rains.", "It pours.");
            let changed: Vec<Value> = serde_json::from_str(&changed).unwrap();
            let back = sent_back(&client, changed, false);
            assert_eq!(
                back,
                json!([{"text": "It pours."}]),
                "{} {how}",
                client.name
            );
        }
    }
}

/// A seal is opened only by its key, and what it was made for stands in it.
#[test]
fn a_proof_is_not_taken_for_another_call() {
    let events = events(&json!([signed_call()]), true);
    for client in clients()
        .into_iter()
        .filter(|client| client.name != "responses")
    {
        for (how, reply) in replies(&client, &events) {
            let mut reply = reply;
            for item in &mut reply {
                rename(item);
            }
            let mut said = vec![json!({"role": "user", "content": "Hi"})];
            said.extend(reply);
            said.push((client.result)("fc9"));
            let body = (client.ask)(said).to_string();
            let incoming = client.inbound.read(body.as_bytes()).unwrap();
            let encoded = Gemini::new().encode(&incoming.call, &target()).unwrap();
            let body: Value = serde_json::from_slice(&encoded.body).unwrap();
            let proof = &body["contents"][1]["parts"][0]["thoughtSignature"];
            assert_eq!(
                proof, "skip_thought_signature_validator",
                "{} {how}",
                client.name
            );
        }
    }
}

/// Gives the call another id, but for what is sealed.
fn rename(value: &mut Value) {
    match value {
        Value::String(text) if text == "fc1" => *text = "fc9".to_owned(),
        Value::Array(items) => items.iter_mut().for_each(rename),
        Value::Object(fields) => {
            let fields: &mut Map<String, Value> = fields;
            fields.iter_mut().for_each(|(_, value)| rename(value));
        }
        _ => {}
    }
}
