//! Usage: what Ollama counts.
//!
//! Facts: <https://github.com/ollama/ollama/blob/main/docs/api/usage.mdx>.

use aurax_core::{Json, Totals, Usage};

use crate::raw::RawObject;

/// The counts of a reply, by their names there.
pub(super) const COUNTS: [&str; 2] = ["prompt_eval_count", "eval_count"];

/// Reads the counts of the last line, or of a whole reply; `None` where there are none.
///
/// What was found in the cache of the prompt is not counted, and thoughts are part of the answer.
pub(super) fn read(reply: &RawObject) -> Option<Usage> {
    let mut raw = RawObject::default();
    for name in COUNTS {
        if let Some(count) = reply.get(name) {
            raw.set(name, count.clone());
        }
    }
    let mut totals = Totals::default();
    totals.input = reply.count("prompt_eval_count");
    totals.output = reply.count("eval_count");
    totals.input.or(totals.output)?;
    let mut usage = Usage::from_totals(totals);
    usage.raw = Json::from_value(&raw).ok();
    Some(usage)
}
