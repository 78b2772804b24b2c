//! Bills of a small book, rule by rule.

use std::sync::LazyLock;

use aurax_core::{Bill, Bucket, Flag, Iteration, Matched, PriceBook, PriceError, Totals, Usage};
use rust_decimal::Decimal;

use crate::support::{at, book, decimal, used};

const NOON: &str = "2026-09-01T12:00:00Z";

/// A provider with one model for each rule.
fn acme() -> &'static PriceBook {
    static BOOK: LazyLock<PriceBook> = LazyLock::new(|| {
        book(
            r#"{"providers": {
        "acme": {"aliases": ["acme-cloud"], "at_parent_rate": ["input_image"], "models": [
            {"id": "plain", "match": ["plain*"], "prices": [{"usd": {"input": "2", "output": "8"}}]},
            {"id": "rich", "prices": [{"usd": {"input": "2", "cache_read": "0.2", "cache_write": "2.5",
                "input_audio": "20", "cache_read_audio": "5", "output": "8", "output_audio": "40",
                "web_search": "10", "request": "3"}}]},
            {"id": "halves", "prices": [{"usd": {"input": "2", "cache_read": "0.2", "input_audio": "20",
                "output": "8"}}]},
            {"id": "tiered", "prices": [{"usd": {"input": "2", "cache_read": "0.2", "output": "8"}, "above": [
                {"tokens": 1000, "usd": {"input": "4", "output": "12"}},
                {"tokens": 5000, "usd": {"input": "6"}}]}]},
            {"id": "varied", "prices": [{"usd": {"input": "2", "output": "8", "web_search": "10"}}],
             "variants": [
                {"when": {"service_tier": "fast"}, "from": "2026-09-01", "usd": {"input": "6"}},
                {"when": {"service_tier": "fast"}, "usd": {"input": "5", "output": "20"}}],
             "multiply": [{"when": {"region": "eu"}, "by": "1.1"}]},
            {"id": "timed", "prices": [{"usd": {"audio": "0.111", "input_audio_time": "0.111", "request": "1"}}],
             "minimum": {"audio_seconds": 10, "input_audio_seconds": 10}},
            {"id": "peaked", "prices": [
                {"not_holiday": "x", "usd": {"input": "4"}}, {"usd": {"input": "2"}}]},
            {"id": "dated", "prices": [{"from": "2026-09-01", "usd": {"input": "2"}}]},
            {"id": "gift", "free": true},
            {"id": "riddle", "unpriced": true},
            {"id": "fine", "prices": [{"usd": {"input": "0.899999999999999911"}}]}
        ]},
        "reseller": {"fallback": ["acme"], "models": []}},
        "calendars": {"x": {"utc_offset": "+08:00", "covers_through": "2026-12-31", "dates": ["2026-09-02"]}}}"#,
        )
    });
    &BOOK
}

fn bill(model: &str, usage: &Usage) -> Result<Bill, PriceError> {
    acme().bill("acme", model, usage, at(NOON))
}

/// The total in millionths of a dollar, with the flags.
fn millionths(model: &str, usage: &Usage) -> (Decimal, Vec<String>) {
    let bill = bill(model, usage).unwrap();
    let flags = bill.flags.iter().map(ToString::to_string).collect();
    (bill.total.usd() * decimal("1000000"), flags)
}

fn costs(model: &str, buckets: &[(Bucket, u64)]) -> (String, Vec<String>) {
    let (total, flags) = millionths(model, &used(buckets));
    (total.normalize().to_string(), flags)
}

fn cost(total: &str, flags: &[&str]) -> (String, Vec<String>) {
    (
        total.to_owned(),
        flags.iter().map(ToString::to_string).collect(),
    )
}

