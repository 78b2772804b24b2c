use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use proptest::prelude::*;
use tokio::time::Instant;

use super::*;
use crate::chat::Request;
use crate::clock::SystemClock;
use crate::model::ModelId;

/// Shows the time it is told.
#[derive(Debug, Clone)]
struct Hand {
    start: Instant,
    millis: Arc<AtomicU64>,
}

impl Clock for Hand {
    fn now(&self) -> time::OffsetDateTime {
        time::OffsetDateTime::UNIX_EPOCH
    }

    fn monotonic(&self) -> Instant {
        self.start + Duration::from_millis(self.millis.load(Ordering::Relaxed))
    }
}

fn layer() -> (QuotaLayer, Hand) {
    let hand = Hand {
        start: SystemClock.monotonic(),
        millis: Arc::default(),
    };
    let clock = Arc::new(hand.clone());
    (QuotaLayer::new(QuotaPolicy::none(), None, clock), hand)
}

fn call() -> Call {
    let model = ModelId::parse("first/a").unwrap();
    Call::chat(model, Request::from("Hello"))
}

fn admit(layer: &QuotaLayer, ctx: &Ctx) -> Result<Option<Admitted>> {
    layer.admit(ctx, &call()).now_or_never().unwrap()
}

fn left(limit: u64, remaining: u64, millis: u64, of: QuotaOf) -> QuotaLeft {
    QuotaLeft::new(limit, remaining, Duration::from_millis(millis), of)
}

#[test]
fn the_tighter_limit_is_the_one_with_less_left() {
    let key = |remaining, millis| left(9, remaining, millis, QuotaOf::AccessKey);
    let user = |remaining, millis| left(5, remaining, millis, QuotaOf::User);
    for (one, other, tighter) in [
        (key(3, 10), user(2, 1), user(2, 1)),
        (key(1, 10), user(2, 99), key(1, 10)),
        (key(2, 10), user(2, 99), user(2, 99)),
    ] {
        assert_eq!(one.tighter(other), tighter);
        assert_eq!(other.tighter(one), tighter);
        let alone = QuotaState::new(Some(one), None);
        let both = alone.tighter(QuotaState::new(Some(other), Some(one)));
        assert_eq!(both, QuotaState::new(Some(tighter), Some(one)));
    }
    assert_eq!(QuotaState::default().some(), None);
}

#[test]
fn a_call_that_is_given_up_before_it_is_made_took_nothing() {
    let (layer, _) = layer();
    let quota = QuotaPolicy::none()
        .with_requests_per_minute(1)
        .with_tokens_per_minute(100);
    let ctx = Ctx::local().with_quota(quota);
    let holder = layer.principal(&ctx).unwrap().unwrap();
    for _ in 0..3 {
        let grant = layer.take(&ctx, &holder, 100).now_or_never().unwrap();
        let left = grant.unwrap().unwrap().left;
        assert_eq!(left.requests.unwrap().remaining, 0);
        assert_eq!(left.tokens.unwrap().remaining, 0);
    }
}

/// Calls of one user, with one of two keys or without, against a list of every call that was let in.
#[derive(Debug, Clone, Copy)]
struct Made {
    at: u64,
    key: Option<u128>,
}

fn within(made: &[Made], now: u64, of: impl Fn(&Made) -> bool) -> Vec<u64> {
    let recent = made.iter().filter(|made| made.at + 60_000 > now);
    recent.filter(|made| of(made)).map(|made| made.at).collect()
}

proptest! {
    /// A call is let in where both quotas have room, counts in both or in neither, and is told what
    /// is left.
    #[test]
    fn a_call_fits_both_quotas_or_counts_in_neither(
        steps in prop::collection::vec((0_u64..6_000, 0_u128..3), 1..60),
        of_user in 1_u64..8,
        of_key in 1_u64..8,
    ) {
        let (layer, hand) = layer();
        let user = QuotaPolicy::none().with_requests_per_minute(of_user);
        let by_key = QuotaPolicy::none().with_requests_per_minute(of_key);
        let (mut now, mut made) = (0, Vec::new());
        for (pause, key) in steps {
            now += pause;
            hand.millis.store(now, Ordering::Relaxed);
            let key = (key > 0).then_some(key);
            let mut ctx = Ctx::local().with_quota(user);
            if let Some(key) = key {
                let id = Uuid::from_u128(key);
                ctx = ctx.with_access_key(id).with_access_key_quota(by_key);
            }
            let mut limits = vec![(QuotaOf::User, of_user, within(&made, now, |_| true))];
            if key.is_some() {
                let used = within(&made, now, |made| made.key == key);
                limits.insert(0, (QuotaOf::AccessKey, of_key, used));
            }
            let full = limits.iter().find(|(_, most, used)| used.len() as u64 >= *most);
            match (full, admit(&layer, &ctx)) {
                (None, Ok(admitted)) => {
                    let told = admitted.unwrap().left.unwrap().requests.unwrap();
                    let least = limits.iter().map(|(_, most, used)| most - used.len() as u64 - 1);
                    prop_assert_eq!(told.remaining, least.min().unwrap());
                    prop_assert_eq!(told.reset_in, Duration::from_secs(60));
                    made.push(Made { at: now, key });
                }
                (Some((of, most, used)), Err(error)) => {
                    prop_assert_eq!(error.context("of"), Some(of.as_str()));
                    let told = error.quota().unwrap().requests.unwrap();
                    let free = |at: u64| Duration::from_millis(at + 60_000 - now);
                    prop_assert_eq!((told.limit, told.remaining, told.of), (*most, 0, *of));
                    prop_assert_eq!(told.reset_in, free(*used.last().unwrap()));
                    prop_assert_eq!(error.retry_after(), Some(free(used[0])));
                }
                (full, admitted) => prop_assert!(false, "{full:?}, {admitted:?}"),
            }
        }
    }
}
