//! Errors: what Anthropic says went wrong, and what that means for the call.
//!
//! Facts: <https://platform.claude.com/docs/en/api/errors>; the codes of `details.error_code` are
//! those of the official Python SDK 2.12.

use aurax_core::{Error, ErrorKind, Phase, Upstream};
use http::HeaderMap;
use serde_json::Value;

use super::headers;
use crate::failure::{self, FILTERED, TOO_LONG, by_status, plain, says};
use crate::headers::should_retry;
use crate::raw::RawObject;

/// What the provider says, wherever in the reply it stands.
#[derive(Debug, Default)]
struct Said {
    error_type: Option<String>,
    code: Option<String>,
    message: String,
    request_id: Option<String>,
}

/// Reads an error reply.
pub(super) fn reply(status: u16, headers: &HeaderMap, body: &[u8]) -> Error {
    let body = String::from_utf8_lossy(body);
    let said = read(&body).unwrap_or_else(|| Said {
        message: plain(&body),
        ..Said::default()
    });
    let request_id = headers::request_id(headers).or_else(|| said.request_id.clone());
    let error = build(Some(status), said)
        .with_request_id(request_id)
        .with_phase(Phase::Headers);
    // A limit of spending is a 429 like any other to generic code, but waiting does not lift it.
    if error.kind() == ErrorKind::Quota {
        return error;
    }
    let words = error.upstream().map_or("", |upstream| &upstream.message);
    let wait = headers::retry_after(headers, words, error.kind() == ErrorKind::RateLimited);
    let retry = should_retry(headers).unwrap_or(error.retry());
    error.with_retry(retry).with_retry_after(wait)
}

/// Reads an error inside a stream or a body with a good status; `None` when it is none.
pub(super) fn inside(body: &str) -> Option<Error> {
    let said = read(body)?;
    let request_id = said.request_id.clone();
    Some(
        build(None, said)
            .with_request_id(request_id)
            .with_phase(Phase::Body),
    )
}

fn read(body: &str) -> Option<Said> {
    let body = RawObject::parse(body)?;
    let mut said = match body.object("error") {
        Some(error) => Said {
            error_type: error.text("type"),
            code: error
                .object("details")
                .and_then(|details| details.text("error_code"))
                .or_else(|| code(&error)),
            message: error.text("message").unwrap_or_default(),
            request_id: None,
        },
        // Servers that imitate the API answer with a bare text.
        None => Said {
            message: body
                .text("error")
                .or_else(|| body.text("message"))
                .or_else(|| body.text("detail"))?,
            ..Said::default()
        },
    };
    said.request_id = body.text("request_id");
    Some(said)
}

/// A code of a gateway: a text or a number.
fn code(error: &RawObject) -> Option<String> {
    match error.get("code")?.to().ok()? {
        Value::String(code) => Some(code),
        Value::Number(code) => Some(code.to_string()),
        _ => None,
    }
}

fn build(status: Option<u16>, said: Said) -> Error {
    let kind = kind(status, &said);
    let mut upstream = Upstream::new(status, said.message);
    upstream.error_type = said.error_type;
    upstream.code = said.code;
    failure::error(kind, upstream)
}

fn kind(status: Option<u16>, said: &Said) -> ErrorKind {
    let text = said.message.to_ascii_lowercase();
    if let Some(kind) = said.code.as_deref().and_then(by_code) {
        return kind;
    }
    let by_type = said.error_type.as_deref().and_then(by_type);
    match by_type.or_else(|| status.map(by_status)) {
        Some(ErrorKind::NotFound) if text.starts_with("model:") => ErrorKind::ModelNotFound,
        Some(ErrorKind::InvalidRequest | ErrorKind::RateLimited | ErrorKind::Permission)
            if says(&text, SPENT) =>
        {
            ErrorKind::Quota
        }
        Some(ErrorKind::InvalidRequest | ErrorKind::TooLarge) if says(&text, TOO_LONG) => {
            ErrorKind::ContextLength
        }
        Some(ErrorKind::InvalidRequest) if says(&text, FILTERED) => ErrorKind::ContentFilter,
        Some(kind) => kind,
        None => ErrorKind::Server,
    }
}

/// Codes that say more than the type.
fn by_code(code: &str) -> Option<ErrorKind> {
    Some(match code {
        "ramp_limit_exceeded" => ErrorKind::RateLimited,
        "storage_quota_exceeded" | "linked_organization_billing_unavailable" => ErrorKind::Quota,
        "organization_on_hold" => ErrorKind::Permission,
        "image_dimensions_too_large" => ErrorKind::InvalidRequest,
        code if code.ends_with("_spend_limit_reached") => ErrorKind::Quota,
        _ => return None,
    })
}

fn by_type(error_type: &str) -> Option<ErrorKind> {
    Some(match error_type {
        "invalid_request_error" => ErrorKind::InvalidRequest,
        "authentication_error" => ErrorKind::Auth,
        "billing_error" => ErrorKind::Quota,
        "permission_error" => ErrorKind::Permission,
        "not_found_error" => ErrorKind::NotFound,
        "request_too_large" => ErrorKind::TooLarge,
        "rate_limit_error" => ErrorKind::RateLimited,
        "timeout_error" => ErrorKind::Timeout,
        "overloaded_error" => ErrorKind::Overloaded,
        "conflict_error" => ErrorKind::Conflict,
        "api_error" => ErrorKind::Server,
        _ => return None,
    })
}

/// Words of a used-up balance or limit of spending, which no waiting brings back.
const SPENT: &[&str] = &[
    "credit balance is too low",
    "specified api usage limits",
    "spend limit",
    "usage limit reached",
];
