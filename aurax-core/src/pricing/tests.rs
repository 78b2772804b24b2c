//! The matcher sign by sign, spellings, and schedules.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::file::PriceRow;
use super::name::spellings;
use super::pattern::{NamePattern, Routes};
use super::schedule::{Calendar, Schedule};
use super::unit::{self, Side};
use crate::bucket::Bucket;

fn pattern(text: &str) -> NamePattern {
    NamePattern::try_from(text.to_owned()).unwrap()
}

fn routes() -> Routes {
    serde_json::from_str(
        r#"[["arn:*:models:*:*:profile/"], ["us.", "eu."], ["acme."],
            ["projects/*/locations/*/"], ["publishers/*/models/", "models/"]]"#,
    )
    .unwrap()
}

/// Which of `names` are a name of the pattern.
fn matched<'a>(text: &str, names: &[&'a str]) -> Vec<&'a str> {
    let (pattern, routes) = (pattern(text), routes());
    let names = names.iter().copied();
    names
        .filter(|name| pattern.matches(name, &routes))
        .collect()
}

#[test]
fn a_name_without_signs_is_itself_only() {
    assert_eq!(
        matched("model-1", &["model-1", "model-1-latest", "amodel-1"]),
        ["model-1"]
    );
    assert_eq!(matched("Model-1", &["model-1"]), ["model-1"]);
}

#[test]
fn a_hash_is_one_digit() {
    let names = ["model-01", "model-1", "model-001", "model-0x", "model-##"];
    assert_eq!(matched("model-##", &names), ["model-01"]);
}

#[test]
fn a_star_at_the_end_is_any_number_of_version_decorations() {
    let decorated = [
        "m",
        "m-latest",
        "m@default",
        "m-preview",
        "m-exp",
        "m-experimental",
        "m.beta",
        "m-stable",
        "m-v1",
        "m-v12:0",
        "m:128k",
        "m-2025-09-29",
        "m-20250929",
        "m-09-2025",
        "m-09-29",
        "m-0613",
        "m-001",
        "m-preview-05-20",
        "m-latest[1m]",
        "m[200k]-v1",
        "m:01-02-2025-12",
    ];
    assert_eq!(matched("m*", &decorated[..20]), decorated[..20]);
    assert_eq!(matched("m*", &decorated[20..]), [""; 0]);
}

#[test]
fn what_makes_another_model_is_no_decoration() {
    let others = [
        "m-1",
        "m-9",
        "m-12",
        "m-mini",
        "m-lite",
        "m-pro",
        "m-audio",
        "m-search",
        "m-thinking",
        "mx",
        "m1",
        "m-20991",
        "m-19991231",
        "m-latestx",
        "m-99-99",
        "m-2024-99-99",
        "m-13-1999",
        "m-v",
        "m-",
        "m--latest",
        "m[1m",
        "m[x]",
        "m[1m]x",
        "m:k",
        "m:12x",
        "-m",
        "am",
    ];
    assert_eq!(matched("m*", &others), [""; 0]);
}

#[test]
fn after_a_separator_in_the_pattern_the_decoration_needs_none() {
    let names = ["m-", "m-latest", "m-0613", "m-05-20", "m-latest-v1"];
    assert_eq!(matched("m-*", &names), names);
    assert_eq!(
        matched("m-*", &["m", "m--latest", "m-mini", "m-:0"]),
        [""; 0]
    );
}

#[test]
fn long_decorations_are_matched_in_one_pass() {
    let name = format!("m{}", ":12-2025".repeat(10_000));
    assert_eq!(matched("m*", &[&name]), [&name]);
    assert_eq!(matched("m*", &[&format!("{name}-mini")]), [""; 0]);
}

#[test]
fn a_star_at_the_beginning_is_a_known_route() {
    let routed = [
        "m",
        "us.m",
        "acme.m",
        "eu.acme.m",
        "arn:aws:models:eu-1::profile/eu.acme.m",
        "projects/p-1/locations/l_2/publishers/acme/models/m",
        "models/m",
    ];
    assert_eq!(matched("*m", &routed), routed);
    let others = [
        "xm",
        "other.m",
        "acme.eu.m",
        "us.us.m",
        "publishers/a/b/models/m",
        "m-latest",
    ];
    assert_eq!(matched("*m", &others), [""; 0]);
}

#[test]
fn a_route_is_found_whichever_occurrence_of_the_name_follows_it() {
    assert_eq!(
        matched("*m*", &["models/m", "us.m-latest"]),
        ["models/m", "us.m-latest"]
    );
}

