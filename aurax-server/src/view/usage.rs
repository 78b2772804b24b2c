//! What calls used and cost.

use std::collections::BTreeMap;

use aurax::store::{self, Percentiles, UsageStatus};
use aurax::{Buckets, Decimal, Money, UsageSource};
use rust_decimal::RoundingStrategy;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Amount, Priced};

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    /// It was answered.
    Success,
    /// It failed, or its answer broke off.
    Error,
    /// Its caller gave up.
    Cancelled,
}

impl From<Status> for UsageStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Success => Self::Success,
            Status::Error => Self::Error,
            Status::Cancelled => Self::Cancelled,
        }
    }
}

impl From<UsageStatus> for Status {
    fn from(status: UsageStatus) -> Self {
        match status {
            UsageStatus::Success => Self::Success,
            UsageStatus::Error => Self::Error,
            UsageStatus::Cancelled => Self::Cancelled,
        }
    }
}

/// What one call used and cost.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UsageRow {
    pub(crate) id: Uuid,
    /// Whose it is.
    user_id: Uuid,
    pub(crate) request_id: Uuid,
    pub(crate) provider: String,
    pub(crate) model: String,
    /// `chat` or `embeddings`.
    pub(crate) request_type: String,
    /// Input tokens.
    pub(crate) request_tokens: u64,
    /// Output tokens.
    pub(crate) response_tokens: u64,
    pub(crate) total_tokens: u64,
    /// What is billed apart, by the price book's units.
    #[schema(value_type = std::collections::HashMap<String, u64>)]
    pub(crate) buckets: Buckets,
    /// Who says how much was used: `provider`, `counted` or `estimated`; `null` where nothing was.
    #[schema(value_type = Option<String>)]
    pub(crate) usage_source: Option<UsageSource>,
    /// US dollars, all attempts together; `null` where they are not known.
    pub(crate) cost_usd: Amount,
    /// The same as text.
    pub(crate) cost_decimal: Option<String>,
    /// `exact`, `reported`, `estimated`, `partial`, `free` or `unpriced`.
    pub(crate) cost_source: Option<&'static str>,
    /// The price book the cost was computed from.
    pub(crate) price_version: String,
    pub(crate) response_time_ms: u64,
    /// Until the first content; `null` for whole replies.
    pub(crate) ttft_ms: Option<u64>,
    pub(crate) status: Status,
    /// The kind of error.
    pub(crate) error_kind: Option<String>,
    pub(crate) error_message: Option<String>,
    pub(crate) attempts: u32,
    /// Whether the answer came from the cache.
    pub(crate) is_cached: bool,
    pub(crate) session_id: Option<Uuid>,
    /// The message that answers it.
    pub(crate) message_id: Option<Uuid>,
    pub(crate) access_key_id: Option<Uuid>,
    /// The call's labels.
    pub(crate) tags: BTreeMap<String, String>,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) created_at: OffsetDateTime,
}

impl From<(Uuid, store::UsageRow)> for UsageRow {
    fn from((user_id, row): (Uuid, store::UsageRow)) -> Self {
        let priced = Priced(Some(row.cost));
        Self {
            id: row.id,
            user_id,
            request_id: row.request_id,
            provider: row.provider,
            model: row.model,
            request_type: row.request_type,
            request_tokens: row.request_tokens,
            response_tokens: row.response_tokens,
            total_tokens: row.total_tokens,
            buckets: row.buckets,
            usage_source: row.usage_source,
            cost_usd: priced.amount(),
            cost_decimal: priced.text(),
            cost_source: priced.source(),
            price_version: row.price_version,
            response_time_ms: row.response_time_ms,
            ttft_ms: row.ttft_ms,
            status: row.status.into(),
            error_kind: row.error_kind,
            error_message: row.error_message,
            attempts: row.attempts,
            is_cached: row.is_cached,
            session_id: row.session_id,
            message_id: row.message_id,
            access_key_id: row.access_key_id,
            tags: row.tags,
            created_at: row.created_at,
        }
    }
}

