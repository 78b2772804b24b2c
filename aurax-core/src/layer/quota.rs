//! Holds each principal to its limits.

mod grant;
pub(super) mod shared;
mod state;

use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;

use self::grant::{Grant, Holder, Used};
use self::shared::SharedQuota;
pub use self::state::{QuotaLeft, QuotaOf, QuotaState};
use super::allowance::{Account, Limits, Spending, lock};
use super::keyed::Keyed;
use super::{Layer, forward_to_inner};
use crate::call::Call;
use crate::clock::Clock;
use crate::ctx::{Ctx, Principal};
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::ledger::estimate_input;
use crate::limits::SharedLimits;
use crate::provider::Provider;
use crate::reply::{Batch, Reply, Watch};

/// What one principal, or one access key, may use. `None`, the default of each, is without limit.
///
/// Limits are exact and kept in memory, unless the engine is built with counters that processes
/// share ([`EngineBuilder::shared_limits`](crate::EngineBuilder::shared_limits)): no minute, wherever
/// it begins, holds more than its limit.
/// A call that exceeds one fails at once, with an error of kind `RateLimited` that was not sent
/// anywhere ([`Phase::Encode`]) and says after what time the call would pass. Its context names the
/// limit (`limit`: `requests_per_minute`, `tokens_per_minute` or `in_flight`) and whose it is (`of`:
/// `user` or `access_key`); [`Error::quota`] says what is left of those by the minute. The engine
/// neither retries it nor asks another model. Of a call that was let in, [`Head::quota`] says what is
/// left, and [`Error::quota`] where it failed later.
///
/// A call that brings a quota for its access key has to fit that as well. What it took of one of them
/// is given back when the other refuses it, so that it counts for neither.
///
/// 16,384 principals and as many access keys are remembered in memory. Where more come, those that
/// were idle for longest are forgotten, and their minute starts anew; while as many have calls in
/// flight, a call of another one fails as `Overloaded`.
///
/// [`Head::quota`]: crate::Head::quota
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct QuotaPolicy {
    /// Requests within any minute, cached answers included. Refused requests do not count.
    pub requests_per_minute: Option<u64>,
    /// Tokens within any minute, input and output. A call takes an estimate of its input when it
    /// begins, and what the answer used replaces it at the end; so calls in flight may exceed the
    /// limit by their output, which later calls then wait for. Cached answers use none.
    pub tokens_per_minute: Option<u64>,
    /// Requests at a time in this process; one lasts until its reply has ended or is dropped.
    pub in_flight: Option<u64>,
}

impl QuotaPolicy {
    /// No limit.
    pub const fn none() -> Self {
        Self {
            requests_per_minute: None,
            tokens_per_minute: None,
            in_flight: None,
        }
    }

    /// Limits the requests within any minute.
    #[must_use]
    pub const fn with_requests_per_minute(mut self, requests: u64) -> Self {
        self.requests_per_minute = Some(requests);
        self
    }

    /// Limits the tokens within any minute.
    #[must_use]
    pub const fn with_tokens_per_minute(mut self, tokens: u64) -> Self {
        self.tokens_per_minute = Some(tokens);
        self
    }

    /// Limits the requests at a time.
    #[must_use]
    pub const fn with_in_flight(mut self, requests: u64) -> Self {
        self.in_flight = Some(requests);
        self
    }

    const fn per_minute(self) -> Limits {
        Limits {
            requests: self.requests_per_minute,
            tokens: self.tokens_per_minute,
        }
    }
}

/// Refuses what exceeds a principal's quota, the call's own ([`Ctx::quota`]), else the engine's, or
/// that of the call's access key.
#[derive(Debug, Clone)]
pub(crate) struct QuotaLayer {
    policy: QuotaPolicy,
    clock: Arc<dyn Clock>,
    principals: Arc<Keyed<Principal, Used>>,
    access_keys: Arc<Keyed<Uuid, Used>>,
    /// Who counts what is used by the minute, where it is not this layer.
    shared: Option<SharedQuota>,
}

