//! Where time comes from.

use std::fmt::Debug;
use std::sync::Arc;

use time::OffsetDateTime;
use tokio::time::Instant;

/// The source of every instant the engine reads.
///
/// * `now` is wall time, for stored times, dated prices and expiry; it may jump.
/// * `monotonic` never goes back, for durations and deadlines; it follows tokio's paused clock.
pub trait Clock: Debug + Send + Sync {
    /// The wall clock, in UTC.
    fn now(&self) -> OffsetDateTime;

    /// The monotonic clock.
    fn monotonic(&self) -> Instant;
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> OffsetDateTime {
        (**self).now()
    }

    fn monotonic(&self) -> Instant {
        (**self).monotonic()
    }
}

/// The machine's own clock, to the microsecond: what stores keep, so that what is read back is what
/// was said.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the machine's clock"
)]
impl Clock for SystemClock {
    fn now(&self) -> OffsetDateTime {
        let now = OffsetDateTime::now_utc();
        let micros = now.microsecond();
        now.replace_microsecond(micros).unwrap_or(now)
    }

    fn monotonic(&self) -> Instant {
        Instant::now()
    }
}
