//! Rate limits in Redis.

use std::sync::Arc;
use std::time::Duration;

use ::redis::Script;
use async_trait::async_trait;
use aurax_core::Result;
use aurax_core::limits::{
    Decision, Full, Limit, LimitPolicy, MemoryLimits, Remaining, SharedLimits, Taken,
};

use super::part_of;
use crate::redis::connection::Redis;
use crate::redis::error::unreadable;
use crate::redis::keys::Hash;

/// Keeps rate limits in Redis, by its clock, for all processes together.
///
/// While Redis is away, each process holds a key to its share: the limit divided by
/// [`RedisOptions::replicas`](super::super::RedisOptions), at least 1. What the process itself let
/// in within the window counts towards it, whichever way it was decided; so one process alone
/// keeps the limit whatever happens, and several let in twice the limit at worst in the window in
/// which Redis leaves or comes back. 16,384 keys are remembered for that; where more come, those
/// that were idle for longest are forgotten, and their window starts anew.
///
/// What timed out may have been counted.
///
/// Cheap to clone: all clones are one.
#[derive(Debug, Clone)]
pub struct RedisLimits {
    redis: Redis,
    script: Arc<Script>,
    local: MemoryLimits,
}

impl RedisLimits {
    /// No single request or limit is taken to be larger, so that sums stay exact in the script's
    /// floating-point numbers.
    const LARGEST: u64 = 1 << 40;
    /// The same for limits.
    const LARGEST_LIMIT: u64 = 1 << 52;

    /// Limits in this Redis.
    pub fn new(redis: Redis) -> Self {
        let local = MemoryLimits::new()
            .with_replicas(redis.options().replicas)
            .with_clock(redis.clock().clone());
        Self {
            redis,
            script: Arc::new(Script::new(include_str!("take.lua"))),
            local,
        }
    }

    fn hash(&self, key: &str, policy: &LimitPolicy) -> Hash {
        // Windows of different lengths count in different parts.
        let part = part_of(policy).to_be_bytes();
        let keys = self.redis.keys();
        keys.hash(&[b"limit", &part, key.as_bytes()])
    }

    /// One step of the script.
    async fn run<T: ::redis::FromRedisValue>(
        &self,
        hash: &Hash,
        policy: &LimitPolicy,
        step: &[&str],
    ) -> Result<T> {
        let mut call = self.script.key(self.redis.keys().name("limit", hash));
        call.arg(part_of(policy)).arg(LimitPolicy::PARTS).arg(step);
        self.redis
            .ask(async |mut link| call.invoke_async(&mut link).await)
            .await
    }

    async fn ask(&self, hash: &Hash, tokens: u64, policy: &LimitPolicy) -> Result<Answer> {
        let limit = |limit: Option<u64>| match limit {
            Some(limit) => limit.min(Self::LARGEST_LIMIT).to_string(),
            None => "-1".to_owned(),
        };
        let step = [
            "take",
            &tokens.to_string(),
            &limit(policy.requests),
            &limit(policy.tokens),
        ];
        let reply: Vec<i64> = self.run(hash, policy, &step).await?;
        Answer::read(&reply, policy).ok_or_else(unreadable)
    }
}

/// What the script says.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Taken {
        part: u64,
        reset_in: Duration,
        remaining: Remaining,
    },
    Full(Full),
}

impl Answer {
    fn read(reply: &[i64], policy: &LimitPolicy) -> Option<Self> {
        let count = |n: i64| u64::try_from(n).unwrap_or_default();
        let millis = |n: i64| Duration::from_millis(count(n));
        let left = |requests: i64, tokens: i64| {
            Remaining::new(
                policy.requests.map(|_| count(requests)),
                policy.tokens.map(|_| count(tokens)),
            )
        };
        match *reply {
            [0, limit, wait, reset_in, requests, tokens] => {
                let limit = if limit == 0 {
                    Limit::Requests
                } else {
                    Limit::Tokens
                };
                let wait = u64::try_from(wait).ok().map(Duration::from_millis);
                let full = Full::new(limit, wait, left(requests, tokens), millis(reset_in));
                Some(Self::Full(full))
            }
            [1, part, reset_in, requests, tokens] => Some(Self::Taken {
                part: count(part),
                reset_in: millis(reset_in),
                remaining: left(requests, tokens),
            }),
            _ => None,
        }
    }
}

#[async_trait]
impl SharedLimits for RedisLimits {
    /// Never fails: where Redis does, this process's share decides.
    async fn take(&self, key: &str, tokens: u64, policy: LimitPolicy) -> Result<Decision> {
        let tokens = tokens.min(Self::LARGEST);
        let hash = self.hash(key, &policy);
        match self.ask(&hash, tokens, &policy).await {
            Ok(Answer::Taken {
                part,
                reset_in,
                remaining,
            }) => {
                let local = self.local.count(key, tokens, &policy);
                let taken = Taken::new(tokens, remaining, reset_in, local);
                Ok(Decision::Allowed(taken.with_shared_part(part)))
            }
            Ok(Answer::Full(full)) => Ok(Decision::Refused(full)),
            Err(error) => {
                tracing::debug!(%error, "a limit is shared out for now");
                self.local.take(key, tokens, policy).await
            }
        }
    }

    async fn settle(&self, key: &str, taken: Taken, used: u64, policy: LimitPolicy) {
        let used = used.min(Self::LARGEST);
        if policy.tokens.is_none() || used == taken.tokens {
            return;
        }
        let hash = self.hash(key, &policy);
        self.local.settle(key, taken, used, policy).await;
        let Some(part) = taken.shared_part else {
            return;
        };
        let (more, less) = (
            used.saturating_sub(taken.tokens).to_string(),
            taken.tokens.saturating_sub(used).to_string(),
        );
        let part = part.to_string();
        let settled: Result<i64> = if used > taken.tokens {
            self.run(&hash, &policy, &["more", &more]).await
        } else {
            self.run(&hash, &policy, &["less", &part, "0", &less]).await
        };
        if let Err(error) = settled {
            tracing::debug!(%error, "what was taken from a limit is not corrected");
        }
    }

    async fn give_back(&self, key: &str, taken: Taken, policy: LimitPolicy) {
        self.local.give_back(key, taken, policy).await;
        let Some(part) = taken.shared_part else {
            return;
        };
        let tokens = policy.tokens.map_or(0, |_| taken.tokens);
        let step = ["less", &part.to_string(), "1", &tokens.to_string()];
        let given: Result<i64> = self.run(&self.hash(key, &policy), &policy, &step).await;
        if let Err(error) = given {
            tracing::debug!(%error, "what was taken from a limit is not given back");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_of_another_shape_is_no_decision() {
        let policy = LimitPolicy::per_minute().with_requests(3);
        for reply in [&[][..], &[1], &[0, 0, 0], &[2, 0, 0, 0, 0, 0]] {
            assert_eq!(Answer::read(reply, &policy), None);
        }
        let Some(Answer::Full(full)) = Answer::read(&[0, 1, -1, 900, 2, -7], &policy) else {
            panic!("it is full");
        };
        assert_eq!((full.limit, full.retry_after), (Limit::Tokens, None));
        assert_eq!(full.remaining, Remaining::new(Some(2), None));
        assert_eq!(full.reset_in, Duration::from_millis(900));
    }
}
