//! Logins that were checked a moment ago.

use aurax_core::{Bytes, Result};

use super::connection::Redis;

/// Remembers what is known of a login for [`RedisOptions::login_ttl`](super::RedisOptions), a
/// minute at most, so that not every request asks the database.
///
/// Values are the caller's own and should be small; they are not encrypted. Without Redis nothing
/// is found, so the database is asked.
///
/// Cheap to clone: all clones are one cache.
#[derive(Debug, Clone)]
pub struct LoginCache {
    redis: Redis,
}

impl LoginCache {
    /// The largest value that is kept: 16 KiB.
    pub const MAX_BYTES: usize = 16 << 10;

    /// A cache in this Redis.
    pub const fn new(redis: Redis) -> Self {
        Self { redis }
    }

    /// What is known of `login`, such as a token or an address; only a hash of it is stored.
    /// Nothing, too, where Redis fails or does not answer in time.
    ///
    /// # Cancel safety
    /// A dropped future changes nothing.
    pub async fn get(&self, login: &[u8]) -> Option<Bytes> {
        self.redis.get(&self.name(login)).await.unwrap_or_default()
    }

    /// Remembers a value. One that is larger than [`LoginCache::MAX_BYTES`] is not kept, and
    /// nothing is where Redis fails.
    ///
    /// # Cancel safety
    /// A dropped future has kept the value or not.
    pub async fn put(&self, login: &[u8], value: &[u8]) {
        let ttl = self.redis.options().login_ttl.get();
        if value.len() <= Self::MAX_BYTES
            && let Err(error) = self.redis.put(&self.name(login), value, ttl).await
        {
            tracing::debug!(%error, "a login is not remembered");
        }
    }

    /// Forgets a login that ended or changed.
    ///
    /// # Errors
    /// Whatever kept Redis from forgetting. Then it may be found until its time to live is over,
    /// a minute at most.
    ///
    /// # Cancel safety
    /// A dropped future has forgotten the login or not.
    pub async fn forget(&self, login: &[u8]) -> Result<()> {
        self.redis.remove(&self.name(login)).await
    }

    fn name(&self, login: &[u8]) -> String {
        let keys = self.redis.keys();
        keys.name("login", &keys.hash(&[b"login", login]))
    }
}
