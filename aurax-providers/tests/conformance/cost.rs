//! Prices what was decoded with the price entry of the case.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry::Vacant;
use std::error::Error;
use std::sync::Arc;

use aurax_core::{Bucket, Buckets, Money, PriceBook, Pricer, Response, Sale, Usage};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::case::Case;
use super::tally::Findings;

/// The provider whose models are the cases' price entries.
const PROVIDER: &str = "conformance";

/// The units of the price book by the names cases give them.
const UNITS: [(&str, &str); 22] = [
    ("audio_hours", "audio"),
    ("cache_audio_read_mtok", "cache_read_audio"),
    ("cache_image_read_mtok", "cache_read_image"),
    ("cache_read_mtok", "cache_read"),
    ("cache_video_read_mtok", "cache_read_video"),
    ("cache_write_1h_mtok", "cache_write_1h"),
    ("cache_write_mtok", "cache_write"),
    ("input_audio_hours", "input_audio_time"),
    ("input_audio_mtok", "input_audio"),
    ("input_image_mtok", "input_image"),
    ("input_mtok", "input"),
    ("input_text_messages_kcount", "text_message"),
    ("input_video_mtok", "input_video"),
    ("output_audio_mtok", "output_audio"),
    ("output_citation_mtok", "citation"),
    ("output_image_mtok", "output_image"),
    ("output_mtok", "output"),
    ("output_reasoning_mtok", "reasoning"),
    ("output_video_mtok", "output_video"),
    ("requests_kcount", "request"),
    ("storage_searches_kcount", "file_search"),
    ("web_searches_kcount", "web_search"),
];

/// The price entries of all cases, as a price book of one model an entry.
pub(crate) struct Prices {
    pricer: Pricer,
    /// The model for each entry, by the entry's own text; an error where it cannot be one.
    models: BTreeMap<String, Result<String, String>>,
}

impl Prices {
    /// Collects the price entries of `cases`.
    pub(crate) fn of(cases: &[Case]) -> Result<Self, Box<dyn Error>> {
        let mut models = BTreeMap::new();
        let mut rows = Vec::new();
        for entry in cases.iter().filter_map(entry) {
            if let Vacant(model) = models.entry(text(entry)) {
                let id = format!("entry-{}", rows.len());
                model.insert(row(&id, entry).map(|row| {
                    rows.push(row);
                    id
                }));
            }
        }
        let overlay = json!({"providers": {PROVIDER: {"models": rows}}});
        let book = PriceBook::builtin().with_overlay(&overlay.to_string())?;
        let pricer = Pricer::new(Arc::new(book));
        Ok(Self { pricer, models })
    }

    /// Compares the cost of the decoded usage with the case's, to the digit.
    pub(crate) fn compare(&self, expected: &Value, got: &Response, findings: &mut Findings) {
        let usd = expected.get("usd").and_then(Value::as_str);
        let usd = usd.and_then(|usd| usd.parse::<Money>().ok());
        let entry = expected.get("prices").and_then(Value::as_object);
        let model = entry.and_then(|entry| self.models.get(&text(entry)));
        let (Some(Ok(model)), Some(usage)) = (model, &got.usage) else {
            return findings.differ("cost", &usd, &(model, &got.usage));
        };
        let mut usage = Usage::clone(usage);
        leave_out_unseen(expected, &mut usage.buckets, findings);
        let priced = self.pricer.price(&Sale {
            provider: Some(PROVIDER),
            asked: model,
            answered_by: None,
            usage: &usage,
            started_at: OffsetDateTime::UNIX_EPOCH,
            ended_at: OffsetDateTime::UNIX_EPOCH,
        });
        // What the provider itself says it costs is compared apart.
        if priced.computed.amount() != usd {
            findings.differ("cost", &usd, &(priced.computed, &usage.buckets));
        }
    }
}

/// Leaves out what is billed by time where the oracle does not read the time: its package prices
/// Mistral's sound at nothing. What is left is priced as decoded.
fn leave_out_unseen(expected: &Value, buckets: &mut Buckets, findings: &mut Findings) {
    for (name, bucket) in [
        ("audio_seconds", Bucket::AudioMillis),
        ("input_audio_seconds", Bucket::InputAudioMillis),
    ] {
        let seen = expected.pointer(&format!("/extracted_usage/{name}"));
        let millis = buckets.get(bucket);
        if seen.is_none() && millis > 0 {
            buckets.set(bucket, 0);
            let note = format!(
                "the oracle's cost is without {millis} ms of {}",
                bucket.as_str()
            );
            findings.note = Some(note);
        }
    }
}

fn entry(case: &Case) -> Option<&Map<String, Value>> {
    let cost = case.expected.as_ref()?.get("cost")?;
    cost.get("prices")?.as_object()
}

fn text(entry: &Map<String, Value>) -> String {
    Value::from(entry.clone()).to_string()
}

/// A model in the price book's format; an entry without rates is of a model that is free.
fn row(id: &str, entry: &Map<String, Value>) -> Result<Value, String> {
    if entry.is_empty() {
        return Ok(json!({"id": id, "free": true}));
    }
    let mut base = Map::new();
    let mut tiers: BTreeMap<u64, Map<String, Value>> = BTreeMap::new();
    for (name, rate) in entry {
        let unit = UNITS.iter().find(|(known, _)| known == name);
        let (_, unit) = unit.ok_or_else(|| format!("{name} is not a unit known here"))?;
        let flat = rate.get("base").unwrap_or(rate);
        base.insert((*unit).to_owned(), flat.clone());
        for tier in rate
            .get("tiers")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let above = tier.get("above_input_tokens").and_then(Value::as_u64);
            let above = above.ok_or_else(|| format!("{name} has a tier without a limit"))?;
            let price = tier.get("price").cloned().unwrap_or_default();
            tiers
                .entry(above)
                .or_default()
                .insert((*unit).to_owned(), price);
        }
    }
    let above: Vec<Value> = tiers
        .into_iter()
        .map(|(tokens, usd)| json!({"tokens": tokens, "usd": usd}))
        .collect();
    Ok(json!({"id": id, "prices": [{"usd": base, "above": above}]}))
}
