//! Holds each principal to its limits.

pub(super) mod shared;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use self::shared::SharedQuota;
use super::allowance::{Account, Allowance, Limits, SharedAllowance, Spending, lock};
use super::keyed::Keyed;
use super::{Layer, forward_to_inner};
use crate::call::Call;
use crate::clock::Clock;
use crate::ctx::{Ctx, Principal};
use crate::error::{Error, ErrorKind, Phase, Result, Retry};
use crate::ledger::estimate_input;
use crate::limits::SharedLimits;
use crate::provider::Provider;
use crate::reply::{Batch, Reply, Watch};

/// What one principal may use. `None`, the default of each, is without limit.
///
/// Limits are exact and kept in memory, unless the engine is built with counters that processes
/// share ([`EngineBuilder::shared_limits`](crate::EngineBuilder::shared_limits)): no minute, wherever
/// it begins, holds more than its limit.
/// A call that exceeds one fails at once, with an error of kind `RateLimited` that was not sent
/// anywhere ([`Phase::Encode`]), names the limit in its context and says after what time the call
/// would pass. The engine neither retries it nor asks another model.
///
/// 16,384 principals are remembered in memory. Where more come, those that were idle for longest are
/// forgotten, and their minute starts anew; while as many have calls in flight, a call of another
/// one fails as `Overloaded`.
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

/// Refuses what exceeds a principal's quota: the call's own ([`Ctx::quota`]), else the engine's.
#[derive(Debug, Clone)]
pub(crate) struct QuotaLayer {
    policy: QuotaPolicy,
    clock: Arc<dyn Clock>,
    principals: Arc<Keyed<Principal, Used>>,
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
            shared: shared.map(SharedQuota::new),
        }
    }

    async fn admit(&self, ctx: &Ctx, call: &Call) -> Result<Option<Admitted>> {
        let policy = ctx.quota().unwrap_or(self.policy);
        if policy == QuotaPolicy::none() {
            return Ok(None);
        }
        let now = self.clock.monotonic();
        let used = self.principals.get(ctx.principal(), now, Used::new)?;
        let in_flight = InFlight::enter(used.clone(), policy.in_flight)?;
        let limits = policy.per_minute();
        let spending = if limits.is_none() {
            None
        } else {
            let tokens = limits.tokens.map_or(0, |_| estimate_input(&call.op));
            let account = match &self.shared {
                Some(shared) => {
                    Account::Shared(shared.take(ctx.principal(), policy, tokens).await?)
                }
                None => self.take(&used, policy, tokens)?,
            };
            limits.tokens.map(|_| Spending::new(account, tokens))
        };
        Ok(Some(Admitted {
            spending,
            _in_flight: in_flight,
        }))
    }

    /// Takes one request of `tokens` from what this process counts, or nothing.
    fn take(&self, used: &Used, policy: QuotaPolicy, tokens: u64) -> Result<Account> {
        let now = self.clock.monotonic();
        let taken = lock(&used.allowance).take(now, policy.per_minute(), tokens);
        taken.map_err(|full| {
            let wait = full.until.map(|until| until.saturating_duration_since(now));
            minute_is_full(full.limit, policy, wait)
        })?;
        Ok(Account::Own {
            allowance: used.allowance.clone(),
            clock: self.clock.clone(),
            at: now,
        })
    }
}

/// The error for a limit that is used up until `wait` is over, or that the request alone exceeds.
fn minute_is_full(limit: &'static str, policy: QuotaPolicy, wait: Option<Duration>) -> Error {
    let (most, what) = match limit {
        "tokens_per_minute" => (policy.tokens_per_minute, "tokens"),
        _ => (policy.requests_per_minute, "requests"),
    };
    let most = most.unwrap_or_default();
    if wait.is_none() {
        let message =
            format!("the request alone is larger than the quota of {most} {what} a minute");
        return refused(message, limit).with_retry(Retry::Never);
    }
    let message = format!("the quota of {most} {what} a minute is used up; try again later");
    refused(message, limit).with_retry_after(wait)
}

fn refused(message: String, limit: &'static str) -> Error {
    Error::new(ErrorKind::RateLimited, message)
        .with_context("limit", limit)
        .with_phase(Phase::Encode)
}

/// What one principal uses.
#[derive(Debug)]
struct Used {
    allowance: SharedAllowance,
    in_flight: AtomicU64,
}

impl Used {
    fn new() -> Self {
        Self {
            allowance: Allowance::shared(),
            in_flight: AtomicU64::new(0),
        }
    }
}

/// One of a principal's requests in flight. While there is one, its counts are not forgotten.
#[derive(Debug)]
struct InFlight(Arc<Used>);

impl InFlight {
    fn enter(used: Arc<Used>, limit: Option<u64>) -> Result<Self> {
        let limit = limit.unwrap_or(u64::MAX);
        let entered = used
            .in_flight
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
                (count < limit).then(|| count.saturating_add(1))
            });
        match entered {
            Ok(_) => Ok(Self(used)),
            Err(_) => {
                let message = format!(
                    "the quota of {limit} requests at a time is used up; wait for one to end"
                );
                Err(refused(message, "in_flight"))
            }
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A call within its quota.
#[derive(Debug)]
struct Admitted {
    spending: Option<Spending>,
    _in_flight: InFlight,
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
            Ok(reply) => {
                if let (true, Some(spending)) = (reply.head().cached, &mut admitted.spending) {
                    spending.nothing();
                }
                Ok(reply.watched(admitted))
            }
            Err(error) => {
                admitted.failed(&error);
                Err(error)
            }
        }
    }
}
