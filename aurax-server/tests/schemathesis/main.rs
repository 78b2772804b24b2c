//! The API against its own document: Schemathesis makes up requests, right and wrong ones, and
//! compares every answer with `/openapi.json`.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

#[path = "../support/mod.rs"]
mod support;

use std::path::Path;
use std::process::Stdio;

use support::{Kind, Server, variable};

/// How many requests are made at least.
const CASES: u64 = 5_000;

async fn agrees_with_its_document(kind: Kind) {
    let Some(program) = variable("AURAX_TEST_SCHEMATHESIS") else {
        println!("1 skipped: AURAX_TEST_SCHEMATHESIS is not set");
        return;
    };
    let Some(server) = Server::start(kind).await else {
        return;
    };
    let url = format!("http://{}", server.address);
    let token = server.user().await.token.unwrap();
    let hooks = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemathesis/hooks.py");
    let output = tokio::process::Command::new(program)
        .args(["run", &format!("{url}/openapi.json")])
        // With several workers Python's parser fails now and then: it does not count how deep it
        // is by thread.
        .args(["--phases", "examples,coverage,fuzzing", "--workers", "1"])
        .args(["--max-examples", "60", "--seed", "1", "--no-shrink"])
        .args([
            "--exclude-checks",
            "positive_data_acceptance",
            "--continue-on-failure",
        ])
        .args(["--warnings", "off", "--suppress-health-check", "all"])
        .env("SCHEMATHESIS_HOOKS", hooks)
        .env("AURAX_TEST_URL", &url)
        .env("AURAX_TEST_TOKEN", token)
        .env("NO_COLOR", "1")
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let problem = format!("{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{problem}");
    let line = said.lines().find(|line| line.contains(" generated"));
    let cases: u64 = line
        .and_then(|line| {
            line.split_whitespace()
                .find_map(|word| word.replace(',', "").parse().ok())
        })
        .unwrap_or_else(|| panic!("{problem}"));
    println!("golden: {cases} requests to {kind:?}, every answer as documented");
    assert!(cases >= CASES, "{cases} requests are too few\n{problem}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn golden_documented_answers_from_memory() {
    agrees_with_its_document(Kind::Memory).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn golden_documented_answers_from_postgres() {
    agrees_with_its_document(Kind::Postgres).await;
}