#[test]
fn two_stars_are_anything() {
    assert_eq!(matched("**", &["", "any thing"]), ["", "any thing"]);
    let names = ["ft:m-1:acme::x", "ft:m", "m"];
    assert_eq!(matched("ft:m**", &names), ["ft:m-1:acme::x", "ft:m"]);
    assert_eq!(matched("**-tts-**", &["a-tts-b", "a-tts"]), ["a-tts-b"]);
}

#[test]
fn names_outside_ascii_are_compared_and_never_cut() {
    assert_eq!(
        matched("*é*", &["é-latest", "us.é", "e"]),
        ["é-latest", "us.é"]
    );
    assert_eq!(matched("a#", &["aé", "a٣"]), [""; 0]);
}

#[test]
fn signs_in_other_places_are_refused() {
    for text in ["", " ", "a*b", "a***", "***a", "*", "*a**b"] {
        NamePattern::try_from(text.to_owned()).expect_err(text);
    }
}

#[test]
fn a_pattern_weighs_its_literal_characters() {
    let weight = |text| match pattern(text) {
        NamePattern::Pattern(pattern) => pattern.weight(),
        NamePattern::Literal(_) => unreachable!("{text} has signs"),
    };
    assert_eq!([weight("**"), weight("m-##*"), weight("*m-1*")], [0, 2, 3]);
}

#[test]
fn spellings_are_tried_in_order() {
    let spellings = |name| spellings(name, |segment| segment == "acme");
    assert_eq!(spellings(" Model "), ["model"]);
    assert_eq!(spellings("acme/model"), ["acme/model", "model"]);
    assert_eq!(spellings("other/model"), ["other/model"]);
    assert_eq!(spellings("acme/"), ["acme/"]);
    assert_eq!(spellings("models/m"), ["models/m", "m"]);
    assert_eq!(
        spellings("acme/m-20240806"),
        [
            "acme/m-20240806",
            "m-20240806",
            "acme/m-2024-08-06",
            "m-2024-08-06"
        ],
    );
    assert_eq!(
        spellings("m-20240806-v1:0"),
        ["m-20240806-v1:0", "m-2024-08-06-v1:0"]
    );
    assert_eq!(
        spellings("m-20240806:free"),
        ["m-20240806:free", "m-2024-08-06:free"]
    );
    for no_date in [
        "m-20241306",
        "m-20240800",
        "m-19990101",
        "m20240806",
        "m-202408061",
    ] {
        assert_eq!(spellings(no_date), [no_date]);
    }
}

fn schedule(json: &str) -> Schedule {
    let row: PriceRow = serde_json::from_str(json).unwrap();
    Schedule {
        from: row.from.map(|instant| instant.0),
        until: row.until.map(|instant| instant.0),
        windows: row.utc,
        weekdays: row.weekdays,
        holidays: row.not_holiday.map(|_| {
            let calendar = r#"{"utc_offset": "+08:00", "covers_through": "2026-12-31",
                "dates": ["2026-10-01", "2026-10-02"]}"#;
            serde_json::from_str::<Calendar>(calendar).unwrap().into()
        }),
    }
}

/// Which of `times` the schedule holds at.
fn held<'a>(json: &str, times: &[&'a str]) -> Vec<&'a str> {
    let schedule = schedule(json);
    let at = |text: &str| OffsetDateTime::parse(text, &Rfc3339).unwrap();
    times
        .iter()
        .copied()
        .filter(|time| schedule.holds(at(time)))
        .collect()
}

