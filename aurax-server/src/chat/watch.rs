//! Waits for an answer as long as its caller may have it.

use std::time::Duration;

use aurax::CancellationToken;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use super::recheck;
use crate::auth::Caller;
use crate::error::Failure;
use crate::state::State;

/// How long an answer that is over has to be told so: longer only takes who reads slowly.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How long a call may take to be settled when its time is over.
const SETTLING: Duration = Duration::from_secs(10);

/// Waits for an answer as long as its caller may have it.
///
/// A task of its own looks after that. An answer is made as it is read: who reads slowly would
/// otherwise be asked about, and end, whenever they like, and who reads fast would wait while they
/// are asked about.
#[derive(Debug)]
pub(super) struct Watch {
    state: State,
    caller: Caller,
    refused: oneshot::Receiver<Failure>,
    /// When the answer must have ended; the task goes with it.
    end: Option<watch::Sender<Option<Instant>>>,
}

impl Watch {
    /// Watches an answer for `caller`; `cut` cuts off who does not take its end.
    pub(super) fn new(state: State, caller: Caller, cut: CancellationToken) -> Self {
        let (refuse, refused) = oneshot::channel();
        let (end, ends) = watch::channel(None);
        let mut guard = Guard {
            state: state.clone(),
            caller: caller.clone(),
            ends,
        };
        state.drain().tasks().spawn(async move {
            let Some(over) = guard.over().await else {
                return;
            };
            if let Some(failure) = over
                && refuse.send(failure).is_err()
            {
                return;
            }
            if guard.goes_on_for(LAST_WORDS).await {
                tracing::debug!("an answer was cut off: nobody takes its end");
                cut.cancel();
            }
        });
        Self {
            state,
            caller,
            refused,
            end: Some(end),
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

    /// Somebody answers: what they say has its time.
    pub(super) fn answered(&self) {
        let total = self.state.engine().timeouts().total;
        let now = self.state.clock().monotonic();
        let end = now.checked_add(total.saturating_add(SETTLING));
        if let Some(ends) = &self.end {
            ends.send_replace(end);
        }
    }

    /// Nothing more is made: what there is may be read as slowly as anything else.
    pub(super) fn over(&mut self) {
        self.end = None;
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
        tokio::select! {
            biased;
            Ok(failure) = &mut self.refused, if self.end.is_some() && !self.refused.is_terminated() => Err(failure),
            done = work => Ok(Some(done)),
            () = tokio::time::sleep_until(silent_at) => Ok(None),
        }
    }
}

/// What looks after an answer.
struct Guard {
    state: State,
    caller: Caller,
    ends: watch::Receiver<Option<Instant>>,
}

impl Guard {
    /// Waits until the answer has to end, and says why where it is not its time; `None` once it
    /// has ended by itself.
    async fn over(&mut self) -> Option<Option<Failure>> {
        let recheck = recheck(&self.state);
        let mut recheck_at = self.state.clock().monotonic() + recheck;
        loop {
            let end = *self.ends.borrow_and_update();
            let ended = async {
                match end {
                    Some(end) => tokio::time::sleep_until(end).await,
                    None => futures::future::pending().await,
                }
            };
            tokio::select! {
                changed = self.ends.changed() => changed.ok()?,
                () = ended => return Some(None),
                () = tokio::time::sleep_until(recheck_at) => {
                    // Whoever asks may have logged out meanwhile. While the store is away nobody
                    // knows.
                    if let Err(failure) = self.state.auth().again(&self.caller).await
                        && failure.status() == http::StatusCode::UNAUTHORIZED
                    {
                        return Some(Some(failure));
                    }
                    recheck_at = self.state.clock().monotonic() + recheck;
                }
            }
        }
    }

    /// Whether the answer has not ended for so long.
    async fn goes_on_for(&mut self, limit: Duration) -> bool {
        let ended = async { while self.ends.changed().await.is_ok() {} };
        tokio::time::timeout(limit, ended).await.is_err()
    }
}
