//! What Anthropic says in headers.
//!
//! Facts: <https://platform.claude.com/docs/en/api/rate-limits#response-headers>.

use std::time::Duration;

use aurax_core::{RateLimit, Retry};
use http::HeaderMap;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The id of the request, for support.
pub(super) fn request_id(headers: &HeaderMap) -> Option<String> {
    text(headers, "request-id").map(str::to_owned)
}

/// Whether the provider asks for another try, whatever the status says.
pub(super) fn should_retry(headers: &HeaderMap) -> Option<Retry> {
    match text(headers, "x-should-retry")? {
        "true" => Some(Retry::Transient),
        "false" => Some(Retry::Never),
        _ => None,
    }
}

/// How long the provider asks to wait.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let millis = text(headers, "retry-after-ms")
        .and_then(|ms| ms.parse::<f64>().ok())
        .map(|ms| ms / 1000.0);
    let seconds = millis.or_else(|| text(headers, "retry-after")?.parse().ok())?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// The limits the provider states.
///
/// A reset is an instant; it becomes a wait by the reply's own `date`, so that no clock is needed.
pub(super) fn rate_limits(headers: &HeaderMap) -> Vec<RateLimit> {
    let now = text(headers, "date")
        .and_then(|date| httpdate::parse_http_date(date).ok())
        .map(OffsetDateTime::from);
    ["requests", "tokens", "input-tokens", "output-tokens"]
        .into_iter()
        .filter_map(|kind| {
            let field = |what| text(headers, &format!("anthropic-ratelimit-{kind}-{what}"));
            let mut limit = RateLimit::new(kind.replace('-', "_"));
            limit.limit = field("limit").and_then(|n| n.parse().ok());
            limit.remaining = field("remaining").and_then(|n| n.parse().ok());
            limit.reset = field("reset")
                .and_then(|at| OffsetDateTime::parse(at, &Rfc3339).ok())
                .zip(now)
                .map(|(at, now)| Duration::try_from(at - now).unwrap_or_default());
            (limit.limit.is_some() || limit.remaining.is_some()).then_some(limit)
        })
        .collect()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}
