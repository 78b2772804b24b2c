//! Decodes recorded traffic and compares it with what the official SDKs read.
//!
//! `AURAX_CONFORMANCE_DIR=… cargo test -p aurax-providers --test conformance` takes any folder of
//! `*.jsonl` files with one case a line: `id`, `provider`, `api` (the wire format, such as
//! `openai.chat`), `request` (its `body`), `response` (`status`, `content_type`, `body` as text)
//! and `expected`, what the provider's SDK made of the body: text, thoughts, refusal, tool calls,
//! finish reason, usage, model, ids of models, or the error it raised; `null` with an
//! `expected_null_reason` where the SDK cannot read the body. `cost` in it has the price entry
//! that applies and the amount it leads to.
//!
//! Every expected value comes from the case, and no case is known by its id. Streams are decoded
//! in one piece, then split and truncated. An api without a wire is skipped and counted.

mod case;
mod cost;
mod decode;
mod errors;
mod expect;
mod frames;
mod jsonl;
mod judge;
mod partial_json;
mod served;
mod streams;
mod tally;
mod usage;
mod wires;
mod workers;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use cost::Prices;
use judge::judge;
use tally::Tally;

fn main() -> ExitCode {
    tally::run("recorded_exchanges", || {
        match tally::folder("AURAX_CONFORMANCE_DIR") {
            Some(folder) => suite(&folder).unwrap_or_else(|error| Tally::failed(&error)),
            None => Tally::skipped("AURAX_CONFORMANCE_DIR is not set"),
        }
    })
}

fn suite(folder: &Path) -> Result<Tally, Box<dyn Error>> {
    let cases = case::read_folder(folder)?;
    let prices = Prices::of(&cases)?;
    let verdicts = workers::map(&cases, |case| judge(case, &prices));
    let mut tally = Tally::default();
    for (case, verdict) in cases.iter().zip(verdicts) {
        tally.add(&case.provider, &case.id, verdict);
    }
    Ok(tally)
}
