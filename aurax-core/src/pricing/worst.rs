//! The most a call can cost by the price book.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use time::{Duration, OffsetDateTime, UtcOffset};

use super::book::PriceBook;
use super::error::PriceError;
use super::exact;
use super::rate::{Context, Price, PriceList};
use super::unit;
use crate::bucket::Bucket;
use crate::money::Money;

/// How long a call may take to begin and to end, for prices that change meanwhile.
const SPAN: [Duration; 3] = [Duration::ZERO, Duration::minutes(5), Duration::minutes(15)];

/// Facts that a request settles by itself. What else changes a price, such as the region that
/// serves the call, is the provider's to choose.
const SETTLED: [&str; 2] = ["speed", "processing"];

/// What a call cannot exceed.
#[derive(Debug)]
pub(crate) struct Bounds<'a> {
    /// All input tokens.
    pub(crate) input_tokens: u64,
    /// All output tokens, of all choices.
    pub(crate) output_tokens: u64,
    /// The buckets of tokens that may be used.
    pub(crate) buckets: &'a [Bucket],
    /// What the request says about facts that change the price, such as its service tier.
    pub(crate) context: &'a BTreeMap<String, String>,
}

impl PriceBook {
    /// The most that usage within `bounds` costs, in one run at the model, beginning soon after
    /// `at`; `None` where something is billed that the bounds say nothing about, such as time.
    ///
    /// All tokens of a side are charged at the dearest rate that any bucket, tier or variant
    /// within the bounds may have.
    pub(crate) fn worst_case(
        &self,
        provider: &str,
        model: &str,
        bounds: &Bounds<'_>,
        at: OffsetDateTime,
    ) -> Result<Option<Money>, PriceError> {
        let resolved = self.resolve(provider, model)?;
        let list = match &resolved.listing.price {
            Price::Free => return Ok(Some(Money::ZERO)),
            Price::Unknown => return Err(resolved.unpriced()),
            Price::Listed(list) => list,
        };
        let at = at.checked_to_offset(UtcOffset::UTC).unwrap_or(at);
        let mut worst: Option<Money> = None;
        for span in SPAN {
            let Some(at) = at.checked_add(span) else {
                continue;
            };
            let rates = Rates {
                list,
                bounds,
                is_fallback: resolved.is_fallback(),
                at,
            };
            if !rates.is_in_force() {
                continue;
            }
            match self.most(&rates) {
                Some(amount) => worst = worst.max(Some(amount)),
                None => return Ok(None),
            }
        }
        worst.map(Some).ok_or_else(|| resolved.unpriced())
    }

    fn most(&self, rates: &Rates<'_>) -> Option<Money> {
        let bounds = rates.bounds;
        let not_bounded = [
            Bucket::InputCharacters,
            Bucket::TextMessages,
            Bucket::AudioMillis,
            Bucket::InputAudioMillis,
            Bucket::Pages,
            Bucket::AnnotatedPages,
        ];
        if not_bounded
            .iter()
            .any(|unit| rates.dearest(*unit).is_some())
        {
            return None;
        }
        let side = |of: fn(Bucket) -> bool, tokens: u64| {
            let units = bounds.buckets.iter().filter(|bucket| of(**bucket));
            let units = units.flat_map(|bucket| unit::covering(*bucket));
            let mut most = Money::ZERO;
            for unit in units {
                if let Some(amount) = self.amount(rates, *unit, tokens)? {
                    most = most.max(amount);
                }
            }
            Some(most)
        };
        let is_output = |bucket| unit::side(bucket) == unit::Side::Output;
        let is_input = |bucket| unit::side(bucket) == unit::Side::Input;
        let input = side(is_input, bounds.input_tokens)?;
        let output = side(is_output, bounds.output_tokens)?;
        let fee = self.amount(rates, Bucket::Requests, 1)?;
        let total = input.checked_add(output).ok()?;
        let total = total.checked_add(fee.unwrap_or(Money::ZERO)).ok()?;
        Some(total.rounded())
    }

    /// What so many of a unit cost at most: the outer `None` where that is no amount, the inner
    /// one where the unit has no rate.
    fn amount(&self, rates: &Rates<'_>, unit: Bucket, count: u64) -> Option<Option<Money>> {
        let Some(rate) = rates.dearest(unit) else {
            return Some(None);
        };
        let rate = if unit::in_tokens(unit) {
            exact::product(rate, rates.factor()?)?
        } else {
            rate
        };
        let per = self.tables.pers.get(&unit)?;
        Some(Some(Money::new(exact::amount(rate, count, *per)?)))
    }
}

/// The rates that may be in force.
struct Rates<'a> {
    list: &'a PriceList,
    bounds: &'a Bounds<'a>,
    is_fallback: bool,
    at: OffsetDateTime,
}

impl Rates<'_> {
    fn is_in_force(&self) -> bool {
        self.list
            .standard
            .iter()
            .any(|entry| entry.schedule.holds(self.at))
    }

    /// The dearest rate of a unit.
    fn dearest(&self, unit: Bucket) -> Option<Decimal> {
        let standard = self
            .list
            .standard
            .iter()
            .find(|entry| entry.schedule.holds(self.at));
        let variants = self.list.variants.iter().filter(|variant| {
            !self.is_fallback
                && variant.entry.schedule.holds(self.at)
                && may_hold(&variant.when, self.bounds.context)
        });
        variants
            .map(|variant| &variant.entry)
            .chain(standard)
            .filter_map(|entry| entry.dearest(unit, self.bounds.input_tokens))
            .max()
    }

    /// The product of the factors that may apply and raise a price: of those for different values
    /// of one fact, the largest.
    fn factor(&self) -> Option<Decimal> {
        let mut largest: BTreeMap<Vec<&String>, Decimal> = BTreeMap::new();
        for factor in &self.list.factors {
            if factor.by > Decimal::ONE && may_hold(&factor.when, self.bounds.context) {
                let by = largest
                    .entry(factor.when.keys().collect())
                    .or_insert(factor.by);
                *by = factor.by.max(*by);
            }
        }
        largest.into_values().try_fold(Decimal::ONE, exact::product)
    }
}

/// Whether a call that says `context` about itself may turn out to be what `when` asks for.
fn may_hold(when: &Context, context: &Context) -> bool {
    when.iter().all(|(key, wanted)| match context.get(key) {
        Some(value) => value.eq_ignore_ascii_case(wanted) || value.eq_ignore_ascii_case("auto"),
        None => !SETTLED.contains(&key.as_str()),
    })
}
