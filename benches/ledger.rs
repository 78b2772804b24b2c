//! What the ledger adds to a call, strict beside relaxed, in SQLite and PostgreSQL, with 1, 32 and
//! 256 callers: calls a second, processor time a call (this process's alone) and latency.
//!
//! `cargo bench --bench ledger -- 256 SQLite` measures what the words name alone.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::float_arithmetic,
    reason = "a bench may panic, and counts no money"
)]

mod measure;

use std::time::Duration;

use aurax::providers::Demo;
use aurax::store::{Durability, LedgerOptions, PostgresOptions, Store};
use aurax::{Call, Ctx, Engine, ModelId, Provider as _, Request};

/// Rounds of each, in turn with the others.
const ROUNDS: usize = 5;
/// How many callers ask at once, and how many calls a round has.
const LOADS: [(usize, usize); 3] = [(1, 200), (32, 3_000), (256, 10_000)];

struct Contender {
    name: String,
    engine: Engine,
    store: Option<Store>,
    /// Of each round: seconds, processor seconds, and every call's latency.
    rounds: Vec<(f64, f64, Vec<Duration>)>,
}

impl Contender {
    fn new(name: &str, store: Option<Store>) -> Self {
        let mut builder = Engine::builder().provider(Demo::new());
        if let Some(store) = &store {
            // What waits for a slow disk is measured, not refused.
            let options = LedgerOptions::default().with_patience(Duration::from_secs(60));
            builder = builder.ledger(store.ledger(options).unwrap());
        }
        Self {
            name: name.to_owned(),
            engine: builder.build().unwrap(),
            store,
            rounds: Vec::new(),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a bench is told where its server is"
)]
fn address() -> Option<String> {
    std::env::var("AURAX_TEST_POSTGRES").ok()
}

#[expect(clippy::disallowed_methods, reason = "a bench measures time")]
async fn round(engine: &Engine, callers: usize, calls: usize) -> (f64, f64, Vec<Duration>) {
    let request = Request::from("What is the capital of France?");
    let call = Call::chat(ModelId::parse("demo/echo").unwrap(), request);
    let (start, busy) = (std::time::Instant::now(), processor());
    let tasks: Vec<_> = (0..callers)
        .map(|_| {
            let (engine, call) = (engine.clone(), call.clone());
            tokio::spawn(async move {
                let mut latencies = Vec::with_capacity(calls / callers);
                for _ in 0..calls / callers {
                    let start = std::time::Instant::now();
                    let reply = engine.call(&Ctx::local(), &call).await.unwrap();
                    reply.collect().await.unwrap();
                    latencies.push(start.elapsed());
                }
                latencies
            })
        })
        .collect();
    let mut latencies = Vec::with_capacity(calls);
    for task in tasks {
        latencies.extend(task.await.unwrap());
    }
    let busy = processor().saturating_sub(busy);
    (start.elapsed().as_secs_f64(), busy.as_secs_f64(), latencies)
}

fn processor() -> Duration {
    measure::processor_time().unwrap_or_default()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

async fn contenders(folder: &std::path::Path) -> Vec<Contender> {
    let mut all = vec![Contender::new("none", None)];
    for (name, durability) in [
        ("relaxed", Durability::Relaxed),
        ("strict", Durability::Strict),
    ] {
        let path = folder.join(format!("{name}.db"));
        let store = Store::sqlite_with(path, durability).await.unwrap();
        all.push(Contender::new(&format!("SQLite {name}"), Some(store)));
    }
    let Some(url) = address() else {
        println!("PostgreSQL is left out: AURAX_TEST_POSTGRES is not set");
        return all;
    };
    for (name, durability) in [
        ("relaxed", Durability::Relaxed),
        ("strict", Durability::Strict),
    ] {
        let options = PostgresOptions::new(&url).with_durability(durability);
        let store = Store::postgres(&options).await.unwrap();
        all.push(Contender::new(&format!("PostgreSQL {name}"), Some(store)));
    }
    all
}

/// Whether the words of the command line let it through: no number, or this one; no name, or a part
/// of this one.
fn is_asked(callers: usize, name: &str) -> bool {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words = words.iter().filter(|word| !word.starts_with('-'));
    let (numbers, names): (Vec<&String>, Vec<&String>) =
        words.partition(|word| word.parse::<usize>().is_ok());
    let is_load = numbers.is_empty() || numbers.contains(&&callers.to_string());
    is_load && (names.is_empty() || names.iter().any(|part| name.contains(part.as_str())))
}

#[tokio::main]
async fn main() {
    let folder = std::env::temp_dir().join(format!("aurax-bench-{}", aurax::new_id()));
    std::fs::create_dir(&folder).unwrap();
    let mut all = contenders(&folder).await;
    for (callers, calls) in LOADS {
        let chosen = |contender: &&mut Contender| is_asked(callers, &contender.name);
        for contender in all.iter_mut().filter(chosen) {
            contender.rounds.clear();
            round(&contender.engine, callers, calls / 4).await;
        }
        for _ in 0..ROUNDS {
            for contender in all.iter_mut().filter(chosen) {
                let measured = round(&contender.engine, callers, calls).await;
                contender.rounds.push(measured);
            }
        }
        println!("\n{callers} callers");
        for contender in all.iter().filter(|one| is_asked(callers, &one.name)) {
            report(contender, calls / callers * callers);
        }
    }
    for contender in all {
        if let Some(store) = contender.store {
            store.close().await;
        }
    }
    std::fs::remove_dir_all(folder).unwrap();
}

fn report(contender: &Contender, calls: usize) {
    let calls = calls as f64;
    let rounds = &contender.rounds;
    let rate = median(rounds.iter().map(|(seconds, ..)| calls / seconds).collect());
    let busy = median(
        rounds
            .iter()
            .map(|(_, busy, _)| busy / calls * 1e6)
            .collect(),
    );
    let mut latencies: Vec<Duration> = rounds.iter().flat_map(|(.., all)| all).copied().collect();
    latencies.sort();
    let at = |share: usize| latencies[latencies.len() * share / 100].as_secs_f64() * 1e6;
    println!(
        "  {:<20} {rate:>8.0} calls/s {busy:>8.1} µs processor {:>9.0} µs p50 {:>9.0} µs p99",
        contender.name,
        at(50),
        at(99)
    );
}
