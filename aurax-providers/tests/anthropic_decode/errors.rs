//! Errors, and what headers say.

use super::*;

#[test]
fn an_error_in_a_stream_is_that_error() {
    let error = json!({"type": "error", "request_id": "req_1",
        "error": {"type": "overloaded_error", "message": "Overloaded"}});
    let block = open(0, &json!({"type": "text", "text": "So"}));
    let heard = stream(&[start(), block, error.clone(), end()]);
    assert_eq!(heard.response().text(), "So");
    for error in [heard.result.unwrap_err(), whole(&error).result.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Overloaded);
        assert_eq!(error.retry(), Retry::Transient);
        assert_eq!(error.phase(), Some(Phase::Body));
        assert_eq!(error.request_id(), Some("req_1"));
        assert_eq!(error.upstream().unwrap().status, None);
        assert_eq!(error.upstream().unwrap().message, "Overloaded");
    }
    let bare = stream(&[start(), json!({"error": {"message": "boom"}})]);
    assert_eq!(bare.result.unwrap_err().kind(), ErrorKind::Server);
}

#[test]
fn what_is_no_message_cannot_be_read() {
    for body in [json!({"id": "x"}), json!([]), json!({"content": "Hi"})] {
        assert_eq!(
            whole(&body).result.unwrap_err().kind(),
            ErrorKind::Decode,
            "{body}"
        );
    }
    let cut = bytes(b"event: message_start\ndata: {\"type\":\"mess", 4096)
        .result
        .unwrap_err();
    assert!(
        matches!(cut.kind(), ErrorKind::Decode | ErrorKind::Truncated),
        "{cut}"
    );
    let empty = bytes(b"", 1).result.unwrap_err();
    assert_eq!(empty.kind(), ErrorKind::Truncated);
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_str(value).unwrap(),
            )
        })
        .collect()
}

pub(crate) fn refused(status: u16, error_type: &str, message: &str, code: Option<&str>) -> Error {
    let mut body = json!({"type": "error", "request_id": null,
        "error": {"type": error_type, "message": message}});
    if let Some(code) = code {
        body["error"]["details"] = json!({"error_code": code});
    }
    Anthropic::new().error(status, &HeaderMap::new(), body.to_string().as_bytes())
}

#[test]
fn every_error_has_its_kind_and_says_whether_to_try_again() {
    use ErrorKind as K;
    let invalid = "invalid_request_error";
    type Row<'a> = (u16, &'a str, &'a str, Option<&'a str>, ErrorKind, bool);
    let rows: &[Row<'_>] = &[
        (
            400,
            invalid,
            "temperature: range: 0..1",
            None,
            K::InvalidRequest,
            false,
        ),
        (
            400,
            invalid,
            "prompt is too long: 210000 tokens > 200000 maximum",
            None,
            K::ContextLength,
            false,
        ),
        (
            400,
            invalid,
            "input length and `max_tokens` exceed context limit: 1 + 2 > 2",
            None,
            K::ContextLength,
            false,
        ),
        (
            400,
            invalid,
            "Output blocked by content filtering policy",
            None,
            K::ContentFilter,
            false,
        ),
        (
            400,
            invalid,
            "Your credit balance is too low to access the API.",
            None,
            K::Quota,
            false,
        ),
        (
            400,
            invalid,
            "You have reached your specified API usage limits.",
            None,
            K::Quota,
            false,
        ),
        (
            400,
            invalid,
            "On hold.",
            Some("organization_on_hold"),
            K::Permission,
            false,
        ),
        (
            401,
            "authentication_error",
            "API key is invalid.",
            None,
            K::Auth,
            false,
        ),
        (402, "billing_error", "Pay.", None, K::Quota, false),
        (
            402,
            "billing_error",
            "Pay.",
            Some("linked_organization_spend_limit_reached"),
            K::Quota,
            false,
        ),
        (
            403,
            "permission_error",
            "Not yours.",
            None,
            K::Permission,
            false,
        ),
        (
            404,
            "not_found_error",
            "model: claude-x",
            None,
            K::ModelNotFound,
            false,
        ),
        (
            404,
            "not_found_error",
            "file_1 not found",
            None,
            K::NotFound,
            false,
        ),
        (408, "timeout_error", "Slow.", None, K::Timeout, true),
        (409, "conflict_error", "Busy.", None, K::Conflict, true),
        (
            413,
            "request_too_large",
            "Request exceeds the maximum size",
            None,
            K::TooLarge,
            false,
        ),
        (
            429,
            "rate_limit_error",
            "Too many.",
            None,
            K::RateLimited,
            true,
        ),
        (
            429,
            "rate_limit_error",
            "Ramp.",
            Some("ramp_limit_exceeded"),
            K::RateLimited,
            true,
        ),
        (
            429,
            "rate_limit_error",
            "Spent.",
            Some("enforced_spend_limit_reached"),
            K::Quota,
            false,
        ),
        (
            429,
            "rate_limit_error",
            "Spent.",
            Some("contract_spend_limit_reached"),
            K::Quota,
            false,
        ),
        (
            500,
            "api_error",
            "Internal server error",
            None,
            K::Server,
            true,
        ),
        (504, "timeout_error", "Slow.", None, K::Timeout, true),
        (
            529,
            "overloaded_error",
            "Overloaded",
            None,
            K::Overloaded,
            true,
        ),
        (
            529,
            "overloaded_error",
            "Later.",
            Some("compaction_unavailable"),
            K::Overloaded,
            true,
        ),
        (422, "a_later_error", "?", None, K::InvalidRequest, false),
        (503, "a_later_error", "?", None, K::Overloaded, true),
        (502, "a_later_error", "?", None, K::Server, true),
    ];
    for (status, error_type, message, code, kind, again) in rows {
        let error = refused(*status, error_type, message, *code);
        let retry = if *again {
            Retry::Transient
        } else {
            Retry::Never
        };
        assert_eq!(
            (error.kind(), error.retry()),
            (*kind, retry),
            "{status} {message}"
        );
        let upstream = error.upstream().unwrap();
        assert_eq!(upstream.status, Some(*status));
        assert_eq!(upstream.error_type.as_deref(), Some(*error_type));
        assert_eq!(upstream.code.as_deref(), *code);
        assert_eq!(upstream.message, *message);
        assert_eq!(error.phase(), Some(Phase::Headers));
    }
}

