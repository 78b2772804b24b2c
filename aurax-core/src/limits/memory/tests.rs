use std::sync::atomic::{AtomicU64, Ordering};

use futures::FutureExt as _;
use proptest::prelude::*;

use super::*;

/// Shows the time it is told.
#[derive(Debug, Clone)]
struct Hand {
    start: Instant,
    millis: Arc<AtomicU64>,
}

impl Hand {
    fn new() -> Self {
        Self {
            start: SystemClock.monotonic(),
            millis: Arc::default(),
        }
    }

    fn to(&self, millis: u64) {
        self.millis.store(millis, Ordering::Relaxed);
    }
}

impl Clock for Hand {
    fn now(&self) -> time::OffsetDateTime {
        time::OffsetDateTime::UNIX_EPOCH
    }

    fn monotonic(&self) -> Instant {
        self.start + Duration::from_millis(self.millis.load(Ordering::Relaxed))
    }
}

fn limits(replicas: u32) -> (MemoryLimits, Hand) {
    let hand = Hand::new();
    let replicas = NonZeroU32::new(replicas).unwrap();
    let limits = MemoryLimits::new().with_replicas(replicas);
    (limits.with_clock(hand.clone()), hand)
}

/// What never waits, done.
fn now<T>(work: impl Future<Output = T>) -> T {
    work.now_or_never().unwrap()
}

fn take(limits: &MemoryLimits, key: &str, tokens: u64, policy: &LimitPolicy) -> Decision {
    now(limits.take(key, tokens, *policy)).unwrap()
}

fn taken(decision: Decision) -> Taken {
    match decision {
        Decision::Allowed(taken) => taken,
        Decision::Refused(full) => panic!("{full:?}"),
    }
}

fn full(decision: Decision) -> Full {
    match decision {
        Decision::Refused(full) => full,
        Decision::Allowed(taken) => panic!("{taken:?}"),
    }
}

const KEY: &str = "ann";

#[test]
fn a_share_is_the_limit_by_replicas_and_at_least_one() {
    for (limit, replicas, share) in [(10, 4, 2), (3, 4, 1), (1, 1, 1), (0, 4, 0), (9, 1, 9)] {
        let (local, _) = limits(replicas);
        let policy = LimitPolicy::per_minute().with_requests(limit);
        let allowed =
            (0..20).filter(|_| matches!(take(&local, KEY, 0, &policy), Decision::Allowed(_)));
        assert_eq!(allowed.count(), share, "{limit} among {replicas}");
    }
}

#[test]
fn what_is_larger_than_the_share_waits_and_what_is_larger_than_the_limit_never_fits() {
    let (local, _) = limits(4);
    let policy = LimitPolicy::per_minute().with_tokens(100);
    let waits = full(take(&local, KEY, 60, &policy));
    assert_eq!(waits.limit, Limit::Tokens);
    assert_eq!(waits.retry_after, Some(Duration::from_secs(60)));
    assert_eq!(full(take(&local, KEY, 101, &policy)).retry_after, None);
    assert_eq!(
        taken(take(&local, KEY, 25, &policy)).remaining.tokens,
        Some(0)
    );
}

#[test]
fn it_is_free_when_its_part_and_a_window_are_over() {
    let (local, hand) = limits(1);
    let policy = LimitPolicy::per_minute().with_requests(1);
    hand.to(1_500);
    let first = taken(take(&local, KEY, 0, &policy));
    assert_eq!(first.reset_in, Duration::from_millis(60_500));
    hand.to(61_999);
    let wait = full(take(&local, KEY, 0, &policy)).retry_after;
    assert_eq!(wait, Some(Duration::from_millis(1)));
    hand.to(62_000);
    taken(take(&local, KEY, 0, &policy));
}

#[test]
fn what_was_used_replaces_what_was_taken() {
    let (local, _) = limits(1);
    let policy = LimitPolicy::per_minute().with_tokens(100);
    let first = taken(take(&local, KEY, 100, &policy));
    now(local.settle(KEY, first, 40, policy));
    let second = taken(take(&local, KEY, 50, &policy));
    assert_eq!(second.remaining.tokens, Some(10));
    now(local.settle(KEY, second, 60, policy));
    assert_eq!(full(take(&local, KEY, 1, &policy)).limit, Limit::Tokens);
}

