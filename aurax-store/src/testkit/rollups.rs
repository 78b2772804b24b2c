//! What is kept of usage that is not kept itself.

use aurax_core::{Money, Result};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::catalogue::testkit as sql;
use crate::store::Store;

/// What a tenant's calls of one model with one status added up to on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RollupRow {
    /// Whose calls.
    pub user_id: Uuid,
    /// The day's beginning, in UTC.
    pub day: OffsetDateTime,
    /// The provider.
    pub provider: String,
    /// The model.
    pub model: String,
    /// How they ended.
    pub status: String,
    /// How many there were, without corrections.
    pub requests: u64,
    /// Input tokens.
    pub request_tokens: u64,
    /// Output tokens.
    pub response_tokens: u64,
    /// All tokens.
    pub total_tokens: u64,
    /// What they cost, as far as that is known.
    pub cost: Money,
    /// How many of them have a cost that is not known.
    pub unpriced: u64,
}

impl RollupRow {
    /// Every tenant's.
    ///
    /// # Errors
    /// `Store` when they cannot be read.
    pub async fn all(store: &Store) -> Result<Vec<Self>> {
        let rows = store
            .jobs()
            .read(|tx| Box::pin(async move { tx.rows(&sql::ROLLUPS, &[]).await }))
            .await?;
        rows.iter()
            .map(|row| {
                Ok(Self {
                    user_id: row.uuid("user_id")?,
                    day: row.time("day")?,
                    provider: row.text("provider")?,
                    model: row.text("model")?,
                    status: row.text("status")?,
                    requests: row.count("requests")?,
                    request_tokens: row.count("request_tokens")?,
                    response_tokens: row.count("response_tokens")?,
                    total_tokens: row.count("total_tokens")?,
                    cost: row.money("cost_usd")?,
                    unpriced: row.count("unpriced")?,
                })
            })
            .collect()
    }
}
