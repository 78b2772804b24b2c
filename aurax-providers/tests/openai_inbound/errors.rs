//! Errors of every kind.

use std::time::Duration;

use aurax_core::{Error, ErrorKind, Retry, Upstream};
use aurax_providers::inbound::{ErrorReply, Inbound};
use aurax_providers::openai::{ChatInbound, EmbeddingsInbound};
use aurax_providers::responses::ResponsesInbound;
use serde_json::{Value, json};

/// What the clients of every protocol of OpenAI's get, which is the same.
fn reply(error: &Error) -> ErrorReply {
    let reply = ChatInbound::new().error(error, "r1");
    let others: [&dyn Inbound; 2] = [&ResponsesInbound::new(), &EmbeddingsInbound::new()];
    for other in others {
        assert_eq!(other.error(error, "r1"), reply, "{}", other.name());
    }
    reply
}

fn body(reply: &ErrorReply) -> Value {
    serde_json::from_slice(&reply.body).unwrap()
}

#[test]
fn every_kind_has_its_status_type_and_code() {
    const REQUEST: &str = "invalid_request_error";
    const SERVER: &str = "server_error";
    for (kind, status, r#type, code) in [
        (ErrorKind::Auth, 401, REQUEST, json!("invalid_api_key")),
        (
            ErrorKind::Permission,
            403,
            REQUEST,
            json!("permission_denied"),
        ),
        (
            ErrorKind::ModelNotFound,
            404,
            REQUEST,
            json!("model_not_found"),
        ),
        (ErrorKind::NotFound, 404, REQUEST, json!("not_found")),
        (ErrorKind::InvalidRequest, 400, REQUEST, Value::Null),
        (
            ErrorKind::Unsupported,
            400,
            REQUEST,
            json!("unsupported_parameter"),
        ),
        (
            ErrorKind::ContextLength,
            400,
            REQUEST,
            json!("context_length_exceeded"),
        ),
        (
            ErrorKind::RateLimited,
            429,
            "rate_limit_error",
            json!("rate_limit_exceeded"),
        ),
        (
            ErrorKind::Quota,
            429,
            "insufficient_quota",
            json!("insufficient_quota"),
        ),
        (ErrorKind::Overloaded, 503, SERVER, json!("overloaded")),
        (ErrorKind::Timeout, 504, SERVER, json!("timeout")),
        (
            ErrorKind::ContentFilter,
            400,
            REQUEST,
            json!("content_filter"),
        ),
        (
            ErrorKind::TooLarge,
            413,
            REQUEST,
            json!("request_too_large"),
        ),
        (ErrorKind::Conflict, 409, REQUEST, json!("conflict")),
        (ErrorKind::Server, 500, SERVER, Value::Null),
        (
            ErrorKind::Network,
            502,
            SERVER,
            json!("upstream_unreachable"),
        ),
        (
            ErrorKind::Truncated,
            502,
            SERVER,
            json!("upstream_truncated"),
        ),
        (ErrorKind::Decode, 502, SERVER, json!("upstream_unreadable")),
        (ErrorKind::Cancelled, 499, REQUEST, json!("cancelled")),
        (ErrorKind::Config, 500, SERVER, json!("configuration")),
        (ErrorKind::Unpriced, 400, REQUEST, json!("unpriced")),
        (ErrorKind::Ledger, 503, SERVER, json!("ledger_unavailable")),
        (ErrorKind::Internal, 500, SERVER, Value::Null),
    ] {
        let reply = reply(&Error::new(kind, "words"));
        assert_eq!(reply.status.as_u16(), status, "{kind}");
        let body = body(&reply);
        let error = &body["error"];
        assert_eq!(
            (&error["type"], &error["code"]),
            (&json!(r#type), &code),
            "{kind}"
        );
        assert_eq!(error["param"], Value::Null);
        let never = kind.usual_retry() == Retry::Never;
        assert_eq!(
            reply.headers.get("x-should-retry").is_some(),
            never,
            "{kind}"
        );
    }
}

#[test]
fn the_wait_is_said_in_seconds_and_milliseconds() {
    let wait = |error: Error| {
        let headers = reply(&error).headers;
        let text = |name| {
            headers
                .get(name)
                .map(|value| value.to_str().unwrap().to_owned())
        };
        (text("retry-after"), text("retry-after-ms"))
    };
    let limited = || Error::new(ErrorKind::RateLimited, "x");
    let after = limited().with_retry_after(Some(Duration::from_millis(1500)));
    assert_eq!(wait(after), (Some("2".into()), Some("1500".into())));
    assert_eq!(wait(limited()), (Some("1".into()), Some("1000".into())));
    assert_eq!(wait(Error::new(ErrorKind::Quota, "x")), (None, None));
    assert_eq!(wait(Error::new(ErrorKind::Server, "x")), (None, None));
}

#[test]
fn the_field_and_the_provider_s_code_are_named() {
    let error =
        Error::new(ErrorKind::InvalidRequest, "expected a number").with_context("param", "n");
    assert_eq!(
        body(&reply(&error)),
        json!({"error": {"message": "expected a number", "type": "invalid_request_error",
            "param": "n", "code": null}})
    );
    let mut upstream = Upstream::new(Some(400), "x");
    upstream.code = Some("unsupported_value".into());
    upstream.param = Some("temperature".into());
    let error = Error::new(ErrorKind::InvalidRequest, "refused").with_upstream(upstream);
    assert_eq!(
        body(&reply(&error))["error"],
        json!({"message": "refused", "type": "invalid_request_error", "param": "temperature",
            "code": "unsupported_value", "upstream_status": 400})
    );
}

#[test]
fn an_input_that_is_too_long_is_said_in_the_words_clients_know() {
    for words in [
        "it does not fit",
        "This model's maximum context length is 8 tokens.",
    ] {
        let body = body(&reply(&Error::new(ErrorKind::ContextLength, words)));
        let message = body["error"]["message"].as_str().unwrap();
        assert_eq!(
            message.matches("maximum context length is").count(),
            1,
            "{message}"
        );
        assert!(message.contains(words));
    }
}

#[test]
fn what_is_broken_inside_stays_inside() {
    for kind in [ErrorKind::Internal, ErrorKind::Ledger] {
        let reply = reply(&Error::new(kind, "row 7 of table x"));
        let text = String::from_utf8(reply.body.to_vec()).unwrap();
        assert!(!text.contains("row 7"), "{text}");
    }
}
