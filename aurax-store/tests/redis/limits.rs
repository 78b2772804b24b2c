//! Rate limits that two processes share: two connections, each with a wrapper of its own.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aurax_core::limits::{Decision, Full, Limit, LimitPolicy, Remaining, SharedLimits, Taken};
use aurax_store::{Redis, RedisLimits, RedisOptions};

use crate::support::{Beside, GENEROUS, prefix, variable};

/// Two that share; each would allow a thousandth on its own, so that no fallback passes unnoticed.
fn pair() -> Option<(RedisLimits, RedisLimits, String)> {
    let url = variable("AURAX_TEST_REDIS")?;
    let prefix = prefix();
    let replicas = NonZeroU32::new(1_000).unwrap();
    let one = || {
        let options = RedisOptions::new()
            .with_prefix(&prefix)
            .with_timeout(GENEROUS)
            .with_replicas(replicas);
        RedisLimits::new(Redis::new(&url, options).unwrap())
    };
    Some((one(), one(), prefix))
}

async fn taken(limits: &dyn SharedLimits, tokens: u64, policy: LimitPolicy) -> Taken {
    match limits.take("ann", tokens, policy).await.unwrap() {
        Decision::Allowed(taken) if !taken.is_local() => taken,
        other => panic!("{other:?}"),
    }
}

async fn full(limits: &dyn SharedLimits, tokens: u64, policy: LimitPolicy) -> Full {
    match limits.take("ann", tokens, policy).await.unwrap() {
        Decision::Refused(full) => full,
        other => panic!("{other:?}"),
    }
}

/// What 32 at once get of a limit, in requests and tokens; each asks 40 times, for 1 to 7 tokens.
async fn scramble(one: &RedisLimits, other: &RedisLimits, policy: LimitPolicy) -> (u64, u64) {
    let (requests, tokens) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let takers = (0..32_u64).map(|n| {
        let limits = if n % 2 == 0 { one } else { other }.clone();
        let (requests, tokens) = (requests.clone(), tokens.clone());
        tokio::spawn(async move {
            for step in 0..40 {
                let cost = 1 + (n + step) % 7;
                match limits.take("ann", cost, policy).await.unwrap() {
                    Decision::Allowed(taken) => {
                        assert!(!taken.is_local());
                        requests.fetch_add(1, Ordering::Relaxed);
                        tokens.fetch_add(cost, Ordering::Relaxed);
                    }
                    Decision::Refused(full) => assert!(full.retry_after.is_some()),
                }
            }
        })
    });
    for taker in futures::future::join_all(takers).await {
        taker.unwrap();
    }
    (
        requests.load(Ordering::Relaxed),
        tokens.load(Ordering::Relaxed),
    )
}

