//! Requests of the playground, as they were made and made again.

use aurax::{Json, Money, store};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Amount, Tokens};
use crate::diff::Piece;

/// What a model answered, and what that took.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlaygroundAnswer)]
pub(crate) struct Told {
    pub(crate) text: String,
    /// The model's thoughts, where it shows any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) thinking: Option<String>,
    /// Why it ended: `stop`, `length`, `tool_calls`, `content_filter` or another word.
    #[schema(value_type = Option<String>)]
    pub(crate) finish_reason: Option<aurax::FinishReason>,
    /// What was used.
    pub(crate) usage: Option<Tokens>,
    /// All tokens of the call.
    pub(crate) tokens: Option<u64>,
    /// What it cost in US dollars; `null` where that is not known.
    pub(crate) cost: Amount,
    /// The same as text.
    pub(crate) cost_decimal: Option<String>,
    /// Where the cost is from.
    pub(crate) cost_source: Option<&'static str>,
    pub(crate) latency_ms: u64,
}

/// An answer, with what it is kept as.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Run {
    /// Its place in the history; `null` where it could not be kept.
    pub(crate) id: Option<Uuid>,
    pub(crate) provider: String,
    pub(crate) model: String,
    #[serde(flatten)]
    pub(crate) told: Told,
}

/// A request that was made.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PastRequest {
    id: Uuid,
    /// Whose it is.
    user_id: Uuid,
    provider: String,
    model: String,
    /// What was asked.
    #[schema(value_type = std::collections::HashMap<String, serde_json::Value>)]
    request_payload: Json,
    /// What was answered; `null` where the call failed.
    #[schema(value_type = Option<std::collections::HashMap<String, serde_json::Value>>)]
    response_payload: Option<Json>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

impl From<(Uuid, store::PastRequest)> for PastRequest {
    fn from((user_id, past): (Uuid, store::PastRequest)) -> Self {
        Self {
            id: past.id,
            user_id,
            provider: past.provider,
            model: past.model,
            request_payload: past.request_payload,
            response_payload: past.response_payload,
            created_at: past.created_at,
        }
    }
}

/// What differs between an answer and an earlier one.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Diff {
    /// Word by word: pieces that are not inserted make up the earlier text, those that are not
    /// deleted the later one.
    text: Vec<Piece>,
    cost: CostDiff,
    latency_ms: CountDiff,
    tokens: CountDiff,
}

/// What two answers cost, in US dollars; `null` where that is not known.
#[derive(Debug, Serialize, ToSchema)]
struct CostDiff {
    before: Amount,
    before_decimal: Option<String>,
    after: Amount,
    after_decimal: Option<String>,
    /// How much more the later one cost.
    difference: Amount,
    difference_decimal: Option<String>,
}

/// Two counts; `null` where one is not known.
#[derive(Debug, Serialize, ToSchema)]
struct CountDiff {
    before: Option<u64>,
    after: Option<u64>,
}

/// What is compared of an earlier answer.
#[derive(Debug, Default, Deserialize)]
struct Earlier {
    #[serde(default)]
    text: String,
    #[serde(default)]
    tokens: Option<u64>,
    #[serde(default)]
    cost_decimal: Option<Money>,
    #[serde(default)]
    latency_ms: Option<u64>,
}

impl Diff {
    /// What `after` has otherwise than what was answered earlier, where anything was.
    pub(crate) fn between(before: Option<&Json>, after: &Told) -> Self {
        let earlier: Earlier = before.and_then(|json| json.to().ok()).unwrap_or_default();
        let (before, after_cost) = (earlier.cost_decimal, after.cost.0);
        let difference = after_cost
            .zip(before)
            .and_then(|(after, before)| after.checked_sub(before).ok());
        let text = |amount: Option<Money>| amount.map(|amount| amount.to_string());
        Self {
            text: crate::diff::words(&earlier.text, &after.text),
            cost: CostDiff {
                before: Amount(before),
                before_decimal: text(before),
                after: after.cost,
                after_decimal: text(after_cost),
                difference: Amount(difference),
                difference_decimal: text(difference),
            },
            latency_ms: CountDiff {
                before: earlier.latency_ms,
                after: Some(after.latency_ms),
            },
            tokens: CountDiff {
                before: earlier.tokens,
                after: after.tokens,
            },
        }
    }
}
