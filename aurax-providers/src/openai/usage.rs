//! What a reply says was used.

use std::collections::BTreeMap;

use aurax_core::{Decimal, Json, Money, Totals, Usage};
use serde::de::{IgnoredAny, MapAccess};
use serde_json::value::RawValue;

use super::fields::{Fields, InOnePass};
use super::quirks::Quirks;
use crate::object::{Object, Text};

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
    let mut reported = match serde_json::from_str(usage.get()) {
        Ok(InOnePass(reported)) => reported,
        Err(_) => Reported::of(Object::of(usage)?, &CHAT),
    };
    let counts = Counts::take(&mut reported, quirks.reasoning_outside_output);
    finish(usage, reported.rest, counts)
}

/// Searches the provider made, which are billed by their number and counted outside of usage.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Searches {
    pub(crate) web: u64,
    pub(crate) file: u64,
}

/// Reads a usage object of the responses API; `None` where it counts nothing.
pub(crate) fn read_responses(usage: &RawValue, searches: Searches) -> Option<Usage> {
    let mut reported = Reported::of(Object::of(usage)?, &RESPONSES);
    let mut counts = Counts::take(&mut reported, false);
    let made = |number: u64| Some(number).filter(|number| *number > 0);
    let totals = &mut counts.totals;
    totals.web_searches = made(searches.web).or(totals.web_searches);
    totals.file_searches = made(searches.file);
    finish(usage, reported.rest, counts)
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

/// The numbers both wires have.
#[derive(Debug, Default)]
struct Reported<'a> {
    input: Option<u64>,
    input_details: Details,
    output: Option<u64>,
    output_details: Details,
    total: Option<u64>,
    /// What only some vendors have.
    rest: Object<'a>,
}

/// What the tokens of one side were.
#[derive(Debug, Default)]
struct Details {
    cached: Option<u64>,
    cache_write: Option<u64>,
    text: Option<u64>,
    audio: Option<u64>,
    image: Option<u64>,
    video: Option<u64>,
    reasoning: Option<u64>,
    accepted_prediction: Option<u64>,
    rejected_prediction: Option<u64>,
}

impl<'a> Reported<'a> {
    /// Reads field by field, so that one of another type leaves the others readable.
    fn of(mut fields: Object<'a>, names: &Names) -> Self {
        Self {
            input: fields.count(names.input),
            input_details: Details::of(fields.object(names.input_details)),
            output: fields.count(names.output),
            output_details: Details::of(fields.object(names.output_details)),
            total: fields.count("total_tokens"),
            rest: fields,
        }
    }
}

/// The chat wire's usage.
impl<'a> Fields<'a> for Reported<'a> {
    fn read<A: MapAccess<'a>>(&mut self, name: Text<'a>, map: &mut A) -> Result<(), A::Error> {
        let details = |read: Option<InOnePass<Details>>| read.map(|InOnePass(read)| read);
        match name.as_str() {
            "prompt_tokens" => self.input = map.next_value()?,
            "prompt_tokens_details" => {
                self.input_details = details(map.next_value()?).unwrap_or_default();
            }
            "completion_tokens" => self.output = map.next_value()?,
            "completion_tokens_details" => {
                self.output_details = details(map.next_value()?).unwrap_or_default();
            }
            "total_tokens" => self.total = map.next_value()?,
            _ => self.rest.put(name, map.next_value()?),
        }
        Ok(())
    }
}

impl Details {
    fn of(mut fields: Object<'_>) -> Self {
        Self {
            cached: fields.count("cached_tokens"),
            cache_write: fields.count("cache_write_tokens"),
            text: fields.count("text_tokens"),
            audio: fields.count("audio_tokens"),
            image: fields.count("image_tokens"),
            video: fields.count("video_tokens"),
            reasoning: fields.count("reasoning_tokens"),
            accepted_prediction: fields.count("accepted_prediction_tokens"),
            rejected_prediction: fields.count("rejected_prediction_tokens"),
        }
    }
}

impl<'a> Fields<'a> for Details {
    fn read<A: MapAccess<'a>>(&mut self, name: Text<'a>, map: &mut A) -> Result<(), A::Error> {
        let place = match name.as_str() {
            "cached_tokens" => &mut self.cached,
            "cache_write_tokens" => &mut self.cache_write,
            "text_tokens" => &mut self.text,
            "audio_tokens" => &mut self.audio,
            "image_tokens" => &mut self.image,
            "video_tokens" => &mut self.video,
            "reasoning_tokens" => &mut self.reasoning,
            "accepted_prediction_tokens" => &mut self.accepted_prediction,
            "rejected_prediction_tokens" => &mut self.rejected_prediction,
            _ => {
                let IgnoredAny = map.next_value()?;
                return Ok(());
            }
        };
        *place = map.next_value()?;
        Ok(())
    }
}

struct Counts {
    totals: Totals,
    /// Audio input is counted beside the input, and billed by its length.
    timed_audio: bool,
}

impl Counts {
    /// Takes the numbers, brought to the convention that a whole includes its parts.
    fn take(reported: &mut Reported<'_>, reasoning_outside_output: bool) -> Self {
        let fields = &mut reported.rest;
        let (input, output) = (&reported.input_details, &reported.output_details);
        let mut totals = Totals::default();
        totals.input = reported.input;
        totals.output = reported.output;
        totals.total = reported.total;
        // DeepSeek says it twice.
        let hits = fields.count("prompt_cache_hit_tokens");
        totals.cache_read = input.cached.or(hits);
        totals.cache_write = input.cache_write;
        totals.input_text = input.text;
        totals.input_audio = input.audio;
        totals.input_image = input.image;
        totals.input_video = input.video;
        totals.output_text = output.text;
        totals.output_audio = output.audio;
        totals.output_image = output.image;
        totals.reasoning = output.reasoning;
        totals.accepted_prediction = output.accepted_prediction;
        totals.rejected_prediction = output.rejected_prediction;
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

#[cfg(test)]
mod tests;
