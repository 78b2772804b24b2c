//! Which failures are tried again, when, and when never.

#![allow(clippy::disallowed_methods, reason = "the runtime's clock is paused")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::time::Duration;

use aurax_core::{
    BreakerPolicy, CancellationToken, Ctx, Delivery, Engine, Error, ErrorKind, Phase,
    Provider as _, Retry, RetryPolicy,
};
use support::{
    Script, Scripted, Step, ask, connect_error, engine, model, start, status, text, whole_answer,
};
use tokio::time::Instant;

/// How many attempts a call makes when the first fails with `error`.
async fn attempts_after(error: Error) -> usize {
    let provider = Scripted::new("first", [Script::Fail(error), whole_answer()]);
    let calls = provider.calls.clone();
    let (engine, _) = engine([provider]);
    drop(engine.chat("first/a", "Hi").await);
    calls.lock().unwrap().len()
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_tried_again_and_nothing_else() {
    let table = [
        (status(408, ErrorKind::Timeout), 2),
        (status(429, ErrorKind::RateLimited), 2),
        (status(429, ErrorKind::Quota), 1),
        (status(500, ErrorKind::Server), 2),
        (status(502, ErrorKind::Server), 2),
        (status(503, ErrorKind::Overloaded), 2),
        (status(529, ErrorKind::Overloaded), 2),
        (status(409, ErrorKind::Conflict), 2),
        (connect_error(), 2),
        (status(400, ErrorKind::InvalidRequest), 1),
        (status(400, ErrorKind::ContextLength), 1),
        (status(400, ErrorKind::ContentFilter), 1),
        (status(401, ErrorKind::Auth), 1),
        (status(403, ErrorKind::Permission), 1),
        (status(404, ErrorKind::ModelNotFound), 1),
        (status(413, ErrorKind::TooLarge), 1),
        (status(500, ErrorKind::Server).with_retry(Retry::Never), 1),
        (
            status(400, ErrorKind::InvalidRequest).with_retry(Retry::Transient),
            2,
        ),
    ];
    for (error, attempts) in table {
        let what = format!("{error:?}");
        assert_eq!(attempts_after(error).await, attempts, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_says_when_is_taken_at_its_word_up_to_a_minute() {
    for (asked, waited) in [
        (Some(Duration::ZERO), Some(0)),
        (Some(Duration::from_millis(1_500)), Some(1_500)),
        (Some(Duration::from_secs(60)), Some(60_000)),
        (Some(Duration::from_secs(61)), None),
        (Some(Duration::MAX), None),
    ] {
        let error = status(429, ErrorKind::RateLimited).with_retry_after(asked);
        let (engine, _) = engine([Scripted::new(
            "first",
            [Script::Fail(error), whole_answer()],
        )]);
        let start = Instant::now();
        let answer = engine.chat("first/a", "Hi").await;
        assert_eq!(answer.is_ok(), waited.is_some(), "{asked:?}");
        let elapsed = u64::try_from(start.elapsed().as_millis()).unwrap();
        assert_eq!(elapsed, waited.unwrap_or(0), "{asked:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn waits_are_random_within_a_doubling_limit() {
    let mut waits = Vec::new();
    for _ in 0..50 {
        let failures = (0..2).map(|_| Script::Fail(status(503, ErrorKind::Overloaded)));
        let (engine, _) = engine([Scripted::new("first", failures.chain([whole_answer()]))]);
        let start = Instant::now();
        engine.chat("first/a", "Hi").await.unwrap();
        waits.push(start.elapsed());
    }
    let most = Duration::from_millis(500 + 1_000);
    assert!(
        waits
            .iter()
            .all(|wait| *wait <= most + Duration::from_millis(2)),
        "{waits:?}"
    );
    waits.sort();
    waits.dedup();
    assert!(waits.len() > 10, "the waits do not differ: {waits:?}");
}

#[tokio::test(start_paused = true)]
async fn retry_stops_after_first_content() {
    let broken = || Error::new(ErrorKind::Network, "reset").with_phase(Phase::Body);
    let provider = Scripted::new(
        "first",
        [
            Script::Answer(vec![start(), Step::Fail(broken())]),
            Script::Answer(vec![start(), text("one "), Step::Fail(broken())]),
        ],
    );
    let calls = provider.calls.clone();
    let (engine, _) = engine([provider]);
    let reply = engine.stream("first/a", "Hi").await.unwrap();
    assert_eq!(
        reply.collect().await.unwrap_err().kind(),
        ErrorKind::Network
    );
    assert_eq!(
        calls.lock().unwrap().len(),
        2,
        "the second attempt had delivered content"
    );
}

#[tokio::test(start_paused = true)]
async fn an_empty_text_is_not_content() {
    let broken = Error::new(ErrorKind::Network, "reset").with_phase(Phase::Body);
    let provider = Scripted::new(
        "first",
        [
            Script::Answer(vec![start(), text(""), Step::Fail(broken)]),
            whole_answer(),
        ],
    );
    let (engine, _) = engine([provider]);
    let reply = engine.stream("first/a", "Hi").await.unwrap();
    assert_eq!(reply.collect().await.unwrap().text(), "one two three four");
}

#[tokio::test(start_paused = true)]
async fn a_deadline_is_not_spent_on_a_wait_it_does_not_outlast() {
    let error = status(429, ErrorKind::RateLimited).with_retry_after(Some(Duration::from_secs(30)));
    let (engine, _) = engine([Scripted::new("first", [Script::Fail(error)])]);
    let start = Instant::now();
    let ctx = Ctx::local().with_deadline(start + Duration::from_secs(10));
    let error = engine
        .call(&ctx, &ask("first/a", Delivery::Whole))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn cancelling_ends_the_wait_for_a_retry() {
    let error = status(429, ErrorKind::RateLimited).with_retry_after(Some(Duration::from_secs(30)));
    let (engine, ledger) = engine([Scripted::new("first", [Script::Fail(error)])]);
    let cancel = CancellationToken::new();
    let ctx = Ctx::local().with_cancel(cancel.clone());
    let call = ask("first/a", Delivery::Whole);
    let (answer, ()) = futures::join!(engine.call(&ctx, &call), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        cancel.cancel();
    });
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::Cancelled);
    assert_eq!(ledger.settled(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_not_made_worse_than_a_fifth() {
    let failures = (0..1_000).map(|_| Script::Fail(status(503, ErrorKind::Overloaded)));
    let provider = Scripted::new("first", failures);
    let calls = provider.calls.clone();
    let builder = Engine::builder().provider(provider);
    let engine = builder.breaker(BreakerPolicy::never()).build().unwrap();
    for _ in 0..100 {
        engine.chat("first/a", "Hi").await.unwrap_err();
    }
    let attempts = calls.lock().unwrap().len();
    assert!(
        (120..=123).contains(&attempts),
        "{attempts} attempts for 100 calls"
    );
}

#[tokio::test(start_paused = true)]
async fn retries_can_be_turned_off() {
    let provider = Scripted::new("first", [Script::Fail(connect_error())]);
    let engine = Engine::builder()
        .provider(provider)
        .retry(RetryPolicy::never())
        .build()
        .unwrap();
    engine.chat("first/a", "Hi").await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn fallback_asks_the_next_model_and_says_so() {
    let (engine, _) = engine([
        Scripted::new("first", [Script::Fail(status(401, ErrorKind::Auth))]),
        Scripted::new("second", [whole_answer()]),
    ]);
    let ctx = Ctx::local().with_fallback([model("second/b")]);
    let reply = engine
        .call(&ctx, &ask("first/a", Delivery::Whole))
        .await
        .unwrap();
    let response = reply.collect().await.unwrap();
    assert_eq!(response.provider.as_ref(), "second");
    assert!(
        response.warnings[0]
            .message
            .contains("`first/a` failed (auth)"),
        "{:?}",
        response.warnings
    );
}

#[tokio::test(start_paused = true)]
async fn fallback_does_not_repeat_what_is_wrong_with_the_request() {
    for kind in [ErrorKind::InvalidRequest, ErrorKind::ContentFilter] {
        let second = Scripted::new("second", []);
        let calls = second.calls.clone();
        let (engine, _) = engine([
            Scripted::new("first", [Script::Fail(status(400, kind))]),
            second,
        ]);
        let ctx = Ctx::local().with_fallback([model("second/b")]);
        let error = engine
            .call(&ctx, &ask("first/a", Delivery::Whole))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(calls.lock().unwrap().is_empty());
    }
}

fn unencodable() -> Error {
    Error::new(ErrorKind::Unsupported, "no such wire").with_phase(Phase::Encode)
}

fn cut_off() -> Error {
    Error::new(ErrorKind::Network, "reset").with_phase(Phase::Body)
}

/// What a call fails with that falls back to a second provider, by the scripts of both.
async fn failed_after(first: Vec<Script>, second: Vec<Script>) -> Error {
    let (engine, _) = engine([
        Scripted::new("first", first),
        Scripted::new("second", second),
    ]);
    let ctx = Ctx::local().with_fallback([model("second/b")]);
    match engine.call(&ctx, &ask("first/a", Delivery::Streamed)).await {
        Ok(reply) => reply.collect().await.unwrap_err(),
        Err(error) => error,
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_knows_of_every_attempt_whether_it_was_sent() {
    let fail = |errors: &[fn() -> Error]| -> Vec<Script> {
        errors.iter().map(|error| Script::Fail(error())).collect()
    };
    let down: fn() -> Error = || status(503, ErrorKind::Overloaded);
    let refused: fn() -> Error = || status(400, ErrorKind::Unsupported);
    let cases: [(Vec<Script>, Vec<Script>, bool); 7] = [
        (fail(&[unencodable]), fail(&[unencodable]), false),
        (
            fail(&[connect_error, connect_error, connect_error]),
            fail(&[unencodable]),
            false,
        ),
        (
            fail(&[connect_error, down, unencodable]),
            fail(&[unencodable]),
            true,
        ),
        (fail(&[refused]), fail(&[unencodable]), true),
        (fail(&[unencodable]), fail(&[refused]), true),
        (
            vec![
                Script::Answer(vec![start(), Step::Fail(cut_off())]),
                Script::Fail(unencodable()),
            ],
            fail(&[unencodable]),
            true,
        ),
        (
            vec![Script::Answer(vec![
                text("one "),
                Step::Fail(unencodable()),
            ])],
            Vec::new(),
            true,
        ),
    ];
    for (at, (first, second, was_sent)) in cases.into_iter().enumerate() {
        let error = failed_after(first, second).await;
        assert_eq!(error.was_sent(), was_sent, "{at}: {error:?}");
    }
    let (engine, _) = engine([]);
    let error = engine.chat("first/a", "Hi").await.unwrap_err();
    assert!(!error.was_sent(), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_cancelled_comes_after_what_was_sent() {
    for (error, was_sent) in [
        (status(429, ErrorKind::RateLimited), true),
        (connect_error(), false),
    ] {
        let error = error.with_retry_after(Some(Duration::from_secs(30)));
        let (engine, _) = engine([Scripted::new("first", [Script::Fail(error)])]);
        let cancel = CancellationToken::new();
        let ctx = Ctx::local().with_cancel(cancel.clone());
        let call = ask("first/a", Delivery::Whole);
        let (answer, ()) = futures::join!(engine.call(&ctx, &call), async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            cancel.cancel();
        });
        let error = answer.unwrap_err();
        assert_eq!(
            (error.kind(), error.was_sent()),
            (ErrorKind::Cancelled, was_sent)
        );
    }
}
