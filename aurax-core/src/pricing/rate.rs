//! A model's rates, and which of them are in force for a call.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use time::OffsetDateTime;

use super::exact;
use super::file::{ModelRow, MultiplyRow, PriceRow, Rate, Unit};
use super::schedule::Schedule;
use super::shelf::{Fault, Tables};
use crate::bucket::Bucket;

/// Facts about a call that may change its price, such as its service tier.
pub(super) type Context = BTreeMap<String, String>;

/// What is known about the price of a model.
#[derive(Debug)]
pub(super) enum Price {
    /// It costs nothing.
    Free,
    /// It costs something, and nobody says what.
    Unknown,
    /// It costs this.
    Listed(PriceList),
}

impl Price {
    /// Reads what `row` says about the price and leaves the rest of it.
    ///
    /// # Errors
    /// The field and what is wrong with it.
    pub(super) fn from_row(row: &mut ModelRow, tables: &Tables) -> Result<Self, Fault> {
        let is_free = row.free == Some(true);
        let is_unknown = row.unpriced == Some(true);
        match (row.prices.take(), is_free, is_unknown) {
            (None, true, false) => Ok(Self::Free),
            (None, false, true) => Ok(Self::Unknown),
            (Some(prices), false, false) if !prices.is_empty() => {
                PriceList::from_rows(prices, row, tables).map(Self::Listed)
            }
            _ => Err(Fault::new(
                "prices",
                "a model has either `prices`, or `\"free\": true`, or `\"unpriced\": true`",
            )),
        }
    }
}

/// The rates of a model, through time and by variant.
#[derive(Debug)]
pub(super) struct PriceList {
    /// The first one in force applies.
    pub(super) standard: Vec<Entry>,
    /// For each rate, the first one in force that names it replaces it.
    pub(super) variants: Vec<Variant>,
    pub(super) factors: Vec<Factor>,
    /// The least audio that is billed of a call with any.
    pub(super) minimum_millis: u64,
}

impl PriceList {
    fn from_rows(
        prices: Vec<PriceRow>,
        row: &mut ModelRow,
        tables: &Tables,
    ) -> Result<Self, Fault> {
        let standard = prices.into_iter().enumerate().map(|(i, price)| {
            let (when, entry) = Entry::from_row(price, tables, &format!("prices[{i}]"))?;
            if when.is_empty() {
                Ok(entry)
            } else {
                Err(Fault::new(
                    format!("prices[{i}].when"),
                    "conditions belong to `variants`",
                ))
            }
        });
        let standard = standard.collect::<Result<_, _>>()?;
        let variants = row.variants.take().unwrap_or_default();
        let variants = variants.into_iter().enumerate().map(|(i, variant)| {
            let (when, entry) = Entry::from_row(variant, tables, &format!("variants[{i}]"))?;
            if when.is_empty() {
                Err(Fault::new(
                    format!("variants[{i}].when"),
                    "a variant says when it applies",
                ))
            } else {
                Ok(Variant { when, entry })
            }
        });
        let variants = variants.collect::<Result<_, _>>()?;
        let factors = row.multiply.take().unwrap_or_default();
        let minimum_seconds = row.minimum.take().map_or(0, |minimum| {
            let floors = [minimum.audio_seconds, minimum.input_audio_seconds];
            floors.into_iter().flatten().max().unwrap_or_default()
        });
        Ok(Self {
            standard,
            variants,
            factors: factors.into_iter().map(Factor::from).collect(),
            minimum_millis: minimum_seconds.saturating_mul(1000),
        })
    }

    /// What applies at `at`, in UTC, to a call with `context`; `None` where no price is in force.
    ///
    /// A fallback's variants are its own and do not apply to the provider that falls back.
    pub(super) fn terms<'a>(
        &'a self,
        context: &Context,
        is_fallback: bool,
        prompt_tokens: u64,
        at: OffsetDateTime,
    ) -> Option<Terms<'a>> {
        let standard = self
            .standard
            .iter()
            .find(|entry| entry.schedule.holds(at))?;
        let applies = |variant: &&Variant| {
            !is_fallback && all_hold(&variant.when, context) && variant.entry.schedule.holds(at)
        };
        let variants: Vec<_> = self.variants.iter().filter(applies).collect();
        let factors: Vec<_> = self
            .factors
            .iter()
            .filter(|factor| all_hold(&factor.when, context))
            .map(|factor| factor.by)
            .collect();
        Some(Terms {
            list: self,
            standard,
            variants,
            factors,
            prompt_tokens,
        })
    }
}

/// Whether a call with `context` is what `when` asks for.
fn all_hold(when: &Context, context: &Context) -> bool {
    when.iter().all(|(key, wanted)| {
        context
            .get(key)
            .is_some_and(|value| value.eq_ignore_ascii_case(wanted))
    })
}

/// Rates with a schedule.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) schedule: Schedule,
    rates: BTreeMap<Bucket, Decimal>,
    /// By ascending prompt length.
    tiers: Vec<Tier>,
}

