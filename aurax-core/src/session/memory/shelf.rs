//! What is kept of sessions in memory, within bounds.

use std::collections::HashMap;
use std::io::{self, Write};

use uuid::Uuid;

use crate::ctx::Principal;
use crate::error::{Error, ErrorKind, Phase, Result, Retry};
use crate::ledger::{MemoryLedger, Settlement};
use crate::session::lease::{busy, moved_on, no_session};
use crate::session::{Lease, Session, Step, Turn};

/// One session, with everything that was said.
#[derive(Debug)]
pub(crate) struct Book {
    principal: Principal,
    pub(super) session: Session,
    /// In the order they were made.
    turns: Vec<Turn>,
    places: HashMap<Uuid, usize>,
    /// The run that answers.
    pub(super) run: Option<Uuid>,
    bytes: usize,
    /// When it was last used, by the shelf's own count.
    used: u64,
}

impl Book {
    pub(super) fn turn(&self, id: Uuid) -> Option<&Turn> {
        self.turns.get(*self.places.get(&id)?)
    }

    pub(super) fn turns(&self) -> &[Turn] {
        &self.turns
    }

    /// Adds a turn unless it is there; says how much it weighs.
    fn push(&mut self, turn: &Turn, bytes: usize) -> usize {
        if self.places.contains_key(&turn.id) {
            return 0;
        }
        self.places.insert(turn.id, self.turns.len());
        self.turns.push(turn.clone());
        self.session.turns = self.session.turns.max(turn.seq);
        self.bytes = self.bytes.saturating_add(bytes);
        bytes
    }

    /// Whether `run` may take the step.
    fn admits(&self, step: &Step) -> Result<()> {
        match self.run {
            Some(run) if run == step.run => Ok(()),
            None if step.begins && step.after() == self.session.turns => Ok(()),
            None if step.begins => Err(moved_on()),
            _ => Err(busy()),
        }
    }
}

/// Sessions of everybody.
#[derive(Debug)]
pub(crate) struct Shelf {
    books: HashMap<Uuid, Book>,
    bytes: usize,
    most_bytes: usize,
    uses: u64,
}

impl Default for Shelf {
    fn default() -> Self {
        Self {
            books: HashMap::new(),
            bytes: 0,
            most_bytes: MemoryLedger::SESSION_BYTES,
            uses: 0,
        }
    }
}

impl Shelf {
    pub(crate) const fn limit(&mut self, bytes: usize) {
        self.most_bytes = bytes;
    }

    pub(super) fn book(&self, principal: &Principal, id: Uuid) -> Option<&Book> {
        self.books
            .get(&id)
            .filter(|book| book.principal == *principal)
    }

    pub(super) fn book_mut(&mut self, principal: &Principal, id: Uuid) -> Option<&mut Book> {
        self.books
            .get_mut(&id)
            .filter(|book| book.principal == *principal)
    }

    pub(super) fn books(&self, principal: &Principal) -> impl Iterator<Item = &Book> {
        self.books
            .values()
            .filter(move |book| book.principal == *principal)
    }

    pub(super) fn create(&mut self, principal: &Principal, session: &Session) -> Result<()> {
        if self.books.contains_key(&session.id) {
            return Ok(());
        }
        if self.books.len() >= MemoryLedger::SESSIONS && !self.forget_one(None) {
            return Err(full("every session it has room for is in use"));
        }
        let book = Book {
            principal: principal.clone(),
            session: session.clone(),
            turns: Vec::new(),
            places: HashMap::new(),
            run: None,
            bytes: 0,
            used: self.tick(),
        };
        self.books.insert(session.id, book);
        Ok(())
    }

    pub(super) fn delete(&mut self, principal: &Principal, id: Uuid) -> bool {
        self.book(principal, id).is_some() && self.remove(id)
    }

    /// Adds turns where there is room for them.
    pub(super) fn add(&mut self, id: Uuid, turns: &[Turn]) -> Result<()> {
        let weights: Vec<usize> = turns.iter().map(weight).collect();
        self.make_room(id, turns, &weights)?;
        self.push(id, turns, &weights);
        Ok(())
    }

