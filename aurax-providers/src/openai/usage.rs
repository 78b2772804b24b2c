//! What a reply says was used.

use std::collections::BTreeMap;

use aurax_core::{Decimal, Json, Money, Totals, Usage};
use serde_json::value::RawValue;

use super::quirks::Quirks;
use crate::object::Object;

/// Tiers that cost what the price list says; every other tier selects a price of its own.
const BASE_TIERS: [&str; 4] = ["default", "standard", "auto", "on_demand"];

/// What a wire calls the counts.
struct Names {
    input: &'static str,
    input_details: &'static str,
    output: &'static str,
    output_details: &'static str,
}

const CHAT: Names = Names {
    input: "prompt_tokens",
    input_details: "prompt_tokens_details",
    output: "completion_tokens",
    output_details: "completion_tokens_details",
};

const RESPONSES: Names = Names {
    input: "input_tokens",
    input_details: "input_tokens_details",
    output: "output_tokens",
    output_details: "output_tokens_details",
};

/// Reads a usage object; `None` where it counts nothing.
pub(super) fn read(usage: &RawValue, quirks: &Quirks) -> Option<Usage> {
    let mut fields = Object::of(usage)?;
    let counts = Counts::take(&mut fields, &CHAT, quirks.reasoning_outside_output);
    finish(usage, fields, counts)
}

/// Searches the provider made, which are billed by their number and counted outside of usage.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Searches {
    pub(crate) web: u64,
    pub(crate) file: u64,
}

/// Reads a usage object of the responses API; `None` where it counts nothing.
pub(crate) fn read_responses(usage: &RawValue, searches: Searches) -> Option<Usage> {
    let mut fields = Object::of(usage)?;
    let mut counts = Counts::take(&mut fields, &RESPONSES, false);
    let made = |number: u64| Some(number).filter(|number| *number > 0);
    let totals = &mut counts.totals;
    totals.web_searches = made(searches.web).or(totals.web_searches);
    totals.file_searches = made(searches.file);
    finish(usage, fields, counts)
}

fn finish(usage: &RawValue, mut fields: Object<'_>, counts: Counts) -> Option<Usage> {
    if counts.totals == Totals::default() {
        return None;
    }
    let mut read = counts.usage();
    read.reported_cost = cost(&mut fields);
    for name in ["service_tier", "search_context_size"] {
        if let Some(value) = fields.text(name) {
            select_price(&mut read.price_context, name, &value);
        }
    }
    read.raw = Some(Json::from(usage));
    Some(read)
}

/// Reads the usage of a reply with vectors: only what went in is counted, whatever else stands
/// there.
pub(super) fn of_vectors(usage: &RawValue) -> Option<Usage> {
    let mut fields = Object::of(usage)?;
    let total = fields.read("total_tokens");
    let mut totals = Totals::default();
    totals.input = fields.read("prompt_tokens").or(total);
    totals.input?;
    let mut read = Usage::from_totals(totals);
    // What the total has besides is no output: there is none.
    read.reported.total = total;
    read.reported_cost = cost(&mut fields);
    read.raw = Some(Json::from(usage));
    Some(read)
}

/// Notes a fact that selects a price.
pub(crate) fn select_price(context: &mut BTreeMap<String, String>, name: &str, value: &str) {
    let value = value.to_ascii_lowercase();
    if name != "service_tier" || !BASE_TIERS.contains(&value.as_str()) {
        context.insert(name.to_owned(), value);
    }
}

struct Counts {
    totals: Totals,
    /// Audio input is counted beside the input, and billed by its length.
    timed_audio: bool,
}

