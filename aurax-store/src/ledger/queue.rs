//! What waits for the writer.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use aurax_core::{
    Error, Exposure, Intent, Lease, Opened, Opening, Pending, Receipt, Result, Settlement,
};
use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc, oneshot};
use uuid::Uuid;

use super::fault::Faults;

/// The most messages of a kind in one batch.
pub(super) const BATCH: usize = 256;

/// An attempt that waits for its intent to be durable.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) opening: Opening,
    pub(super) intent: Intent,
    /// The most it can cost, where that was found out already.
    exposure: Option<Exposure>,
    done: oneshot::Sender<Result<Opened>>,
}

impl Open {
    pub(super) const fn new(
        opening: Opening,
        intent: Intent,
        exposure: Option<Exposure>,
        done: oneshot::Sender<Result<Opened>>,
    ) -> Self {
        Self {
            opening,
            intent,
            exposure,
            done,
        }
    }

    /// The most it can cost.
    pub(super) fn exposure(&self) -> Result<Exposure> {
        self.exposure.map_or_else(|| self.opening.exposure(), Ok)
    }

    /// Whether the caller still waits. One that does not has its settlement on the way, which may
    /// have been written already: its intent must not be.
    pub(super) fn is_wanted(&self) -> bool {
        !self.done.is_closed()
    }

    pub(super) fn answer(self, answer: Result<Opened>) {
        // A caller that left meanwhile settles what it opened.
        drop(self.done.send(answer));
    }
}

/// A request that waits to be settled.
#[derive(Debug)]
pub(super) struct Settle {
    charge_id: Uuid,
    pub(super) facts: Facts,
    done: oneshot::Sender<Result<Receipt>>,
    /// Given back when the settlement is durable.
    _slot: OwnedSemaphorePermit,
}

/// Users that were seen to have a hard budget: what their calls can cost is found out before the
/// writer needs it, because it keeps others waiting meanwhile.
#[derive(Debug, Default)]
pub(super) struct Limited(RwLock<HashSet<Uuid>>);

impl Limited {
    /// The most users that are remembered; more begin anew, which costs time and nothing else.
    const MOST: usize = 10_000;

    pub(super) fn has(&self, user: Uuid) -> bool {
        let users = self.0.read().unwrap_or_else(PoisonError::into_inner);
        users.contains(&user)
    }

    pub(super) fn add(&self, user: Uuid) {
        if self.has(user) {
            return;
        }
        let mut users = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if users.len() >= Self::MOST {
            users.clear();
        }
        users.insert(user);
    }
}

/// What is to be settled: raw until the writer has time for it.
#[derive(Debug)]
pub(super) enum Facts {
    Pending(Box<Pending>),
    /// In between.
    Taken,
    Finished(Box<Settlement>),
}

impl Facts {
    /// Counts and prices.
    pub(super) fn finish(&mut self) {
        if let Self::Pending(_) = self
            && let Self::Pending(pending) = std::mem::replace(self, Self::Taken)
        {
            *self = Self::Finished(Box::new(pending.finish()));
        }
    }

    /// Does what a test wants to be done wrong.
    pub(super) fn spoil(&mut self, faults: Faults) {
        if let Self::Finished(settlement) = self {
            faults.spoil(settlement);
        }
    }

    pub(super) fn finished(&self) -> Option<&Settlement> {
        match self {
            Self::Finished(settlement) => Some(settlement),
            _ => None,
        }
    }
}

impl Settle {
    pub(super) fn new(
        pending: Pending,
        done: oneshot::Sender<Result<Receipt>>,
        slot: OwnedSemaphorePermit,
    ) -> Self {
        Self {
            charge_id: pending.id(),
            facts: Facts::Pending(Box::new(pending)),
            done,
            _slot: slot,
        }
    }

    /// The charge.
    pub(super) const fn charge_id(&self) -> Uuid {
        self.charge_id
    }

    /// Answers before anything is written, which only a test wants.
    pub(super) fn answer_early(&mut self, receipt: Result<Receipt>) {
        let (nobody, _) = oneshot::channel();
        let done = std::mem::replace(&mut self.done, nobody);
        drop(done.send(receipt));
    }

    pub(super) fn answer(self, answer: Result<Receipt>) {
        // The caller may be gone, which changes nothing here.
        drop(self.done.send(answer));
    }
}

/// Sessions that are given up outside a settlement. Their number is bounded by that of the runs
/// in flight, each of which gives up once.
#[derive(Debug, Default)]
pub(super) struct Releases {
    waiting: Mutex<Vec<Lease>>,
    arrived: Notify,
}

impl Releases {
    pub(super) fn add(&self, lease: Lease) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push(lease);
        drop(waiting);
        self.arrived.notify_one();
    }

    pub(super) fn take(&self) -> Vec<Lease> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let most = waiting.len().min(BATCH);
        let taken = waiting.drain(..most).collect();
        if !waiting.is_empty() {
            self.arrived.notify_one();
        }
        taken
    }

    /// Leaves them for later, in their order.
    fn put_back(&self, leases: Vec<Lease>) {
        if leases.is_empty() {
            return;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.splice(..0, leases);
        drop(waiting);
        self.arrived.notify_one();
    }
}

/// Where the writer finds its work.
#[derive(Debug)]
pub(super) struct Inbox {
    opens: mpsc::Receiver<Open>,
    settlements: mpsc::Receiver<Settle>,
    releases: Arc<Releases>,
}

/// The work of one transaction.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) opens: Vec<Open>,
    pub(super) settlements: Vec<Settle>,
    pub(super) releases: Vec<Lease>,
}

impl Work {
    pub(super) fn is_empty(&self) -> bool {
        self.opens.is_empty() && self.settlements.is_empty() && self.releases.is_empty()
    }

    /// Fails everything that may fail.
    pub(super) fn refuse_opens(&mut self, error: impl Fn() -> Error) {
        for open in self.opens.drain(..) {
            open.answer(Err(error()));
        }
    }
}

impl Inbox {
    pub(super) const fn new(
        opens: mpsc::Receiver<Open>,
        settlements: mpsc::Receiver<Settle>,
        releases: Arc<Releases>,
    ) -> Self {
        Self {
            opens,
            settlements,
            releases,
        }
    }

    /// Waits for work; false when there will be none.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub(super) async fn arrival(&mut self, work: &mut Work) -> bool {
        tokio::select! {
            biased;
            settle = self.settlements.recv() => match settle {
                Some(settle) => work.settlements.push(settle),
                // The last permit is gone, and no more are given.
                None => return false,
            },
            Some(open) = self.opens.recv() => work.opens.push(open),
            () = self.releases.arrived.notified() => {}
        }
        true
    }

    /// Adds what is there already: settlements first, so that those who open wait for them.
    /// True when settlements were among it.
    pub(super) fn fill(&mut self, work: &mut Work) -> bool {
        let before = work.settlements.len();
        // What a run settled before it gave its session up is in the queue by now.
        let releases = self.releases.take();
        while work.settlements.len() < BATCH
            && let Ok(settle) = self.settlements.try_recv()
        {
            work.settlements.push(settle);
        }
        while work.opens.len() < BATCH
            && let Ok(open) = self.opens.try_recv()
        {
            work.opens.push(open);
        }
        work.opens.retain(Open::is_wanted);
        if work.settlements.len() < BATCH && work.releases.len() < BATCH {
            work.releases.extend(releases);
        } else {
            self.releases.put_back(releases);
        }
        work.settlements.len() > before
    }
}
