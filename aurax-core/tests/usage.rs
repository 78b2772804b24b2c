//! Totals split into buckets that add up and never overlap.

use aurax_core::{Bucket, Buckets, Iteration, Totals, Usage};
use proptest::prelude::*;

fn totals(set: impl FnOnce(&mut Totals)) -> Totals {
    let mut totals = Totals::default();
    set(&mut totals);
    totals
}

fn buckets(counts: &[(Bucket, u64)]) -> Buckets {
    let one_request = Buckets::new().with(Bucket::Requests, 1);
    counts.iter().fold(one_request, |sum, (bucket, count)| {
        sum.with(*bucket, *count)
    })
}

#[test]
fn every_token_is_in_exactly_one_bucket() {
    let (split, anomalies) = totals(|t| {
        t.input = Some(4_000);
        t.cache_read = Some(2_000);
        t.cache_read_audio = Some(900);
        t.cache_write = Some(300);
        t.cache_write_1h = Some(100);
        t.input_audio = Some(1_500);
        t.output = Some(900);
        t.reasoning = Some(200);
        t.output_audio = Some(600);
    })
    .split();
    assert!(anomalies.is_empty());
    assert_eq!(
        split,
        buckets(&[
            (Bucket::Input, 1_100),
            (Bucket::CacheRead, 1_100),
            (Bucket::CacheReadAudio, 900),
            (Bucket::CacheWrite, 200),
            (Bucket::CacheWrite1h, 100),
            (Bucket::InputAudio, 600),
            (Bucket::Output, 100),
            (Bucket::Reasoning, 200),
            (Bucket::OutputAudio, 600),
        ])
    );
}

#[test]
fn a_part_beyond_its_whole_is_cut_and_listed() {
    let (split, anomalies) = totals(|t| {
        t.input = Some(100);
        t.cache_read = Some(101);
        t.output = Some(10);
        t.reasoning = Some(11);
    })
    .split();
    assert_eq!((split.input_tokens(), split.output_tokens()), (100, 10));
    let parts: Vec<_> = anomalies
        .iter()
        .map(|a| (a.part, a.reported, a.available))
        .collect();
    assert_eq!(
        parts,
        [(Bucket::CacheRead, 101, 100), (Bucket::Reasoning, 11, 10)]
    );
}

#[test]
fn media_that_may_have_been_cached_are_no_contradiction() {
    let (split, anomalies) = totals(|t| {
        t.input = Some(758);
        t.cache_read = Some(700);
        t.input_image = Some(258);
    })
    .split();
    assert!(anomalies.is_empty(), "{anomalies:?}");
    assert_eq!(
        split,
        buckets(&[(Bucket::CacheRead, 700), (Bucket::InputImage, 58)])
    );
}

#[test]
fn a_missing_side_follows_from_the_total_or_from_its_parts() {
    let (split, _) = totals(|t| {
        t.input = Some(7);
        t.total = Some(9);
    })
    .split();
    assert_eq!((split.input_tokens(), split.output_tokens()), (7, 2));
    let (split, anomalies) = totals(|t| t.cache_read = Some(5)).split();
    assert_eq!(split.get(Bucket::CacheRead), 5);
    assert!(anomalies.is_empty());
}

#[test]
fn runs_add_up_and_fees_are_the_calls() {
    let run = |kind: &str, input, output| {
        let totals = totals(|t| {
            t.input = Some(input);
            t.output = Some(output);
            t.web_searches = Some(3);
        });
        Iteration::new(kind, None, &totals)
    };
    let usage = Usage::from_totals(totals(|t| {
        t.input = Some(220);
        t.output = Some(8);
        t.web_searches = Some(3);
    }))
    .with_iterations(vec![run("compaction", 55_196, 125), run("message", 220, 8)]);
    assert_eq!(usage.buckets.input_tokens(), 55_416);
    assert_eq!(usage.buckets.output_tokens(), 133);
    assert_eq!(usage.buckets.get(Bucket::WebSearches), 3);
    assert_eq!(usage.buckets.get(Bucket::Requests), 1);
}

#[test]
fn names_are_those_of_the_price_book() {
    for bucket in Bucket::ALL {
        assert_eq!(Bucket::from_name(bucket.as_str()), Some(*bucket));
    }
    let json = serde_json::to_value(buckets(&[(Bucket::CacheWrite1h, 2)])).unwrap();
    assert_eq!(json, serde_json::json!({"cache_write_1h": 2, "request": 1}));
}

#[test]
fn a_bucket_of_a_later_version_does_not_hide_the_others() {
    let read: Buckets = serde_json::from_str(r#"{"input":3,"holograms":4}"#).unwrap();
    assert_eq!(read, Buckets::new().with(Bucket::Input, 3));
}

fn count() -> impl Strategy<Value = Option<u64>> {
    prop::option::of(0_u64..1_000)
}

proptest! {
    #[test]
    fn buckets_add_up_to_the_totals(
        (input, output) in (0_u64..1_000, 0_u64..1_000),
        (read, write, write_1h, audio, cached_audio) in (count(), count(), count(), count(), count()),
        (reasoning, spoken, cited) in (count(), count(), count()),
    ) {
        let totals = totals(|t| {
            t.input = Some(input);
            t.output = Some(output);
            t.cache_read = read;
            t.cache_write = write;
            t.cache_write_1h = write_1h;
            t.input_audio = audio;
            t.cache_read_audio = cached_audio;
            t.reasoning = reasoning;
            t.output_audio = spoken;
            t.citation = cited;
        });
        let (split, _) = totals.split();
        prop_assert_eq!(split.input_tokens(), input);
        prop_assert_eq!(split.output_tokens(), output);
    }

    #[test]
    fn buckets_round_trip_through_json(counts in prop::collection::vec((0..Bucket::ALL.len(), any::<u64>()), 0..8)) {
        let all = counts.into_iter().fold(Buckets::new(), |sum, (at, count)| {
            sum.with(Bucket::ALL[at], count)
        });
        let json = serde_json::to_string(&all).unwrap();
        prop_assert_eq!(serde_json::from_str::<Buckets>(&json).unwrap(), all);
    }
}
