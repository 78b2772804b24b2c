//! Limits that one process counts in memory.

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::{Decision, Full, Limit, LimitPolicy, Remaining, SharedLimits, Taken};
use crate::clock::{Clock, SystemClock};
use crate::error::Result;

/// Counts requests and tokens in this process's memory, for a program that is the only one, or for
/// one of several that hold each key to a share of its limit.
///
/// It never fails and never waits. A bounded number of keys is remembered; where more come, a 16th
/// of them, those that were idle for longest, are forgotten, and their window starts anew. Keys are
/// kept as they are: who asks bounds their length.
///
/// Cheap to clone: all clones are one.
#[derive(Debug, Clone)]
pub struct MemoryLimits {
    replicas: u64,
    clock: Arc<dyn Clock>,
    /// Parts are counted from here.
    start: Instant,
    most: usize,
    used: Arc<Mutex<HashMap<Key, Used>>>,
}

/// The length of a part, and the name: windows of different lengths count in different parts.
type Key = (u64, Box<str>);

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

impl MemoryLimits {
    /// How many keys are remembered where nothing else is said.
    pub const KEYS: usize = 16_384;
    /// Which part of them is forgotten at once, so that looking for them stays rare.
    const SHARE: usize = 16;

    /// Counters of one process, all at nothing.
    pub fn new() -> Self {
        let clock = Arc::new(SystemClock);
        Self {
            replicas: 1,
            start: clock.monotonic(),
            clock,
            most: Self::KEYS,
            used: Arc::default(),
        }
    }

    /// Says how many keys to remember, at least one.
    #[must_use]
    pub const fn with_max_keys(mut self, keys: usize) -> Self {
        self.most = if keys == 0 { 1 } else { keys };
        self
    }

    /// Holds each key to its limit divided by the number of processes that count it; at least 1,
    /// unless the limit is 0.
    #[must_use]
    pub const fn with_replicas(mut self, replicas: NonZeroU32) -> Self {
        self.replicas = replicas.get() as u64;
        self
    }

    /// Reads time here; the machine's clock unless set.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock + 'static) -> Self {
        self.start = clock.monotonic();
        self.clock = Arc::new(clock);
        self
    }

    /// Counts a request that others let in, whatever the limit says; the part of the window that it
    /// falls into.
    pub fn count(&self, key: &str, tokens: u64, policy: &LimitPolicy) -> u64 {
        self.with(key, policy, |used, now| {
            used.add(1, policy.tokens.map_or(0, |_| tokens), now);
            now.part
        })
    }

    /// The limit divided by the number of processes, at least 1; 0 stays 0.
    fn share(&self, limit: u64) -> u64 {
        (limit / self.replicas).max(limit.min(1))
    }

    fn decide(&self, used: &mut Used, tokens: u64, policy: &LimitPolicy, now: &Now) -> Decision {
        let left = |used: &Used| {
            let left = |limit: Limit, most: Option<u64>| {
                most.map(|most| self.share(most).saturating_sub(used.sum(limit)))
            };
            Remaining::new(
                left(Limit::Requests, policy.requests),
                left(Limit::Tokens, policy.tokens),
            )
        };
        let fits = [
            (Limit::Requests, 1, policy.requests),
            (Limit::Tokens, tokens, policy.tokens),
        ];
        for (limit, amount, most) in fits {
            let Some(most) = most else { continue };
            if let Err(retry_after) = used.fits(limit, amount, self.share(most), now) {
                // What is larger than the share alone fits where the whole limit is asked again.
                let retry_after = retry_after.or((amount <= most).then_some(policy.window()));
                let full = Full::new(limit, retry_after, left(used), used.reset_in(now));
                return Decision::Refused(full);
            }
        }
        used.add(1, policy.tokens.map_or(0, |_| tokens), now);
        let taken = Taken::new(tokens, left(used), used.reset_in(now), now.part);
        Decision::Allowed(taken)
    }

    fn with<T>(
        &self,
        key: &str,
        policy: &LimitPolicy,
        work: impl FnOnce(&mut Used, &Now) -> T,
    ) -> T {
        let now = self.now(policy);
        let key = (now.length, key.into());
        let mut all = self.lock();
        if all.len() >= self.most && !all.contains_key(&key) {
            forget(&mut all, (self.most / Self::SHARE).max(1));
        }
        let used = all.entry(key).or_default();
        used.touched = now.millis;
        used.expire(&now);
        work(used, &now)
    }

    fn now(&self, policy: &LimitPolicy) -> Now {
        let since = self.clock.monotonic().saturating_duration_since(self.start);
        Now::new(u64::try_from(since.as_millis()).unwrap_or(u64::MAX), policy)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Used>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryLimits {
    fn default() -> Self {
        Self::new()
    }
}

fn forget(all: &mut HashMap<Key, Used>, part: usize) {
    let mut idle: Vec<(u64, Key)> = all
        .iter()
        .map(|(key, used)| (used.touched, key.clone()))
        .collect();
    idle.sort_unstable();
    for (_, key) in idle.into_iter().take(part) {
        all.remove(&key);
    }
}

#[async_trait]
impl SharedLimits for MemoryLimits {
    async fn take(&self, key: &str, tokens: u64, policy: LimitPolicy) -> Result<Decision> {
        Ok(self.with(key, &policy, |used, now| {
            self.decide(used, tokens, &policy, now)
        }))
    }

    async fn settle(&self, key: &str, taken: Taken, used: u64, policy: LimitPolicy) {
        if policy.tokens.is_none() || used == taken.tokens {
            return;
        }
        self.with(key, &policy, |entry, now| {
            if used > taken.tokens {
                entry.add(0, used.saturating_sub(taken.tokens), now);
            } else {
                entry.give_back(taken.local_part, 0, taken.tokens.saturating_sub(used));
            }
        });
    }

    async fn give_back(&self, key: &str, taken: Taken, policy: LimitPolicy) {
        let tokens = policy.tokens.map_or(0, |_| taken.tokens);
        self.with(key, &policy, |used, _| {
            used.give_back(taken.local_part, 1, tokens);
        });
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
        let length = u64::try_from(policy.part().as_millis()).unwrap_or(u64::MAX);
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

    /// After what time nothing counts any more, if nothing else is added.
    fn reset_in(&self, now: &Now) -> Duration {
        let newest = self.parts.back();
        newest.map_or(Duration::ZERO, |part| now.until_free(part.index))
    }

    /// Takes back what was added to a part; what has expired stays so.
    fn give_back(&mut self, index: u64, requests: u64, tokens: u64) {
        if let Some(at) = self.parts.iter().position(|part| part.index == index)
            && let Some(part) = self.parts.get_mut(at)
        {
            part.requests = part.requests.saturating_sub(requests);
            part.tokens = part.tokens.saturating_sub(tokens);
            if part.requests == 0 && part.tokens == 0 {
                self.parts.remove(at);
            }
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
