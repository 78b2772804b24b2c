//! Waits for an answer as long as its caller may have it.

use std::time::Duration;

use tokio::time::Instant;

use super::recheck;
use crate::auth::Caller;
use crate::error::Failure;
use crate::state::State;

/// Waits for an answer as long as its caller may have it.
#[derive(Debug)]
pub(super) struct Watch {
    state: State,
    caller: Caller,
    recheck_at: Instant,
}

impl Watch {
    pub(super) fn new(state: State, caller: Caller) -> Self {
        let recheck_at = state.clock().monotonic() + recheck(&state);
        Self {
            state,
            caller,
            recheck_at,
        }
    }

    pub(super) const fn state(&self) -> &State {
        &self.state
    }

    pub(super) const fn caller(&self) -> &Caller {
        &self.caller
    }

    /// When nothing will have happened for so long.
    pub(super) fn silent_at(&self, at_most: Duration) -> Instant {
        self.state.clock().monotonic() + at_most
    }

    /// Waits for `work`; `None` where nothing has happened until `silent_at`.
    ///
    /// # Errors
    /// Why the caller may not go on.
    pub(super) async fn wait<F: Future>(
        &mut self,
        work: F,
        silent_at: Instant,
    ) -> Result<Option<F::Output>, Failure> {
        let mut work = std::pin::pin!(work);
        // An answer that never pauses is asked about all the same.
        if self.state.clock().monotonic() >= self.recheck_at {
            self.recheck().await?;
        }
        loop {
            tokio::select! {
                biased;
                done = &mut work => return Ok(Some(done)),
                () = tokio::time::sleep_until(self.recheck_at) => self.recheck().await?,
                () = tokio::time::sleep_until(silent_at) => return Ok(None),
            }
        }
    }

    /// Whoever asks may have logged out meanwhile. While the store is away nobody knows.
    async fn recheck(&mut self) -> Result<(), Failure> {
        self.recheck_at = self.state.clock().monotonic() + recheck(&self.state);
        match self.state.auth().again(&self.caller).await {
            Ok(caller) => self.caller = caller,
            Err(failure) if failure.status() == http::StatusCode::UNAUTHORIZED => {
                return Err(failure);
            }
            Err(_) => {}
        }
        Ok(())
    }
}
