//! What becomes of an answer that nobody reads any more.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod support;

use std::time::Duration;

use aurax_core::{
    CancellationToken, Clock as _, ConcurrencyPolicy, Cost, Ctx, Delivery, Disconnect, Engine,
    ErrorKind, MemoryLedger, Outcome, Provider as _, Reply, Settlement, SystemClock, UsageSource,
};
use futures::StreamExt as _;
use support::{Script, Scripted, Step, ask, end, start, text};

/// Two words, then a wait, then the rest.
fn answer_after(wait: Duration) -> Script {
    Script::Answer(vec![
        start(),
        text("one "),
        Step::Wait(wait),
        text("two "),
        end(),
    ])
}

fn engine_of(
    scripts: Vec<Script>,
    policy: impl FnOnce(aurax_core::EngineBuilder) -> aurax_core::EngineBuilder,
) -> (Engine, MemoryLedger) {
    let ledger = MemoryLedger::new();
    let builder = Engine::builder()
        .ledger(ledger.clone())
        .provider(Scripted::new("openai", scripts));
    (policy(builder).build().unwrap(), ledger)
}

/// A reply whose first word was read.
async fn begun(engine: &Engine, ctx: &Ctx) -> Reply {
    let call = ask("openai/gpt-4o-mini", Delivery::Streamed);
    let mut reply = engine.call(ctx, &call).await.unwrap();
    while let Some(batch) = reply.next().await {
        if batch.unwrap().events.iter().any(|event| event.is_content()) {
            break;
        }
    }
    reply
}

fn only(ledger: &MemoryLedger) -> Settlement {
    let settlements = ledger.settlements();
    assert_eq!((settlements.len(), ledger.open_attempts()), (1, 0));
    (*settlements[0]).clone()
}

fn since(began: tokio::time::Instant) -> Duration {
    SystemClock.monotonic() - began
}

const SECOND: Duration = Duration::from_secs(1);

fn drains(builder: aurax_core::EngineBuilder) -> aurax_core::EngineBuilder {
    builder.on_disconnect(Disconnect::drain())
}