/// A minute outlasts the test, so nothing comes free meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn thirty_two_takers_over_two_connections_get_exactly_the_requests() {
    let Some((one, other, _)) = pair() else {
        return;
    };
    let policy = LimitPolicy::per_minute().with_requests(500);
    assert_eq!(scramble(&one, &other, policy).await.0, 500);
    assert_eq!(full(&one, 1, policy).await.limit, Limit::Requests);
    // Another key has all of its own.
    let decision = one.take("ben", 1, policy).await.unwrap();
    assert!(matches!(decision, Decision::Allowed(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn thirty_two_takers_over_two_connections_get_exactly_the_tokens() {
    let Some((one, other, _)) = pair() else {
        return;
    };
    let policy = LimitPolicy::per_minute().with_tokens(2_000);
    // Every one asked for a single token at the end, too; so all are gone.
    assert_eq!(scramble(&one, &other, policy).await.1, 2_000);
    assert_eq!(full(&one, 1, policy).await.limit, Limit::Tokens);
    assert_eq!(full(&other, 1, policy).await.limit, Limit::Tokens);
}

#[tokio::test]
async fn what_is_left_counts_down_for_both() {
    let Some((one, other, _)) = pair() else {
        return;
    };
    let policy = LimitPolicy::per_minute().with_requests(3).with_tokens(100);
    let first = taken(&one, 60, policy).await;
    assert_eq!(
        (first.remaining.requests, first.remaining.tokens),
        (Some(2), Some(40))
    );
    let minute = Duration::from_secs(60);
    assert!(first.reset_in > minute && first.reset_in <= minute + minute / 60);
    let refused = full(&other, 41, policy).await;
    assert_eq!(refused.limit, Limit::Tokens);
    let wait = refused.retry_after.unwrap();
    assert!(
        wait > Duration::from_secs(50) && wait <= minute + minute / 60,
        "{wait:?}"
    );
    assert_eq!(full(&other, 101, policy).await.retry_after, None);
    let second = taken(&other, 40, policy).await;
    assert_eq!(
        (second.remaining.requests, second.remaining.tokens),
        (Some(1), Some(0))
    );
    taken(&one, 0, policy).await;
    assert_eq!(full(&other, 0, policy).await.limit, Limit::Requests);
    let nothing = LimitPolicy::per_minute().with_requests(0);
    assert_eq!(full(&one, 0, nothing).await.retry_after, None);
}

#[tokio::test]
async fn what_was_used_replaces_what_was_taken_for_both() {
    let Some((one, other, _)) = pair() else {
        return;
    };
    let policy = LimitPolicy::per_minute().with_tokens(100);
    let first = taken(&one, 100, policy).await;
    full(&other, 1, policy).await;
    one.settle("ann", first, 30, policy).await;
    let second = taken(&other, 60, policy).await;
    assert_eq!(second.remaining.tokens, Some(10));
    other.settle("ann", second, 75, policy).await;
    let refused = full(&one, 1, policy).await;
    assert!(refused.retry_after.is_some());
    // Given back is at most what was taken.
    other.settle("ann", first, 0, policy).await;
    other.settle("ann", first, 0, policy).await;
    let third = taken(&one, 1, policy).await;
    assert!(third.remaining.tokens.unwrap() <= 99);
}

#[tokio::test]
async fn what_is_given_back_was_never_taken_from_either() {
    let Some((one, other, _)) = pair() else {
        return;
    };
    let policy = LimitPolicy::per_minute().with_requests(2).with_tokens(100);
    let alone = full(&one, 101, policy).await;
    assert_eq!(alone.remaining, Remaining::new(Some(2), Some(100)));
    assert_eq!(alone.reset_in, Duration::ZERO);
    taken(&one, 60, policy).await;
    let second = taken(&other, 40, policy).await;
    assert_eq!(second.remaining, Remaining::new(Some(0), Some(0)));
    other.give_back("ann", second, policy).await;
    let refused = full(&one, 41, policy).await;
    assert_eq!(refused.limit, Limit::Tokens);
    assert_eq!(refused.remaining, Remaining::new(Some(1), Some(40)));
    assert!(refused.reset_in > Duration::from_secs(50));
    assert!(refused.reset_in <= Duration::from_secs(61));
    let third = taken(&one, 40, policy).await;
    assert_eq!(third.remaining, Remaining::new(Some(0), Some(0)));
    let refused = full(&other, 0, policy).await;
    assert_eq!(refused.limit, Limit::Requests);
    assert_eq!(refused.remaining, Remaining::new(Some(0), Some(0)));
    // Without a limit of tokens there are none to give back.
    let requests = LimitPolicy::per_minute().with_requests(2);
    one.give_back("ann", third, requests).await;
    assert_eq!(full(&one, 1, policy).await.limit, Limit::Tokens);
}

#[tokio::test]
async fn a_window_is_over_by_the_clock_of_the_server() {
    let Some((one, _, prefix)) = pair() else {
        return;
    };
    let window = Duration::from_millis(600);
    let policy = LimitPolicy::within(window).unwrap().with_requests(1);
    let part = window / LimitPolicy::PARTS;
    let mut beside = Beside::new();
    let before = server_micros(&mut beside);
    let began = Instant::now();
    let first = taken(&one, 0, policy).await;
    let after = server_micros(&mut beside);
    // The part that the server counts it in is of its time, in whole parts since the epoch.
    let key = beside.keys(&prefix).pop().unwrap();
    let ::redis::Value::Array(fields) = beside.command(&["HKEYS", &key]) else {
        panic!()
    };
    let field: String = ::redis::from_redis_value(fields[0].clone()).unwrap();
    let counted: u128 = field.strip_prefix('r').unwrap().parse().unwrap();
    assert!((before / part.as_micros()..=after / part.as_micros()).contains(&counted));

    let wait = full(&one, 0, policy).await.retry_after.unwrap();
    assert!(wait <= first.reset_in);
    let mut tries = 0;
    while matches!(
        one.take("ann", 0, policy).await.unwrap(),
        Decision::Refused(_)
    ) {
        tries += 1;
        tokio::time::sleep(part / 2).await;
    }
    assert!(tries > 1);
    assert!(began.elapsed() >= window, "not before the window is over");
}

fn server_micros(beside: &mut Beside) -> u128 {
    let time: (u128, u128) = ::redis::from_redis_value(beside.command(&["TIME"])).unwrap();
    time.0 * 1_000_000 + time.1
}

#[tokio::test]
async fn windows_of_different_lengths_do_not_count_for_each_other() {
    let Some((one, _, _)) = pair() else { return };
    let hour = LimitPolicy::within(Duration::from_secs(3_600)).unwrap();
    taken(&one, 0, LimitPolicy::per_minute().with_requests(1)).await;
    taken(&one, 0, hour.with_requests(1)).await;
    let refused = full(&one, 0, hour.with_requests(1)).await;
    assert!(refused.retry_after.unwrap() > Duration::from_secs(3_000));
}

#[tokio::test]
async fn a_key_is_small_gone_with_its_window_and_does_not_say_whose_it_is() {
    let Some((one, _, prefix)) = pair() else {
        return;
    };
    let window = Duration::from_millis(300);
    let policy = LimitPolicy::within(window).unwrap().with_tokens(1 << 30);
    let until = Instant::now() + Duration::from_secs(1);
    while Instant::now() < until {
        for _ in 0..50 {
            let taken = taken(&one, 5, policy).await;
            one.settle("ann", taken, 3, policy).await;
        }
    }
    let mut beside = Beside::new();
    let keys = beside.keys(&prefix);
    let [key] = keys.as_slice() else {
        panic!("{keys:?}")
    };
    assert!(key.starts_with(&format!("{prefix}v1:limit:")) && !key.contains("ann"));
    let fields: usize = ::redis::from_redis_value(beside.command(&["HLEN", key])).unwrap();
    assert!(fields <= 2 * 61, "{fields}");
    let rest = beside.pttl(key);
    assert!((1..=310).contains(&rest), "{rest}");
}

#[tokio::test]
async fn the_script_comes_back_after_the_server_forgot_it() {
    let Some((one, _, _)) = pair() else { return };
    let policy = LimitPolicy::per_minute().with_requests(10);
    taken(&one, 0, policy).await;
    Beside::new().command(&["SCRIPT", "FLUSH"]);
    assert_eq!(taken(&one, 0, policy).await.remaining.requests, Some(8));
}

#[tokio::test]
async fn the_largest_numbers_are_no_way_around_a_limit() {
    let Some((one, _, _)) = pair() else { return };
    let policy = LimitPolicy::per_minute().with_tokens(u64::MAX);
    let first = taken(&one, u64::MAX, policy).await;
    one.settle("ann", first, u64::MAX, policy).await;
    let second = taken(&one, u64::MAX, policy).await;
    assert!(second.remaining.tokens < first.remaining.tokens);
    let policy = policy.with_tokens(1);
    assert_eq!(full(&one, u64::MAX, policy).await.retry_after, None);
}
