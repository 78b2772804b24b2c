//! Every detector of the audit is red where its rule is broken, and green where it is not.

use std::sync::Arc;
use std::time::Duration;

use aurax_core::{Call, Ctx, Engine, Message, ModelId, Money, Principal, Provider as _, Request};
use aurax_core::{Clock as _, PriceBook, Pricer, Reply, RequestId, SystemClock};
use aurax_store::testkit::{
    self, Audit, Books, Ending, Invariant, Journal, Load, Mix, Moment, Plan, Prompt, Sabotage,
    Seen, Upstream,
};
use aurax_store::{LedgerOptions, Repricing, Store};
use futures::StreamExt as _;

use crate::place::{Place, until};
use crate::program::{MODEL, engine};

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

/// A store whose ledger may break a rule, an upstream, and an engine between.
struct Bench {
    place: Place,
    store: Store,
    upstream: Upstream,
    engine: Engine,
}

impl Bench {
    async fn in_memory(sabotage: Option<Sabotage>) -> Self {
        Self::over(Store::in_memory().await.unwrap(), Place::file(), sabotage).await
    }

    async fn in_a_file(sabotage: Option<Sabotage>) -> Self {
        let place = Place::file();
        Self::over(place.open().await, place, sabotage).await
    }

    async fn over(store: Store, place: Place, sabotage: Option<Sabotage>) -> Self {
        let ada = Principal::new("ada");
        testkit::add_budget(&store, &ada, true, money("100"))
            .await
            .unwrap();
        let upstream = Upstream::start(place.upstream_journal()).await.unwrap();
        let mut options = LedgerOptions::default();
        if let Some(sabotage) = sabotage {
            options = testkit::sabotaged(options, sabotage);
        }
        store.ledger(options).unwrap();
        let engine = engine(upstream.url(), &store);
        Self {
            place,
            store,
            upstream,
            engine,
        }
    }

    async fn audit(&self, moment: Moment) -> Audit {
        let books = Books::read(&self.store).await.unwrap();
        let seen: Vec<Seen> = Journal::read(self.place.client_journal()).unwrap();
        let facts = self.upstream.facts().unwrap();
        Audit::of(&books, &facts, &seen, &self.engine, moment)
    }

    fn journal(&self) -> Arc<Journal> {
        Arc::new(Journal::open(self.place.client_journal()).unwrap())
    }

    /// Begins a streamed answer of two tokens.
    async fn begin(&self, ending: Ending) -> (RequestId, Reply) {
        let ctx = Ctx::new(Principal::new("ada")).with_request_id(RequestId::new());
        let request = ctx.request_id();
        self.journal().note(&Seen::asking(request));
        let prompt = Prompt::new(request, [Plan::answer(2).with_ending(ending)]);
        let mut body = Request::new(vec![Message::user(prompt.text())]);
        body.stream = true;
        let call = Call::chat(ModelId::parse(MODEL).unwrap(), body);
        (request, self.engine.call(&ctx, &call).await.unwrap())
    }

    async fn clear(self) {
        self.place.clear(&self.store).await;
    }
}

