//! How fast a client may talk.

use std::time::Duration;

use tokio::time::Instant;

/// How many frames may come at once.
const BURST: u32 = 60;
/// How long each of them takes to be forgotten: ten a second, on the whole.
const EACH: Duration = Duration::from_millis(100);
/// How many frames in a row may be wrong.
const WRONG: u32 = 16;

/// Counts a client's frames.
#[derive(Debug)]
pub(super) struct Pace {
    /// When all that came is forgotten.
    free_at: Instant,
    wrong: u32,
}

impl Pace {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            free_at: now,
            wrong: 0,
        }
    }

    /// Whether one more may come now.
    pub(super) fn admits(&mut self, now: Instant) -> bool {
        let after = self.free_at.max(now) + EACH;
        if after > now + EACH * BURST {
            return false;
        }
        self.free_at = after;
        true
    }

    /// One was right.
    pub(super) const fn right(&mut self) {
        self.wrong = 0;
    }

    /// One was wrong; whether that is one too many.
    pub(super) const fn wrong(&mut self) -> bool {
        self.wrong = self.wrong.saturating_add(1);
        self.wrong >= WRONG
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_taken_and_then_ten_a_second() {
        let now = aurax::Clock::monotonic(&aurax::SystemClock);
        let mut pace = Pace::new(now);
        let taken = |pace: &mut Pace, now| (0..1_000).filter(|_| pace.admits(now)).count();
        assert_eq!(taken(&mut pace, now), 60);
        assert_eq!(taken(&mut pace, now + Duration::from_secs(1)), 10);
        assert_eq!(taken(&mut pace, now + Duration::from_secs(60)), 60);
    }

    #[tokio::test(start_paused = true)]
    async fn wrong_frames_count_in_a_row() {
        let mut pace = Pace::new(aurax::Clock::monotonic(&aurax::SystemClock));
        assert!((0..15).all(|_| !pace.wrong()));
        pace.right();
        assert!((0..15).all(|_| !pace.wrong()));
        assert!(pace.wrong());
    }
}
