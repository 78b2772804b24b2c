//! Usage, in the words of this wire.

use aurax_core::{Json, Totals, Usage};
use serde_json::Value;

use crate::raw::RawObject;

/// The usage object of a reply. A provider of this wire sees its own object again, with the counts
/// in the convention of OpenAI: a whole includes its parts.
pub(super) fn write(usage: &Usage, is_own: bool) -> RawObject {
    let raw = usage.raw.as_ref().filter(|_| is_own);
    let raw = raw.and_then(|raw| RawObject::parse(raw.as_str()));
    let complete = raw.is_none();
    let mut object = raw.unwrap_or_default();
    let totals = &usage.reported;
    let buckets = &usage.buckets;
    let input = totals.input.unwrap_or_else(|| buckets.input_tokens());
    let output = totals.output.unwrap_or_else(|| buckets.output_tokens());
    let total = totals.total.unwrap_or_else(|| input.saturating_add(output));
    set(&mut object, "prompt_tokens", Some(input));
    set(&mut object, "completion_tokens", Some(output));
    set(&mut object, "total_tokens", Some(total));
    details(
        &mut object,
        "prompt_tokens_details",
        &input_parts(totals),
        complete,
    );
    details(
        &mut object,
        "completion_tokens_details",
        &output_parts(totals),
        complete,
    );
    object
}

/// Parts OpenAI names even where there is nothing of them come first.
fn input_parts(totals: &Totals) -> [(&'static str, Option<u64>, bool); 6] {
    [
        ("cached_tokens", totals.cache_read, true),
        ("audio_tokens", totals.input_audio, true),
        ("cache_write_tokens", totals.cache_write, false),
        ("text_tokens", totals.input_text, false),
        ("image_tokens", totals.input_image, false),
        ("video_tokens", totals.input_video, false),
    ]
}

fn output_parts(totals: &Totals) -> [(&'static str, Option<u64>, bool); 6] {
    [
        ("reasoning_tokens", totals.reasoning, true),
        ("audio_tokens", totals.output_audio, true),
        (
            "accepted_prediction_tokens",
            totals.accepted_prediction,
            true,
        ),
        (
            "rejected_prediction_tokens",
            totals.rejected_prediction,
            true,
        ),
        ("text_tokens", totals.output_text, false),
        ("image_tokens", totals.output_image, false),
    ]
}

fn details(
    object: &mut RawObject,
    name: &str,
    parts: &[(&'static str, Option<u64>, bool)],
    complete: bool,
) {
    let mut inner = object.object(name).unwrap_or_default();
    for (part, count, usual) in parts {
        let absent = (complete && *usual).then_some(0);
        set(&mut inner, part, count.or(absent));
    }
    if inner.fields().next().is_some()
        && let Ok(json) = Json::from_value(&inner)
    {
        object.set(name, json);
    }
}

fn set(object: &mut RawObject, name: &str, count: Option<u64>) {
    if let Some(count) = count {
        object.set(name, Json::from(Value::from(count)));
    }
}
