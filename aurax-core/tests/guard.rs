//! Every call that reaches a provider is settled exactly once, however it ends.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod support;

use std::future::Future;
use std::time::Duration;

use aurax_core::{
    Cost, Ctx, Delivery, Error, ErrorKind, Event, MemoryLedger, Outcome, Phase, Provider as _,
    Reply, UsageSource,
};
use futures::{StreamExt as _, poll};
use support::{
    Script, Scripted, Step, ask, connect_error, end, engine, model, start, status, text,
    whole_answer,
};

/// What the caller does with the call.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Caller {
    /// Reads to the end and past it.
    Reads,
    /// Hangs up while waiting for the reply.
    DropsFuture,
    /// Hangs up after this many words.
    DropsAfter(usize),
    /// Hangs up with the last event in hand.
    DropsAtEnd,
    /// Hangs up on a thread without a runtime, after this many words.
    DropsElsewhere(usize),
}

struct Case {
    name: &'static str,
    attempts: fn() -> Vec<Script>,
    fallback: fn() -> Vec<Script>,
    caller: Caller,
    outcome: Outcome,
    attempts_settled: usize,
}

const fn case(
    name: &'static str,
    attempts: fn() -> Vec<Script>,
    caller: Caller,
    outcome: Outcome,
    attempts_settled: usize,
) -> Case {
    Case {
        name,
        attempts,
        fallback: Vec::new,
        caller,
        outcome,
        attempts_settled,
    }
}

fn broken() -> Error {
    Error::new(ErrorKind::Network, "connection reset").with_phase(Phase::Body)
}

fn busy() -> Error {
    status(503, ErrorKind::Overloaded)
}

fn refused() -> Error {
    status(401, ErrorKind::Auth)
}

fn stalls_after_two() -> Script {
    Script::Answer(vec![start(), text("one "), text("two "), Step::Hang])
}

fn breaks_after_two() -> Script {
    Script::Answer(vec![
        start(),
        text("one "),
        text("two "),
        Step::Fail(broken()),
    ])
}

fn silent_after_headers() -> Script {
    Script::Answer(vec![Step::Hang])
}

fn silent_after_start() -> Script {
    Script::Answer(vec![start(), Step::Hang])
}

const CASES: &[Case] = &[
    case(
        "completion",
        || vec![whole_answer()],
        Caller::Reads,
        Outcome::Complete,
        1,
    ),
    case(
        "refusal by the provider",
        || vec![Script::Fail(refused())],
        Caller::Reads,
        Outcome::Rejected,
        1,
    ),
    case(
        "gateway timeout",
        || vec![Script::Fail(status(504, ErrorKind::Auth))],
        Caller::Reads,
        Outcome::Unknown,
        1,
    ),
    case(
        "no connection",
        || {
            vec![
                Script::Fail(connect_error()),
                Script::Fail(connect_error()),
                Script::Fail(connect_error()),
            ]
        },
        Caller::Reads,
        Outcome::NotSent,
        3,
    ),
    case(
        "drop before headers",
        || vec![Script::Silence],
        Caller::DropsFuture,
        Outcome::Unknown,
        1,
    ),
    case(
        "drop after headers",
        || vec![silent_after_headers()],
        Caller::DropsFuture,
        Outcome::Unknown,
        1,
    ),
    case(
        "drop after the start",
        || vec![silent_after_start()],
        Caller::DropsFuture,
        Outcome::Partial,
        1,
    ),
    case(
        "drop in mid-stream",
        || vec![stalls_after_two()],
        Caller::DropsAfter(2),
        Outcome::Partial,
        1,
    ),
    case(
        "drop without a runtime",
        || vec![stalls_after_two()],
        Caller::DropsElsewhere(1),
        Outcome::Partial,
        1,
    ),
    case(
        "drop after the last event",
        || vec![whole_answer()],
        Caller::DropsAtEnd,
        Outcome::Complete,
        1,
    ),
    case(
        "error in mid-stream",
        || vec![breaks_after_two()],
        Caller::Reads,
        Outcome::Partial,
        1,
    ),
    case(
        "end of bytes in mid-stream",
        || vec![Script::Answer(vec![start(), text("one ")])],
        Caller::Reads,
        Outcome::Partial,
        1,
    ),
    case(
        "retry, then completion",
        || vec![Script::Fail(busy()), whole_answer()],
        Caller::Reads,
        Outcome::Complete,
        2,
    ),
    case(
        "retry after a start, then completion",
        || {
            vec![
                Script::Answer(vec![start(), Step::Fail(broken())]),
                whole_answer(),
            ]
        },
        Caller::Reads,
        Outcome::Complete,
        2,
    ),
    case(
        "retry, then drop before headers",
        || vec![Script::Fail(busy()), Script::Silence],
        Caller::DropsFuture,
        Outcome::Unknown,
        2,
    ),
    case(
        "retry, then drop in mid-stream",
        || vec![Script::Fail(busy()), stalls_after_two()],
        Caller::DropsAfter(1),
        Outcome::Partial,
        2,
    ),
    case(
        "retries that all fail",
        || {
            vec![
                Script::Fail(busy()),
                Script::Fail(busy()),
                Script::Fail(busy()),
            ]
        },
        Caller::Reads,
        Outcome::Rejected,
        3,
    ),
    Case {
        fallback: || vec![whole_answer()],
        ..case(
            "fallback, then completion",
            || vec![Script::Fail(refused())],
            Caller::Reads,
            Outcome::Complete,
            2,
        )
    },
    Case {
        fallback: || vec![stalls_after_two()],
        ..case(
            "retries and fallback, then drop in mid-stream",
            || {
                vec![
                    Script::Fail(busy()),
                    Script::Fail(busy()),
                    Script::Fail(busy()),
                ]
            },
            Caller::DropsAfter(2),
            Outcome::Partial,
            4,
        )
    },
    Case {
        fallback: || vec![Script::Fail(refused())],
        ..case(
            "fallback that fails too",
            || vec![Script::Fail(refused())],
            Caller::Reads,
            Outcome::Rejected,
            2,
        )
    },
];

