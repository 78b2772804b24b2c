//! What calls hold of a quota.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::QuotaPolicy;
use super::state::{QuotaOf, QuotaState};
use crate::error::{Error, ErrorKind, Phase, Result, Retry};
use crate::layer::allowance::{Account, Allowance, Limits, SharedAllowance};

/// What one principal or access key uses.
#[derive(Debug)]
pub(super) struct Used {
    pub(super) allowance: SharedAllowance,
    in_flight: AtomicU64,
}

impl Used {
    pub(super) fn new() -> Self {
        Self {
            allowance: Allowance::shared(),
            in_flight: AtomicU64::new(0),
        }
    }
}

/// One of somebody's requests in flight, and the quota it has to fit. While there is one, what they
/// used is not forgotten.
#[derive(Debug)]
pub(super) struct Holder {
    pub(super) of: QuotaOf,
    pub(super) policy: QuotaPolicy,
    pub(super) used: Arc<Used>,
}

impl Holder {
    pub(super) fn enter(of: QuotaOf, policy: QuotaPolicy, used: Arc<Used>) -> Result<Self> {
        let limit = policy.in_flight.unwrap_or(u64::MAX);
        let entered = used
            .in_flight
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
                (count < limit).then(|| count.saturating_add(1))
            });
        if entered.is_ok() {
            return Ok(Self { of, policy, used });
        }
        let whose = whose(of);
        let message =
            format!("{whose} quota of {limit} requests at a time is used up; wait for one to end");
        Err(refused(message, "in_flight", of))
    }

    /// The error for a limit that is used up until `wait` is over, or that the request alone
    /// exceeds.
    pub(super) fn minute_is_full(
        &self,
        limit: &'static str,
        wait: Option<Duration>,
        left: QuotaState,
    ) -> Error {
        let (most, what) = match limit {
            "tokens_per_minute" => (self.policy.tokens_per_minute, "tokens"),
            _ => (self.policy.requests_per_minute, "requests"),
        };
        let (most, whose) = (most.unwrap_or_default(), whose(self.of));
        let error = if wait.is_none() {
            let message =
                format!("the request alone is larger than {whose} quota of {most} {what} a minute");
            refused(message, limit, self.of).with_retry(Retry::Never)
        } else {
            let message =
                format!("{whose} quota of {most} {what} a minute is used up; try again later");
            refused(message, limit, self.of).with_retry_after(wait)
        };
        error.with_quota(left.some())
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.used.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

const fn whose(of: QuotaOf) -> &'static str {
    match of {
        QuotaOf::User => "the",
        QuotaOf::AccessKey => "the access key's",
    }
}

fn refused(message: String, limit: &'static str, of: QuotaOf) -> Error {
    Error::new(ErrorKind::RateLimited, message)
        .with_context("limit", limit)
        .with_context("of", of.as_str())
        .with_phase(Phase::Encode)
}

/// What a call took of a minute. It is given back when it is dropped before it is kept: the call was
/// refused by another quota, or given up.
#[derive(Debug)]
pub(super) struct Grant {
    account: Option<Account>,
    limits: Limits,
    tokens: u64,
    /// What is left besides.
    pub(super) left: QuotaState,
}

impl Grant {
    pub(super) const fn new(
        account: Account,
        limits: Limits,
        tokens: u64,
        left: QuotaState,
    ) -> Self {
        Self {
            account: Some(account),
            limits,
            tokens,
            left,
        }
    }

    /// The call is made: what it took counts. Where tokens are limited, they are to be corrected.
    pub(super) fn keep(mut self) -> Option<Account> {
        let account = self.account.take();
        account.filter(|_| self.limits.tokens.is_some())
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        if let Some(account) = &mut self.account {
            account.give_back(self.limits, self.tokens);
        }
    }
}
