//! How much was used in the last while.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// What was used within a sliding window.
///
/// The first [`Window::EXACT`] uses are remembered one by one; beyond them, uses within the same
/// 32nd of the window are remembered as one, as of the latest of them. So a window never holds
/// more than its limit, and forgets at most that much too late. It has about a hundred entries at
/// most, whatever happens.
#[derive(Debug)]
pub(super) struct Window {
    length: Duration,
    uses: VecDeque<Use>,
    sum: u64,
}

#[derive(Debug, Clone, Copy)]
struct Use {
    first: Instant,
    last: Instant,
    amount: u64,
}

impl Window {
    const EXACT: usize = 64;
    const PARTS: u32 = 32;
    /// No single use is taken to be larger, so that sums stay in range.
    const LARGEST: u64 = 1 << 40;

    pub(super) const fn new(length: Duration) -> Self {
        Self {
            length,
            uses: VecDeque::new(),
            sum: 0,
        }
    }

    /// What was used within the window before `now`.
    pub(super) fn sum(&mut self, now: Instant) -> u64 {
        while let Some(oldest) = self.uses.front() {
            let over = now.saturating_duration_since(oldest.last);
            if over < self.length {
                break;
            }
            self.sum = self.sum.saturating_sub(oldest.amount);
            self.uses.pop_front();
        }
        self.sum
    }

    pub(super) fn add(&mut self, now: Instant, amount: u64) {
        let amount = amount.min(Self::LARGEST);
        let sum = self.sum(now);
        self.sum = sum.saturating_add(amount);
        let part = self.length / Self::PARTS;
        let full = self.uses.len() >= Self::EXACT;
        match self.uses.back_mut() {
            Some(last)
                if last.last >= now || full && now.saturating_duration_since(last.first) < part =>
            {
                last.last = last.last.max(now);
                last.amount = last.amount.saturating_add(amount);
            }
            _ => self.uses.push_back(Use {
                first: now,
                last: now,
                amount,
            }),
        }
    }

    /// Takes back what was used at `at` and turned out to be less; what the window has forgotten
    /// stays forgotten.
    pub(super) fn give_back(&mut self, at: Instant, amount: u64) {
        let held = |at_use: &&mut Use| at_use.first <= at && at <= at_use.last;
        if let Some(at_use) = self.uses.iter_mut().rev().find(held) {
            let amount = amount.min(at_use.amount);
            at_use.amount = at_use.amount.saturating_sub(amount);
            self.sum = self.sum.saturating_sub(amount);
        }
    }

    /// When nothing counts any more, if nothing else is used; `now` where nothing does.
    pub(super) fn empty_at(&self, now: Instant) -> Instant {
        let mut latest = self.uses.iter().rev();
        let latest = latest.find(|at_use| at_use.amount > 0);
        let until = latest.and_then(|at_use| at_use.last.checked_add(self.length));
        until.map_or(now, |until| until.max(now))
    }

    /// When `amount` fits under `limit`, if nothing else is used until then; `None` for never.
    pub(super) fn fits_at(&mut self, now: Instant, amount: u64, limit: u64) -> Option<Instant> {
        if amount > limit {
            return None;
        }
        let mut over = self.sum(now).saturating_add(amount).saturating_sub(limit);
        if over == 0 {
            return Some(now);
        }
        self.uses.iter().find_map(|at_use| {
            over = over.saturating_sub(at_use.amount);
            (over == 0).then(|| at_use.last.checked_add(self.length))?
        })
    }
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "any instant will do to start from"
)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn it_is_full_to_the_unit_and_free_to_the_millisecond() {
        let start = Instant::now();
        let at = |millis: u64| start + Duration::from_millis(millis);
        let mut window = Window::new(MINUTE);
        for millis in [0, 300, 600] {
            assert_eq!(window.fits_at(at(millis), 1, 3), Some(at(millis)));
            window.add(at(millis), 1);
        }
        assert_eq!(window.fits_at(at(700), 1, 3), Some(at(60_000)));
        assert_eq!(window.fits_at(at(700), 2, 3), Some(at(60_300)));
        assert_eq!(window.fits_at(at(59_999), 1, 3), Some(at(60_000)));
        assert_eq!(window.fits_at(at(60_000), 1, 3), Some(at(60_000)));
        assert_eq!(window.fits_at(at(700), 4, 3), None);
        assert_eq!(window.empty_at(at(700)), at(60_600));
        assert_eq!(window.empty_at(at(70_000)), at(70_000));
        window.give_back(at(600), 1);
        assert_eq!(window.empty_at(at(700)), at(60_300));
    }

    #[test]
    fn what_is_given_back_is_free_at_once() {
        let now = Instant::now();
        let mut window = Window::new(MINUTE);
        window.add(now, 100);
        window.give_back(now, 60);
        assert_eq!(window.sum(now), 40);
        window.give_back(now, 100);
        assert_eq!(window.sum(now), 0);
        window.give_back(now + MINUTE, 1);
        assert_eq!(window.sum(now), 0);
    }

    proptest! {
        /// Against a list of every use: whatever was let in, no minute held more than the limit,
        /// what is refused waits at most a part too long, and memory stays bounded.
        #[test]
        fn no_minute_holds_more_than_the_limit(
            steps in prop::collection::vec((0_u64..2_000, 1_u64..20), 1..600),
            limit in 20_u64..2_000,
        ) {
            let mut window = Window::new(MINUTE);
            let mut now = Instant::now();
            let mut let_in: Vec<(Instant, u64)> = Vec::new();
            for (pause, amount) in steps {
                now += Duration::from_millis(pause);
                let within = |from: Instant| -> u64 {
                    let recent = let_in.iter().filter(|(at, _)| *at + MINUTE > from);
                    recent.map(|(_, amount)| amount).sum()
                };
                let exact = within(now);
                prop_assert!(window.sum(now) >= exact);
                prop_assert!(window.sum(now) <= within(now - MINUTE / Window::PARTS));
                if window.fits_at(now, amount, limit) == Some(now) {
                    window.add(now, amount);
                    let_in.push((now, amount));
                    prop_assert!(exact + amount <= limit);
                }
                prop_assert!(window.uses.len() <= 128, "{} entries", window.uses.len());
            }
        }
    }
}
