//! Usage, in the words of this wire.

use aurax_core::{Json, Usage};
use serde_json::{Value, json};

use crate::raw::RawObject;

/// The usage object of a reply; `None` is the beginning of a stream of which nothing is known yet.
///
/// A provider of this wire sees its own object again. `input_tokens` leaves cached tokens out.
pub(super) fn write(usage: Option<&Usage>, is_own: bool) -> RawObject {
    let Some(usage) = usage else {
        let mut object = RawObject::default();
        put(&mut object, 0, 1, 0, 0);
        return object;
    };
    let raw = usage.raw.as_ref().filter(|_| is_own);
    let raw = raw.and_then(|raw| RawObject::parse(raw.as_str()));
    let totals = &usage.reported;
    let buckets = &usage.buckets;
    let read = totals.cache_read.unwrap_or_default();
    let written = totals.cache_write.unwrap_or_default();
    let input = totals.input.unwrap_or_else(|| buckets.input_tokens());
    let output = totals.output.unwrap_or_else(|| buckets.output_tokens());
    let fresh = input.saturating_sub(read).saturating_sub(written);
    let mut object = RawObject::default();
    if let Some(raw) = raw {
        // What the provider did not count is there all the same: SDKs add the fields up.
        if raw.count("input_tokens").is_none() || raw.count("output_tokens").is_none() {
            put(&mut object, fresh, output, read, written);
        }
        object.overlay(&raw);
        return object;
    }
    put(&mut object, fresh, output, read, written);
    if totals.cache_write_5m.is_some() || totals.cache_write_1h.is_some() {
        let split = json!({
            "ephemeral_5m_input_tokens": totals.cache_write_5m.unwrap_or_default(),
            "ephemeral_1h_input_tokens": totals.cache_write_1h.unwrap_or_default(),
        });
        object.set("cache_creation", Json::from(split));
    }
    if let Some(thought) = totals.reasoning {
        let details = json!({"thinking_tokens": thought});
        object.set("output_tokens_details", Json::from(details));
    }
    if let Some(searches) = totals.web_searches {
        let used = json!({"web_search_requests": searches});
        object.set("server_tool_use", Json::from(used));
    }
    object
}

fn put(object: &mut RawObject, input: u64, output: u64, read: u64, written: u64) {
    for (name, count) in [
        ("input_tokens", input),
        ("output_tokens", output),
        ("cache_creation_input_tokens", written),
        ("cache_read_input_tokens", read),
    ] {
        object.set(name, Json::from(Value::from(count)));
    }
}
