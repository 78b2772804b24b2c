//! Limits on what a tenant spends. The ledger holds and counts; here they are set and read.

use aurax_core::{Error, ErrorKind, Money, Result, new_id};
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, Time};
use uuid::Uuid;

use crate::bounds::{named, refuse};
use crate::catalogue::budgets as sql;
use crate::db::{Row, args};
use crate::scope::UserScope;
use crate::store::not_found;
use crate::turn::from_word;

/// The most budgets of a user.
const MOST: u32 = 100;
/// The most characters of a label's name and value.
const TAG: usize = 300;
/// The largest limit that both databases keep.
const LARGEST: u32 = 1_000_000_000;

/// What a budget limits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "scope", content = "subject", rename_all = "snake_case")]
#[non_exhaustive]
pub enum BudgetScope {
    /// Everything the user spends.
    User,
    /// What is spent with one access key.
    AccessKey(Uuid),
    /// What is spent by calls with a label, as `name=value`.
    Tag(String),
}

impl BudgetScope {
    fn columns(&self) -> (&'static str, String) {
        match self {
            Self::User => ("user", String::new()),
            Self::AccessKey(id) => ("access_key", id.to_string()),
            Self::Tag(label) => ("tag", label.clone()),
        }
    }

    fn read(scope: &str, subject: String) -> Result<Self> {
        let unknown = || Error::new(ErrorKind::Internal, "a budget's scope is unknown");
        Ok(match scope {
            "user" => Self::User,
            "access_key" => Self::AccessKey(subject.parse().map_err(|_| unknown())?),
            "tag" => Self::Tag(subject),
            _ => return Err(unknown()),
        })
    }

    fn check(&self) -> Result<()> {
        let Self::Tag(label) = self else {
            return Ok(());
        };
        named("subject", label, TAG)?;
        match label.split_once('=') {
            Some((name, _)) if !name.is_empty() => Ok(()),
            _ => Err(refuse("subject", "a label is written as name=value")),
        }
    }
}

/// How long a budget lasts before it begins anew, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BudgetPeriod {
    /// A day.
    Day,
    /// A month of the calendar.
    Month,
    /// For ever.
    Total,
}

impl BudgetPeriod {
    /// The period in snake case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
            Self::Total => "total",
        }
    }

    /// When the period began that goes on at a time; that of [`BudgetPeriod::Total`] began with
    /// 1970.
    pub fn start(self, at: OffsetDateTime) -> OffsetDateTime {
        let at = at.to_offset(time::UtcOffset::UTC);
        let midnight = at.replace_time(Time::MIDNIGHT);
        match self {
            Self::Day => midnight,
            Self::Month => midnight.replace_day(1).unwrap_or(midnight),
            Self::Total => OffsetDateTime::UNIX_EPOCH,
        }
    }
}

/// What becomes of a call that a budget has no room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BudgetLimit {
    /// It is refused when the most it may cost does not fit.
    Hard,
    /// It is made all the same, and counted: only who watches the budget finds out.
    Soft,
}

/// A limit on what is spent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Budget {
    /// Its id, a UUIDv7.
    pub id: Uuid,
    /// What it limits.
    #[serde(flatten)]
    pub scope: BudgetScope,
    /// How long it lasts.
    pub period: BudgetPeriod,
    /// What becomes of a call it has no room for.
    pub kind: BudgetLimit,
    /// The limit.
    pub limit: Money,
    /// What was charged in the period that goes on, since the budget was first set.
    pub spent: Money,
    /// What calls that go on may still cost.
    pub reserved: Money,
    /// How many calls of the period have a cost that is not known.
    pub unpriced: u64,
    /// When the period that goes on began.
    #[serde(with = "time::serde::rfc3339")]
    pub window_start: OffsetDateTime,
    /// When it was first set.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was last set, or counted against.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

