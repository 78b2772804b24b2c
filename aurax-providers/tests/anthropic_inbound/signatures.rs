//! Proofs of thoughts, through clients and back.

use aurax_core::{
    Call, Delta, FinishReason, Message, ModelId, Origin, Part, Request, Signature, Thinking,
};
use aurax_providers::anthropic::Anthropic;
use aurax_providers::wire::{Target, Wire};
use aurax_providers::{ModelRules, Seal};
use serde_json::{Value, json};

use super::{OWN, chat, end, parts, read, said, stream, text, thinking, whole};

const OTHER: &str = "gemini.generate";

fn target(provider: &str) -> Target {
    Target {
        provider: provider.into(),
        model: ModelId::parse("m").unwrap(),
        rules: ModelRules::default(),
        info: None,
    }
}

/// The blocks of the assistant's turn that go to a provider of this wire.
fn sent_on(content: &Value) -> Value {
    let body = json!({"model": "m", "max_tokens": 9, "messages": [
        {"role": "user", "content": "U"},
        {"role": "assistant", "content": content},
        {"role": "user", "content": "V"}]});
    let encoded = Anthropic::new()
        .encode(&read(&body).call, &target("anthropic"))
        .unwrap();
    let body: Value = serde_json::from_slice(&encoded.body).unwrap();
    body["messages"][1]["content"].clone()
}

#[test]
fn signatures_of_this_wire_pass_as_they_are() {
    let content = json!([
        {"type": "thinking", "thinking": "hm", "signature": "EqQB"},
        {"type": "thinking", "thinking": "", "signature": "EqQC"},
        {"type": "redacted_thinking", "data": "RED"},
        {"type": "text", "text": "A"}]);
    assert_eq!(sent_on(&content), content);
    // No other wire is given them: nobody knows whose they are.
    let Part::Thinking(thought) = parts("assistant", &content).remove(0) else {
        panic!()
    };
    let signature = thought.signature.unwrap();
    assert!(!signature.is_for(&Origin::new("anthropic", "m")));
    assert!(signature.is_for_wire(&Origin::new("anthropic", "m"), OWN));
}

#[test]
fn signatures_of_other_wires_come_back_through_the_client() {
    let origin = Origin::new("gemini", "flash");
    let signature = Signature::new("thought-signature", Some(origin));
    let events = [
        thinking(0, "hm"),
        said(0, Delta::Signature(signature.clone())),
        said(1, Delta::RedactedThinking(signature.clone())),
        text(2, "A"),
        end(FinishReason::Stop),
    ];
    let reply = whole(OTHER, &events);
    let sealed = reply["content"][0]["signature"].as_str().unwrap();
    assert!(sealed.starts_with("aurax1."), "{sealed}");
    let streamed = stream(OTHER, &events);
    assert!(
        streamed
            .iter()
            .any(|frame| frame["delta"]["signature"] == sealed)
    );
    let back = parts("assistant", &reply["content"]);
    let Part::Thinking(thought) = &back[0] else {
        panic!()
    };
    assert_eq!(thought.text, "hm");
    assert_eq!(thought.signature.as_ref(), Some(&signature));
    let Part::RedactedThinking(redacted) = &back[1] else {
        panic!()
    };
    assert_eq!(redacted.data, signature);
    // A provider of this wire is not given what another one signed.
    assert_eq!(
        sent_on(&reply["content"]),
        json!([{"type": "text", "text": "A"}])
    );
}

#[test]
fn thoughts_nobody_signed_come_back_unsigned() {
    let events = [thinking(0, "hm"), text(1, "A"), end(FinishReason::Stop)];
    let reply = whole("openai.chat", &events);
    let back = parts("assistant", &reply["content"]);
    assert_eq!(back[0], Part::Thinking(Thinking::new("hm")));
    let streamed = stream("openai.chat", &events);
    let proof = reply["content"][0]["signature"].clone();
    assert!(
        streamed
            .iter()
            .any(|frame| frame["delta"]["signature"] == proof)
    );
}

#[test]
fn what_another_key_sealed_or_nobody_is_left_out() {
    let foreign = Seal::new(b"another").wrap(&Signature::new("x", None));
    let content = json!([
        {"type": "thinking", "thinking": "hm", "signature": foreign},
        {"type": "thinking", "thinking": "hm", "signature": "aurax1.AAAA"},
        {"type": "redacted_thinking", "data": foreign},
        {"type": "text", "text": "A"}]);
    let back = parts("assistant", &content);
    assert_eq!(back.len(), 3);
    assert!(
        back[..2]
            .iter()
            .all(|part| *part == Part::Thinking(Thinking::new("hm")))
    );
    assert_eq!(sent_on(&content), json!([{"type": "text", "text": "A"}]));
}

#[test]
fn blocks_a_client_supplied_over_another_wire_are_left_out() {
    let native = aurax_core::Native::of_client("openai.chat", "video_url", "{}");
    let request = Request::new([Message::user("Hi").with(native)]);
    let call = Call::chat(ModelId::parse("m").unwrap(), request);
    let encoded = Anthropic::new()
        .encode(&call, &target("anthropic"))
        .unwrap();
    let body: Value = serde_json::from_slice(&encoded.body).unwrap();
    assert_eq!(
        body["messages"][0]["content"],
        json!([{"type": "text", "text": "Hi"}])
    );
    assert_eq!(encoded.warnings.len(), 1);
}

#[test]
fn what_this_server_made_up_for_a_source_is_not_sent_on() {
    let made_up = json!({"type": "web_search_result_location", "url": "https://a.example",
        "title": "t", "cited_text": "", "encrypted_index": ""});
    let content = json!([{"type": "text", "text": "A", "citations": [made_up]}]);
    assert_eq!(sent_on(&content), json!([{"type": "text", "text": "A"}]));
    let own = json!({"type": "web_search_result_location", "url": "https://a.example",
        "title": "t", "cited_text": "", "encrypted_index": "Eo8B"});
    let content = json!([{"type": "text", "text": "A", "citations": [own]}]);
    assert_eq!(sent_on(&content), content);
    let request = chat(&read(&json!({"model": "m", "max_tokens": 9, "messages": [
        {"role": "assistant", "content": content}]})));
    let Part::Text(text) = &request.messages[0].parts[0] else {
        panic!()
    };
    assert_eq!(text.citations[0].url.as_deref(), Some("https://a.example"));
}
