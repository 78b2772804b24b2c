//! The price book's files as they are written: one struct a JSON object, unknown fields refused.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::pattern::{NamePattern, Routes};
use super::schedule::{Calendar, Day, Instant, Window};
use crate::bucket::Bucket;

/// The format's version this code reads.
pub(super) const SCHEMA: u32 = 1;

/// The currency of every amount.
pub(super) const CURRENCY: &str = "USD";

/// A file: shared tables, providers, or both.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File<'a> {
    pub(super) schema: Option<u32>,
    pub(super) currency: Option<String>,
    pub(super) date: Option<String>,
    #[serde(rename = "sources")]
    _sources: Option<IgnoredAny>,
    pub(super) units: Option<BTreeMap<Unit, UnitRow>>,
    #[serde(default)]
    pub(super) calendars: BTreeMap<String, Calendar>,
    pub(super) routing: Option<Routes>,
    pub(super) ordinary: Option<BTreeMap<String, Vec<String>>>,
    #[serde(borrow, default)]
    pub(super) providers: BTreeMap<String, ProviderRow<'a>>,
}

/// What a rate of a unit is for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UnitRow {
    pub(super) per: u64,
    #[serde(rename = "usage")]
    _usage: IgnoredAny,
    #[serde(rename = "dims")]
    _dims: IgnoredAny,
}

/// A provider. Its models stay text, so that an error can name the model it is in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProviderRow<'a> {
    #[serde(rename = "name")]
    _name: Option<IgnoredAny>,
    #[serde(rename = "urls")]
    _urls: Option<IgnoredAny>,
    #[serde(rename = "note")]
    _note: Option<IgnoredAny>,
    #[serde(default)]
    pub(super) aliases: Vec<String>,
    pub(super) fallback: Option<Vec<String>>,
    pub(super) billed_at: Option<BilledAt>,
    pub(super) at_parent_rate: Option<Vec<Unit>>,
    pub(super) complete_caps: Option<Vec<Cap>>,
    #[serde(borrow, default)]
    pub(super) models: Vec<&'a RawValue>,
}

/// Which instant of a call decides its price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum BilledAt {
    #[default]
    Start,
    Completion,
}

/// The model a row is about, to name it in errors.
#[derive(Deserialize)]
pub(super) struct RowId {
    pub(super) id: String,
}

/// A model. A field that is absent leaves what a file below says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ModelRow {
    pub(super) id: String,
    #[serde(rename = "match")]
    pub(super) names: Option<Vec<NamePattern>>,
    pub(super) except: Option<Vec<NamePattern>>,
    pub(super) id_is_label: Option<bool>,
    pub(super) context: Option<u64>,
    pub(super) max_input: Option<u64>,
    pub(super) max_output: Option<u64>,
    pub(super) mode: Option<String>,
    pub(super) caps: Option<Vec<Cap>>,
    pub(super) status: Option<Status>,
    pub(super) retires: Option<String>,
    pub(super) prices: Option<Vec<PriceRow>>,
    pub(super) variants: Option<Vec<PriceRow>>,
    pub(super) multiply: Option<Vec<MultiplyRow>>,
    pub(super) minimum: Option<MinimumRow>,
    pub(super) free: Option<bool>,
    pub(super) unpriced: Option<bool>,
    #[serde(rename = "note")]
    _note: Option<IgnoredAny>,
    #[serde(rename = "corrected")]
    _corrected: Option<IgnoredAny>,
}

impl ModelRow {
    /// Puts this row over `below`, field by field. What either says about the price is one
    /// thing: a row with a price of its own keeps nothing of the price below.
    pub(super) fn over(self, below: Self) -> Self {
        let priced = self.prices.is_some() || self.free.is_some() || self.unpriced.is_some();
        let below_price = (!priced).then_some(());
        Self {
            id: below.id,
            names: self.names.or(below.names),
            except: self.except.or(below.except),
            id_is_label: self.id_is_label.or(below.id_is_label),
            context: self.context.or(below.context),
            max_input: self.max_input.or(below.max_input),
            max_output: self.max_output.or(below.max_output),
            mode: self.mode.or(below.mode),
            caps: self.caps.or(below.caps),
            status: self.status.or(below.status),
            retires: self.retires.or(below.retires),
            prices: self.prices.or(below_price.and(below.prices)),
            variants: self.variants.or(below_price.and(below.variants)),
            multiply: self.multiply.or(below_price.and(below.multiply)),
            minimum: self.minimum.or(below_price.and(below.minimum)),
            free: self.free.or(below_price.and(below.free)),
            unpriced: self.unpriced.or(below_price.and(below.unpriced)),
            _note: self._note.or(below._note),
            _corrected: self._corrected.or(below._corrected),
        }
    }
}

/// What a model can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Cap {
    Tools,
    ParallelTools,
    Vision,
    Pdf,
    AudioIn,
    AudioOut,
    VideoIn,
    JsonSchema,
    Reasoning,
    PromptCache,
    WebSearch,
    Streaming,
}

/// How far along its life a model is. `Unlisted` models have left a list they once were on; what
/// that means is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    Active,
    Unlisted,
    Deprecated,
    Retired,
}

/// Rates and when they are in force; with `when`, a variant of the price.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PriceRow {
    #[serde(default)]
    pub(super) when: BTreeMap<String, String>,
    pub(super) from: Option<Instant>,
    pub(super) until: Option<Instant>,
    #[serde(default)]
    pub(super) utc: Vec<Window>,
    #[serde(default)]
    pub(super) weekdays: Vec<Day>,
    pub(super) not_holiday: Option<String>,
    pub(super) usd: BTreeMap<Unit, Rate>,
    #[serde(default)]
    pub(super) above: Vec<TierRow>,
}

/// The rates of a whole request whose prompt has more tokens than this.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TierRow {
    pub(super) tokens: u64,
    pub(super) usd: BTreeMap<Unit, Rate>,
}

/// A factor on the rates of tokens.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MultiplyRow {
    pub(super) when: BTreeMap<String, String>,
    pub(super) by: Rate,
}

/// The least that is billed of a call that has any, in seconds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MinimumRow {
    pub(super) audio_seconds: Option<u64>,
    pub(super) input_audio_seconds: Option<u64>,
}

/// What a rate is for; as data, the name of its bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Unit(pub(super) Bucket);

impl TryFrom<String> for Unit {
    type Error = String;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        Bucket::from_name(&name).map(Self).ok_or_else(|| {
            let names: Vec<_> = Bucket::ALL.iter().map(|bucket| bucket.as_str()).collect();
            format!(
                "there is no unit {name:?}; the units are {}",
                names.join(", ")
            )
        })
    }
}

/// A decimal of at least zero; as data, a string of digits with at most one point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Rate(pub(super) Decimal);

impl TryFrom<String> for Rate {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let plain = text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.');
        plain
            .then(|| Decimal::from_str_exact(&text).ok())
            .flatten()
            .map(|rate| Self(rate.normalize()))
            .ok_or_else(|| format!("{text:?} is not a decimal of at least 0, such as \"0.25\""))
    }
}
