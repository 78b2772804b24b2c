//! Quotas that processes share.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::{QuotaPolicy, minute_is_full};
use crate::ctx::Principal;
use crate::error::Result;
use crate::limits::{Decision, Limit, LimitPolicy, SharedLimits, Taken};

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

    /// Takes one request of `tokens` from the principal's minute, or nothing.
    pub(super) async fn take(
        &self,
        principal: &Principal,
        quota: QuotaPolicy,
        tokens: u64,
    ) -> Result<SharedTaken> {
        let key = format!("quota/{}", principal.as_str());
        let mut policy = LimitPolicy::per_minute();
        policy.requests = quota.requests_per_minute;
        policy.tokens = quota.tokens_per_minute;
        let full = match self.limits.take(&key, tokens, policy).await? {
            Decision::Allowed(taken) => {
                return Ok(SharedTaken {
                    quota: self.clone(),
                    runtime: Handle::try_current().ok(),
                    key,
                    policy,
                    taken,
                });
            }
            Decision::Refused(full) => full,
        };
        let limit = match full.limit {
            Limit::Requests => "requests_per_minute",
            Limit::Tokens => "tokens_per_minute",
        };
        Err(minute_is_full(limit, quota, full.retry_after))
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
        if used == self.taken.tokens {
            return;
        }
        let corrections = self.quota.corrections.clone();
        let (Some(runtime), Ok(permit)) = (&self.runtime, corrections.try_acquire_owned()) else {
            tracing::debug!("what a call took from a quota is not corrected");
            return;
        };
        let (limits, policy, taken) = (self.quota.limits.clone(), self.policy, self.taken);
        let key = std::mem::take(&mut self.key);
        runtime.spawn(async move {
            limits.settle(&key, taken, used, policy).await;
            drop(permit);
        });
    }
}
