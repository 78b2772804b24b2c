//! What is answered from the cache, and to whom.

use std::time::Duration;

use aurax_core::{
    Bytes, CacheKey, CacheMode, CachePolicy, CacheStore, Call, Cost, Credential, Ctx, Delivery,
    End, Engine, Error, ErrorKind, Event, Finish, FinishReason, MemoryCache, Native, Outcome,
    Principal, Provider as _, QuotaPolicy, Request, Response, RetryPolicy, Tool, async_trait,
};
use futures::StreamExt as _;

use super::desk::{Desk, Diary, question, secs};
use super::support::{Script, Step, ask, end, model, start, status, text, whole_answer};

fn on() -> CachePolicy {
    CachePolicy::default().with_mode(CacheMode::Use)
}

fn build(desk: &Desk, store: impl CacheStore, policy: CachePolicy) -> (Engine, Diary) {
    let diary = Diary::default();
    let engine = Engine::builder()
        .provider(desk.clone())
        .ledger(diary.clone())
        .retry(RetryPolicy::never())
        .cache(store, policy)
        .build()
        .unwrap();
    (engine, diary)
}

fn desk() -> Desk {
    Desk::new("first", |_, _| whole_answer())
}

async fn chat(engine: &Engine, ctx: &Ctx, call: &Call) -> Result<Response, Error> {
    engine.call(ctx, call).await?.collect().await
}