/// What many calls used and cost together. Times are of those that succeeded.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Figures {
    requests: u64,
    /// How many of them failed.
    errors: u64,
    /// Input tokens.
    request_tokens: u64,
    /// Output tokens.
    response_tokens: u64,
    total_tokens: u64,
    /// US dollars, as far as they are known.
    cost_usd: Amount,
    cost_decimal: String,
    /// How many calls have a cost that is not known.
    unpriced: u64,
    /// US dollars for a thousand tokens, to 18 places; `null` without tokens, and where some costs
    /// are not known.
    cost_per_1k_tokens: Amount,
    cost_per_1k_tokens_decimal: Option<String>,
    /// What half of the calls took at most, in milliseconds; `null` where nobody measured.
    response_time_p50_ms: Option<u64>,
    /// What 95 of 100 calls took at most.
    response_time_p95_ms: Option<u64>,
    /// The same until the first content.
    ttft_p50_ms: Option<u64>,
    ttft_p95_ms: Option<u64>,
}

impl From<store::UsageFigures> for Figures {
    fn from(figures: store::UsageFigures) -> Self {
        let Percentiles { p50_ms, p95_ms, .. } = figures.response_time;
        let rate = (figures.unpriced == 0)
            .then(|| per_thousand(figures.cost, figures.total_tokens))
            .flatten();
        Self {
            requests: figures.requests,
            errors: figures.errors,
            request_tokens: figures.request_tokens,
            response_tokens: figures.response_tokens,
            total_tokens: figures.total_tokens,
            cost_usd: Amount(Some(figures.cost)),
            cost_decimal: figures.cost.to_string(),
            unpriced: figures.unpriced,
            cost_per_1k_tokens: Amount(rate),
            cost_per_1k_tokens_decimal: rate.map(|rate| rate.to_string()),
            response_time_p50_ms: p50_ms,
            response_time_p95_ms: p95_ms,
            ttft_p50_ms: figures.ttft.p50_ms,
            ttft_p95_ms: figures.ttft.p95_ms,
        }
    }
}

/// What a thousand tokens cost, to 18 places, half-even; `None` without tokens.
fn per_thousand(cost: Money, tokens: u64) -> Option<Money> {
    let thousands = Decimal::try_from_i128_with_scale(tokens.into(), 3).ok()?;
    let rate = cost.usd().checked_div(thousands)?;
    let rate = rate.round_dp_with_strategy(Money::SCALE, RoundingStrategy::MidpointNearestEven);
    Some(Money::new(rate))
}

/// What the calls of one group used and cost.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Group {
    /// What they share; `null` for those without a session or access key.
    key: Option<String>,
    #[serde(flatten)]
    figures: Figures,
}

impl From<store::UsageGroup> for Group {
    fn from(group: store::UsageGroup) -> Self {
        Self {
            key: group.key,
            figures: group.figures.into(),
        }
    }
}

/// What the calls of one step of time used and cost.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Point {
    /// When the step begins.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    #[serde(flatten)]
    figures: Figures,
}

impl From<store::UsagePoint> for Point {
    fn from(point: store::UsagePoint) -> Self {
        Self {
            at: point.at,
            figures: point.figures.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_tokens_cost_what_they_cost_to_the_last_place() {
        let rate = |cost: &str, tokens| {
            let cost: Money = cost.parse().unwrap();
            per_thousand(cost, tokens).map(|rate| rate.to_string())
        };
        assert_eq!(rate("0.003", 1_500).unwrap(), "0.002");
        assert_eq!(rate("1", 3).unwrap(), "333.333333333333333333");
        assert_eq!(rate("0", 7).unwrap(), "0");
        assert_eq!(rate("0.000000000000000001", 2_000).unwrap(), "0");
        assert_eq!(
            rate("0.000000000000000003", 2_000).unwrap(),
            "0.000000000000000002"
        );
        assert_eq!(rate("1000000000", 1).unwrap(), "1000000000000");
        assert_eq!(rate("1", 0), None);
    }
}
