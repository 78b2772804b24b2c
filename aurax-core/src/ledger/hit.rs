//! A request that is answered from the cache: no attempt, and nothing to pay.

use std::sync::Arc;

use super::guard::RequestGuard;
use super::record::{CacheHit, Outcome};
use crate::chat::{Event, Fold, Response};
use crate::reply::Head;

/// A cached answer on its way to the caller.
#[derive(Debug, Clone)]
pub(super) struct PendingHit {
    pub(super) hit: CacheHit,
    pub(super) outcome: Outcome,
    pub(super) response: Option<Response>,
}

/// Follows a cached answer and hands what was delivered to the guard when it ends, in whatever
/// way.
#[derive(Debug)]
pub(crate) struct HitRecorder {
    guard: Arc<RequestGuard>,
    fold: Fold,
    outcome: Outcome,
}

impl HitRecorder {
    pub(super) fn new(guard: Arc<RequestGuard>, head: &Head) -> Self {
        Self {
            guard,
            fold: Fold::from_head(head),
            outcome: Outcome::Partial,
        }
    }

    pub(crate) fn event(&mut self, event: &Event) {
        self.fold.push(event);
        if matches!(event, Event::End(_)) {
            self.outcome = Outcome::Complete;
        }
    }
}

impl Drop for HitRecorder {
    fn drop(&mut self) {
        let fold = std::mem::replace(&mut self.fold, Fold::new("", ""));
        self.guard.hit_ended(self.outcome, fold.finish());
    }
}
