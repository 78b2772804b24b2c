//! What a request means whichever of its forms it is written in.

#![expect(clippy::indexing_slicing, reason = "a failed test is a panic")]

use serde_json::{Map, Value, json};

use super::kinds::Seen;

pub(crate) const TEXT: &str = "messages and their words have one form";
const USAGE: &str = "a stream's usage is asked for wherever that can be asked";
pub(crate) const NOTHING: &str = "fields that say nothing are left out";
const VENDOR: &str = "settings and ids take the form the vendor wants";
const UNKNOWN: &str = "what the vendor is not known to take is left out";
pub(crate) const TURNS: &str = "turns are merged and ordered as the vendor wants them";

/// Vendors the round trip has no presets for: they get what every server takes.
const COMPATIBLE: [&str; 4] = ["copilot", "doubleword", "mistralrs", "venice"];

type Object = Map<String, Value>;

/// Brings a chat completion into the form it is sent to `provider` in.
pub(crate) fn canonical_chat(body: &mut Object, provider: &str, seen: &mut Seen) {
    settings(body, provider, seen);
    let streams = body.get("stream") == Some(&json!(true));
    let wanted = (streams && provider != "mistral").then(|| json!({"include_usage": true}));
    if body.get("stream_options") != wanted.as_ref() {
        seen.note(USAGE);
        set(body, "stream_options", wanted);
    }
    let Some(Value::Array(messages)) = body.get_mut("messages") else {
        return;
    };
    tool_media(messages, seen);
    for message in messages.iter_mut().filter_map(Value::as_object_mut) {
        texts(message, seen);
        history(message, provider, seen);
    }
}

fn settings(body: &mut Object, provider: &str, seen: &mut Seen) {
    if body.get("tool_choice") == Some(&Value::Null) {
        body.remove("tool_choice");
        seen.note(NOTHING);
    }
    if body.get("top_logprobs") == Some(&json!(0)) {
        body.remove("top_logprobs");
        seen.note(NOTHING);
    }
    if provider == "openai"
        && let Some(limit) = body.remove("max_tokens")
    {
        body.insert("max_completion_tokens".into(), limit);
        seen.note(VENDOR);
    }
    if provider == "deepseek"
        && body.contains_key("reasoning_effort")
        && !body.contains_key("thinking")
    {
        body.insert("thinking".into(), json!({"type": "enabled"}));
        seen.note(VENDOR);
    }
    if let Some(Value::Bool(shown)) = body.remove("include_reasoning") {
        let reasoning = body.entry("reasoning").or_insert_with(|| json!({}));
        reasoning["exclude"] = json!(!shown);
        seen.note(VENDOR);
    }
    if COMPATIBLE.contains(&provider) && body.remove("prompt_cache_key").is_some() {
        seen.note(UNKNOWN);
    }
}

/// Media of a tool's answer follow in a message of the user's.
fn tool_media(messages: &mut Vec<Value>, seen: &mut Seen) {
    let Some(at) = messages.iter().position(|message| {
        let content = message.get("content").and_then(Value::as_array);
        let has_media = content.is_some_and(|parts| parts.iter().any(|p| p["type"] != "text"));
        message["role"] == "tool" && has_media
    }) else {
        return;
    };
    seen.note(TURNS);
    let name = messages
        .iter()
        .filter_map(|message| message.get("tool_calls")?.as_array())
        .flatten()
        .find(|call| call["id"] == messages[at]["tool_call_id"])
        .map(|call| {
            format!(
                "What {} returned:",
                call["function"]["name"].as_str().unwrap_or("-")
            )
        });
    let media = std::mem::replace(&mut messages[at]["content"], json!(""));
    let mut parts = vec![json!({"type": "text", "text": name})];
    parts.extend(media.as_array().cloned().unwrap_or_default());
    messages.insert(at + 1, json!({"role": "user", "content": parts}));
}