/// What happens, and the script of it.
type Case = (&'static str, fn() -> Script);

/// How often the provider is asked when the same call is made twice.
async fn asked(desk: &Desk, policy: CachePolicy, call: &Call) -> usize {
    let (engine, _) = build(desk, MemoryCache::new(), policy);
    let before = desk.attempts();
    for _ in 0..2 {
        if let Ok(reply) = engine.call(&Ctx::local(), call).await {
            drop(reply.collect().await);
        }
    }
    desk.attempts() - before
}

/// Ten thousand calls of random people with random questions, keys and addresses: everyone gets
/// an answer that was given to that very call.
#[tokio::test(start_paused = true)]
async fn no_call_is_ever_given_what_was_said_to_another() {
    fn name(ctx: &Ctx, call: &Call) -> String {
        // What a provider can see of a key.
        let own = ctx.credential("first");
        let key = own.map(|own| own.key.fingerprint());
        let at = own.and_then(|own| own.base_url.clone());
        let who = ctx.principal().as_str();
        format!("{who}|{key:?}|{at:?}|{}|{}", call.model, question(call))
    }
    let desk = Desk::new("first", |ctx, call| {
        Script::Answer(vec![start(), text(&name(ctx, call)), end()])
    });
    let (engine, diary) = build(&desk, MemoryCache::new().with_max_entries(2_000), on());
    let mut random = fastrand::Rng::with_seed(7);
    let mut pick = |of: u32| random.u32(..of);
    let runs = 10_000;
    for _ in 0..runs {
        let mut ctx = Ctx::new(Principal::new(format!("user-{}", pick(12))));
        if pick(3) == 0 {
            let mut own = Credential::new(format!("key-{}", pick(3)));
            if pick(2) == 0 {
                own = own.with_base_url(format!("https://host-{}.test/v1", pick(2)));
            }
            ctx = ctx.with_credential("first", own);
        }
        let words = format!("question {}", pick(5));
        let request = Request::from(words).with_stream(pick(2) == 0);
        let name_of = ["first/a", "first/b"];
        let asked = model(name_of[pick(2) as usize]);
        let call = Call::chat(asked.clone(), request);
        let short = asked.as_str().strip_prefix("first/").unwrap();
        let expected = name(&ctx, &call.with_model(model(short)));
        let response = chat(&engine, &ctx, &call).await.unwrap();
        assert_eq!(response.text(), expected);
    }
    assert!(desk.attempts() < runs / 2, "{} attempts", desk.attempts());
    assert!(desk.attempts() > 500, "{} attempts", desk.attempts());
    assert_eq!(diary.ledger.settled(), 10_000);
}

#[tokio::test(start_paused = true)]
async fn a_hit_is_one_row_without_attempt_and_charge() {
    for delivery in [Delivery::Whole, Delivery::Streamed] {
        let (desk, call) = (desk(), ask("first/a", delivery));
        let (engine, diary) = build(&desk, MemoryCache::new(), on());
        let first = chat(&engine, &Ctx::local(), &call).await.unwrap();
        assert!(!first.receipt.unwrap().cached);

        let ctx = Ctx::local().with_tag("team", "blue");
        let reply = engine.call(&ctx, &call).await.unwrap();
        assert!(reply.head().cached);
        assert_eq!(reply.head().delivery, delivery);
        let second = reply.collect().await.unwrap();
        assert_eq!((desk.attempts(), diary.opened()), (1, 1));
        assert_eq!(second.text(), "one two three four");
        let receipt = second.receipt.clone().unwrap();
        assert!(receipt.cached);
        assert_eq!((receipt.cost, receipt.attempts), (Cost::Free, 0));
        assert_eq!((&*receipt.provider, &*receipt.model), ("first", "model-1"));
        assert_eq!(receipt.usage, None);
        assert_eq!(second.usage, first.usage, "what the answer once used");

        let rows = diary.ledger.settlements();
        assert_eq!((rows.len(), diary.ledger.open_attempts()), (2, 0));
        let row = &rows[1];
        assert_eq!(row.request_id, ctx.request_id());
        assert_eq!(row.tags["team"], "blue");
        assert_eq!((row.outcome, row.charge), (Outcome::Complete, Cost::Free));
        assert!(row.attempts.is_empty());
        let hit = row.cached.as_ref().unwrap();
        assert_eq!((&*hit.provider, &*hit.model), ("first", "a"));
        assert_eq!(row.response.as_ref().unwrap().text(), second.text());
    }
}

#[tokio::test(start_paused = true)]
async fn streams_and_whole_answers_stand_in_for_each_other() {
    let deliveries = [Delivery::Whole, Delivery::Streamed];
    for (kept, wanted) in deliveries.iter().flat_map(|a| deliveries.map(|b| (*a, b))) {
        let (desk, ctx) = (desk(), Ctx::local());
        let (engine, _) = build(&desk, MemoryCache::new(), on());
        let mut first = chat(&engine, &ctx, &ask("first/a", kept)).await.unwrap();
        let mut reply = engine.call(&ctx, &ask("first/a", wanted)).await.unwrap();
        let mut batches = Vec::new();
        while let Some(batch) = reply.next().await {
            batches.push(batch.unwrap());
        }
        assert_eq!(desk.attempts(), 1);
        match (kept, wanted) {
            (_, Delivery::Whole) => assert_eq!(batches.len(), 1),
            (Delivery::Streamed, Delivery::Streamed) => assert_eq!(batches.len(), 6),
            (Delivery::Whole, Delivery::Streamed) => assert_eq!(batches.len(), 1),
        }
        let mut second = chat(&engine, &ctx, &ask("first/a", wanted)).await.unwrap();
        first.receipt = None;
        second.receipt = None;
        assert_eq!(first, second, "{kept:?} kept, {wanted:?} wanted");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hit_that_is_dropped_is_settled_all_the_same() {
    let (desk, call) = (desk(), ask("first/a", Delivery::Streamed));
    let (engine, diary) = build(&desk, MemoryCache::new(), on());
    chat(&engine, &Ctx::local(), &call).await.unwrap();
    let mut reply = engine.call(&Ctx::local(), &call).await.unwrap();
    for _ in 0..3 {
        reply.next().await.unwrap().unwrap();
    }
    drop(reply);
    let rows = diary.ledger.settlements();
    let row = rows.last().unwrap();
    assert_eq!(
        (rows.len(), row.outcome, row.charge),
        (2, Outcome::Partial, Cost::Free)
    );
    assert_eq!(row.response.as_ref().unwrap().text(), "one two ");
}

#[tokio::test(start_paused = true)]
async fn it_takes_an_engine_with_a_cache_and_a_call_that_wants_it() {
    let desk = desk();
    let (engine, _) = build(&desk, MemoryCache::new(), CachePolicy::default());
    let call = ask("first/a", Delivery::Whole);
    let with = |mode| Ctx::local().with_cache(mode);
    let mut asked = Vec::new();
    for ctx in [
        Ctx::local(),
        Ctx::local(),
        with(CacheMode::Use),
        with(CacheMode::Use),
        Ctx::local(),
        with(CacheMode::Refresh),
        with(CacheMode::Use),
        with(CacheMode::Off),
    ] {
        chat(&engine, &ctx, &call).await.unwrap();
        asked.push(desk.attempts());
    }
    assert_eq!(asked, [1, 2, 3, 3, 4, 5, 5, 6]);
}

#[tokio::test(start_paused = true)]
async fn only_answers_that_are_complete_and_the_models_own_are_kept() {
    let ending = |reason: FinishReason| {
        Desk::new("first", move |_, _| {
            let finish = Finish::new(reason, None);
            let end = Event::End(Box::new(End::new(vec![finish], None)));
            Script::Answer(vec![text("one"), Step::Events(vec![end])])
        })
    };
    let call = ask("first/a", Delivery::Streamed);
    for (reason, expected) in [
        (FinishReason::Stop, 1),
        (FinishReason::StopSequence, 1),
        (FinishReason::ToolCalls, 1),
        (FinishReason::Length, 2),
        (FinishReason::ContextWindow, 2),
        (FinishReason::ContentFilter, 2),
        (FinishReason::Refusal, 2),
        (FinishReason::Pause, 2),
        (FinishReason::Error, 2),
        (FinishReason::Other, 2),
    ] {
        let asked = asked(&ending(reason), on(), &call).await;
        assert_eq!(asked, expected, "{reason:?}");
    }
    let scripts: [Case; 5] = [
        ("an error", || {
            Script::Fail(status(400, ErrorKind::InvalidRequest))
        }),
        ("a broken stream", || {
            Script::Answer(vec![
                text("one"),
                Step::Fail(status(500, ErrorKind::Server)),
            ])
        }),
        ("a truncated stream", || Script::Answer(vec![text("one")])),
        ("an empty answer", || Script::Answer(vec![start(), end()])),
        ("a refusal that ends as usual", || {
            let delta = aurax_core::Delta::Refusal("I would rather not".to_owned());
            let refusal = Event::Delta {
                choice: 0,
                part: 0,
                delta,
            };
            Script::Answer(vec![Step::Events(vec![refusal]), end()])
        }),
    ];
    for (what, script) in scripts {
        let desk = Desk::new("first", move |_, _| script());
        assert_eq!(asked(&desk, on(), &call).await, 2, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_not_read_to_its_end_is_not_kept() {
    let (desk, call) = (desk(), ask("first/a", Delivery::Streamed));
    let (engine, _) = build(&desk, MemoryCache::new(), on());
    let mut reply = engine.call(&Ctx::local(), &call).await.unwrap();
    for _ in 0..5 {
        reply.next().await.unwrap().unwrap();
    }
    drop(reply);
    chat(&engine, &Ctx::local(), &call).await.unwrap();
    assert_eq!(desk.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn calls_that_are_more_than_their_answer_are_not_kept() {
    let desk = desk();
    let request = || Request::from("Count to four.");
    let native = Tool::Native(Native::new(None, "web_search", "{}"));
    for (request, expected) in [
        (request(), 1),
        (request().with_store(false), 1),
        (request().with_store(true), 2),
        (request().with_tools([native]), 2),
    ] {
        let call = Call::chat(model("first/a"), request);
        assert_eq!(asked(&desk, on(), &call).await, expected, "{call:?}");
    }
    let (engine, _) = build(&desk, MemoryCache::new(), on());
    let before = desk.attempts();
    for _ in 0..2 {
        let ctx = Ctx::local().with_raw();
        chat(&engine, &ctx, &ask("first/a", Delivery::Whole))
            .await
            .unwrap();
    }
    assert_eq!(
        desk.attempts(),
        before + 2,
        "the provider's own bytes are not kept"
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_a_fallback_is_not_kept_for_the_first_model() {
    let down = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let is_down = down.clone();
    let first = Desk::new("first", move |_, _| {
        if is_down.load(std::sync::atomic::Ordering::Relaxed) {
            return Script::Fail(status(401, ErrorKind::Auth));
        }
        whole_answer()
    });
    let second = Desk::new("second", |_, _| {
        Script::Answer(vec![text("from the second"), end()])
    });
    let engine = Engine::builder()
        .provider(first)
        .provider(second)
        .cache(MemoryCache::new(), on())
        .build()
        .unwrap();
    let ctx = Ctx::local().with_fallback([model("second/b")]);
    let call = ask("first/a", Delivery::Whole);
    let response = chat(&engine, &ctx, &call).await.unwrap();
    assert_eq!(response.text(), "from the second");
    down.store(false, std::sync::atomic::Ordering::Relaxed);
    let response = chat(&engine, &ctx, &call).await.unwrap();
    assert_eq!(response.text(), "one two three four");
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_forgotten_in_time_and_a_large_one_not_kept() {
    let (desk, call) = (desk(), ask("first/a", Delivery::Whole));
    let (engine, _) = build(&desk, MemoryCache::new(), on().with_ttl(secs(60)));
    for (passes, expected) in [(0, 1), (59, 1), (1, 2), (59, 2)] {
        tokio::time::advance(secs(passes)).await;
        chat(&engine, &Ctx::local(), &call).await.unwrap();
        assert_eq!(desk.attempts(), expected, "{passes} s later");
    }
    assert_eq!(asked(&desk, on().with_max_entry_bytes(100), &call).await, 2);
}

/// A store that is out of order.
#[derive(Debug)]
enum Sick {
    Fails,
    Hangs,
    Garbage,
}

#[async_trait]
impl CacheStore for Sick {
    async fn get(&self, _: &CacheKey) -> Result<Option<Bytes>, Error> {
        match self {
            Self::Fails => Err(Error::new(ErrorKind::Network, "no store")),
            Self::Hangs => std::future::pending().await,
            Self::Garbage => Ok(Some(Bytes::from_static(b"{\"batches\":"))),
        }
    }

    async fn put(&self, _: &CacheKey, _: Bytes, _: Duration) -> Result<(), Error> {
        match self {
            Self::Fails => Err(Error::new(ErrorKind::Network, "no store")),
            Self::Hangs => std::future::pending().await,
            Self::Garbage => Ok(()),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_out_of_order_costs_a_moment_and_no_call() {
    for (store, most) in [(Sick::Fails, 0), (Sick::Hangs, 110), (Sick::Garbage, 0)] {
        let what = format!("{store:?}");
        let desk = desk();
        let (engine, diary) = build(&desk, store, on());
        let start = tokio::time::Instant::now();
        let call = ask("first/a", Delivery::Streamed);
        let response = chat(&engine, &Ctx::local(), &call).await.unwrap();
        assert_eq!(response.text(), "one two three four", "{what}");
        let waited = start.elapsed().as_millis();
        assert!(waited <= most, "{what}: {waited} ms");
        assert_eq!((desk.attempts(), diary.ledger.settled()), (1, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_hit_is_a_request_of_its_principal_but_uses_no_tokens() {
    let desk = desk();
    let engine = |quota| {
        let builder = Engine::builder().provider(desk.clone()).quota(quota);
        builder.cache(MemoryCache::new(), on()).build().unwrap()
    };
    let call = ask("first/a", Delivery::Whole);
    // 14 tokens an answer, and 9 to be let in.
    let tokens = engine(QuotaPolicy::none().with_tokens_per_minute(23));
    for _ in 0..5 {
        chat(&tokens, &Ctx::local(), &call).await.unwrap();
    }
    let requests = engine(QuotaPolicy::none().with_requests_per_minute(2));
    chat(&requests, &Ctx::local(), &call).await.unwrap();
    chat(&requests, &Ctx::local(), &call).await.unwrap();
    let error = chat(&requests, &Ctx::local(), &call).await.unwrap_err();
    assert_eq!(error.context("limit"), Some("requests_per_minute"));
}

#[tokio::test(start_paused = true)]
async fn memory_is_bounded_and_what_was_used_last_stays() {
    let desk = Desk::new("first", |_, call| {
        Script::Answer(vec![text(&question(call).repeat(10)), end()])
    });
    let ask = |words: &str| Call::chat(model("first/a"), words);
    let words: Vec<String> = (0..30).map(|n| format!("{n:02}")).collect();

    let store = MemoryCache::new().with_max_entries(3);
    let (engine, _) = build(&desk, store.clone(), on());
    for words in &words[..3] {
        chat(&engine, &Ctx::local(), &ask(words)).await.unwrap();
    }
    chat(&engine, &Ctx::local(), &ask(&words[0])).await.unwrap();
    chat(&engine, &Ctx::local(), &ask(&words[3])).await.unwrap();
    assert_eq!((store.size().0, desk.attempts()), (3, 4));
    chat(&engine, &Ctx::local(), &ask(&words[0])).await.unwrap();
    assert_eq!(desk.attempts(), 4, "it was asked for since");
    chat(&engine, &Ctx::local(), &ask(&words[1])).await.unwrap();
    assert_eq!(desk.attempts(), 5, "it was not");
    store.clear();
    assert_eq!(store.size(), (0, 0));

    let store = MemoryCache::new().with_max_bytes(5_000);
    let (engine, _) = build(&desk, store.clone(), on());
    for words in &words {
        chat(&engine, &Ctx::local(), &ask(words)).await.unwrap();
        assert!(store.size().1 <= 5_000, "{:?}", store.size());
    }
    assert!(store.size().0 > 1, "{:?}", store.size());
    let before = desk.attempts();
    chat(&engine, &Ctx::local(), &ask(&words[29]))
        .await
        .unwrap();
    assert_eq!(desk.attempts(), before);
}

/// Who reads a shared store cannot look up an answer by asking the question elsewhere.
#[tokio::test(start_paused = true)]
async fn engines_share_a_store_only_with_the_same_secret() {
    let (desk, store) = (desk(), MemoryCache::new());
    let call = ask("first/a", Delivery::Whole);
    for (secret, attempts, entries) in [("one", 1, 1), ("one", 1, 1), ("two", 2, 2)] {
        let (engine, _) = build(&desk, store.clone(), on().with_secret(secret));
        chat(&engine, &Ctx::local(), &call).await.unwrap();
        assert_eq!(desk.attempts(), attempts, "{secret}");
        assert_eq!(store.size().0, entries, "{secret}");
    }
}
