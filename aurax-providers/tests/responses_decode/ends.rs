//! How answers end: well, early, or with an error.

use aurax_core::{ErrorKind, Event, FinishReason, Money};
use aurax_providers::responses::{Quirks, Responses};
use aurax_providers::wire::Wire;
use http::HeaderMap;
use serde_json::{Value, json};

use super::{fails, reply, stream, stream_of, streamed, whole};

fn incomplete(reason: &str) -> Value {
    let mut reply = reply(json!([]));
    reply["status"] = json!("incomplete");
    reply["incomplete_details"] = json!({"reason": reason});
    reply
}

#[test]
fn an_incomplete_answer_says_why() {
    for (reason, expected) in [
        ("max_output_tokens", FinishReason::Length),
        ("content_filter", FinishReason::ContentFilter),
        ("steered", FinishReason::Other),
    ] {
        let reply = incomplete(reason);
        let mut frames = stream_of(&reply, vec![]);
        frames.last_mut().unwrap()["type"] = json!("response.incomplete");
        let answer = whole(&reply).unwrap();
        assert_eq!(answer, streamed(&frames));
        let finish = answer.choices[0].finish.clone().unwrap();
        assert_eq!(finish.reason, expected);
        assert_eq!(finish.raw.as_deref(), Some("incomplete"));
        assert_eq!(finish.extra["incomplete_details"]["reason"], reason);
    }
}

#[test]
fn a_stream_without_its_end_is_cut_off() {
    let frames = stream_of(&reply(json!([])), vec![]);
    for count in 0..frames.len() {
        let error = fails(&frames[..count]);
        assert_eq!(error.kind(), ErrorKind::Truncated, "after {count}");
    }
}

#[test]
fn a_failed_answer_is_an_error_and_its_usage_is_known() {
    for (code, kind) in [
        ("server_error", ErrorKind::Server),
        ("rate_limit_exceeded", ErrorKind::RateLimited),
        ("invalid_prompt", ErrorKind::ContentFilter),
        ("bio_policy", ErrorKind::ContentFilter),
        ("image_content_policy_violation", ErrorKind::ContentFilter),
        ("image_too_large", ErrorKind::InvalidRequest),
        ("vector_store_timeout", ErrorKind::Timeout),
    ] {
        let mut reply = reply(json!([]));
        reply["status"] = json!("failed");
        reply["error"] = json!({"code": code, "message": "it broke"});
        let mut frames = stream_of(&reply, vec![]);
        frames.last_mut().unwrap()["type"] = json!("response.failed");
        let (events, result) = stream(&frames);
        let error = result.unwrap_err();
        assert_eq!(error.kind(), kind, "{code}");
        assert_eq!(error.upstream().unwrap().code.as_deref(), Some(code));
        assert!(matches!(events.last(), Some(Event::Usage(_))));
        assert_eq!(whole(&reply).unwrap_err().kind(), kind);
    }
}

#[test]
fn a_cancelled_answer_is_an_error() {
    let mut reply = reply(json!([]));
    reply["status"] = json!("cancelled");
    assert_eq!(whole(&reply).unwrap_err().kind(), ErrorKind::Cancelled);
}

#[test]
fn error_frames_come_in_two_shapes() {
    for frame in [
        json!({"type": "error", "code": "rate_limit_exceeded", "message": "slow down",
               "param": null, "sequence_number": 3}),
        json!({"type": "error", "error": {"type": "rate_limit_error",
               "code": "rate_limit_exceeded", "message": "slow down"}}),
    ] {
        let error = fails(&[frame]);
        assert_eq!(error.kind(), ErrorKind::RateLimited);
        let upstream = error.upstream().unwrap();
        assert_eq!(upstream.message, "slow down");
        assert_ne!(upstream.error_type.as_deref(), Some("error"));
    }
}

#[test]
fn what_is_no_answer_is_not_taken_for_one() {
    let decode = whole(&json!({"id": "x"})).unwrap_err();
    assert_eq!(decode.kind(), ErrorKind::Decode);
    let refused = whole(&json!({"error": {"message": "no", "code": "invalid_api_key"}}));
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Auth);
    assert_eq!(whole(&json!([1])).unwrap_err().kind(), ErrorKind::Decode);
}

#[test]
fn frames_nobody_knows_are_passed_over() {
    let pieces = vec![
        json!({"type": "response.compaction.compacting", "output_index": 0}),
        json!({"type": "keepalive"}),
        json!({"type": "response.output_item.added"}),
        json!({"anything": 1}),
    ];
    streamed(&stream_of(&reply(json!([])), pieces));
}

#[test]
fn usage_counts_caches_thoughts_searches_and_the_providers_own_price() {
    let mut reply = reply(json!([]));
    reply["service_tier"] = json!("flex");
    reply["tool_usage"] = json!({"web_search": {"num_requests": 2}});
    reply["usage"] = json!({
        "input_tokens": 10, "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3},
        "output_tokens": 6, "output_tokens_details": {"reasoning_tokens": 5},
        "total_tokens": 16, "cost_in_usd_ticks": 10_431_000,
    });
    let answer = whole(&reply).unwrap();
    let usage = answer.usage.unwrap();
    let totals = &usage.reported;
    assert_eq!(
        (totals.input, totals.output, totals.total),
        (Some(10), Some(6), Some(16))
    );
    assert_eq!((totals.cache_read, totals.cache_write), (Some(4), Some(3)));
    assert_eq!((totals.reasoning, totals.web_searches), (Some(5), Some(2)));
    assert_eq!(
        usage.reported_cost,
        Some("0.0010431".parse::<Money>().unwrap())
    );
    assert_eq!(usage.price_context["service_tier"], "flex");
    assert_eq!(answer.service_tier.as_deref(), Some("flex"));
    assert!(answer.extra.contains_key("tool_usage"));
}

#[test]
fn an_error_reply_reads_as_on_openais_other_wire() {
    let body = br#"{"error":{"code":"previous_response_not_found","message":"none",
        "param":"previous_response_id","type":"invalid_request_error"}}"#;
    let mut headers = HeaderMap::new();
    headers.insert("x-request-id", "req_1".parse().unwrap());
    let error = Responses::new(Quirks::openai()).error(400, &headers, body);
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert_eq!(error.request_id(), Some("req_1"));
    let param = error.upstream().unwrap().param.as_deref();
    assert_eq!(param, Some("previous_response_id"));
}
