//! What response headers say: how long to wait, how much is left, which request it was.

use std::time::{Duration, SystemTime};

use aurax_core::{Clock, RateLimit, SystemClock};
use http::HeaderMap;
use http::header::{AsHeaderName, DATE, RETRY_AFTER};

/// A header's text, without white space around it; `None` where it is not text, or empty.
pub(crate) fn text(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    let text = headers.get(name)?.to_str().ok()?.trim();
    (!text.is_empty()).then_some(text)
}

/// Whether the provider asks for, or forbids, another try (`x-should-retry`), whatever the status
/// says. The official SDKs of OpenAI and Anthropic obey it.
pub(crate) fn should_retry(headers: &HeaderMap) -> Option<aurax_core::Retry> {
    use aurax_core::Retry;
    match text(headers, "x-should-retry")? {
        "true" => Some(Retry::Transient),
        "false" => Some(Retry::Never),
        _ => None,
    }
}

/// How long the provider asks to wait before another try: the first of these that can be read.
///
/// * `retry-after-ms`, in milliseconds;
/// * `retry-after`, in seconds, perhaps with a fraction, or as an HTTP date: a past one is no wait;
/// * a wait in the words of `message`, such as "try again in 1.5s";
/// * where `limited` says that a limit was hit: `x-ratelimit-reset-*` of the limits that have
///   nothing left, else of all; the longest counts.
///
/// A date is compared with the response's own `date`, else with the clock. How long is too long is
/// for the caller to say.
pub(crate) fn retry_after(headers: &HeaderMap, message: &str, limited: bool) -> Option<Duration> {
    text(headers, "retry-after-ms")
        .and_then(|ms| seconds(ms).map(|wait| wait / 1000))
        .or_else(|| wait_or_date(headers))
        .or_else(|| in_words(message))
        .or_else(|| limited.then(|| longest_reset(headers)).flatten())
}

fn wait_or_date(headers: &HeaderMap) -> Option<Duration> {
    let value = text(headers, RETRY_AFTER)?;
    seconds(value).or_else(|| {
        let until = httpdate::parse_http_date(value).ok()?;
        Some(until.duration_since(now(headers)).unwrap_or_default())
    })
}

/// The time the response was made.
pub(crate) fn now(headers: &HeaderMap) -> SystemTime {
    text(headers, DATE)
        .and_then(|date| httpdate::parse_http_date(date).ok())
        .unwrap_or_else(|| SystemClock.now().into())
}

/// A number of seconds, perhaps with a fraction.
fn seconds(text: &str) -> Option<Duration> {
    let is_number = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let seconds: f64 = text.parse().ok().filter(|_| is_number)?;
    Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

/// A wait as Go writes it: `17ms`, `6m0s`, `2m59.56s`, `1h2m3s`; also with the units spelled out.
/// What follows the last unit is not read.
fn go_duration(text: &str) -> Option<Duration> {
    let mut total: Option<Duration> = None;
    let mut rest = text;
    loop {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let (number, after) = rest.split_at_checked(digits)?;
        let after = after.trim_start_matches(' ');
        let letters = after
            .find(|c: char| !c.is_alphabetic())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(letters)?;
        let (Some(number), Some(unit)) = (seconds(number), unit_of(unit)) else {
            return total;
        };
        let wait =
            Duration::try_from_secs_f64(number.as_secs_f64() * unit).unwrap_or(Duration::MAX);
        total = Some(total.unwrap_or_default().saturating_add(wait));
        rest = after;
    }
}

fn unit_of(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" => 1e-9,
        "us" | "µs" => 1e-6,
        "ms" | "milliseconds" => 1e-3,
        "s" | "sec" | "second" | "seconds" => 1.0,
        "m" | "min" | "minute" | "minutes" => 60.0,
        "h" | "hour" | "hours" => 3600.0,
        _ => return None,
    })
}

/// "Please try again in 1.5s", "retry after 20 seconds".
fn in_words(message: &str) -> Option<Duration> {
    let message = message.to_ascii_lowercase();
    [
        "try again in ",
        "try again after ",
        "retry in ",
        "retry after ",
    ]
    .into_iter()
    .find_map(|words| {
        let (_, wait) = message.split_once(words)?;
        go_duration(wait)
    })
}

fn longest_reset(headers: &HeaderMap) -> Option<Duration> {
    let limits = rate_limits(headers);
    let of = |is_spent: bool| {
        limits
            .iter()
            .filter(|limit| !is_spent || limit.remaining == Some(0))
            .filter_map(|limit| limit.reset)
            .max()
    };
    of(true).or_else(|| of(false))
}

/// The limits of `x-ratelimit-{limit,remaining,reset}[-kind]`; without a kind, requests are meant.
pub(crate) fn rate_limits(headers: &HeaderMap) -> Vec<RateLimit> {
    let mut limits: Vec<RateLimit> = Vec::new();
    for (name, value) in headers {
        let Some((what, kind)) = name.as_str().strip_prefix("x-ratelimit-").map(split_kind) else {
            continue;
        };
        let Ok(value) = value.to_str() else { continue };
        let value = value.trim();
        let at = limits.iter().position(|limit| limit.kind == kind);
        let limit = match at.and_then(|at| limits.get_mut(at)) {
            Some(limit) => limit,
            None => {
                limits.push(RateLimit::new(kind));
                match limits.last_mut() {
                    Some(limit) => limit,
                    None => continue,
                }
            }
        };
        match what {
            "limit" => limit.limit = value.parse().ok(),
            "remaining" => limit.remaining = value.parse().ok(),
            "reset" => limit.reset = go_duration(value).or_else(|| seconds(value)),
            _ => {}
        }
    }
    limits.retain(|limit| limit.limit.or(limit.remaining).is_some() || limit.reset.is_some());
    limits
}

fn split_kind(name: &str) -> (&str, String) {
    match name.split_once('-') {
        Some((what, kind)) => (what, kind.replace('-', "_")),
        None => (name, "requests".to_owned()),
    }
}

/// Copies the headers of `names` that are there.
pub(crate) fn keep(headers: &HeaderMap, names: &[http::HeaderName]) -> Vec<(String, String)> {
    names
        .iter()
        .filter_map(|name| Some((name.to_string(), text(headers, name)?.to_owned())))
        .collect()
}

#[cfg(test)]
mod tests;
