//! Errors in every shape.

use std::time::Duration;

use aurax_core::{Error, ErrorKind, Phase, Retry};
use aurax_providers::frame::Frame;
use aurax_providers::wire::Wire;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::asked;

fn error(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Error {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        })
        .collect();
    asked("openai")
        .wire
        .error(status, &headers, body.as_bytes())
}

#[test]
fn every_shape_is_read() {
    // Body; type, code, param, message.
    let table: [(&str, [Option<&str>; 3], &str); 13] = [
        (
            r#"{"error":{"message":"M","type":"T","param":"P","code":"C"}}"#,
            [Some("T"), Some("C"), Some("P")],
            "M",
        ),
        (
            r#"{"error":{"code":400,"message":"M"},"user_id":"u"}"#,
            [None, Some("400"), None],
            "M",
        ),
        (
            r#"{"error":{"code":400,"type":"exceed_context_size_error","message":"M","n_ctx":9}}"#,
            [Some("exceed_context_size_error"), Some("400"), None],
            "M",
        ),
        (
            r#"{"object":"error","message":"M","type":"T","param":null,"code":"3051","raw_status_code":400}"#,
            [Some("T"), Some("3051"), None],
            "M",
        ),
        (
            r#"{"code":400,"message":"M","type":"Bad Request"}"#,
            [Some("Bad Request"), Some("400"), None],
            "M",
        ),
        (r#"{"error":"M"}"#, [None, None, None], "M"),
        (
            r#"{"code":"invalid-argument","error":"M"}"#,
            [None, None, None],
            "M",
        ),
        (r#"{"detail":"M"}"#, [None, None, None], "M"),
        (
            r#"{"detail":[{"loc":["body","messages",0],"msg":"Field required","type":"missing"},{"loc":[],"msg":"x"}]}"#,
            [None, None, None],
            "body.messages.0: Field required; : x",
        ),
        (
            r#"[{"error":{"code":429,"message":"M","status":"S"}}]"#,
            [None, Some("429"), None],
            "M",
        ),
        (
            "upstream connect error",
            [None, None, None],
            "upstream connect error",
        ),
        (
            "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>",
            [None, None, None],
            "502 Bad Gateway",
        ),
        ("", [None, None, None], ""),
    ];
    for (body, [error_type, code, param], message) in table {
        let error = error(400, &[], body);
        let upstream = error.upstream().unwrap();
        assert_eq!(upstream.status, Some(400));
        assert_eq!(upstream.error_type.as_deref(), error_type, "{body}");
        assert_eq!(upstream.code.as_deref(), code, "{body}");
        assert_eq!(upstream.param.as_deref(), param, "{body}");
        assert_eq!(upstream.message, message, "{body}");
        assert_eq!(error.phase(), Some(Phase::Headers));
    }
}

#[test]
fn every_failure_has_a_kind_and_says_whether_to_try_again() {
    use ErrorKind::{
        Auth, Cancelled, Conflict, ContentFilter, ContextLength, InvalidRequest, ModelNotFound,
        NotFound, Overloaded, Permission, Quota, RateLimited, Server, Timeout, TooLarge,
    };
    let coded = |code: &str| format!(r#"{{"error":{{"message":"m","code":"{code}"}}}}"#);
    let said = |text: &str| format!(r#"{{"error":{{"message":"{text}"}}}}"#);
    for (status, body, kind) in [
        (400, coded("context_length_exceeded"), ContextLength),
        (400, said("This model's maximum context length is 8192 tokens. However"), ContextLength),
        (413, said("input is longer than the model's context length"), ContextLength),
        (400, said("the request exceeds the available context size, try increasing it"), ContextLength),
        (500, said("prompt is too long"), ContextLength),
        (400, coded("string_above_max_length"), InvalidRequest),
        (400, coded("content_policy_violation"), ContentFilter),
        (400, coded("content_filter"), ContentFilter),
        (400, coded("model_not_found"), ModelNotFound),
        (400, r#"{"message":"Invalid model: x","type":"invalid_model","code":"1500"}"#.into(), ModelNotFound),
        (400, said("x/y is not a valid model ID"), ModelNotFound),
        (400, said("The supported API model names are deepseek-flash or deepseek-v4-pro"), ModelNotFound),
        (400, r#"{"code":"invalid-argument","error":"Model not found: grok-x"}"#.into(), ModelNotFound),
        (404, coded("model_not_found"), ModelNotFound),
        (404, r#"{"error":"Specified model not found: x. Did you mean: y?"}"#.into(), ModelNotFound),
        (404, r#"{"object":"error","message":"The model `x` does not exist.","type":"NotFoundError","code":404}"#.into(), ModelNotFound),
        (404, said("nothing here"), NotFound),
        (400, coded("unsupported_parameter"), InvalidRequest),
        (400, r#"{"code":"invalid-argument","error":"Incorrect API key provided."}"#.into(), Auth),
        (401, coded("invalid_api_key"), Auth),
        (401, r#"{"detail":"Invalid API Key"}"#.into(), Auth),
        (402, said("Insufficient Balance"), Quota),
        (403, coded("forbidden"), Permission),
        (405, said("m"), InvalidRequest),
        (408, said("m"), Timeout),
        (409, said("m"), Conflict),
        (413, said("m"), TooLarge),
        (422, said("m"), InvalidRequest),
        (429, coded("rate_limit_exceeded"), RateLimited),
        (429, coded("insufficient_quota"), Quota),
        (429, coded("billing_hard_limit_reached"), Quota),
        (429, said("You exceeded your current quota, please check your plan"), Quota),
        (498, said("m"), Server),
        (499, said("m"), Cancelled),
        (500, said("m"), Server),
        (500, said("model does not support images"), InvalidRequest),
        (500, said("tools param requires --jinja flag"), InvalidRequest),
        (500, said("input is too large to process. increase the physical batch size"), InvalidRequest),
        (500, said("Cannot use both json_schema and grammar"), InvalidRequest),
        (502, "<html></html>".into(), Server),
        (503, said("m"), Overloaded),
        (504, said("m"), Timeout),
        (524, said("m"), Timeout),
        (529, said("m"), Overloaded),
    ] {
        let error = error(status, &[], &body);
        assert_eq!(error.kind(), kind, "{status} {body}");
        let transient = matches!(kind, Timeout | Conflict | RateLimited | Server | Overloaded);
        let expected = if transient { Retry::Transient } else { Retry::Never };
        assert_eq!(error.retry(), expected, "{status} {body}");
    }
}

#[test]
fn headers_say_when_and_whether_to_try_again() {
    let limited =
        r#"{"error":{"message":"Please try again in 1.5s.","code":"rate_limit_exceeded"}}"#;
    let after = |headers| error(429, headers, limited).retry_after();
    assert_eq!(after(&[]), Some(Duration::from_millis(1500)));
    assert_eq!(after(&[("retry-after", "7")]), Some(Duration::from_secs(7)));
    assert_eq!(
        after(&[("retry-after-ms", "20")]),
        Some(Duration::from_millis(20))
    );
    let error = |value| error(400, &[("x-should-retry", value)], "{}");
    assert_eq!(error("true").retry(), Retry::Transient);
    assert_eq!(error("false").retry(), Retry::Never);
}

#[test]
fn the_requests_id_has_several_names() {
    for name in ["x-request-id", "mistral-correlation-id", "apim-request-id"] {
        assert_eq!(error(500, &[(name, "r-1")], "{}").request_id(), Some("r-1"));
    }
}

#[test]
fn keys_in_messages_are_taken_out() {
    let body = r#"{"error":{"message":"Incorrect API key provided: sk-proj-0123456789abcdef."}}"#;
    let error = error(401, &[], body);
    assert!(
        !format!("{error:?} {error}").contains("0123456789"),
        "{error:?}"
    );
    let long = format!(r#"{{"error":"{}"}}"#, "x".repeat(10_000));
    let error = self::error(500, &[], &long);
    assert!(error.upstream().unwrap().message.len() <= 4096);
}

const IN_PLACE_OF_AN_ANSWER: [(&str, ErrorKind, Option<&str>); 9] = [
    (
        r#"{"error":{"message":"The server had an error","type":"server_error","code":null}}"#,
        ErrorKind::Server,
        None,
    ),
    (
        r#"{"id":"x","choices":null,"error":{"message":"Rate limited","code":429}}"#,
        ErrorKind::RateLimited,
        Some("429"),
    ),
    (
        r#"{"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}],"error":{"code":502,"message":"Provider returned error"}}"#,
        ErrorKind::Server,
        Some("502"),
    ),
    (
        r#"{"error":"model is overloaded"}"#,
        ErrorKind::Server,
        None,
    ),
    (
        r#"{"error":{"message":"slow down","type":"rate_limit_error"}}"#,
        ErrorKind::RateLimited,
        None,
    ),
    (
        r#"{"error":{"message":"none left","type":"overloaded_error"}}"#,
        ErrorKind::Overloaded,
        None,
    ),
    (
        r#"{"object":"error","message":"bad","type":"BadRequestError","code":400}"#,
        ErrorKind::InvalidRequest,
        Some("400"),
    ),
    (r#"{"detail":"Not authenticated"}"#, ErrorKind::Server, None),
    (
        r#"[{"error":{"code":400,"message":"prompt is too long"}}]"#,
        ErrorKind::ContextLength,
        Some("400"),
    ),
];

#[test]
fn errors_in_place_of_an_answer_are_errors() {
    let asked = asked("openai");
    for (body, kind, code) in IN_PLACE_OF_AN_ANSWER {
        let (_, whole) = asked.whole_events(body);
        let (_, stream) = asked.stream_events(&[body]);
        for error in [whole.unwrap_err(), stream.unwrap_err()] {
            assert_eq!(error.kind(), kind, "{body}");
            let upstream = error.upstream().unwrap();
            assert_eq!(upstream.status, None);
            assert_eq!(upstream.code.as_deref(), code);
            assert_eq!(error.phase(), Some(Phase::Body));
        }
    }
}

#[test]
fn an_event_called_error_is_one() {
    let asked = asked("openai");
    let mut decoder = asked.wire.decoder(&asked.call, &asked.target);
    let frame = Frame {
        event: Some("error"),
        data: "upstream gone",
    };
    let error = decoder.frame(frame, &mut Vec::new()).unwrap_err();
    assert_eq!(error.upstream().unwrap().message, "upstream gone");
}

#[test]
fn an_error_after_content_is_an_error_too() {
    let text = super::chunk(serde_json::json!({"content": "words"})).to_string();
    let failed = r#"{"error":{"message":"The server had an error","type":"server_error"}}"#;
    let (events, result) = asked("openai").stream_events(&[&text, failed]);
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Server);
    assert!(events.iter().any(aurax_core::Event::is_content));
}