#[tokio::test(start_paused = true)]
async fn every_call_is_settled_exactly_once() {
    for delivery in [Delivery::Streamed, Delivery::Whole] {
        for case in CASES {
            check(case, delivery).await;
        }
    }
}

async fn check(case: &Case, delivery: Delivery) {
    let name = format!("{} ({delivery:?})", case.name);
    let (engine, ledger) = engine([
        Scripted::new("first", (case.attempts)()),
        Scripted::new("second", (case.fallback)()),
    ]);
    let ctx = Ctx::local().with_fallback(if (case.fallback)().is_empty() {
        vec![]
    } else {
        vec![model("second/b")]
    });
    let call = ask("first/a", delivery);
    let forwarded = run(case.caller, Box::pin(engine.call(&ctx, &call))).await;

    assert_eq!(ledger.settled(), 1, "{name}: settlements");
    assert_eq!(ledger.open_attempts(), 0, "{name}: open attempts");
    let settlement = &ledger.settlements()[0];
    assert_eq!(settlement.request_id, ctx.request_id(), "{name}");
    assert_eq!(settlement.outcome, case.outcome, "{name}");
    assert_eq!(settlement.attempts.len(), case.attempts_settled, "{name}");
    let settled: u64 = settlement
        .attempts
        .iter()
        .filter_map(|attempt| attempt.usage.as_ref())
        .map(|usage| usage.buckets.output_tokens())
        .sum();
    assert!(
        settled >= forwarded,
        "{name}: {settled} settled of {forwarded} forwarded"
    );
    let last = settlement.decisive().unwrap();
    match case.outcome {
        Outcome::Complete => {
            assert_eq!(
                last.usage.as_ref().unwrap().source,
                UsageSource::Provider,
                "{name}"
            );
        }
        Outcome::Partial | Outcome::Unknown => {
            let usage = last.usage.as_ref().unwrap();
            assert_eq!(usage.source, UsageSource::Estimated, "{name}");
            assert!(usage.buckets.input_tokens() > 0, "{name}: input was sent");
        }
        Outcome::NotSent | Outcome::Rejected => {
            assert_eq!(last.usage, None, "{name}");
            assert_eq!(last.cost, Cost::Free, "{name}");
        }
    }
}

