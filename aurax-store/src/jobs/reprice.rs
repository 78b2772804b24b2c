//! Pricing settlements again: what was charged stays as it was written, and the difference is
//! added.
#![deny(clippy::arithmetic_side_effects, clippy::float_arithmetic)]

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use aurax_core::{Cost, Error, ErrorKind, Money, Pricer, Result, Sale, Usage};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::catalogue::{jobs as sql, ledger as books};
use crate::db::{Fields, Row, Tx, args};
use crate::ledger::{ADJUST, correction_id};
use crate::scope::JobScope;
use crate::usage::first_id;

/// Settlements that are priced in one transaction.
const PAGE: u32 = 250;

/// What to price again.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Repricing {
    /// The prices.
    pub pricer: Arc<Pricer>,
    /// Attempts made from here on.
    pub from: OffsetDateTime,
    /// Attempts made before this.
    pub until: OffsetDateTime,
    /// The configured provider, where it is not all of them.
    pub provider: Option<String>,
    /// Where a configured provider's prices are in the book; its own name unless set.
    pub prices: HashMap<String, String>,
}

impl Repricing {
    /// Prices what was attempted in a span of time again.
    pub fn new(pricer: Arc<Pricer>, from: OffsetDateTime, until: OffsetDateTime) -> Self {
        Self {
            pricer,
            from,
            until,
            provider: None,
            prices: HashMap::new(),
        }
    }

    /// Only what this provider answered.
    #[must_use]
    pub fn with_provider(mut self, provider: impl Into<String>) -> Self {
        self.provider = Some(provider.into());
        self
    }

    /// Finds the prices of a configured provider under another name in the book.
    #[must_use]
    pub fn with_prices(mut self, provider: impl Into<String>, prices: impl Into<String>) -> Self {
        self.prices.insert(provider.into(), prices.into());
        self
    }
}

/// What pricing again changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Repriced {
    /// Attempts that were looked at.
    pub attempts: u64,
    /// Attempts whose cost is another one now.
    pub changed: u64,
    /// Attempts that had no price and have one now.
    pub priced: u64,
    /// The difference of all together.
    pub difference: Money,
}

impl JobScope {
    /// Says what pricing again would change, without changing anything.
    ///
    /// # Errors
    /// `Store` when the database is away.
    pub async fn reprice_dry_run(&self, what: &Repricing) -> Result<Repriced> {
        self.reprice_all(what, Run::Dry).await
    }

    /// Prices settlements again and adds the differences, each as a row of its own beside the one
    /// it corrects. Costs that a provider itself reported stay. Run again with the same prices, it
    /// changes nothing.
    ///
    /// # Errors
    /// `Store` when the database is away; what was added so far stays.
    ///
    /// # Cancel safety
    /// A dropped future leaves the rest to the next run.
    pub async fn reprice(&self, what: &Repricing) -> Result<Repriced> {
        self.reprice_all(what, Run::Real).await
    }

