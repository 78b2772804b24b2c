//! Fields nobody here knows, at every level of a request, reach a provider of the same wire.

#![cfg(all(
    feature = "openai",
    feature = "anthropic",
    feature = "gemini",
    feature = "ollama"
))]
#![expect(clippy::unwrap_used, reason = "a failed test is a panic")]

use aurax_providers::anthropic::{Anthropic, MessagesInbound};
use aurax_providers::gemini::Gemini;
use aurax_providers::inbound::Inbound;
use aurax_providers::ollama::Ollama;
use aurax_providers::openai::{ChatInbound, OpenAi, Quirks};
use aurax_providers::responses::{self, Responses, ResponsesInbound};
use aurax_providers::wire::{Encoded, Target, Wire};
use aurax_providers::{ModelRules, Seal};
use serde_json::{Value, json};

/// The field nobody knows, and a few bytes of a value.
const FIELD: &str = "x_new";

/// What is sent on of a request.
fn sent(inbound: &dyn Inbound, wire: &dyn Wire, body: &Value) -> Value {
    serde_json::from_slice(&encoded(inbound, wire, body).body).unwrap()
}

fn encoded(inbound: &dyn Inbound, wire: &dyn Wire, body: &Value) -> Encoded {
    let incoming = inbound.read(body.to_string().as_bytes()).unwrap();
    let mut rules = ModelRules::default();
    rules.cache_breakpoints = true;
    let target = Target {
        provider: "p".into(),
        model: incoming.call.model.clone(),
        rules,
        info: None,
    };
    wire.encode(&incoming.call, &target).unwrap()
}

/// Puts the field into every object of `plain` that `takes` one, each alone, and compares.
fn check(inbound: &dyn Inbound, wire: &dyn Wire, plain: &Value, takes: fn(&str) -> bool) -> usize {
    assert_eq!(sent(inbound, wire, plain), *plain, "without the field");
    let mut places = Vec::new();
    objects(plain, String::new(), &mut places);
    places.retain(|place| takes(place));
    for place in &places {
        for value in [json!(1), json!({"a": [null, {"b": "c"}]})] {
            let mut body = plain.clone();
            let object = body.pointer_mut(place).unwrap().as_object_mut().unwrap();
            object.insert(FIELD.to_owned(), value);
            assert_eq!(sent(inbound, wire, &body), body, "{place}");
        }
    }
    places.len()
}

/// The places of all objects.
fn objects(value: &Value, place: String, out: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                objects(value, format!("{place}/{name}"), out);
            }
            out.push(place);
        }
        Value::Array(items) => {
            for (at, value) in items.iter().enumerate() {
                objects(value, format!("{place}/{at}"), out);
            }
        }
        _ => {}
    }
}

/// What is the user's own JSON, and kept as it is anyway; `metadata` takes texts.
fn is_ours(place: &str) -> bool {
    let free = [
        "/schema",
        "/parameters",
        "/input_schema",
        "/input/city",
        "/metadata",
    ];
    free.iter().all(|name| !place.contains(name))
}

#[test]
fn in_chats() {
    let mark = json!({"mode": "explicit"});
    let body = json!({
        "model": "m",
        "messages": [
            {"role": "system", "content": "S"},
            {"role": "user", "name": "ann", "content": [
                {"type": "text", "text": "Look", "prompt_cache_breakpoint": mark},
                {"type": "image_url", "image_url": {"url": "https://a.example/b.png",
                    "detail": "low"}, "prompt_cache_breakpoint": mark},
                {"type": "file", "file": {"filename": "a.pdf",
                    "file_data": "data:application/pdf;base64,AAAA"}},
                {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}]},
            {"role": "assistant", "content": null, "tool_calls": [{"id": "call_1",
                "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
            {"role": "assistant", "content": "It is."},
            {"role": "user", "content": "Go on"}],
        "tools": [{"type": "function", "function": {"name": "f", "description": "d",
            "parameters": {"type": "object"}, "strict": false}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "n",
            "schema": {"type": "object"}, "strict": true}},
        "stream": true,
        "stream_options": {"include_usage": true}
    });
    let wire = OpenAi::new(Quirks::openai());
    assert_eq!(check(&ChatInbound::new(), &wire, &body, is_ours), 25);
    let mut allowed = body;
    let named = json!({"type": "function", "function": {"name": "f"}});
    allowed["tool_choice"] = json!({"type": "allowed_tools", "allowed_tools": {"mode": "auto",
        "tools": [named]}});
    let in_choice = |place: &str| place.starts_with("/tool_choice");
    assert_eq!(check(&ChatInbound::new(), &wire, &allowed, in_choice), 4);
}

#[test]
fn in_fields_of_a_function_and_beside_it() {
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}],
        "tools": [{"type": "function", "x_beside": 1, "function": {"name": "f",
            "parameters": {"type": "object"}, "x_inside": 2}}]});
    let wire = OpenAi::new(Quirks::openai());
    assert_eq!(sent(&ChatInbound::new(), &wire, &body), body);
}

