//! Principals and their quotas.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aurax_core::limits::{Decision, Full, Limit, LimitPolicy, Remaining, SharedLimits, Taken};
use aurax_core::{
    Ctx, Delivery, Engine, EngineBuilder, Error, ErrorKind, Phase, Principal, Provider as _,
    QuotaPolicy, Retry, RetryPolicy,
};

use super::desk::{Desk, Diary, secs};
use super::support::{Script, Step, ask, model, start, status, text, whole_answer};

fn user(name: &str) -> Ctx {
    Ctx::new(Principal::new(name))
}

fn build(builder: EngineBuilder) -> Engine {
    builder.retry(RetryPolicy::never()).build().unwrap()
}

async fn chat(engine: &Engine, ctx: &Ctx) -> Result<(), Error> {
    let reply = engine.call(ctx, &ask("first/a", Delivery::Whole)).await?;
    reply.collect().await.map(drop)
}

fn assert_refused(error: &Error, limit: &str, wait: Option<Duration>) {
    assert_eq!(error.kind(), ErrorKind::RateLimited, "{error}");
    assert_eq!(error.context("limit"), Some(limit), "{error}");
    assert_eq!(error.phase(), Some(Phase::Encode), "{error}");
    assert_eq!(error.retry_after(), wait, "{error}");
    assert!(error.upstream().is_none(), "{error}");
}

#[tokio::test(start_paused = true)]
async fn requests_are_counted_to_the_one_and_waits_told_to_the_millisecond() {
    let desk = Desk::new("first", |_, _| whole_answer());
    let diary = Diary::default();
    let quota = QuotaPolicy::none().with_requests_per_minute(3);
    let builder = Engine::builder().provider(desk.clone()).quota(quota);
    let engine = build(builder.ledger(diary.clone()));
    let ctx = user("a");
    for _ in 0..3 {
        chat(&engine, &ctx).await.unwrap();
        tokio::time::advance(secs(10)).await;
    }
    let error = chat(&engine, &ctx).await.unwrap_err();
    assert_refused(&error, "requests_per_minute", Some(secs(30)));
    tokio::time::advance(Duration::from_millis(29_999)).await;
    let error = chat(&engine, &ctx).await.unwrap_err();
    let wait = Duration::from_millis(1);
    assert_refused(&error, "requests_per_minute", Some(wait));
    tokio::time::advance(wait).await;
    chat(&engine, &ctx).await.unwrap();
    let error = chat(&engine, &ctx).await.unwrap_err();
    assert_refused(&error, "requests_per_minute", Some(secs(10)));
    assert_eq!((desk.attempts(), diary.opened()), (4, 4));
    assert_eq!(diary.ledger.settled(), 4, "a refused call leaves no row");
}

#[tokio::test(start_paused = true)]
async fn one_principal_does_not_use_up_anothers() {
    let quota = QuotaPolicy::none().with_requests_per_minute(1);
    let desk = Desk::new("first", |_, _| whole_answer());
    let engine = build(Engine::builder().provider(desk).quota(quota));
    chat(&engine, &user("a")).await.unwrap();
    chat(&engine, &user("a")).await.unwrap_err();
    chat(&engine, &user("b")).await.unwrap();
}

