//! Short ways to say usage, time and money.

use aurax_core::{Bucket, Buckets, PriceBook, Totals, Usage, UsageSource};
use rust_decimal::Decimal;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

pub(crate) fn at(text: &str) -> OffsetDateTime {
    OffsetDateTime::parse(text, &Rfc3339).unwrap()
}

pub(crate) fn decimal(text: &str) -> Decimal {
    Decimal::from_str_exact(text).unwrap()
}

/// Usage of these buckets, as a provider would report it.
pub(crate) fn used(buckets: &[(Bucket, u64)]) -> Usage {
    let buckets = buckets
        .iter()
        .fold(Buckets::new(), |buckets, (bucket, count)| {
            buckets.with(*bucket, *count)
        });
    Usage::measured(buckets, UsageSource::Provider)
}

/// The built-in book with a file over it.
pub(crate) fn book(overlay: &str) -> PriceBook {
    PriceBook::builtin().with_overlay(overlay).unwrap()
}

/// Reads inclusive counts under the price book's own names of them.
pub(crate) fn totals(usage: &Value) -> Totals {
    let mut totals = Totals::default();
    for (name, count) in usage.as_object().unwrap() {
        let count = count.as_u64().unwrap();
        let millis = count * 1000;
        let (field, count) = match name.as_str() {
            "input_tokens" => (&mut totals.input, count),
            "output_tokens" => (&mut totals.output, count),
            "cache_read_tokens" => (&mut totals.cache_read, count),
            "cache_write_tokens" => (&mut totals.cache_write, count),
            "cache_write_5m_tokens" => (&mut totals.cache_write_5m, count),
            "cache_write_1h_tokens" => (&mut totals.cache_write_1h, count),
            "input_audio_tokens" => (&mut totals.input_audio, count),
            "input_image_tokens" => (&mut totals.input_image, count),
            "input_video_tokens" => (&mut totals.input_video, count),
            "cache_audio_read_tokens" => (&mut totals.cache_read_audio, count),
            "cache_image_read_tokens" => (&mut totals.cache_read_image, count),
            "cache_video_read_tokens" => (&mut totals.cache_read_video, count),
            "output_audio_tokens" => (&mut totals.output_audio, count),
            "output_image_tokens" => (&mut totals.output_image, count),
            "output_video_tokens" => (&mut totals.output_video, count),
            "output_reasoning_tokens" => (&mut totals.reasoning, count),
            "output_citation_tokens" => (&mut totals.citation, count),
            "input_text_tokens" => (&mut totals.input_text, count),
            "output_text_tokens" => (&mut totals.output_text, count),
            "input_tool_tokens" => (&mut totals.tool_use_input, count),
            "input_characters" => (&mut totals.input_characters, count),
            "audio_seconds" => (&mut totals.audio_millis, millis),
            "input_audio_seconds" => (&mut totals.input_audio_millis, millis),
            "input_document_pages" => (&mut totals.pages, count),
            "input_annotated_document_pages" => (&mut totals.annotated_pages, count),
            "web_searches" => (&mut totals.web_searches, count),
            "storage_searches" => (&mut totals.file_searches, count),
            // Text is what the other media leave.
            "cache_text_read_tokens" | "input_text_tool_tokens" => continue,
            _ => panic!("no total for {name}"),
        };
        *field = Some(count);
    }
    totals
}