/// Nothing on this wire writes such a mark, so one that says more than the hint goes as it came,
/// beside the wire's own.
#[test]
fn in_marks_of_other_vendors() {
    let mark = json!({"type": "ephemeral", "ttl": "1h", "x_new": 1});
    let body = json!({"model": "m", "messages": [{"role": "user", "content": [
            {"type": "text", "text": "Hi", "cache_control": mark},
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"},
                "cache_control": mark}]}],
        "tools": [{"type": "function", "cache_control": mark, "function": {"name": "f",
            "parameters": {"type": "object"}, "cache_control": mark}}]});
    let wire = OpenAi::new(Quirks::openai());
    let mut expected = body.clone();
    let text = expected.pointer_mut("/messages/0/content/0").unwrap();
    text["prompt_cache_breakpoint"] = json!({"mode": "explicit"});
    assert_eq!(sent(&ChatInbound::new(), &wire, &body), expected);
}

#[test]
fn in_messages() {
    let mark = json!({"type": "ephemeral", "ttl": "5m"});
    let body = json!({
        "model": "m",
        "max_tokens": 4096,
        "system": [{"type": "text", "text": "S", "cache_control": mark}],
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "Look"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png",
                    "data": "AAAA"}},
                {"type": "document", "source": {"type": "url", "url": "https://a.example/b.pdf"},
                    "title": "t", "citations": {"enabled": true}, "cache_control": mark}]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "EqQB"},
                {"type": "redacted_thinking", "data": "EmwK"},
                {"type": "text", "text": "I ask."},
                {"type": "tool_use", "id": "t1", "name": "f", "input": {"city": "Paris"}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1",
                "content": [{"type": "text", "text": "sunny"}], "cache_control": mark}]}],
        "tools": [{"name": "f", "description": "d", "input_schema": {"type": "object"},
            "cache_control": mark}],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": true},
        "thinking": {"type": "enabled", "budget_tokens": 2000},
        "output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}},
        "metadata": {"user_id": "u"}
    });
    let inbound = MessagesInbound::new(Seal::new(b"key"));
    // The input of a call is the model's own.
    let takes = |place: &str| is_ours(place) && !place.ends_with("/input");
    assert_eq!(check(&inbound, &Anthropic::new(), &body, takes), 26);
}

#[test]
fn in_responses() {
    let mark = json!({"mode": "explicit"});
    let body = json!({
        "model": "m",
        "instructions": "S",
        "input": [
            {"role": "user", "content": [
                {"type": "input_text", "text": "Look", "prompt_cache_breakpoint": mark},
                {"type": "input_image", "image_url": "https://a.example/b.png", "detail": "low",
                    "prompt_cache_breakpoint": mark},
                {"type": "input_file", "filename": "a.pdf",
                    "file_data": "data:application/pdf;base64,AAAA"},
                {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}]},
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
            {"type": "reasoning", "id": "rs_2", "summary": [{"type": "summary_text", "text": "a"},
                {"type": "summary_text", "text": "b"}],
                "content": [{"type": "reasoning_text", "text": "c"}], "encrypted_content": "gBBB"},
            {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
                "content": [{"type": "output_text", "text": "I ask."}]},
            {"type": "message", "id": "msg_2", "role": "assistant", "status": "completed",
                "content": [{"type": "refusal", "refusal": "No."}]},
            {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f",
                "arguments": "{}", "status": "completed"},
            {"type": "function_call_output", "call_id": "call_1",
                "output": [{"type": "input_text", "text": "sunny"},
                    {"type": "input_image", "image_url": "https://a.example/c.png"}]},
            {"role": "developer", "content": [{"type": "input_text", "text": "D"}]}],
        "tools": [{"type": "function", "name": "f", "description": "d",
            "parameters": {"type": "object"}, "strict": false}],
        "tool_choice": {"type": "function", "name": "f"},
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"},
            "strict": true}},
        "reasoning": {"effort": "low", "summary": "auto"},
        "store": false,
        "include": ["reasoning.encrypted_content"]
    });
    let wire = Responses::new(responses::Quirks::openai());
    assert_eq!(check(&ResponsesInbound::new(), &wire, &body, is_ours), 29);
}

#[test]
fn what_only_another_wire_knows_is_told() {
    let body = json!({"model": "m", "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "Hi",
            "prompt_cache_breakpoint": {"mode": "explicit", "x_new": 1}}]},
        {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
            "content": [{"type": "refusal", "refusal": "No.", "x_new": 1}]},
        {"role": "user", "content": [{"type": "input_text", "text": "Please"}]}]});
    let wires: [&dyn Wire; 3] = [&Anthropic::new(), &Gemini::new(), &Ollama::new()];
    for wire in wires {
        let encoded = encoded(&ResponsesInbound::new(), wire, &body);
        let subjects = encoded.warnings.iter().map(|warning| &*warning.subject);
        assert_eq!(
            subjects.collect::<Vec<_>>(),
            ["messages[0].parts[0].native", "messages[1].parts[0].native"]
        );
    }
}
