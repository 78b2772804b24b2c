//! A number of tokens, and how sure it is.

use std::ops::Add;

use serde::{Deserialize, Serialize};

/// Who counted tokens, and how well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CountSource {
    /// The provider counted them.
    Provider,
    /// Counted here, in the model's own encoding and format.
    Exact,
    /// Estimated here, in whole or in part.
    Estimate,
}

/// A number of tokens, and how sure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Count {
    /// How many.
    pub tokens: u64,
    /// Who says so.
    pub source: CountSource,
}

impl Count {
    /// So many tokens, by `source`.
    pub const fn new(tokens: u64, source: CountSource) -> Self {
        Self { tokens, source }
    }

    pub(super) const fn exact(tokens: u64) -> Self {
        Self::new(tokens, CountSource::Exact)
    }

    pub(super) const fn estimate(tokens: u64) -> Self {
        Self::new(tokens, CountSource::Estimate)
    }
}

/// The sum is as sure as the less sure of the two.
impl Add for Count {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            tokens: self.tokens.saturating_add(other.tokens),
            source: self.source.max(other.source),
        }
    }
}
