//! What usage costs, line by line.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Serialize, Serializer};

use super::error::PriceError;
use super::listing::Matched;
use crate::bucket::Bucket;
use crate::money::Money;

/// What usage costs by the price book. Amounts are exact and not rounded; only amounts for
/// durations are quotients, of 24 places.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Bill {
    /// The whole cost: input, output and what is neither.
    pub total: Money,
    /// The part for what was sent.
    pub input: Money,
    /// The part for what came back.
    pub output: Money,
    /// What the cost is made of; only what was used.
    pub lines: Vec<Line>,
    /// What a reader of the amount should know.
    pub flags: Vec<Flag>,
    /// The model is known to cost nothing.
    pub free: bool,
    /// The provider's key in the price book.
    pub provider: String,
    /// The provider whose price was taken.
    pub priced_by: String,
    /// The model's id in the price book.
    pub model: String,
    /// How the model was found.
    pub matched: Matched,
}

impl Bill {
    /// Whether some of the usage had no rate of its own, so that the true cost may differ.
    pub fn is_partial(&self) -> bool {
        self.flags
            .iter()
            .any(|flag| matches!(flag, Flag::NoRate(_) | Flag::UnpricedRun(_)))
    }

    /// Whether the rates were assumed where the book does not settle which ones apply.
    pub fn is_assumed(&self) -> bool {
        self.flags
            .iter()
            .any(|flag| matches!(flag, Flag::ContextNotPriced { .. } | Flag::CalendarEnded))
    }

    /// Adds what another run of the same call costs.
    pub(super) fn add(&mut self, run: Self) -> Result<(), PriceError> {
        let sum = |a: Money, b: Money| a.checked_add(b).map_err(|_| PriceError::TooLarge);
        self.total = sum(self.total, run.total)?;
        self.input = sum(self.input, run.input)?;
        self.output = sum(self.output, run.output)?;
        self.lines.extend(run.lines);
        self.free &= run.free;
        for flag in run.flags {
            self.flag(flag);
        }
        Ok(())
    }

    pub(super) fn flag(&mut self, flag: Flag) {
        if !self.flags.contains(&flag) {
            self.flags.push(flag);
        }
    }
}

/// An item of a [`Bill`]: all usage charged at one rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Line {
    /// The unit of the rate, in the price book's word.
    pub unit: Bucket,
    /// How much was used: tokens, calls, characters, pages or milliseconds.
    pub quantity: u64,
    /// US dollars for as many as the price book counts the unit per (a million tokens, a thousand
    /// calls, an hour), with every factor that applies.
    pub rate: Decimal,
    /// What the quantity costs.
    pub amount: Money,
}

/// What a reader of a [`Bill`] should know. As text and JSON, `name` or `name:detail`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Flag {
    /// Another provider's list price was taken, as the book says this provider does.
    FallbackPrice,
    /// Usage of this kind has no rate of its own; it was charged at a more general rate, or not
    /// at all where there is none.
    NoRate(Bucket),
    /// A fact about the call that may change the price and that the price does not know; the
    /// standard price was taken.
    ContextNotPriced {
        /// The fact, such as `service_tier`.
        key: String,
        /// Its value.
        value: String,
    },
    /// The holidays of the call's time are not in the book; a working day was assumed.
    CalendarEnded,
    /// A run of the call at this model has no price and is not in the total.
    UnpricedRun(String),
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FallbackPrice => f.write_str("fallback_price"),
            Self::NoRate(bucket) => write!(f, "no_rate:{}", bucket.as_str()),
            Self::ContextNotPriced { key, value } => {
                write!(f, "context_not_priced:{key}={value}")
            }
            Self::CalendarEnded => f.write_str("calendar_ended"),
            Self::UnpricedRun(model) => write!(f, "unpriced_run:{model}"),
        }
    }
}

impl Serialize for Flag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
