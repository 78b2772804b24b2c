//! Sends recorded traffic through the side of a wire that clients speak to, and back.
//!
//! `AURAX_CONFORMANCE_DIR=… cargo test -p aurax-providers --test roundtrip` takes the folder the
//! conformance suite takes.
//!
//! * A request is read as a client's and encoded for the provider it was recorded with: the same
//!   JSON, but for differences that are named and counted in `requests`.
//! * A reply is decoded, written as a client gets it, and decoded again: the same events, whole and
//!   streamed, but for those named in `replies`.

#[expect(dead_code, reason = "shared with the conformance suite")]
#[path = "../conformance/case.rs"]
mod case;
#[path = "../conformance/decode.rs"]
mod decode;
#[path = "../conformance/jsonl.rs"]
mod jsonl;
mod kinds;
mod messages;
mod replies;
mod requests;
mod responses;
#[path = "../conformance/tally.rs"]
mod tally;
#[path = "../conformance/wires.rs"]
mod wires;
#[path = "../conformance/workers.rs"]
mod workers;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use case::Case;
use kinds::Kinds;
use tally::{Findings, Tally, Verdict};

fn main() -> ExitCode {
    tally::run("recorded_round_trips", || {
        match tally::folder("AURAX_CONFORMANCE_DIR") {
            Some(folder) => suite(&folder).unwrap_or_else(|error| Tally::failed(&error)),
            None => Tally::skipped("AURAX_CONFORMANCE_DIR is not set"),
        }
    })
}

fn suite(folder: &Path) -> Result<Tally, Box<dyn Error>> {
    let mut cases: Vec<Case> = case::read_folder(folder)?;
    cases.retain(|case| is_chat(case) || case.is_responses());
    let kinds = Kinds::default();
    let verdicts = workers::map(&cases, |case| judge(case, &kinds));
    kinds.print()?;
    let count = |is: fn(&Verdict) -> bool| verdicts.iter().filter(|verdict| is(verdict)).count();
    println!(
        "round trip: {} passed, {} failed, {} skipped",
        count(|verdict| matches!(verdict, Verdict::Passed(_))),
        count(|verdict| matches!(verdict, Verdict::Failed(_))),
        count(|verdict| matches!(verdict, Verdict::Skipped(_))),
    );
    let mut tally = Tally::default();
    for (case, verdict) in cases.iter().zip(verdicts) {
        tally.add(&case.provider, &case.id, verdict);
    }
    Ok(tally)
}

/// Whether clients send such a request and get such a reply; an error has neither.
fn is_chat(case: &Case) -> bool {
    let apis = ["openai.chat", "anthropic.messages"];
    apis.contains(&case.api.as_str()) && !case.is_error()
}

fn judge(case: &Case, kinds: &Kinds) -> Verdict {
    if case.is_responses() {
        return responses::judge(case, kinds);
    }
    let Some(wire) = wires::wire_for(&case.api, &case.provider) else {
        return Verdict::Skipped(format!("{} has no wire", case.api));
    };
    let mut findings = Findings::default();
    if let Err(error) = requests::compare(case, &*wire, kinds, &mut findings) {
        findings.differ("request", &"the same request", &error);
    }
    if let Err(error) = replies::compare(case, &*wire, kinds, &mut findings) {
        findings.differ("reply", &"the same reply", &error);
    }
    Verdict::new(findings).under(&case.api)
}
