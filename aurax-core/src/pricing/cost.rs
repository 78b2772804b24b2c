//! What a call cost, and how sure that is.

use serde::{Deserialize, Serialize};

use crate::money::Money;

/// What a call cost, and how the amount came about.
///
/// There is no default: an unknown cost is [`Cost::Unpriced`], never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "source", content = "usd", rename_all = "snake_case")]
pub enum Cost {
    /// Computed from the provider's usage and the model's own rates.
    Exact(Money),
    /// The provider itself named the amount.
    Reported(Money),
    /// Computed from counted or estimated usage, or from an assumed price.
    Estimated(Money),
    /// Computed, but some of the usage has no rate of its own: the true cost may be higher.
    Partial(Money),
    /// Known to cost nothing.
    Free,
    /// The price is not known.
    Unpriced,
}

impl Cost {
    /// The amount; `None` when it is not known.
    pub const fn amount(&self) -> Option<Money> {
        match self {
            Self::Exact(usd) | Self::Reported(usd) | Self::Estimated(usd) | Self::Partial(usd) => {
                Some(*usd)
            }
            Self::Free => Some(Money::ZERO),
            Self::Unpriced => None,
        }
    }

    /// How the amount came about, in snake case.
    pub const fn source(&self) -> &'static str {
        match self {
            Self::Exact(_) => "exact",
            Self::Reported(_) => "reported",
            Self::Estimated(_) => "estimated",
            Self::Partial(_) => "partial",
            Self::Free => "free",
            Self::Unpriced => "unpriced",
        }
    }
}
