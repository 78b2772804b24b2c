//! Prices settled attempts.

use std::sync::Arc;

use time::OffsetDateTime;

use super::cost::Cost;
use crate::usage::Usage;

/// One attempt to be priced.
#[derive(Debug, Clone, Copy)]
pub struct Sale<'a> {
    /// The provider's key in the price book; `None` where nothing is known about its prices.
    pub provider: Option<&'a str>,
    /// The model that was asked, as the provider takes it.
    pub asked: &'a str,
    /// The model the provider named in its answer.
    pub answered_by: Option<&'a str>,
    /// What was used.
    pub usage: &'a Usage,
    /// When the attempt was made.
    pub started_at: OffsetDateTime,
    /// When it ended.
    pub ended_at: OffsetDateTime,
}

/// A price, and what it rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Priced {
    /// What the attempt cost.
    pub cost: Cost,
    /// What the price book makes of it, beside a cost the provider reported.
    pub computed: Cost,
}

/// Prices attempts from a price book under a policy for unknown models.
#[derive(Debug, Clone)]
pub struct Pricer {
    version: Arc<str>,
}

impl Pricer {
    /// STUB
    pub fn stub() -> Self {
        Self {
            version: "stub".into(),
        }
    }

    /// Which price book this is.
    pub const fn version(&self) -> &Arc<str> {
        &self.version
    }

    /// Prices one attempt.
    pub fn price(&self, _sale: &Sale<'_>) -> Priced {
        Priced {
            cost: Cost::Unpriced,
            computed: Cost::Unpriced,
        }
    }
}