/// Lists of texts alone are one text.
fn texts(message: &mut Object, seen: &mut Seen) {
    let Some(parts) = message.get("content").and_then(Value::as_array) else {
        return;
    };
    let texts: Option<Vec<&str>> = parts
        .iter()
        .map(|part| {
            part.get("text")
                .filter(|_| part["type"] == "text")?
                .as_str()
        })
        .collect();
    let joint = match message.get("role").and_then(Value::as_str) {
        Some("assistant") => "",
        _ if parts.len() == 1 => "",
        _ => return,
    };
    if let Some(texts) = texts {
        message.insert("content".into(), json!(texts.join(joint)));
        seen.note(TEXT);
    }
}

/// Turns of the model's, and their tools.
fn history(message: &mut Object, provider: &str, seen: &mut Seen) {
    let calls = message.get_mut("tool_calls").and_then(Value::as_array_mut);
    let has_calls = calls.is_some();
    for call in calls.into_iter().flatten().filter_map(Value::as_object_mut) {
        if call.remove("index").is_some() {
            seen.note(NOTHING);
        }
        if provider == "mistral" {
            call.insert("id".into(), json!("?"));
            seen.note(VENDOR);
        }
    }
    if provider == "mistral" && message.contains_key("tool_call_id") {
        message.insert("tool_call_id".into(), json!("?"));
        seen.note(VENDOR);
    }
    if COMPATIBLE.contains(&provider) && message.remove("reasoning_content").is_some() {
        seen.note(UNKNOWN);
    }
    if provider == "deepseek" && has_calls && !message.contains_key("reasoning_content") {
        message.insert("reasoning_content".into(), json!(""));
        seen.note(VENDOR);
    }
}

/// Ids the recorder put in the place of those Mistral takes become others on the way.
pub(crate) fn hide_ids(body: &mut Value, provider: &str) {
    if provider != "mistral" {
        return;
    }
    let messages = body.get_mut("messages").and_then(Value::as_array_mut);
    for message in messages
        .into_iter()
        .flatten()
        .filter_map(Value::as_object_mut)
    {
        if message.contains_key("tool_call_id") {
            message.insert("tool_call_id".into(), json!("?"));
        }
        let calls = message.get_mut("tool_calls").and_then(Value::as_array_mut);
        for call in calls.into_iter().flatten() {
            call["id"] = json!("?");
        }
    }
}

/// Brings messages into the form they are sent in.
pub(crate) fn canonical_messages(body: &mut Object, seen: &mut Seen) {
    turns(body, seen);
    let system = body.get("system").and_then(Value::as_array);
    if let Some([block]) = system.map(Vec::as_slice)
        && block.get("cache_control").is_none()
    {
        let text = block["text"].clone();
        body.insert("system".into(), text);
        seen.note(TEXT);
    }
}

/// One turn after another, the user's first; instructions at the top.
fn turns(body: &mut Object, seen: &mut Seen) {
    let Some(Value::Array(messages)) = body.remove("messages") else {
        return;
    };
    let before = messages.len();
    let mut turns: Vec<Value> = Vec::new();
    for mut message in messages {
        if message["role"] == "system" {
            body.insert("system".into(), message["content"].take());
            continue;
        }
        match turns
            .last_mut()
            .filter(|last| last["role"] == message["role"])
        {
            Some(last) => {
                let more = message["content"].as_array().cloned().unwrap_or_default();
                if let Some(content) = last["content"].as_array_mut() {
                    content.extend(more);
                }
            }
            None => turns.push(message),
        }
    }
    if turns
        .first()
        .is_some_and(|turn| turn["role"] == "assistant")
    {
        turns.insert(
            0,
            json!({"role": "user", "content": [{"type": "text", "text": "."}]}),
        );
    }
    if turns.len() != before {
        seen.note(TURNS);
    }
    body.insert("messages".into(), Value::Array(turns));
}

fn set(body: &mut Object, name: &str, value: Option<Value>) {
    match value {
        Some(value) => body.insert(name.to_owned(), value),
        None => body.remove(name),
    };
}
