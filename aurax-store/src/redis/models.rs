//! Lists of the models that providers have.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aurax_core::{Bytes, Result};

use super::connection::Redis;
use super::keys::Hash;
use super::shelf::Shelf;

/// Keeps lists of models for [`RedisOptions::model_ttl`](super::RedisOptions), an hour unless set,
/// so that not every process asks every provider.
///
/// What this process kept or found is in its own memory as well, until the same moment: without
/// Redis that is what is found. 1,024 lists or 16 MiB are remembered there; of more, those that
/// would be forgotten first go first.
///
/// Cheap to clone: all clones are one cache.
#[derive(Debug, Clone)]
pub struct ModelLists {
    redis: Redis,
    shelf: Arc<Mutex<Shelf>>,
}

impl ModelLists {
    /// The largest list that is kept: 4 MiB.
    pub const MAX_BYTES: usize = 4 << 20;
    /// How many lists this process remembers itself.
    pub const LOCAL_ENTRIES: usize = 1_024;
    /// How many bytes of lists this process remembers itself: 16 MiB.
    pub const LOCAL_BYTES: usize = 16 << 20;

    /// Lists in this Redis.
    pub fn new(redis: Redis) -> Self {
        let shelf = Shelf::new(Self::LOCAL_ENTRIES, Self::LOCAL_BYTES);
        Self {
            redis,
            shelf: Arc::new(Mutex::new(shelf)),
        }
    }

    /// The list of `key`, which names a provider and whose key it was asked with; only a hash of
    /// it is stored.
    ///
    /// # Cancel safety
    /// A dropped future changes nothing.
    pub async fn get(&self, key: &[u8]) -> Option<Bytes> {
        let hash = self.hash(key);
        match self.find(&hash).await {
            Ok(Some((list, rest))) => {
                self.remember(hash, list.clone(), rest);
                Some(list)
            }
            Ok(None) => None,
            Err(error) => {
                tracing::debug!(%error, "a list of models is looked up here alone");
                let now = self.redis.clock().monotonic();
                self.shelf().get(&hash, now)
            }
        }
    }

    /// Keeps a list. One that is larger than [`ModelLists::MAX_BYTES`] is not kept.
    ///
    /// # Cancel safety
    /// A dropped future has kept the list here, and in Redis or not.
    pub async fn put(&self, key: &[u8], list: Bytes) {
        if list.len() > Self::MAX_BYTES {
            return;
        }
        let (hash, ttl) = (self.hash(key), self.redis.options().model_ttl);
        self.remember(hash, list.clone(), ttl);
        let name = self.redis.keys().name("models", &hash);
        if let Err(error) = self.redis.put(&name, &list, ttl).await {
            tracing::debug!(%error, "a list of models is kept here alone");
        }
    }

    fn hash(&self, key: &[u8]) -> Hash {
        self.redis.keys().hash(&[b"models", key])
    }

    /// The list and how long it has to live.
    async fn find(&self, hash: &Hash) -> Result<Option<(Bytes, Duration)>> {
        let name = self.redis.keys().name("models", hash);
        let mut both = ::redis::pipe();
        both.atomic().get(&name).pttl(&name);
        let (list, rest): (Option<Vec<u8>>, i64) = self
            .redis
            .ask(async |mut link| both.query_async(&mut link).await)
            .await?;
        let rest = Duration::from_millis(u64::try_from(rest).unwrap_or_default());
        Ok(list.map(|list| (list.into(), rest)))
    }

    fn remember(&self, hash: Hash, list: Bytes, ttl: Duration) {
        let now = self.redis.clock().monotonic();
        self.shelf().put(hash, list, now, ttl);
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
