//! Charges usage at the rates in force.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use time::{OffsetDateTime, UtcOffset};

use super::bill::{Bill, Flag, Line};
use super::book::{PriceBook, Resolved};
use super::error::PriceError;
use super::exact;
use super::rate::{Context, Price, PriceList, Terms};
use super::unit::{self, Side};
use crate::bucket::{Bucket, Buckets};
use crate::money::Money;
use crate::usage::{Anomaly, Usage};

impl PriceBook {
    /// What `usage` of a model costs at the instant `at`.
    ///
    /// Each bucket is charged once, at the most specific rate that covers it. The number of all
    /// prompt tokens selects the tier, for the whole request. Runs billed apart
    /// ([`Usage::iterations`]) are priced each by itself, with their own model and tier; the fees
    /// of the call (searches, request) are charged once, at the call's model.
    ///
    /// # Errors
    /// [`PriceError`], when the provider or the model is unknown or has no price at `at`, when
    /// the usage contradicts itself in a part with a rate of its own, or when the amount is out
    /// of range. Where only some runs have no price, the others are billed, with a flag.
    pub fn bill(
        &self,
        provider: &str,
        model: &str,
        usage: &Usage,
        at: OffsetDateTime,
    ) -> Result<Bill, PriceError> {
        self.bill_found(&self.resolve(provider, model)?, usage, at)
    }

    /// As [`PriceBook::bill`], of a model that was found already.
    pub(super) fn bill_found(
        &self,
        model: &Resolved<'_>,
        usage: &Usage,
        at: OffsetDateTime,
    ) -> Result<Bill, PriceError> {
        let charge = Charge {
            book: self,
            context: &usage.price_context,
            at: at.checked_to_offset(UtcOffset::UTC).unwrap_or(at),
        };
        if usage.iterations.is_empty() {
            charge.bill(model, &usage.buckets, &usage.anomalies)
        } else {
            charge.bill_runs(model, usage)
        }
    }
}

/// What the prices of a call depend on besides model and usage.
struct Charge<'a> {
    book: &'a PriceBook,
    context: &'a Context,
    /// In UTC.
    at: OffsetDateTime,
}

impl Charge<'_> {
    /// The fees of the call once, and each of its runs.
    fn bill_runs(&self, call: &Resolved<'_>, usage: &Usage) -> Result<Bill, PriceError> {
        let fees = Bucket::FEES.iter().fold(Buckets::new(), |fees, fee| {
            fees.with(*fee, usage.buckets.get(*fee))
        });
        let mut bill = self.bill(call, &fees, &[])?;
        let mut is_priced = false;
        let mut unpriced = None;
        for run in &usage.iterations {
            let without_fees = Bucket::FEES
                .iter()
                .fold(run.buckets.clone(), |buckets, fee| buckets.with(*fee, 0));
            let model = match &run.model {
                None => Ok(*call),
                Some(name) => self.book.resolve(call.provider, name),
            };
            match model.and_then(|model| self.bill(&model, &without_fees, &run.anomalies)) {
                Ok(run) => {
                    bill.add(run)?;
                    is_priced = true;
                }
                Err(e @ (PriceError::UnknownModel { .. } | PriceError::Unpriced { .. })) => {
                    let name = run.model.as_deref().unwrap_or(call.model);
                    bill.flag(Flag::UnpricedRun(name.to_owned()));
                    unpriced = Some(e);
                }
                Err(e) => return Err(e),
            }
        }
        match unpriced {
            Some(e) if !is_priced => Err(e),
            _ => Ok(bill),
        }
    }

    fn bill(
        &self,
        model: &Resolved<'_>,
        buckets: &Buckets,
        anomalies: &[Anomaly],
    ) -> Result<Bill, PriceError> {
        let mut bill = Bill {
            total: Money::ZERO,
            input: Money::ZERO,
            output: Money::ZERO,
            lines: Vec::new(),
            flags: Vec::new(),
            free: false,
            provider: model.provider.to_owned(),
            priced_by: model.priced_by.to_owned(),
            model: model.model.to_owned(),
            matched: model.matched,
        };
        if model.is_fallback() {
            bill.flag(Flag::FallbackPrice);
        }
        let list = match &model.listing.price {
            Price::Free => {
                bill.free = true;
                return Ok(bill);
            }
            Price::Unknown => return Err(model.unpriced()),
            Price::Listed(list) => list,
        };
        let terms = list
            .terms(
                self.context,
                model.is_fallback(),
                buckets.input_tokens(),
                self.at,
            )
            .ok_or_else(|| model.unpriced())?;
        for anomaly in anomalies {
            if terms.rate(anomaly.part).is_some() {
                return Err(PriceError::BadUsage {
                    part: anomaly.part,
                    reported: anomaly.reported,
                    available: anomaly.available,
                });
            }
        }
        self.flag_context(&mut bill, &terms);
        if terms.outlive_calendar(self.at) {
            bill.flag(Flag::CalendarEnded);
        }
        let quantities = quantities(&mut bill, model, &terms, &floored(buckets, list))?;
        self.add_lines(&mut bill, &terms, quantities)
            .ok_or(PriceError::TooLarge)?;
        Ok(bill)
    }

    fn flag_context(&self, bill: &mut Bill, terms: &Terms<'_>) {
        for (key, value) in self.context {
            let ordinary = self.book.tables.ordinary.get(key).is_some_and(|values| {
                values
                    .iter()
                    .any(|ordinary| ordinary.eq_ignore_ascii_case(value))
            });
            if !ordinary && !terms.considers(key) {
                bill.flag(Flag::ContextNotPriced {
                    key: key.clone(),
                    value: value.clone(),
                });
            }
        }
    }

    /// `None` where an amount does not fit.
    fn add_lines(
        &self,
        bill: &mut Bill,
        terms: &Terms<'_>,
        quantities: BTreeMap<Bucket, (Decimal, u64)>,
    ) -> Option<()> {
        for (unit, (rate, quantity)) in quantities {
            let rate = if unit::in_tokens(unit) {
                terms.multiplied(rate)?
            } else {
                rate
            };
            let per = self.book.tables.pers.get(&unit)?;
            let amount = Money::new(exact::amount(rate, quantity, *per)?);
            bill.total = bill.total.checked_add(amount).ok()?;
            match unit::side(unit) {
                Side::Input => bill.input = bill.input.checked_add(amount).ok()?,
                Side::Output => bill.output = bill.output.checked_add(amount).ok()?,
                Side::Neither => {}
            }
            bill.lines.push(Line {
                unit,
                quantity,
                rate,
                amount,
            });
        }
        Some(())
    }
}

