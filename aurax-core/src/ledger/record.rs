//! What the ledger keeps.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::exposure::Hold;
use crate::chat::Response;
use crate::ctx::{Principal, RequestId};
use crate::error::ErrorKind;
use crate::money::Money;
use crate::pricing::Cost;
use crate::session::{Step, Turn, TurnStatus};
use crate::usage::Usage;

/// How an attempt, or a request as a whole, ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Nothing reached the provider.
    NotSent,
    /// The provider answered with an error instead of content.
    Rejected,
    /// The provider's terminal frame arrived.
    Complete,
    /// The answer broke off, or the caller gave up, after it had begun.
    Partial,
    /// The request may have reached the provider; no answer did.
    Unknown,
}

impl Outcome {
    /// The outcome in snake case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotSent => "not_sent",
            Self::Rejected => "rejected",
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Unknown => "unknown",
        }
    }
}

/// The durable announcement of an attempt, made before the provider hears of it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Intent {
    /// The attempt's id, a UUIDv7; recording it twice changes nothing.
    pub attempt_id: Uuid,
    /// The id of the request's one charge, a UUIDv7: [`Settlement::id`].
    pub charge_id: Uuid,
    /// The request it is made for.
    pub request_id: RequestId,
    /// For whom.
    pub principal: Principal,
    /// The access key the call came with.
    pub access_key: Option<Uuid>,
    /// The configured provider.
    pub provider: Arc<str>,
    /// The model, as the provider takes it.
    pub model: String,
    /// The operation: `chat` or `embeddings`.
    pub operation: String,
    /// Whether the answer is streamed.
    pub is_stream: bool,
    /// The call's labels.
    pub tags: Arc<BTreeMap<String, String>>,
    /// What the session gains with the first attempt of a call in it.
    pub step: Option<Arc<Step>>,
    /// Input tokens, estimated: what is recorded of an attempt whose process died.
    pub input_tokens: u64,
    /// What that input costs.
    pub input_cost: Cost,
    /// Which price book the cost was computed from.
    pub price_version: Arc<str>,
    /// When it was made.
    pub opened_at: OffsetDateTime,
}

/// What the ledger says to an attempt that it took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Opened {
    /// What the attempt may cost, as held against budgets; `None` where nothing is held.
    pub held: Option<Money>,
    /// The output limit that the attempt must be sent with to stay within it.
    pub output_limit: Option<u32>,
}

impl Opened {
    /// Taken, with something held.
    pub const fn held(hold: Hold) -> Self {
        Self {
            held: Some(hold.amount),
            output_limit: hold.output_limit,
        }
    }
}

/// One attempt as settled: what the provider bills.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Attempt {
    /// The attempt's id.
    pub id: Uuid,
    /// The configured provider.
    pub provider: Arc<str>,
    /// The model that was asked, as the provider takes it.
    pub model: String,
    /// The model the provider named in its answer.
    pub answered_by: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// What went wrong.
    pub failure: Option<Failure>,
    /// What it used; `None` when nothing reached the provider or it answered with an error.
    pub usage: Option<Arc<Usage>>,
    /// What it cost.
    pub cost: Cost,
    /// What the price book makes of the usage, beside a cost the provider reported.
    pub computed_cost: Cost,
    /// Which price book the cost was computed from.
    pub price_version: Arc<str>,
    /// The output limit that the engine set to stay within a budget.
    #[serde(default)]
    pub output_limit: Option<u32>,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339")]
    pub ended_at: OffsetDateTime,
    /// How long it took, by a clock that never jumps.
    pub duration: Duration,
    /// How long it took until the first content.
    pub first_content: Option<Duration>,
}

/// What went wrong with an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Failure {
    /// What kind of failure.
    pub kind: ErrorKind,
    /// In words, without secrets.
    pub message: String,
    /// The provider's id of the failed request.
    pub request_id: Option<String>,
}

/// A request as settled: all its attempts and the one charge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Settlement {
    /// The charge's id, a UUIDv7; recording it twice changes nothing.
    pub id: Uuid,
    /// The request.
    pub request_id: RequestId,
    /// For whom.
    pub principal: Principal,
    /// The access key the call came with.
    pub access_key: Option<Uuid>,
    /// The call's place in a session.
    #[serde(skip)]
    pub step: Option<Arc<Step>>,
    /// The call's labels.
    pub tags: Arc<BTreeMap<String, String>>,
    /// The operation: `chat` or `embeddings`.
    pub operation: String,
    /// The model, as the caller named it.
    pub requested_model: String,
    /// How the request ended.
    pub outcome: Outcome,
    /// Its attempts, in order; none when it was answered from the cache.
    pub attempts: Vec<Attempt>,
    /// The cached answer that stood in for an attempt.
    #[serde(default)]
    pub cached: Option<CacheHit>,
    /// What the request cost: the sum over its attempts.
    pub charge: Cost,
    /// What was delivered, whole or not.
    pub response: Option<Response>,
}

