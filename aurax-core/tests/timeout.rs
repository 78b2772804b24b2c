//! Every phase of a call has a limit.

#![allow(clippy::disallowed_methods, reason = "the runtime's clock is paused")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod support;

use std::time::Duration;

use aurax_core::{
    CancellationToken, Cost, Ctx, Delivery, Engine, ErrorKind, Lease, Ledger, Opened, Opening,
    Permit, Phase, Provider as _, Result, RetryPolicy, Timeouts, async_trait,
};
use futures::StreamExt as _;
use support::{Script, Scripted, Step, ask, engine, model, start, text, whole_answer};
use tokio::time::Instant;

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn limits() -> Timeouts {
    Timeouts::default()
        .with_headers(secs(1))
        .with_whole(secs(10))
        .with_first_content(secs(20))
        .with_idle_before_content(secs(5))
        .with_idle(secs(3))
        .with_total(secs(40))
}

struct Case {
    name: &'static str,
    delivery: Delivery,
    script: Script,
    phase: Phase,
    limit: &'static str,
    after: Duration,
}

#[tokio::test(start_paused = true)]
async fn every_phase_ends_at_its_limit() {
    let pings = |every: u64, times: usize| {
        (0..times).flat_map(move |_| [Step::Wait(secs(every)), Step::Events(vec![])])
    };
    let words = |every: u64, times: usize| {
        (0..times).flat_map(move |_| [Step::Wait(secs(every)), text("word ")])
    };
    let cases = [
        Case {
            name: "a stream whose headers never come",
            delivery: Delivery::Streamed,
            script: Script::Silence,
            phase: Phase::Headers,
            limit: "headers",
            after: secs(1),
        },
        Case {
            name: "a whole answer that never comes",
            delivery: Delivery::Whole,
            script: Script::Silence,
            phase: Phase::Headers,
            limit: "whole",
            after: secs(10),
        },
        Case {
            name: "a whole answer whose body never comes",
            delivery: Delivery::Whole,
            script: Script::Answer(vec![Step::Hang]),
            phase: Phase::Body,
            limit: "whole",
            after: secs(10),
        },
        Case {
            name: "a stream silent before its first content",
            delivery: Delivery::Streamed,
            script: Script::Answer(vec![start(), Step::Hang]),
            phase: Phase::Body,
            limit: "idle_before_content",
            after: secs(5),
        },
        Case {
            name: "a stream that only pings",
            delivery: Delivery::Streamed,
            script: Script::Answer(pings(4, 100).collect()),
            phase: Phase::Body,
            limit: "first_content",
            after: secs(20),
        },
        Case {
            name: "a stream silent after content",
            delivery: Delivery::Streamed,
            script: Script::Answer(vec![text("one "), Step::Hang]),
            phase: Phase::Body,
            limit: "idle",
            after: secs(3),
        },
        Case {
            name: "a stream that never ends",
            delivery: Delivery::Streamed,
            script: Script::Answer(words(2, 100).collect()),
            phase: Phase::Body,
            limit: "total",
            after: secs(40),
        },
    ];
    for case in cases {
        let engine = Engine::builder()
            .provider(Scripted::new("first", [case.script]))
            .retry(RetryPolicy::never())
            .timeouts(limits())
            .build()
            .unwrap();
        let start = Instant::now();
        let call = ask("first/a", case.delivery);
        let answer = match engine.call(&Ctx::local(), &call).await {
            Ok(reply) => reply.collect().await,
            Err(error) => Err(error),
        };
        let error = answer.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{}", case.name);
        assert_eq!(error.phase(), Some(case.phase), "{}", case.name);
        assert_eq!(error.context("limit"), Some(case.limit), "{}", case.name);
        assert_eq!(
            start.elapsed().as_secs(),
            case.after.as_secs(),
            "{}",
            case.name
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_ends_retries_too() {
    let silent = (0..3).map(|_| Script::Silence);
    let provider = Scripted::new("first", silent);
    let calls = provider.calls.clone();
    let engine = Engine::builder()
        .provider(provider)
        .timeouts(limits())
        .build()
        .unwrap();
    let start = Instant::now();
    let ctx = Ctx::local().with_deadline(start + Duration::from_millis(500));
    let error = engine
        .call(&ctx, &ask("first/a", Delivery::Streamed))
        .await
        .unwrap_err();
    assert_eq!(error.context("limit"), Some("deadline"));
    assert_eq!(start.elapsed().as_millis(), 500);
    assert_eq!(calls.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_may_bring_its_own_limits() {
    let engine = Engine::builder()
        .provider(Scripted::new("first", [Script::Silence]))
        .retry(RetryPolicy::never())
        .build()
        .unwrap();
    let start = Instant::now();
    let ctx = Ctx::local().with_timeouts(limits());
    engine
        .call(&ctx, &ask("first/a", Delivery::Streamed))
        .await
        .unwrap_err();
    assert_eq!(start.elapsed(), secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_does_not_use_up_the_providers_time() {
    let engine = Engine::builder()
        .provider(Scripted::new("first", [whole_answer()]))
        .timeouts(limits())
        .build()
        .unwrap();
    let reply = engine.stream("first/a", "Hi").await.unwrap();
    tokio::time::sleep(secs(30)).await;
    assert_eq!(reply.collect().await.unwrap().text(), "one two three four");
}

#[tokio::test(start_paused = true)]
async fn a_deadline_ends_fallbacks_too() {
    let second = Scripted::new("second", []);
    let calls = second.calls.clone();
    let (engine, ledger) = engine([Scripted::new("first", [Script::Silence]), second]);
    let deadline = Instant::now() + secs(5);
    let ctx = Ctx::local()
        .with_deadline(deadline)
        .with_fallback([model("second/b")]);
    let call = ask("first/a", Delivery::Streamed);
    let error = engine.call(&ctx, &call).await.unwrap_err();
    assert_eq!(error.context("limit"), Some("deadline"));
    assert!(calls.lock().unwrap().is_empty());
    assert_eq!(ledger.settlements()[0].attempts.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_after_the_deadline() {
    let provider = Scripted::new("first", [whole_answer()]);
    let calls = provider.calls.clone();
    let (engine, ledger) = engine([provider]);
    let ctx = Ctx::local().with_deadline(Instant::now());
    let call = ask("first/a", Delivery::Whole);
    let error = engine.call(&ctx, &call).await.unwrap_err();
    assert_eq!(error.context("limit"), Some("deadline"));
    assert!(calls.lock().unwrap().is_empty());
    assert_eq!(ledger.settlements()[0].charge, Cost::Free);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_always_ready_ends_in_time_as_well() {
    let words = (0..100).map(|_| text("word "));
    let (engine, _) = engine([Scripted::new("first", [Script::Answer(words.collect())])]);
    let ctx = Ctx::local().with_deadline(Instant::now() + secs(5));
    let call = ask("first/a", Delivery::Streamed);
    let mut reply = engine.call(&ctx, &call).await.unwrap();
    let error = loop {
        tokio::time::sleep(secs(1)).await;
        if let Err(error) = reply.next().await.unwrap() {
            break error;
        }
    };
    assert_eq!(error.context("limit"), Some("deadline"));
}

#[tokio::test(start_paused = true)]
async fn cancelling_ends_a_call_of_any_provider() {
    for (script, phase) in [
        (Script::Silence, Phase::Headers),
        (Script::Answer(vec![text("one "), Step::Hang]), Phase::Body),
    ] {
        let (engine, ledger) = engine([Scripted::new("first", [script])]);
        let cancel = CancellationToken::new();
        let ctx = Ctx::local().with_cancel(cancel.clone());
        let call = ask("first/a", Delivery::Streamed);
        let answer = async {
            match engine.call(&ctx, &call).await {
                Ok(reply) => reply.collect().await,
                Err(error) => Err(error),
            }
        };
        let (answer, ()) = futures::join!(answer, async {
            tokio::time::sleep(secs(1)).await;
            cancel.cancel();
        });
        let error = answer.unwrap_err();
        assert_eq!(
            (error.kind(), error.phase()),
            (ErrorKind::Cancelled, Some(phase))
        );
        assert_eq!(ledger.settled(), 1);
    }
}

/// A ledger that never takes a call.
#[derive(Debug)]
struct Stuck;

#[async_trait]
impl Ledger for Stuck {
    async fn permit(&self) -> Result<Box<dyn Permit>> {
        std::future::pending().await
    }

    async fn open(&self, _: Opening) -> Result<Opened> {
        std::future::pending().await
    }

    fn release(&self, _: Lease) {}
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_does_not_answer_ends_the_call_before_anything_is_sent() {
    let provider = Scripted::new("first", []);
    let engine = Engine::builder()
        .provider(provider)
        .ledger(Stuck)
        .build()
        .unwrap();
    let start = Instant::now();
    let call = ask("first/a", Delivery::Whole);
    let error = engine.call(&Ctx::local(), &call).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Ledger);
    assert_eq!(start.elapsed(), secs(30));
    let ctx = Ctx::local().with_deadline(Instant::now() + secs(1));
    let start = Instant::now();
    engine.call(&ctx, &call).await.unwrap_err();
    assert_eq!(start.elapsed(), secs(1));
}