#[test]
fn headers_say_more_than_the_status() {
    let body =
        br#"{"type":"error","error":{"type":"api_error","message":"x"},"request_id":"req_b"}"#;
    let wire = Anthropic::new();
    let never = headers(&[("x-should-retry", "false"), ("request-id", "req_h")]);
    let error = wire.error(500, &never, body);
    assert_eq!(error.retry(), Retry::Never);
    assert_eq!(error.request_id(), Some("req_h"));
    let again = headers(&[("x-should-retry", "true"), ("retry-after", "7")]);
    let error = wire.error(400, &again, body);
    assert_eq!(error.retry(), Retry::Transient);
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    assert_eq!(error.request_id(), Some("req_b"));
    let spent = headers(&[
        ("date", "Sat, 21 Nov 2026 12:00:00 GMT"),
        ("anthropic-ratelimit-requests-remaining", "9"),
        ("anthropic-ratelimit-requests-reset", "2026-11-21T12:05:00Z"),
        ("anthropic-ratelimit-tokens-remaining", "0"),
        ("anthropic-ratelimit-tokens-reset", "2026-11-21T12:00:42Z"),
    ]);
    assert_eq!(wire.error(500, &spent, body).retry_after(), None);
    let limited = br#"{"error":{"type":"rate_limit_error","message":"x"}}"#;
    let wait = wire.error(429, &spent, limited).retry_after();
    assert_eq!(wait, Some(Duration::from_secs(42)));
    // No wait lifts a limit of spending, whatever a header says.
    let spent = br#"{"error":{"type":"rate_limit_error","message":"x","details":{"error_code":"enforced_spend_limit_reached"}}}"#;
    assert_eq!(wire.error(429, &again, spent).retry(), Retry::Never);
}

#[test]
fn bodies_that_are_no_error_of_the_api_are_read_as_far_as_they_go() {
    let wire = Anthropic::new();
    let none = HeaderMap::new();
    for (body, message) in [
        (r#"{"error":"model is loading"}"#, "model is loading"),
        (r#"{"detail":"nope"}"#, "nope"),
        (r#"{"error":{"message":"quota","code":429}}"#, "quota"),
        ("upstream connect error", "upstream connect error"),
        ("<html><body>502</body></html>", ""),
        ("", ""),
    ] {
        let error = wire.error(502, &none, body.as_bytes());
        assert_eq!(error.kind(), ErrorKind::Server, "{body}");
        assert_eq!(error.upstream().unwrap().message, message, "{body}");
    }
    let echo = r#"{"error":{"type":"api_error","message":"bad key 'sk-ant-api03-abcdefghijkl'"}}"#;
    let error = wire.error(500, &none, echo.as_bytes());
    assert!(!format!("{error:?}").contains("abcdefghijkl"), "{error:?}");
    let long = json!({"error": {"type": "api_error", "message": "é".repeat(5000)}}).to_string();
    let error = wire.error(500, &none, long.as_bytes());
    assert_eq!(error.upstream().unwrap().message.len(), 4096);
}

#[test]
fn rate_limits_become_waits_by_the_replys_own_date() {
    let headers = headers(&[
        ("request-id", "req_1"),
        ("anthropic-workspace-id", "wrkspc_1"),
        ("set-cookie", "secret=1"),
        ("date", "Sat, 21 Nov 2026 12:00:00 GMT"),
        ("anthropic-ratelimit-requests-limit", "50"),
        ("anthropic-ratelimit-requests-remaining", "49"),
        ("anthropic-ratelimit-requests-reset", "2026-11-21T12:00:30Z"),
        ("anthropic-ratelimit-input-tokens-limit", "1000"),
        ("anthropic-ratelimit-input-tokens-remaining", "0"),
        (
            "anthropic-ratelimit-input-tokens-reset",
            "2026-11-21T11:59:00Z",
        ),
    ]);
    let mut head = Head::new(
        "anthropic.messages",
        "anthropic",
        target().model,
        Delivery::Whole,
    );
    Anthropic::new().read_headers(&headers, &mut head);
    assert_eq!(head.request_id.as_deref(), Some("req_1"));
    let kept = ("anthropic-workspace-id".to_owned(), "wrkspc_1".to_owned());
    assert_eq!(head.headers, [kept]);
    let limits = &head.rate_limits;
    assert_eq!(limits.len(), 2, "{limits:?}");
    assert_eq!(limits[0].kind, "requests");
    assert_eq!((limits[0].limit, limits[0].remaining), (Some(50), Some(49)));
    assert_eq!(limits[0].reset, Some(Duration::from_secs(30)));
    assert_eq!(limits[1].kind, "input_tokens");
    assert_eq!(limits[1].reset, Some(Duration::ZERO));
}
