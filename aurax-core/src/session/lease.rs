//! Who answers in a session at the moment.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

use super::Lease;
use crate::ctx::Principal;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::ledger::Ledger;

/// A run's hold of a session across several calls. Its last owner gives the session up: the run
/// itself, or a call of its that is still being settled.
#[derive(Debug)]
pub(crate) struct Leased {
    ledger: Arc<dyn Ledger>,
    lease: Mutex<Option<Lease>>,
}

impl Leased {
    pub(crate) fn new(ledger: Arc<dyn Ledger>, lease: Lease) -> Arc<Self> {
        Arc::new(Self {
            ledger,
            lease: Mutex::new(Some(lease)),
        })
    }

    /// The settlement of the last call has given the session up: nothing is left to release.
    pub(crate) fn over(&self) {
        self.lease
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
    }
}

impl Drop for Leased {
    fn drop(&mut self) {
        let lease = self.lease.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(lease) = lease.take() {
            self.ledger.release(lease);
        }
    }
}

/// The sessions that this engine answers in: one for each run that somebody holds.
///
/// The store decides; this finds out sooner, without asking it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Runs(Arc<Mutex<HashSet<(Principal, Uuid)>>>);

impl Runs {
    /// Marks a session until the guard is dropped.
    pub(crate) fn enter(&self, principal: &Principal, session: Uuid) -> Result<Running> {
        let key = (principal.clone(), session);
        let mut runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !runs.insert(key.clone()) {
            return Err(busy());
        }
        Ok(Running {
            runs: self.clone(),
            key,
        })
    }
}

/// One run of this engine.
#[derive(Debug)]
pub(crate) struct Running {
    runs: Runs,
    key: (Principal, Uuid),
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut runs = self.runs.0.lock().unwrap_or_else(PoisonError::into_inner);
        runs.remove(&self.key);
    }
}

/// Something else is being answered.
pub(crate) fn busy() -> Error {
    Error::new(
        ErrorKind::SessionBusy,
        "the session is answering something else; send again when that has ended",
    )
    .with_phase(Phase::Encode)
}

/// The session is not the one that was read.
pub(crate) fn moved_on() -> Error {
    Error::new(
        ErrorKind::SessionBusy,
        "the session has changed since it was read; send again",
    )
    .with_phase(Phase::Encode)
}

/// There is none, or it is somebody else's.
pub(crate) fn no_session(id: Uuid) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no session `{id}`")).with_phase(Phase::Encode)
}

/// There is none in the session.
pub(crate) fn no_turn(id: Uuid) -> Error {
    let message = format!("the session has no turn `{id}`");
    Error::new(ErrorKind::NotFound, message).with_phase(Phase::Encode)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It takes no store to find out.
    #[test]
    fn a_session_runs_once_until_its_guard_is_gone() {
        let runs = Runs::default();
        let (me, other) = (Principal::new("me"), Principal::new("other"));
        let session = Uuid::from_u128(1);
        let running = runs.enter(&me, session).unwrap();
        let error = runs.enter(&me, session).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SessionBusy);
        assert!(runs.enter(&me, Uuid::from_u128(2)).is_ok());
        assert!(
            runs.enter(&other, session).is_ok(),
            "not theirs, as they will be told"
        );
        drop(running);
        assert!(runs.enter(&me, session).is_ok());
        assert!(runs.0.lock().unwrap().is_empty(), "nothing is left");
    }
}
