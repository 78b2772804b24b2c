//! The sweep: what a dead process left open is settled for it, once, as estimated.

use std::collections::{HashMap, HashSet};

use aurax_core::{Bucket, Buckets, Error, ErrorKind, Money, Result, Usage, UsageSource};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::batch::{ORPHAN, correction_id};
use super::hold::{Holds, Line};
use super::rows::{ADJUST, set};
use crate::catalogue::{ledger as books, orphans as sql};
use crate::db::{Arg, Fields, Row, Tx, args};
use crate::scope::JobScope;

/// Requests that are settled in one transaction.
const PAGE: u32 = 100;

/// How long a process may be silent before it is taken for dead; it says that it lives every
/// 10 s.
pub const SILENCE: Duration = Duration::seconds(60);

/// What a sweep found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Swept {
    /// Processes that were silent: that had died, or had left in order.
    pub replicas: u64,
    /// Attempts that were settled for them.
    pub attempts: u64,
    /// Requests that were charged for them, as estimated.
    pub charges: u64,
    /// Sessions that are free again.
    pub sessions: u64,
}

impl JobScope {
    /// Settles what processes left open that have been silent for longer than `silence`
    /// ([`SILENCE`] is usual), as estimated: their input, because nobody knows what was answered.
    /// A process that turns out to live corrects what was settled for it.
    ///
    /// # Errors
    /// `Store` when the database is away; what was settled so far stays settled.
    ///
    /// # Cancel safety
    /// A dropped future leaves the rest to the next sweep.
    pub async fn sweep_orphans(&self, silence: Duration) -> Result<Swept> {
        let before = self.store().now() - silence;
        let own = self.store().replica();
        let silent = self.rows(&sql::SILENT, args! { before, own }).await?;
        let mut swept = Swept::default();
        for replica in &silent {
            let owner = replica.uuid("id")?;
            let after = replica.uuid_or_null("oldest_open")?.unwrap_or(Uuid::nil());
            let page = args! { owner, before, after, most: PAGE };
            while self.sweep_page(&page, &mut swept).await? {}
            let (freed, forgotten) = self
                .write(move |tx| {
                    Box::pin(async move {
                        let args = args! { owner, before };
                        let freed = tx.run(&sql::FREE_SESSIONS, &args).await?;
                        Ok((freed, tx.run(&sql::FORGET, &args).await?))
                    })
                })
                .await?;
            swept.sessions += freed;
            // One that came back meanwhile is there still.
            swept.replicas += forgotten;
        }
        if swept.attempts > 0 {
            tracing::warn!(
                replicas = swept.replicas,
                attempts = swept.attempts,
                charges = swept.charges,
                "what dead processes had left open was settled as estimated"
            );
        }
        Ok(swept)
    }

    /// Settles some requests; false when there are no more.
    async fn sweep_page(&self, page: &[Arg], swept: &mut Swept) -> Result<bool> {
        let (now, page) = (self.store().now(), page.to_vec());
        let (found, attempts, charges) = self
            .write(move |tx| {
                Box::pin(async move {
                    let found = tx.rows(&sql::CHARGES, &page).await?;
                    let charges = found.iter().map(|row| row.uuid("charge_id"));
                    let charges = charges.collect::<Result<Vec<_>>>()?;
                    if charges.is_empty() {
                        return Ok((0, 0, 0));
                    }
                    let (settled, charged) = settle(tx, charges, now).await?;
                    Ok((found.len(), settled, charged))
                })
            })
            .await?;
        swept.attempts += attempts;
        swept.charges += charges;
        // Where others have settled them meanwhile, the next page does not show them.
        Ok(found > 0)
    }
}

/// One attempt that nobody settled.
struct Orphan {
    id: Uuid,
    charge_id: Uuid,
    request_id: Uuid,
    user_id: Uuid,
    access_key_id: Option<Uuid>,
    session_id: Option<Uuid>,
    provider: String,
    model: String,
    request_type: String,
    tags: String,
    holds: Holds,
    input_tokens: i64,
    input_cost: Option<Money>,
    input_cost_source: String,
    price_version: String,
    opened_at: OffsetDateTime,
}

