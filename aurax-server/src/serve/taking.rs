//! Answers of HTTP/2 that nobody takes any more: there the connection goes on for other requests,
//! and no write waits.

use std::time::Duration;

use aurax::CancellationToken;
use hyper::rt::Executor;
use tokio::sync::watch;

tokio::task_local! {
    static OWN: Taking;
}

/// Whether a client takes what it is offered. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Taking {
    is_offered: watch::Sender<bool>,
    /// Cancelled to give the answer up at once.
    cut: CancellationToken,
}

impl Taking {
    fn new() -> Self {
        Self {
            is_offered: watch::Sender::new(false),
            cut: CancellationToken::new(),
        }
    }

    /// That of the request this task answers; `None` but for HTTP/2.
    pub(super) fn own() -> Option<Self> {
        OWN.try_with(Clone::clone).ok()
    }

    /// What gives the answer up.
    pub(super) const fn cut(&self) -> &CancellationToken {
        &self.cut
    }

    /// Something is on its way.
    pub(super) fn offered(&self) {
        self.is_offered.send_replace(true);
    }

    /// There is room for more.
    pub(super) fn wants_more(&self) {
        self.is_offered
            .send_if_modified(|is_offered| std::mem::replace(is_offered, false));
    }

    /// Waits until there was no room for so long.
    async fn stalled(&self, limit: Duration) {
        let mut seen = self.is_offered.subscribe();
        loop {
            let is_offered = *seen.borrow_and_update();
            let limit = if is_offered { limit } else { Duration::MAX };
            // The sender is this value's own: it is there.
            if tokio::time::timeout(limit, seen.changed()).await.is_err() {
                return;
            }
        }
    }
}

/// Answers the requests of HTTP/2, each in a task of its own, and gives up those whose answer
/// nobody takes: its client is told by a reset, and its connection goes on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answering {
    limit: Duration,
}

impl Answering {
    pub(super) const fn new(limit: Duration) -> Self {
        Self { limit }
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Answering {
    fn execute(&self, answer: F) {
        let (taking, limit) = (Taking::new(), self.limit);
        let watched = taking.clone();
        tokio::spawn(OWN.scope(taking, async move {
            tokio::select! {
                () = answer => {}
                () = watched.stalled(limit) => {
                    tracing::debug!("an answer was given up: nobody takes it any more");
                }
                () = watched.cut.cancelled() => {}
            }
        }));
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn who_takes_slowly_is_not_given_up() {
        let taking = Taking::new();
        let slow = async {
            for _ in 0..8 {
                taking.offered();
                sleep(LIMIT - Duration::from_secs(1)).await;
                taking.wants_more();
            }
            // A model may think for as long as it likes.
            sleep(4 * LIMIT).await;
        };
        tokio::select! {
            () = slow => {}
            () = taking.stalled(LIMIT) => panic!("it was given up"),
        }
        taking.offered();
        taking.stalled(LIMIT).await;
    }
}
