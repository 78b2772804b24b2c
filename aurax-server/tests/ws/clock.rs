//! A wall clock that tests move.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use aurax::{Clock, SystemClock};
use time::{Duration, OffsetDateTime};
use tokio::time::Instant;

/// The machine's clock, so many milliseconds ahead.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ahead(Arc<AtomicI64>);

impl Ahead {
    /// Moves it forward until `left` before `end`.
    pub(crate) fn move_to(&self, end: OffsetDateTime, left: Duration) {
        let ahead = (end - left) - SystemClock.now();
        let millis = i64::try_from(ahead.whole_milliseconds()).unwrap();
        self.0.store(millis, Ordering::SeqCst);
    }
}

impl Clock for Ahead {
    fn now(&self) -> OffsetDateTime {
        SystemClock.now() + Duration::milliseconds(self.0.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Instant {
        SystemClock.monotonic()
    }
}
