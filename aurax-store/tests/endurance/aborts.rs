//! Callers that leave: what they leave unread is settled, and the provider hears of it.

use std::sync::Arc;
use std::time::Duration;

use aurax_core::{ModelId, Principal};
use aurax_store::LedgerOptions;
use aurax_store::testkit::{
    self, Audit, Books, Fact, How, Invariant, Journal, Load, Mix, Moment, Seen, Upstream,
};

use crate::place::{Place, seed, until};
use crate::program::{MODEL, engine};

const ABORTS: usize = 200;

async fn what_callers_leave_is_settled(place: Place) {
    let store = place.open().await;
    let load = Principal::new("load");
    testkit::add_budget(&store, &load, true, "100".parse().unwrap())
        .await
        .unwrap();
    let upstream = Upstream::start(place.upstream_journal()).await.unwrap();
    let engine = engine(upstream.url(), &store);
    let mut mix = Mix::default();
    (mix.failing, mix.cut, mix.dropped) = (0, 0, 100);
    let journal = Arc::new(Journal::open(place.client_journal()).unwrap());
    let load = Load::new(engine.clone(), ModelId::parse(MODEL).unwrap(), journal);
    let load = load
        .with_clients(16)
        .with_sessions(8)
        .with_mix(mix)
        .with_seed(seed());
    let asked = || {
        let facts = upstream.facts().unwrap();
        let asked = |fact: &&Fact| matches!(fact, Fact::Asked { .. });
        facts.iter().filter(asked).count()
    };
    // Some leave before anything is sent, which is no answer yet.
    let mut left = 0;
    while asked() < ABORTS {
        let tally = load.run(ABORTS).await;
        assert_eq!(tally.left, ABORTS as u64, "{tally:?}");
        left += tally.left;
    }
    // None of these answers ends by itself.
    let limit = Duration::from_secs(5);
    until("every answer is closed", limit, || upstream.open() == 0).await;
    store
        .ledger(LedgerOptions::default())
        .unwrap()
        .close()
        .await;
    let books = Books::read(&store).await.unwrap();
    let seen: Vec<Seen> = Journal::read(place.client_journal()).unwrap();
    let facts = upstream.facts().unwrap();
    let closed = facts.iter().filter(|fact| {
        let Fact::Ended { how, .. } = fact else {
            return false;
        };
        *how == How::HungUp
    });
    let audit = Audit::of(&books, &facts, &seen, &engine, Moment::AtRest);
    println!(
        "{left} callers left, {} attempts, {} closed at the upstream\n{audit}",
        books.attempts.len(),
        closed.count()
    );
    assert_eq!(audit.violated(), []);
    let verdicts = audit.verdicts().iter();
    let mut counted = verdicts.filter(|one| one.invariant == Invariant::ForwardedIsCounted);
    assert!(counted.next().unwrap().checked > 20);
    place.clear(&store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_callers_leave_is_settled_in_a_file() {
    what_callers_leave_is_settled(Place::file()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_callers_leave_is_settled_in_postgres() {
    if let Some(place) = Place::postgres().await {
        what_callers_leave_is_settled(place).await;
    }
}
