//! Attempts in flight, and those that wait.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aurax_core::{
    CancellationToken, ConcurrencyPolicy, Credential, Ctx, Delivery, Engine, Error, ErrorKind,
    Phase, Provider as _, Reply, RetryPolicy,
};
use futures::StreamExt as _;
use tokio::time::Instant;

use super::desk::{Desk, Diary, question, secs, settle};
use super::support::{Script, Step, ask, end, start, status, text, whole_answer};

fn engine(desk: &Desk, diary: &Diary, policy: ConcurrencyPolicy) -> Engine {
    Engine::builder()
        .provider(desk.clone())
        .ledger(diary.clone())
        .retry(RetryPolicy::never())
        .concurrency("first", policy)
        .build()
        .unwrap()
}

/// Answers after a second; hangs, breaks or fails by the model's name.
fn desk() -> Desk {
    Desk::new("first", |_, call| match call.model.as_str() {
        "hangs" => Script::Answer(vec![start(), text("one "), Step::Hang]),
        "silent" => Script::Silence,
        "fails" => Script::Fail(status(401, ErrorKind::Auth)),
        "breaks" => Script::Answer(vec![
            text("one "),
            Step::Fail(status(500, ErrorKind::Server)),
        ]),
        "quick" => whole_answer(),
        _ => Script::Answer(vec![Step::Wait(secs(1)), start(), text("one"), end()]),
    })
}

async fn stream(engine: &Engine, model: &str) -> Result<Reply, Error> {
    let call = ask(&format!("first/{model}"), Delivery::Streamed);
    engine.call(&Ctx::local(), &call).await
}

async fn chat(engine: &Engine, ctx: &Ctx) -> Result<(), Error> {
    let reply = engine.call(ctx, &ask("first/a", Delivery::Whole)).await?;
    reply.collect().await.map(drop)
}

#[tokio::test(start_paused = true)]
async fn no_more_than_may_are_in_flight_and_all_have_their_turn() {
    let (desk, diary) = (desk(), Diary::default());
    let engine = engine(&desk, &diary, ConcurrencyPolicy::new(3));
    let start = Instant::now();
    let ctx = Ctx::local();
    let calls = (0..20).map(|_| chat(&engine, &ctx));
    let answers = futures::future::join_all(calls).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(desk.most_in_flight.load(Ordering::Relaxed), 3);
    assert_eq!(
        start.elapsed().as_secs(),
        7,
        "20 calls of a second, 3 at a time"
    );
}

#[tokio::test(start_paused = true)]
async fn first_come_first_served() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let seen = order.clone();
    let desk = Desk::new("first", move |_, call| {
        seen.lock().unwrap().push(question(call));
        Script::Answer(vec![Step::Wait(secs(1)), text("one"), end()])
    });
    let engine = engine(&desk, &Diary::default(), ConcurrencyPolicy::new(1));
    let questions: Vec<String> = (0..10).map(|n| n.to_string()).collect();
    let calls = questions.iter().map(|q| engine.chat("first/a", q.as_str()));
    futures::future::join_all(calls).await;
    assert_eq!(*order.lock().unwrap(), questions);
}

