use aurax_core::Retry;
use http::HeaderName;

use super::*;

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| {
            (
                HeaderName::from_static(name),
                http::HeaderValue::from_static(value),
            )
        })
        .collect()
}

const DATE_OF_REPLY: (&str, &str) = ("date", "Sat, 21 Nov 2026 10:00:00 GMT");

/// Headers, the message, and the wait they amount to.
type Case = (
    &'static [(&'static str, &'static str)],
    &'static str,
    Option<Duration>,
);

#[test]
fn a_wait_is_read_in_every_form() {
    let ms = Duration::from_millis;
    let cases: &[Case] = &[
        (&[("retry-after-ms", "1500")], "", Some(ms(1500))),
        (
            &[("retry-after-ms", "0.5")],
            "",
            Some(Duration::from_micros(500)),
        ),
        (&[("retry-after", "20")], "", Some(ms(20_000))),
        (&[("retry-after", " 2.25 ")], "", Some(ms(2250))),
        (
            &[("retry-after-ms", "50"), ("retry-after", "9")],
            "",
            Some(ms(50)),
        ),
        (
            &[("retry-after-ms", "soon"), ("retry-after", "9")],
            "",
            Some(ms(9000)),
        ),
        (
            &[
                DATE_OF_REPLY,
                ("retry-after", "Sat, 21 Nov 2026 10:00:30 GMT"),
            ],
            "",
            Some(ms(30_000)),
        ),
        (
            &[
                DATE_OF_REPLY,
                ("retry-after", "Sat, 21 Nov 2026 09:00:00 GMT"),
            ],
            "",
            Some(Duration::ZERO),
        ),
        (
            &[("retry-after", "Tue, 01 Jan 1980 00:00:00 GMT")],
            "",
            Some(Duration::ZERO),
        ),
        (&[("retry-after", "86400000")], "", Some(ms(86_400_000_000))),
        (
            &[("retry-after", "99999999999999999999999999")],
            "",
            Some(Duration::MAX),
        ),
        (&[("retry-after", "-5")], "", None),
        (&[("retry-after", "NaN")], "", None),
        (&[("retry-after", "inf")], "", None),
        (&[("retry-after", "1e3")], "", None),
        (&[("retry-after", "")], "", None),
        (&[("retry-after", "a while")], "", None),
        (
            &[],
            "Rate limit reached. Please try again in 1.5s.",
            Some(ms(1500)),
        ),
        (&[], "Please try again in 6m0s. Visit", Some(ms(360_000))),
        (&[], "try again in 20ms", Some(ms(20))),
        (&[], "Please retry after 20 seconds.", Some(ms(20_000))),
        (&[], "Please retry after 1 minute", Some(ms(60_000))),
        (&[], "try again in a minute", None),
        (&[], "try again later", None),
        (
            &[("retry-after", "garbage")],
            "Please try again in 3s",
            Some(ms(3000)),
        ),
        (
            &[
                ("x-ratelimit-remaining-requests", "0"),
                ("x-ratelimit-reset-requests", "17ms"),
                ("x-ratelimit-remaining-tokens", "5000"),
                ("x-ratelimit-reset-tokens", "6m0s"),
            ],
            "",
            Some(ms(17)),
        ),
        (
            &[
                ("x-ratelimit-reset-requests", "1s"),
                ("x-ratelimit-reset-tokens", "2m59.56s"),
            ],
            "",
            Some(ms(179_560)),
        ),
        (&[("x-ratelimit-reset", "12")], "", Some(ms(12_000))),
        (&[], "", None),
    ];
    for (pairs, message, expected) in cases {
        let got = retry_after(&headers(pairs), message, true);
        assert_eq!(got, *expected, "{pairs:?} {message:?}");
    }
}

#[test]
fn resets_are_no_wait_unless_a_limit_was_hit() {
    let headers = headers(&[("x-ratelimit-reset-requests", "1s")]);
    assert_eq!(retry_after(&headers, "", false), None);
}

#[test]
fn limits_are_read_by_kind() {
    let limits = rate_limits(&headers(&[
        ("x-ratelimit-limit-requests", "10000"),
        ("x-ratelimit-remaining-requests", "9999"),
        ("x-ratelimit-reset-requests", "8.64s"),
        ("x-ratelimit-limit-tokens-minute", "60000"),
        ("x-ratelimit-remaining", "7"),
        ("x-ratelimit-note", "none"),
    ]));
    let requests = limits
        .iter()
        .find(|limit| limit.kind == "requests")
        .unwrap();
    assert_eq!(requests.limit, Some(10_000));
    assert_eq!(requests.remaining, Some(7));
    assert_eq!(requests.reset, Some(Duration::from_millis(8640)));
    let tokens = limits.iter().find(|limit| limit.kind == "tokens_minute");
    assert_eq!(tokens.unwrap().limit, Some(60_000));
    assert_eq!(limits.len(), 2);
}

#[test]
fn the_provider_may_overrule_the_status() {
    let of = |value| should_retry(&headers(&[("x-should-retry", value)]));
    assert_eq!(of("true"), Some(Retry::Transient));
    assert_eq!(of("false"), Some(Retry::Never));
    assert_eq!(of("perhaps"), None);
}