#[test]
fn from_is_inside_and_until_is_outside() {
    let times = [
        "2026-08-31T23:59:59Z",
        "2026-09-01T00:00:00Z",
        "2026-09-02T03:59:59Z",
    ];
    assert_eq!(
        held(r#"{"from": "2026-09-01", "usd": {}}"#, &times),
        times[1..]
    );
    assert_eq!(
        held(r#"{"until": "2026-09-01", "usd": {}}"#, &times),
        times[..1]
    );
    let instant = r#"{"from": "2026-09-02T04:00:00+00:01", "usd": {}}"#;
    assert_eq!(held(instant, &times), times[2..]);
}

#[test]
fn a_window_begins_with_its_minute_and_ends_before_its_end() {
    let times = [
        "2026-09-01T00:59:59Z",
        "2026-09-01T01:00:00Z",
        "2026-09-01T03:59:59Z",
        "2026-09-01T04:00:00Z",
        "2026-09-01T06:00:00Z",
        "2026-09-01T23:59:59Z",
    ];
    let windows = r#"{"utc": ["01:00-04:00", "06:00-24:00"], "usd": {}}"#;
    assert_eq!(
        held(windows, &times),
        [times[1], times[2], times[4], times[5]]
    );
}

#[test]
fn a_window_may_cross_midnight() {
    let times = [
        "2026-09-01T16:29:59Z",
        "2026-09-01T16:30:00Z",
        "2026-09-01T23:59:59Z",
        "2026-09-02T00:29:59Z",
        "2026-09-02T00:30:00Z",
    ];
    assert_eq!(
        held(r#"{"utc": ["16:30-00:30"], "usd": {}}"#, &times),
        times[1..4]
    );
}

#[test]
fn weekdays_count_from_monday() {
    let week = [
        "2026-09-07T12:00:00Z",
        "2026-09-11T12:00:00Z",
        "2026-09-12T12:00:00Z",
        "2026-09-13T12:00:00Z",
    ];
    assert_eq!(
        held(r#"{"weekdays": [1, 2, 3, 4, 5], "usd": {}}"#, &week),
        week[..2]
    );
    assert_eq!(held(r#"{"weekdays": [7], "usd": {}}"#, &week), week[3..]);
}

#[test]
fn a_holiday_is_a_day_of_its_own_place() {
    let times = [
        "2026-09-30T15:59:59Z",
        "2026-09-30T16:00:00Z",
        "2026-10-02T15:59:59Z",
        "2026-10-02T16:00:00Z",
    ];
    let not_holidays = r#"{"not_holiday": "x", "usd": {}}"#;
    assert_eq!(held(not_holidays, &times), [times[0], times[3]]);
}

#[test]
fn a_calendar_ends_with_its_last_day() {
    let schedule = schedule(r#"{"not_holiday": "x", "usd": {}}"#);
    let at = |text: &str| OffsetDateTime::parse(text, &Rfc3339).unwrap();
    assert!(!schedule.outlives_calendar(at("2026-12-31T15:59:59Z")));
    assert!(schedule.outlives_calendar(at("2026-12-31T16:00:00Z")));
}

#[test]
fn times_that_cannot_be_are_refused() {
    for json in [
        r#"{"from": "2026-02-30", "usd": {}}"#,
        r#"{"from": "2026-09-01 00:00", "usd": {}}"#,
        r#"{"utc": ["1:00-4:00"], "usd": {}}"#,
        r#"{"utc": ["01:00-01:00"], "usd": {}}"#,
        r#"{"utc": ["25:00-26:00"], "usd": {}}"#,
        r#"{"utc": ["01:00"], "usd": {}}"#,
        r#"{"weekdays": [0], "usd": {}}"#,
        r#"{"weekdays": [8], "usd": {}}"#,
    ] {
        assert!(serde_json::from_str::<PriceRow>(json).is_err(), "{json}");
    }
    for offset in ["08:00", "+8:00", "+30:00", "++8:00"] {
        let calendar =
            format!(r#"{{"utc_offset": "{offset}", "covers_through": "2026-12-31", "dates": []}}"#);
        assert!(
            serde_json::from_str::<Calendar>(&calendar).is_err(),
            "{offset}"
        );
    }
}

/// The dimensions of the units in the book's own file; cached video has no unit there.
fn dims(units: &serde_json::Value, bucket: Bucket) -> Vec<String> {
    if bucket == Bucket::CacheReadVideo {
        let dims = [
            "tokens",
            "direction=input",
            "modality=video",
            "token_type=cache_read",
        ];
        return dims.map(str::to_owned).into();
    }
    serde_json::from_value(units[bucket.as_str()]["dims"].clone()).unwrap()
}

#[test]
fn the_rates_that_cover_a_bucket_are_those_whose_dimensions_it_has() {
    let file = include_str!("../../prices/_units.json");
    let file: serde_json::Value = serde_json::from_str(file).unwrap();
    let dims = |bucket| dims(&file["units"], bucket);
    for bucket in Bucket::ALL {
        let own = dims(*bucket);
        let covering = unit::covering(*bucket);
        let covers = |unit: &&Bucket| dims(**unit).iter().all(|dim| own.contains(dim));
        let mut expected: Vec<_> = Bucket::ALL.iter().filter(covers).collect();
        expected.sort();
        let mut listed: Vec<_> = covering.iter().collect();
        listed.sort();
        assert_eq!(listed, expected, "{bucket:?}");
        let specific: Vec<_> = covering.iter().map(|unit| dims(*unit).len()).collect();
        assert!(
            specific.is_sorted_by(|a, b| a >= b),
            "{bucket:?}: {covering:?}"
        );
        let side = match () {
            () if own.contains(&"direction=input".to_owned()) => Side::Input,
            () if own.contains(&"direction=output".to_owned()) => Side::Output,
            () => Side::Neither,
        };
        assert_eq!(unit::side(*bucket), side, "{bucket:?}");
        assert_eq!(
            unit::in_tokens(*bucket),
            own.contains(&"tokens".to_owned()),
            "{bucket:?}"
        );
        assert_eq!(
            unit::in_millis(*bucket),
            own.contains(&"durations".to_owned()),
            "{bucket:?}"
        );
    }
}
