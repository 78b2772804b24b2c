//! Errors: in place of a reply, and in the middle of one.

use aurax_core::{Delta, Error, ErrorKind};
use bytes::BytesMut;
use serde_json::json;

use super::{delta, frames, start, writer};

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
fn a_failed_response_always_has_a_code() {
    for (kind, code) in [
        (ErrorKind::InvalidRequest, "invalid_request_error"),
        (ErrorKind::Server, "server_error"),
        (ErrorKind::Network, "upstream_unreachable"),
    ] {
        let mut writer = writer("openai.chat", &json!({"model": "m", "input": "Hi"}));
        let mut out = BytesMut::new();
        writer.error(&Error::new(kind, "what happened"), &mut out);
        let frames = frames(&out);
        let (_, data) = frames.last().unwrap();
        assert_eq!(
            (&data["code"], &data["error"]["code"]),
            (&json!(code), &json!(code))
        );
        assert_eq!(frames[2].1["response"]["error"], data["error"]);
    }
}
