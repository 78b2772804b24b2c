//! Sends recorded traffic of the responses API through both sides of its wire.
//!
//! `AURAX_CONFORMANCE_DIR=… cargo test -p aurax-providers --test roundtrip_responses` takes the
//! folder of the conformance suite. Every recorded request is read as a client's and encoded for a
//! provider, every recorded reply is decoded, written for a client and decoded again: what comes
//! out must be what went in, but for a few differences that have a name and are counted.

#[path = "../conformance/case.rs"]
mod case;
#[path = "../conformance/jsonl.rs"]
mod jsonl;
#[path = "../roundtrip/responses.rs"]
mod responses;
#[path = "../conformance/tally.rs"]
mod tally;

use std::process::ExitCode;

use tally::Tally;

fn main() -> ExitCode {
    tally::run("recorded_responses_round_trip", || {
        match tally::folder("AURAX_CONFORMANCE_DIR") {
            Some(folder) => responses::suite(&folder).unwrap_or_else(|error| Tally::failed(&error)),
            None => Tally::skipped("AURAX_CONFORMANCE_DIR is not set"),
        }
    })
}
