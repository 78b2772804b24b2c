//! The price book: how soon it is ready, and what one cost takes.

#![allow(
    clippy::unwrap_used,
    clippy::float_arithmetic,
    clippy::disallowed_methods,
    reason = "a bench may panic, counts no money and says which of its rounds it is"
)]

mod measure;

use std::process::Command;

use aurax::{Clock as _, PriceBook, SystemClock, Totals, Usage};

const COSTS: u64 = 20_000;
const CHILD: &str = "AURAX_BENCH_READY";

/// The book is read once a process, so each round is a process of its own.
fn ready() -> f64 {
    let mut samples: Vec<f64> = (0..measure::ROUNDS)
        .map(|_| {
            let program = std::env::current_exe().unwrap();
            let output = Command::new(program).env(CHILD, "1").output().unwrap();
            let said = String::from_utf8(output.stdout).unwrap();
            said.trim().parse().unwrap()
        })
        .collect();
    measure::median(&mut samples)
}

fn main() {
    if std::env::var_os(CHILD).is_some() {
        let (taken, book) = measure::time(PriceBook::builtin);
        assert!(book.knows("openai", "gpt-4o-mini"));
        println!("{}", taken.as_nanos());
        return;
    }
    println!("prices, {}", measure::unit());
    measure::report("price book ready", ready() / 1e6, "ms", "≤ 5 ms");

    let book = PriceBook::builtin();
    let now = SystemClock.now();
    let mut totals = Totals::default();
    totals.input = Some(12_345);
    totals.cache_read = Some(10_240);
    totals.output = Some(678);
    totals.reasoning = Some(512);
    let usage = Usage::from_totals(totals);
    for (provider, model) in [
        ("openai", "gpt-4o-mini"),
        ("anthropic", "claude-sonnet-4-5-20250929"),
    ] {
        let mut cost = || {
            for _ in 0..COSTS {
                assert!(book.bill(provider, model, &usage, now).is_ok());
            }
        };
        let nanos = measure::interleaved(&mut [("cost", COSTS, &mut cost)]);
        let micros = nanos.first().copied().unwrap_or(f64::NAN) / 1_000.0;
        measure::report(
            &format!("one cost, {provider}/{model}"),
            micros,
            "µs",
            "≤ 2 µs",
        );
    }
}
