//! Retention: what is too old goes, and what it added up to stays.
#![deny(clippy::arithmetic_side_effects, clippy::float_arithmetic)]

use std::collections::BTreeMap;
use std::mem;

use aurax_core::{Money, Result};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime, Time};
use uuid::Uuid;

use crate::catalogue::jobs as sql;
use crate::db::{Fields, Row, Statement, Tx, args};
use crate::ledger::ADJUST;
use crate::ledger::fault::{CrashPoint, Sabotage, jobs_do, reached};
use crate::scope::JobScope;
use crate::usage::first_id;

/// Rows that go in one transaction, so that nobody waits long for the one writer of SQLite.
const PAGE: u32 = 500;

/// How long things are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retention {
    /// Usage rows; a year. Their sums are kept for ever.
    pub usage: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            usage: Duration::days(365),
        }
    }
}

impl Retention {
    /// Keeps usage rows for so long.
    #[must_use]
    pub const fn with_usage(mut self, usage: Duration) -> Self {
        self.usage = usage;
        self
    }
}

/// What went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Retired {
    /// Messages.
    pub messages: u64,
    /// Requests and answers of the playground.
    pub history: u64,
    /// Usage rows.
    pub usage: u64,
}

/// The count of one kind of rows.
type Count = fn(&mut Retired) -> &mut u64;

impl JobScope {
    /// Drops messages and request history that are older than their user's plan keeps them, and
    /// usage rows that are older than `retention` says, after adding them to the roll-up.
    ///
    /// It goes in small transactions, each of which is whole: stopped at any point, it goes on
    /// from there when it is called again. `watch` is told what went so far.
    ///
    /// # Errors
    /// `Store` when the database is away; what went so far is gone.
    ///
    /// # Cancel safety
    /// A dropped future leaves the rest to the next run.
    pub async fn retire(
        &self,
        retention: &Retention,
        mut watch: impl FnMut(&Retired) + Send,
    ) -> Result<Retired> {
        let now = self.store().now();
        let mut retired = Retired::default();
        let plans = self
            .read(|tx| Box::pin(async move { tx.rows(&sql::PLANS, &[]).await }))
            .await?;
        for plan in &plans {
            let name = plan.text("name")?;
            let kept = Duration::days(plan.int("message_days")?);
            let before = first_id(now.saturating_sub(kept));
            let kinds: [(_, _, Count); 2] = [
                (&sql::OLD_MESSAGES, &sql::DROP_MESSAGES, |all| {
                    &mut all.messages
                }),
                (&sql::OLD_HISTORY, &sql::DROP_HISTORY, |all| {
                    &mut all.history
                }),
            ];
            for (find, drop, count) in kinds {
                let mut after = Some(Uuid::nil());
                while let Some(from) = after {
                    let (gone, next) = self.drop_page(find, drop, &name, from, before).await?;
                    let count = count(&mut retired);
                    *count = count.saturating_add(gone);
                    after = next;
                    watch(&retired);
                }
            }
        }
        let before = first_id(now.saturating_sub(retention.usage));
        let mut after = Some(Uuid::nil());
        while let Some(from) = after {
            let (gone, next) = self.roll_up(from, before).await?;
            retired.usage = retired.usage.saturating_add(gone);
            after = next;
            watch(&retired);
        }
        Ok(retired)
    }

    /// Drops some rows; says how many, and where the next ones begin.
    async fn drop_page(
        &self,
        find: &'static Statement,
        drop: &'static Statement,
        plan: &str,
        after: Uuid,
        before: Uuid,
    ) -> Result<(u64, Option<Uuid>)> {
        let plan = plan.to_owned();
        self.write(move |tx| {
            Box::pin(async move {
                let args = args! { after, before, plan, most: PAGE };
                let old = tx.rows(find, &args).await?;
                let ids = old.iter().map(|row| row.uuid("id"));
                let ids = ids.collect::<Result<Vec<_>>>()?;
                let Some(last) = ids.last().copied() else {
                    return Ok((0, None));
                };
                let gone = tx.run(drop, &args! { ids }).await?;
                reached(CrashPoint::MidRetention);
                Ok((gone, Some(last)))
            })
        })
        .await
        .inspect(|(_, next)| {
            if next.is_some() {
                reached(CrashPoint::AfterRetention);
            }
        })
    }

