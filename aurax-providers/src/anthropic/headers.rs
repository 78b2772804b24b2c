//! What Anthropic says in headers.
//!
//! Facts: <https://platform.claude.com/docs/en/api/rate-limits#response-headers>.

use std::time::Duration;

use aurax_core::RateLimit;
use http::{HeaderMap, HeaderName};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::headers;

/// The workspace that is billed, as the official SDKs show it.
pub(super) const WORKSPACE: HeaderName = HeaderName::from_static("anthropic-workspace-id");

/// The id of the request, for support.
pub(super) fn request_id(headers: &HeaderMap) -> Option<String> {
    headers::text(headers, "request-id").map(str::to_owned)
}

/// How long the provider asks to wait: in its own words, else, where `limited` says that a limit
/// was hit, until the limits with nothing left are there again.
pub(super) fn retry_after(headers: &HeaderMap, message: &str, limited: bool) -> Option<Duration> {
    headers::retry_after(headers, message, limited).or_else(|| {
        rate_limits(headers)
            .iter()
            .filter(|limit| limited && limit.remaining == Some(0))
            .filter_map(|limit| limit.reset)
            .max()
    })
}

/// The limits the provider states. A reset is an instant; it becomes a wait by the reply's own
/// date.
pub(super) fn rate_limits(headers: &HeaderMap) -> Vec<RateLimit> {
    let now = OffsetDateTime::from(headers::now(headers));
    ["requests", "tokens", "input-tokens", "output-tokens"]
        .into_iter()
        .filter_map(|kind| {
            let field = |what| headers::text(headers, format!("anthropic-ratelimit-{kind}-{what}"));
            let mut limit = RateLimit::new(kind.replace('-', "_"));
            limit.limit = field("limit").and_then(|n| n.parse().ok());
            limit.remaining = field("remaining").and_then(|n| n.parse().ok());
            limit.reset = field("reset")
                .and_then(|at| OffsetDateTime::parse(at, &Rfc3339).ok())
                .map(|at| Duration::try_from(at - now).unwrap_or_default());
            (limit.limit.is_some() || limit.remaining.is_some()).then_some(limit)
        })
        .collect()
}
