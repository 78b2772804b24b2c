//! Errors in the shape OpenAI's clients raise.

use aurax_core::{Error, ErrorKind};
use http::StatusCode;
use serde_json::{Value, json};

use crate::inbound::{ErrorReply, failure};

/// What a kind of error is to a client: status, type and code.
const fn class(kind: ErrorKind) -> (u16, &'static str, Option<&'static str>) {
    const REQUEST: &str = "invalid_request_error";
    const SERVER: &str = "server_error";
    match kind {
        ErrorKind::Auth => (401, REQUEST, Some("invalid_api_key")),
        ErrorKind::Permission => (403, REQUEST, Some("permission_denied")),
        ErrorKind::ModelNotFound => (404, REQUEST, Some("model_not_found")),
        ErrorKind::NotFound => (404, REQUEST, Some("not_found")),
        ErrorKind::InvalidRequest | ErrorKind::Unpriced => (400, REQUEST, Some("invalid_request")),
        ErrorKind::Unsupported => (400, REQUEST, Some("unsupported_parameter")),
        ErrorKind::ContextLength => (400, REQUEST, Some("context_length_exceeded")),
        ErrorKind::ContentFilter => (400, REQUEST, Some("content_filter")),
        ErrorKind::TooLarge => (413, REQUEST, Some("request_too_large")),
        ErrorKind::Conflict => (409, REQUEST, Some("conflict")),
        ErrorKind::RateLimited => (429, "rate_limit_error", Some("rate_limit_exceeded")),
        ErrorKind::Quota => (429, "insufficient_quota", Some("insufficient_quota")),
        ErrorKind::Overloaded | ErrorKind::Ledger => (503, SERVER, Some("overloaded")),
        ErrorKind::Timeout => (504, SERVER, Some("timeout")),
        ErrorKind::Network | ErrorKind::Truncated | ErrorKind::Decode => {
            (502, SERVER, Some("bad_gateway"))
        }
        ErrorKind::Cancelled => (499, REQUEST, Some("cancelled")),
        _ => (500, SERVER, None),
    }
}

/// The fields of an error: message, type, param and code.
pub(super) fn fields(error: &Error) -> Value {
    let (_, kind, code) = class(error.kind());
    let param = error
        .context("param")
        .or_else(|| error.upstream()?.param.as_deref());
    json!({"message": message(error), "type": kind, "param": param, "code": code})
}

/// The code, where an object must have one.
pub(super) fn code(error: &Error) -> &'static str {
    class(error.kind()).2.unwrap_or("server_error")
}

/// Clients find an input that is too long by OpenAI's words for it. What broke inside says nothing.
pub(super) fn message(error: &Error) -> String {
    const WORDS: &str = "maximum context length";
    let message = failure::message(error);
    match error.kind() {
        ErrorKind::ContextLength if !message.contains(WORDS) => {
            format!("This model's {WORDS} is exceeded: {message}")
        }
        _ => message.to_owned(),
    }
}

pub(super) fn reply(error: &Error) -> ErrorReply {
    let (status, ..) = class(error.kind());
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = json!({"error": fields(error)}).to_string();
    let mut reply = ErrorReply::new(status, body);
    reply.headers = failure::headers(error, status);
    reply
}
