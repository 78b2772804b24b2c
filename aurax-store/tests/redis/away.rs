//! Redis killed, hung and back again: nobody waits, and each use does what it says.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use aurax_core::limits::{Decision, LimitPolicy, SharedLimits as _};
use aurax_core::{Bytes, CacheStore as _, ErrorKind};
use aurax_store::{LoginCache, ModelLists, Redis, RedisCache, RedisLimits, RedisOptions};

use crate::answers::a_key;
use crate::support::{Hung, LIMIT, Private, SLACK, ready, timed};

/// Every use, one of each.
struct Uses {
    redis: Redis,
    answers: RedisCache,
    logins: LoginCache,
    lists: ModelLists,
    limits: RedisLimits,
}

impl Uses {
    fn new(url: &str, options: RedisOptions) -> Self {
        let redis = Redis::new(url, options).unwrap();
        Self {
            answers: RedisCache::new(redis.clone()),
            logins: LoginCache::new(redis.clone()),
            lists: ModelLists::new(redis.clone()),
            limits: RedisLimits::new(redis.clone()),
            redis,
        }
    }
}

/// What each use does without Redis, and that nobody waits for longer than one command may take.
async fn goes_on_without(uses: &Uses) {
    let policy = LimitPolicy::per_minute().with_requests(8);
    let key = a_key().await;
    let (found, first) = timed(uses.answers.get(&key)).await;
    assert_eq!(found.unwrap(), None);
    let (kept, second) = timed(uses.answers.put(&key, Bytes::from_static(b"1"), LIMIT)).await;
    kept.unwrap_err();
    let (login, third) = timed(uses.logins.get(b"ann")).await;
    assert_eq!(login, None);
    let ((), fourth) = timed(uses.logins.put(b"ann", b"1")).await;
    let (forgotten, fifth) = timed(uses.logins.forget(b"ann")).await;
    forgotten.unwrap_err();
    let ((), sixth) = timed(uses.lists.put(b"groq", Bytes::from_static(b"[3]"))).await;
    let (list, seventh) = timed(uses.lists.get(b"groq")).await;
    assert_eq!(
        list,
        Some(Bytes::from_static(b"[3]")),
        "in the process's own memory"
    );
    let mut waits = vec![first, second, third, fourth, fifth, sixth, seventh];
    let mut allowed = 0;
    for _ in 0..10 {
        let (decision, wait) = timed(uses.limits.take("ann", 0, policy)).await;
        waits.push(wait);
        if let Decision::Allowed(taken) = decision.unwrap() {
            assert!(taken.is_local());
            allowed += 1;
        }
    }
    assert_eq!(allowed, 2, "a quarter of 8");
    let longest = waits.into_iter().max().unwrap();
    assert!(longest < LIMIT + SLACK, "{longest:?}");
}

fn options() -> RedisOptions {
    RedisOptions::new().with_replicas(NonZeroU32::new(4).unwrap())
}

#[tokio::test]
async fn a_killed_redis_is_gone_without_and_found_again() {
    let Some(mut server) = Private::start() else {
        return;
    };
    let uses = Uses::new(
        &server.url(),
        options().with_pause(Duration::from_millis(300)),
    );
    ready(&uses.redis).await;
    uses.lists.put(b"openai", Bytes::from_static(b"[1]")).await;
    uses.logins.put(b"ann", b"1").await;
    assert!(uses.logins.get(b"ann").await.is_some());

    server.kill();
    goes_on_without(&uses).await;
    assert_eq!(
        uses.lists.get(b"openai").await,
        Some(Bytes::from_static(b"[1]"))
    );
    assert!(!uses.redis.is_available());

    server.restart();
    let back = Instant::now();
    ready(&uses.redis).await;
    assert!(
        back.elapsed() < Duration::from_secs(5),
        "{:?}",
        back.elapsed()
    );
    assert!(uses.redis.is_available());
    // It is the server that decides again, and it has all of the limit.
    let policy = LimitPolicy::per_minute().with_requests(8);
    match uses.limits.take("ann", 0, policy).await.unwrap() {
        Decision::Allowed(taken) => assert!(!taken.is_local()),
        Decision::Refused(full) => panic!("{full:?}"),
    }
    uses.logins.put(b"ann", b"2").await;
    assert_eq!(uses.logins.get(b"ann").await.as_deref(), Some(&b"2"[..]));
}

