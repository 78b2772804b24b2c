//! How the server goes down: first it says so, then it takes nothing more, then it ends what goes
//! on.

use std::sync::Arc;

use aurax::CancellationToken;
use tokio_util::task::TaskTracker;

/// How far the server has gone down, and what still goes on. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Drain(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    announced: CancellationToken,
    over: CancellationToken,
    tasks: TaskTracker,
}

impl Drain {
    /// A server that is up.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says that the server goes down: `/readyz` answers 503 from now on.
    pub fn announce(&self) {
        self.0.announced.cancel();
    }

    /// Whether the server goes down.
    pub fn is_announced(&self) -> bool {
        self.0.announced.is_cancelled()
    }

    /// Cancelled when the server goes down.
    pub fn announced(&self) -> &CancellationToken {
        &self.0.announced
    }

    /// Cuts off what goes on: streams end with an error.
    pub fn end(&self) {
        self.0.announced.cancel();
        self.0.over.cancel();
    }

    /// Cancelled when what goes on is cut off.
    pub fn over(&self) -> &CancellationToken {
        &self.0.over
    }

    /// Tasks that outlive their request, and have to end before the server does.
    pub fn tasks(&self) -> &TaskTracker {
        &self.0.tasks
    }
}