#[tokio::test(start_paused = true)]
async fn unless_told_otherwise_it_is_hung_up_on_at_once() {
    let (engine, ledger) = engine_of(vec![answer_after(SECOND)], |builder| builder);
    drop(begun(&engine, &Ctx::local()).await);
    let settlement = only(&ledger);
    assert_eq!(settlement.outcome, Outcome::Partial);
    assert!(matches!(settlement.charge, Cost::Estimated(_)));
    engine.drained().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_drained_is_settled_with_the_providers_own_count() {
    let (engine, ledger) = engine_of(vec![answer_after(SECOND * 4)], drains);
    drop(begun(&engine, &Ctx::local()).await);
    assert_eq!(
        (ledger.settled(), ledger.open_attempts()),
        (0, 1),
        "still read"
    );
    engine.drained().await;
    let settlement = only(&ledger);
    assert_eq!(settlement.outcome, Outcome::Complete);
    assert_eq!(settlement.response.as_ref().unwrap().text(), "one two ");
    let usage = settlement.attempts[0].usage.clone().unwrap();
    assert_eq!(usage.source, UsageSource::Provider);
    assert_eq!(
        (usage.reported.input, usage.reported.output),
        (Some(10), Some(4))
    );
    let (engine, ledger) = engine_of(vec![answer_after(SECOND)], |builder| builder);
    let read = begun(&engine, &Ctx::local()).await;
    read.collect().await.unwrap();
    let read = only(&ledger);
    assert_eq!(settlement.charge, read.charge, "as if it had been read");
    assert_eq!(settlement.attempts[0].usage, read.attempts[0].usage);
}

#[tokio::test(start_paused = true)]
async fn what_takes_too_long_is_hung_up_on() {
    for limit in [SECOND * 3, SECOND * 60] {
        let policy = Disconnect::Drain { limit, at_most: 1 };
        let scripts = vec![answer_after(SECOND * 6), answer_after(SECOND)];
        let (engine, ledger) = engine_of(scripts, |builder| builder.on_disconnect(policy));
        let began = SystemClock.monotonic();
        drop(begun(&engine, &Ctx::local()).await);
        engine.drained().await;
        assert_eq!(since(began), limit.min(Disconnect::LONGEST));
        let settlement = only(&ledger);
        assert_eq!(settlement.outcome, Outcome::Partial);
        assert!(matches!(settlement.charge, Cost::Estimated(_)));
        // The place is free again.
        drop(begun(&engine, &Ctx::local()).await);
        engine.drained().await;
        assert_eq!(ledger.settlements()[1].outcome, Outcome::Complete);
    }
}

#[tokio::test(start_paused = true)]
async fn only_so_many_are_drained_at_a_time() {
    let scripts = (0..65).map(|_| answer_after(SECOND)).collect();
    let (engine, ledger) = engine_of(scripts, drains);
    let mut replies = Vec::new();
    for _ in 0..65 {
        replies.push(begun(&engine, &Ctx::local()).await);
    }
    drop(replies);
    assert_eq!(only_settled(&ledger), [Outcome::Partial], "the 65th");
    engine.drained().await;
    let outcomes = only_settled(&ledger);
    let whole = outcomes
        .iter()
        .filter(|outcome| **outcome == Outcome::Complete);
    assert_eq!(
        (whole.count(), outcomes.len(), ledger.open_attempts()),
        (64, 65, 0)
    );
}

fn only_settled(ledger: &MemoryLedger) -> Vec<Outcome> {
    let settlements = ledger.settlements();
    settlements
        .iter()
        .map(|settlement| settlement.outcome)
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_drop_on_a_thread_without_a_runtime_drains_too() {
    let (engine, ledger) = engine_of(vec![answer_after(SECOND)], drains);
    let reply = begun(&engine, &Ctx::local()).await;
    std::thread::spawn(move || drop(reply)).join().unwrap();
    engine.drained().await;
    assert_eq!(only(&ledger).outcome, Outcome::Complete);
}

#[test]
fn a_drop_after_its_runtime_is_gone_settles_at_once() {
    let (engine, ledger) = engine_of(vec![answer_after(SECOND)], drains);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let reply = runtime.block_on(begun(&engine, &Ctx::local()));
    drop(runtime);
    drop(reply);
    assert_eq!(only(&ledger).outcome, Outcome::Partial);
}

/// A runtime that ends while it drains.
#[test]
fn a_drain_that_is_cut_short_is_settled() {
    let (engine, ledger) = engine_of(vec![answer_after(SECOND)], drains);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async { drop(begun(&engine, &Ctx::local()).await) });
    assert_eq!(ledger.open_attempts(), 1);
    drop(runtime);
    assert_eq!(only(&ledger).outcome, Outcome::Partial);
}

#[tokio::test(start_paused = true)]
async fn a_provider_has_a_policy_of_its_own() {
    let own = Disconnect::drain();
    let scripts = || vec![answer_after(SECOND)];
    let (engine, ledger) = engine_of(scripts(), |builder| {
        builder.on_disconnect_from("openai", own)
    });
    drop(begun(&engine, &Ctx::local()).await);
    engine.drained().await;
    assert_eq!(only(&ledger).outcome, Outcome::Complete);

    let (engine, ledger) = engine_of(scripts(), |builder| {
        drains(builder).on_disconnect_from("openai", Disconnect::Cancel)
    });
    drop(begun(&engine, &Ctx::local()).await);
    assert_eq!(only(&ledger).outcome, Outcome::Partial);

    let unknown = Engine::builder().on_disconnect_from("nobody", own).build();
    let error = unknown.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("nobody"), "{error}");
}

/// Who cancels says that it is to stop.
#[tokio::test(start_paused = true)]
async fn a_cancelled_call_is_not_drained() {
    let (engine, ledger) = engine_of(vec![answer_after(SECOND)], drains);
    let cancel = CancellationToken::new();
    let reply = begun(&engine, &Ctx::local().with_cancel(cancel.clone())).await;
    cancel.cancel();
    drop(reply);
    let before = SystemClock.monotonic();
    engine.drained().await;
    assert_eq!(since(before), Duration::ZERO);
    assert_eq!(only(&ledger).outcome, Outcome::Partial);
}

/// It is one of those in flight until it has ended.
#[tokio::test(start_paused = true)]
async fn a_drained_answer_keeps_its_place_at_the_provider_and_gives_it_back() {
    let scripts = vec![answer_after(SECOND * 2), answer_after(SECOND)];
    let (engine, ledger) = engine_of(scripts, |builder| {
        drains(builder).concurrency("openai", ConcurrencyPolicy::new(1))
    });
    drop(begun(&engine, &Ctx::local()).await);
    let began = SystemClock.monotonic();
    let next = begun(&engine, &Ctx::local()).await;
    assert_eq!(since(began), SECOND * 2);
    assert_eq!(next.collect().await.unwrap().text(), "two ");
    assert_eq!(only_settled(&ledger), [Outcome::Complete; 2]);
}

/// What was read to its end has nothing left to drain.
#[tokio::test(start_paused = true)]
async fn a_whole_answer_is_settled_once() {
    let (engine, ledger) = engine_of(vec![answer_after(SECOND)], drains);
    let reply = begun(&engine, &Ctx::local()).await;
    reply.collect().await.unwrap();
    engine.drained().await;
    assert_eq!(only(&ledger).outcome, Outcome::Complete);
}
