//! A clock that tests move.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use aurax::{Clock, SystemClock};
use time::{Duration, OffsetDateTime};
use tokio::time::Instant;

/// The machine's clock, and how far the test has moved it, in milliseconds.
#[derive(Debug, Default)]
pub(crate) struct Moved {
    millis: AtomicI64,
    behind: std::time::Duration,
}

impl Moved {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// One that is behind the timers: what is to happen in `behind` happens at once.
    pub(crate) fn behind(behind: std::time::Duration) -> Arc<Self> {
        Arc::new(Self {
            behind,
            ..Self::default()
        })
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, duration: Duration) {
        let millis = i64::try_from(duration.whole_milliseconds()).unwrap();
        self.millis.fetch_add(millis, Ordering::SeqCst);
    }

    fn ahead(&self) -> Duration {
        Duration::milliseconds(self.millis.load(Ordering::SeqCst))
    }
}

impl Clock for Moved {
    fn now(&self) -> OffsetDateTime {
        SystemClock.now() + self.ahead()
    }

    fn monotonic(&self) -> Instant {
        SystemClock.monotonic() + self.ahead().unsigned_abs() - self.behind
    }
}
