//! Pricing settlements again: what was charged stays as it was written, and the difference is
//! added.
#![deny(clippy::arithmetic_side_effects, clippy::float_arithmetic)]

use std::collections::HashMap;
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
    let ids = rows
        .iter()
        .map(|row| row.uuid("id"))
        .collect::<Result<Vec<_>>>()?;
    let found = tx.rows(&sql::ADJUSTED, &args! { ids }).await?;
    let mut adjusted = HashMap::new();
    for row in &found {
        if let Some(so_far) = row.money_or_null("cost")? {
            adjusted.insert(row.uuid("attempt_id")?, so_far);
        }
    }
    let mut changes = Vec::new();
    for row in &rows {
        let Some(change) = Change::of(row, what, &adjusted)? else {
            continue;
        };
        sum.attempts = sum.attempts.saturating_add(1);
        if change.difference == Some(Money::ZERO) {
            continue;
        }
        let Some(difference) = change.difference else {
            continue;
        };
        sum.changed = sum.changed.saturating_add(1);
        sum.priced = sum.priced.saturating_add(u64::from(change.had_no_price));
        sum.difference = sum.difference.checked_add(difference)?;
        changes.push((row, change.cost, difference));
    }
    if run == Run::Real && !changes.is_empty() {
        write(tx, what, &changes, now).await?;
    }
    Ok(Page {
        sum,
        next: Some(next),
    })
}

/// What the prices make of one attempt.
struct Change {
    cost: Cost,
    /// To what it costs by now; `None` where the price is still not known.
    difference: Option<Money>,
    had_no_price: bool,
}

impl Change {
    /// `None` for an attempt that is not to be priced again.
    fn of(row: &Row, what: &Repricing, adjusted: &HashMap<Uuid, Money>) -> Result<Option<Self>> {
        let provider = row.text("provider")?;
        let is_other = what
            .provider
            .as_ref()
            .is_some_and(|wanted| *wanted != provider);
        if is_other || row.text("cost_source")? == "reported" {
            return Ok(None);
        }
        let usage: Usage = serde_json::from_str(&row.text("usage")?).map_err(|e| {
            Error::new(ErrorKind::Internal, "a settlement's usage cannot be read").with_source(e)
        })?;
        let prices = what.prices.get(&provider).unwrap_or(&provider);
        let (asked, answered_by) = (row.text("model")?, row.text_or_null("answered_by")?);
        let priced = what.pricer.price(&Sale {
            provider: Some(prices),
            asked: &asked,
            answered_by: answered_by.as_deref(),
            usage: &usage,
            started_at: row.time("started_at")?,
            ended_at: row.time("ended_at")?,
        });
        let written = row.money_or_null("cost")?;
        let so_far = adjusted
            .get(&row.uuid("id")?)
            .copied()
            .unwrap_or(Money::ZERO);
        let so_far = so_far.checked_add(written.unwrap_or(Money::ZERO))?;
        let difference = match priced.computed.amount() {
            Some(cost) => Some(cost.checked_sub(so_far)?),
            None => None,
        };
        Ok(Some(Self {
            cost: priced.computed,
            difference,
            had_no_price: written.is_none(),
        }))
    }
}

/// Adds the differences, to the attempts and to their requests' charges.
async fn write(
    tx: &mut Tx,
    what: &Repricing,
    changes: &[(&Row, Cost, Money)],
    now: OffsetDateTime,
) -> Result<()> {
    let version = what.pricer.version();
    let ids = changes.iter().map(|(row, ..)| row.uuid("charge_id"));
    let ids = ids.collect::<Result<Vec<_>>>()?;
    let charged = tx.rows(&sql::CHARGED, &args! { ids }).await?;
    let mut charges = HashMap::new();
    for row in &charged {
        charges.insert(row.uuid("id")?, row);
    }
    let (mut settlements, mut usage): (Vec<Fields>, Vec<Fields>) = (Vec::new(), Vec::new());
    for (row, cost, difference) in changes {
        let attempt = row.uuid("id")?;
        let id = correction_id(attempt, version);
        settlements.push(settlement(row, id, *cost, *difference, version, now)?);
        if let Some(charge) = charges.get(&row.uuid("charge_id")?) {
            usage.push(charge_row(row, charge, id, *cost, *difference, version)?);
        }
    }
    tx.insert(&books::ADD_SETTLEMENTS, &settlements).await?;
    tx.insert(&books::ADD_USAGE, &usage).await?;
    Ok(())
}

fn settlement(
    row: &Row,
    id: Uuid,
    cost: Cost,
    difference: Money,
    version: &str,
    now: OffsetDateTime,
) -> Result<Fields> {
    Ok(Vec::from(args! {
        id,
        kind: "adjust",
        attempt_id: row.uuid("attempt_id")?,
        charge_id: row.uuid("charge_id")?,
        request_id: row.uuid("request_id")?,
        user_id: row.uuid("user_id")?,
        provider: row.text("provider")?,
        model: row.text("model")?,
        answered_by: row.text_or_null("answered_by")?,
        outcome: row.text("outcome")?,
        usage: None::<&str>,
        usage_source: row.text_or_null("usage_source")?,
        cost: difference,
        cost_source: cost.source(),
        computed_cost: cost.amount(),
        computed_cost_source: cost.source(),
        price_version: version,
        error_kind: None::<&str>,
        error_message: None::<&str>,
        upstream_request_id: None::<&str>,
        duration_ms: 0_i64,
        ttft_ms: None::<i64>,
        started_at: row.time("started_at")?,
        ended_at: row.time("ended_at")?,
        reason: "reprice",
        created_at: now,
    }))
}

fn charge_row(
    row: &Row,
    charge: &Row,
    id: Uuid,
    cost: Cost,
    difference: Money,
    version: &str,
) -> Result<Fields> {
    Ok(Vec::from(args! {
        id,
        user_id: row.uuid("user_id")?,
        request_id: row.uuid("request_id")?,
        session_id: charge.uuid_or_null("session_id")?,
        message_id: charge.uuid_or_null("message_id")?,
        access_key_id: charge.uuid_or_null("access_key_id")?,
        provider: row.text("provider")?,
        model: row.text_or_null("answered_by")?.map_or_else(|| row.text("model"), Ok)?,
        request_type: ADJUST,
        request_tokens: 0_i64,
        response_tokens: 0_i64,
        total_tokens: 0_i64,
        buckets: "{}",
        usage_source: row.text_or_null("usage_source")?,
        cost_usd: difference,
        cost_source: cost.source(),
        price_version: version,
        response_time_ms: 0_i64,
        ttft_ms: None::<i64>,
        outcome: row.text("outcome")?,
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