impl Entry {
    /// Also gives the conditions under which the entry is a variant.
    fn from_row(row: PriceRow, tables: &Tables, path: &str) -> Result<(Context, Self), Fault> {
        let holidays = match row.not_holiday {
            None => None,
            Some(name) => Some(tables.calendars.get(&name).cloned().ok_or_else(|| {
                let known = tables
                    .calendars
                    .keys()
                    .cloned()
                    .collect::<Vec<_>>()
                    .join(", ");
                Fault::new(
                    format!("{path}.not_holiday"),
                    format!("no calendar {name:?}; there is {known}"),
                )
            })?),
        };
        let rates = decimals(row.usd);
        if let Some(unit) = rates.keys().find(|unit| !tables.pers.contains_key(unit)) {
            return Err(Fault::new(
                format!("{path}.usd.{}", unit.as_str()),
                "the book does not say what this is counted per",
            ));
        }
        let mut tiers = Vec::with_capacity(row.above.len());
        let mut below = None;
        for (i, tier) in row.above.into_iter().enumerate() {
            let path = format!("{path}.above[{i}]");
            if below
                .replace(tier.tokens)
                .is_some_and(|below| below >= tier.tokens)
            {
                return Err(Fault::new(format!("{path}.tokens"), "tiers ascend"));
            }
            let tier_rates = decimals(tier.usd);
            if let Some(unit) = tier_rates.keys().find(|unit| !rates.contains_key(unit)) {
                return Err(Fault::new(
                    format!("{path}.usd.{}", unit.as_str()),
                    "a tier changes rates that the price has below it",
                ));
            }
            tiers.push(Tier {
                above: tier.tokens,
                rates: tier_rates,
            });
        }
        let schedule = Schedule {
            from: row.from.map(|instant| instant.0),
            until: row.until.map(|instant| instant.0),
            windows: row.utc,
            weekdays: row.weekdays,
            holidays,
        };
        Ok((
            row.when,
            Self {
                schedule,
                rates,
                tiers,
            },
        ))
    }

    /// The rate of `unit` for a prompt of that many tokens.
    fn rate(&self, unit: Bucket, prompt_tokens: u64) -> Option<Decimal> {
        let base = self.rates.get(&unit)?;
        let tier = self
            .tiers
            .iter()
            .filter(|tier| prompt_tokens > tier.above)
            .filter_map(|tier| tier.rates.get(&unit))
            .next_back();
        Some(*tier.unwrap_or(base))
    }

    /// The dearest rate of `unit` for any prompt of at most that many tokens.
    pub(super) fn dearest(&self, unit: Bucket, most_prompt_tokens: u64) -> Option<Decimal> {
        let base = self.rates.get(&unit)?;
        let tiers = self
            .tiers
            .iter()
            .filter(|tier| most_prompt_tokens > tier.above)
            .filter_map(|tier| tier.rates.get(&unit));
        tiers.chain([base]).max().copied()
    }
}

fn decimals(rates: BTreeMap<Unit, Rate>) -> BTreeMap<Bucket, Decimal> {
    rates
        .into_iter()
        .map(|(unit, rate)| (unit.0, rate.0))
        .collect()
}

/// Rates of a whole request whose prompt is longer than `above` tokens.
#[derive(Debug)]
struct Tier {
    above: u64,
    rates: BTreeMap<Bucket, Decimal>,
}

/// Rates for calls of a kind.
#[derive(Debug)]
pub(super) struct Variant {
    pub(super) when: Context,
    pub(super) entry: Entry,
}

/// A factor on the rates of tokens, for calls of a kind.
#[derive(Debug)]
pub(super) struct Factor {
    pub(super) when: Context,
    pub(super) by: Decimal,
}

impl From<MultiplyRow> for Factor {
    fn from(row: MultiplyRow) -> Self {
        Self {
            when: row.when,
            by: row.by.0,
        }
    }
}

/// The rates in force for one call.
#[derive(Debug)]
pub(super) struct Terms<'a> {
    list: &'a PriceList,
    standard: &'a Entry,
    variants: Vec<&'a Variant>,
    factors: Vec<Decimal>,
    prompt_tokens: u64,
}

impl Terms<'_> {
    /// The rate of `unit`, before any factor.
    pub(super) fn rate(&self, unit: Bucket) -> Option<Decimal> {
        let variants = self.variants.iter().map(|variant| &variant.entry);
        variants
            .chain([self.standard])
            .find_map(|entry| entry.rate(unit, self.prompt_tokens))
    }

    /// `rate` with the factors on tokens; `None` beyond 28 digits.
    pub(super) fn multiplied(&self, rate: Decimal) -> Option<Decimal> {
        self.factors
            .iter()
            .try_fold(rate, |rate, factor| exact::product(rate, *factor))
    }

    /// Whether the price knows what to make of the fact `key`.
    pub(super) fn considers(&self, key: &str) -> bool {
        self.variants
            .iter()
            .any(|variant| variant.when.contains_key(key))
            || self
                .list
                .factors
                .iter()
                .any(|factor| factor.when.contains_key(key))
    }

    /// Whether the price rests on holidays that were not yet known when the book was made.
    pub(super) fn outlive_calendar(&self, at: OffsetDateTime) -> bool {
        self.standard.schedule.outlives_calendar(at)
            || self
                .variants
                .iter()
                .any(|variant| variant.entry.schedule.outlives_calendar(at))
    }
}