    /// What a step's intent commits: its turns, the leaf, and that the run has the session.
    pub(crate) fn open(&mut self, principal: &Principal, step: &Step) -> Result<()> {
        let id = step.session_id;
        let book = self.book(principal, id).ok_or_else(|| no_session(id))?;
        book.admits(step)?;
        self.add(id, &step.added)?;
        if let Some(book) = self.books.get_mut(&id) {
            book.run = Some(step.run);
            if let Some(leaf) = step.added.last() {
                book.session.leaf = Some(leaf.id);
                book.session.updated_at = leaf.created_at;
            }
        }
        Ok(())
    }

    /// What a settlement commits: the answer, the leaf, and that the session is free again.
    pub(crate) fn settle(&mut self, settlement: &Settlement) {
        let Some(step) = &settlement.step else {
            return;
        };
        let answer = settlement.answer();
        if let Some(answer) = &answer
            && self.book(&settlement.principal, step.session_id).is_some()
        {
            // Paid for, so kept: beyond the bounds if need be, until the next turn is added.
            let weight = weight(answer);
            self.push(step.session_id, std::slice::from_ref(answer), &[weight]);
        }
        let Some(book) = self.book_mut(&settlement.principal, step.session_id) else {
            return;
        };
        if book.run != Some(step.run) {
            return;
        }
        if let Some(answer) = &answer {
            book.session.leaf = Some(answer.id);
            book.session.updated_at = answer.created_at;
        }
        if !step.goes_on(answer.as_ref()) {
            book.run = None;
        }
    }

    pub(crate) fn release(&mut self, lease: &Lease) {
        let book = self.book_mut(&lease.principal, lease.session_id);
        if let Some(book) = book.filter(|book| book.run == Some(lease.run)) {
            book.run = None;
        }
    }

    /// Forgets idle sessions until the turns fit.
    fn make_room(&mut self, id: Uuid, turns: &[Turn], weights: &[usize]) -> Result<()> {
        let Some(book) = self.books.get(&id) else {
            return Err(no_session(id));
        };
        let new = turns.iter().zip(weights);
        let new = new.filter(|(turn, _)| book.turn(turn.id).is_none());
        let (count, bytes) = new.fold((0_usize, 0_usize), |(count, bytes), (_, weight)| {
            (count.saturating_add(1), bytes.saturating_add(*weight))
        });
        if book.turns.len().saturating_add(count) > MemoryLedger::TURNS {
            return Err(full("a session has at most 10,000 turns"));
        }
        while self.bytes.saturating_add(bytes) > self.most_bytes {
            if !self.forget_one(Some(id)) {
                return Err(full("the sessions in use take all of it"));
            }
        }
        Ok(())
    }

    fn push(&mut self, id: Uuid, turns: &[Turn], weights: &[usize]) {
        let used = self.tick();
        if let Some(book) = self.books.get_mut(&id) {
            let new = turns.iter().zip(weights);
            let bytes = new.map(|(turn, weight)| book.push(turn, *weight));
            let bytes = bytes.fold(0, usize::saturating_add);
            book.used = used;
            self.bytes = self.bytes.saturating_add(bytes);
        }
    }

    /// Forgets the session that was idle for longest; false when all are in use.
    fn forget_one(&mut self, but: Option<Uuid>) -> bool {
        let idle = self.books.iter();
        let idle = idle.filter(|(id, book)| book.run.is_none() && Some(**id) != but);
        let oldest = idle.min_by_key(|(_, book)| book.used).map(|(id, _)| *id);
        oldest.is_some_and(|id| self.remove(id))
    }

    fn remove(&mut self, id: Uuid) -> bool {
        let book = self.books.remove(&id);
        let bytes = book.as_ref().map_or(0, |book| book.bytes);
        self.bytes = self.bytes.saturating_sub(bytes);
        book.is_some()
    }

    fn tick(&mut self) -> u64 {
        self.uses = self.uses.saturating_add(1);
        self.uses
    }
}

fn full(why: &str) -> Error {
    Error::new(
        ErrorKind::Store,
        format!("the memory has no room for it: {why}; use a store, or delete sessions"),
    )
    .with_retry(Retry::Never)
    .with_phase(Phase::Encode)
}

/// How many bytes a turn takes, about: those of its JSON.
pub(super) fn weight(turn: &Turn) -> usize {
    #[derive(Default)]
    struct Counter(usize);
    impl Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.saturating_add(bytes.len());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter::default();
    match serde_json::to_writer(&mut counter, turn) {
        Ok(()) => counter.0,
        // The size of a turn that has no JSON cannot be told.
        Err(_) => usize::MAX,
    }
}
