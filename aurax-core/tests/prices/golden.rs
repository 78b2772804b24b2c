//! Costs that other calculators and price lists agree on, kept outside this repository.
//!
//! `AURAX_PRICING_DIR` names a folder with `golden*.jsonl`. Its usage is inclusive; it becomes
//! disjoint here, at the border.

use std::fs;
use std::path::{Path, PathBuf};

use aurax_core::{Bill, Iteration, PriceBook, PriceError, Usage};
use rust_decimal::Decimal;
use serde_json::Value;

use crate::support::{at, decimal, totals};

/// The folder with golden cases, where it is given.
#[expect(
    clippy::disallowed_methods,
    reason = "whoever runs the tests says where the cases are"
)]
fn folder() -> Option<PathBuf> {
    std::env::var_os("AURAX_PRICING_DIR").map(PathBuf::from)
}

#[test]
fn golden_cases_cost_what_their_oracle_says() {
    let Some(folder) = folder() else {
        println!("golden: 0 passed, 0 failed, 5 skipped (AURAX_PRICING_DIR is not set)");
        return;
    };
    let mut all_failures = Vec::new();
    for name in [
        "golden.jsonl",
        "golden.corrections.jsonl",
        "golden.errors.jsonl",
        "golden.usage.jsonl",
        "golden.iterations.jsonl",
    ] {
        let Some(cases) = read(&folder.join(name)) else {
            println!("{name}: golden: 0 passed, 0 failed, 1 skipped (no such file)");
            continue;
        };
        let failures: Vec<_> = cases.iter().filter_map(|case| check(case).err()).collect();
        println!(
            "{name}: golden: {} passed, {} failed, 0 skipped",
            cases.len() - failures.len(),
            failures.len()
        );
        all_failures.extend(failures);
    }
    assert!(all_failures.is_empty(), "{}", all_failures.join("\n"));
}

fn read(path: &Path) -> Option<Vec<Value>> {
    let text = fs::read_to_string(path).ok()?;
    Some(
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect(),
    )
}

fn check(case: &Value) -> Result<(), String> {
    let text = |name: &str| case[name].as_str();
    let (provider, model) = (text("provider").unwrap(), text("model").unwrap());
    let bill = PriceBook::builtin().bill(
        provider,
        model,
        &usage(case),
        at(text("timestamp").unwrap()),
    );
    let wrong = |what: &str| Err(format!("{}: {what}: {bill:?}", text("id").unwrap()));
    match (text("expected_error"), &bill) {
        (Some(error), Err(e)) if error == class(e) => Ok(()),
        (None, Ok(bill)) => {
            let places = [
                ("expected_cost_usd", bill.total),
                ("expected_input_usd", bill.input),
                ("expected_output_usd", bill.output),
            ];
            for (name, usd) in places {
                if text(name).is_some_and(|expected| !agrees(case, expected, usd.usd())) {
                    return wrong(name);
                }
            }
            if text("catalogue_model").is_some_and(|model| model != bill.model)
                || text("priced_by").is_some_and(|provider| provider != bill.priced_by)
            {
                return wrong("another model");
            }
            check_runs(case, bill)
        }
        _ => wrong("a result of another kind"),
    }
}

/// The runs of a call are the parts of the case, in their order.
fn check_runs(case: &Value, bill: &Bill) -> Result<(), String> {
    let parts = case["parts"].as_array().into_iter().flatten();
    let expected: Decimal = parts
        .map(|part| decimal(part["expected_cost_usd"].as_str().unwrap()))
        .sum();
    if case.get("parts").is_some() && expected != bill.total.usd() {
        return Err(format!(
            "{}: the runs cost {expected}: {bill:?}",
            case["id"]
        ));
    }
    Ok(())
}

fn agrees(case: &Value, expected: &str, usd: Decimal) -> bool {
    match case["compare"].as_str() {
        None | Some("exact") => decimal(expected) == usd,
        // A quotient, written with more places than a decimal keeps.
        Some(tolerance) => {
            let difference = (expected.parse::<Decimal>().unwrap() - usd).abs();
            difference <= Decimal::from_scientific(tolerance).unwrap()
        }
    }
}

/// The oracle's word for an error.
fn class(error: &PriceError) -> &'static str {
    match error {
        PriceError::UnknownProvider { .. } | PriceError::UnknownModel { .. } => "Unknown",
        PriceError::Unpriced { .. } => "Unpriced",
        PriceError::BadUsage { .. } => "BadUsage",
        _ => "another",
    }
}

fn usage(case: &Value) -> Usage {
    if let Some(parts) = case["parts"].as_array() {
        let runs = parts.iter().map(|part| {
            let model = part["model"].as_str().map(str::to_owned);
            Iteration::new(
                part["type"].as_str().unwrap(),
                model,
                &totals(&part["usage"]),
            )
        });
        return Usage::from_totals(totals(&serde_json::json!({}))).with_iterations(runs.collect());
    }
    let mut usage = Usage::from_totals(totals(&case["usage"]));
    for (key, value) in case["context"].as_object().into_iter().flatten() {
        let value = value.as_str().unwrap().to_owned();
        usage.price_context.insert(key.clone(), value);
    }
    usage
}
