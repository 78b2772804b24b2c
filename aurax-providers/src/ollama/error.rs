//! Errors: a text, whose words say more than its status.
//!
//! Facts: <https://github.com/ollama/ollama/blob/main/docs/api/errors.mdx>.

use aurax_core::{Error, ErrorKind, Phase, Upstream};
use http::HeaderMap;

use crate::failure::{self, TOO_LONG, by_status, plain, says};
use crate::headers;
use crate::raw::RawObject;

/// Words of requests that cannot succeed, whatever the status.
const MISTAKES: &[&str] = &[
    "does not support",
    "doesn't support",
    "invalid ",
    "is required",
    "illegal base64",
    "cannot unmarshal",
];

/// Words of a server that has too much to do.
const BUSY: &[&str] = &["server busy", "maximum pending requests exceeded"];

/// More words of an input that is too long.
const NO_ROOM: &[&str] = &["exceeds maximum context length", "exceeds context length"];

/// Reads an error reply.
pub(super) fn reply(status: u16, headers: &HeaderMap, body: &[u8]) -> Error {
    let body = String::from_utf8_lossy(body);
    let message = read(&body).unwrap_or_else(|| plain(&body));
    let kind = kind(Some(status), &message);
    let wait = headers::retry_after(headers, &message, kind == ErrorKind::RateLimited);
    failure::error(kind, Upstream::new(Some(status), message))
        .with_retry_after(wait)
        .with_request_id(headers::text(headers, "x-request-id").map(str::to_owned))
        .with_phase(Phase::Headers)
}

/// An error in a line of a stream, or in a body whose status is good.
pub(super) fn inside(line: &str) -> Error {
    let message = read(line).unwrap_or_default();
    let kind = kind(None, &message);
    failure::error(kind, Upstream::new(None, message)).with_phase(Phase::Body)
}

/// A text, or an object with one, as servers have it that imitate the API.
fn read(body: &str) -> Option<String> {
    let body = RawObject::parse(body)?;
    let inner = || body.object("error")?.text("message");
    body.text("error")
        .or_else(inner)
        .or_else(|| body.text("message"))
        .or_else(|| body.text("detail"))
}

fn kind(status: Option<u16>, message: &str) -> ErrorKind {
    let text = message.to_ascii_lowercase();
    let is_server = status.is_none_or(|status| status >= 500);
    match status {
        Some(status @ 401..=403) => by_status(status),
        _ if says(&text, TOO_LONG) || says(&text, NO_ROOM) => ErrorKind::ContextLength,
        _ if text.starts_with("model ") && text.contains("not found") => ErrorKind::ModelNotFound,
        Some(status @ (503 | 504)) => by_status(status),
        _ if is_server && says(&text, BUSY) => ErrorKind::Overloaded,
        _ if is_server && says(&text, MISTAKES) => ErrorKind::InvalidRequest,
        Some(status) => by_status(status),
        None => ErrorKind::Server,
    }
}