/// The scripted answer says 10 tokens of input and 4 of output; the estimate of its input is 9.
#[tokio::test(start_paused = true)]
async fn tokens_are_what_the_answer_used() {
    let desk = Desk::new("first", |_, _| whole_answer());
    let quota = QuotaPolicy::none().with_tokens_per_minute(37);
    let engine = build(Engine::builder().provider(desk).quota(quota));
    let ctx = user("a");
    chat(&engine, &ctx).await.unwrap();
    tokio::time::advance(secs(1)).await;
    // 14 are used and 9 fit; 28 are used and 9 fit; 42 are used.
    chat(&engine, &ctx).await.unwrap();
    tokio::time::advance(secs(1)).await;
    chat(&engine, &ctx).await.unwrap();
    let error = chat(&engine, &ctx).await.unwrap_err();
    assert_refused(&error, "tokens_per_minute", Some(secs(58)));
    tokio::time::advance(secs(58)).await;
    chat(&engine, &ctx).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_refused_upstream_uses_no_tokens() {
    let desk = Desk::new("first", |_, _| Script::Fail(status(401, ErrorKind::Auth)));
    let quota = QuotaPolicy::none().with_tokens_per_minute(10);
    let engine = build(Engine::builder().provider(desk).quota(quota));
    for _ in 0..5 {
        let error = chat(&engine, &user("a")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Auth);
    }
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_is_dropped_uses_what_was_seen() {
    let words = (0..30).map(|_| text("word "));
    let steps: Vec<Step> = [start()].into_iter().chain(words).collect();
    let steps = Mutex::new(Some(steps));
    let desk = Desk::new("first", move |_, _| {
        Script::Answer(steps.lock().unwrap().take().unwrap())
    });
    let quota = QuotaPolicy::none().with_tokens_per_minute(40);
    let engine = build(Engine::builder().provider(desk).quota(quota));
    let call = ask("first/a", Delivery::Streamed);
    let mut reply = engine.call(&user("a"), &call).await.unwrap();
    for _ in 0..31 {
        futures::StreamExt::next(&mut reply).await.unwrap().unwrap();
    }
    drop(reply);
    // 9 of input and at least 30 of output leave no room for 9 more.
    let error = chat(&engine, &user("a")).await.unwrap_err();
    assert_refused(&error, "tokens_per_minute", Some(secs(60)));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_never_fits_is_not_told_to_wait() {
    let desk = Desk::new("first", |_, _| whole_answer());
    let quota = QuotaPolicy::none().with_tokens_per_minute(8);
    let engine = build(Engine::builder().provider(desk).quota(quota));
    let error = chat(&engine, &user("a")).await.unwrap_err();
    assert_refused(&error, "tokens_per_minute", None);
    assert_eq!(error.retry(), Retry::Never);
}

#[tokio::test(start_paused = true)]
async fn a_place_in_flight_is_free_when_a_call_ends_fails_or_is_dropped() {
    let desk = Desk::new("first", |_, call| match call.model.as_str() {
        "hangs" => Script::Answer(vec![start(), text("one "), Step::Hang]),
        "silent" => Script::Silence,
        "fails" => Script::Fail(status(401, ErrorKind::Auth)),
        "breaks" => Script::Answer(vec![
            text("one "),
            Step::Fail(status(500, ErrorKind::Server)),
        ]),
        _ => whole_answer(),
    });
    let quota = QuotaPolicy::none().with_in_flight(1);
    let engine = build(Engine::builder().provider(desk).quota(quota));
    let ctx = user("a");
    let streamed = |name: &str| ask(name, Delivery::Streamed);

    let held = engine.call(&ctx, &streamed("first/hangs")).await.unwrap();
    let error = chat(&engine, &ctx).await.unwrap_err();
    assert_refused(&error, "in_flight", None);
    chat(&engine, &user("b")).await.unwrap();
    drop(held);

    engine
        .call(&ctx, &streamed("first/fails"))
        .await
        .unwrap_err();
    let broken = engine.call(&ctx, &streamed("first/breaks")).await.unwrap();
    broken.collect().await.unwrap_err();

    let mut ended = engine.call(&ctx, &streamed("first/a")).await.unwrap();
    while let Some(batch) = futures::StreamExt::next(&mut ended).await {
        batch.unwrap();
    }
    // The reply is still held, and has ended.
    let silent = streamed("first/silent");
    let waiting = tokio::time::timeout(secs(1), engine.call(&ctx, &silent));
    waiting.await.unwrap_err();
    chat(&engine, &ctx).await.unwrap();
    drop(ended);
}

#[tokio::test(start_paused = true)]
async fn a_call_may_bring_the_quota_of_its_principal() {
    let desk = Desk::new("first", |_, _| whole_answer());
    let quota = QuotaPolicy::none().with_requests_per_minute(1);
    let engine = build(Engine::builder().provider(desk).quota(quota));
    let generous = user("a").with_quota(QuotaPolicy::none().with_requests_per_minute(3));
    for _ in 0..3 {
        chat(&engine, &generous).await.unwrap();
    }
    chat(&engine, &generous).await.unwrap_err();
    chat(&engine, &user("a").with_quota(QuotaPolicy::none()))
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_refused_call_is_neither_retried_nor_sent_elsewhere() {
    let first = Desk::new("first", |_, _| whole_answer());
    let second = Desk::new("second", |_, _| whole_answer());
    let quota = QuotaPolicy::none().with_requests_per_minute(1);
    let builder = Engine::builder().provider(first.clone());
    let engine = builder
        .provider(second.clone())
        .quota(quota)
        .build()
        .unwrap();
    let ctx = user("a").with_fallback([model("second/b")]);
    chat(&engine, &ctx).await.unwrap();
    let start = tokio::time::Instant::now();
    chat(&engine, &ctx).await.unwrap_err();
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!((first.attempts(), second.attempts()), (1, 0));
}

/// Counters that two engines share, of tokens; the clock stands still.
#[derive(Debug, Clone, Default)]
struct Counters {
    used: Arc<Mutex<Vec<(String, u64)>>>,
    settled: Arc<tokio::sync::Notify>,
    away: bool,
}

impl Counters {
    fn used(&self, key: &str) -> u64 {
        let used = self.used.lock().unwrap();
        used.iter()
            .filter(|(of, _)| of == key)
            .map(|(_, n)| n)
            .sum()
    }
}

#[aurax_core::async_trait]
impl SharedLimits for Counters {
    async fn take(&self, key: &str, tokens: u64, policy: LimitPolicy) -> Result<Decision, Error> {
        if self.away {
            return Err(Error::new(ErrorKind::Store, "the counters are away"));
        }
        assert_eq!(policy.window(), secs(60));
        if self.used(key) + tokens > policy.tokens.unwrap() {
            let full = Full::new(Limit::Tokens, Some(secs(7)), Remaining::default(), secs(9));
            return Ok(Decision::Refused(full));
        }
        self.used.lock().unwrap().push((key.to_owned(), tokens));
        let taken = Taken::new(tokens, Remaining::default(), secs(60), 3);
        Ok(Decision::Allowed(taken.with_shared_part(5)))
    }

    async fn settle(&self, key: &str, taken: Taken, used: u64, _: LimitPolicy) {
        assert_eq!((taken.local_part, taken.shared_part), (3, Some(5)));
        let mut all = self.used.lock().unwrap();
        let found = all
            .iter_mut()
            .find(|(of, n)| of == key && *n == taken.tokens);
        found.unwrap().1 = used;
        drop(all);
        self.settled.notify_one();
    }

    async fn give_back(&self, key: &str, _: Taken, _: LimitPolicy) {
        panic!("{key}: nobody refused it");
    }
}

#[tokio::test(start_paused = true)]
async fn engines_that_share_counters_share_the_quota() {
    let counters = Counters::default();
    let quota = QuotaPolicy::none().with_tokens_per_minute(37);
    let engine = || {
        let desk = Desk::new("first", |_, _| whole_answer());
        let builder = Engine::builder().provider(desk).quota(quota);
        build(builder.shared_limits(counters.clone()))
    };
    let (one, other) = (engine(), engine());
    // 14 are used and 9 fit; 28 are used and 9 fit; 42 are used.
    for engine in [&one, &other, &one] {
        chat(engine, &user("a")).await.unwrap();
        counters.settled.notified().await;
    }
    assert_eq!(counters.used("quota/a"), 42);
    let error = chat(&other, &user("a")).await.unwrap_err();
    assert_refused(&error, "tokens_per_minute", Some(secs(7)));
    chat(&other, &user("b")).await.unwrap();
}

/// A reply may be dropped by a thread that knows of no runtime.
#[tokio::test]
async fn what_was_seen_of_a_dropped_reply_is_counted_by_all() {
    let counters = Counters::default();
    let words = || (0..30).map(|_| text("word "));
    let desk = Desk::new("first", move |_, _| {
        Script::Answer([start()].into_iter().chain(words()).collect())
    });
    let quota = QuotaPolicy::none().with_tokens_per_minute(40);
    let builder = Engine::builder().provider(desk).quota(quota);
    let engine = build(builder.shared_limits(counters.clone()));
    let call = ask("first/a", Delivery::Streamed);
    let mut reply = engine.call(&user("a"), &call).await.unwrap();
    for _ in 0..31 {
        futures::StreamExt::next(&mut reply).await.unwrap().unwrap();
    }
    std::thread::spawn(move || drop(reply)).join().unwrap();
    counters.settled.notified().await;
    assert!(counters.used("quota/a") >= 39);
}

#[tokio::test(start_paused = true)]
async fn counters_that_cannot_decide_let_nothing_through() {
    let desk = Desk::new("first", |_, _| whole_answer());
    let quota = QuotaPolicy::none().with_tokens_per_minute(1_000);
    let counters = Counters {
        away: true,
        ..Counters::default()
    };
    let builder = Engine::builder().provider(desk.clone()).quota(quota);
    let engine = build(builder.shared_limits(counters));
    let error = chat(&engine, &user("a")).await.unwrap_err();
    assert_eq!((error.kind(), desk.attempts()), (ErrorKind::Store, 0));
    let free = user("a").with_quota(QuotaPolicy::none().with_in_flight(1));
    chat(&engine, &free).await.unwrap();
}
