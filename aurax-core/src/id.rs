//! Ids of everything that is kept.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::{LazyLock, Mutex};

use uuid::{Builder, ClockSequence as _, ContextV7, NoContext, Timestamp, Uuid};

/// Bits of the context's counter behind the first twelve.
const LOW: u32 = 30;

/// A new UUIDv7; those of a process are in the order they were made.
///
/// [`Uuid::now_v7`] asks the system for random bytes each time, which takes longer than anything
/// else the engine does before a call. Here the counter that orders a millisecond's ids starts at
/// random once a millisecond, and the rest is a keyed hash of counter and time: the time too, to
/// the nanosecond, because a forked process goes on with the same key and counter.
pub fn new_id() -> Uuid {
    static CONTEXT: Mutex<ContextV7> = Mutex::new(ContextV7::new());
    static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    let now = Timestamp::now(NoContext).to_unix();
    let (counter, seconds, nanos) = CONTEXT.generate_timestamp_sequence(now.0, now.1);
    let millis = seconds
        .saturating_mul(1_000)
        .saturating_add(u64::from(nanos / 1_000_000));
    let random = KEY.hash_one((counter, now)) & u64::from(u32::MAX);
    let [.., a, b] = (counter >> LOW).to_be_bytes();
    let [c, d, e, f, g, h, i, j] = (counter << u32::BITS | random).to_be_bytes();
    // The layout of RFC 9562, 5.7; the builder puts version and variant over the spare bits.
    let tail = [a, b, c, d, e, f, g, h, i, j];
    Builder::from_unix_timestamp_millis(millis, &tail).into_uuid()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_are_of_version_7_and_in_the_order_they_were_made() {
        let before = Uuid::now_v7();
        let ids: Vec<Uuid> = (0..100_000).map(|_| new_id()).collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
        for id in &ids {
            assert_eq!(id.get_version_num(), 7);
            assert_eq!(id.get_variant(), uuid::Variant::RFC4122);
        }
        let second = |id: &Uuid| id.get_timestamp().unwrap().to_unix().0;
        let (first, last) = (second(&before), second(ids.last().unwrap()));
        assert!((first..=first + 60).contains(&last), "{first} {last}");
    }

    #[test]
    fn threads_never_share_an_id() {
        let threads: Vec<_> = (0..4)
            .map(|_| std::thread::spawn(|| (0..20_000).map(|_| new_id()).collect::<Vec<_>>()))
            .collect();
        let ids: HashSet<Uuid> = threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect();
        assert_eq!(ids.len(), 80_000);
    }

    #[test]
    fn the_random_part_is_no_sequence() {
        let low = |id: Uuid| u32::try_from(id.as_u128() & u128::from(u32::MAX)).unwrap();
        let lows: HashSet<u32> = (0..1_000).map(|_| low(new_id())).collect();
        assert!(lows.len() > 990, "{}", lows.len());
        let set: u32 = lows.iter().map(|low| low.count_ones()).sum();
        let all = u32::try_from(lows.len()).unwrap() * u32::BITS;
        assert!(
            (all * 45 / 100..all * 55 / 100).contains(&set),
            "{set} of {all}"
        );
    }
}
