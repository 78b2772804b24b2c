//! What alerts measure: figures of the last minutes, of everybody and of single tenants.

use aurax_core::{Error, ErrorKind, Money, Result};
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::budgets::Budget;
use crate::catalogue::watch as sql;
use crate::db::{Row, args, to_micros};
use crate::scope::JobScope;
use crate::turn::to_json;
use crate::usage::{EARLIER, LATER, first_id};

/// Tenants that one statement measures.
const BATCH: usize = 100;
/// The most budgets of a tenant.
const BUDGETS: usize = 100;

/// What 95 of 100 calls did not exceed, and of how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct MeasuredTime {
    /// How many calls there were to measure.
    pub calls: u64,
    /// What 95 of 100 did not exceed, in milliseconds, by nearest rank; `None` without any.
    pub p95_ms: Option<u64>,
}

/// What the calls settled in a time came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct WindowFigures {
    /// How many there were.
    pub requests: u64,
    /// How many of them failed.
    pub errors: u64,
    /// All their tokens.
    pub total_tokens: u64,
    /// What they cost, as far as that is known, corrections included.
    pub cost: Money,
    /// How long those that succeeded took.
    pub response_time: MeasuredTime,
    /// How long streams that succeeded took until their first content.
    pub ttft: MeasuredTime,
    /// How long those that succeeded took, as their callers felt it: streams until their first
    /// content, others until they were there.
    pub latency: MeasuredTime,
}

impl MeasuredTime {
    fn read(row: &Row, calls: &str, p95: &str) -> Result<Self> {
        let count = |name| -> Result<Option<u64>> {
            let count = row.int_or_null(name)?;
            Ok(count.map(|count| u64::try_from(count).unwrap_or(0)))
        };
        Ok(Self {
            calls: count(calls)?.unwrap_or(0),
            p95_ms: count(p95)?,
        })
    }
}

impl WindowFigures {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            requests: row.count("requests")?,
            errors: row.count("errors")?,
            total_tokens: row.count("total_tokens")?,
            cost: row.money_or_null("cost_usd")?.unwrap_or_default(),
            response_time: MeasuredTime::read(row, "whole_calls", "whole_p95")?,
            ttft: MeasuredTime::read(row, "first_calls", "first_p95")?,
            latency: MeasuredTime::read(row, "felt_calls", "felt_p95")?,
        })
    }
}

impl JobScope {
    /// What everybody's calls came to that were settled after `since` and until `until`.
    ///
    /// # Errors
    /// `Store` when they cannot be read.
    pub async fn figures(
        &self,
        since: OffsetDateTime,
        until: OffsetDateTime,
    ) -> Result<WindowFigures> {
        let args = args! { since, until, first: earliest(since), last: latest(until) };
        let row = self.row(&sql::FIGURES, args).await?;
        row.map_or_else(
            || Ok(WindowFigures::default()),
            |row| WindowFigures::read(&row),
        )
    }

    /// What the calls of single tenants came to that were settled after a time of their own and
    /// until `until`, in the order they are asked for. A hundred are measured at a time.
    ///
    /// # Errors
    /// `Store` when they cannot be read.
    pub async fn figures_of(
        &self,
        windows: &[(Uuid, OffsetDateTime)],
        until: OffsetDateTime,
    ) -> Result<Vec<WindowFigures>> {
        let mut all = Vec::with_capacity(windows.len());
        for windows in windows.chunks(BATCH) {
            let since = windows.iter().map(|(_, since)| *since).min();
            let list = windows.iter().enumerate().map(
                |(n, (tenant, since))| json!({"n": n, "tenant": tenant, "since": to_micros(*since)}),
            );
            let args = args! {
                windows: to_json(&list.collect::<Vec<_>>())?, until,
                first: earliest(since.unwrap_or(until)), last: latest(until),
            };
            let mut figures = vec![WindowFigures::default(); windows.len()];
            for row in self.rows(&sql::FIGURES_OF, args).await? {
                *place(&mut figures, &row)? = WindowFigures::read(&row)?;
            }
            all.append(&mut figures);
        }
        Ok(all)
    }

    /// How many calls everybody made that were settled after the one and until the other of two
    /// times, for each such pair.
    ///
    /// # Errors
    /// `Store` when they cannot be counted.
    pub async fn calls(&self, spans: &[(OffsetDateTime, OffsetDateTime)]) -> Result<Vec<u64>> {
        let since = spans.iter().map(|(since, _)| *since).min();
        let until = spans.iter().map(|(_, until)| *until).max();
        let (Some(since), Some(until)) = (since, until) else {
            return Ok(Vec::new());
        };
        let list = spans.iter().enumerate().map(|(n, (since, until))| {
            json!({"n": n, "since": to_micros(*since), "until": to_micros(*until)})
        });
        let args = args! {
            spans: to_json(&list.collect::<Vec<_>>())?, first: earliest(since),
            last: latest(until),
        };
        let mut calls = vec![0; spans.len()];
        for row in self.rows(&sql::CALLS, args).await? {
            *place(&mut calls, &row)? = row.count("requests")?;
        }
        Ok(calls)
    }

    /// When the first of the calls was settled that anybody began at a time or later; `None`
    /// without any.
    ///
    /// # Errors
    /// `Store` when it cannot be read.
    pub async fn first_call(&self, since: OffsetDateTime) -> Result<Option<OffsetDateTime>> {
        let args = args! { first: first_id(since) };
        let row = self.row(&sql::FIRST, args).await?;
        row.map(|row| row.time("created_at")).transpose()
    }

    /// The budgets of these tenants, each with whose it is.
    ///
    /// # Errors
    /// `Store` when they cannot be read.
    pub async fn budgets_of(&self, users: &[Uuid]) -> Result<Vec<(Uuid, Budget)>> {
        let now = self.store().now();
        let mut all = Vec::new();
        for users in users.chunks(BATCH) {
            let most = i64::try_from(users.len().saturating_mul(BUDGETS)).unwrap_or(i64::MAX);
            let args = args! { users: users.to_vec(), most };
            for row in self.rows(&sql::BUDGETS, args).await? {
                all.push((row.uuid("user_id")?, Budget::read(&row, now)?));
            }
        }
        Ok(all)
    }
}

/// The first id that a call settled after a time may have.
fn earliest(since: OffsetDateTime) -> Uuid {
    first_id(since.saturating_sub(EARLIER))
}

/// The first id that no call settled until a time has.
fn latest(until: OffsetDateTime) -> Uuid {
    first_id(until.saturating_add(LATER))
}

/// The place in a list that a row is for.
fn place<'l, T>(list: &'l mut [T], row: &Row) -> Result<&'l mut T> {
    let at = usize::try_from(row.count("n")?).unwrap_or(usize::MAX);
    list.get_mut(at).ok_or_else(|| {
        Error::new(
            ErrorKind::Internal,
            "a window was measured that is not there",
        )
    })
}
