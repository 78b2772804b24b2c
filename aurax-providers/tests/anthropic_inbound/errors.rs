//! Errors of every kind.

use std::time::Duration;

use aurax_core::{Error, ErrorKind};
use aurax_providers::inbound::Inbound;
use serde_json::{Value, json};

use super::{codec, hello, refused};

#[test]
fn every_kind_has_its_status_and_type() {
    for (kind, status, r#type) in [
        (ErrorKind::InvalidRequest, 400, "invalid_request_error"),
        (ErrorKind::Unsupported, 400, "invalid_request_error"),
        (ErrorKind::ContextLength, 400, "invalid_request_error"),
        (ErrorKind::ContentFilter, 400, "invalid_request_error"),
        (ErrorKind::Unpriced, 400, "invalid_request_error"),
        (ErrorKind::Auth, 401, "authentication_error"),
        (ErrorKind::Quota, 402, "billing_error"),
        (ErrorKind::Permission, 403, "permission_error"),
        (ErrorKind::ModelNotFound, 404, "not_found_error"),
        (ErrorKind::NotFound, 404, "not_found_error"),
        (ErrorKind::Conflict, 409, "conflict_error"),
        (ErrorKind::TooLarge, 413, "request_too_large"),
        (ErrorKind::RateLimited, 429, "rate_limit_error"),
        (ErrorKind::Cancelled, 499, "api_error"),
        (ErrorKind::Server, 500, "api_error"),
        (ErrorKind::Config, 500, "api_error"),
        (ErrorKind::Internal, 500, "api_error"),
        (ErrorKind::Network, 502, "api_error"),
        (ErrorKind::Truncated, 502, "api_error"),
        (ErrorKind::Decode, 502, "api_error"),
        (ErrorKind::Ledger, 503, "api_error"),
        (ErrorKind::Timeout, 504, "timeout_error"),
        (ErrorKind::Overloaded, 529, "overloaded_error"),
    ] {
        let reply = codec().error(&Error::new(kind, "words"), "r1");
        assert_eq!(reply.status.as_u16(), status, "{kind}");
        let body: Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(body["type"], "error");
        assert_eq!(body["error"]["type"], r#type, "{kind}");
        assert_eq!(body["request_id"], "r1");
    }
}

#[test]
fn the_place_of_a_mistake_stands_before_it() {
    let mut body = hello();
    body.as_object_mut().unwrap().remove("max_tokens");
    let reply = codec().error(&refused(&body), "r1");
    let body: Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(
        body,
        json!({"type": "error", "error": {"type": "invalid_request_error",
            "message": "max_tokens: Field required"}, "request_id": "r1"})
    );
    assert_eq!(reply.headers["x-should-retry"], "false");
}

#[test]
fn waits_and_long_inputs_are_said_in_the_words_clients_know() {
    let limited = Error::new(ErrorKind::Overloaded, "x");
    let limited = limited.with_retry_after(Some(Duration::from_secs(3)));
    let reply = codec().error(&limited, "r1");
    assert_eq!(reply.headers["retry-after"], "3");
    assert_eq!(reply.headers["retry-after-ms"], "3000");
    let long = codec().error(&Error::new(ErrorKind::ContextLength, "9 tokens"), "r1");
    let body: Value = serde_json::from_slice(&long.body).unwrap();
    assert_eq!(body["error"]["message"], "prompt is too long: 9 tokens");
}
