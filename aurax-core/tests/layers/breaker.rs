//! Providers that fail, and who notices.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aurax_core::{
    BreakerPolicy, CancellationToken, Credential, Ctx, Delivery, Engine, Error, ErrorKind, Phase,
    Provider as _, Response, RetryPolicy, Timeouts,
};
use tokio::time::Instant;

use super::desk::{Desk, Diary, secs};
use super::support::{Script, Step, ask, connect_error, model, start, status, whole_answer};

fn engine(desk: &Desk) -> Engine {
    let builder = Engine::builder().provider(desk.clone());
    builder.retry(RetryPolicy::never()).build().unwrap()
}

async fn chat(engine: &Engine, ctx: &Ctx) -> Result<Response, Error> {
    let reply = engine.call(ctx, &ask("first/a", Delivery::Whole)).await?;
    reply.collect().await
}

fn down() -> Script {
    Script::Fail(status(503, ErrorKind::Overloaded))
}

fn is_left_alone(error: &Error) -> bool {
    error.context("limit") == Some("breaker")
}

/// What happens, and the script of it.
type Case = (&'static str, fn() -> Script);

/// Whether calls that end with `script` get a provider left alone.
async fn opens(ctx: &Ctx, script: fn() -> Script) -> bool {
    let desk = Desk::new("first", move |_, _| script());
    let engine = engine(&desk);
    let mut last = None;
    for _ in 0..30 {
        let call = ask("first/a", Delivery::Streamed);
        let reply = tokio::time::timeout(secs(5_000), engine.call(ctx, &call)).await;
        last = Some(match reply.unwrap() {
            Ok(reply) => reply.collect().await,
            Err(error) => Err(error),
        });
    }
    matches!(last, Some(Err(error)) if is_left_alone(&error))
}

#[tokio::test(start_paused = true)]
async fn what_is_the_providers_fault_counts_and_nothing_else() {
    let counting: [Case; 4] = [
        ("5xx", || Script::Fail(status(500, ErrorKind::Server))),
        ("no capacity", down),
        ("no connection", || Script::Fail(connect_error())),
        ("an error in the stream before its first content", || {
            let error = Error::new(ErrorKind::Network, "reset").with_phase(Phase::Body);
            Script::Answer(vec![start(), Step::Fail(error)])
        }),
    ];
    for (name, script) in counting {
        assert!(opens(&Ctx::local(), script).await, "{name}");
    }
    let never: [Case; 7] = [
        ("a refused key", || {
            Script::Fail(status(401, ErrorKind::Auth))
        }),
        ("a used-up balance", || {
            Script::Fail(status(429, ErrorKind::Quota))
        }),
        ("a rate limit", || {
            Script::Fail(status(429, ErrorKind::RateLimited))
        }),
        ("a wrong request", || {
            Script::Fail(status(400, ErrorKind::InvalidRequest))
        }),
        ("a request that was not sent", || {
            let error = Error::new(ErrorKind::Server, "no").with_phase(Phase::Encode);
            Script::Fail(error)
        }),
        ("an answer", whole_answer),
        ("an answer that breaks off", || {
            let error = Error::new(ErrorKind::Network, "reset").with_phase(Phase::Body);
            Script::Answer(vec![super::support::text("one "), Step::Fail(error)])
        }),
    ];
    for (name, script) in never {
        assert!(!opens(&Ctx::local(), script).await, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_on_time_counts_unless_the_caller_chose_it() {
    let silent: fn() -> Script = || Script::Silence;
    let short = Timeouts::default().with_headers(Duration::from_millis(1));
    assert!(!opens(&Ctx::local().with_timeouts(short), silent).await);

    // A window that holds several of the engine's own timeouts.
    let desk = Desk::new("first", |_, _| Script::Silence);
    let policy = BreakerPolicy::default().with_min_samples(3);
    let engine = |timeouts| {
        let builder = Engine::builder().provider(desk.clone()).breaker(policy);
        let builder = builder.timeouts(timeouts).retry(RetryPolicy::never());
        builder.build().unwrap()
    };
    let short = Timeouts::default().with_whole(secs(1));
    let own = engine(short);
    for _ in 0..3 {
        let error = chat(&own, &Ctx::local()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
    }
    assert!(is_left_alone(&chat(&own, &Ctx::local()).await.unwrap_err()));

    let patient = engine(Timeouts::default());
    for _ in 0..9 {
        let ctx = Ctx::local().with_deadline(Instant::now() + secs(1));
        let error = chat(&patient, &ctx).await.unwrap_err();
        assert_eq!(error.context("limit"), Some("deadline"), "{error}");
        let cancel = CancellationToken::new();
        let ctx = Ctx::local().with_cancel(cancel.clone());
        let (answer, ()) = futures::join!(chat(&patient, &ctx), async {
            tokio::time::sleep(secs(1)).await;
            cancel.cancel();
        });
        assert_eq!(answer.unwrap_err().kind(), ErrorKind::Cancelled);
        let call = ask("first/a", Delivery::Whole);
        let ctx = Ctx::local();
        let dropped = tokio::time::timeout(secs(1), patient.call(&ctx, &call));
        dropped.await.unwrap_err();
    }
}

#[tokio::test(start_paused = true)]
async fn one_key_never_opens_for_another() {
    let desk = Desk::new("first", |ctx, _| {
        match ctx.credential("first").map(|own| own.base_url.as_deref()) {
            None | Some(Some("https://good.test")) => whole_answer(),
            _ => down(),
        }
    });
    let engine = engine(&desk);
    let key = |key: &str| Ctx::local().with_credential("first", Credential::new(key));
    let at = |url: &str| {
        let credential = Credential::new("key-a").with_base_url(url);
        Ctx::local().with_credential("first", credential)
    };
    for ctx in [key("key-a"), at("https://bad.test")] {
        for _ in 0..20 {
            chat(&engine, &ctx).await.unwrap_err();
        }
        assert!(is_left_alone(&chat(&engine, &ctx).await.unwrap_err()));
        // The configured key, the same key elsewhere, and another key, which gets its own word.
        chat(&engine, &Ctx::local()).await.unwrap();
        chat(&engine, &at("https://good.test")).await.unwrap();
        let error = chat(&engine, &key("key-b")).await.unwrap_err();
        assert_eq!(error.upstream().unwrap().status, Some(503), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_provider_left_alone_is_not_asked_and_a_fallback_is_at_once() {
    let first = Desk::new("first", |_, _| down());
    let second = Desk::new("second", |_, _| whole_answer());
    let diary = Diary::default();
    let builder = Engine::builder().provider(first.clone());
    let engine = builder
        .provider(second.clone())
        .ledger(diary.clone())
        .build()
        .unwrap();
    while !is_left_alone(&chat(&engine, &Ctx::local()).await.unwrap_err()) {}
    let (asked, opened) = (first.attempts(), diary.opened());
    let settled = diary.ledger.settled();

    let start = Instant::now();
    let error = chat(&engine, &Ctx::local()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Overloaded);
    assert_eq!(error.phase(), Some(Phase::Encode));
    assert!(error.upstream().is_none());
    let wait = error.retry_after().unwrap();
    assert!(wait > Duration::ZERO && wait <= secs(10), "{wait:?}");
    assert_eq!((first.attempts(), diary.opened()), (asked, opened));
    assert_eq!(diary.ledger.settled(), settled, "nothing to settle");

    let ctx = Ctx::local().with_fallback([model("second/b")]);
    let response = chat(&engine, &ctx).await.unwrap();
    assert_eq!(&*response.provider, "second");
    assert_eq!(response.receipt.unwrap().attempts, 1);
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn one_call_at_a_time_finds_out_and_then_everyone_may() {
    let up = Arc::new(AtomicBool::new(false));
    let is_up = up.clone();
    let desk = Desk::new("first", move |_, _| {
        if is_up.load(Ordering::Relaxed) {
            Script::Answer(vec![
                Step::Wait(secs(1)),
                start(),
                super::support::text("one"),
                super::support::end(),
            ])
        } else {
            down()
        }
    });
    let engine = engine(&desk);
    for _ in 0..11 {
        chat(&engine, &Ctx::local()).await.unwrap_err();
    }
    let asked = desk.attempts();
    assert_eq!(asked, 10);
    tokio::time::advance(secs(10)).await;
    chat(&engine, &Ctx::local()).await.unwrap_err();
    assert_eq!(desk.attempts(), asked + 1, "one call found it still down");
    chat(&engine, &Ctx::local()).await.unwrap_err();
    assert_eq!(desk.attempts(), asked + 1);

    up.store(true, Ordering::Relaxed);
    tokio::time::advance(secs(10)).await;
    let ctx = Ctx::local();
    let calls = (0..5).map(|_| chat(&engine, &ctx));
    let answers = futures::future::join_all(calls).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert_eq!(desk.attempts(), asked + 2);
    let calls = (0..5).map(|_| chat(&engine, &ctx));
    let answers = futures::future::join_all(calls).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_given_up_makes_room_for_another() {
    let answers = std::sync::Mutex::new(0);
    let desk = Desk::new("first", move |_, _| {
        let mut count = answers.lock().unwrap();
        *count += 1;
        match *count {
            1..=10 => down(),
            11 => Script::Silence,
            _ => whole_answer(),
        }
    });
    let engine = engine(&desk);
    for _ in 0..10 {
        chat(&engine, &Ctx::local()).await.unwrap_err();
    }
    tokio::time::advance(secs(10)).await;
    let ctx = Ctx::local();
    let probe = tokio::time::timeout(secs(1), chat(&engine, &ctx));
    probe.await.unwrap_err();
    chat(&engine, &Ctx::local()).await.unwrap();
}

/// Two thousand calls, some at a time, at a provider that answers nobody.
async fn storm(breaker: BreakerPolicy) -> (usize, usize) {
    let desk = Desk::new("first", |_, _| down());
    let builder = Engine::builder().provider(desk.clone()).breaker(breaker);
    let engine = builder.build().unwrap();
    let mut calls = 0;
    for round in 0..100 {
        let at_a_time = 20;
        calls += at_a_time;
        let ctx = Ctx::local();
        let round_of = (0..at_a_time).map(|_| chat(&engine, &ctx));
        let answers = futures::future::join_all(round_of).await;
        assert!(answers.iter().all(Result::is_err));
        tokio::time::advance(Duration::from_millis(round * 7)).await;
    }
    (desk.attempts(), calls)
}

#[tokio::test(start_paused = true)]
async fn a_storm_is_at_most_a_quarter_more_than_the_load() {
    let (attempts, calls) = storm(BreakerPolicy::never()).await;
    assert!(attempts >= calls, "every call was sent once");
    assert!(attempts * 100 <= calls * 125, "{attempts} for {calls}");

    let (attempts, calls) = storm(BreakerPolicy::default()).await;
    assert!(attempts * 10 <= calls, "{attempts} for {calls}");
}

#[tokio::test(start_paused = true)]
async fn a_breaker_can_be_turned_off() {
    let desk = Desk::new("first", |_, _| down());
    let builder = Engine::builder().provider(desk.clone());
    let builder = builder.retry(RetryPolicy::never());
    let engine = builder.breaker(BreakerPolicy::never()).build().unwrap();
    for _ in 0..100 {
        chat(&engine, &Ctx::local()).await.unwrap_err();
    }
    assert_eq!(desk.attempts(), 100);
}
