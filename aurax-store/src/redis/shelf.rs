//! What a process remembers by itself, for a while.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use aurax_core::Bytes;
use tokio::time::Instant;

use super::keys::Hash;

/// Values with a time to live; when it is full, those that would be forgotten first go first.
#[derive(Debug)]
pub(super) struct Shelf {
    max_entries: usize,
    max_bytes: usize,
    entries: HashMap<Hash, (Bytes, Instant)>,
    order: BTreeSet<(Instant, Hash)>,
    bytes: usize,
}

impl Shelf {
    /// What an entry takes besides its value.
    const OVERHEAD: usize = 256;

    pub(super) fn new(max_entries: usize, max_bytes: usize) -> Self {
        Self {
            max_entries,
            max_bytes,
            entries: HashMap::new(),
            order: BTreeSet::new(),
            bytes: 0,
        }
    }

    pub(super) fn get(&mut self, key: &Hash, now: Instant) -> Option<Bytes> {
        self.expire(now);
        let (value, _) = self.entries.get(key)?;
        Some(value.clone())
    }

    pub(super) fn put(&mut self, key: Hash, value: Bytes, now: Instant, ttl: Duration) {
        self.expire(now);
        self.remove(&key);
        let Some(until) = now.checked_add(ttl).filter(|until| *until > now) else {
            return;
        };
        self.bytes = self.bytes.saturating_add(size(&value));
        self.order.insert((until, key));
        self.entries.insert(key, (value, until));
        while self.entries.len() > self.max_entries || self.bytes > self.max_bytes {
            let Some((_, first)) = self.order.first().copied() else {
                break;
            };
            self.remove(&first);
        }
    }

    fn expire(&mut self, now: Instant) {
        while let Some((until, key)) = self.order.first().copied()
            && until <= now
        {
            self.remove(&key);
        }
    }

    fn remove(&mut self, key: &Hash) {
        if let Some((value, until)) = self.entries.remove(key) {
            self.order.remove(&(until, *key));
            self.bytes = self.bytes.saturating_sub(size(&value));
        }
    }
}

fn size(value: &Bytes) -> usize {
    value.len().saturating_add(Shelf::OVERHEAD)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "any instant will do")]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_value_lives_as_long_as_it_may() {
        let mut shelf = Shelf::new(10, 10_000);
        let now = Instant::now();
        shelf.put([1; 32], Bytes::from_static(b"one"), now, HOUR);
        shelf.put([2; 32], Bytes::from_static(b"two"), now, Duration::ZERO);
        assert_eq!(shelf.get(&[1; 32], now), Some(Bytes::from_static(b"one")));
        assert_eq!(shelf.get(&[2; 32], now), None);
        let just = now + HOUR - Duration::from_nanos(1);
        assert!(shelf.get(&[1; 32], just).is_some());
        assert_eq!(shelf.get(&[1; 32], now + HOUR), None);
        assert_eq!(
            (shelf.entries.len(), shelf.order.len(), shelf.bytes),
            (0, 0, 0)
        );
    }

    #[test]
    fn it_is_bounded_by_number_and_by_bytes() {
        let mut shelf = Shelf::new(10, 10_000);
        let now = Instant::now();
        for n in 0..100_u8 {
            let ttl = HOUR + Duration::from_secs(n.into());
            shelf.put([n; 32], Bytes::from(vec![n; 10]), now, ttl);
            assert!(shelf.entries.len() <= 10 && shelf.order.len() <= 10);
        }
        assert!(shelf.get(&[99; 32], now).is_some(), "the last one stays");
        assert!(shelf.get(&[0; 32], now).is_none(), "the first one went");
        shelf.put([200; 32], Bytes::from(vec![0; 9_000]), now, 2 * HOUR);
        assert!(shelf.bytes <= 10_000);
        assert!(shelf.get(&[200; 32], now).is_some());
        shelf.put([201; 32], Bytes::from(vec![0; 20_000]), now, 3 * HOUR);
        assert!(shelf.bytes <= 10_000);
    }
}