#[test]
fn keys_are_bounded_and_the_longest_idle_is_forgotten() {
    let (local, hand) = limits(1);
    let local = local.with_max_keys(64);
    let policy = LimitPolicy::per_minute().with_requests(1);
    for n in 0..1_000_u64 {
        hand.to(n);
        let key = n.to_string();
        taken(take(&local, &key, 0, &policy));
        assert!(local.lock().len() <= 64);
        full(take(&local, &key, 0, &policy));
    }
}

#[test]
fn what_is_given_back_was_never_taken() {
    let (local, hand) = limits(1);
    let policy = LimitPolicy::per_minute().with_requests(2).with_tokens(100);
    hand.to(500);
    let first = taken(take(&local, KEY, 60, &policy));
    hand.to(9_500);
    let second = taken(take(&local, KEY, 40, &policy));
    assert_eq!(second.remaining, Remaining::new(Some(0), Some(0)));
    now(local.give_back(KEY, second, policy));
    let refused = full(take(&local, KEY, 41, &policy));
    assert_eq!(refused.limit, Limit::Tokens);
    assert_eq!(refused.remaining, Remaining::new(Some(1), Some(40)));
    assert_eq!(refused.reset_in, Duration::from_millis(51_500));
    now(local.give_back(KEY, first, policy));
    let alone = full(take(&local, KEY, 101, &policy));
    assert_eq!(alone.remaining, Remaining::new(Some(2), Some(100)));
    assert_eq!((alone.reset_in, alone.retry_after), (Duration::ZERO, None));
    // Once more changes nothing.
    now(local.give_back(KEY, first, policy));
    taken(take(&local, KEY, 100, &policy));
}

#[test]
fn windows_of_different_lengths_are_counted_apart() {
    let (local, hand) = limits(1);
    let minute = LimitPolicy::per_minute().with_requests(1);
    let hour = LimitPolicy::within(Duration::from_secs(3_600)).unwrap();
    let hour = hour.with_requests(2);
    for (at, by_hour) in [(0, 1), (70_000, 0)] {
        hand.to(at);
        taken(take(&local, KEY, 0, &minute));
        full(take(&local, KEY, 0, &minute));
        let left = taken(take(&local, KEY, 0, &hour)).remaining;
        assert_eq!(left.requests, Some(by_hour));
    }
    assert_eq!(full(take(&local, KEY, 0, &hour)).limit, Limit::Requests);
}

#[test]
fn what_others_let_in_counts_beyond_the_limit() {
    let (local, _) = limits(1);
    let policy = LimitPolicy::per_minute().with_requests(1);
    for _ in 0..3 {
        assert_eq!(local.count(KEY, 0, &policy), 0);
    }
    let refused = full(take(&local.clone(), KEY, 0, &policy));
    assert_eq!(refused.remaining.requests, Some(0));
}

proptest! {
    /// Against a list of every use: no window holds more than the limit, what is refused waits a
    /// part too long at most, what is given back never counts, and memory stays bounded.
    #[test]
    fn no_window_holds_more_than_the_limit(
        steps in prop::collection::vec((0_u64..2_000, 1_u64..20), 1..400),
        limit in 20_u64..2_000,
        returned in 2_u64..6,
    ) {
        let (local, hand) = limits(1);
        let policy = LimitPolicy::per_minute().with_tokens(limit);
        let (mut at, mut let_in) = (0, Vec::<(u64, u64)>::new());
        for (pause, tokens) in steps {
            at += pause;
            hand.to(at);
            let within = |window: u64| -> u64 {
                let recent = let_in.iter().filter(|(then, _)| then + window > at);
                recent.map(|(_, tokens)| tokens).sum()
            };
            match take(&local, KEY, tokens, &policy) {
                Decision::Allowed(taken) if (at + tokens).is_multiple_of(returned) => {
                    now(local.give_back(KEY, taken, policy));
                }
                Decision::Allowed(_) => {
                    prop_assert!(within(60_000) + tokens <= limit);
                    let_in.push((at, tokens));
                }
                Decision::Refused(_) => prop_assert!(within(61_000) + tokens > limit),
            }
            prop_assert!(local.lock()[&(1_000, KEY.into())].parts.len() <= 61);
        }
    }
}
