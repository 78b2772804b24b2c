//! Whether a provider is asked: the state machine, without time and I/O of its own.

use std::time::Duration;

use tokio::time::Instant;

use super::BreakerPolicy;
use crate::layer::window::Window;

/// What an attempt says about the health of what it asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It answers.
    Healthy,
    /// It does not answer, or fails.
    Failing,
    /// It refused this call, and so is there.
    Refusing,
    /// Nothing: it was not asked, or the caller did not wait.
    Nothing,
}

/// Leave to make an attempt, for one verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket(u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Everyone may ask.
    Closed,
    /// Nobody may ask until then.
    Open { until: Instant },
    /// One may ask, to find out; another one from then on.
    HalfOpen { next: Instant },
}

#[derive(Debug)]
pub(super) struct Circuit {
    policy: BreakerPolicy,
    state: State,
    /// Changes when the circuit opens, half opens or closes, so that a verdict from before changes nothing after.
    epoch: u64,
    healthy: Window,
    failing: Window,
}

impl Circuit {
    /// What those are told who come while another finds out.
    const PROBE: Duration = Duration::from_secs(1);

    pub(super) const fn new(policy: BreakerPolicy) -> Self {
        Self {
            policy,
            state: State::Closed,
            epoch: 0,
            healthy: Window::new(policy.window),
            failing: Window::new(policy.window),
        }
    }

    #[cfg(test)]
    pub(super) const fn state(&self) -> State {
        self.state
    }

    /// Leave to ask, or how long to wait before it is worth coming back.
    pub(super) fn admit(&mut self, now: Instant) -> Result<Ticket, Duration> {
        match self.state {
            State::Closed => Ok(Ticket(self.epoch)),
            State::Open { until } if now < until => Err(until.duration_since(now)),
            State::Open { .. } => {
                let next = self.later(now);
                self.enter(State::HalfOpen { next });
                Ok(Ticket(self.epoch))
            }
            State::HalfOpen { next } if now < next => {
                Err(next.duration_since(now).min(Self::PROBE))
            }
            State::HalfOpen { .. } => {
                // Whoever was asked to find out takes long; its verdict still counts.
                let next = self.later(now);
                self.state = State::HalfOpen { next };
                Ok(Ticket(self.epoch))
            }
        }
    }

    /// Takes a verdict; true when it opens the circuit.
    pub(super) fn judge(&mut self, ticket: Ticket, verdict: Verdict, now: Instant) -> bool {
        if ticket.0 != self.epoch {
            return false;
        }
        match (self.state, verdict) {
            (State::Closed, Verdict::Healthy) => self.healthy.add(now, 1),
            (State::Closed, Verdict::Failing) => {
                self.failing.add(now, 1);
                if self.is_bad(now) {
                    self.open(now);
                    return true;
                }
            }
            (State::HalfOpen { .. }, Verdict::Healthy | Verdict::Refusing) => {
                self.healthy = Window::new(self.policy.window);
                self.failing = Window::new(self.policy.window);
                self.enter(State::Closed);
            }
            (State::HalfOpen { .. }, Verdict::Failing) => {
                self.open(now);
                return true;
            }
            (State::HalfOpen { .. }, Verdict::Nothing) => {
                self.state = State::HalfOpen { next: now };
            }
            (State::Closed, Verdict::Refusing | Verdict::Nothing) | (State::Open { .. }, _) => {}
        }
        false
    }

    fn is_bad(&mut self, now: Instant) -> bool {
        let failing = self.failing.sum(now);
        let all = failing.saturating_add(self.healthy.sum(now));
        let ratio = u64::from(self.policy.failure_percent);
        all >= u64::from(self.policy.min_samples)
            && failing.saturating_mul(100) >= all.saturating_mul(ratio)
    }

    fn open(&mut self, now: Instant) {
        let until = self.later(now);
        self.enter(State::Open { until });
    }

    fn later(&self, now: Instant) -> Instant {
        now.checked_add(self.policy.open_for).unwrap_or(now)
    }

    const fn enter(&mut self, state: State) {
        self.state = state;
        self.epoch = self.epoch.wrapping_add(1);
    }
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "any instant will do to start from"
)]
mod tests {
    use super::*;

    fn policy() -> BreakerPolicy {
        BreakerPolicy::default()
            .with_min_samples(4)
            .with_failure_percent(50)
            .with_window(Duration::from_secs(30))
            .with_open_for(Duration::from_secs(10))
    }

    fn opened(now: Instant) -> Circuit {
        let mut circuit = Circuit::new(policy());
        for _ in 0..4 {
            let ticket = circuit.admit(now).unwrap();
            circuit.judge(ticket, Verdict::Failing, now);
        }
        assert_ne!(circuit.state(), State::Closed);
        circuit
    }

