//! The promise that nothing paid goes unrecorded: intents before an attempt, one settlement after.

mod exposure;
mod guard;
mod hit;
mod memory;
mod opening;
mod pending;
mod record;

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use async_trait::async_trait;
use tokio::sync::oneshot;

pub use exposure::{Exposure, Hold};
pub(crate) use exposure::{buckets, context, searches_by_itself};
pub(crate) use guard::{AttemptRecorder, GuardOwner, RequestGuard};
pub(crate) use hit::HitRecorder;
pub use memory::MemoryLedger;
pub use opening::Opening;
pub use pending::Pending;
pub(crate) use pending::estimate_input;
pub use record::{Attempt, CacheHit, Failure, Intent, Opened, Outcome, Receipt, Settlement};

use crate::error::{Error, ErrorKind, Phase, Result};
use crate::session::Lease;

/// Where calls are recorded.
///
/// * A request takes one permit before its first attempt and settles it once.
/// * Every attempt is opened before anything is sent; when `open` returns, its intent is durable.
/// * `open` is keyed by the attempt's id: opening it again changes nothing.
#[async_trait]
pub trait Ledger: Debug + Send + Sync + 'static {
    /// Takes the right to settle one request; waits while too many are in flight.
    ///
    /// # Errors
    /// `Ledger` when the ledger is closed or cannot record.
    ///
    /// # Cancel safety
    /// A dropped future takes no permit.
    async fn permit(&self) -> Result<Box<dyn Permit>>;

    /// Commits the intent to make an attempt, holds what it may cost against the budgets it
    /// counts for, and adds what its session gains.
    ///
    /// # Errors
    /// `Ledger` when it cannot be recorded, `Budget` when a budget has no room for it, and
    /// `SessionBusy` when its session answers something else; the attempt must not be made then.
    /// Where a hard budget applies, also what [`Opening::exposure`] fails with.
    ///
    /// # Cancel safety
    /// A dropped future may or may not have committed; the settlement tells.
    async fn open(&self, opening: Opening) -> Result<Opened>;

    /// Gives up a session that a step held beyond its own settlement
    /// ([`Step::keeps`](crate::Step)). It neither waits nor fails; a session that is held by
    /// another run is left alone.
    fn release(&self, session: Lease);
}

/// The right to settle one request.
pub trait Permit: Debug + Send + Sync {
    /// Hands over what is to be recorded.
    ///
    /// It neither waits nor fails, and works on any thread with or without a runtime, because it
    /// is called from `Drop`. The ledger turns `pending` into a [`Settlement`] on its own side.
    fn settle(self: Box<Self>, pending: Pending) -> Ack;
}

/// Resolves when a settlement is durable. Dropping it does not stop the settlement.
#[derive(Debug)]
pub struct Ack(oneshot::Receiver<Result<Receipt>>);

impl Ack {
    /// An acknowledgement, and where the ledger sends it from.
    pub fn channel() -> (oneshot::Sender<Result<Receipt>>, Self) {
        let (sender, receiver) = oneshot::channel();
        (sender, Self(receiver))
    }
}

impl Future for Ack {
    type Output = Result<Receipt>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|received| {
            received.unwrap_or_else(|_| {
                Err(Error::new(
                    ErrorKind::Ledger,
                    "the ledger stopped before it recorded the call",
                )
                .with_phase(Phase::Body))
            })
        })
    }
}
