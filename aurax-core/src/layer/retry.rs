//! Tries again what may pass by itself, within a budget.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use super::{Layer, forward_to_inner};
use crate::call::Call;
use crate::clock::Clock;
use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind, Phase, Result, Retry};
use crate::provider::Provider;
use crate::reply::Reply;

/// How often and how soon to try again.
///
/// Tried again is what may pass ([`Retry::Transient`]) and reached the provider, or tried to: what
/// the engine's own limits refused ([`Phase::Encode`]) is left to a fallback and to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// How many tries may follow the first; 2.
    pub max_retries: u32,
    /// The longest wait before the first retry; it doubles for each one after; 0.5 s.
    pub base: Duration,
    /// The longest wait of all; 8 s.
    pub cap: Duration,
    /// The longest wait a provider may ask for; beyond it the error is returned; 60 s.
    pub max_retry_after: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_retries: 2,
            base: Duration::from_millis(500),
            cap: Duration::from_secs(8),
            max_retry_after: Duration::from_secs(60),
        }
    }
}

impl RetryPolicy {
    /// Never tries again.
    pub fn never() -> Self {
        Self {
            max_retries: 0,
            ..Self::default()
        }
    }

    /// Says how many tries may follow the first.
    #[must_use]
    pub const fn with_max_retries(mut self, retries: u32) -> Self {
        self.max_retries = retries;
        self
    }

    /// The wait before retry number `retry` (from 0): what the provider asks for, else a random
    /// part of the doubling limit, so that callers that failed together do not return together.
    fn wait(&self, retry: u32, asked: Option<Duration>) -> Option<Duration> {
        if let Some(asked) = asked {
            return (asked <= self.max_retry_after).then_some(asked);
        }
        let limit = self
            .base
            .saturating_mul(2_u32.saturating_pow(retry))
            .min(self.cap);
        let millis = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        Some(Duration::from_millis(fastrand::u64(0..=millis)))
    }
}

/// Retries failed attempts that may pass, before anything of the answer was delivered.
///
/// Its budget lets retries be a fifth of all calls, plus a few, so that an outage is not made
/// worse; providers wrapped by the same layer share it.
#[derive(Debug, Clone)]
pub(crate) struct RetryLayer {
    policy: RetryPolicy,
    clock: Arc<dyn Clock>,
    budget: Arc<Budget>,
}

impl RetryLayer {
    pub(crate) fn new(policy: RetryPolicy, clock: Arc<dyn Clock>) -> Self {
        Self {
            policy,
            clock,
            budget: Arc::default(),
        }
    }
}

impl Layer for RetryLayer {
    fn layer(&self, inner: Arc<dyn Provider>) -> Arc<dyn Provider> {
        Arc::new(Retried {
            inner,
            layer: self.clone(),
        })
    }
}

/// Counts fifths of a retry: every call earns one, every retry costs five.
#[derive(Debug)]
struct Budget(AtomicU32);

impl Budget {
    const RETRY: u32 = 5;
    const START: u32 = 3 * Self::RETRY;
    const MOST: u32 = 20 * Self::RETRY;

    fn earn(&self) {
        let _earned: Result<u32, u32> =
            self.0
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |fifths| {
                    Some(fifths.saturating_add(1).min(Self::MOST))
                });
    }

    fn spend(&self) -> bool {
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |fifths| {
                fifths.checked_sub(Self::RETRY)
            })
            .is_ok()
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self(AtomicU32::new(Self::START))
    }
}

#[derive(Debug)]
struct Retried {
    inner: Arc<dyn Provider>,
    layer: RetryLayer,
}

impl Retried {
    /// How long to wait before another try; `None` to give up.
    fn next_wait(&self, ctx: &Ctx, retry: u32, error: &Error) -> Option<Duration> {
        let policy = &self.layer.policy;
        // What was refused here, before anything was sent, has waited as long as it may: another
        // model may do it sooner.
        let refused_here = error.phase() == Some(Phase::Encode);
        if error.retry() == Retry::Never || refused_here || retry >= policy.max_retries {
            return None;
        }
        let wait = policy.wait(retry, error.retry_after())?;
        let wakes = self.layer.clock.monotonic().checked_add(wait)?;
        if ctx.deadline().is_some_and(|deadline| wakes >= deadline) {
            return None;
        }
        self.layer.budget.spend().then_some(wait)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Provider for Retried {
    forward_to_inner!();

    async fn call(&self, ctx: &Ctx, call: &Call) -> Result<Reply> {
        self.layer.budget.earn();
        let mut retry = 0;
        loop {
            let answer = match self.inner.call(ctx, call).await {
                Ok(reply) => reply.first_content().await,
                Err(error) => Err(error),
            };
            let error = match answer {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            let Some(wait) = self.next_wait(ctx, retry, &error) else {
                return Err(error);
            };
            tracing::debug!(
                parent: ctx.span(),
                kind = %error.kind(),
                retry,
                wait_ms = wait.as_millis(),
                "retrying"
            );
            let slept = ctx.unless_cancelled(tokio::time::sleep(wait)).await;
            slept.ok_or_else(cancelled)?;
            retry = retry.saturating_add(1);
        }
    }
}

pub(super) fn cancelled() -> Error {
    Error::new(ErrorKind::Cancelled, "the caller cancelled the call")
}