    fn half_open(now: Instant) -> (Circuit, Ticket) {
        let mut circuit = opened(now);
        let ticket = circuit.admit(now + Duration::from_secs(10)).unwrap();
        (circuit, ticket)
    }

    #[test]
    fn every_state_answers_every_verdict() {
        let now = Instant::now();
        let later = now + Duration::from_secs(10);
        let again = State::Open {
            until: later + Duration::from_secs(10),
        };
        let table = [
            (Verdict::Healthy, State::Closed),
            (Verdict::Refusing, State::Closed),
            (Verdict::Failing, again),
            (Verdict::Nothing, State::HalfOpen { next: later }),
        ];
        for (verdict, next) in table {
            let mut closed = Circuit::new(policy());
            let ticket = closed.admit(now).unwrap();
            closed.judge(ticket, verdict, now);
            assert_eq!(closed.state(), State::Closed, "closed, {verdict:?}");

            let (mut probed, ticket) = half_open(now);
            probed.judge(ticket, verdict, later);
            assert_eq!(probed.state(), next, "half open, {verdict:?}");

            // A verdict of before the circuit opened: it says nothing new.
            let mut open = opened(now);
            let state = open.state();
            open.judge(Ticket(0), verdict, now);
            assert_eq!(open.state(), state, "open, {verdict:?}");
        }
    }

    #[test]
    fn it_opens_at_the_ratio_and_the_sample_and_not_before() {
        let now = Instant::now();
        let run = |verdicts: &[Verdict]| {
            let mut circuit = Circuit::new(policy());
            verdicts.iter().any(|verdict| {
                let ticket = circuit.admit(now).unwrap();
                circuit.judge(ticket, *verdict, now)
            })
        };
        use Verdict::{Failing, Healthy, Nothing, Refusing};
        assert!(!run(&[Failing, Failing, Failing]), "too few");
        assert!(run(&[Failing, Failing, Failing, Failing]));
        assert!(run(&[Healthy, Healthy, Failing, Failing]), "a half");
        assert!(!run(&[Healthy, Healthy, Healthy, Failing, Failing]));
        assert!(!run(&[Failing, Failing, Failing, Refusing, Nothing]));
        assert!(!run(&[Refusing; 100]));
        assert!(!run(&[Nothing; 100]));
    }

    #[test]
    fn failures_are_forgotten_with_the_window() {
        let start = Instant::now();
        let mut circuit = Circuit::new(policy());
        for second in [0, 1, 2, 31, 32, 33] {
            let now = start + Duration::from_secs(second);
            let ticket = circuit.admit(now).unwrap();
            assert!(!circuit.judge(ticket, Verdict::Failing, now), "{second}");
        }
    }

    #[test]
    fn an_open_circuit_says_how_long_and_lets_one_through_at_a_time() {
        let now = Instant::now();
        let mut circuit = opened(now);
        let wait = Duration::from_secs(10);
        assert_eq!(circuit.admit(now), Err(wait));
        let short = Duration::from_millis(1);
        assert_eq!(circuit.admit(now + wait - short), Err(short));
        let probe = circuit.admit(now + wait).unwrap();
        assert_eq!(circuit.admit(now + wait), Err(Circuit::PROBE));
        circuit.judge(probe, Verdict::Nothing, now + wait);
        let probe = circuit.admit(now + wait).unwrap();
        circuit.judge(probe, Verdict::Healthy, now + wait);
        assert!(circuit.admit(now + wait).is_ok());
        assert!(circuit.admit(now + wait).is_ok());
    }

    #[test]
    fn who_takes_long_to_find_out_does_not_keep_others_from_it() {
        let now = Instant::now();
        let wait = Duration::from_secs(10);
        let (mut circuit, slow) = half_open(now);
        let short = Duration::from_millis(1);
        assert_eq!(circuit.admit(now + 2 * wait - short), Err(short));
        let quick = circuit.admit(now + 2 * wait).unwrap();
        assert_eq!(circuit.admit(now + 2 * wait), Err(Circuit::PROBE));
        circuit.judge(slow, Verdict::Healthy, now + 2 * wait);
        assert_eq!(circuit.state(), State::Closed);
        circuit.judge(quick, Verdict::Failing, now + 2 * wait);
        assert_eq!(circuit.state(), State::Closed, "it is of before");
    }

    #[test]
    fn a_closed_circuit_starts_afresh() {
        let now = Instant::now();
        let (mut circuit, probe) = half_open(now);
        let later = now + Duration::from_secs(10);
        circuit.judge(probe, Verdict::Healthy, later);
        for _ in 0..3 {
            let ticket = circuit.admit(later).unwrap();
            assert!(!circuit.judge(ticket, Verdict::Failing, later));
        }
    }
}
