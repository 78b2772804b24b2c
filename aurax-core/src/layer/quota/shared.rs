//! Quotas that processes share.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::grant::{Grant, Holder};
use super::state::{QuotaLeft, QuotaState};
use crate::error::Result;
use crate::layer::allowance::Account;
use crate::limits::{Decision, Limit, LimitPolicy, Remaining, SharedLimits, Taken};

/// The counters, and who corrects them when calls have ended.
#[derive(Debug, Clone)]
pub(in crate::layer) struct SharedQuota {
    limits: Arc<dyn SharedLimits>,
    /// Corrections under way. Where there are more, what was taken goes on counting.
    corrections: Arc<Semaphore>,
}

impl SharedQuota {
    const CORRECTIONS: usize = 1_024;

    pub(super) fn new(limits: Arc<dyn SharedLimits>) -> Self {
        Self {
            limits,
            corrections: Arc::new(Semaphore::new(Self::CORRECTIONS)),
        }
    }

    /// Takes one request of `tokens` from the holder's minute, or nothing.
    pub(super) async fn take(&self, key: String, holder: &Holder, tokens: u64) -> Result<Grant> {
        let limits = holder.policy.per_minute();
        let mut policy = LimitPolicy::per_minute();
        (policy.requests, policy.tokens) = (limits.requests, limits.tokens);
        let left = |remaining: Remaining, reset_in: Duration| {
            let left = |limit: Option<u64>, remaining: Option<u64>| {
                let (limit, remaining) = (limit?, remaining?);
                Some(QuotaLeft::new(limit, remaining, reset_in, holder.of))
            };
            QuotaState {
                requests: left(limits.requests, remaining.requests),
                tokens: left(limits.tokens, remaining.tokens),
            }
        };
        match self.limits.take(&key, tokens, policy).await? {
            Decision::Allowed(taken) => {
                let left = left(taken.remaining, taken.reset_in);
                let account = Account::Shared(SharedTaken {
                    quota: self.clone(),
                    runtime: Handle::try_current().ok(),
                    key,
                    policy,
                    taken,
                });
                Ok(Grant::new(account, limits, tokens, left))
            }
            Decision::Refused(full) => {
                let limit = match full.limit {
                    Limit::Requests => "requests_per_minute",
                    Limit::Tokens => "tokens_per_minute",
                };
                let left = left(full.remaining, full.reset_in);
                Err(holder.minute_is_full(limit, full.retry_after, left))
            }
        }
    }
}

/// What a call took of the shared counters.
#[derive(Debug)]
pub(in crate::layer) struct SharedTaken {
    quota: SharedQuota,
    /// A reply may be dropped where there is no runtime.
    runtime: Option<Handle>,
    key: String,
    policy: LimitPolicy,
    taken: Taken,
}

impl SharedTaken {
    /// Puts what was used in place of what was taken, without making anybody wait for it.
    pub(in crate::layer) fn correct(&mut self, used: u64) {
        if used != self.taken.tokens {
            self.settle(Some(used));
        }
    }

    /// Takes back what was taken, in the same way.
    pub(in crate::layer) fn give_back(&mut self) {
        self.settle(None);
    }

    fn settle(&mut self, used: Option<u64>) {
        let corrections = self.quota.corrections.clone();
        let (Some(runtime), Ok(permit)) = (&self.runtime, corrections.try_acquire_owned()) else {
            tracing::debug!("what a call took from a quota is not corrected");
            return;
        };
        let (limits, policy, taken) = (self.quota.limits.clone(), self.policy, self.taken);
        let key = std::mem::take(&mut self.key);
        runtime.spawn(async move {
            match used {
                Some(used) => limits.settle(&key, taken, used, policy).await,
                None => limits.give_back(&key, taken, policy).await,
            }
            drop(permit);
        });
    }
}
