//! Requests, as clients send them and as they are sent on.

use aurax_core::{Op, Request, Result};
use aurax_providers::ModelRules;
use aurax_providers::Seal;
use aurax_providers::anthropic::MessagesInbound;
use aurax_providers::inbound::{Inbound, Incoming};
use aurax_providers::openai::ChatInbound;
use aurax_providers::wire::{Target, Wire};
use serde_json::{Map, Value};

use super::case::Case;
use super::kinds::{Kinds, Seen};
use super::messages;
use super::tally::{Finding, Findings};

/// Fields every request may have: they must be understood, not passed on.
const CHAT: &[&str] = &[
    "model",
    "messages",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "stop",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "n",
    "logprobs",
    "top_logprobs",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "response_format",
    "reasoning_effort",
    "reasoning",
    "thinking",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "user",
    "metadata",
    "store",
    "service_tier",
    "stream",
    "stream_options",
];
const RESPONSES: &[&str] = &[
    "model",
    "input",
    "instructions",
    "max_output_tokens",
    "temperature",
    "top_p",
    "top_logprobs",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "text",
    "reasoning",
    "store",
    "include",
    "truncation",
    "prompt_cache_key",
    "prompt_cache_options",
    "safety_identifier",
    "metadata",
    "service_tier",
    "stream",
];
const MESSAGES: &[&str] = &[
    "model",
    "messages",
    "system",
    "max_tokens",
    "temperature",
    "top_p",
    "top_k",
    "stop_sequences",
    "tools",
    "tool_choice",
    "output_config",
    "output_format",
    "thinking",
    "cache_control",
    "metadata",
    "service_tier",
    "speed",
    "stream",
];

/// The side of a case's wire that clients speak to.
pub(crate) fn inbound(case: &Case) -> Box<dyn Inbound> {
    if case.family() == "anthropic" {
        Box::new(MessagesInbound::new(Seal::new(b"round trip")))
    } else {
        Box::new(ChatInbound::new())
    }
}

/// Reads a recorded request as a client's, with `fields` in place of its own.
pub(crate) fn read(case: &Case, fields: &[(&str, Value)]) -> Result<Incoming> {
    let mut body = case.request.body.clone();
    if let Some(body) = body.as_object_mut() {
        for (name, value) in fields {
            body.insert((*name).to_owned(), value.clone());
        }
    }
    inbound(case).read(body.to_string().as_bytes())
}

pub(crate) fn compare(
    case: &Case,
    wire: &dyn Wire,
    kinds: &Kinds,
    findings: &mut Findings,
) -> Result<()> {
    let incoming = read(case, &[])?;
    let Op::Chat(request) = &incoming.call.op else {
        findings.differ("request", &"a chat", &incoming.call.op);
        return Ok(());
    };
    understood(case, request, findings);
    let target = Target {
        provider: case.provider.as_str().into(),
        model: incoming.call.model.clone(),
        rules: ModelRules::default(),
        info: None,
    };
    let encoded = wire.encode(&incoming.call, &target)?;
    let mut got: Value = serde_json::from_slice(&encoded.body).unwrap_or_default();
    messages::hide_ids(&mut got, &case.provider);
    let mut seen = Seen::default();
    let mut sent = case.request.body.clone();
    if let Some(sent) = sent.as_object_mut() {
        if case.family() == "anthropic" {
            messages::canonical_messages(sent, &mut seen);
        } else {
            messages::canonical_chat(sent, &case.provider, &mut seen);
        }
    }
    differences("", &sent, &got, findings);
    let again = wire.encode(&incoming.call, &target)?;
    findings.equal("the same bytes twice", &encoded.body, &again.body);
    kinds.add(seen);
    Ok(())
}

/// Every request has fields that must be understood, and are not passed on.
pub(crate) fn understood(case: &Case, request: &Request, findings: &mut Findings) {
    let names = match case.family() {
        "anthropic" => MESSAGES,
        "responses" => RESPONSES,
        _ => CHAT,
    };
    let passed_on: Vec<&String> = request
        .extra
        .fields
        .keys()
        .filter(|name| names.contains(&name.as_str()))
        .collect();
    findings.equal(
        "passed on, not understood",
        &Vec::<&String>::new(),
        &passed_on,
    );
    let all: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| case.request.body.get(name).is_some())
        .collect();
    let known = all.len() + request.extra.fields.len();
    let unknown: Map<String, Value> = case
        .request
        .body
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| {
            !names.contains(&name.as_str()) && !request.extra.fields.contains_key(*name)
        })
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let lost: Vec<&String> = unknown
        .keys()
        .filter(|name| *name != "include_reasoning")
        .collect();
    if !lost.is_empty() {
        findings.differ("lost", &known, &lost);
    }
}

/// Compares JSON; numbers by their value.
fn differences(place: &str, expected: &Value, got: &Value, findings: &mut Findings) {
    match (expected, got) {
        (Value::Object(expected), Value::Object(got)) => {
            for (name, value) in expected {
                let other = got.get(name).unwrap_or(&Value::Null);
                differences(&format!("{place}.{name}"), value, other, findings);
            }
            for (name, value) in got {
                if !expected.contains_key(name) {
                    differences(&format!("{place}.{name}"), &Value::Null, value, findings);
                }
            }
        }
        (Value::Array(expected), Value::Array(got)) if expected.len() == got.len() => {
            for (expected, got) in expected.iter().zip(got) {
                differences(&format!("{place}[]"), expected, got, findings);
            }
        }
        (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() => {}
        _ if expected == got => {}
        _ => {
            let detail = format!("expected {expected}, got {got}");
            let detail: String = detail.chars().take(400).collect();
            findings.differences.push(Finding::new(place, detail));
        }
    }
}
