//! Access keys with quotas of their own, and what callers hear of what is left.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aurax_core::limits::{Decision, LimitPolicy, MemoryLimits, SharedLimits, Taken};
use aurax_core::{
    CacheMode, CachePolicy, Ctx, Delivery, Engine, EngineBuilder, Error, ErrorKind, Head,
    MemoryCache, Phase, Principal, Provider as _, QuotaLeft, QuotaOf, QuotaPolicy, QuotaState,
    Reply, Retry, RetryPolicy,
};
use uuid::Uuid;

use super::desk::{Desk, secs, settle};
use super::support::{Script, ask, status, whole_answer};

const KEY: Uuid = Uuid::from_u128(7);

fn requests(most: u64) -> QuotaPolicy {
    QuotaPolicy::none().with_requests_per_minute(most)
}

fn tokens(most: u64) -> QuotaPolicy {
    QuotaPolicy::none().with_tokens_per_minute(most)
}

fn user(name: &str, quota: QuotaPolicy) -> Ctx {
    Ctx::new(Principal::new(name)).with_quota(quota)
}

fn with_key(ctx: &Ctx, id: Uuid, quota: QuotaPolicy) -> Ctx {
    ctx.clone().with_access_key(id).with_access_key_quota(quota)
}

fn builder(desk: &Desk) -> EngineBuilder {
    let builder = Engine::builder().provider(desk.clone());
    builder.retry(RetryPolicy::never())
}

fn engine() -> Engine {
    let desk = Desk::new("first", |_, _| whole_answer());
    builder(&desk).build().unwrap()
}

async fn call(engine: &Engine, ctx: &Ctx) -> Result<Reply, Error> {
    engine.call(ctx, &ask("first/a", Delivery::Whole)).await
}

/// The answer's head, after all of it was read.
async fn chat(engine: &Engine, ctx: &Ctx) -> Result<Head, Error> {
    let reply = call(engine, ctx).await?;
    let head = reply.head().clone();
    reply.collect().await?;
    Ok(head)
}

fn left(limit: u64, remaining: u64, reset_in: Duration, of: QuotaOf) -> QuotaLeft {
    QuotaLeft::new(limit, remaining, reset_in, of)
}

