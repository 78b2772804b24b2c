//! State that is kept for each of a bounded number of keys.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use crate::error::{Error, ErrorKind, Phase, Result};

/// One value a key. When it is full, the keys that nobody uses are forgotten, those that were
/// idle for longest first; a key is in use while its value is held elsewhere.
#[derive(Debug)]
pub(super) struct Keyed<K, V> {
    most: usize,
    entries: Mutex<HashMap<K, Entry<V>>>,
}

#[derive(Debug)]
struct Entry<V> {
    value: Arc<V>,
    touched: Instant,
}

impl<V> Entry<V> {
    fn is_idle(&self) -> bool {
        Arc::strong_count(&self.value) == 1
    }
}

impl<K: Eq + Hash + Clone, V> Keyed<K, V> {
    /// How many keys are remembered where nothing else is said.
    pub(super) const MOST: usize = 16_384;
    /// Which part of all keys is forgotten at once, so that looking for them stays rare.
    const PART: usize = 16;

    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            entries: Mutex::default(),
        }
    }

    /// The value of `key`, made now where there is none.
    ///
    /// # Errors
    /// `Overloaded` when as many keys as may be remembered are in use.
    pub(super) fn get(&self, key: &K, now: Instant, make: impl FnOnce() -> V) -> Result<Arc<V>> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get_mut(key) {
            entry.touched = now;
            return Ok(entry.value.clone());
        }
        if entries.len() >= self.most {
            forget(&mut entries, (self.most / Self::PART).max(1));
        }
        if entries.len() >= self.most {
            return Err(crowded());
        }
        let value = Arc::new(make());
        let entry = Entry {
            value: value.clone(),
            touched: now,
        };
        entries.insert(key.clone(), entry);
        Ok(value)
    }
}

impl<K: Eq + Hash + Clone, V> Default for Keyed<K, V> {
    fn default() -> Self {
        Self::new(Self::MOST)
    }
}

fn forget<K: Eq + Hash + Clone, V>(entries: &mut HashMap<K, Entry<V>>, part: usize) {
    let mut idle: Vec<(Instant, K)> = entries
        .iter()
        .filter(|(_, entry)| entry.is_idle())
        .map(|(key, entry)| (entry.touched, key.clone()))
        .collect();
    idle.sort_unstable_by_key(|(touched, _)| *touched);
    for (_, key) in idle.into_iter().take(part) {
        entries.remove(&key);
    }
}

fn crowded() -> Error {
    Error::new(
        ErrorKind::Overloaded,
        "more users or keys are served at once than can be kept apart; try again later",
    )
    .with_phase(Phase::Encode)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "any instant will do")]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_longest_idle_is_forgotten_and_nothing_in_use() {
        let keyed: Keyed<u32, u32> = Keyed::new(3);
        let start = Instant::now();
        let at = |n: u32| start + Duration::from_secs(u64::from(n));
        let oldest = keyed.get(&0, at(0), || 10).unwrap();
        keyed.get(&1, at(1), || 11).unwrap();
        keyed.get(&2, at(2), || 12).unwrap();
        keyed.get(&3, at(3), || 13).unwrap();
        assert_eq!(*oldest, 10);
        assert_eq!(*keyed.get(&0, at(4), || 99).unwrap(), 10, "it was in use");
        assert_eq!(*keyed.get(&2, at(5), || 99).unwrap(), 12, "it was younger");
        assert_eq!(*keyed.get(&1, at(6), || 21).unwrap(), 21, "it was oldest");
    }

    #[test]
    fn full_of_keys_in_use_is_a_named_error() {
        let keyed: Keyed<u32, u32> = Keyed::new(2);
        let now = Instant::now();
        let _held = [0, 1].map(|key| keyed.get(&key, now, || key).unwrap());
        let error = keyed.get(&2, now, || 2).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Overloaded);
        assert_eq!(error.phase(), Some(Phase::Encode));
    }
}