impl Budget {
    pub(crate) fn read(row: &Row, now: OffsetDateTime) -> Result<Self> {
        let period: BudgetPeriod = from_word(&row.text("period")?)?;
        let is_hard = row.bool("is_hard")?;
        let mut budget = Self {
            id: row.uuid("id")?,
            scope: BudgetScope::read(&row.text("scope")?, row.text("subject")?)?,
            period,
            kind: if is_hard {
                BudgetLimit::Hard
            } else {
                BudgetLimit::Soft
            },
            limit: row.money("limit_usd")?,
            spent: row.money("spent")?,
            reserved: row.money("reserved")?,
            unpriced: row.count("unpriced")?,
            window_start: row.time("window_start")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
        };
        // The row begins its new period when it is next counted against.
        let start = period.start(now);
        if budget.window_start < start {
            budget.window_start = start;
            budget.spent = Money::ZERO;
            budget.unpriced = 0;
        }
        Ok(budget)
    }
}

impl UserScope {
    /// Sets the limit of a scope and period, at most a billion dollars; what was spent and is
    /// reserved stays. A budget counts from when it is first set.
    ///
    /// # Errors
    /// `InvalidRequest` for a negative or larger limit, for a label that is no `name=value` or has
    /// more than 300 characters; `Quota` at 100 budgets; `Store` when it cannot be kept.
    pub async fn set_budget(
        &self,
        scope: BudgetScope,
        period: BudgetPeriod,
        limit: Money,
        kind: BudgetLimit,
    ) -> Result<Budget> {
        scope.check()?;
        if limit.is_negative() || limit > Money::new(LARGEST.into()) {
            let message = format!("a limit is between 0 and {LARGEST} dollars");
            return Err(refuse("limit", message));
        }
        let (now, is_hard) = (self.store().now(), kind == BudgetLimit::Hard);
        let (scope, subject) = scope.columns();
        let row = self
            .write(move |tx| {
                Box::pin(async move {
                    tx.row(&sql::HOLD, &[]).await?;
                    let place = args! { scope, subject: subject.as_str(), period: period.as_str() };
                    let known = tx.row(&sql::FIND, &place).await?;
                    let id = if let Some(row) = known {
                        let id = row.uuid("id")?;
                        let args = args! { id, is_hard, limit_usd: limit, at: now };
                        tx.run(&sql::SET, &args).await?;
                        id
                    } else {
                        let count = tx.row(&sql::COUNT, &[]).await?;
                        if count.map_or(Ok(0), |row| row.int("budgets"))? >= i64::from(MOST) {
                            return Err(Error::new(
                                ErrorKind::Quota,
                                format!("there are {MOST} budgets already: delete some"),
                            ));
                        }
                        let id = new_id();
                        let args = args! {
                            id, scope, subject: subject.as_str(), period: period.as_str(), is_hard,
                            limit_usd: limit, spent: Money::ZERO, reserved: Money::ZERO,
                            window_start: period.start(now), at: now,
                        };
                        tx.run(&sql::ADD, &args).await?;
                        id
                    };
                    tx.row(&sql::GET, &args! { id }).await
                })
            })
            .await?;
        Budget::read(&row.ok_or_else(|| not_found("budget"))?, now)
    }

    /// All budgets, at most 100, in the order they were first set.
    ///
    /// # Errors
    /// `Store` when they cannot be read.
    pub async fn budgets(&self) -> Result<Vec<Budget>> {
        let now = self.store().now();
        let args = args! { most: MOST };
        let rows = self.rows(&sql::LIST, args).await?;
        rows.iter().map(|row| Budget::read(row, now)).collect()
    }

    /// Lifts a limit.
    ///
    /// # Errors
    /// `NotFound` where there is none; `Store` when it cannot be deleted.
    pub async fn delete_budget(&self, id: Uuid) -> Result<()> {
        let deleted = self.run(&sql::DELETE, args! { id }).await?;
        if deleted == 0 {
            return Err(not_found("budget"));
        }
        Ok(())
    }
}
