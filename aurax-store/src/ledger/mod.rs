//! The ledger in the store: intents before an attempt, settlements after it, budgets between.
//!
//! One thread writes, with a runtime and a connection of its own. It commits whenever it is free,
//! and what queued meanwhile is the next batch.

mod batch;
mod charges;
pub(crate) mod fault;
mod hold;
mod orphans;
mod queue;
mod rows;
mod sessions;
mod writer;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aurax_core::{
    Ack, Error, ErrorKind, Lease, Ledger, Opened, Opening, Pending, Permit, Phase, Result, Retry,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

pub(crate) use batch::correction_id;
pub use orphans::{SILENCE, Swept};
use queue::{Limited, Open, Releases, Settle};
pub(crate) use rows::ADJUST;

use crate::store::{Store, user_id};

/// How long an attempt waits for its intent to be durable, and a request for its place, unless
/// [`LedgerOptions::patience`] says something else.
const PATIENCE: Duration = Duration::from_secs(1);

/// How many requests a ledger keeps in flight and in its queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LedgerOptions {
    /// Requests from their first attempt until they are settled; 10,000. More wait for as
    /// long as `patience` says, and are refused then.
    pub in_flight: usize,
    /// Attempts that wait for their intent; 1,024.
    pub opens: usize,
    /// How long an attempt waits for its intent to be durable, and a request for its place, before
    /// it is refused; 1 s.
    pub patience: Duration,
    pub(crate) faults: fault::Faults,
}

impl Default for LedgerOptions {
    fn default() -> Self {
        Self {
            in_flight: 10_000,
            opens: 1_024,
            patience: PATIENCE,
            faults: fault::Faults::default(),
        }
    }
}

impl LedgerOptions {
    /// Keeps so many requests in flight, at least one.
    #[must_use]
    pub const fn with_in_flight(mut self, requests: usize) -> Self {
        self.in_flight = if requests == 0 { 1 } else { requests };
        self
    }

    /// Lets calls wait for so long before they are refused.
    #[must_use]
    pub const fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }
}

/// Records calls in a store. Cheap to clone.
///
/// An attempt is sent only after its intent is durable, and a caller sees the end of an answer
/// only after its settlement is. Where the database is away, attempts are refused when
/// [`LedgerOptions::patience`] is over, and settlements wait for it to come back.
#[derive(Debug, Clone)]
pub struct StoreLedger(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// `None` once the ledger is closed.
    queues: Mutex<Option<Queues>>,
    in_flight: Arc<Semaphore>,
    releases: Arc<Releases>,
    limited: Arc<Limited>,
    patience: Duration,
    finished: tokio::sync::Mutex<Option<oneshot::Receiver<()>>>,
}

#[derive(Debug, Clone)]
struct Queues {
    opens: mpsc::Sender<Open>,
    settlements: mpsc::Sender<Settle>,
}

fn closed() -> Error {
    Error::new(ErrorKind::Ledger, "the ledger is closed").with_phase(Phase::Encode)
}

/// The refusal of a call that cannot be recorded.
fn unavailable(why: &str) -> Error {
    Error::new(
        ErrorKind::Ledger,
        format!("the call cannot be recorded and was not sent: {why}"),
    )
    .with_retry(Retry::Transient)
    .with_retry_after(Some(PATIENCE))
    .with_context("code", "ledger_unavailable")
    .with_phase(Phase::Encode)
}

