//! Endless answers take no more memory than the caps allow.
//!
//! The upstream needs memory of its own for what it sends, so the client is measured in a process
//! of its own: this program again, with one test that is run by no other.

use std::fs;
use std::process::Command;

use aurax::Request;
use aurax::providers::hostile::{Dialect, HostileUpstream, Scenario};

use super::world::{engine, name};

const URL: &str = "AURAX_TEST_UPSTREAM";
const MODEL: &str = "AURAX_TEST_MODEL";
const STREAMS: &str = "AURAX_TEST_STREAMS";

/// The longest stream that is read is 64 MiB and the longest body 32 MiB. What was read is kept
/// until it is whole, a buffer may be twice as long as what is in it, and the partial answer is
/// kept for the ledger.
const MOST_KIB: u64 = 256 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn endless_answers_stay_within_the_caps() {
    let upstream = HostileUpstream::start().await.unwrap();
    let mut wrong = Vec::new();
    for dialect in Dialect::ALL {
        for scenario in [
            Scenario::Line40Mb,
            Scenario::Flood,
            Scenario::GzipBomb,
            Scenario::ErrorEndless,
        ] {
            for streams in [false, true] {
                let used = measured(&upstream, dialect, scenario, streams);
                if used > MOST_KIB {
                    wrong.push(format!("{dialect:?} {scenario:?} {streams}: {used} KiB"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The most memory a process had that made the call.
fn measured(
    upstream: &HostileUpstream,
    dialect: Dialect,
    scenario: Scenario,
    streams: bool,
) -> u64 {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "memory::one_call_alone",
            "--ignored",
            "--nocapture",
        ])
        .env(URL, format!("http://{}", upstream.address()))
        .env(MODEL, format!("{}/{}", name(dialect), scenario.name()))
        .env(STREAMS, streams.to_string())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{dialect:?} {scenario:?}: {said}");
    let line = said.lines().find_map(|line| line.split_once("peak KiB: "));
    line.unwrap().1.trim().parse().unwrap()
}

#[tokio::test]
#[ignore = "run by `endless_answers_stay_within_the_caps` in a process of its own"]
async fn one_call_alone() {
    let var = |name: &str| {
        #[expect(
            clippy::disallowed_methods,
            reason = "how the parent talks to its child"
        )]
        std::env::var(name).unwrap()
    };
    let origin = var(URL);
    let (engine, ledger) = engine(|dialect| format!("{origin}{}", dialect.base_path()));
    let request = Request::from("Hi");
    let model = var(MODEL);
    let outcome = if var(STREAMS) == "true" {
        match engine.stream(&model, request).await {
            Ok(reply) => reply.collect().await,
            Err(error) => Err(error),
        }
    } else {
        engine.chat(&model, request).await
    };
    assert!(outcome.is_err(), "an endless answer came to an end");
    assert_eq!(ledger.settled(), 1);
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    println!("peak KiB: {}", peak.unwrap().replace("kB", ""));
}
