//! One budget that several processes spend at once.

use std::collections::HashMap;

use aurax_core::{Decimal, Money, Principal};
use aurax_store::testkit::{self, Audit, Books, Journal, Mix, Moment, Seen, Tally, Upstream};

use crate::place::{Place, seed};
use crate::program::{Orders, Program, pricing};

const PROCESSES: usize = 3;
/// Calls at once in each of them: 200 in all, and one.
const CLIENTS: usize = 67;
const ROUNDS: usize = 20;

/// Spends a budget that has room for a part of all calls; says what came of it, and what the
/// audit found.
async fn spend(place: &Place) -> (Tally, Audit) {
    let store = place.open().await;
    let calls = PROCESSES * CLIENTS * ROUNDS;
    // A call costs up to 18 millionths of a dollar, and holds more than twice that.
    let limit = Money::new(Decimal::new(8 * i64::try_from(calls).unwrap(), 6));
    testkit::add_budget(&store, &Principal::new("load"), true, limit)
        .await
        .unwrap();
    let upstream = Upstream::start(place.upstream_journal()).await.unwrap();
    let mut rng = fastrand::Rng::with_seed(seed());
    let programs = (0..PROCESSES).map(|_| {
        let mut orders = Orders::new(place, upstream.url(), rng.u64(..));
        (orders.clients, orders.requests) = (CLIENTS, CLIENTS * ROUNDS);
        orders.output_limit = Some(20);
        // A machine that is busy with something else is no lock.
        orders.patience = 30;
        orders.mix = Mix::default();
        let mix = &mut orders.mix;
        (mix.failing, mix.cut, mix.dropped) = (0, 0, 0);
        Program::start(&orders)
    });
    let programs: Vec<Program> = programs.collect();
    let waiting = programs.into_iter().map(|program| {
        let tally = tokio::task::spawn_blocking(|| program.tally());
        async { tally.await.unwrap() }
    });
    let mut sum = Tally::default();
    for tally in futures::future::join_all(waiting).await {
        println!("{tally:?}");
        sum.acknowledged += tally.acknowledged;
        sum.over_budget += tally.over_budget;
        sum.failed += tally.failed;
    }
    let books = Books::read(&store).await.unwrap();
    let seen: Vec<Seen> = Journal::read(place.client_journal()).unwrap();
    let mut errors: HashMap<String, usize> = HashMap::new();
    for one in &seen {
        if let Seen::Failed { kind, .. } = one {
            *errors.entry(format!("{kind:?}")).or_default() += 1;
        }
    }
    let facts = upstream.facts().unwrap();
    let engine = pricing(upstream.url());
    let audit = Audit::of(&books, &facts, &seen, &engine, Moment::AtRest);
    println!(
        "{calls} calls, {} answered, {errors:?}, spent {} of {limit}\n{audit}",
        sum.acknowledged, books.budgets[0].spent
    );
    store.close().await;
    (sum, audit)
}

async fn a_shared_budget_is_not_overspent(place: Place) {
    let (tally, audit) = spend(&place).await;
    assert_eq!(audit.violated(), []);
    // Nobody hears of locks, only of budgets.
    assert_eq!(tally.failed, 0);
    assert!(tally.acknowledged > 0 && tally.over_budget > 0, "{tally:?}");
    place.clear(&place.open().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_budget_that_processes_share_is_not_overspent_in_a_file() {
    a_shared_budget_is_not_overspent(Place::file()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_budget_that_processes_share_is_not_overspent_in_postgres() {
    if let Some(place) = Place::postgres().await {
        a_shared_budget_is_not_overspent(place).await;
    }
}
