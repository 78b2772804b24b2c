//! Where answers are kept.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::CacheKey;
use crate::error::Result;

/// Where cached answers are kept.
///
/// * A value comes back as it was put, or not at all. It may be forgotten at any time; it must
///   not come back after its time to live.
/// * Keys of different principals are different, so a store need not know about principals.
/// * A store that fails or is slow is treated as one that has nothing: the engine waits 50 ms for
///   it and goes on.
/// * A store is bounded, and says what it forgets when it is full.
#[async_trait]
pub trait CacheStore: Debug + Send + Sync + 'static {
    /// The value of `key`, where there is one.
    ///
    /// # Errors
    /// Whatever kept the store from looking.
    ///
    /// # Cancel safety
    /// A dropped future changes nothing.
    async fn get(&self, key: &CacheKey) -> Result<Option<Bytes>>;

    /// Keeps `value` for `ttl`, instead of what the key had before.
    ///
    /// # Errors
    /// Whatever kept the store from keeping it.
    ///
    /// # Cancel safety
    /// A dropped future has kept the value or not; there is no third case.
    async fn put(&self, key: &CacheKey, value: Bytes, ttl: Duration) -> Result<()>;
}
