//! Compares usage: what the SDK reported, brought to the engine's convention.

use aurax_core::{Response, Totals};
use serde_json::{Map, Value};

use super::case::Case;
use super::tally::Findings;

type Number = fn(&Totals) -> Option<u64>;

/// The numbers a case may name.
const NUMBERS: [(&str, Number); 14] = [
    ("input", |t| t.input),
    ("output", |t| t.output),
    ("total", |t| t.total),
    ("cache_read", |t| t.cache_read),
    ("cache_write", |t| t.cache_write),
    ("cache_write_5m", |t| t.cache_write_5m),
    ("cache_write_1h", |t| t.cache_write_1h),
    ("reasoning", |t| t.reasoning),
    ("audio_input", |t| t.input_audio),
    ("audio_output", |t| t.output_audio),
    ("accepted_prediction", |t| t.accepted_prediction),
    ("rejected_prediction", |t| t.rejected_prediction),
    ("tool_use_input", |t| t.tool_use_input),
    ("web_searches", |t| t.web_searches),
];

/// Compares every number; one the SDK did not report must be absent.
pub(crate) fn compare(
    case: &Case,
    expected: &Map<String, Value>,
    got: &Response,
    findings: &mut Findings,
) {
    let expected = inclusive(case, expected);
    let reported = got.usage.as_ref().map(|usage| usage.reported.clone());
    let reported = reported.unwrap_or_default();
    for (name, of) in NUMBERS {
        let field = format!("usage.{name}");
        findings.equal(&field, &number(&expected, name), &of(&reported));
    }
    for name in expected.keys() {
        if NUMBERS.iter().all(|(known, _)| known != name) {
            findings.differ("usage", &"a number this harness knows", name);
        }
    }
}

/// The SDK's numbers with input that includes every medium and what came from and went to the
/// cache, and output that includes everything generated.
fn inclusive(case: &Case, expected: &Map<String, Value>) -> Map<String, Value> {
    let object = |field| expected.get(field).and_then(Value::as_object).cloned();
    let mut usage = object("usage").unwrap_or_default();
    let raw = object("usage_raw").unwrap_or_default();
    match (case.api.as_str(), case.provider.as_str()) {
        // Anthropic counts input beside its cache.
        ("anthropic.messages", _) => {
            let cache = [number(&usage, "cache_read"), number(&usage, "cache_write")];
            add(&mut usage, "input", &cache);
        }
        // Gemini counts thoughts beside the answer, and what tools put into the prompt beside it.
        ("gemini.generate", _) => {
            let thoughts = [number(&usage, "reasoning")];
            add(&mut usage, "output", &thoughts);
            let tools = [number(&usage, "tool_use_input")];
            add(&mut usage, "input", &tools);
        }
        // Mistral counts sound beside the prompt, and bills it by the second.
        ("openai.chat", "mistral") => {
            let sound = [number(&usage, "audio_input")];
            add(&mut usage, "input", &sound);
        }
        // xAI counts thoughts beside the completion.
        ("openai.chat", "xai") => {
            let thoughts = [number(&usage, "reasoning")];
            add(&mut usage, "output", &thoughts);
        }
        // Perplexity does too, and has thoughts, citations and searches in fields of its own.
        ("openai.chat", "perplexity") => {
            let thoughts = number(&raw, "reasoning_tokens");
            let beside = [thoughts, number(&raw, "citation_tokens")];
            add(&mut usage, "output", &beside);
            add(&mut usage, "reasoning", &[thoughts]);
            add(
                &mut usage,
                "web_searches",
                &[number(&raw, "num_search_queries")],
            );
        }
        _ => {}
    }
    usage
}

fn number(usage: &Map<String, Value>, name: &str) -> Option<u64> {
    usage.get(name).and_then(Value::as_u64)
}

/// Adds the parts that were reported; where none was, nothing changes.
fn add(usage: &mut Map<String, Value>, whole: &str, parts: &[Option<u64>]) {
    let reported = parts
        .iter()
        .copied()
        .flatten()
        .reduce(|sum, part| sum + part);
    if let Some(parts) = reported {
        let sum = number(usage, whole).unwrap_or_default() + parts;
        usage.insert(whole.to_owned(), sum.into());
    }
}
