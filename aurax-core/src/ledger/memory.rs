//! A ledger in memory: for tests, and for engines without a store.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use super::{Ack, Ledger, Opened, Opening, Pending, Permit, Receipt, Settlement};
use crate::chat::{Part, Response};
use crate::error::{Error, ErrorKind, Result};
use crate::session::{Lease, Shelf};

/// Keeps settlements in memory, and loses them with the process.
///
/// It counts and prices on the thread that settles, which may be the one that drops a reply.
///
/// It holds the latest [`MemoryLedger::KEPT`] settlements and lets
/// [`MemoryLedger::IN_FLIGHT`] requests run at a time. It keeps sessions too, as a
/// [`SessionStore`](crate::SessionStore), in memory as well.
#[derive(Debug, Clone)]
pub struct MemoryLedger(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    in_flight: Arc<Semaphore>,
    books: Mutex<Books>,
    shelf: Mutex<Shelf>,
}

#[derive(Debug, Default)]
struct Books {
    open: HashSet<Uuid>,
    settled: VecDeque<Arc<Settlement>>,
    count: u64,
}

impl MemoryLedger {
    /// How many settlements are kept; older ones are dropped.
    pub const KEPT: usize = 256;

    /// Answers above this many bytes of text and media are not kept with their settlement.
    pub const LARGEST: usize = 64 << 10;

    /// How many requests may be in flight; more wait for a permit.
    pub const IN_FLIGHT: usize = 10_000;

    /// How many sessions are kept; those that were idle for longest are forgotten for others.
    pub const SESSIONS: usize = 1_024;

    /// How many turns a session may have.
    pub const TURNS: usize = 10_000;

    /// How many bytes all sessions may take, as JSON, unless set otherwise; those that were idle for
    /// longest are forgotten for others.
    pub const SESSION_BYTES: usize = 64 << 20;

    /// An empty ledger.
    pub fn new() -> Self {
        Self(Arc::new(Shared {
            in_flight: Arc::new(Semaphore::new(Self::IN_FLIGHT)),
            books: Mutex::default(),
            shelf: Mutex::default(),
        }))
    }

    /// Says how many bytes all sessions may take, as JSON.
    #[must_use]
    pub fn with_session_bytes(self, bytes: usize) -> Self {
        self.shelf().limit(bytes);
        self
    }

    /// The settlements that are kept, oldest first.
    pub fn settlements(&self) -> Vec<Arc<Settlement>> {
        self.0.books().settled.iter().cloned().collect()
    }

    /// How many requests were settled since the start.
    pub fn settled(&self) -> u64 {
        self.0.books().count
    }

    pub(crate) fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.0.shelf()
    }

    /// How many attempts are open: announced and not settled.
    pub fn open_attempts(&self) -> usize {
        self.0.books().open.len()
    }
}

impl Default for MemoryLedger {
    fn default() -> Self {
        Self::new()
    }
}

impl Shared {
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Ledger for MemoryLedger {
    async fn permit(&self) -> Result<Box<dyn Permit>> {
        let slot = self
            .0
            .in_flight
            .clone()
            .acquire_owned()
            .await
            .map_err(|e| Error::new(ErrorKind::Ledger, "the ledger is closed").with_source(e))?;
        Ok(Box::new(MemoryPermit {
            shared: self.0.clone(),
            _slot: slot,
        }))
    }

    async fn open(&self, opening: Opening) -> Result<Opened> {
        if let Some(step) = opening.step() {
            self.0.shelf().open(opening.principal(), step)?;
        }
        self.0.books().open.insert(opening.attempt_id());
        Ok(Opened::default())
    }

    fn release(&self, session: Lease) {
        self.0.shelf().release(&session);
    }
}

/// Roughly how much memory an answer holds.
fn weight(response: &Response) -> usize {
    let parts = response
        .choices
        .iter()
        .flat_map(|choice| &choice.message.parts);
    let text = parts.map(|part| match part {
        Part::Text(text) => text.text.len(),
        Part::Thinking(thinking) => thinking.text.len(),
        Part::ToolCall(call) => call.arguments.len(),
        Part::Native(native) => native.json.len(),
        // Media and what else there may be is large or rare.
        Part::Refusal(refusal) => refusal.text.len(),
        _ => MemoryLedger::LARGEST,
    });
    let vectors = response
        .embeddings
        .iter()
        .map(|vector| vector.vector.len().saturating_mul(4));
    text.chain(vectors).fold(0, usize::saturating_add)
}

#[derive(Debug)]
struct MemoryPermit {
    shared: Arc<Shared>,
    _slot: OwnedSemaphorePermit,
}

impl Permit for MemoryPermit {
    fn settle(self: Box<Self>, pending: Pending) -> Ack {
        let mut settlement = pending.finish();
        if settlement.step.is_some() {
            self.shared.shelf().settle(&settlement);
        }
        settlement
            .response
            .take_if(|response| weight(response) > MemoryLedger::LARGEST);
        let settlement = Arc::new(settlement);
        let (done, ack) = Ack::channel();
        let mut books = self.shared.books();
        for attempt in &settlement.attempts {
            books.open.remove(&attempt.id);
        }
        let is_full = books.settled.len() >= MemoryLedger::KEPT;
        let oldest = is_full.then(|| books.settled.pop_front());
        books.settled.push_back(settlement.clone());
        books.count = books.count.saturating_add(1);
        drop(books);
        // Taking a settlement apart takes longer than all of the above: nobody waits for it.
        drop(oldest);
        let receipt = Receipt::of(&settlement).ok_or_else(|| {
            Error::new(
                ErrorKind::Internal,
                "a request was settled without an attempt",
            )
        });
        // The caller may be gone, which changes nothing here.
        drop(done.send(receipt));
        ack
    }
}
