//! Plans: what accounts are given.

use aurax_core::Result;
use serde::{Deserialize, Serialize};

use crate::access_keys::limit;
use crate::catalogue::plans as sql;
use crate::db::{Row, args};
use crate::scope::{AdminScope, UserScope};
use crate::store::not_found;

/// The most plans that are listed.
const MOST: u32 = 1_000;

/// A plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Plan {
    /// Its name.
    pub name: String,
    /// For how many days messages are kept; `None` for ever.
    pub message_days: Option<u32>,
    /// The most requests a minute; `None` for no limit.
    pub requests_per_minute: Option<u32>,
    /// The most tokens a minute; `None` for no limit.
    pub tokens_per_minute: Option<u32>,
}

impl Plan {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            name: row.text("name")?,
            message_days: limit(row, "message_days")?,
            requests_per_minute: limit(row, "requests_per_minute")?,
            tokens_per_minute: limit(row, "tokens_per_minute")?,
        })
    }
}

impl UserScope {
    /// The account's plan.
    ///
    /// # Errors
    /// `NotFound` where the principal has no account; `Store` when it cannot be read.
    pub async fn plan(&self) -> Result<Plan> {
        let row = self
            .read(|tx| Box::pin(async move { tx.row(&sql::OWN, &[]).await }))
            .await?;
        Plan::read(&row.ok_or_else(|| not_found("user"))?)
    }
}

impl AdminScope {
    /// All plans, by name.
    ///
    /// # Errors
    /// `Store` when they cannot be read.
    pub async fn plans(&self) -> Result<Vec<Plan>> {
        let rows = self
            .read(|tx| Box::pin(async move { tx.rows(&sql::LIST, &args! { most: MOST }).await }))
            .await?;
        rows.iter().map(Plan::read).collect()
    }
}