impl QuotaLayer {
    pub(crate) fn new(
        policy: QuotaPolicy,
        shared: Option<Arc<dyn SharedLimits>>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            policy,
            clock,
            principals: Arc::default(),
            access_keys: Arc::default(),
            shared: shared.map(SharedQuota::new),
        }
    }

    async fn admit(&self, ctx: &Ctx, call: &Call) -> Result<Option<Admitted>> {
        // The access key first: who exceeds it touches nothing of what its user may use elsewhere.
        let holders = [self.access_key(ctx)?, self.principal(ctx)?];
        if holders.iter().all(Option::is_none) {
            return Ok(None);
        }
        let limits_tokens = |holder: &Holder| holder.policy.tokens_per_minute.is_some();
        let tokens = if holders.iter().flatten().any(limits_tokens) {
            estimate_input(&call.op)
        } else {
            0
        };
        let mut grants = [None, None];
        for (holder, grant) in holders.iter().zip(&mut grants) {
            if let Some(holder) = holder {
                *grant = self.take(ctx, holder, tokens).await?;
            }
        }
        let left = grants.iter().flatten().map(|grant| grant.left);
        let left = left.reduce(QuotaState::tighter);
        let accounts = grants.map(|grant| grant.and_then(Grant::keep));
        let spends = accounts.iter().any(Option::is_some);
        Ok(Some(Admitted {
            spending: spends.then(|| Spending::new(accounts, tokens)),
            left,
            _in_flight: holders,
        }))
    }

    fn principal(&self, ctx: &Ctx) -> Result<Option<Holder>> {
        let policy = ctx.quota().unwrap_or(self.policy);
        if policy == QuotaPolicy::none() {
            return Ok(None);
        }
        let now = self.clock.monotonic();
        let used = self.principals.get(ctx.principal(), now, Used::new)?;
        Holder::enter(QuotaOf::User, policy, used).map(Some)
    }

    fn access_key(&self, ctx: &Ctx) -> Result<Option<Holder>> {
        let policy = ctx.access_key_quota().unwrap_or_default();
        if policy == QuotaPolicy::none() {
            return Ok(None);
        }
        let id = ctx.access_key().ok_or_else(nameless)?;
        let used = self
            .access_keys
            .get(&id, self.clock.monotonic(), Used::new)?;
        Holder::enter(QuotaOf::AccessKey, policy, used).map(Some)
    }

    /// Takes one request of `tokens` from the holder's minute, or nothing.
    async fn take(&self, ctx: &Ctx, holder: &Holder, tokens: u64) -> Result<Option<Grant>> {
        let limits = holder.policy.per_minute();
        if limits.is_none() {
            return Ok(None);
        }
        let tokens = limits.tokens.map_or(0, |_| tokens);
        let grant = match &self.shared {
            Some(shared) => {
                // No principal's name makes the one out of the other.
                let key = match (holder.of, ctx.access_key()) {
                    (QuotaOf::AccessKey, Some(id)) => format!("key-quota/{id}"),
                    _ => format!("quota/{}", ctx.principal().as_str()),
                };
                shared.take(key, holder, tokens).await
            }
            None => self.take_own(holder, limits, tokens),
        };
        grant.map(Some)
    }

    /// The same from what this process counts.
    fn take_own(&self, holder: &Holder, limits: Limits, tokens: u64) -> Result<Grant> {
        let now = self.clock.monotonic();
        let mut allowance = lock(&holder.used.allowance);
        let taken = allowance.take(now, limits, tokens);
        let left = allowance.left(now, limits, holder.of);
        drop(allowance);
        taken.map_err(|full| {
            let wait = full.until.map(|until| until.saturating_duration_since(now));
            holder.minute_is_full(full.limit, wait, left)
        })?;
        let account = Account::Own {
            allowance: holder.used.allowance.clone(),
            clock: self.clock.clone(),
            at: now,
        };
        Ok(Grant::new(account, limits, tokens, left))
    }
}

fn nameless() -> Error {
    Error::new(
        ErrorKind::Config,
        "the call has a quota for an access key and names none: add it with Ctx::with_access_key",
    )
    .with_phase(Phase::Encode)
}

/// A call within its quota.
#[derive(Debug)]
struct Admitted {
    spending: Option<Spending>,
    left: Option<QuotaState>,
    _in_flight: [Option<Holder>; 2],
}

impl Watch for Admitted {
    fn batch(&mut self, batch: &Batch) {
        if let Some(spending) = &mut self.spending {
            spending.batch(batch);
        }
    }

    fn failed(&mut self, error: &Error) {
        if let Some(spending) = &mut self.spending {
            spending.failed(error);
        }
    }
}

impl Layer for QuotaLayer {
    fn layer(&self, inner: Arc<dyn Provider>) -> Arc<dyn Provider> {
        Arc::new(Held {
            inner,
            layer: self.clone(),
        })
    }
}

#[derive(Debug)]
struct Held {
    inner: Arc<dyn Provider>,
    layer: QuotaLayer,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Provider for Held {
    forward_to_inner!();

    async fn call(&self, ctx: &Ctx, call: &Call) -> Result<Reply> {
        let Some(mut admitted) = self.layer.admit(ctx, call).await? else {
            return self.inner.call(ctx, call).await;
        };
        match self.inner.call(ctx, call).await {
            Ok(mut reply) => {
                reply.head_mut().quota = admitted.left;
                if let (true, Some(spending)) = (reply.head().cached, &mut admitted.spending) {
                    spending.nothing();
                }
                Ok(reply.watched(admitted))
            }
            Err(error) => {
                admitted.failed(&error);
                Err(error.with_quota(admitted.left))
            }
        }
    }
}

#[cfg(test)]
mod tests;
