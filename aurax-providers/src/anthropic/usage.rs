//! Usage: what Anthropic counts, in the convention of the engine.
//!
//! Facts: <https://platform.claude.com/docs/en/api/messages> (`usage`), and for `iterations`
//! <https://platform.claude.com/docs/en/build-with-claude/compaction>.

use std::collections::BTreeMap;

use aurax_core::{Iteration, Json, Money, Totals, Usage};

use crate::raw::RawObject;

/// Reads a usage object, whose own text is `raw`.
///
/// * `input_tokens` leaves cached tokens out, so reads and writes are added to it.
/// * `output_tokens` includes thinking.
/// * Runs in `iterations` are billed apart, see [`iterations`]; one of a type that is not known is
///   billed at its model and named in the price context as `iteration`, which no price has, so the
///   cost says that it may be incomplete.
/// * A `cost` is what a gateway charges; Anthropic itself sends none.
pub(super) fn read(object: &RawObject, raw: &Json) -> Usage {
    let mut totals = totals(object);
    totals.reasoning = object
        .object("output_tokens_details")
        .and_then(|details| details.count("thinking_tokens"));
    totals.web_searches = object
        .object("server_tool_use")
        .and_then(|tools| tools.count("web_search_requests"));
    let mut usage = Usage::from_totals(totals);
    usage.price_context = price_context(object);
    let (runs, unknown) = iterations(object);
    if let Some(kind) = unknown {
        usage.price_context.insert("iteration".to_owned(), kind);
    }
    usage.reported_cost = object.get("cost").and_then(money);
    usage.raw = Some(raw.clone());
    usage.with_iterations(runs)
}

fn totals(object: &RawObject) -> Totals {
    let split = object.object("cache_creation").unwrap_or_default();
    let mut totals = Totals::default();
    totals.output = object.count("output_tokens");
    totals.cache_read = object.count("cache_read_input_tokens");
    totals.cache_write_5m = split.count("ephemeral_5m_input_tokens");
    totals.cache_write_1h = split.count("ephemeral_1h_input_tokens");
    totals.cache_write = object
        .count("cache_creation_input_tokens")
        .or_else(|| sum([totals.cache_write_5m, totals.cache_write_1h]));
    totals.input = sum([
        object.count("input_tokens"),
        totals.cache_read,
        totals.cache_write,
    ]);
    totals
}

fn sum(counts: impl IntoIterator<Item = Option<u64>>) -> Option<u64> {
    counts.into_iter().flatten().reduce(u64::saturating_add)
}

/// Facts that select a price, without the values that stand for the list price.
fn price_context(object: &RawObject) -> BTreeMap<String, String> {
    let facts = [
        ("service_tier", &["standard"][..]),
        ("speed", &["standard"][..]),
        ("inference_geo", &["global", "not_available"][..]),
    ];
    facts
        .into_iter()
        .filter_map(|(name, usual)| {
            let value = object.text(name)?.trim().to_ascii_lowercase();
            if value.is_empty() || usual.contains(&value.as_str()) {
                return None;
            }
            // The price book knows the batch tier as a way of processing.
            let name = match (name, value.as_str()) {
                ("service_tier", "batch") => "processing",
                _ => name,
            };
            Some((name.to_owned(), value))
        })
        .collect()
}

/// The model runs that are billed apart, and the first of a type that is not known.
///
/// * One run of the call's own model says what the totals say, so it is passed over.
/// * `compaction` and `advisor_message` runs are in no total.
/// * A turn served by a fallback ends with a `fallback_message`; `message` runs of other models
///   before it are attempts that were declined, and declined attempts are not billed.
fn iterations(object: &RawObject) -> (Vec<Iteration>, Option<String>) {
    let runs: Vec<RawObject> = object
        .list("iterations")
        .unwrap_or_default()
        .iter()
        .filter_map(|run| RawObject::parse(run.as_str()))
        .collect();
    let kind = |run: &RawObject| run.text("type").unwrap_or_default();
    let served_by = runs
        .iter()
        .rfind(|run| kind(run) == "fallback_message")
        .and_then(|run| run.text("model"));
    let mut unknown = None;
    let mut billed = Vec::new();
    for run in &runs {
        let (kind, model) = (kind(run), run.text("model"));
        match kind.as_str() {
            "message" if served_by.is_some() && model.is_some() && model != served_by => continue,
            "message" | "compaction" | "advisor_message" | "fallback_message" => {}
            _ => {
                unknown.get_or_insert_with(|| kind.to_ascii_lowercase());
            }
        }
        billed.push(Iteration::new(kind, model, &totals(run)));
    }
    match billed.as_slice() {
        [only] if only.kind == "message" && only.model.is_none() => (Vec::new(), unknown),
        _ => (billed, unknown),
    }
}

/// An amount from its digits, exponents included.
fn money(digits: &Json) -> Option<Money> {
    let digits = digits.as_str().trim_matches('"');
    digits
        .parse()
        .ok()
        .filter(|amount: &Money| !amount.is_negative())
}
