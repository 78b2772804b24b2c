//! Counts beside what a provider billed, over recorded chats (`AURAX_CONFORMANCE_DIR`, see
//! CONTRIBUTING.md): requests of text to the token; the rest is tallied, and must be near.
#![cfg(feature = "tiktoken")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;

use aurax_core::{
    CountSource, Function, Json, Message, OutputFormat, Part, Request, Role, TokenCounter,
    ToolCall, ToolResult,
};
use serde_json::Value;

/// Where the recordings of a provider are, and its key in the price book.
const FILES: [(&str, &str); 3] = [
    ("openai.jsonl", "openai"),
    ("copilot.jsonl", "openai"),
    ("openrouter.jsonl", "openrouter"),
];

#[expect(
    clippy::disallowed_methods,
    reason = "a test is told from outside where its data is"
)]
fn folder() -> Option<PathBuf> {
    std::env::var_os("AURAX_CONFORMANCE_DIR").map(PathBuf::from)
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn texts(content: &Value) -> Vec<Part> {
    match content {
        Value::String(text) => vec![Part::from(text.as_str())],
        Value::Array(parts) => parts
            .iter()
            .map(|part| string(&part["text"]).into())
            .collect(),
        _ => Vec::new(),
    }
}

fn message(message: &Value) -> Message {
    let mut parts = texts(&message["content"]);
    let role = match message["role"].as_str().unwrap() {
        "system" => Role::System,
        "developer" => Role::Developer,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        _ => {
            let mut result = ToolResult::for_id(string(&message["tool_call_id"]), "");
            result.content = parts;
            return Message::tool([result]);
        }
    };
    for call in message["tool_calls"].as_array().into_iter().flatten() {
        let function = &call["function"];
        let call = ToolCall::new(
            string(&call["id"]),
            string(&function["name"]),
            string(&function["arguments"]),
        );
        parts.push(call.into());
    }
    let mut message_of = Message::new(role, parts);
    message_of.name = message["name"].as_str().map(str::to_owned);
    message_of
}

fn request(body: &Value) -> Request {
    let mut request = Request::new(body["messages"].as_array().unwrap().iter().map(message));
    let tools = body["tools"].as_array().into_iter().flatten().map(|tool| {
        let mut function = Function::new(string(&tool["function"]["name"]));
        function.description = tool["function"]["description"].as_str().map(str::to_owned);
        function.parameters = Some(Json::from(tool["function"]["parameters"].clone()));
        function
    });
    request = request.with_tools(tools);
    if let Some(schema) = body["response_format"].get("json_schema") {
        request.output = OutputFormat::JsonSchema {
            name: string(&schema["name"]),
            schema: Json::from(schema["schema"].clone()),
            strict: None,
        };
    }
    request
}

#[derive(Default)]
struct Tally {
    equal: u64,
    off: BTreeMap<i64, u64>,
}

#[test]
fn recorded_chats_count_as_they_were_billed() {
    let Some(folder) = folder() else {
        println!("recorded token counts: skipped, AURAX_CONFORMANCE_DIR is not set");
        return;
    };
    let counter = TokenCounter::new();
    let mut tallies: BTreeMap<(&str, &str), Tally> = BTreeMap::new();
    for (file, provider) in FILES {
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        for line in text.lines() {
            let case: Value = serde_json::from_str(line).unwrap();
            let body = &case["request"]["body"];
            let model = string(&body["model"]);
            let billed = case["expected"]["usage"]["input"].as_u64();
            let counts = counter.count_text(Some(provider), &model, "").source;
            let (Some(billed), CountSource::Exact) = (billed, counts) else {
                continue;
            };
            if case["api"] != "openai.chat" {
                continue;
            }
            let request = request(body);
            let count = counter.count_request(Some(provider), &model, &request);
            let kind = match count.source {
                CountSource::Exact => "text",
                _ if !request.tools.is_empty() => "with tools",
                _ if request.output != OutputFormat::Text => "with a schema",
                _ => "with calls and results",
            };
            let off = i64::try_from(count.tokens).unwrap() - i64::try_from(billed).unwrap();
            let tally = tallies.entry((provider, kind)).or_default();
            if off == 0 {
                tally.equal += 1;
            } else {
                *tally.off.entry(off).or_default() += 1;
                assert_ne!(
                    count.source,
                    CountSource::Exact,
                    "{}: off by {off}",
                    case["id"]
                );
                assert!(off.unsigned_abs() <= 24, "{}: off by {off}", case["id"]);
            }
        }
    }
    let mut exact = 0;
    for ((provider, kind), tally) in &tallies {
        let others: u64 = tally.off.values().sum();
        println!(
            "recorded token counts: {provider} {kind}: {} of {} to the token; off by {:?}",
            tally.equal,
            tally.equal + others,
            tally.off,
        );
        exact += if *kind == "text" { tally.equal } else { 0 };
    }
    assert!(exact > 0, "nothing was compared");
}