impl Counts {
    /// Takes the numbers, brought to the convention that a whole includes its parts.
    fn take(fields: &mut Object<'_>, names: &Names, reasoning_outside_output: bool) -> Self {
        let mut input = fields.object(names.input_details);
        let mut output = fields.object(names.output_details);
        let mut totals = Totals::default();
        totals.input = fields.count(names.input);
        totals.output = fields.count(names.output);
        totals.total = fields.count("total_tokens");
        // DeepSeek says it twice.
        let hits = fields.count("prompt_cache_hit_tokens");
        totals.cache_read = input.count("cached_tokens").or(hits);
        totals.cache_write = input.count("cache_write_tokens");
        totals.input_text = input.count("text_tokens");
        totals.input_audio = input.count("audio_tokens");
        totals.input_image = input.count("image_tokens");
        totals.input_video = input.count("video_tokens");
        totals.output_text = output.count("text_tokens");
        totals.output_audio = output.count("audio_tokens");
        totals.output_image = output.count("image_tokens");
        totals.reasoning = output.count("reasoning_tokens");
        totals.accepted_prediction = output.count("accepted_prediction_tokens");
        totals.rejected_prediction = output.count("rejected_prediction_tokens");
        totals.web_searches = fields.count("num_search_queries");
        let seconds = fields.count("prompt_audio_seconds");
        totals.input_audio_millis = seconds.map(|seconds| seconds.saturating_mul(1000));
        if reasoning_outside_output {
            totals.reasoning = totals
                .reasoning
                .or_else(|| fields.count("reasoning_tokens"));
            totals.citation = fields.count("citation_tokens");
            totals.output = totals.output.map(|tokens| {
                [totals.reasoning, totals.citation]
                    .into_iter()
                    .flatten()
                    .fold(tokens, u64::saturating_add)
            });
        }
        let timed_audio = totals.input_audio_millis.is_some() && counts_audio_apart(&totals);
        Self {
            totals,
            timed_audio,
        }
    }

    fn usage(self) -> Usage {
        if !self.timed_audio {
            return Usage::from_totals(self.totals);
        }
        let mut reported = self.totals;
        let mut usage = Usage::from_totals({
            let mut billed = reported.clone();
            billed.input_audio = None;
            billed
        });
        reported.input = add(reported.input, reported.input_audio);
        usage.reported = reported;
        usage
    }
}

/// Mistral leaves the tokens of audio out of the input it reports and counts them in the total; it
/// bills audio by the second (<https://mistral.ai/pricing>).
fn counts_audio_apart(totals: &Totals) -> bool {
    let sum = add(add(totals.input, totals.output), totals.input_audio);
    totals.input_audio > Some(0) && totals.total.is_some() && totals.total == sum
}

fn add(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    Some(a?.saturating_add(b?))
}

/// What the provider says the call cost, from its digits.
///
/// * `cost`: OpenRouter, in dollars; with the caller's own key at the upstream it is the fee alone,
///   and what the upstream charges stands in `cost_details`
///   (<https://openrouter.ai/docs/use-cases/usage-accounting>).
/// * `cost.total_cost`: Perplexity
///   (<https://docs.perplexity.ai/api-reference/chat-completions-post>).
/// * `cost_in_usd_ticks`: xAI, in units of 10⁻¹⁰ dollars
///   (<https://docs.x.ai/developers/cost-tracking>).
fn cost(fields: &mut Object<'_>) -> Option<Money> {
    if let Some(cost) = fields.take("cost") {
        let total = Object::of(cost).and_then(|mut cost| cost.take("total_cost"));
        let cost = money(total.unwrap_or(cost))?;
        let upstream = fields
            .object("cost_details")
            .take("upstream_inference_cost");
        return match upstream.and_then(money) {
            Some(upstream) if fields.read("is_byok") == Some(true) => {
                cost.checked_add(upstream).ok()
            }
            _ => Some(cost),
        };
    }
    let ticks: i64 = fields.read("cost_in_usd_ticks")?;
    Decimal::try_new(ticks, 10).ok().map(Money::new)
}

fn money(digits: &RawValue) -> Option<Money> {
    digits
        .get()
        .parse()
        .ok()
        .filter(|money: &Money| !money.is_negative())
}

/// The usage of Groq's own field, which older streams have instead of the common one
/// (<https://console.groq.com/docs/api-reference#chat-create>).
pub(super) fn of_groq(field: &RawValue) -> Option<&RawValue> {
    let mut fields = Object::of(field)?;
    fields.take("usage")
}
