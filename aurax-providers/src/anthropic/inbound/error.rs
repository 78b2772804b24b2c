//! Errors, as Anthropic's own API words them (<https://platform.claude.com/docs/en/api/errors>).

use std::borrow::Cow;

use aurax_core::{Error, ErrorKind};
use http::StatusCode;
use serde::Serialize;

use crate::inbound::{ErrorReply, failure};

#[derive(Serialize)]
struct Body<'a> {
    r#type: &'static str,
    error: Said<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

#[derive(Serialize)]
struct Said<'a> {
    r#type: &'static str,
    message: Cow<'a, str>,
}

/// Writes an error in place of a reply.
pub(super) fn reply(error: &Error, request_id: &str) -> ErrorReply {
    let (status, _) = meaning(error.kind());
    let mut reply = ErrorReply::new(status, body(error, Some(request_id)));
    reply.headers = failure::headers(error, status);
    reply
}

/// The body of an error, whole or inside a stream.
pub(super) fn body(error: &Error, request_id: Option<&str>) -> Vec<u8> {
    let (_, r#type) = meaning(error.kind());
    let body = Body {
        r#type: "error",
        error: Said {
            r#type,
            message: message(error),
        },
        request_id,
    };
    serde_json::to_vec(&body).unwrap_or_default()
}

/// The place of a mistake stands before it; clients know an input that is too long by its words.
fn message(error: &Error) -> Cow<'_, str> {
    const TOO_LONG: &str = "prompt is too long";
    let message = failure::message(error);
    match (error.kind(), error.context("param")) {
        (ErrorKind::ContextLength, _) if !message.contains(TOO_LONG) => {
            format!("{TOO_LONG}: {message}").into()
        }
        (ErrorKind::InvalidRequest, Some(place)) => format!("{place}: {message}").into(),
        _ => message.into(),
    }
}

/// Status and type of a kind of error.
fn meaning(kind: ErrorKind) -> (StatusCode, &'static str) {
    let (status, word) = match kind {
        ErrorKind::InvalidRequest
        | ErrorKind::Unsupported
        | ErrorKind::ContextLength
        | ErrorKind::ContentFilter
        | ErrorKind::Unpriced => (400, "invalid_request_error"),
        ErrorKind::Auth => (401, "authentication_error"),
        ErrorKind::Quota => (402, "billing_error"),
        ErrorKind::Permission => (403, "permission_error"),
        ErrorKind::ModelNotFound | ErrorKind::NotFound => (404, "not_found_error"),
        ErrorKind::Conflict => (409, "conflict_error"),
        ErrorKind::TooLarge => (413, "request_too_large"),
        ErrorKind::RateLimited => (429, "rate_limit_error"),
        ErrorKind::Cancelled => (499, "api_error"),
        ErrorKind::Network | ErrorKind::Truncated | ErrorKind::Decode => (502, "api_error"),
        ErrorKind::Ledger => (503, "api_error"),
        ErrorKind::Timeout => (504, "timeout_error"),
        ErrorKind::Overloaded => (529, "overloaded_error"),
        _ => (500, "api_error"),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, word)
}
