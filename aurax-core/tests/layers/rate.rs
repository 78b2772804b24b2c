//! The pace a provider allows.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aurax_core::{
    CancellationToken, Credential, Ctx, Delivery, Engine, Error, ErrorKind, Phase, Provider as _,
    RateLimit, RatePolicy, Retry, RetryPolicy,
};
use tokio::time::Instant;

use super::desk::{Desk, Diary, question, secs, settle};
use super::support::{Script, Step, ask, end, status, text, whole_answer};

fn engine(desk: &Desk, policy: RatePolicy) -> (Engine, Diary) {
    let diary = Diary::default();
    let engine = Engine::builder()
        .provider(desk.clone())
        .ledger(diary.clone())
        .retry(RetryPolicy::never())
        .rate("first", policy)
        .build()
        .unwrap();
    (engine, diary)
}

fn desk() -> Desk {
    Desk::new("first", |_, _| whole_answer())
}

async fn chat(engine: &Engine, ctx: &Ctx) -> Result<(), Error> {
    let reply = engine.call(ctx, &ask("first/a", Delivery::Whole)).await?;
    reply.collect().await.map(drop)
}

fn own_key(key: &str) -> Ctx {
    Ctx::local().with_credential("first", Credential::new(key))
}

/// Rounded down to a tenth: the timer may be a millisecond late.
fn tenths(since: Instant) -> u128 {
    since.elapsed().as_millis() / 100
}

#[tokio::test(start_paused = true)]
async fn requests_wait_for_their_turn_in_the_order_they_came() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let start = Instant::now();
    let seen = order.clone();
    let desk = Desk::new("first", move |_, call| {
        seen.lock()
            .unwrap()
            .push((question(call), start.elapsed().as_secs()));
        whole_answer()
    });
    let policy = RatePolicy::default()
        .with_requests_per_minute(2)
        .with_max_wait(secs(200));
    let (engine, _) = engine(&desk, policy);
    let questions: Vec<String> = (0..6).map(|n| n.to_string()).collect();
    let calls = questions.iter().map(|q| engine.chat("first/a", q.as_str()));
    futures::future::join_all(calls).await;
    let expected: Vec<(String, u64)> = questions
        .into_iter()
        .zip([0, 0, 60, 60, 120, 120])
        .collect();
    assert_eq!(*order.lock().unwrap(), expected);
}

