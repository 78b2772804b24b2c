//! Waiting for a turn, within bounds.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::retry::cancelled;
use crate::clock::Clock;
use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind, Phase, Result, Retry};

/// How long a call may wait for its turn: the layer's own limit, or the call's deadline where
/// that is sooner.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    pub(super) until: Instant,
    is_deadline: bool,
}

impl Patience {
    pub(super) fn new(clock: &dyn Clock, ctx: &Ctx, most: Duration) -> Self {
        /// A wait the clock cannot count is one that outlasts the process.
        const NEVER: Duration = Duration::from_secs(60 * 60 * 24 * 365);
        let now = clock.monotonic();
        let until = now.checked_add(most.min(NEVER)).unwrap_or(now);
        match ctx.deadline() {
            Some(deadline) if deadline < until => Self {
                until: deadline,
                is_deadline: true,
            },
            _ => Self {
                until,
                is_deadline: false,
            },
        }
    }

    /// Waits for `turn`; `None` when patience ran out before the deadline did.
    ///
    /// # Errors
    /// `Cancelled`, or `Timeout` at the deadline.
    pub(super) async fn wait<T>(
        self,
        ctx: &Ctx,
        turn: impl Future<Output = T> + Send,
    ) -> Result<Option<T>> {
        let turn = tokio::time::timeout_at(self.until, turn);
        match ctx.unless_cancelled(turn).await {
            None => Err(cancelled().with_phase(Phase::Encode)),
            Some(Ok(turn)) => Ok(Some(turn)),
            Some(Err(_)) if self.is_deadline => Err(Error::new(
                ErrorKind::Timeout,
                "the deadline passed while the call waited for its turn",
            )
            .with_context("limit", "deadline")
            .with_retry(Retry::Never)
            .with_phase(Phase::Encode)),
            Some(Err(_)) => Ok(None),
        }
    }
}

/// Counts who waits, and lets no more wait than may.
#[derive(Debug, Default)]
pub(super) struct Line(Arc<AtomicUsize>);

impl Line {
    /// A place to wait in; `None` when as many as may wait already.
    pub(super) fn join(&self, most: usize) -> Option<Place> {
        let joined = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| {
                (waiting < most).then(|| waiting.saturating_add(1))
            });
        joined.ok().map(|_| Place(self.0.clone()))
    }
}

/// A place in a [`Line`], left when it is dropped.
#[derive(Debug)]
pub(super) struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
