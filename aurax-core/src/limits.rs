//! Rate limits that several processes share: what such counters do, for who keeps them elsewhere.
//!
//! The engine asks them where it is built with some
//! ([`EngineBuilder::shared_limits`](crate::EngineBuilder::shared_limits)), by keys that begin with
//! `quota/` and `key-quota/`; others are for who else counts with them.

mod memory;

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;

pub use self::memory::MemoryLimits;
use crate::error::{Error, ErrorKind, Result};

/// How much one key may use within a window of time; `None`, the default of each, is without
/// limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitPolicy {
    /// Requests within any window. Refused ones do not count.
    pub requests: Option<u64>,
    /// Tokens within any window.
    pub tokens: Option<u64>,
    window: Duration,
}

impl LimitPolicy {
    /// How many parts a window has. What was used is counted by part, and free again one part
    /// later than to the millisecond: after 61 s for a minute.
    pub const PARTS: u32 = 60;

    /// No limit within any minute.
    pub const fn per_minute() -> Self {
        Self {
            requests: None,
            tokens: None,
            window: Duration::from_secs(60),
        }
    }

    /// No limit within a window of another length, of which whole milliseconds count.
    ///
    /// # Errors
    /// `Config` for less than 60 ms or more than a day.
    pub fn within(window: Duration) -> Result<Self> {
        let day = Duration::from_secs(24 * 60 * 60);
        if window < Duration::from_millis(Self::PARTS.into()) || window > day {
            let message = format!("a limit's window is 60 ms to 24 h, not {window:?}");
            return Err(Error::new(ErrorKind::Config, message));
        }
        Ok(Self {
            window,
            ..Self::per_minute()
        })
    }

    /// Limits the requests.
    #[must_use]
    pub const fn with_requests(mut self, requests: u64) -> Self {
        self.requests = Some(requests);
        self
    }

    /// Limits the tokens.
    #[must_use]
    pub const fn with_tokens(mut self, tokens: u64) -> Self {
        self.tokens = Some(tokens);
        self
    }

    /// The length of the window.
    pub const fn window(&self) -> Duration {
        self.window
    }

    /// The length of a part, in whole milliseconds, rounded up.
    pub fn part(&self) -> Duration {
        let window = u64::try_from(self.window.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(window.div_ceil(Self::PARTS.into()).max(1))
    }
}

/// Which limit it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    /// [`LimitPolicy::requests`].
    Requests,
    /// [`LimitPolicy::tokens`].
    Tokens,
}

/// What is left within the window; `None` where there is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Remaining {
    /// Requests.
    pub requests: Option<u64>,
    /// Tokens.
    pub tokens: Option<u64>,
}

impl Remaining {
    /// What is left of each limit there is.
    pub const fn new(requests: Option<u64>, tokens: Option<u64>) -> Self {
        Self { requests, tokens }
    }
}

/// What was taken, for [`SharedLimits::settle`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Taken {
    /// Tokens that were taken.
    pub tokens: u64,
    /// What is left now.
    pub remaining: Remaining,
    /// After what time nothing counts any more, if nothing else is taken.
    pub reset_in: Duration,
    /// The part of the shared window it was taken in, by the implementation's count; `None` where it
    /// was this process's share.
    pub shared_part: Option<u64>,
    /// The part of the process's own window.
    pub local_part: u64,
}

impl Taken {
    /// Of this process's share, or its own count of what is shared.
    pub const fn new(
        tokens: u64,
        remaining: Remaining,
        reset_in: Duration,
        local_part: u64,
    ) -> Self {
        Self {
            tokens,
            remaining,
            reset_in,
            shared_part: None,
            local_part,
        }
    }

    /// Of what is shared.
    #[must_use]
    pub const fn with_shared_part(mut self, part: u64) -> Self {
        self.shared_part = Some(part);
        self
    }

    /// True where the limit was not asked for, but this process's share of it.
    pub const fn is_local(&self) -> bool {
        self.shared_part.is_none()
    }
}

/// What does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Full {
    /// Which limit is in the way.
    pub limit: Limit,
    /// After what time it would fit, if nothing else is taken; `None` for a request that is larger
    /// than the limit.
    pub retry_after: Option<Duration>,
    /// What is left now, which is not enough.
    pub remaining: Remaining,
    /// After what time nothing counts any more, if nothing else is taken.
    pub reset_in: Duration,
}

impl Full {
    /// A limit that is in the way, for how long, and what is left.
    pub const fn new(
        limit: Limit,
        retry_after: Option<Duration>,
        remaining: Remaining,
        reset_in: Duration,
    ) -> Self {
        Self {
            limit,
            retry_after,
            remaining,
            reset_in,
        }
    }
}

/// Whether a request is within its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It is, and counts.
    Allowed(Taken),
    /// It is not, and counts nothing.
    Refused(Full),
}

/// Counters of requests and tokens that several processes share.
///
/// * No window, wherever it begins, holds more than its limit; what was used is counted at most a
///   60th of the window too long.
/// * Which window a request falls into is for the counters' own clock to say, not the caller's.
/// * Taking is one step: two callers never get what is there for one.
/// * Where the counters are away, an implementation says what holds instead.
#[async_trait]
pub trait SharedLimits: Debug + Send + Sync + 'static {
    /// Takes one request of `tokens` from what `key` may use, or nothing.
    ///
    /// # Errors
    /// Whatever keeps the implementation from deciding.
    ///
    /// # Cancel safety
    /// A dropped future has taken the request or not; then it counts until its window is over.
    async fn take(&self, key: &str, tokens: u64, policy: LimitPolicy) -> Result<Decision>;

    /// Puts the tokens that were used in place of those that were taken. Fewer are free at once;
    /// more count as of now. Best effort: where it fails, what was taken counts.
    ///
    /// # Cancel safety
    /// A dropped future has done so or not.
    async fn settle(&self, key: &str, taken: Taken, used: u64, policy: LimitPolicy);

    /// Takes back a request that came to nothing: neither it nor its tokens count any more. Best
    /// effort: where it fails, what was taken counts.
    ///
    /// # Cancel safety
    /// A dropped future has done so or not.
    async fn give_back(&self, key: &str, taken: Taken, policy: LimitPolicy);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_has_whole_parts() {
        assert_eq!(LimitPolicy::per_minute().part(), Duration::from_secs(1));
        let odd = LimitPolicy::within(Duration::from_millis(61)).unwrap();
        assert_eq!(odd.part(), Duration::from_millis(2));
        for wrong in [Duration::from_millis(59), Duration::from_secs(86_401)] {
            let error = LimitPolicy::within(wrong).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
        }
    }
}
