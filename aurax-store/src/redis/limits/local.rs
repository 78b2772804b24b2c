//! A process's own share of limits.

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aurax_core::Clock;
use aurax_core::limits::{Decision, Full, Limit, LimitPolicy, Remaining, Taken};
use tokio::time::Instant;

use super::part_of;
use crate::redis::keys::Hash;

/// What this process let in, by key.
#[derive(Debug)]
pub(super) struct LocalLimits {
    replicas: u64,
    clock: Arc<dyn Clock>,
    /// Parts are counted from here.
    start: Instant,
    most: usize,
    used: Mutex<HashMap<Hash, Used>>,
}

/// What one key used: requests and tokens by part of the window, the oldest part first.
#[derive(Debug, Default)]
struct Used {
    parts: VecDeque<Part>,
    touched: u64,
}

#[derive(Debug, Clone, Copy)]
struct Part {
    index: u64,
    requests: u64,
    tokens: u64,
}

impl LocalLimits {
    /// How many keys are remembered.
    const MOST: usize = 16_384;
    /// Which part of them is forgotten at once, so that looking for them stays rare.
    const SHARE: usize = 16;

    pub(super) fn new(replicas: NonZeroU32, clock: Arc<dyn Clock>) -> Self {
        Self {
            replicas: u64::from(replicas.get()),
            start: clock.monotonic(),
            clock,
            most: Self::MOST,
            used: Mutex::default(),
        }
    }

    fn millis(&self) -> u64 {
        let since = self.clock.monotonic().saturating_duration_since(self.start);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Hash, Used>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The limit divided by the number of processes, at least 1; 0 stays 0.
    fn share(&self, limit: u64) -> u64 {
        (limit / self.replicas).max(limit.min(1))
    }

    /// Takes one request of `tokens` from this process's share, or nothing.
    pub(super) fn take(&self, hash: &Hash, tokens: u64, policy: &LimitPolicy) -> Decision {
        let now = Now::new(self.millis(), policy);
        let mut all = self.lock();
        let used = self.entry(&mut all, hash, &now);
        let fits = [
            (Limit::Requests, 1, policy.requests),
            (Limit::Tokens, tokens, policy.tokens),
        ];
        for (limit, amount, most) in fits {
            let Some(most) = most else { continue };
            if let Err(retry_after) = used.fits(limit, amount, self.share(most), &now) {
                // What is larger than the share alone may fit when Redis is back.
                let retry_after = retry_after.or((amount <= most).then_some(policy.window()));
                return Decision::Refused(Full::new(limit, retry_after));
            }
        }
        used.add(1, policy.tokens.map_or(0, |_| tokens), &now);
        let left = |limit: Limit, most: Option<u64>| {
            most.map(|most| self.share(most).saturating_sub(used.sum(limit)))
        };
        let remaining = Remaining::new(
            left(Limit::Requests, policy.requests),
            left(Limit::Tokens, policy.tokens),
        );
        let reset_in = now.until_free(now.part);
        Decision::Allowed(Taken::new(tokens, remaining, reset_in, now.part))
    }

    /// Counts what was let in by all processes' common limit; the part it falls into.
    pub(super) fn add(&self, hash: &Hash, tokens: u64, policy: &LimitPolicy) -> u64 {
        let now = Now::new(self.millis(), policy);
        let mut all = self.lock();
        let used = self.entry(&mut all, hash, &now);
        used.add(1, policy.tokens.map_or(0, |_| tokens), &now);
        now.part
    }

    pub(super) fn settle(&self, hash: &Hash, taken: &Taken, used: u64, policy: &LimitPolicy) {
        let now = Now::new(self.millis(), policy);
        let mut all = self.lock();
        let entry = self.entry(&mut all, hash, &now);
        if used > taken.tokens {
            entry.add(0, used.saturating_sub(taken.tokens), &now);
        } else if let Some(part) = entry.parts.iter_mut().find(|p| p.index == taken.local_part) {
            let back = taken.tokens.saturating_sub(used);
            part.tokens = part.tokens.saturating_sub(back);
        }
    }

    fn entry<'a>(&self, all: &'a mut HashMap<Hash, Used>, hash: &Hash, now: &Now) -> &'a mut Used {
        if all.len() >= self.most && !all.contains_key(hash) {
            let mut idle: Vec<(u64, Hash)> = all
                .iter()
                .map(|(hash, used)| (used.touched, *hash))
                .collect();
            idle.sort_unstable();
            for (_, hash) in idle.iter().take((self.most / Self::SHARE).max(1)) {
                all.remove(hash);
            }
        }
        let used = all.entry(*hash).or_default();
        used.touched = now.millis;
        used.expire(now);
        used
    }
}

/// A moment, in the parts of a window.
#[derive(Debug)]
struct Now {
    millis: u64,
    length: u64,
    part: u64,
}

impl Now {
    fn new(millis: u64, policy: &LimitPolicy) -> Self {
        let length = part_of(policy);
        Self {
            millis,
            length,
            part: millis.checked_div(length).unwrap_or_default(),
        }
    }

    /// After what time a part does not count any more.
    fn until_free(&self, part: u64) -> Duration {
        let free = part
            .saturating_add(u64::from(LimitPolicy::PARTS))
            .saturating_add(1)
            .saturating_mul(self.length);
        Duration::from_millis(free.saturating_sub(self.millis))
    }
}

impl Part {
    const fn of(&self, limit: Limit) -> u64 {
        match limit {
            Limit::Requests => self.requests,
            Limit::Tokens => self.tokens,
        }
    }
}

impl Used {
    fn expire(&mut self, now: &Now) {
        while let Some(oldest) = self.parts.front()
            && oldest.index.saturating_add(LimitPolicy::PARTS.into()) < now.part
        {
            self.parts.pop_front();
        }
    }

    fn sum(&self, limit: Limit) -> u64 {
        let amounts = self.parts.iter().map(|part| part.of(limit));
        amounts.fold(0, u64::saturating_add)
    }

    /// # Errors
    /// After what time `amount` fits; `None` for never.
    fn fits(
        &self,
        limit: Limit,
        amount: u64,
        most: u64,
        now: &Now,
    ) -> Result<(), Option<Duration>> {
        if amount > most {
            return Err(None);
        }
        let sum = self.sum(limit).saturating_add(amount);
        let mut over = sum.saturating_sub(most);
        if over == 0 {
            return Ok(());
        }
        for part in &self.parts {
            over = over.saturating_sub(part.of(limit));
            if over == 0 {
                return Err(Some(now.until_free(part.index)));
            }
        }
        Err(None)
    }

    fn add(&mut self, requests: u64, tokens: u64, now: &Now) {
        match self.parts.back_mut() {
            Some(part) if part.index >= now.part => {
                part.requests = part.requests.saturating_add(requests);
                part.tokens = part.tokens.saturating_add(tokens);
            }
            _ => self.parts.push_back(Part {
                index: now.part,
                requests,
                tokens,
            }),
        }
    }
}

#[cfg(test)]
mod tests;
