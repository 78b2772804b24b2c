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

/// STUB
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum UnknownModel {
    /// STUB
    Reject,
    /// STUB
    #[default]
    AllowUnpriced,
}

/// Prices attempts from a price book under a policy for unknown models.
#[derive(Debug, Clone)]
pub struct Pricer {
    version: Arc<str>,
    book: Arc<super::PriceBook>,
}

impl Pricer {
    /// STUB
    pub fn new(book: Arc<super::PriceBook>) -> Self {
        Self {
            version: "stub".into(),
            book,
        }
    }

    /// STUB
    #[must_use]
    pub fn with_unknown_model(self, _p: UnknownModel) -> Self {
        self
    }

    /// STUB
    pub const fn book(&self) -> &Arc<super::PriceBook> {
        &self.book
    }

    /// STUB
    pub fn check(&self, _provider: Option<&str>, _model: &str) -> crate::error::Result<()> {
        Ok(())
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
