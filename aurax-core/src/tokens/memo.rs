//! Remembers counts of what was counted before.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

use super::count::Count;

/// What a count is remembered by: half of a SHA-256 of all that it depends on, which nobody makes
/// two texts share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key([u8; 16]);

/// Makes a [`Key`].
pub(super) struct KeyMaker(Sha256);

impl KeyMaker {
    pub(super) fn new() -> Self {
        Self(Sha256::new())
    }

    /// Adds a text, its length first: where one ends and the next begins counts too.
    pub(super) fn add(&mut self, text: &str) {
        self.0.update((text.len() as u64).to_le_bytes());
        self.0.update(text);
    }

    /// Adds a text that may be missing, which is not an empty one.
    pub(super) fn add_option(&mut self, text: Option<&str>) {
        self.0.update([u8::from(text.is_some())]);
        self.add(text.unwrap_or_default());
    }

    pub(super) fn finish(self) -> Key {
        let digest: [u8; 32] = self.0.finalize().into();
        let (half, _) = digest.split_first_chunk().unwrap_or((&[0; 16], &[]));
        Key(*half)
    }
}

/// Counts by key; those not asked for longest are forgotten first.
///
/// There are two halves: what is asked for is in the newer one, and when that is full it becomes
/// the older one, whose counts are forgotten.
#[derive(Debug)]
pub(super) struct Memo {
    half: usize,
    halves: Mutex<Halves>,
}

#[derive(Debug, Default)]
struct Halves {
    newer: HashMap<Key, Count>,
    older: HashMap<Key, Count>,
}

impl Memo {
    /// Remembers at most `capacity` counts.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            half: capacity / 2,
            halves: Mutex::default(),
        }
    }

    pub(super) fn get(&self, key: &Key) -> Option<Count> {
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = halves.newer.get(key) {
            return Some(*count);
        }
        let count = halves.older.remove(key)?;
        self.put(&mut halves, *key, count);
        Some(count)
    }

    pub(super) fn insert(&self, key: Key, count: Count) {
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        self.put(&mut halves, key, count);
    }

    fn put(&self, halves: &mut Halves, key: Key, count: Count) {
        if self.half == 0 {
            return;
        }
        if halves.newer.len() >= self.half {
            halves.older = std::mem::take(&mut halves.newer);
        }
        halves.newer.insert(key, count);
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        let halves = self.halves.lock().unwrap();
        halves.newer.len() + halves.older.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Key {
        let mut key = KeyMaker::new();
        key.add(text);
        key.finish()
    }

    #[test]
    fn it_is_bounded_and_keeps_what_is_asked_for() {
        let memo = Memo::new(100);
        memo.insert(key("kept"), Count::exact(7));
        for i in 0..10_000 {
            memo.insert(key(&i.to_string()), Count::exact(i));
            assert_eq!(memo.get(&key("kept")), Some(Count::exact(7)));
        }
        assert!(memo.len() <= 100, "{}", memo.len());
        assert_eq!(memo.get(&key("0")), None);
    }

    #[test]
    fn borders_between_texts_count() {
        let two = |a, b| {
            let mut key = KeyMaker::new();
            key.add(a);
            key.add(b);
            key.finish()
        };
        assert_ne!(two("ab", "c"), two("a", "bc"));
    }
}
