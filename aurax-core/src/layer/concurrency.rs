//! Limits how many attempts are in flight.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::lane::Lanes;
use super::queue::{Line, Patience};
use super::{Layer, forward_to_inner};
use crate::call::Call;
use crate::clock::Clock;
use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::provider::Provider;
use crate::reply::{Reply, Watch};

/// How many attempts may be in flight with one key at one provider.
///
/// An attempt is in flight until its reply has ended or is dropped. Further ones wait in line,
/// first come first served, before they are announced to the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConcurrencyPolicy {
    /// How many may be in flight; at least 1; 10,000.
    pub max_in_flight: usize,
    /// How many may wait; one more is an error of kind `Overloaded`; 1,024.
    pub max_waiting: usize,
    /// How long each may wait, within its deadline; then it is the same error; 30 s.
    pub max_wait: Duration,
}

impl Default for ConcurrencyPolicy {
    fn default() -> Self {
        Self::new(10_000)
    }
}

impl ConcurrencyPolicy {
    /// Lets this many be in flight.
    pub const fn new(max_in_flight: usize) -> Self {
        Self {
            max_in_flight,
            max_waiting: 1_024,
            max_wait: Duration::from_secs(30),
        }
    }

    /// Says how many may wait.
    #[must_use]
    pub const fn with_max_waiting(mut self, waiting: usize) -> Self {
        self.max_waiting = waiting;
        self
    }

    /// Says how long each may wait.
    #[must_use]
    pub const fn with_max_wait(mut self, wait: Duration) -> Self {
        self.max_wait = wait;
        self
    }
}

/// Keeps attempts waiting until they may be in flight.
#[derive(Debug, Clone)]
pub(crate) struct ConcurrencyLayer {
    policy: ConcurrencyPolicy,
    clock: Arc<dyn Clock>,
    lanes: Arc<Lanes<Slots>>,
}

impl ConcurrencyLayer {
    pub(crate) fn new(policy: ConcurrencyPolicy, clock: Arc<dyn Clock>) -> Self {
        Self {
            policy,
            clock,
            lanes: Arc::new(Lanes::new(Slots::new(policy))),
        }
    }

    async fn slot(&self, ctx: &Ctx, provider: &dyn Provider) -> Result<Slot> {
        let info = provider.info();
        let make = || Slots::new(self.policy);
        let slots = self.lanes.get(info, ctx, &*self.clock, make)?;
        // The semaphore hands freed slots to those in line first, so this is no way past them.
        if let Ok(permit) = slots.free.clone().try_acquire_owned() {
            return Ok(Slot::new(slots, permit));
        }
        // Boxed: a call that need not wait should not carry the room for it.
        Box::pin(self.wait(ctx, &info.name, slots)).await
    }

    /// Waits in line.
    async fn wait(&self, ctx: &Ctx, provider: &str, slots: Arc<Slots>) -> Result<Slot> {
        let Some(place) = slots.line.join(self.policy.max_waiting) else {
            return Err(self.busy(provider, "too many calls wait already"));
        };
        let patience = Patience::new(&*self.clock, ctx, self.policy.max_wait);
        let permit = patience
            .wait(ctx, slots.free.clone().acquire_owned())
            .await?;
        drop(place);
        match permit {
            Some(Ok(permit)) => Ok(Slot::new(slots, permit)),
            // The semaphore is never closed, so it is the wait that was too long.
            Some(Err(_)) | None => Err(self.busy(provider, "none of them ended in time")),
        }
    }

    fn busy(&self, provider: &str, why: &str) -> Error {
        Error::new(
            ErrorKind::Overloaded,
            format!(
                "{} calls to {provider} are in flight and {why}; try again later",
                self.policy.max_in_flight
            ),
        )
        .with_context("limit", "concurrency")
        .with_phase(Phase::Encode)
    }
}

/// The places of one key.
#[derive(Debug)]
struct Slots {
    free: Arc<Semaphore>,
    line: Line,
}

impl Slots {
    fn new(policy: ConcurrencyPolicy) -> Self {
        let most = policy.max_in_flight.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            free: Arc::new(Semaphore::new(most)),
            line: Line::default(),
        }
    }
}

/// A place in flight, free again when it is dropped.
#[derive(Debug)]
struct Slot {
    // Keeps the key from being forgotten, and with it the count of what is in flight.
    _of: Arc<Slots>,
    _permit: OwnedSemaphorePermit,
}

impl Slot {
    const fn new(of: Arc<Slots>, permit: OwnedSemaphorePermit) -> Self {
        Self {
            _of: of,
            _permit: permit,
        }
    }
}

impl Watch for Slot {}

impl Layer for ConcurrencyLayer {
    fn layer(&self, inner: Arc<dyn Provider>) -> Arc<dyn Provider> {
        Arc::new(Bounded {
            inner,
            layer: self.clone(),
        })
    }
}

#[derive(Debug)]
struct Bounded {
    inner: Arc<dyn Provider>,
    layer: ConcurrencyLayer,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Provider for Bounded {
    forward_to_inner!();

    async fn call(&self, ctx: &Ctx, call: &Call) -> Result<Reply> {
        let slot = self.layer.slot(ctx, &*self.inner).await?;
        let reply = self.inner.call(ctx, call).await?;
        Ok(reply.watched(slot))
    }
}
