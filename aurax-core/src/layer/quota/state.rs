//! What is left of quotas.

use std::time::Duration;

/// Whose quota it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum QuotaOf {
    /// The principal's ([`Ctx::with_quota`](crate::Ctx::with_quota), else the engine's).
    User,
    /// The access key's ([`Ctx::with_access_key_quota`](crate::Ctx::with_access_key_quota)).
    AccessKey,
}

impl QuotaOf {
    /// Whose in snake case: `user` or `access_key`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::AccessKey => "access_key",
        }
    }
}

/// What is left of one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct QuotaLeft {
    /// How much a minute may hold, in requests or tokens.
    pub limit: u64,
    /// How much of it is left.
    pub remaining: u64,
    /// After what time all of it is there again, if nothing else is used; a minute at most, or 61 s
    /// where processes count together.
    pub reset_in: Duration,
    /// Whose limit it is.
    pub of: QuotaOf,
}

impl QuotaLeft {
    /// A limit, what is left of it, and for how long.
    pub const fn new(limit: u64, remaining: u64, reset_in: Duration, of: QuotaOf) -> Self {
        Self {
            limit,
            remaining,
            reset_in,
            of,
        }
    }

    /// The one with less left; of two that are even, the one that takes longer.
    pub(super) fn tighter(self, other: Self) -> Self {
        let by = |left: &Self| (left.remaining, std::cmp::Reverse(left.reset_in));
        std::cmp::min_by_key(self, other, by)
    }
}

/// What is left of a call's quotas once it was let in or refused; `None` where there is no limit.
///
/// Of a call that was let in, each is the tighter of the principal's and the access key's, the call
/// itself included: one request, and the estimate of its input as tokens. Of one that was refused,
/// both are of the quota that refused it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct QuotaState {
    /// Requests within a minute.
    pub requests: Option<QuotaLeft>,
    /// Tokens within a minute, input and output.
    pub tokens: Option<QuotaLeft>,
}

impl QuotaState {
    /// What is left of each limit there is.
    pub const fn new(requests: Option<QuotaLeft>, tokens: Option<QuotaLeft>) -> Self {
        Self { requests, tokens }
    }

    /// `None` where there is no limit at all.
    pub(super) const fn some(self) -> Option<Self> {
        match self {
            Self {
                requests: None,
                tokens: None,
            } => None,
            state => Some(state),
        }
    }

    /// The tighter of both, limit by limit.
    pub(super) fn tighter(self, other: Self) -> Self {
        let tighter = |one: Option<QuotaLeft>, other: Option<QuotaLeft>| match (one, other) {
            (Some(one), Some(other)) => Some(one.tighter(other)),
            (one, other) => one.or(other),
        };
        Self {
            requests: tighter(self.requests, other.requests),
            tokens: tighter(self.tokens, other.tokens),
        }
    }
}