fn assert_refused(error: &Error, limit: &str, of: &str) {
    assert_eq!(error.kind(), ErrorKind::RateLimited, "{error}");
    assert_eq!(error.context("limit"), Some(limit), "{error}");
    assert_eq!(error.context("of"), Some(of), "{error}");
    assert_eq!(error.phase(), Some(Phase::Encode), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_call_has_to_fit_its_keys_quota_and_its_users() {
    let engine = engine();
    let ann = user("ann", requests(3));
    let by_key = with_key(&ann, KEY, requests(2));
    for _ in 0..2 {
        chat(&engine, &by_key).await.unwrap();
    }
    for _ in 0..5 {
        let error = chat(&engine, &by_key).await.unwrap_err();
        assert_refused(&error, "requests_per_minute", "access_key");
        assert!(
            error.message().contains("the access key's quota of 2"),
            "{error}"
        );
    }
    // What the key refused did not count for its user, and what the user may not do, no key may.
    chat(&engine, &ann).await.unwrap();
    let other_key = with_key(&ann, Uuid::from_u128(8), requests(2));
    for ctx in [&ann, &other_key] {
        let error = chat(&engine, ctx).await.unwrap_err();
        assert_refused(&error, "requests_per_minute", "user");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_user_may_not_do_counts_for_no_key() {
    let engine = engine();
    let full = with_key(
        &user("ann", requests(0)),
        KEY,
        requests(1).with_tokens_per_minute(9),
    );
    for _ in 0..3 {
        let error = chat(&engine, &full).await.unwrap_err();
        assert_refused(&error, "requests_per_minute", "user");
        assert_eq!(error.retry(), Retry::Never, "no request fits in none");
    }
    // The same key's minute is as it was: one request of 9 tokens fits.
    let free = with_key(
        &user("ann", QuotaPolicy::none()),
        KEY,
        requests(1).with_tokens_per_minute(9),
    );
    let head = chat(&engine, &free).await.unwrap();
    let quota = head.quota.unwrap();
    let minute = secs(60);
    assert_eq!(quota.requests, Some(left(1, 0, minute, QuotaOf::AccessKey)));
    assert_eq!(quota.tokens, Some(left(9, 0, minute, QuotaOf::AccessKey)));
}

/// The scripted answer says 10 tokens of input and 4 of output; the estimate of its input is 9.
#[tokio::test(start_paused = true)]
async fn tokens_are_corrected_for_the_key_and_for_the_user() {
    let engine = engine();
    let ann = user("ann", tokens(100));
    let by_key = with_key(&ann, KEY, tokens(23));
    let head = chat(&engine, &by_key).await.unwrap();
    let quota = head.quota.unwrap().tokens.unwrap();
    assert_eq!(quota, left(23, 14, secs(60), QuotaOf::AccessKey));
    tokio::time::advance(secs(1)).await;
    // 14 of each are used.
    let quota = chat(&engine, &by_key).await.unwrap().quota.unwrap();
    assert_eq!(
        quota.tokens,
        Some(left(23, 0, secs(60), QuotaOf::AccessKey))
    );
    let error = chat(&engine, &by_key).await.unwrap_err();
    assert_refused(&error, "tokens_per_minute", "access_key");
    let quota = error.quota().unwrap();
    assert_eq!(
        quota.tokens,
        Some(left(23, 0, secs(60), QuotaOf::AccessKey))
    );
    assert_eq!(quota.requests, None);
    let quota = chat(&engine, &ann).await.unwrap().quota.unwrap();
    assert_eq!(quota.tokens, Some(left(100, 63, secs(60), QuotaOf::User)));
}

#[tokio::test(start_paused = true)]
async fn a_key_has_places_in_flight_of_its_own() {
    let engine = engine();
    let ann = user("ann", QuotaPolicy::none().with_in_flight(2));
    let by_key = with_key(&ann, KEY, QuotaPolicy::none().with_in_flight(1));
    let held = call(&engine, &by_key).await.unwrap();
    assert_eq!(held.head().quota, None, "nothing is counted by the minute");
    let error = call(&engine, &by_key).await.unwrap_err();
    assert_refused(&error, "in_flight", "access_key");
    assert_eq!(error.quota(), None);
    let other = call(&engine, &ann).await.unwrap();
    let another_key = with_key(
        &ann,
        Uuid::from_u128(8),
        QuotaPolicy::none().with_in_flight(1),
    );
    for _ in 0..2 {
        let error = call(&engine, &another_key).await.unwrap_err();
        assert_refused(&error, "in_flight", "user");
    }
    drop((held, other));
    // The place that the other key had while its user was asked is free again.
    let both = [
        call(&engine, &another_key).await,
        call(&engine, &by_key).await,
    ];
    for reply in both {
        reply.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_and_a_principal_of_the_same_name_are_not_one() {
    let limits = Watched::default();
    let desk = Desk::new("first", |_, _| whole_answer());
    let shared = builder(&desk)
        .shared_limits(limits.clone())
        .build()
        .unwrap();
    for engine in [&engine(), &shared] {
        let named = [
            format!("key/{KEY}"),
            KEY.to_string(),
            format!("/key-quota/{KEY}"),
        ];
        for name in named {
            chat(engine, &user(&name, requests(1))).await.unwrap();
        }
        let by_key = with_key(&user("ann", QuotaPolicy::none()), KEY, requests(1));
        chat(engine, &by_key).await.unwrap();
        chat(engine, &by_key).await.unwrap_err();
    }
}

#[tokio::test(start_paused = true)]
async fn a_quota_for_a_key_that_is_not_named_is_refused() {
    let ctx = Ctx::local().with_access_key_quota(requests(1));
    let error = chat(&engine(), &ctx).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.message().contains("with_access_key"), "{error}");
    let without_limit = Ctx::local().with_access_key_quota(QuotaPolicy::none());
    chat(&engine(), &without_limit).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn callers_hear_what_is_left_of_the_tighter_limit() {
    let engine = engine();
    assert_eq!(chat(&engine, &Ctx::local()).await.unwrap().quota, None);
    let ann = user("ann", requests(9).with_tokens_per_minute(50));
    let by_key = with_key(&ann, KEY, requests(2));
    let quota = chat(&engine, &ann).await.unwrap().quota.unwrap();
    assert_eq!(quota.requests, Some(left(9, 8, secs(60), QuotaOf::User)));
    assert_eq!(quota.tokens, Some(left(50, 41, secs(60), QuotaOf::User)));
    tokio::time::advance(secs(20)).await;
    let quota = chat(&engine, &by_key).await.unwrap().quota.unwrap();
    assert_eq!(
        quota.requests,
        Some(left(2, 1, secs(60), QuotaOf::AccessKey))
    );
    assert_eq!(quota.tokens, Some(left(50, 27, secs(60), QuotaOf::User)));
    tokio::time::advance(secs(20)).await;
    chat(&engine, &by_key).await.unwrap();
    let error = chat(&engine, &by_key).await.unwrap_err();
    let told = QuotaState::new(Some(left(2, 0, secs(60), QuotaOf::AccessKey)), None);
    assert_eq!(error.quota(), Some(&told));
    assert_eq!(error.retry_after(), Some(secs(40)));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_later_says_what_is_left_as_well() {
    let desk = Desk::new("first", |_, _| Script::Fail(status(401, ErrorKind::Auth)));
    let engine = builder(&desk).build().unwrap();
    let error = chat(&engine, &user("ann", requests(5))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth);
    let quota = error.quota().unwrap().requests;
    assert_eq!(quota, Some(left(5, 4, secs(60), QuotaOf::User)));
}

#[tokio::test(start_paused = true)]
async fn an_answer_from_the_cache_says_what_is_left_now() {
    let desk = Desk::new("first", |_, _| whole_answer());
    let policy = CachePolicy::default().with_mode(CacheMode::Use);
    let builder = builder(&desk).cache(MemoryCache::new(), policy);
    let engine = builder.build().unwrap();
    for remaining in [4, 3] {
        let head = chat(&engine, &user("ann", requests(5))).await.unwrap();
        assert_eq!(head.cached, remaining == 3);
        assert_eq!(head.quota.unwrap().requests.unwrap().remaining, remaining);
    }
}

/// Counters in memory that write down what they are asked for.
#[derive(Debug, Clone, Default)]
struct Watched {
    inner: MemoryLimits,
    asked: Arc<Mutex<Vec<String>>>,
    /// Whose take never comes back.
    hangs_at: Option<&'static str>,
}

impl Watched {
    fn note(&self, what: &str, key: &str) {
        self.asked.lock().unwrap().push(format!("{what} {key}"));
    }

    /// What was asked for since the last time.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

#[aurax_core::async_trait]
impl SharedLimits for Watched {
    async fn take(&self, key: &str, tokens: u64, policy: LimitPolicy) -> Result<Decision, Error> {
        self.note("take", key);
        if self.hangs_at == Some(key) {
            std::future::pending::<()>().await;
        }
        self.inner.take(key, tokens, policy).await
    }

    async fn settle(&self, key: &str, taken: Taken, used: u64, policy: LimitPolicy) {
        self.note("settle", key);
        self.inner.settle(key, taken, used, policy).await;
    }

    async fn give_back(&self, key: &str, taken: Taken, policy: LimitPolicy) {
        self.note("give back", key);
        self.inner.give_back(key, taken, policy).await;
    }
}

fn shared(limits: &Watched) -> Engine {
    let desk = Desk::new("first", |_, _| whole_answer());
    let builder = builder(&desk).shared_limits(limits.clone());
    builder.build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn shared_counters_give_back_what_the_other_quota_refused() {
    let limits = Watched::default();
    let engine = shared(&limits);
    let ann = user("ann", requests(1));
    let by_key = with_key(&ann, KEY, requests(2).with_tokens_per_minute(100));
    chat(&engine, &by_key).await.unwrap();
    settle().await;
    let key = format!("key-quota/{KEY}");
    let takes = [format!("take {key}"), "take quota/ann".to_owned()];
    // Only the key limits tokens.
    assert_eq!(
        limits.asked(),
        [&takes[..], &[format!("settle {key}")]].concat()
    );
    for _ in 0..3 {
        let error = chat(&engine, &by_key).await.unwrap_err();
        assert_refused(&error, "requests_per_minute", "user");
        let told = error.quota().unwrap().requests.unwrap();
        assert_eq!((told.limit, told.remaining, told.of), (1, 0, QuotaOf::User));
        settle().await;
        assert_eq!(
            limits.asked(),
            [&takes[..], &[format!("give back {key}")]].concat()
        );
    }
    let free = with_key(&user("bob", QuotaPolicy::none()), KEY, requests(2));
    let quota = chat(&engine, &free).await.unwrap().quota.unwrap();
    assert_eq!(
        quota.requests,
        Some(left(2, 0, secs(61), QuotaOf::AccessKey))
    );
    limits.asked();
    let error = chat(&engine, &free).await.unwrap_err();
    assert_refused(&error, "requests_per_minute", "access_key");
    settle().await;
    assert_eq!(
        limits.asked(),
        [format!("take {key}")],
        "the user is not asked"
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_given_up_between_two_counters_took_nothing() {
    let limits = Watched {
        hangs_at: Some("quota/ann"),
        ..Watched::default()
    };
    let engine = shared(&limits);
    let by_key = with_key(&user("ann", requests(1)), KEY, requests(1));
    for _ in 0..3 {
        let waiting = tokio::time::timeout(secs(1), chat(&engine, &by_key));
        waiting.await.unwrap_err();
        settle().await;
    }
    let free = with_key(&user("bob", QuotaPolicy::none()), KEY, requests(1));
    chat(&engine, &free).await.unwrap();
}