#[derive(Deserialize)]
struct Held {
    budget: Uuid,
    usd: Money,
}

impl Orphan {
    fn read(row: &Row) -> Result<Self> {
        let holds: Vec<Held> = serde_json::from_str(&row.text("holds")?).map_err(|e| {
            Error::new(ErrorKind::Internal, "an attempt's holds cannot be read").with_source(e)
        })?;
        Ok(Self {
            id: row.uuid("id")?,
            charge_id: row.uuid("charge_id")?,
            request_id: row.uuid("request_id")?,
            user_id: row.uuid("user_id")?,
            access_key_id: row.uuid_or_null("access_key_id")?,
            session_id: row.uuid_or_null("session_id")?,
            provider: row.text("provider")?,
            model: row.text("model")?,
            request_type: row.text("request_type")?,
            tags: row.text("tags")?,
            holds: Holds(
                holds
                    .into_iter()
                    .map(|held| (held.budget, held.usd))
                    .collect(),
            ),
            input_tokens: row.int("input_tokens")?,
            input_cost: row.money_or_null("input_cost")?,
            input_cost_source: row.text("input_cost_source")?,
            price_version: row.text("price_version")?,
            opened_at: row.time("opened_at")?,
        })
    }

    fn settlement(&self, now: OffsetDateTime) -> Fields {
        let tokens = u64::try_from(self.input_tokens).unwrap_or_default();
        let usage = Usage::measured(
            Buckets::new().with(Bucket::Input, tokens),
            UsageSource::Estimated,
        );
        Vec::from(args! {
            id: self.id,
            kind: "settle",
            attempt_id: self.id,
            charge_id: self.charge_id,
            request_id: self.request_id,
            user_id: self.user_id,
            provider: self.provider.as_str(),
            model: self.model.as_str(),
            answered_by: None::<&str>,
            outcome: "unknown",
            usage: serde_json::to_string(&usage).ok(),
            usage_source: "estimated",
            cost: self.input_cost,
            cost_source: self.input_cost_source.as_str(),
            computed_cost: self.input_cost,
            computed_cost_source: self.input_cost_source.as_str(),
            price_version: self.price_version.as_str(),
            error_kind: None::<&str>,
            error_message: None::<&str>,
            upstream_request_id: None::<&str>,
            duration_ms: 0_i64,
            ttft_ms: None::<i64>,
            started_at: self.opened_at,
            // When it ended nobody knows, and what is charged is the input at the prices of then.
            ended_at: self.opened_at,
            reason: ORPHAN,
            created_at: now,
        })
    }
}

/// The sum of what attempts cost, and how sure it is.
fn total(attempts: &[&Orphan]) -> Result<(Option<Money>, String)> {
    let mut sum = None;
    let mut source = "free".to_owned();
    let mut is_whole = true;
    for attempt in attempts {
        match attempt.input_cost {
            None => is_whole = false,
            Some(cost) => sum = Some(sum.unwrap_or(Money::ZERO).checked_add(cost)?),
        }
        if attempt.input_cost_source != "free" {
            source.clone_from(&attempt.input_cost_source);
        }
    }
    Ok(match sum {
        None => (None, "unpriced".to_owned()),
        Some(sum) if is_whole => (Some(sum), source),
        Some(sum) => (Some(sum), "partial".to_owned()),
    })
}

