//! What tests put in, in place of the ledger.

use std::collections::BTreeMap;

use aurax_core::{Buckets, Cost, Money, Outcome, Principal, Result, UsageSource};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::catalogue::kit as sql;
use crate::catalogue::ledger::ADD_USAGE;
use crate::db::{Fields, args};
use crate::scope::JobScope;
use crate::store::user_id;
use crate::turn::to_json;
use crate::usage::{UsageFigures, UsageRow, UsageStatus, first_id};

impl UsageRow {
    /// A call that was answered at once and for nothing, settled `at`; for tests.
    pub fn answered(provider: &str, model: &str, at: OffsetDateTime) -> Self {
        // The moment in the first six bytes, as in every id, and random bytes after it.
        let mut id = *first_id(at).as_bytes();
        let tail = aurax_core::new_id();
        id.iter_mut()
            .zip(tail.as_bytes())
            .skip(6)
            .for_each(|(to, from)| *to = *from);
        let id = Uuid::from_bytes(id);
        Self {
            id,
            request_id: id,
            session_id: None,
            message_id: None,
            access_key_id: None,
            provider: provider.to_owned(),
            model: model.to_owned(),
            request_type: "chat".to_owned(),
            request_tokens: 0,
            response_tokens: 0,
            total_tokens: 0,
            buckets: Buckets::new(),
            usage_source: Some(UsageSource::Provider),
            cost: Cost::Free,
            price_version: "test".to_owned(),
            response_time_ms: 0,
            ttft_ms: None,
            outcome: Outcome::Complete,
            status: UsageStatus::Success,
            error_kind: None,
            error_message: None,
            attempts: 1,
            is_cached: false,
            tags: BTreeMap::new(),
            created_at: at,
        }
    }
}

/// A count as databases keep it.
fn kept(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl JobScope {
    /// Keeps usage of a tenant as the ledger would; for tests.
    ///
    /// # Errors
    /// `Store` when it cannot be kept.
    pub async fn add_usage(&self, principal: &Principal, rows: &[UsageRow]) -> Result<()> {
        let user = user_id(principal);
        let rows = rows.to_vec();
        let rows = rows
            .into_iter()
            .map(|row| fields(row, user))
            .collect::<Result<Vec<_>>>()?;
        self.write(move |tx| Box::pin(async move { tx.insert(&ADD_USAGE, &rows).await }))
            .await
            .map(drop)
    }

    /// Says that a process lives; for tests.
    ///
    /// # Errors
    /// `Store` when it cannot be kept.
    pub async fn beat(&self, replica: Uuid) -> Result<()> {
        let args = args! { id: replica, at: self.store().now() };
        self.run(&sql::BEAT, args).await?;
        Ok(())
    }

    /// Counts against a budget as the ledger would; for tests.
    ///
    /// # Errors
    /// `Store` when it cannot be written.
    pub async fn spend(&self, budget: Uuid, spent: Money, reserved: Money) -> Result<()> {
        let args = args! { id: budget, spent, reserved };
        self.run(&sql::SPEND, args).await?;
        Ok(())
    }

    /// Keeps the sums of a day of a tenant's calls of one model; for tests.
    ///
    /// # Errors
    /// `Store` when they cannot be kept.
    pub async fn add_rollup(
        &self,
        principal: &Principal,
        day: OffsetDateTime,
        model: (&str, &str),
        status: UsageStatus,
        sums: &UsageFigures,
    ) -> Result<()> {
        let cost: Money = sums.cost;
        let args = args! {
            user: user_id(principal), day, provider: model.0, model: model.1,
            status: status.as_str(), requests: kept(sums.requests),
            request_tokens: kept(sums.request_tokens),
            response_tokens: kept(sums.response_tokens), total_tokens: kept(sums.total_tokens),
            cost_usd: cost, unpriced: kept(sums.unpriced),
        };
        self.run(&sql::ROLL_UP, args).await?;
        Ok(())
    }
}

fn fields(row: UsageRow, user: Uuid) -> Result<Fields> {
    Ok(Vec::from(args! {
        id: row.id, user_id: user, request_id: row.request_id, session_id: row.session_id,
        message_id: row.message_id, access_key_id: row.access_key_id, provider: row.provider,
        model: row.model, request_type: row.request_type,
        request_tokens: kept(row.request_tokens), response_tokens: kept(row.response_tokens),
        total_tokens: kept(row.total_tokens), buckets: to_json(&row.buckets)?,
        usage_source: row.usage_source.map(word).transpose()?,
        cost_usd: row.cost.amount(), cost_source: row.cost.source(),
        price_version: row.price_version, response_time_ms: kept(row.response_time_ms),
        ttft_ms: row.ttft_ms.map(kept), outcome: row.outcome.as_str(),
        status: row.status.as_str(), error_kind: row.error_kind,
        error_message: row.error_message, attempts: row.attempts,
        is_cached: row.is_cached, tags: to_json(&row.tags)?, created_at: row.created_at,
    }))
}

/// A unit variant in its one word.
fn word(source: UsageSource) -> Result<String> {
    Ok(to_json(&source)?.trim_matches('"').to_owned())
}