#[test]
fn each_bucket_is_charged_at_its_own_rate() {
    let usage = used(&[
        (Bucket::Input, 10),
        (Bucket::CacheRead, 100),
        (Bucket::CacheReadAudio, 7),
        (Bucket::Output, 3),
        (Bucket::WebSearches, 2),
    ]);
    let bill = bill("rich", &usage).unwrap();
    let lines: Vec<_> = bill
        .lines
        .iter()
        .map(|line| {
            (
                line.unit,
                line.quantity,
                line.rate.to_string(),
                line.amount.to_string(),
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            (Bucket::Input, 10, "2".to_owned(), "0.00002".to_owned()),
            (
                Bucket::CacheRead,
                100,
                "0.2".to_owned(),
                "0.00002".to_owned()
            ),
            (
                Bucket::CacheReadAudio,
                7,
                "5".to_owned(),
                "0.000035".to_owned()
            ),
            (Bucket::Output, 3, "8".to_owned(), "0.000024".to_owned()),
            (Bucket::WebSearches, 2, "10".to_owned(), "0.02".to_owned()),
            (Bucket::Requests, 1, "3".to_owned(), "0.003".to_owned()),
        ]
    );
    assert_eq!(bill.input.to_string(), "0.000075");
    assert_eq!(bill.output.to_string(), "0.000024");
    assert_eq!(bill.total.to_string(), "0.023099");
    assert_eq!((bill.matched, bill.flags), (Matched::Exact, vec![]));
}

#[test]
fn a_part_without_a_rate_is_charged_at_the_rate_of_its_whole_and_flagged() {
    assert_eq!(
        costs("plain", &[(Bucket::CacheRead, 5)]),
        cost("10", &["no_rate:cache_read"])
    );
    assert_eq!(
        costs("plain", &[(Bucket::OutputAudio, 5)]),
        cost("40", &["no_rate:output_audio"])
    );
    assert_eq!(
        costs("plain", &[(Bucket::Citation, 1)]),
        cost("8", &["no_rate:citation"])
    );
}

#[test]
fn parts_documented_as_billed_with_their_whole_are_not_flagged() {
    for bucket in [Bucket::CacheWrite, Bucket::CacheWrite1h, Bucket::InputImage] {
        assert_eq!(
            costs("plain", &[(bucket, 5)]),
            cost("10", &[]),
            "{bucket:?}"
        );
    }
    assert_eq!(costs("plain", &[(Bucket::Reasoning, 5)]), cost("40", &[]));
}

#[test]
fn a_longer_cache_write_costs_more_than_the_only_write_rate() {
    let hour = [
        (Bucket::CacheWrite, 2),
        (Bucket::CacheWrite1h, 2),
        (Bucket::Requests, 0),
    ];
    assert_eq!(costs("rich", &hour).1, ["no_rate:cache_write_1h"]);
}

#[test]
fn usage_that_no_rate_covers_is_flagged_and_not_dropped_in_silence() {
    assert_eq!(
        costs("plain", &[(Bucket::WebSearches, 5)]),
        cost("0", &["no_rate:web_search"])
    );
    assert_eq!(
        costs("dated", &[(Bucket::Output, 5)]),
        cost("0", &["no_rate:output"])
    );
}

#[test]
fn cached_audio_is_charged_once_at_the_rate_for_audio() {
    assert_eq!(
        costs("halves", &[(Bucket::CacheReadAudio, 5)]),
        cost("100", &["no_rate:cache_read_audio"])
    );
}

#[test]
fn all_prompt_tokens_select_the_tier_of_the_whole_request() {
    assert_eq!(
        costs("tiered", &[(Bucket::Input, 1000), (Bucket::Output, 9000)]).0,
        "74000"
    );
    assert_eq!(
        costs("tiered", &[(Bucket::Input, 1001), (Bucket::Output, 1)]).0,
        "4016"
    );
    let cached = [
        (Bucket::Input, 1),
        (Bucket::CacheRead, 1000),
        (Bucket::Output, 1),
    ];
    assert_eq!(costs("tiered", &cached).0, "216");
    assert_eq!(
        costs("tiered", &[(Bucket::Input, 5001), (Bucket::Output, 1)]).0,
        "30018"
    );
}

fn with_context(buckets: &[(Bucket, u64)], context: &[(&str, &str)]) -> Usage {
    let mut usage = used(buckets);
    for (key, value) in context {
        usage
            .price_context
            .insert((*key).to_owned(), (*value).to_owned());
    }
    usage
}

#[test]
fn the_first_variant_in_force_replaces_each_rate_it_names() {
    let usage = with_context(
        &[(Bucket::Input, 1), (Bucket::Output, 1)],
        &[("service_tier", "Fast")],
    );
    assert_eq!(millionths("varied", &usage), (decimal("26"), vec![]));
    let before = acme().bill("acme", "varied", &usage, at("2026-08-31T23:59:59Z"));
    assert_eq!(before.unwrap().total.to_string(), "0.000025");
}

#[test]
fn a_fact_the_price_does_not_know_is_flagged() {
    let usage = |value| with_context(&[(Bucket::Input, 1)], &[("service_tier", value)]);
    assert_eq!(
        millionths("varied", &usage("turbo")),
        (
            decimal("2"),
            vec!["context_not_priced:service_tier=turbo".to_owned()]
        )
    );
    assert_eq!(
        millionths("varied", &usage("Standard")),
        (decimal("2"), vec![])
    );
}

#[test]
fn factors_apply_to_tokens_and_not_to_fees() {
    let usage = |region| with_context(&[(Bucket::Input, 10)], &[("region", region)]);
    let bill = bill("varied", &usage("eu")).unwrap();
    assert_eq!(
        (bill.total.to_string(), bill.lines[0].rate),
        ("0.000022".to_owned(), decimal("2.2"))
    );
    let search = with_context(&[(Bucket::WebSearches, 1)], &[("region", "eu")]);
    assert_eq!(millionths("varied", &search), (decimal("10000"), vec![]));
    assert_eq!(millionths("varied", &usage("us")), (decimal("20"), vec![]));
}

#[test]
fn a_fallback_is_flagged_and_takes_no_variants() {
    let usage = with_context(&[(Bucket::Input, 1)], &[("service_tier", "fast")]);
    let bill = acme().bill("reseller", "varied", &usage, at(NOON)).unwrap();
    assert_eq!(bill.total.to_string(), "0.000002");
    assert_eq!((&*bill.provider, &*bill.priced_by), ("reseller", "acme"));
    let not_priced = Flag::ContextNotPriced {
        key: "service_tier".to_owned(),
        value: "fast".to_owned(),
    };
    assert_eq!(bill.flags, [Flag::FallbackPrice, not_priced]);
}

#[test]
fn audio_is_billed_by_the_hour_with_a_minimum() {
    let fee_free = |bucket, millis| used(&[(bucket, millis)]);
    let amount = |usage: &Usage| bill("timed", usage).unwrap().lines[0].amount.to_string();
    let ten_seconds = "0.000308333333333333333333";
    assert_eq!(amount(&fee_free(Bucket::AudioMillis, 10_000)), ten_seconds);
    assert_eq!(amount(&fee_free(Bucket::AudioMillis, 1)), ten_seconds);
    assert_eq!(amount(&fee_free(Bucket::InputAudioMillis, 1)), ten_seconds);
    assert_eq!(
        amount(&fee_free(Bucket::InputAudioMillis, 3_600_000)),
        "0.111"
    );
    assert_eq!(costs("timed", &[]), cost("1000", &[]));
}

#[test]
fn holidays_beyond_the_calendar_are_flagged() {
    let peaked = |time| {
        acme()
            .bill("acme", "peaked", &used(&[(Bucket::Input, 1)]), at(time))
            .unwrap()
    };
    let holiday = peaked("2026-09-02T12:00:00Z");
    assert_eq!(
        (holiday.total.to_string(), holiday.flags),
        ("0.000002".to_owned(), vec![])
    );
    let unknown = peaked("2027-09-02T12:00:00Z");
    assert_eq!(unknown.total.to_string(), "0.000004");
    assert_eq!(unknown.flags, [Flag::CalendarEnded]);
}

#[test]
fn free_is_said_and_unpriced_is_an_error() {
    let usage = used(&[(Bucket::Input, 1_000_000)]);
    let gift = bill("gift", &usage).unwrap();
    assert!(gift.free && gift.total.to_string() == "0" && gift.lines.is_empty());
    let unpriced = |model: &str| PriceError::Unpriced {
        provider: "acme".to_owned(),
        model: model.to_owned(),
    };
    assert_eq!(bill("riddle", &usage), Err(unpriced("riddle")));
    let before = acme().bill("acme", "dated", &usage, at("2026-08-31T23:59:59Z"));
    assert_eq!(before, Err(unpriced("dated")));
}

#[test]
fn a_part_beyond_its_whole_is_an_error_where_it_has_a_rate() {
    let mut totals = Totals::default();
    totals.input = Some(100);
    totals.cache_read = Some(101);
    let usage = Usage::from_totals(totals);
    let error = bill("rich", &usage).unwrap_err();
    let expected = PriceError::BadUsage {
        part: Bucket::CacheRead,
        reported: 101,
        available: 100,
    };
    assert_eq!(error, expected);
    assert_eq!(millionths("plain", &usage).0, decimal("200"));
}

#[test]
fn an_amount_beyond_28_digits_is_an_error() {
    let usage = used(&[(Bucket::Input, u64::MAX)]);
    assert_eq!(bill("fine", &usage), Err(PriceError::TooLarge));
    let sum = used(&[(Bucket::CacheWrite, u64::MAX), (Bucket::Input, 1)]);
    assert_eq!(bill("plain", &sum), Err(PriceError::TooLarge));
}

fn run(model: Option<&str>, input: u64, output: u64) -> Iteration {
    let mut totals = Totals::default();
    totals.input = Some(input);
    totals.output = Some(output);
    Iteration::new("message", model.map(str::to_owned), &totals)
}

fn runs(runs: Vec<Iteration>) -> Usage {
    used(&[(Bucket::WebSearches, 2)]).with_iterations(runs)
}

#[test]
fn runs_are_billed_each_with_its_model_and_tier_and_the_fees_once() {
    let usage = runs(vec![
        run(None, 10, 1),
        run(Some("tiered"), 1001, 0),
        run(Some("tiered"), 1000, 0),
    ]);
    // 2·10 + 8·1 at the call's model, 4·1001 and 2·1000 in their tiers, two searches, one request.
    assert_eq!(millionths("rich", &usage), (decimal("29032"), vec![]));
}

#[test]
fn a_run_without_a_price_is_flagged_and_the_others_are_billed() {
    let usage = runs(vec![
        run(None, 10, 1),
        run(Some("nobody"), 1, 1),
        run(Some("riddle"), 1, 1),
    ]);
    let flags = ["unpriced_run:nobody", "unpriced_run:riddle"]
        .map(str::to_owned)
        .to_vec();
    assert_eq!(millionths("rich", &usage), (decimal("23028"), flags));
    let none = bill("rich", &runs(vec![run(Some("riddle"), 1, 1)]));
    assert!(matches!(none, Err(PriceError::Unpriced { .. })), "{none:?}");
}

#[test]
fn a_run_that_contradicts_itself_makes_the_whole_bill_an_error() {
    let mut totals = Totals::default();
    totals.input = Some(1);
    totals.cache_read = Some(2);
    let bad = Iteration::new("message", None, &totals);
    let error = bill("rich", &runs(vec![run(None, 1, 1), bad])).unwrap_err();
    assert!(matches!(error, PriceError::BadUsage { .. }), "{error:?}");
}

#[test]
fn names_are_found_by_alias_case_prefix_and_version() {
    let book = acme();
    let find = |provider, model| {
        let found = book.resolve(provider, model).unwrap();
        (found.model, found.matched)
    };
    assert_eq!(find("ACME", "Plain"), ("plain", Matched::Exact));
    assert_eq!(
        find("acme-cloud", "acme/plain-latest"),
        ("plain", Matched::Pattern)
    );
    assert_eq!(find("acme", "acme-cloud/plain"), ("plain", Matched::Exact));
    assert!(book.knows("acme", "plain") && !book.knows("acme", "other/plain"));
}

#[test]
fn the_most_specific_pattern_wins_and_exceptions_hold() {
    let book = book(
        r#"{"providers": {"acme": {"models": [
            {"id": "wide", "match": ["fam-**"], "except": ["**-tts", "fam-1"], "free": true},
            {"id": "narrow", "match": ["fam-long-**"], "free": true},
            {"id": "named", "match": ["fam-long-name"], "free": true}]}}}"#,
    );
    let find = |name| book.resolve("acme", name).map(|found| found.model).ok();
    assert_eq!(find("fam-2"), Some("wide"));
    assert_eq!(find("fam-long-2"), Some("narrow"));
    assert_eq!(find("fam-long-name"), Some("named"));
    assert_eq!((find("fam-2-tts"), find("fam-1")), (None, None));
    assert_eq!(find("fam-long-tts"), Some("narrow"));
}

