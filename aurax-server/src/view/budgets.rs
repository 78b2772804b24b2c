//! Limits on what is spent.

use aurax::Money;
use aurax::store::{self, BudgetLimit, BudgetPeriod, BudgetScope};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Amount;

/// How long a budget lasts before it begins anew, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Period {
    Day,
    /// A month of the calendar.
    Month,
    /// For ever.
    Total,
}

impl From<Period> for BudgetPeriod {
    fn from(period: Period) -> Self {
        match period {
            Period::Day => Self::Day,
            Period::Month => Self::Month,
            Period::Total => Self::Total,
        }
    }
}

impl From<BudgetPeriod> for Period {
    fn from(period: BudgetPeriod) -> Self {
        match period {
            BudgetPeriod::Day => Self::Day,
            BudgetPeriod::Month => Self::Month,
            BudgetPeriod::Total => Self::Total,
        }
    }
}

/// What becomes of a call that a budget has no room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// It is refused.
    #[default]
    Hard,
    /// It is made all the same, and counted.
    Soft,
}

impl From<Kind> for BudgetLimit {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Hard => Self::Hard,
            Kind::Soft => Self::Soft,
        }
    }
}

impl From<BudgetLimit> for Kind {
    fn from(kind: BudgetLimit) -> Self {
        match kind {
            BudgetLimit::Hard => Self::Hard,
            BudgetLimit::Soft => Self::Soft,
        }
    }
}

/// A limit on what is spent, in US dollars.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Budget {
    id: Uuid,
    /// Whose it is.
    user_id: Uuid,
    /// What it limits: `user`, `access_key` or `tag`.
    scope: &'static str,
    /// The access key's id, or the label as `name=value`; `null` for everything the user spends.
    subject: Option<String>,
    period: Period,
    kind: Kind,
    limit: Amount,
    limit_decimal: String,
    /// What was charged in the period that goes on, since the budget was first set.
    spent: Amount,
    spent_decimal: String,
    /// What calls that go on may still cost.
    reserved: Amount,
    reserved_decimal: String,
    /// How many calls of the period have a cost that is not known.
    unpriced: u64,
    /// When the period that goes on began.
    #[serde(with = "time::serde::rfc3339")]
    window_start: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
}

impl From<(Uuid, store::Budget)> for Budget {
    fn from((user_id, budget): (Uuid, store::Budget)) -> Self {
        let (scope, subject) = match budget.scope {
            BudgetScope::AccessKey(id) => ("access_key", Some(id.to_string())),
            BudgetScope::Tag(label) => ("tag", Some(label)),
            _ => ("user", None),
        };
        let both = |amount: Money| (Amount(Some(amount)), amount.to_string());
        let (limit, limit_decimal) = both(budget.limit);
        let (spent, spent_decimal) = both(budget.spent);
        let (reserved, reserved_decimal) = both(budget.reserved);
        Self {
            id: budget.id,
            user_id,
            scope,
            subject,
            period: budget.period.into(),
            kind: budget.kind.into(),
            limit,
            limit_decimal,
            spent,
            spent_decimal,
            reserved,
            reserved_decimal,
            unpriced: budget.unpriced,
            window_start: budget.window_start,
            created_at: budget.created_at,
            updated_at: budget.updated_at,
        }
    }
}
