//! Errors.

use std::time::Duration;

use aurax_core::{Error, ErrorKind, Retry};
use aurax_providers::gemini::Gemini;
use aurax_providers::wire::Wire;
use http::HeaderMap;
use serde_json::{Value, json};

fn error(status: u16, body: &Value) -> Error {
    Gemini::new().error(status, &HeaderMap::new(), body.to_string().as_bytes())
}

fn of(status: u16, word: &str, message: &str, details: &Value) -> Error {
    error(
        status,
        &json!({"error": {"code": status, "message": message, "status": word, "details": details}}),
    )
}

#[test]
fn every_word_has_its_kind() {
    use ErrorKind::{
        Auth, Conflict, ContextLength, InvalidRequest, ModelNotFound, NotFound, Overloaded,
        Permission, Quota, RateLimited, Server, Timeout,
    };
    for (status, word, message, kind) in [
        (400, "INVALID_ARGUMENT", "bad", InvalidRequest),
        (
            400,
            "INVALID_ARGUMENT",
            "The input token count (9) exceeds the maximum number of tokens allowed (8).",
            ContextLength,
        ),
        (
            400,
            "FAILED_PRECONDITION",
            "User location is not supported",
            Permission,
        ),
        (400, "FAILED_PRECONDITION", "enable billing", Quota),
        (401, "UNAUTHENTICATED", "no key", Auth),
        (
            403,
            "PERMISSION_DENIED",
            "CachedContent not found",
            Permission,
        ),
        (
            404,
            "NOT_FOUND",
            "models/x is not found for API version v1beta",
            ModelNotFound,
        ),
        (404, "NOT_FOUND", "no such file", NotFound),
        (409, "ABORTED", "again", Conflict),
        (429, "RESOURCE_EXHAUSTED", "slow down", RateLimited),
        (429, "RESOURCE_EXHAUSTED", "Quota exceeded, limit: 0", Quota),
        (500, "INTERNAL", "oops", Server),
        (503, "UNAVAILABLE", "The model is overloaded", Overloaded),
        (504, "DEADLINE_EXCEEDED", "late", Timeout),
        (404, "", "", NotFound),
        (502, "", "", Server),
    ] {
        let error = of(status, word, message, &json!([]));
        assert_eq!(error.kind(), kind, "{status} {word} {message}");
        assert_eq!(error.retry(), kind.usual_retry());
        assert_eq!(error.upstream().unwrap().message, message);
    }
}

#[test]
fn details_say_what_the_status_does_not() {
    let info = |reason: &str| json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}]);
    let bad_key = of(
        400,
        "INVALID_ARGUMENT",
        "API key not valid.",
        &info("API_KEY_INVALID"),
    );
    assert_eq!(bad_key.kind(), ErrorKind::Auth);

    let violation = |id: &str, value: &str| {
        json!([
            {"@type": "type.googleapis.com/google.rpc.QuotaFailure",
                "violations": [{"quotaId": id, "quotaValue": value}]},
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "10.6s"},
        ])
    };
    let minute = violation("GenerateRequestsPerMinutePerProject", "15");
    let minute = of(429, "RESOURCE_EXHAUSTED", "slow", &minute);
    assert_eq!(minute.kind(), ErrorKind::RateLimited);
    assert_eq!(minute.retry_after(), Some(Duration::from_millis(10_600)));
    for spent in [
        violation("GenerateRequestsPerDayPerProject", "1500"),
        violation("GenerateRequestsPerMinute", "0"),
    ] {
        let spent = of(429, "RESOURCE_EXHAUSTED", "slow", &spent);
        assert_eq!(spent.kind(), ErrorKind::Quota);
        assert_eq!((spent.retry(), spent.retry_after()), (Retry::Never, None));
    }

    let field = json!([{"@type": "type.googleapis.com/google.rpc.BadRequest",
        "fieldViolations": [{"field": "contents[0]", "description": "d"}]}]);
    let field = of(400, "INVALID_ARGUMENT", "bad", &field);
    let upstream = field.upstream().unwrap();
    assert_eq!(upstream.param.as_deref(), Some("contents[0]"));
    assert_eq!(upstream.error_type.as_deref(), Some("INVALID_ARGUMENT"));
}

#[test]
fn other_shapes_are_read_too() {
    let list = error(
        503,
        &json!([{"error": {"code": 503, "message": "M", "status": "UNAVAILABLE"}}]),
    );
    assert_eq!(list.kind(), ErrorKind::Overloaded);
    assert_eq!(
        error(401, &json!({"error": "M"}))
            .upstream()
            .unwrap()
            .message,
        "M"
    );
    let page = |body: &str| Gemini::new().error(502, &HeaderMap::new(), body.as_bytes());
    assert_eq!(
        page("bad gateway").upstream().unwrap().message,
        "bad gateway"
    );
    assert_eq!(page("<html>").upstream().unwrap().message, "");
    let odd = of(
        429,
        "RESOURCE_EXHAUSTED",
        "M",
        &json!([1, {"retryDelay": "soon"}, {"retryDelay": "1e999s"}]),
    );
    assert_eq!(odd.retry_after(), None);
}