/// The charge of a request, from its attempts in order. It is dated when they were made: readers
/// look for usage not far from its id, however long nobody looked after it.
fn charge(attempts: &[&Orphan]) -> Result<Option<Fields>> {
    let Some(last) = attempts.last() else {
        return Ok(None);
    };
    let (cost_usd, cost_source) = total(attempts)?;
    let tokens = attempts.iter().map(|attempt| attempt.input_tokens);
    let tokens = tokens.fold(0, i64::saturating_add);
    let input = u64::try_from(tokens).unwrap_or_default();
    let buckets = Buckets::new().with(Bucket::Input, input);
    Ok(Some(Vec::from(args! {
        id: last.charge_id,
        user_id: last.user_id,
        request_id: last.request_id,
        session_id: last.session_id,
        message_id: None::<Uuid>,
        access_key_id: last.access_key_id,
        provider: last.provider.as_str(),
        model: last.model.as_str(),
        request_type: last.request_type.as_str(),
        request_tokens: tokens,
        response_tokens: 0_i64,
        total_tokens: tokens,
        buckets: serde_json::to_string(&buckets).ok(),
        usage_source: "estimated",
        cost_usd,
        cost_source,
        price_version: last.price_version.as_str(),
        response_time_ms: 0_i64,
        ttft_ms: None::<i64>,
        outcome: "unknown",
        status: "error",
        error_kind: "internal",
        error_message: "the process that made the call died",
        attempts: i64::try_from(attempts.len()).unwrap_or(i64::MAX),
        is_cached: false,
        tags: last.tags.as_str(),
        created_at: last.opened_at,
    })))
}

/// Settles requests within a transaction, in the order in which the writer locks.
async fn settle(tx: &mut Tx, charges: Vec<Uuid>, now: OffsetDateTime) -> Result<(u64, u64)> {
    let rows = tx.rows(&sql::ATTEMPTS, &args! { charges }).await?;
    let orphans = rows.iter().map(Orphan::read).collect::<Result<Vec<_>>>()?;
    let users: HashSet<Uuid> = orphans.iter().map(|orphan| orphan.user_id).collect();
    let users: Vec<Uuid> = users.into_iter().collect();
    let rows = tx.rows(&books::BUDGETS, &args! { users }).await?;
    let mut lines = rows.iter().map(Line::read).collect::<Result<Vec<_>>>()?;
    let settlements: Vec<Fields> = orphans.iter().map(|one| one.settlement(now)).collect();
    let new = tx.insert_new(&books::ADD_SETTLEMENTS, &settlements).await?;
    let mut requests: HashMap<Uuid, Vec<&Orphan>> = HashMap::new();
    // What its own writer has settled meanwhile is not ours to charge.
    for orphan in orphans.iter().filter(|orphan| new.contains(&orphan.id)) {
        requests.entry(orphan.charge_id).or_default().push(orphan);
    }
    add_charges(tx, &requests).await?;
    for attempts in requests.values() {
        release(attempts, &mut lines, now)?;
    }
    super::batch::keep(tx, &lines, now).await?;
    let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
    Ok((count(new.len()), count(requests.len())))
}

/// Charges requests for attempts that were settled just now. One that was charged before, by an
/// earlier sweep or by its writer, is charged for them beside that.
async fn add_charges(tx: &mut Tx, requests: &HashMap<Uuid, Vec<&Orphan>>) -> Result<()> {
    let mut rows = HashMap::new();
    for (id, attempts) in requests {
        rows.extend(charge(attempts)?.map(|row| (*id, row)));
    }
    let all: Vec<Fields> = rows.values().cloned().collect();
    let new = tx.insert_new(&books::ADD_USAGE, &all).await?;
    let mut beside = Vec::new();
    for (id, mut row) in rows.into_iter().filter(|(id, _)| !new.contains(id)) {
        if let Some(last) = requests.get(&id).and_then(|attempts| attempts.last()) {
            set(&mut row, "id", correction_id(last.id, ORPHAN));
            set(&mut row, "request_type", ADJUST);
            beside.push(row);
        }
    }
    tx.insert(&books::ADD_USAGE, &beside).await.map(drop)
}

fn release(attempts: &[&Orphan], lines: &mut [Line], now: OffsetDateTime) -> Result<()> {
    let mut holds = Holds::default();
    for attempt in attempts {
        holds.add(&attempt.holds)?;
    }
    let (cost, _) = total(attempts)?;
    for (budget, held) in &holds.0 {
        if let Some(line) = lines.iter_mut().find(|line| line.id == *budget) {
            line.release(*held)?;
            line.spend(cost, now)?;
        }
    }
    Ok(())
}