    async fn reprice_all(&self, what: &Repricing, run: Run) -> Result<Repriced> {
        let mut after = first_id(what.from);
        let before = first_id(what.until);
        let mut sum = Repriced::default();
        loop {
            let (own, now) = (what.clone(), self.store().now());
            let page = self
                .write(move |tx| {
                    Box::pin(async move { page(tx, &own, run, after, before, now).await })
                })
                .await?;
            sum.attempts = sum.attempts.saturating_add(page.sum.attempts);
            sum.changed = sum.changed.saturating_add(page.sum.changed);
            sum.priced = sum.priced.saturating_add(page.sum.priced);
            sum.difference = sum.difference.checked_add(page.sum.difference)?;
            match page.next {
                Some(next) => after = next,
                None => return Ok(sum),
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Run {
    Dry,
    Real,
}

struct Page {
    sum: Repriced,
    next: Option<Uuid>,
}

async fn page(
    tx: &mut Tx,
    what: &Repricing,
    run: Run,
    after: Uuid,
    before: Uuid,
    now: OffsetDateTime,
) -> Result<Page> {
    let rows = tx
        .rows(&sql::SETTLED, &args! { after, before, most: PAGE })
        .await?;
    let mut sum = Repriced::default();
    let Some(last) = rows.last() else {
        return Ok(Page { sum, next: None });
    };
    let next = Uuid::from_u128(last.uuid("id")?.as_u128().saturating_add(1));
    let ids = rows.iter().map(|row| row.uuid("id"));
    let ids = ids.collect::<Result<Vec<_>>>()?;
    let adjusted = tx.rows(&sql::ADJUSTED, &args! { ids: ids.clone() }).await?;
    let late = tx.rows(&sql::LATE, &args! { ids }).await?;
    let mut changes = Vec::new();
    for attempt in attempts(&rows, &adjusted, &late)? {
        let Some(cost) = attempt.price(what)? else {
            continue;
        };
        sum.attempts = sum.attempts.saturating_add(1);
        let Some(amount) = cost.amount() else {
            continue;
        };
        let difference = amount.checked_sub(attempt.so_far()?)?;
        if difference != Money::ZERO {
            let id = attempt.next_correction()?;
            changes.push(Change {
                id,
                attempt,
                cost,
                difference,
            });
        }
    }
    if run == Run::Real && !changes.is_empty() {
        let new = write(tx, what, &changes, now).await?;
        changes.retain(|change| new.contains(&change.id));
    }
    for change in &changes {
        sum.changed = sum.changed.saturating_add(1);
        sum.priced = sum
            .priced
            .saturating_add(u64::from(change.attempt.had_no_price()?));
        sum.difference = sum.difference.checked_add(change.difference)?;
    }
    Ok(Page {
        sum,
        next: Some(next),
    })
}

/// An attempt as the books have it.
struct Attempt<'a> {
    /// Its settlement.
    settled: &'a Row,
    /// The row that says what it used: the settlement, unless a sweep estimated that and the
    /// attempt's writer said more later.
    facts: &'a Row,
    /// How often it was corrected.
    corrections: i64,
    /// What the corrections add to its cost; `None` where none of them knew.
    added: Option<Money>,
}

/// Joins settlements with what their corrections say.
fn attempts<'a>(settled: &'a [Row], adjusted: &[Row], late: &'a [Row]) -> Result<Vec<Attempt<'a>>> {
    let mut sums = HashMap::new();
    for row in adjusted {
        let sum = (row.int("corrections")?, row.money_or_null("cost")?);
        sums.insert(row.uuid("attempt_id")?, sum);
    }
    let mut corrected = HashMap::new();
    for row in late {
        corrected.insert(row.uuid("attempt_id")?, row);
    }
    let mut attempts = Vec::with_capacity(settled.len());
    for row in settled {
        let id = row.uuid("id")?;
        let (corrections, added) = sums.remove(&id).unwrap_or_default();
        attempts.push(Attempt {
            settled: row,
            facts: corrected.remove(&id).unwrap_or(row),
            corrections,
            added,
        });
    }
    Ok(attempts)
}

impl Attempt<'_> {
    /// What the prices make of it; `None` for one that is not to be priced again.
    fn price(&self, what: &Repricing) -> Result<Option<Cost>> {
        let (row, facts) = (self.settled, self.facts);
        let provider = row.text("provider")?;
        let is_other = what
            .provider
            .as_ref()
            .is_some_and(|wanted| *wanted != provider);
        if is_other || facts.text("cost_source")? == "reported" {
            return Ok(None);
        }
        let Some(usage) = facts.text_or_null("usage")? else {
            return Ok(None);
        };
        let usage: Usage = serde_json::from_str(&usage).map_err(|e| {
            Error::new(ErrorKind::Internal, "a settlement's usage cannot be read").with_source(e)
        })?;
        let prices = what.prices.get(&provider).unwrap_or(&provider);
        let (asked, answered_by) = (row.text("model")?, facts.text_or_null("answered_by")?);
        let priced = what.pricer.price(&Sale {
            provider: Some(prices),
            asked: &asked,
            answered_by: answered_by.as_deref(),
            usage: &usage,
            started_at: facts.time("started_at")?,
            ended_at: facts.time("ended_at")?,
        });
        Ok(Some(priced.computed))
    }

    /// What it costs by now.
    fn so_far(&self) -> Result<Money> {
        let settled = self.settled.money_or_null("cost")?;
        let added = self.added.unwrap_or(Money::ZERO);
        settled.unwrap_or(Money::ZERO).checked_add(added)
    }

    fn had_no_price(&self) -> Result<bool> {
        Ok(self.added.is_none() && self.facts.money_or_null("cost")?.is_none())
    }

    /// The id of the correction that comes next. Of two that price the same attempt at once, one
    /// finds that it is taken, whatever their prices are.
    fn next_correction(&self) -> Result<Uuid> {
        let why = format!("reprice {}", self.corrections);
        Ok(correction_id(self.settled.uuid("id")?, &why))
    }
}

/// An attempt that costs something else now.
struct Change<'a> {
    /// Of the rows that say so.
    id: Uuid,
    attempt: Attempt<'a>,
    cost: Cost,
    /// To what it costs by now.
    difference: Money,
}

/// Adds the differences, to the attempts and to their requests' charges; returns the ids of those
/// that nobody else added meanwhile.
async fn write(
    tx: &mut Tx,
    what: &Repricing,
    changes: &[Change<'_>],
    now: OffsetDateTime,
) -> Result<HashSet<Uuid>> {
    let version = what.pricer.version();
    let rows = changes
        .iter()
        .map(|change| change.settlement(version, now))
        .collect::<Result<Vec<_>>>()?;
    let new = tx.insert_new(&books::ADD_SETTLEMENTS, &rows).await?;
    let written = || changes.iter().filter(|change| new.contains(&change.id));
    let ids = written().map(|change| change.attempt.settled.uuid("charge_id"));
    let ids = ids.collect::<Result<Vec<_>>>()?;
    let charged = tx.rows(&sql::CHARGED, &args! { ids }).await?;
    let mut charges = HashMap::new();
    for row in &charged {
        charges.insert(row.uuid("id")?, row);
    }
    let mut rows = Vec::new();
    for change in written() {
        if let Some(charge) = charges.get(&change.attempt.settled.uuid("charge_id")?) {
            rows.push(change.charge(charge, version)?);
        }
    }
    tx.insert(&books::ADD_USAGE, &rows).await?;
    Ok(new)
}

impl Change<'_> {
    fn settlement(&self, version: &str, now: OffsetDateTime) -> Result<Fields> {
        let (row, facts) = (self.attempt.settled, self.attempt.facts);
        Ok(Vec::from(args! {
            id: self.id,
            kind: "adjust",
            attempt_id: row.uuid("attempt_id")?,
            charge_id: row.uuid("charge_id")?,
            request_id: row.uuid("request_id")?,
            user_id: row.uuid("user_id")?,
            provider: row.text("provider")?,
            model: row.text("model")?,
            answered_by: facts.text_or_null("answered_by")?,
            outcome: facts.text("outcome")?,
            usage: None::<&str>,
            usage_source: facts.text_or_null("usage_source")?,
            cost: self.difference,
            cost_source: self.cost.source(),
            computed_cost: self.cost.amount(),
            computed_cost_source: self.cost.source(),
            price_version: version,
            error_kind: None::<&str>,
            error_message: None::<&str>,
            upstream_request_id: None::<&str>,
            duration_ms: 0_i64,
            ttft_ms: None::<i64>,
            started_at: facts.time("started_at")?,
            ended_at: facts.time("ended_at")?,
            reason: "reprice",
            created_at: now,
        }))
    }

    fn charge(&self, charge: &Row, version: &str) -> Result<Fields> {
        let (row, facts) = (self.attempt.settled, self.attempt.facts);
        Ok(Vec::from(args! {
            id: self.id,
            user_id: row.uuid("user_id")?,
            request_id: row.uuid("request_id")?,
            session_id: charge.uuid_or_null("session_id")?,
            message_id: charge.uuid_or_null("message_id")?,
            access_key_id: charge.uuid_or_null("access_key_id")?,
            provider: row.text("provider")?,
            model: facts.text_or_null("answered_by")?.map_or_else(|| row.text("model"), Ok)?,
            request_type: ADJUST,
            request_tokens: 0_i64,
            response_tokens: 0_i64,
            total_tokens: 0_i64,
            buckets: "{}",
            usage_source: facts.text_or_null("usage_source")?,
            cost_usd: self.difference,
            cost_source: self.cost.source(),
            price_version: version,
            response_time_ms: 0_i64,
            ttft_ms: None::<i64>,
            outcome: facts.text("outcome")?,
            status: "success",
            error_kind: None::<&str>,
            error_message: None::<&str>,
            attempts: 0_i64,
            is_cached: false,
            tags: charge.text("tags")?,
            // In the period of the charge it corrects.
            created_at: charge.time("created_at")?,
        }))
    }
}
