//! What all protocols say of an error besides its body.

#[cfg(feature = "openai")]
pub(crate) mod openai;

use std::time::Duration;

use aurax_core::{Error, ErrorKind, Retry};
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// The wait where nobody says how long.
const USUAL_WAIT: Duration = Duration::from_secs(1);

/// Headers that tell a client's SDK whether and when to try again.
pub(crate) fn headers(error: &Error, status: StatusCode) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if error.retry() == Retry::Never {
        headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
        return headers;
    }
    let is_limited = matches!(status.as_u16(), 429 | 503 | 529);
    if let Some(wait) = error.retry_after().or(is_limited.then_some(USUAL_WAIT)) {
        let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        headers.insert(RETRY_AFTER, millis.div_ceil(1000).into());
        headers.insert(RETRY_AFTER_MS, millis.into());
    }
    headers
}

/// An error in words for a client: what concerns only this engine stays here.
pub(crate) fn message(error: &Error) -> &str {
    match error.kind() {
        ErrorKind::Internal => "the server failed; try again, and report it if that does not help",
        ErrorKind::Config => "the server is not set up for this call; tell whoever runs it",
        ErrorKind::Ledger => "the server cannot record the call now; try again",
        _ => error.message(),
    }
}

/// The field of the client's request an error is about.
pub(crate) fn param(error: &Error) -> Option<&str> {
    error
        .context("param")
        .or_else(|| error.upstream()?.param.as_deref())
        .or_else(|| error.context("part"))
}