/// What is violated after many calls have come to rest.
async fn after_a_load(sabotage: Option<Sabotage>) -> Vec<Invariant> {
    let bench = Bench::in_memory(sabotage).await;
    let mut mix = Mix::default();
    (mix.failing, mix.cut, mix.dropped) = (5, 15, 30);
    let load = Load::new(
        bench.engine.clone(),
        ModelId::parse(MODEL).unwrap(),
        bench.journal(),
    );
    let load = load
        .with_clients(12)
        .with_sessions(6)
        .with_mix(mix)
        .with_seed(7);
    let load = load.with_principal(Principal::new("ada"));
    let tally = load.run(120).await;
    assert!(tally.acknowledged > 30 && tally.left > 10, "{tally:?}");
    let ledger = bench.store.ledger(LedgerOptions::default()).unwrap();
    ledger.close().await;
    let limit = Duration::from_secs(5);
    until("idle upstream", limit, || bench.upstream.open() == 0).await;
    let audit = bench.audit(Moment::AtRest).await;
    println!("{sabotage:?}\n{audit}");
    for verdict in audit.verdicts() {
        // Of free sessions there is nothing to look at.
        let is_quiet = verdict.invariant == Invariant::SessionsFree;
        assert!(verdict.checked > 0 || is_quiet, "{verdict}");
    }
    bench.clear().await;
    audit.violated()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_found_where_nothing_is_wrong() {
    assert_eq!(after_a_load(None).await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_broken_rule_is_found() {
    let broken = [
        (Sabotage::SkipIntent, Invariant::AttemptBeforeSend),
        (Sabotage::ForgetDropped, Invariant::SettledOnce),
        (Sabotage::SettleTwice, Invariant::SettledOnce),
        (Sabotage::ChargeTwice, Invariant::ChargedOnce),
        (Sabotage::ChargeNobody, Invariant::ChargeHasRequest),
        (Sabotage::WrongTokens, Invariant::CountsAgree),
        (Sabotage::LoseTokens, Invariant::ForwardedIsCounted),
        (Sabotage::WrongCost, Invariant::Repriced),
        (Sabotage::WrongCost, Invariant::TotalsAddUp),
        (Sabotage::NeverRelease, Invariant::HeldInFlight),
        (Sabotage::NeverSpend, Invariant::TotalsAddUp),
        (Sabotage::LoseMessage, Invariant::AnswerIsMessage),
        (Sabotage::StayBusy, Invariant::SessionsFree),
    ];
    let found = broken.map(|(sabotage, detector)| async move {
        let violated = after_a_load(Some(sabotage)).await;
        assert!(violated.contains(&detector), "{sabotage:?}: {violated:?}");
    });
    futures::future::join_all(found).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_budget_that_is_overspent_is_found() {
    let bench = Bench::in_memory(Some(Sabotage::NeverSpend)).await;
    let tight = Principal::new("tight");
    testkit::add_budget(&bench.store, &tight, true, money("0.0002"))
        .await
        .unwrap();
    let mut mix = Mix::default();
    (mix.failing, mix.cut, mix.dropped) = (0, 0, 0);
    let model = ModelId::parse(MODEL).unwrap();
    let load = Load::new(bench.engine.clone(), model, bench.journal());
    let load = load.with_clients(1).with_mix(mix).with_output_limit(20);
    let tally = load.with_principal(tight).run(40).await;
    assert_eq!(tally.acknowledged, 40);
    let audit = bench.audit(Moment::AtRest).await;
    assert!(
        audit.violated().contains(&Invariant::WithinLimit),
        "{audit}"
    );
    bench.clear().await;
}

/// What is violated while the caller of one answer has just seen its end, and others go on.
async fn after_an_end(sabotage: Option<Sabotage>) -> Vec<Invariant> {
    // In memory the audit would wait for the writer.
    let bench = Bench::in_a_file(sabotage).await;
    let (_, first) = bench.begin(Ending::Hang).await;
    let (request, answer) = bench.begin(Ending::Complete).await;
    let receipt = answer.collect().await.unwrap().receipt.unwrap();
    let buckets = &receipt.usage.as_ref().unwrap().buckets;
    let (input, output) = (buckets.input_tokens(), buckets.output_tokens());
    let request = request.as_uuid();
    let cost = receipt.cost.amount();
    let journal = bench.journal();
    journal.note(&acknowledged(request, input, output, cost));
    let audit = bench.audit(Moment::Running).await;
    println!("{sabotage:?}\n{audit}");
    drop(first);
    bench.clear().await;
    audit.violated()
}

fn acknowledged(
    request: uuid::Uuid,
    input: u64,
    output: u64,
    cost: Option<Money>,
) -> serde_json::Value {
    serde_json::json!({"acknowledged": {
        "request": request, "input": input, "output": output, "cost": cost,
    }})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_durable_when_the_caller_sees_the_end_is_found() {
    assert_eq!(after_an_end(None).await, []);
    let violated = after_an_end(Some(Sabotage::SettleAfterAck)).await;
    assert!(violated.contains(&Invariant::AcknowledgedIsWritten));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_that_is_given_back_twice_is_found() {
    let violated = after_an_end(Some(Sabotage::ReleaseTwice)).await;
    assert!(violated.contains(&Invariant::HeldInFlight));
}

/// Prices a bench's answers again, in dollars a million tokens.
async fn reprice(bench: &Bench, input: &str, output: &str) {
    let overlay = format!(
        r#"{{"providers": {{"openai": {{"models": [{{"id": "gpt-4o-mini",
            "prices": [{{"usd": {{"input": "{input}", "output": "{output}"}}}}]}}]}}}}}}"#
    );
    let book = PriceBook::builtin().with_overlay(&overlay).unwrap();
    let (now, hour) = (SystemClock.now(), time::Duration::hours(1));
    let pricer = Arc::new(Pricer::new(Arc::new(book)));
    let what = Repricing::new(pricer, now - hour, now + hour);
    let done = bench.store.jobs().reprice(&what).await.unwrap();
    assert_eq!(done.changed, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cost_that_was_corrected_is_looked_at_with_its_tokens() {
    let bench = Bench::in_memory(None).await;
    let (_, answer) = bench.begin(Ending::Complete).await;
    answer.collect().await.unwrap();
    reprice(&bench, "1", "2").await;
    let dearer = bench.audit(Moment::AtRest).await;
    assert!(dearer.violated().contains(&Invariant::Repriced), "{dearer}");
    reprice(&bench, "0.15", "0.6").await;
    let audit = bench.audit(Moment::AtRest).await;
    assert_eq!(audit.violated(), [], "{audit}");
    bench.clear().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_streamed_as_planned() {
    let bench = Bench::in_memory(None).await;
    let (_, mut answer) = bench.begin(Ending::Cut).await;
    let mut words = 0;
    let error = loop {
        match answer.next().await.unwrap() {
            Ok(batch) => words += batch.events.iter().filter(|e| e.is_content()).count(),
            Err(error) => break error,
        }
    };
    assert_eq!((words, error.kind()), (2, aurax_core::ErrorKind::Network));
    bench.clear().await;
}
