use std::sync::atomic::{AtomicU64, Ordering};

use aurax_core::SystemClock;
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

fn limits(replicas: u32) -> (LocalLimits, Hand) {
    let hand = Hand::new();
    let replicas = NonZeroU32::new(replicas).unwrap();
    (LocalLimits::new(replicas, Arc::new(hand.clone())), hand)
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

const KEY: Hash = [7; 32];

#[test]
fn a_share_is_the_limit_by_replicas_and_at_least_one() {
    for (limit, replicas, share) in [(10, 4, 2), (3, 4, 1), (1, 1, 1), (0, 4, 0), (9, 1, 9)] {
        let (local, _) = limits(replicas);
        let policy = LimitPolicy::per_minute().with_requests(limit);
        let allowed =
            (0..20).filter(|_| matches!(local.take(&KEY, 0, &policy), Decision::Allowed(_)));
        assert_eq!(allowed.count(), share, "{limit} among {replicas}");
    }
}

#[test]
fn what_is_larger_than_the_share_waits_and_what_is_larger_than_the_limit_never_fits() {
    let (local, _) = limits(4);
    let policy = LimitPolicy::per_minute().with_tokens(100);
    let waits = full(local.take(&KEY, 60, &policy));
    assert_eq!(waits.limit, Limit::Tokens);
    assert_eq!(waits.retry_after, Some(Duration::from_secs(60)));
    assert_eq!(full(local.take(&KEY, 101, &policy)).retry_after, None);
    assert_eq!(
        taken(local.take(&KEY, 25, &policy)).remaining.tokens,
        Some(0)
    );
}

#[test]
fn it_is_free_when_its_part_and_a_window_are_over() {
    let (local, hand) = limits(1);
    let policy = LimitPolicy::per_minute().with_requests(1);
    hand.to(1_500);
    let first = taken(local.take(&KEY, 0, &policy));
    assert_eq!(first.reset_in, Duration::from_millis(60_500));
    hand.to(61_999);
    let wait = full(local.take(&KEY, 0, &policy)).retry_after;
    assert_eq!(wait, Some(Duration::from_millis(1)));
    hand.to(62_000);
    taken(local.take(&KEY, 0, &policy));
}

#[test]
fn what_was_used_replaces_what_was_taken() {
    let (local, _) = limits(1);
    let policy = LimitPolicy::per_minute().with_tokens(100);
    let first = taken(local.take(&KEY, 100, &policy));
    local.settle(&KEY, &first, 40, &policy);
    let second = taken(local.take(&KEY, 50, &policy));
    assert_eq!(second.remaining.tokens, Some(10));
    local.settle(&KEY, &second, 60, &policy);
    assert_eq!(full(local.take(&KEY, 1, &policy)).limit, Limit::Tokens);
}

#[test]
fn keys_are_bounded_and_the_longest_idle_is_forgotten() {
    let (mut local, hand) = limits(1);
    local.most = 64;
    let policy = LimitPolicy::per_minute().with_requests(1);
    for n in 0..1_000_u64 {
        hand.to(n);
        let mut hash = Hash::default();
        hash[..8].copy_from_slice(&n.to_be_bytes());
        taken(local.take(&hash, 0, &policy));
        assert!(local.lock().len() <= 64);
        full(local.take(&hash, 0, &policy));
    }
}

proptest! {
    /// Against a list of every use: no window holds more than the limit, what is refused waits a
    /// part too long at most, and memory stays bounded.
    #[test]
    fn no_window_holds_more_than_the_limit(
        steps in prop::collection::vec((0_u64..2_000, 1_u64..20), 1..400),
        limit in 20_u64..2_000,
    ) {
        let (local, hand) = limits(1);
        let policy = LimitPolicy::per_minute().with_tokens(limit);
        let (mut now, mut let_in) = (0, Vec::<(u64, u64)>::new());
        for (pause, tokens) in steps {
            now += pause;
            hand.to(now);
            let within = |window: u64| -> u64 {
                let recent = let_in.iter().filter(|(at, _)| at + window > now);
                recent.map(|(_, tokens)| tokens).sum()
            };
            match local.take(&KEY, tokens, &policy) {
                Decision::Allowed(_) => {
                    prop_assert!(within(60_000) + tokens <= limit);
                    let_in.push((now, tokens));
                }
                Decision::Refused(_) => prop_assert!(within(61_000) + tokens > limit),
            }
            prop_assert!(local.lock()[&KEY].parts.len() <= 61);
        }
    }
}