#[tokio::test]
async fn a_hung_redis_costs_each_call_its_time_until_it_is_left_alone() {
    let hung = Hung::start();
    let options = options().with_pause(Duration::from_secs(60));
    let redis = Redis::new(&hung.url(), options.clone()).unwrap();
    for _ in 0..5 {
        assert!(redis.is_available());
        let (error, wait) = timed(redis.ping()).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Timeout);
        assert!(wait >= LIMIT && wait < LIMIT + SLACK, "{wait:?}");
    }
    assert!(!redis.is_available());
    let began = Instant::now();
    for _ in 0..1_000 {
        let error = redis.ping().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Network);
        assert!(error.context("reason").unwrap().contains("did not answer"));
        assert!(error.retry_after().unwrap() > Duration::from_secs(50));
    }
    assert!(began.elapsed() < LIMIT + SLACK, "{:?}", began.elapsed());
    goes_on_without(&Uses::new(&hung.url(), options)).await;
}

#[tokio::test]
async fn what_was_let_in_together_counts_towards_the_own_share() {
    let Some(mut server) = Private::start() else {
        return;
    };
    let uses = Uses::new(&server.url(), RedisOptions::new());
    ready(&uses.redis).await;
    let policy = LimitPolicy::per_minute().with_requests(3).with_tokens(100);
    let take = async |tokens| uses.limits.take("ann", tokens, policy).await.unwrap();
    for _ in 0..2 {
        let Decision::Allowed(taken) = take(30).await else {
            panic!("there is room");
        };
        assert!(!taken.is_local());
        uses.limits.settle("ann", taken, 45, policy).await;
    }
    let Decision::Allowed(came_to_nothing) = take(10).await else {
        panic!("there is room");
    };
    uses.limits.give_back("ann", came_to_nothing, policy).await;
    server.kill();
    assert!(
        matches!(take(11).await, Decision::Refused(_)),
        "90 are used"
    );
    let Decision::Allowed(taken) = take(10).await else {
        panic!("the process alone has all of the limit");
    };
    assert!(taken.is_local());
    assert!(
        matches!(take(0).await, Decision::Refused(_)),
        "3 requests are"
    );
}

#[tokio::test]
async fn a_list_that_was_found_lives_here_no_longer_than_there() {
    let Some(mut server) = Private::start() else {
        return;
    };
    let options = || RedisOptions::new().with_model_ttl(Duration::from_secs(2));
    let one = Uses::new(&server.url(), options());
    let other = Uses::new(&server.url(), options());
    ready(&one.redis).await;
    ready(&other.redis).await;
    one.lists.put(b"openai", Bytes::from_static(b"[1]")).await;
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert!(other.lists.get(b"openai").await.is_some());
    server.kill();
    assert!(other.lists.get(b"openai").await.is_some());
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert_eq!(other.lists.get(b"openai").await, None);
}

/// An hour of calls, in short: what is kept meanwhile does not grow.
#[tokio::test]
async fn memory_is_bounded_while_redis_is_away() {
    let hung = Hung::start();
    let options = options()
        .with_timeout(Duration::from_millis(5))
        .with_pause(Duration::from_millis(20));
    let uses = Uses::new(&hung.url(), options);
    let policy = LimitPolicy::per_minute().with_requests(8);
    let list = Bytes::from(vec![b'x'; 64 << 10]);
    let round = async |n: usize| {
        uses.limits
            .take(&format!("user-{n}"), 0, policy)
            .await
            .unwrap();
        let name = format!("provider-{n}");
        uses.lists
            .put(name.as_bytes(), list.clone().to_vec().into())
            .await;
    };
    for n in 0..17_000 {
        round(n).await;
    }
    let before = resident();
    for n in 17_000..34_000 {
        round(n).await;
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 8 << 20, "it grew by {grown} bytes");
}

/// Bytes of the process in memory; 0 where the system does not say.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1));
    kilobytes.map_or(0, |kb| kb.parse::<usize>().unwrap() << 10)
}