#[test]
fn an_unknown_name_is_an_error_that_lists_similar_ones() {
    let book = acme();
    let model = book.resolve("acme", "plan").unwrap_err();
    assert_eq!(
        model.to_string(),
        "the price book has no model `plan` of `acme`; similar: plain"
    );
    assert_eq!(book.near("acme", "plan"), ["plain"]);
    assert_eq!(book.near("reseller", "plan"), ["plain"]);
    assert_eq!(book.near("nobody", "plan"), [""; 0]);
    let provider = book.resolve("acmee", "plain").unwrap_err();
    assert_eq!(
        provider.to_string(),
        "the price book has no provider `acmee`; similar: acme, acme-cloud"
    );
    assert_eq!(book.near("acme", &"x".repeat(10_000)), [""; 0]);
}

#[test]
fn a_bill_as_json_has_decimal_strings() {
    let usage = with_context(&[(Bucket::CacheRead, 5)], &[("region", "moon")]);
    let json = serde_json::to_value(bill("plain", &usage).unwrap()).unwrap();
    assert_eq!(json["total"], "0.00001");
    assert_eq!(json["lines"][0]["unit"], "input");
    assert_eq!(json["lines"][0]["rate"], "2");
    assert_eq!(json["flags"][0], "context_not_priced:region=moon");
    assert_eq!(json["flags"][1], "no_rate:cache_read");
    assert_eq!(json["matched"], "exact");
}