/// How much is charged at each rate; usage without a rate of its own is flagged.
fn quantities(
    bill: &mut Bill,
    model: &Resolved<'_>,
    terms: &Terms<'_>,
    buckets: &Buckets,
) -> Result<BTreeMap<Bucket, (Decimal, u64)>, PriceError> {
    let mut quantities = BTreeMap::new();
    for (bucket, count) in buckets.iter() {
        let charged = unit::covering(bucket)
            .iter()
            .find_map(|unit| terms.rate(*unit).map(|rate| (*unit, rate)));
        if !is_documented(model, bucket, charged.map(|(unit, _)| unit)) {
            bill.flag(Flag::NoRate(bucket));
        }
        if let Some((unit, rate)) = charged {
            let (_, quantity) = quantities.entry(unit).or_insert((rate, 0_u64));
            *quantity = quantity.checked_add(count).ok_or(PriceError::TooLarge)?;
        }
    }
    Ok(quantities)
}

/// Whether it is known that `bucket` is billed at the rate of `unit`, or not at all.
///
/// Reasoning is output everywhere, and where a price has no fee for cache writes they are input.
/// What else is billed with its parent, the book says of each provider.
fn is_documented(model: &Resolved<'_>, bucket: Bucket, unit: Option<Bucket>) -> bool {
    match (bucket, unit) {
        (Bucket::Requests, _)
        | (Bucket::Reasoning, Some(Bucket::Output))
        | (Bucket::CacheWrite | Bucket::CacheWrite1h, Some(Bucket::Input)) => true,
        (_, unit) if unit == Some(bucket) => true,
        (_, Some(_)) => model.seller.at_parent_rate.contains(&bucket),
        (_, None) => false,
    }
}

/// The buckets with audio raised to the least that is billed of a call with any.
fn floored(buckets: &Buckets, list: &PriceList) -> Buckets {
    let [input, any] = [Bucket::InputAudioMillis, Bucket::AudioMillis];
    let audio = buckets.get(input).saturating_add(buckets.get(any));
    let missing = list.minimum_millis.saturating_sub(audio);
    if audio == 0 || missing == 0 {
        return buckets.clone();
    }
    let raised = if buckets.get(input) > 0 { input } else { any };
    let count = buckets.get(raised).saturating_add(missing);
    buckets.clone().with(raised, count)
}
