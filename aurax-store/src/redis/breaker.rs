//! Whether Redis is asked: the state machine, without time and I/O of its own.

use std::num::NonZeroU32;
use std::time::Duration;

use tokio::time::Instant;

/// Leave to send one command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ticket {
    Ordinary,
    /// It finds out whether Redis is back.
    Probe,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed { failures: u32 },
    Open { until: Instant },
    Probing,
}

#[derive(Debug)]
pub(super) struct Breaker {
    max_failures: NonZeroU32,
    pause: Duration,
    state: State,
}

impl Breaker {
    pub(super) const fn new(max_failures: NonZeroU32, pause: Duration) -> Self {
        Self {
            max_failures,
            pause,
            state: State::Closed { failures: 0 },
        }
    }

    pub(super) const fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed { .. })
    }

    /// Leave to ask, or how long to wait until it is worth coming back.
    pub(super) fn admit(&mut self, now: Instant) -> Result<Ticket, Duration> {
        match self.state {
            State::Closed { .. } => Ok(Ticket::Ordinary),
            State::Open { until } if until > now => Err(until.duration_since(now)),
            State::Open { .. } => {
                self.state = State::Probing;
                Ok(Ticket::Probe)
            }
            State::Probing => Err(self.pause),
        }
    }

    /// Redis answered; true when it was left alone until now.
    pub(super) const fn succeeded(&mut self) -> bool {
        let was_closed = self.is_closed();
        self.state = State::Closed { failures: 0 };
        !was_closed
    }

    /// Redis did not answer; true when it is left alone from now on.
    pub(super) fn failed(&mut self, ticket: Ticket, now: Instant) -> bool {
        let failures = match (self.state, ticket) {
            (State::Closed { failures }, _) => failures.saturating_add(1),
            (State::Probing, Ticket::Probe) => self.max_failures.get(),
            // It was sent before Redis was left alone, and says nothing new.
            (State::Open { .. } | State::Probing, _) => return false,
        };
        let opens = failures >= self.max_failures.get();
        self.state = match now.checked_add(self.pause) {
            Some(until) if opens => State::Open { until },
            _ => State::Closed { failures },
        };
        opens
    }

    /// Whoever asked did not wait for the answer.
    pub(super) fn abandoned(&mut self, ticket: Ticket, now: Instant) {
        if (self.state, ticket) == (State::Probing, Ticket::Probe) {
            self.state = State::Open { until: now };
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "any instant will do")]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(1);

    fn open(now: Instant) -> Breaker {
        let mut breaker = Breaker::new(NonZeroU32::new(3).unwrap(), PAUSE);
        for opens in [false, false, true] {
            let ticket = breaker.admit(now).unwrap();
            assert_eq!(breaker.failed(ticket, now), opens);
        }
        breaker
    }

    #[test]
    fn it_opens_after_failures_in_a_row_alone() {
        let now = Instant::now();
        let mut breaker = Breaker::new(NonZeroU32::new(3).unwrap(), PAUSE);
        for _ in 0..10 {
            assert!(!breaker.failed(Ticket::Ordinary, now));
            assert!(!breaker.failed(Ticket::Ordinary, now));
            assert!(!breaker.succeeded());
        }
        assert_eq!(open(now).admit(now), Err(PAUSE));
    }

    #[test]
    fn one_probe_at_a_time_decides() {
        let now = Instant::now();
        let mut breaker = open(now);
        let later = now + PAUSE;
        assert_eq!(breaker.admit(later), Ok(Ticket::Probe));
        assert!(breaker.admit(later).is_err(), "the probe is under way");
        assert!(breaker.failed(Ticket::Probe, later));
        assert_eq!(breaker.admit(later), Err(PAUSE));
        assert_eq!(breaker.admit(later + PAUSE), Ok(Ticket::Probe));
        assert!(breaker.succeeded());
        assert_eq!(breaker.admit(later + PAUSE), Ok(Ticket::Ordinary));
    }

    #[test]
    fn a_probe_nobody_waits_for_leaves_its_place_to_the_next() {
        let now = Instant::now();
        let mut breaker = open(now);
        let later = now + PAUSE;
        assert_eq!(breaker.admit(later), Ok(Ticket::Probe));
        breaker.abandoned(Ticket::Ordinary, later);
        assert!(breaker.admit(later).is_err());
        breaker.abandoned(Ticket::Probe, later);
        assert_eq!(breaker.admit(later), Ok(Ticket::Probe));
    }

    #[test]
    fn a_failure_from_before_does_not_prolong_the_pause() {
        let now = Instant::now();
        let mut breaker = open(now);
        let later = now + PAUSE / 2;
        assert!(!breaker.failed(Ticket::Ordinary, later));
        assert_eq!(breaker.admit(later), Err(PAUSE / 2));
    }
}
