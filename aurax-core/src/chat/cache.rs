//! Marks for the provider's prompt cache.

use serde::{Deserialize, Serialize};

/// How long a provider should keep a cached prompt prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum CacheTtl {
    /// Five minutes, the usual default.
    #[serde(rename = "5m")]
    FiveMinutes,
    /// Half an hour.
    #[serde(rename = "30m")]
    HalfHour,
    /// An hour.
    #[serde(rename = "1h")]
    OneHour,
    /// Half a day.
    #[serde(rename = "12h")]
    HalfDay,
    /// A day.
    #[serde(rename = "24h")]
    Day,
}

impl CacheTtl {
    /// The time as providers write it: `5m`, `30m`, `1h`, `12h`, `24h`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FiveMinutes => "5m",
            Self::HalfHour => "30m",
            Self::OneHour => "1h",
            Self::HalfDay => "12h",
            Self::Day => "24h",
        }
    }
}

/// Marks the end of a prefix worth keeping in the provider's prompt cache.
///
/// Wires without such marks cache by themselves, so they pass it over without a warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CacheHint {
    /// How long to keep it; `None` leaves it to the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<CacheTtl>,
}

impl CacheHint {
    /// A mark with the provider's default time to live.
    pub const fn new() -> Self {
        Self { ttl: None }
    }

    /// Asks for a time to live.
    #[must_use]
    pub const fn with_ttl(mut self, ttl: CacheTtl) -> Self {
        self.ttl = Some(ttl);
        self
    }
}

/// Who says where cacheable prefixes end, where a provider would choose by itself too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PromptCacheMode {
    /// The provider chooses one, besides those that are marked.
    Implicit,
    /// Only those that are marked count.
    Explicit,
}
