//! Cached answers in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::Instant;

use super::{CacheKey, CacheStore};
use crate::clock::{Clock, SystemClock};
use crate::error::Result;

/// Keeps answers in memory; when it is full, those that were not asked for the longest go first.
///
/// Cheap to clone: all clones are one cache.
#[derive(Debug, Clone)]
pub struct MemoryCache {
    max_entries: usize,
    max_bytes: usize,
    clock: Arc<dyn Clock>,
    shelf: Arc<Mutex<Shelf>>,
}

impl MemoryCache {
    /// How many answers are kept where nothing else is said.
    pub const ENTRIES: usize = 10_000;
    /// How many bytes of answers are kept where nothing else is said; 64 MiB.
    pub const BYTES: usize = 64 << 20;

    /// An empty cache.
    pub fn new() -> Self {
        Self {
            max_entries: Self::ENTRIES,
            max_bytes: Self::BYTES,
            clock: Arc::new(SystemClock),
            shelf: Arc::default(),
        }
    }

    /// Says how many answers to keep.
    #[must_use]
    pub const fn with_max_entries(mut self, entries: usize) -> Self {
        self.max_entries = entries;
        self
    }

    /// Says how many bytes of answers to keep. A larger answer is not kept at all.
    #[must_use]
    pub const fn with_max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Reads time here; the machine's clock unless set.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// How many answers are kept, and how many bytes they have.
    pub fn size(&self) -> (usize, usize) {
        let shelf = self.shelf();
        (shelf.entries.len(), shelf.bytes)
    }

    /// Forgets everything.
    pub fn clear(&self) {
        *self.shelf() = Shelf::default();
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryCache {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl CacheStore for MemoryCache {
    async fn get(&self, key: &CacheKey) -> Result<Option<Bytes>> {
        let now = self.clock.monotonic();
        Ok(self.shelf().get(key, now))
    }

    async fn put(&self, key: &CacheKey, value: Bytes, ttl: Duration) -> Result<()> {
        let expires = self.clock.monotonic().checked_add(ttl);
        let mut shelf = self.shelf();
        shelf.remove(key);
        if value.len() <= self.max_bytes && self.max_entries > 0 {
            shelf.put(*key, value, expires);
            shelf.shrink(self.max_entries, self.max_bytes);
        }
        Ok(())
    }
}

#[derive(Debug, Default)]
struct Shelf {
    entries: HashMap<CacheKey, Entry>,
    /// Keys by when they were last asked for.
    order: BTreeMap<u64, CacheKey>,
    next: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    value: Bytes,
    /// `None` for one that outlives the process.
    expires: Option<Instant>,
    order: u64,
}

impl Shelf {
    fn tick(&mut self) -> u64 {
        self.next = self.next.wrapping_add(1);
        self.next
    }

    fn get(&mut self, key: &CacheKey, now: Instant) -> Option<Bytes> {
        let tick = self.tick();
        let entry = self.entries.get_mut(key)?;
        if entry.expires.is_some_and(|expires| expires <= now) {
            self.remove(key);
            return None;
        }
        self.order.remove(&entry.order);
        entry.order = tick;
        self.order.insert(tick, *key);
        Some(entry.value.clone())
    }

    fn put(&mut self, key: CacheKey, value: Bytes, expires: Option<Instant>) {
        let order = self.tick();
        self.bytes = self.bytes.saturating_add(value.len());
        self.order.insert(order, key);
        let entry = Entry {
            value,
            expires,
            order,
        };
        self.entries.insert(key, entry);
    }

    fn remove(&mut self, key: &CacheKey) {
        if let Some(entry) = self.entries.remove(key) {
            self.bytes = self.bytes.saturating_sub(entry.value.len());
            self.order.remove(&entry.order);
        }
    }

    fn shrink(&mut self, max_entries: usize, max_bytes: usize) {
        while self.entries.len() > max_entries || self.bytes > max_bytes {
            let Some((_, oldest)) = self.order.pop_first() else {
                break;
            };
            self.remove(&oldest);
        }
    }
}
