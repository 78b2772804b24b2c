//! Plans: what accounts are given.

use aurax_core::Result;
use serde::{Deserialize, Serialize};

use crate::access_keys::{limit, small};
use crate::bounds::{NAME, named, refuse};
use crate::catalogue::plans as sql;
use crate::db::{Row, args};
use crate::scope::{AdminScope, UserScope};
use crate::store::not_found;

/// The most plans.
const MOST: u32 = 1_000;

/// A plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Plan {
    /// Its name, at most 100 characters.
    pub name: String,
    /// For how many days messages are kept; `None` for ever.
    pub message_days: Option<u32>,
    /// The most requests a minute; `None` for no limit.
    pub requests_per_minute: Option<u32>,
    /// The most tokens a minute; `None` for no limit.
    pub tokens_per_minute: Option<u32>,
}

impl Plan {
    /// A plan without limits, of which messages are kept for ever.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            message_days: None,
            requests_per_minute: None,
            tokens_per_minute: None,
        }
    }

    /// Keeps messages for so many days, at least one.
    #[must_use]
    pub const fn with_message_days(mut self, days: u32) -> Self {
        self.message_days = Some(days);
        self
    }

    /// Limits the requests within any minute.
    #[must_use]
    pub const fn with_requests_per_minute(mut self, requests: u32) -> Self {
        self.requests_per_minute = Some(requests);
        self
    }

    /// Limits the tokens within any minute, input and output.
    #[must_use]
    pub const fn with_tokens_per_minute(mut self, tokens: u32) -> Self {
        self.tokens_per_minute = Some(tokens);
        self
    }

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

    /// Makes a plan, or puts it in the place of the one of that name.
    ///
    /// # Errors
    /// `InvalidRequest` for a name that is empty or too long, for messages that are kept for no
    /// day, for a number above 2,147,483,647, or for the 1,001st plan; `Store` when it cannot be
    /// kept.
    ///
    /// # Cancel safety
    /// A dropped future may or may not have set it.
    pub async fn set_plan(&self, plan: &Plan) -> Result<()> {
        named("name", &plan.name, NAME)?;
        if plan.message_days == Some(0) {
            let message = "`message_days` is at least 1; leave it out to keep messages for ever";
            return Err(refuse("message_days", message));
        }
        let args = args! {
            name: plan.name.as_str(), most: MOST,
            message_days: small("message_days", plan.message_days)?,
            requests_per_minute: small("requests_per_minute", plan.requests_per_minute)?,
            tokens_per_minute: small("tokens_per_minute", plan.tokens_per_minute)?,
        };
        if self.run(&sql::SET, args).await? == 0 {
            let message = format!("there are {MOST} plans already, which is the most");
            return Err(refuse("name", message));
        }
        tracing::info!(target: "aurax::audit", plan = %plan.name, "plan set");
        Ok(())
    }
}