/// The scripted answer uses 14 tokens; the estimate of its input is 9.
#[tokio::test(start_paused = true)]
async fn tokens_are_those_the_answers_used() {
    let policy = RatePolicy::default()
        .with_tokens_per_minute(30)
        .with_max_wait(secs(200));
    let (engine, _) = engine(&desk(), policy);
    let start = Instant::now();
    chat(&engine, &Ctx::local()).await.unwrap();
    chat(&engine, &Ctx::local()).await.unwrap();
    assert_eq!(tenths(start), 0);
    chat(&engine, &Ctx::local()).await.unwrap();
    assert_eq!(tenths(start), 600, "28 of 30 were used");
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_too_long_is_an_error_at_once() {
    let policy = RatePolicy::default().with_requests_per_minute(1);
    let (engine, diary) = engine(&desk(), policy);
    chat(&engine, &Ctx::local()).await.unwrap();
    tokio::time::advance(secs(10)).await;
    let start = Instant::now();
    // The longest wait is 30 s, and it would be 50.
    let error = chat(&engine, &Ctx::local()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    assert_eq!(error.phase(), Some(Phase::Encode));
    assert_eq!(error.context("limit"), Some("rate"));
    assert_eq!(error.context("of"), Some("requests_per_minute"));
    assert_eq!(error.retry_after(), Some(secs(50)));
    tokio::time::advance(secs(25)).await;
    // Now it would be 25, and the deadline is nearer.
    let ctx = Ctx::local().with_deadline(Instant::now() + secs(20));
    let error = chat(&engine, &ctx).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(secs(25)));
    assert_eq!(start.elapsed(), secs(25), "nobody waited");
    assert_eq!(diary.opened(), 1);
    chat(&engine, &Ctx::local()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_request_that_never_fits_does_not_wait() {
    let policy = RatePolicy::default().with_tokens_per_minute(8);
    let (engine, _) = engine(&desk(), policy);
    let error = chat(&engine, &Ctx::local()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    assert_eq!((error.retry(), error.retry_after()), (Retry::Never, None));
}

/// Refuses the first call, and answers from then on.
fn refuses_once(wait: Option<Duration>) -> Desk {
    let refused = Mutex::new(false);
    Desk::new("first", move |_, _| {
        if std::mem::replace(&mut *refused.lock().unwrap(), true) {
            return whole_answer();
        }
        Script::Fail(status(429, ErrorKind::RateLimited).with_retry_after(wait))
    })
}

#[tokio::test(start_paused = true)]
async fn a_refusal_keeps_everyone_with_the_key_waiting_and_nobody_else() {
    let (engine, diary) = engine(&refuses_once(Some(secs(20))), RatePolicy::default());
    let start = Instant::now();
    let error = chat(&engine, &Ctx::local()).await.unwrap_err();
    assert_eq!(error.upstream().unwrap().status, Some(429));
    chat(&engine, &own_key("key-a")).await.unwrap();
    assert_eq!(tenths(start), 0);
    let waiting = tokio::spawn({
        let engine = engine.clone();
        async move { chat(&engine, &Ctx::local()).await }
    });
    settle().await;
    tokio::time::advance(secs(19)).await;
    settle().await;
    assert_eq!(diary.opened(), 2, "the ledger hears nothing of who waits");
    waiting.await.unwrap().unwrap();
    assert_eq!(tenths(start), 200);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_within_a_stream_counts_as_well() {
    let refused = Mutex::new(false);
    let desk = Desk::new("first", move |_, _| {
        if std::mem::replace(&mut *refused.lock().unwrap(), true) {
            return whole_answer();
        }
        let error = status(429, ErrorKind::RateLimited).with_retry_after(Some(secs(20)));
        Script::Answer(vec![Step::Fail(error)])
    });
    let (engine, _) = engine(&desk, RatePolicy::default());
    chat(&engine, &Ctx::local()).await.unwrap_err();
    let start = Instant::now();
    chat(&engine, &Ctx::local()).await.unwrap();
    assert_eq!(tenths(start), 200);
}

#[tokio::test(start_paused = true)]
async fn no_refusal_is_believed_for_longer_than_the_policy_says() {
    for (asked, waited) in [(Duration::MAX, 600), (secs(3_600), 600), (secs(2), 20)] {
        let policy = RatePolicy::default().with_max_wait(secs(100));
        let (engine, _) = engine(&refuses_once(Some(asked)), policy);
        chat(&engine, &Ctx::local()).await.unwrap_err();
        let start = Instant::now();
        chat(&engine, &Ctx::local()).await.unwrap();
        assert_eq!(tenths(start), waited, "{asked:?}");
    }
    let policy = RatePolicy::default().with_max_pause(secs(5));
    let (hurried, _) = engine(&refuses_once(Some(secs(20))), policy);
    chat(&hurried, &Ctx::local()).await.unwrap_err();
    let start = Instant::now();
    chat(&hurried, &Ctx::local()).await.unwrap();
    assert_eq!(tenths(start), 50);
    let (engine, _) = engine(&refuses_once(None), RatePolicy::default());
    chat(&engine, &Ctx::local()).await.unwrap_err();
    let start = Instant::now();
    chat(&engine, &Ctx::local()).await.unwrap();
    assert_eq!(
        tenths(start),
        0,
        "a refusal without a wait is for the retries"
    );
}

fn limit(remaining: u64, reset: Duration) -> RateLimit {
    let mut limit = RateLimit::new("requests");
    limit.remaining = Some(remaining);
    limit.reset = Some(reset);
    limit
}

#[tokio::test(start_paused = true)]
async fn a_limit_with_nothing_left_is_waited_for() {
    for (said, waited) in [
        (limit(0, secs(5)), 50),
        (limit(1, secs(5)), 0),
        // Not longer than a call may wait: the provider has not refused anything.
        (limit(0, secs(600)), 300),
    ] {
        let desk = desk();
        let (engine, _) = engine(&desk, RatePolicy::default());
        desk.say([said]);
        chat(&engine, &Ctx::local()).await.unwrap();
        desk.say([]);
        let start = Instant::now();
        chat(&engine, &own_key("key-a")).await.unwrap();
        assert_eq!(tenths(start), 0);
        chat(&engine, &Ctx::local()).await.unwrap();
        assert_eq!(tenths(start), waited);
    }
}

#[tokio::test(start_paused = true)]
async fn the_line_has_an_end_and_can_be_left() {
    let policy = RatePolicy::default()
        .with_requests_per_minute(1)
        .with_max_wait(secs(100))
        .with_max_waiting(1);
    let (engine, _) = engine(&desk(), policy);
    chat(&engine, &Ctx::local()).await.unwrap();
    let cancel = CancellationToken::new();
    let ctx = Ctx::local().with_cancel(cancel.clone());
    let (waiting, refused) = futures::join!(chat(&engine, &ctx), async {
        settle().await;
        let error = chat(&engine, &Ctx::local()).await.unwrap_err();
        cancel.cancel();
        error
    });
    assert_eq!(waiting.unwrap_err().kind(), ErrorKind::Cancelled);
    assert_eq!(refused.kind(), ErrorKind::Overloaded);
    assert_eq!(refused.phase(), Some(Phase::Encode));
    // The place that was left is free again, and so is the turn.
    chat(&engine, &Ctx::local()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn patience_ends_behind_others_too() {
    let policy = RatePolicy::default().with_requests_per_minute(1);
    let (engine, _) = engine(&desk(), policy);
    chat(&engine, &Ctx::local()).await.unwrap();
    tokio::time::advance(secs(40)).await;
    // One turn comes in 20 s; the next one only a minute later.
    let (first, second) = (Ctx::local(), Ctx::local());
    let start = Instant::now();
    let (first, second) = futures::join!(chat(&engine, &first), chat(&engine, &second));
    first.unwrap();
    let error = second.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    assert_eq!(tenths(start), 200, "it is told as soon as it is known");
    assert!(error.retry_after().unwrap() > secs(59), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_turn_is_not_lost_to_a_slow_answer() {
    let desk = Desk::new("first", |_, _| {
        Script::Answer(vec![Step::Wait(secs(50)), text("one"), end()])
    });
    let (engine, _) = engine(&desk, RatePolicy::default());
    let start = Instant::now();
    let ctx = Ctx::local();
    let calls = (0..10).map(|_| chat(&engine, &ctx));
    let answers = futures::future::join_all(calls).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(tenths(start), 500, "they do not wait for each other");
}

/// All calls of a task are polled before the first that waits is polled again: whoever waits for no
/// reason keeps all of them waiting.
#[test]
fn without_a_limit_there_is_no_line() {
    let desk = Desk::new("first", |_, _| whole_answer());
    let policy = RatePolicy::default().with_max_waiting(1);
    let engine = Engine::builder().provider(desk).rate("first", policy);
    let engine = engine.build().unwrap();
    let many = |engine: Engine| async move {
        let calls = (0..3_000).map(|_| async {
            let call = ask("first/a", Delivery::Whole);
            let reply = engine.call(&Ctx::local(), &call).await?;
            reply.collect().await
        });
        futures::future::try_join_all(calls).await.map(drop)
    };
    let threads = [(); 2].map(|()| {
        let engine = engine.clone();
        std::thread::spawn(move || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            runtime.enable_all().build().unwrap().block_on(many(engine))
        })
    });
    for thread in threads {
        thread.join().unwrap().unwrap();
    }
}