/// Plays the caller; returns how many words it was given.
async fn run(
    caller: Caller,
    mut call: std::pin::Pin<Box<dyn Future<Output = aurax_core::Result<Reply>> + Send + '_>>,
) -> u64 {
    if caller == Caller::DropsFuture {
        // Lets everything happen that can, retries and their waits included.
        let waited = tokio::time::timeout(Duration::from_secs(30), &mut call).await;
        assert!(waited.is_err(), "the call was to hang");
        drop(call);
        return 0;
    }
    let limit = match caller {
        Caller::DropsAfter(words) | Caller::DropsElsewhere(words) => words,
        _ => usize::MAX,
    };
    let Ok(mut reply) = call.await else { return 0 };
    let mut words = 0;
    while words < limit {
        match reply.next().await {
            Some(Ok(batch)) => {
                words += batch
                    .events
                    .iter()
                    .filter(|event| event.is_content())
                    .count();
                if caller == Caller::DropsAtEnd
                    && matches!(batch.events.last(), Some(Event::End(_)))
                {
                    break;
                }
            }
            Some(Err(_)) => assert!(poll!(reply.next()).is_ready_and_none()),
            None => break,
        }
    }
    if matches!(caller, Caller::DropsElsewhere(_)) {
        std::thread::spawn(move || drop(reply)).join().unwrap();
    }
    words.try_into().unwrap()
}

trait IsReadyAndNone {
    fn is_ready_and_none(&self) -> bool;
}

impl<T> IsReadyAndNone for std::task::Poll<Option<T>> {
    fn is_ready_and_none(&self) -> bool {
        matches!(self, std::task::Poll::Ready(None))
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_carries_the_receipt_and_the_settlement_is_there_before_it() {
    let (engine, ledger) = engine([Scripted::new("first", [whole_answer()])]);
    let ctx = Ctx::local();
    let mut reply = engine
        .call(&ctx, &ask("first/a", Delivery::Streamed))
        .await
        .unwrap();
    loop {
        let batch = reply.next().await.unwrap().unwrap();
        let Some(Event::End(end)) = batch.events.last() else {
            assert_eq!(ledger.settled(), 0, "settled before the end");
            continue;
        };
        assert_eq!(ledger.settled(), 1);
        let receipt = end.receipt.as_ref().unwrap();
        assert_eq!(receipt.request_id, ctx.request_id());
        assert_eq!(receipt.attempts, 1);
        assert_eq!(receipt.provider.as_ref(), "first");
        assert_eq!(receipt.model, "model-1");
        break;
    }
    assert!(reply.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_usage_is_settled_and_reported_as_estimated() {
    let mut steps = vec![start(), text("one "), text("two")];
    let Step::Events(mut events) = end() else {
        unreachable!()
    };
    if let Some(Event::End(end)) = events.last_mut() {
        end.usage = None;
    }
    steps.push(Step::Events(events));
    let (engine, _) = engine([Scripted::new("first", [Script::Answer(steps)])]);
    let response = engine.chat("first/a", "Count to two.").await.unwrap();
    let usage = response.usage.unwrap();
    assert_eq!(usage.source, UsageSource::Estimated);
    assert!(usage.buckets.input_tokens() > 0 && usage.buckets.output_tokens() >= 2);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_leads_nowhere_needs_no_settlement() {
    let (engine, ledger): (_, MemoryLedger) = engine([Scripted::new("first", [])]);
    engine.chat("nobody/a", "Hi").await.unwrap_err();
    assert_eq!((ledger.settled(), ledger.open_attempts()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_partial_answer_is_kept_in_the_error_and_in_the_ledger() {
    let (engine, ledger) = engine([Scripted::new("first", [breaks_after_two()])]);
    let reply = engine.stream("first/a", "Count.").await.unwrap();
    let error = reply.collect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert_eq!(error.partial().unwrap().text(), "one two ");
    let settlement = &ledger.settlements()[0];
    assert_eq!(settlement.response.as_ref().unwrap().text(), "one two ");
}

#[tokio::test(start_paused = true)]
async fn a_large_answer_is_settled_but_not_kept_in_memory() {
    let long = "word ".repeat(MemoryLedger::LARGEST / 4);
    let answer = Script::Answer(vec![start(), text(&long), end()]);
    let (engine, ledger) = engine([Scripted::new("first", [answer, whole_answer()])]);
    engine.chat("first/a", "Go on.").await.unwrap();
    engine.chat("first/a", "Count.").await.unwrap();
    let settlements = ledger.settlements();
    assert_eq!(settlements[0].response, None);
    assert_eq!(settlements[0].outcome, Outcome::Complete);
    assert!(settlements[1].response.is_some());
}