    /// Adds some usage rows to the roll-up and drops them, in one transaction; says how many, and
    /// where the next ones begin.
    async fn roll_up(&self, after: Uuid, before: Uuid) -> Result<(u64, Option<Uuid>)> {
        let (gone, next, sums) = self
            .write(move |tx| {
                Box::pin(async move {
                    let (gone, next) = take_usage(tx, after, before).await?;
                    let mut sums = add_up(&gone)?;
                    if !jobs_do(Sabotage::RollUpApart) && !jobs_do(Sabotage::DropWithoutRollUp) {
                        tx.insert(&sql::ADD_ROLLUPS, &mem::take(&mut sums)).await?;
                    }
                    if next.is_some() {
                        reached(CrashPoint::MidRetention);
                    }
                    Ok((u64::try_from(gone.len()).unwrap_or(u64::MAX), next, sums))
                })
            })
            .await?;
        if next.is_some() {
            reached(CrashPoint::AfterRetention);
        }
        if jobs_do(Sabotage::RollUpApart) {
            self.write(move |tx| {
                Box::pin(async move { tx.insert(&sql::ADD_ROLLUPS, &sums).await })
            })
            .await?;
        }
        Ok((gone, next))
    }
}

/// Drops some old usage rows and returns them, and where the next ones begin.
async fn take_usage(tx: &mut Tx, after: Uuid, before: Uuid) -> Result<(Vec<Row>, Option<Uuid>)> {
    let args = args! { after, before, most: PAGE };
    let old = tx.rows(&sql::OLD_USAGE, &args).await?;
    let (Some(first), Some(last)) = (old.first(), old.last()) else {
        return Ok((Vec::new(), None));
    };
    let (first, last) = (first.uuid("id")?, last.uuid("id")?);
    // Two processes may find the same rows; each row is dropped by one of them.
    let gone = tx.rows(&sql::DROP_USAGE, &args! { first, last }).await?;
    Ok((gone, Some(last)))
}

/// What rows add up to, as rows of the roll-up.
fn add_up(gone: &[Row]) -> Result<Vec<Fields>> {
    let mut sums: BTreeMap<Key, Sum> = BTreeMap::new();
    for row in gone {
        sums.entry(Key::read(row)?).or_default().add(row)?;
    }
    Ok(sums.into_iter().map(|(key, sum)| sum.row(key)).collect())
}

/// What rows are added up by.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    user: Uuid,
    day: OffsetDateTime,
    provider: String,
    model: String,
    status: String,
}

impl Key {
    fn read(row: &Row) -> Result<Self> {
        let day = row.time("created_at")?.date();
        Ok(Self {
            user: row.uuid("user_id")?,
            day: day.with_time(Time::MIDNIGHT).assume_utc(),
            provider: row.text("provider")?,
            model: row.text("model")?,
            status: row.text("status")?,
        })
    }
}

#[derive(Debug, Default)]
struct Sum {
    requests: i64,
    request_tokens: i64,
    response_tokens: i64,
    total_tokens: i64,
    cost: Money,
    unpriced: i64,
}

impl Sum {
    fn add(&mut self, row: &Row) -> Result<()> {
        // A correction is no request.
        let requests = i64::from(row.text("request_type")? != ADJUST);
        self.requests = self.requests.saturating_add(requests);
        for (sum, column) in [
            (&mut self.request_tokens, "request_tokens"),
            (&mut self.response_tokens, "response_tokens"),
            (&mut self.total_tokens, "total_tokens"),
        ] {
            *sum = sum.saturating_add(row.int(column)?);
        }
        match row.money_or_null("cost_usd")? {
            Some(cost) => self.cost = self.cost.checked_add(cost)?,
            None => self.unpriced = self.unpriced.saturating_add(1),
        }
        Ok(())
    }

    fn row(self, key: Key) -> Fields {
        Vec::from(args! {
            user_id: key.user,
            day: key.day,
            provider: key.provider,
            model: key.model,
            status: key.status,
            requests: self.requests,
            request_tokens: self.request_tokens,
            response_tokens: self.response_tokens,
            total_tokens: self.total_tokens,
            cost_usd: self.cost,
            unpriced: self.unpriced,
        })
    }
}
