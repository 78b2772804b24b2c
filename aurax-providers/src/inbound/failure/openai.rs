//! Errors, as OpenAI's own APIs word them, chat and responses alike
//! (<https://platform.openai.com/docs/guides/error-codes>).

use aurax_core::{Error, ErrorKind};
use http::StatusCode;
use serde::Serialize;

use super::{headers, message as words, param};
use crate::inbound::ErrorReply;

/// The body of an error, whole or inside a stream.
#[derive(Serialize)]
pub(crate) struct Body<'a> {
    error: Said<'a>,
}

/// All four fields of OpenAI's are there, whatever their value.
#[derive(Serialize)]
pub(crate) struct Said<'a> {
    pub(crate) message: String,
    pub(crate) r#type: &'static str,
    pub(crate) param: Option<&'a str>,
    pub(crate) code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream_status: Option<u16>,
}

impl Said<'_> {
    /// The same with a code, which is a text in the error of a failed response: SDKs that check its
    /// shape refuse null there.
    pub(crate) fn with_code(mut self) -> Self {
        self.code.get_or_insert(self.r#type);
        self
    }
}

/// Writes an error in place of a reply.
pub(crate) fn reply(error: &Error) -> ErrorReply {
    let (status, ..) = meaning(error);
    let bytes = serde_json::to_vec(&body(error)).unwrap_or_default();
    let mut reply = ErrorReply::new(status, bytes);
    reply.headers = headers(error, status);
    reply
}

pub(crate) fn body(error: &Error) -> Body<'_> {
    Body { error: said(error) }
}

pub(crate) fn said(error: &Error) -> Said<'_> {
    let (_, r#type, code) = meaning(error);
    let upstream = error.upstream();
    let own = upstream.and_then(|upstream| upstream.code.as_deref());
    Said {
        message: message(error),
        r#type,
        param: param(error),
        // For mistakes of the client's the provider's code says more than ours.
        code: match error.kind() {
            ErrorKind::InvalidRequest => own.or(code),
            _ => code,
        },
        upstream_status: upstream.and_then(|upstream| upstream.status),
    }
}

/// Clients know an input that is too long by these words.
fn message(error: &Error) -> String {
    const KNOWN: &str = "maximum context length is";
    let message = words(error);
    if error.kind() == ErrorKind::ContextLength && !message.contains(KNOWN) {
        return format!("This model's {KNOWN} exceeded: {message}");
    }
    message.to_owned()
}

/// Status, type and code of an error.
fn meaning(error: &Error) -> (StatusCode, &'static str, Option<&'static str>) {
    const REQUEST: &str = "invalid_request_error";
    const SERVER: &str = "server_error";
    match error.kind() {
        ErrorKind::Auth => (StatusCode::UNAUTHORIZED, REQUEST, Some("invalid_api_key")),
        ErrorKind::Permission => (StatusCode::FORBIDDEN, REQUEST, Some("permission_denied")),
        ErrorKind::ModelNotFound => (StatusCode::NOT_FOUND, REQUEST, Some("model_not_found")),
        ErrorKind::NotFound => (StatusCode::NOT_FOUND, REQUEST, Some("not_found")),
        ErrorKind::InvalidRequest => (StatusCode::BAD_REQUEST, REQUEST, None),
        ErrorKind::Unsupported => (
            StatusCode::BAD_REQUEST,
            REQUEST,
            Some("unsupported_parameter"),
        ),
        ErrorKind::Unpriced => (StatusCode::BAD_REQUEST, REQUEST, Some("unpriced")),
        ErrorKind::ContextLength => (
            StatusCode::BAD_REQUEST,
            REQUEST,
            Some("context_length_exceeded"),
        ),
        ErrorKind::ContentFilter => (StatusCode::BAD_REQUEST, REQUEST, Some("content_filter")),
        ErrorKind::RateLimited => (
            StatusCode::TOO_MANY_REQUESTS,
            "rate_limit_error",
            Some("rate_limit_exceeded"),
        ),
        ErrorKind::Quota => (
            StatusCode::TOO_MANY_REQUESTS,
            "insufficient_quota",
            Some("insufficient_quota"),
        ),
        ErrorKind::TooLarge => (
            StatusCode::PAYLOAD_TOO_LARGE,
            REQUEST,
            Some("request_too_large"),
        ),
        ErrorKind::Conflict => (StatusCode::CONFLICT, REQUEST, Some("conflict")),
        ErrorKind::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, SERVER, Some("overloaded")),
        ErrorKind::Ledger => (
            StatusCode::SERVICE_UNAVAILABLE,
            SERVER,
            Some("ledger_unavailable"),
        ),
        ErrorKind::Timeout => (StatusCode::GATEWAY_TIMEOUT, SERVER, Some("timeout")),
        ErrorKind::Network => (
            StatusCode::BAD_GATEWAY,
            SERVER,
            Some("upstream_unreachable"),
        ),
        ErrorKind::Truncated => (StatusCode::BAD_GATEWAY, SERVER, Some("upstream_truncated")),
        ErrorKind::Decode => (StatusCode::BAD_GATEWAY, SERVER, Some("upstream_unreadable")),
        ErrorKind::Cancelled => (
            StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
            REQUEST,
            Some("cancelled"),
        ),
        ErrorKind::Config => (
            StatusCode::INTERNAL_SERVER_ERROR,
            SERVER,
            Some("configuration"),
        ),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, SERVER, None),
    }
}
