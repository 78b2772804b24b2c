//! Very many rows that follow from numbers, made by the database itself.

use std::ops::Range;

use aurax_core::{Principal, Result};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::catalogue::testkit as sql;
use crate::db::{Arg, Statement, args, to_micros};
use crate::scope::JobScope;
use crate::store::user_id;

/// Rows that one statement makes: PostgreSQL gives each five seconds.
const BATCH: u64 = 20_000;

/// Usage that follows from numbers: call `n` is made `n` steps after the beginning, by tenant
/// `n % tenants`.
///
/// With `m = 2,147,483,647`, `a = (48,271 n + 11) % m`, `b = (69,621 n + 7) % m` and
/// `c = (16,807 a + b) % m` it is a call
/// * to `provider-(a % 3)` and `model-(b % 4)`, of `a % 5,000` input and `b % 800` output tokens;
/// * with the status `error` where `a % 10` is 0, `cancelled` where it is 1, else `success`;
/// * that took `c % 4,000` milliseconds, and `c % 900` until its first content;
/// * without a price where `n % 20` is 7. Else it costs `b % 10⁹` attodollars and some nanodollars:
///   `c % 10⁹` less than none, as a correction, where `n % 50` is 0; `1,000 c` where `n % 1,000`
///   is 3; and `c % 10⁹` anywhere else.
#[derive(Debug, Clone)]
pub struct UsageSeries {
    users: Vec<Uuid>,
    start: OffsetDateTime,
    step: Duration,
}

impl UsageSeries {
    /// Calls of tenants, from `start` on, so far from each other: whole microseconds.
    pub fn new(tenants: &[Principal], start: OffsetDateTime, step: Duration) -> Self {
        Self {
            users: tenants.iter().map(user_id).collect(),
            start,
            step,
        }
    }

    /// Adds the calls of these numbers.
    ///
    /// # Errors
    /// `Store` when they cannot be kept, and where they are there already.
    pub async fn fill(&self, jobs: &JobScope, numbers: Range<u64>) -> Result<()> {
        let args = args! {
            tenants: self.users.clone(), start: to_micros(self.start), step: micros(self.step),
        };
        fill(jobs, &sql::FILL_USAGE, numbers, &args).await
    }
}

/// Turns that follow from numbers: turn `n` is said `n` steps after the beginning, in session
/// `n % sessions`, as an answer to the turn before it there.
#[derive(Debug, Clone)]
pub struct TurnSeries {
    sessions: Vec<Uuid>,
    users: Vec<Uuid>,
    start: OffsetDateTime,
    step: Duration,
}

impl TurnSeries {
    /// Turns of sessions, each with whose it is, from `start` on, so far from each other: whole
    /// microseconds.
    pub fn new(sessions: &[(Uuid, Principal)], start: OffsetDateTime, step: Duration) -> Self {
        Self {
            sessions: sessions.iter().map(|(id, _)| *id).collect(),
            users: sessions.iter().map(|(_, whose)| user_id(whose)).collect(),
            start,
            step,
        }
    }

    /// Adds the turns of these numbers.
    ///
    /// # Errors
    /// `Store` when they cannot be kept, and where they are there already.
    pub async fn fill(&self, jobs: &JobScope, numbers: Range<u64>) -> Result<()> {
        let args = args! {
            tenants: self.users.clone(), sessions: self.sessions.clone(),
            count: i64::try_from(self.sessions.len()).unwrap_or(i64::MAX),
            start: to_micros(self.start), step: micros(self.step),
        };
        fill(jobs, &sql::FILL_TURNS, numbers, &args).await
    }
}

fn micros(step: Duration) -> i64 {
    i64::try_from(step.whole_microseconds()).unwrap_or(i64::MAX)
}

async fn fill(
    jobs: &JobScope,
    statement: &'static Statement,
    numbers: Range<u64>,
    args: &[Arg],
) -> Result<()> {
    let mut first = numbers.start;
    while first < numbers.end {
        let last = numbers.end.min(first.saturating_add(BATCH));
        let mut args = args.to_vec();
        for (name, number) in [("first", first), ("last", last)] {
            args.push((name, i64::try_from(number).unwrap_or(i64::MAX).into()));
        }
        jobs.write(move |tx| Box::pin(async move { tx.run(statement, &args).await }))
            .await?;
        first = last;
    }
    Ok(())
}
