//! Which layer is outside which: trace, meter, quota, cache, fallback, and at each provider retry,
//! breaker, rate, concurrency, attempt, timeout.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aurax_core::{
    BreakerPolicy, CacheMode, CachePolicy, ConcurrencyPolicy, Ctx, Delivery, Engine, EngineBuilder,
    ErrorKind, MemoryCache, Outcome, Provider as _, QuotaPolicy, RatePolicy, Timeouts,
};
use tokio::time::Instant;

use super::desk::{Desk, Diary, secs, settle};
use super::support::{Script, ask, model, status, whole_answer};

fn builder(desk: &Desk, diary: &Diary) -> EngineBuilder {
    Engine::builder()
        .provider(desk.clone())
        .ledger(diary.clone())
}

fn cached(builder: EngineBuilder) -> EngineBuilder {
    let policy = CachePolicy::default().with_mode(CacheMode::Use);
    builder.cache(MemoryCache::new(), policy)
}

async fn chat(engine: &Engine, ctx: &Ctx) -> aurax_core::Result<aurax_core::Response> {
    let reply = engine.call(ctx, &ask("first/a", Delivery::Whole)).await?;
    reply.collect().await
}

fn down() -> Script {
    Script::Fail(status(503, ErrorKind::Overloaded))
}

#[tokio::test(start_paused = true)]
async fn meter_is_outside_fallback() {
    let first = Desk::new("first", |_, _| Script::Fail(status(401, ErrorKind::Auth)));
    let second = Desk::new("second", |_, _| whole_answer());
    let diary = Diary::default();
    let engine = cached(builder(&first, &diary))
        .provider(second)
        .build()
        .unwrap();
    let ctx = Ctx::local().with_fallback([model("second/b")]);
    chat(&engine, &ctx).await.unwrap();
    let rows = diary.ledger.settlements();
    assert_eq!(rows.len(), 1, "one row for both models");
    assert_eq!(rows[0].attempts.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn quota_is_outside_cache() {
    let (desk, diary) = (Desk::new("first", |_, _| whole_answer()), Diary::default());
    let quota = QuotaPolicy::none().with_requests_per_minute(2);
    let engine = cached(builder(&desk, &diary)).quota(quota).build().unwrap();
    chat(&engine, &Ctx::local()).await.unwrap();
    chat(&engine, &Ctx::local()).await.unwrap();
    let error = chat(&engine, &Ctx::local()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited, "though it is cached");
}

#[tokio::test(start_paused = true)]
async fn cache_is_outside_fallback_and_everything_at_the_provider() {
    let (desk, diary) = (Desk::new("first", |_, _| whole_answer()), Diary::default());
    let engine = cached(builder(&desk, &diary))
        .rate("first", RatePolicy::default().with_requests_per_minute(1))
        .build()
        .unwrap();
    let start = Instant::now();
    for _ in 0..10 {
        chat(&engine, &Ctx::local()).await.unwrap();
    }
    assert_eq!(
        start.elapsed(),
        Duration::ZERO,
        "a hit has no turn to wait for"
    );
    assert_eq!(diary.opened(), 1);
}

#[tokio::test(start_paused = true)]
async fn fallback_is_outside_retry() {
    let first = Desk::new("first", |_, _| down());
    let second = Desk::new("second", |_, _| whole_answer());
    let diary = Diary::default();
    let engine = builder(&first, &diary)
        .provider(second.clone())
        .build()
        .unwrap();
    let ctx = Ctx::local().with_fallback([model("second/b")]);
    chat(&engine, &ctx).await.unwrap();
    assert_eq!((first.attempts(), second.attempts()), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn retry_is_outside_breaker() {
    let (desk, diary) = (Desk::new("first", |_, _| down()), Diary::default());
    let policy = BreakerPolicy::default().with_min_samples(2);
    let engine = builder(&desk, &diary).breaker(policy).build().unwrap();
    let error = chat(&engine, &Ctx::local()).await.unwrap_err();
    assert_eq!(error.context("limit"), Some("breaker"));
    assert_eq!(desk.attempts(), 2, "each try of the one call counted");
}

#[tokio::test(start_paused = true)]
async fn what_was_refused_here_is_not_tried_again() {
    let (desk, diary) = (Desk::new("first", |_, _| whole_answer()), Diary::default());
    let one_a_minute = RatePolicy::default().with_requests_per_minute(1);
    for _ in 0..10 {
        let engine = builder(&desk, &diary)
            .rate("first", one_a_minute)
            .build()
            .unwrap();
        chat(&engine, &Ctx::local()).await.unwrap();
        let start = Instant::now();
        let error = chat(&engine, &Ctx::local()).await.unwrap_err();
        assert_eq!(error.retry_after(), Some(secs(60)));
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn breaker_is_outside_rate() {
    let refuse = Arc::new(Mutex::new(true));
    let refusing = refuse.clone();
    let desk = Desk::new("first", move |_, _| {
        if *refusing.lock().unwrap() {
            down()
        } else {
            whole_answer()
        }
    });
    let diary = Diary::default();
    let engine = builder(&desk, &diary)
        .breaker(BreakerPolicy::default().with_min_samples(2))
        .rate("first", RatePolicy::default().with_requests_per_minute(3))
        .build()
        .unwrap();
    for _ in 0..20 {
        chat(&engine, &Ctx::local()).await.unwrap_err();
    }
    *refuse.lock().unwrap() = false;
    tokio::time::advance(secs(10)).await;
    let start = Instant::now();
    chat(&engine, &Ctx::local()).await.unwrap();
    assert_eq!(
        start.elapsed(),
        Duration::ZERO,
        "refused calls took no turn"
    );
}

#[tokio::test(start_paused = true)]
async fn rate_is_outside_concurrency() {
    let (desk, diary) = (Desk::new("first", |_, _| whole_answer()), Diary::default());
    let engine = builder(&desk, &diary)
        .rate(
            "first",
            RatePolicy::default()
                .with_requests_per_minute(1)
                .with_max_wait(secs(200)),
        )
        .concurrency(
            "first",
            ConcurrencyPolicy::new(1).with_max_wait(Duration::ZERO),
        )
        .build()
        .unwrap();
    chat(&engine, &Ctx::local()).await.unwrap();
    let first = tokio::spawn({
        let engine = engine.clone();
        async move { chat(&engine, &Ctx::local()).await.map(drop) }
    });
    let second = tokio::spawn(async move { chat(&engine, &Ctx::local()).await.map(drop) });
    // Were the slot taken first, the second call would find it taken.
    first.await.unwrap().unwrap();
    second.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn rate_and_concurrency_are_outside_attempt_and_timeout() {
    let (desk, diary) = (Desk::new("first", |_, _| whole_answer()), Diary::default());
    let engine = builder(&desk, &diary)
        .rate(
            "first",
            RatePolicy::default()
                .with_requests_per_minute(1)
                .with_max_wait(secs(100)),
        )
        .timeouts(Timeouts::default().with_whole(secs(1)).with_total(secs(1)))
        .build()
        .unwrap();
    chat(&engine, &Ctx::local()).await.unwrap();
    let waiting = tokio::spawn(async move { chat(&engine, &Ctx::local()).await.map(drop) });
    for _ in 0..59 {
        settle().await;
        assert_eq!(diary.opened(), 1, "who waits is not announced");
        tokio::time::advance(secs(1)).await;
    }
    waiting.await.unwrap().unwrap();
    assert_eq!(diary.opened(), 2);
}

#[tokio::test(start_paused = true)]
async fn attempt_is_outside_timeout() {
    let (desk, diary) = (Desk::new("first", |_, _| Script::Silence), Diary::default());
    let timeouts = Timeouts::default().with_whole(secs(1));
    let engine = builder(&desk, &diary).timeouts(timeouts).build().unwrap();
    chat(&engine, &Ctx::local()).await.unwrap_err();
    let rows = diary.ledger.settlements();
    assert!(rows[0].attempts.len() > 1);
    for attempt in &rows[0].attempts {
        assert_eq!(attempt.outcome, Outcome::Unknown);
        assert_eq!(attempt.failure.as_ref().unwrap().kind, ErrorKind::Timeout);
    }
}

/// Tries, waits between them, waits for a turn and other models all spend from one deadline.
#[tokio::test(start_paused = true)]
async fn fallback_keeps_the_deadline() {
    let silent = || Script::Silence;
    let deadline = secs(7);
    let first = Desk::new("first", move |_, _| silent());
    let second = Desk::new("second", |_, _| down());
    let third = Desk::new("third", |_, _| whole_answer());
    let full = Desk::new("full", move |_, _| silent());
    let diary = Diary::default();
    let engine = builder(&first, &diary)
        .provider(second.clone())
        .provider(third)
        .provider(full)
        .timeouts(Timeouts::default().with_whole(secs(1)))
        .concurrency("full", ConcurrencyPolicy::new(1))
        .build()
        .unwrap();
    let all = ["second/b", "first/c", "full/d", "third/e"].map(model);
    // `full` has one slot, which another call holds for longer than the deadline.
    let held = tokio::spawn({
        let engine = engine.clone();
        async move {
            let ctx = Ctx::local().with_timeouts(Timeouts::default().with_whole(secs(100)));
            engine
                .call(&ctx, &ask("full/d", Delivery::Whole))
                .await
                .map(drop)
        }
    });
    settle().await;
    for order in [all.clone(), {
        let mut back = all.clone();
        back.reverse();
        back
    }] {
        let start = Instant::now();
        let ctx = Ctx::local()
            .with_deadline(start + deadline)
            .with_fallback(order);
        let answer = chat(&engine, &ctx).await;
        let took = start.elapsed();
        assert!(took <= deadline + Duration::from_millis(5), "{took:?}");
        if let Err(error) = answer {
            assert_eq!(error.context("limit"), Some("deadline"), "{error}");
        }
    }
    held.abort();
}
