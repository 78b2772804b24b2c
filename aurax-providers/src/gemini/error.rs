//! Errors: what Google says went wrong, and what that means for the call.
//!
//! Facts: <https://ai.google.dev/gemini-api/docs/troubleshooting> and, for the details,
//! <https://cloud.google.com/apis/design/errors>.

use std::time::Duration;

use aurax_core::{Error, ErrorKind, Phase, Upstream};
use http::HeaderMap;

use crate::failure::{self, TOO_LONG, by_status, plain, says};
use crate::headers;
use crate::raw::RawObject;

/// What the provider says.
#[derive(Debug, Default)]
struct Said {
    /// A word for the kind, such as `NOT_FOUND`.
    status: Option<String>,
    code: Option<u16>,
    message: String,
    /// The field of the request that is wrong.
    field: Option<String>,
    /// Reasons in Google's own words, such as `API_KEY_INVALID`.
    reasons: Vec<String>,
    wait: Option<Duration>,
    /// A quota that no waiting of ours brings back.
    is_spent: bool,
}

/// Reads an error reply.
pub(super) fn reply(status: u16, headers: &HeaderMap, body: &[u8]) -> Error {
    let body = String::from_utf8_lossy(body);
    let said = read(&body).unwrap_or_else(|| Said {
        message: plain(&body),
        ..Said::default()
    });
    build(Some(status), said, headers)
        .with_request_id(headers::text(headers, "x-request-id").map(str::to_owned))
        .with_phase(Phase::Headers)
}

/// Reads an error inside a stream or a body with a good status; `None` when it is none.
pub(super) fn inside(body: &str) -> Option<Error> {
    let said = read(body)?;
    Some(build(None, said, &HeaderMap::new()).with_phase(Phase::Body))
}

/// Google puts a list around errors of streams that are not of events.
fn read(body: &str) -> Option<Said> {
    if let Ok(list) = serde_json::from_str::<Vec<&serde_json::value::RawValue>>(body) {
        return read(list.first()?.get());
    }
    let body = RawObject::parse(body)?;
    let Some(error) = body.object("error") else {
        return Some(Said {
            message: body.text("error").or_else(|| body.text("message"))?,
            ..Said::default()
        });
    };
    let mut said = Said {
        status: error.text("status"),
        code: error.count("code").and_then(|code| code.try_into().ok()),
        message: error.text("message").unwrap_or_default(),
        ..Said::default()
    };
    for detail in error.list("details").unwrap_or_default() {
        if let Some(detail) = RawObject::parse(detail.as_str()) {
            said.detail(&detail);
        }
    }
    Some(said)
}

impl Said {
    fn detail(&mut self, detail: &RawObject) {
        self.reasons.extend(detail.text("reason"));
        self.wait = self.wait.or_else(|| seconds(&detail.text("retryDelay")?));
        let entries = |name| {
            let list = detail.list(name).unwrap_or_default();
            let entries = list
                .iter()
                .filter_map(|item| RawObject::parse(item.as_str()));
            entries.collect::<Vec<_>>()
        };
        self.is_spent |= entries("violations").iter().any(|violation| {
            let is_daily = violation
                .text("quotaId")
                .is_some_and(|id| id.contains("PerDay"));
            is_daily || violation.text("quotaValue").as_deref() == Some("0")
        });
        let wrong = entries("fieldViolations");
        let field = wrong.iter().find_map(|violation| violation.text("field"));
        self.field = self.field.take().or(field);
    }
}

/// A wait as Google writes it: `22s`, `10.6s`.
fn seconds(wait: &str) -> Option<Duration> {
    let seconds: f64 = wait.strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

fn build(status: Option<u16>, said: Said, headers: &HeaderMap) -> Error {
    let kind = kind(status, &said);
    let limited = kind == ErrorKind::RateLimited;
    let wait = headers::retry_after(headers, "", false)
        .or(said.wait)
        .or_else(|| headers::retry_after(headers, &said.message, limited))
        // Waiting does not lift what is used up.
        .filter(|_| kind != ErrorKind::Quota);
    let mut upstream = Upstream::new(status, said.message);
    upstream.error_type = said.status;
    upstream.param = said.field;
    failure::error(kind, upstream).with_retry_after(wait)
}

fn kind(status: Option<u16>, said: &Said) -> ErrorKind {
    let text = said.message.to_ascii_lowercase();
    let bad_key = |reason: &String| reason.starts_with("API_KEY_");
    let by_word = said.status.as_deref().and_then(by_word);
    let by_status = || status.or(said.code).map(by_status);
    match by_word.or_else(by_status) {
        Some(ErrorKind::InvalidRequest) if said.reasons.iter().any(bad_key) => ErrorKind::Auth,
        Some(ErrorKind::InvalidRequest) if says(&text, TOO_LONG) => ErrorKind::ContextLength,
        // A precondition: billing, or the place the call comes from.
        Some(ErrorKind::Quota) if text.contains("location") => ErrorKind::Permission,
        Some(ErrorKind::NotFound) if text.starts_with("models/") => ErrorKind::ModelNotFound,
        Some(ErrorKind::RateLimited) if said.is_spent || text.contains("limit: 0") => {
            ErrorKind::Quota
        }
        Some(kind) => kind,
        None => ErrorKind::Server,
    }
}

fn by_word(word: &str) -> Option<ErrorKind> {
    Some(match word {
        "INVALID_ARGUMENT" | "OUT_OF_RANGE" => ErrorKind::InvalidRequest,
        "FAILED_PRECONDITION" => ErrorKind::Quota,
        "UNAUTHENTICATED" => ErrorKind::Auth,
        "PERMISSION_DENIED" => ErrorKind::Permission,
        "NOT_FOUND" => ErrorKind::NotFound,
        "ABORTED" | "ALREADY_EXISTS" => ErrorKind::Conflict,
        "RESOURCE_EXHAUSTED" => ErrorKind::RateLimited,
        "CANCELLED" => ErrorKind::Cancelled,
        "UNIMPLEMENTED" => ErrorKind::Unsupported,
        "INTERNAL" | "UNKNOWN" | "DATA_LOSS" => ErrorKind::Server,
        "UNAVAILABLE" => ErrorKind::Overloaded,
        "DEADLINE_EXCEEDED" => ErrorKind::Timeout,
        _ => return None,
    })
}
