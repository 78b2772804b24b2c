use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

const NAMES: [&str; 14] = [
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "prompt_tokens_details",
    "completion_tokens_details",
    "prompt_cache_hit_tokens",
    "cached_tokens",
    "audio_tokens",
    "reasoning_tokens",
    "citation_tokens",
    "num_search_queries",
    "cost",
    "service_tier",
    "prompt_audio_seconds",
];

const VALUES: [&str; 15] = [
    "null",
    "0",
    "7",
    "-0",
    "-1",
    "1.5",
    "18446744073709551615",
    "18446744073709551616",
    "\"7\"",
    "\"flex\"",
    "[]",
    "{}",
    r#"{"cached_tokens":3,"audio_tokens":2,"more":[1]}"#,
    r#"{"reasoning_tokens":4,"cached_tokens":2,"cached_tokens":1}"#,
    r#"{"reasoning_tokens":4,"cached_tokens":2,"cached_tokens":null}"#,
];

fn in_one_pass(usage: &RawValue) -> Option<Reported<'_>> {
    let InOnePass(reported) = serde_json::from_str(usage.get()).ok()?;
    Some(reported)
}

fn usage(raw: &RawValue, mut reported: Reported<'_>) -> Option<Usage> {
    let counts = Counts::take(&mut reported, true);
    finish(raw, reported.rest, counts)
}

#[test]
fn ordinary_counts_are_read_in_one_pass() {
    let text = r#"{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5,"prompt_tokens_details":{"cached_tokens":1,"audio_tokens":0},"completion_tokens_details":null,"cost":0.01}"#;
    let raw: &RawValue = serde_json::from_str(text).unwrap();
    let read = usage(raw, in_one_pass(raw).unwrap()).unwrap();
    assert_eq!(read.reported.cache_read, Some(1));
    assert_eq!(read.reported_cost, "0.01".parse().ok());
}

#[test]
fn a_count_of_another_type_leaves_the_others_readable() {
    let text = r#"{"prompt_tokens":3,"completion_tokens":2.5,"prompt_tokens_details":[]}"#;
    let raw: &RawValue = serde_json::from_str(text).unwrap();
    assert!(in_one_pass(raw).is_none());
    let read = read(raw, &Quirks::default()).unwrap();
    assert_eq!(read.reported.input, Some(3));
    assert_eq!(read.reported.output, None);
}

proptest! {
    #[test]
    fn counts_read_in_one_pass_are_those_read_field_by_field(
        fields in vec((select(&NAMES[..]), select(&VALUES[..])), 0..6),
    ) {
        let fields: Vec<String> = fields.iter().map(|(n, v)| format!("\"{n}\":{v}")).collect();
        let text = format!("{{{}}}", fields.join(","));
        let raw: &RawValue = serde_json::from_str(&text).unwrap();
        let carefully = usage(raw, Reported::of(Object::of(raw).unwrap(), &CHAT));
        if let Some(reported) = in_one_pass(raw) {
            prop_assert_eq!(usage(raw, reported), carefully);
        }
    }
}