impl Settlement {
    /// The answer as a turn of the session the call was made in; `None` outside a session and
    /// where nothing was delivered.
    pub fn answer(&self) -> Option<Turn> {
        let step = self.step.as_ref()?;
        let response = self.response.as_ref()?;
        let message = response.choices.first()?.message.clone();
        if message.parts.is_empty() && self.outcome != Outcome::Complete {
            return None;
        }
        let attempt = self.decisive();
        let ended_at = match (&self.cached, attempt) {
            (Some(hit), _) => hit.found_at,
            (None, attempt) => attempt?.ended_at,
        };
        let mut turn = step.answer(message, ended_at);
        if self.outcome != Outcome::Complete {
            turn.status = TurnStatus::Partial;
        }
        turn.provider = self
            .cached
            .as_ref()
            .map(|hit| &hit.provider)
            .or(attempt.map(|attempt| &attempt.provider))
            .map(|name| name.to_string());
        turn.model = Some(response.model.clone());
        turn.usage = attempt
            .and_then(|attempt| attempt.usage.as_deref())
            .cloned();
        turn.cost = Some(self.charge);
        Some(turn)
    }

    /// The attempt that answered, else the last one.
    pub fn decisive(&self) -> Option<&Attempt> {
        self.attempts.last()
    }
}

/// An answer from the cache, as settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CacheHit {
    /// The configured provider that had given the answer.
    pub provider: Arc<str>,
    /// The model that was asked, as the provider takes it.
    pub model: String,
    /// Which price book was in force; the answer cost nothing.
    pub price_version: Arc<str>,
    /// When it was found.
    #[serde(with = "time::serde::rfc3339")]
    pub found_at: OffsetDateTime,
}

/// What a caller is told of the settlement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Receipt {
    /// The request.
    pub request_id: RequestId,
    /// What it cost, all attempts together.
    pub cost: Cost,
    /// What the answer used, as settled: reported by the provider, or estimated here; `None` for
    /// a cached one, which used nothing.
    pub usage: Option<Arc<Usage>>,
    /// How many attempts it took; none for a cached answer.
    pub attempts: usize,
    /// Whether the answer came from the cache.
    #[serde(default)]
    pub cached: bool,
    /// The output limit that the engine set to stay within a budget; `None` where the caller's or
    /// the provider's own held.
    #[serde(default)]
    pub output_limit: Option<u32>,
    /// The provider that answered.
    pub provider: Arc<str>,
    /// The model that answered, as the provider names it.
    pub model: String,
    /// Which price book the cost was computed from.
    pub price_version: Arc<str>,
    /// When the answer ended.
    #[serde(with = "time::serde::rfc3339")]
    pub ended_at: OffsetDateTime,
}

impl Receipt {
    /// The receipt for a settlement; `None` for one with neither attempts nor a cached answer.
    pub fn of(settlement: &Settlement) -> Option<Self> {
        if let Some(hit) = &settlement.cached {
            let named = settlement.response.as_ref();
            return Some(Self {
                request_id: settlement.request_id,
                cost: settlement.charge,
                usage: None,
                attempts: settlement.attempts.len(),
                cached: true,
                output_limit: None,
                provider: hit.provider.clone(),
                model: named.map_or_else(|| hit.model.clone(), |response| response.model.clone()),
                price_version: hit.price_version.clone(),
                ended_at: hit.found_at,
            });
        }
        let attempt = settlement.decisive()?;
        Some(Self {
            request_id: settlement.request_id,
            cost: settlement.charge,
            usage: attempt.usage.clone(),
            attempts: settlement.attempts.len(),
            cached: false,
            output_limit: attempt.output_limit,
            provider: attempt.provider.clone(),
            model: attempt
                .answered_by
                .clone()
                .unwrap_or_else(|| attempt.model.clone()),
            price_version: attempt.price_version.clone(),
            ended_at: attempt.ended_at,
        })
    }
}
