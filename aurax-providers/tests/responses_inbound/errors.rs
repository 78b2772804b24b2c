//! Errors: in place of a reply, and in the middle of one.

use std::time::Duration;

use aurax_core::{Delta, Error, ErrorKind};
use aurax_providers::inbound::Inbound as _;
use bytes::BytesMut;
use serde_json::{Value, json};

use super::{delta, frames, inbound, start, writer};

#[test]
fn a_stream_that_fails_ends_with_both_frames() {
    let mut writer = writer("openai.chat", &json!({"model": "m", "input": "Hi"}));
    let mut out = BytesMut::new();
    writer.event(&start(), &mut out);
    writer.event(&delta(0, Delta::Text("Hel".into())), &mut out);
    let error = Error::new(ErrorKind::Overloaded, "no capacity");
    writer.error(&error, &mut out);
    let frames = frames(&out);
    let [.., (failed, response), (name, data)] = frames.as_slice() else {
        panic!("{frames:?}");
    };
    assert_eq!(
        (failed.as_str(), name.as_str()),
        ("response.failed", "error")
    );
    let response = &response["response"];
    assert_eq!(response["status"], "failed");
    assert_eq!(response["output"][0]["content"][0]["text"], "Hel");
    let error = json!({"type": "server_error", "code": "overloaded", "message": "no capacity",
                       "param": null});
    assert_eq!(response["error"], error);
    assert_eq!(
        *data,
        json!({"type": "error", "sequence_number": frames.len() - 1, "code": "overloaded",
               "message": "no capacity", "param": null, "error": error})
    );
}

#[test]
fn a_stream_that_fails_before_anything_begins_first() {
    let mut writer = writer("openai.chat", &json!({"model": "m", "input": "Hi"}));
    let mut out = BytesMut::new();
    writer.ping(&mut out);
    assert_eq!(&out[..], b": keepalive\n\n");
    out.clear();
    writer.error(&Error::new(ErrorKind::Internal, "secret"), &mut out);
    let frames = frames(&out);
    let names: Vec<&str> = frames.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "response.created",
            "response.in_progress",
            "response.failed",
            "error"
        ]
    );
    assert!(!String::from_utf8_lossy(&out).contains("secret"));
    assert_eq!(frames[3].1["code"], "server_error");
}

#[test]
fn errors_have_the_status_and_the_four_fields_clients_read() {
    for (kind, status, class, code) in [
        (
            ErrorKind::Auth,
            401,
            "invalid_request_error",
            json!("invalid_api_key"),
        ),
        (
            ErrorKind::ModelNotFound,
            404,
            "invalid_request_error",
            json!("model_not_found"),
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
        (ErrorKind::Server, 500, "server_error", Value::Null),
        (ErrorKind::Timeout, 504, "server_error", json!("timeout")),
    ] {
        let error = Error::new(kind, "what happened");
        let reply = inbound().error(&error, "req_1");
        assert_eq!(reply.status, status);
        let body: Value = serde_json::from_slice(&reply.body).unwrap();
        let expected = json!({"message": "what happened", "type": class, "param": null,
                              "code": code});
        assert_eq!(body, json!({"error": expected}));
        let retry = reply
            .headers
            .get("x-should-retry")
            .map(|value| value.as_bytes());
        let is_final = matches!(
            kind,
            ErrorKind::Auth | ErrorKind::ModelNotFound | ErrorKind::Quota
        );
        assert_eq!(retry, is_final.then_some(&b"false"[..]), "{kind}");
    }
}

#[test]
fn a_wait_is_told_in_two_headers() {
    let wait = Some(Duration::from_millis(1500));
    let error = Error::new(ErrorKind::RateLimited, "slow down").with_retry_after(wait);
    let reply = inbound().error(&error, "req_1");
    assert_eq!(reply.headers["retry-after"], "2");
    assert_eq!(reply.headers["retry-after-ms"], "1500");
}

#[test]
fn an_input_that_is_too_long_is_told_in_the_words_clients_look_for() {
    let error = Error::new(ErrorKind::ContextLength, "prompt is too long");
    let body = inbound().error(&error, "req_1").body;
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        body["error"]["message"],
        "This model's maximum context length is exceeded: prompt is too long"
    );
    assert_eq!(body["error"]["code"], "context_length_exceeded");
}
