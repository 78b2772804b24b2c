//! Cached answers in Redis.

use std::time::Duration;

use async_trait::async_trait;
use aurax_core::{Bytes, CacheKey, CacheStore, Result};

use super::connection::Redis;
use super::keys::Hash;

/// Keeps answers in Redis, where other processes find them, too.
///
/// Without Redis nothing is found and nothing is kept. Redis bounds it: set its `maxmemory`, and
/// a `maxmemory-policy` that evicts, such as `volatile-lru`.
///
/// Cheap to clone: all clones are one cache.
#[derive(Debug, Clone)]
pub struct RedisCache {
    redis: Redis,
}

impl RedisCache {
    /// The largest answer that is kept: 1 MiB. The engine's own limit is lower by default.
    pub const MAX_BYTES: usize = 1 << 20;

    /// A cache in this Redis.
    pub const fn new(redis: Redis) -> Self {
        Self { redis }
    }

    fn name(&self, key: &CacheKey) -> String {
        let hash: &Hash = key.as_bytes();
        self.redis.keys().name("answer", hash)
    }
}

#[async_trait]
impl CacheStore for RedisCache {
    /// The answer; nothing, too, where Redis fails or does not answer in time.
    async fn get(&self, key: &CacheKey) -> Result<Option<Bytes>> {
        Ok(self.redis.get(&self.name(key)).await.unwrap_or_default())
    }

    /// Keeps an answer, for [`RedisOptions::answer_ttl`](super::RedisOptions::answer_ttl) at most.
    /// One that is larger than [`RedisCache::MAX_BYTES`] is not kept.
    async fn put(&self, key: &CacheKey, value: Bytes, ttl: Duration) -> Result<()> {
        let ttl = if value.len() > Self::MAX_BYTES {
            Duration::ZERO
        } else {
            ttl.min(self.redis.options().answer_ttl)
        };
        self.redis.put(&self.name(key), &value, ttl).await
    }
}
