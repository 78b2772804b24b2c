//! Usage: what Google counts, in the convention of the engine.
//!
//! Facts: <https://ai.google.dev/api/generate-content#UsageMetadata>.

use std::collections::BTreeMap;

use aurax_core::{Json, Totals, Usage};

use crate::raw::RawObject;

/// Reads a usage object.
///
/// * The tokens tools put into the prompt stand beside the prompt's, thoughts beside the answer's;
///   cached ones are part of the prompt.
/// * Documents are counted, and billed, as images.
/// * `searches` of the web, as far as they are billed apart.
pub(super) fn read(object: &RawObject, searches: Option<u64>) -> Usage {
    let prompt = |medium| {
        sum([
            of_medium(object, "promptTokensDetails", medium),
            of_medium(object, "toolUsePromptTokensDetails", medium),
        ])
    };
    let cached = |medium| of_medium(object, "cacheTokensDetails", medium);
    let answer = |medium| of_medium(object, "candidatesTokensDetails", medium);
    let mut totals = Totals::default();
    totals.tool_use_input = object.count("toolUsePromptTokenCount");
    totals.input = sum([object.count("promptTokenCount"), totals.tool_use_input]);
    totals.reasoning = object.count("thoughtsTokenCount");
    totals.output = sum([object.count("candidatesTokenCount"), totals.reasoning]);
    totals.total = object.count("totalTokenCount");
    totals.cache_read = object.count("cachedContentTokenCount");
    totals.cache_read_audio = cached(&["AUDIO"]);
    totals.cache_read_image = cached(&["IMAGE", "DOCUMENT"]);
    totals.cache_read_video = cached(&["VIDEO"]);
    totals.input_text = prompt(&["TEXT"]);
    totals.input_audio = prompt(&["AUDIO"]);
    totals.input_image = prompt(&["IMAGE", "DOCUMENT"]);
    totals.input_video = prompt(&["VIDEO"]);
    totals.output_text = answer(&["TEXT"]);
    totals.output_audio = answer(&["AUDIO"]);
    totals.output_image = answer(&["IMAGE", "DOCUMENT"]);
    totals.output_video = answer(&["VIDEO"]);
    totals.web_searches = searches;
    let mut usage = Usage::from_totals(totals);
    usage.price_context = price_context(object);
    usage.raw = Json::from_value(object).ok();
    usage
}

/// The tokens of some media in a list that has an entry for each.
fn of_medium(object: &RawObject, list: &str, media: &[&str]) -> Option<u64> {
    let entries = object.list(list)?;
    let counts = entries.iter().map(|entry| {
        let entry = RawObject::parse(entry.as_str())?;
        let medium = entry.text("modality")?;
        media
            .contains(&medium.as_str())
            .then(|| entry.count("tokenCount"))?
    });
    sum(counts)
}

fn sum(counts: impl IntoIterator<Item = Option<u64>>) -> Option<u64> {
    counts.into_iter().flatten().reduce(u64::saturating_add)
}

/// Facts that select a price, without the values that stand for the list price.
fn price_context(object: &RawObject) -> BTreeMap<String, String> {
    let word = |name| Some(object.text(name)?.trim().to_ascii_lowercase());
    let tier = word("serviceTier").or_else(|| {
        let traffic = word("trafficType")?;
        Some(
            traffic
                .strip_prefix("on_demand_")
                .map_or_else(|| traffic.clone(), str::to_owned),
        )
    });
    let tier = tier.filter(|tier| {
        !["", "standard", "on_demand", "service_tier_unspecified"].contains(&tier.as_str())
    });
    let context = tier.map(|tier| match tier.as_str() {
        // The price book knows it as a way of processing.
        "batch" => ("processing".to_owned(), tier),
        _ => ("service_tier".to_owned(), tier),
    });
    context.into_iter().collect()
}
