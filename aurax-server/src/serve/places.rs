//! How many connections there may be, in all and from one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Places for connections. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Places(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    taken: Mutex<Taken>,
    most: usize,
    most_of_one: usize,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    /// Addresses that have any: no more than there are connections.
    of: HashMap<IpAddr, usize>,
}

impl Places {
    pub(super) fn new(most: usize, most_of_one: usize) -> Self {
        Self(Arc::new(Inner {
            taken: Mutex::default(),
            most,
            most_of_one,
        }))
    }

    /// A place, unless there are too many connections already.
    pub(super) fn take(&self, address: IpAddr) -> Option<Place> {
        self.take_one_of(self.0.most_of_one, address)
    }

    /// A place for a proxy, which may have all of them.
    pub(super) fn take_for_proxy(&self, address: IpAddr) -> Option<Place> {
        self.take_one_of(self.0.most, address)
    }

    fn take_one_of(&self, most_of_one: usize, address: IpAddr) -> Option<Place> {
        let mut taken = self.taken();
        let own = taken.of.get(&address).copied().unwrap_or_default();
        if taken.all >= self.0.most || own >= most_of_one {
            return None;
        }
        taken.all = taken.all.saturating_add(1);
        taken.of.insert(address, own.saturating_add(1));
        drop(taken);
        Some(Place {
            places: self.clone(),
            address,
        })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    address: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.all = taken.all.saturating_sub(1);
        let own = taken.of.get(&self.address).copied().unwrap_or_default();
        if own <= 1 {
            taken.of.remove(&self.address);
        } else {
            taken.of.insert(self.address, own.saturating_sub(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_limited_and_given_back() {
        let places = Places::new(3, 2);
        let [one, other] = [[1; 4], [2; 4]].map(IpAddr::from);
        let first = places.take(one).unwrap();
        let _second = places.take(one).unwrap();
        assert!(places.take(one).is_none(), "two of one address");
        assert!(places.take_for_proxy(one).is_some());
        let third = places.take(other).unwrap();
        assert!(places.take(other).is_none(), "three in all");
        drop(first);
        let _again = places.take(one).unwrap();
        drop(third);
        assert_eq!(places.taken().of.len(), 1);
        assert_eq!(places.taken().all, 2);
    }
}
