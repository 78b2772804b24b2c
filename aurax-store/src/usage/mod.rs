//! What calls used and cost. The ledger writes it; here it is read.

mod figures;

use std::collections::BTreeMap;

use aurax_core::{Buckets, Cost, Outcome, Page, Paged, Result, UsageSource};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::catalogue::usage as sql;
use crate::cursor::one_more;
use crate::db::{Arg, Row, Value, args};
use crate::scope::UserScope;
use crate::turn::{self, from_json, from_word};

pub use figures::{Bucketing, Grouping, Percentiles, UsageFigures, UsageGroup, UsagePoint};

/// How much earlier than its row a call's id may have been made. Calls take minutes; one whose
/// process died is dated when it was made.
pub(crate) const EARLIER: Duration = Duration::days(7);
/// How much later, where clocks differ.
pub(crate) const LATER: Duration = Duration::days(1);

/// How a call ended, for its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageStatus {
    /// It was answered.
    Success,
    /// It failed, or its answer broke off.
    Error,
    /// Its caller gave up.
    Cancelled,
}

impl UsageStatus {
    /// The status in snake case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error => "error",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What one call used and cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct UsageRow {
    /// Its id, a UUIDv7: that of the charge.
    pub id: Uuid,
    /// The request.
    pub request_id: Uuid,
    /// The session it was made in.
    pub session_id: Option<Uuid>,
    /// The turn that answers it.
    pub message_id: Option<Uuid>,
    /// The access key it came with.
    pub access_key_id: Option<Uuid>,
    /// The provider that answered, or was asked last.
    pub provider: String,
    /// The model.
    pub model: String,
    /// The operation: `chat` or `embeddings`.
    pub request_type: String,
    /// Input tokens.
    pub request_tokens: u64,
    /// Output tokens.
    pub response_tokens: u64,
    /// All tokens.
    pub total_tokens: u64,
    /// What is billed apart.
    pub buckets: Buckets,
    /// Who says how much was used; `None` where nothing was.
    pub usage_source: Option<UsageSource>,
    /// What it cost, all attempts together.
    pub cost: Cost,
    /// Which price book the cost was computed from.
    pub price_version: String,
    /// How long it took, in milliseconds.
    pub response_time_ms: u64,
    /// How long it took until the first content, in milliseconds; `None` without any, and for
    /// whole replies.
    pub ttft_ms: Option<u64>,
    /// How it ended, for the provider.
    pub outcome: Outcome,
    /// How it ended, for the caller.
    pub status: UsageStatus,
    /// The kind of error.
    pub error_kind: Option<String>,
    /// The error in words, without secrets.
    pub error_message: Option<String>,
    /// How many attempts it took; none for a cached answer.
    pub attempts: u32,
    /// Whether the answer came from the cache.
    pub is_cached: bool,
    /// The call's labels.
    pub tags: BTreeMap<String, String>,
    /// When it was settled.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

impl UsageRow {
    fn read(row: &Row) -> Result<Self> {
        let cost = turn::cost(&row.text("cost_source")?, row.money_or_null("cost_usd")?)?;
        Ok(Self {
            id: row.uuid("id")?,
            request_id: row.uuid("request_id")?,
            session_id: row.uuid_or_null("session_id")?,
            message_id: row.uuid_or_null("message_id")?,
            access_key_id: row.uuid_or_null("access_key_id")?,
            provider: row.text("provider")?,
            model: row.text("model")?,
            request_type: row.text("request_type")?,
            request_tokens: row.count("request_tokens")?,
            response_tokens: row.count("response_tokens")?,
            total_tokens: row.count("total_tokens")?,
            buckets: from_json(&row.text("buckets")?)?,
            usage_source: row
                .text_or_null("usage_source")?
                .map(|source| from_word(&source))
                .transpose()?,
            cost,
            price_version: row.text("price_version")?,
            response_time_ms: row.count("response_time_ms")?,
            ttft_ms: row
                .int_or_null("ttft_ms")?
                .map(|ms| u64::try_from(ms).unwrap_or(0)),
            outcome: from_word(&row.text("outcome")?)?,
            status: from_word(&row.text("status")?)?,
            error_kind: row.text_or_null("error_kind")?,
            error_message: row.text_or_null("error_message")?,
            attempts: u32::try_from(row.int("attempts")?).unwrap_or(0),
            is_cached: row.bool("is_cached")?,
            tags: from_json(&row.text("tags")?)?,
            created_at: row.time("created_at")?,
        })
    }
}

/// Which calls; all, unless something is set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct UsageFilter {
    /// Settled at this time or later.
    pub from: Option<OffsetDateTime>,
    /// Settled before this time.
    pub to: Option<OffsetDateTime>,
    /// By this provider.
    pub provider: Option<String>,
    /// By this model, at any provider.
    pub model: Option<String>,
    /// In this session.
    pub session_id: Option<Uuid>,
    /// With this access key.
    pub access_key_id: Option<Uuid>,
    /// That ended so.
    pub status: Option<UsageStatus>,
}

impl UsageFilter {
    /// Calls of a time: from `from` until just before `to`.
    pub fn between(from: OffsetDateTime, to: OffsetDateTime) -> Self {
        Self {
            from: Some(from),
            to: Some(to),
            ..Self::default()
        }
    }

    fn args(&self) -> Vec<Arg> {
        let epoch = OffsetDateTime::UNIX_EPOCH;
        let from = self.from.unwrap_or(epoch).max(epoch);
        let to = self.to.unwrap_or(epoch.saturating_add(AGES)).max(epoch);
        args! {
            from, to, first: first_id(from.saturating_sub(EARLIER)),
            last: first_id(to.saturating_add(LATER)), provider: self.provider.as_deref(),
            model: self.model.as_deref(), session_id: self.session_id,
            access_key_id: self.access_key_id, status: self.status.map(UsageStatus::as_str),
        }
        .to_vec()
    }
}

/// Longer than anything is kept.
const AGES: Duration = Duration::days(365 * 7_000);

/// The least UUIDv7 of a moment.
pub(crate) fn first_id(at: OffsetDateTime) -> Uuid {
    let millis = at.unix_timestamp_nanos().div_euclid(1_000_000);
    let millis = u128::try_from(millis).unwrap_or(0);
    Uuid::from_u128(millis.min((1 << 48) - 1) << 80)
}

/// What a tenant's calls used and cost.
#[derive(Debug, Clone)]
pub struct Usages(UserScope);

impl UserScope {
    /// What the tenant's calls used and cost.
    pub fn usage(&self) -> Usages {
        Usages(self.clone())
    }
}

impl Usages {
    /// Calls, the latest begun first.
    ///
    /// # Errors
    /// `InvalidRequest` for a cursor of another list; `Store` when they cannot be read.
    pub async fn rows(&self, filter: &UsageFilter, page: &Page) -> Result<Paged<UsageRow>> {
        let (user, cursors) = (self.0.user_id(), self.0.store().cursors());
        let mut args = filter.args();
        args.push(("before", Value::from(cursors.read("usage", user, page)?)));
        args.push(("most", Value::from(one_more(page))));
        let rows = self
            .0
            .analyse(move |tx| Box::pin(async move { tx.rows(&sql::LIST, &args).await }))
            .await?;
        let rows = rows
            .iter()
            .map(UsageRow::read)
            .collect::<Result<Vec<_>>>()?;
        Ok(cursors.page("usage", user, page, rows, |row| row.id))
    }
}