/// The ledger hears of an attempt only once nothing more has to be waited for.
#[tokio::test(start_paused = true)]
async fn nothing_waits_while_an_attempt_is_open() {
    let (desk, diary) = (desk(), Diary::default());
    let engine = engine(&desk, &diary, ConcurrencyPolicy::new(1));
    let held = stream(&engine, "hangs").await.unwrap();
    assert_eq!((diary.opened(), diary.ledger.open_attempts()), (1, 1));
    let waiting = tokio::spawn({
        let engine = engine.clone();
        async move { chat(&engine, &Ctx::local()).await }
    });
    for _ in 0..20 {
        tokio::time::advance(secs(1)).await;
        settle().await;
        assert_eq!((diary.opened(), diary.ledger.open_attempts()), (1, 1));
    }
    drop(held);
    settle().await;
    assert_eq!((diary.opened(), diary.ledger.open_attempts()), (2, 1));
    waiting.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_slot_is_free_when_its_reply_ends_fails_or_is_dropped() {
    let (desk, diary) = (desk(), Diary::default());
    let policy = ConcurrencyPolicy::new(1).with_max_wait(Duration::ZERO);
    let engine = engine(&desk, &diary, policy);
    let free = || stream(&engine, "quick");

    let held = stream(&engine, "hangs").await.unwrap();
    assert_eq!(free().await.unwrap_err().kind(), ErrorKind::Overloaded);
    drop(held);
    drop(free().await.unwrap());

    stream(&engine, "fails").await.unwrap_err();
    drop(free().await.unwrap());

    let mut broken = stream(&engine, "breaks").await.unwrap();
    broken.next().await.unwrap().unwrap();
    broken.next().await.unwrap().unwrap_err();
    // The reply is still held, and is over.
    drop(free().await.unwrap());

    let mut ended = stream(&engine, "quick").await.unwrap();
    for _ in 0..6 {
        ended.next().await.unwrap().unwrap();
    }
    drop(free().await.unwrap());
    drop((broken, ended));

    let silent = tokio::time::timeout(secs(1), stream(&engine, "silent"));
    silent.await.unwrap_err();
    drop(free().await.unwrap());

    let elsewhere = stream(&engine, "hangs").await.unwrap();
    std::thread::spawn(move || drop(elsewhere)).join().unwrap();
    drop(free().await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn the_line_has_an_end_and_patience_too() {
    let (desk, diary) = (desk(), Diary::default());
    let policy = ConcurrencyPolicy::new(1)
        .with_max_waiting(2)
        .with_max_wait(secs(5));
    let engine = engine(&desk, &diary, policy);
    let _held = stream(&engine, "hangs").await.unwrap();
    let start = Instant::now();
    let patient = Ctx::local();
    let hurried = Ctx::local().with_deadline(start + secs(2));
    let third = Ctx::local();
    let (first, second, third) =
        futures::join!(chat(&engine, &patient), chat(&engine, &hurried), async {
            settle().await;
            let error = chat(&engine, &third).await.unwrap_err();
            (error, start.elapsed())
        });
    let (third, at_once) = third;
    assert_eq!(third.kind(), ErrorKind::Overloaded);
    assert!(third.message().contains("too many calls wait"), "{third}");
    assert_eq!(at_once, Duration::ZERO);
    let first = first.unwrap_err();
    assert_eq!(first.kind(), ErrorKind::Overloaded);
    assert_eq!(first.context("limit"), Some("concurrency"));
    let second = second.unwrap_err();
    assert_eq!(second.kind(), ErrorKind::Timeout);
    assert_eq!(second.context("limit"), Some("deadline"));
    for error in [first, second, third] {
        assert_eq!(error.phase(), Some(Phase::Encode), "{error}");
    }
    assert_eq!(start.elapsed().as_secs(), 5);
    assert_eq!((desk.attempts(), diary.opened()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn cancelling_ends_the_wait() {
    let (desk, diary) = (desk(), Diary::default());
    let engine = engine(&desk, &diary, ConcurrencyPolicy::new(1));
    let _held = stream(&engine, "hangs").await.unwrap();
    let cancel = CancellationToken::new();
    let ctx = Ctx::local().with_cancel(cancel.clone());
    let (answer, ()) = futures::join!(chat(&engine, &ctx), async {
        tokio::time::sleep(secs(1)).await;
        cancel.cancel();
    });
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::Cancelled);
    assert_eq!(diary.opened(), 1);
}

#[tokio::test(start_paused = true)]
async fn one_key_does_not_fill_anothers_slots() {
    let (desk, diary) = (desk(), Diary::default());
    let policy = ConcurrencyPolicy::new(1).with_max_wait(Duration::ZERO);
    let engine = engine(&desk, &diary, policy);
    let _held = stream(&engine, "hangs").await.unwrap();
    let own = Ctx::local().with_credential("first", Credential::new("key-a"));
    chat(&engine, &own).await.unwrap();
    chat(&engine, &Ctx::local()).await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn a_policy_for_nobody_is_refused() {
    let builder = Engine::builder().provider(desk());
    let error = builder
        .concurrency("frist", ConcurrencyPolicy::new(1))
        .build()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.message().contains("`frist`"), "{error}");
}