impl StoreLedger {
    pub(crate) fn start(store: &Store, options: LedgerOptions) -> Result<Self> {
        let (opens, open) = mpsc::channel(options.opens);
        // Every message has a place: it is taken with the permit.
        let (settlements, settle) = mpsc::channel(options.in_flight);
        let releases = Arc::new(Releases::default());
        let limited = Arc::new(Limited::default());
        let (done, finished) = oneshot::channel();
        let inbox = queue::Inbox::new(open, settle, releases.clone());
        let desk = writer::Desk {
            db: store.db().clone(),
            clock: store.clock().clone(),
            replica: store.replica(),
            limited: limited.clone(),
            faults: options.faults,
        };
        writer::start(desk, inbox, done)?;
        Ok(Self(Arc::new(Shared {
            queues: Mutex::new(Some(Queues { opens, settlements })),
            in_flight: Arc::new(Semaphore::new(options.in_flight)),
            releases,
            limited,
            patience: options.patience,
            finished: tokio::sync::Mutex::new(Some(finished)),
        })))
    }

    /// Takes no more calls, waits until those in flight are settled, and stops the writer.
    ///
    /// # Cancel safety
    /// A dropped future leaves the ledger closing; call it again to wait.
    pub async fn close(&self) {
        drop(self.queues_slot().take());
        self.0.in_flight.close();
        let mut finished = self.0.finished.lock().await;
        if let Some(done) = finished.as_mut()
            && done.await.is_err()
        {
            tracing::error!("the ledger's writer broke off");
        }
        *finished = None;
    }

    fn queues_slot(&self) -> std::sync::MutexGuard<'_, Option<Queues>> {
        self.0.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queues(&self) -> Result<Queues> {
        self.queues_slot().clone().ok_or_else(closed)
    }
}

impl Shared {
    async fn in_time<T>(&self, work: impl Future<Output = T>, why: &str) -> Result<T> {
        tokio::time::timeout(self.patience, work)
            .await
            .map_err(|_| unavailable(why))
    }
}

#[async_trait]
impl Ledger for StoreLedger {
    async fn permit(&self) -> Result<Box<dyn Permit>> {
        let queues = self.queues()?;
        let why = "too many calls are in flight";
        let slot = self.0.in_flight.clone().acquire_owned();
        let slot = self.0.in_time(slot, why).await?.map_err(|_| closed())?;
        let place = queues.settlements.reserve_owned();
        let place = self.0.in_time(place, why).await?;
        Ok(Box::new(StorePermit {
            place: place.map_err(|_| closed())?,
            slot,
        }))
    }

    async fn open(&self, opening: Opening) -> Result<Opened> {
        let queues = self.queues()?;
        let intent = opening.intent();
        let is_limited = self.0.limited.has(user_id(&intent.principal));
        // What fails here fails again where it is asked for, if it is.
        let exposure = is_limited.then(|| opening.exposure().ok()).flatten();
        let (done, answer) = oneshot::channel();
        let open = Open::new(opening, intent, exposure, done);
        let asked = async {
            queues.opens.send(open).await.map_err(|_| closed())?;
            answer.await.unwrap_or_else(|_| Err(closed()))
        };
        let why = "the database does not take it in time";
        self.0.in_time(asked, why).await?
    }

    fn release(&self, lease: Lease) {
        self.0.releases.add(lease);
    }
}

/// A store is a ledger with the options of [`LedgerOptions::default`], unless [`Store::ledger`]
/// was called with others before.
#[async_trait]
impl Ledger for Store {
    async fn permit(&self) -> Result<Box<dyn Permit>> {
        self.ledger(LedgerOptions::default())?.permit().await
    }

    async fn open(&self, opening: Opening) -> Result<Opened> {
        self.ledger(LedgerOptions::default())?.open(opening).await
    }

    fn release(&self, lease: Lease) {
        match self.ledger(LedgerOptions::default()) {
            Ok(ledger) => ledger.release(lease),
            Err(error) => tracing::error!(%error, "a session was not given up"),
        }
    }
}

#[derive(Debug)]
struct StorePermit {
    place: mpsc::OwnedPermit<Settle>,
    slot: OwnedSemaphorePermit,
}

impl Permit for StorePermit {
    fn settle(self: Box<Self>, pending: Pending) -> Ack {
        let (done, ack) = Ack::channel();
        drop(self.place.send(Settle::new(pending, done, self.slot)));
        ack
    }
}
