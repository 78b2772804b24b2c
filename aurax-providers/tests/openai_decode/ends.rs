//! How answers end, and how it shows when they do not.

use aurax_core::{ErrorKind, Event, FinishReason, Phase, Request, Retry};
use serde_json::{Value, json};

use super::{Asked, asked, chunk, failure, last, reply, stream};

#[test]
fn reasons_have_common_words_and_keep_their_own() {
    let text = json!({"role": "assistant", "content": "words"});
    let call = json!({"role": "assistant", "tool_calls":
        [{"index": 0, "id": "call_1", "function": {"name": "f", "arguments": "{}"}}]});
    let refusal = json!({"role": "assistant", "refusal": "No."});
    for (delta, raw, expected) in [
        (&text, "stop", FinishReason::Stop),
        (&text, "length", FinishReason::Length),
        (&text, "content_filter", FinishReason::ContentFilter),
        (&text, "eos", FinishReason::Stop),
        (&text, "model_length", FinishReason::ContextWindow),
        (&text, "error", FinishReason::Error),
        (&text, "insufficient_system_resource", FinishReason::Error),
        (&text, "anything_else", FinishReason::Other),
        (&call, "tool_calls", FinishReason::ToolCalls),
        (&call, "function_call", FinishReason::ToolCalls),
        (&call, "stop", FinishReason::ToolCalls),
        (&call, "length", FinishReason::Length),
        (&refusal, "stop", FinishReason::Refusal),
    ] {
        let response = asked("openai").both(
            &reply(delta.clone(), raw),
            &stream(std::slice::from_ref(delta), raw),
        );
        let finish = response.choices[0].finish.as_ref().unwrap();
        assert_eq!(finish.reason, expected, "{raw}");
        assert_eq!(finish.raw.as_deref(), Some(raw));
    }
}

#[test]
fn a_call_that_the_limit_cut_short_is_not_a_call_to_run() {
    let mut whole = reply(
        json!({"role": "assistant", "tool_calls":
            [{"id": "call_1", "function": {"name": "f", "arguments": "{\"x\":"}}]}),
        "tool_calls",
    );
    whole["choices"][0]["native_finish_reason"] = json!("max_output_tokens");
    let response = asked("openrouter").whole(&whole).unwrap();
    let finish = response.choices[0].finish.as_ref().unwrap();
    assert_eq!(finish.reason, FinishReason::Length);
    assert_eq!(finish.raw.as_deref(), Some("tool_calls"));
    assert_eq!(finish.extra["native_finish_reason"], "max_output_tokens");
}

#[test]
fn a_stop_text_that_came_up_is_named() {
    let mut whole = reply(json!({"role": "assistant", "content": "words"}), "stop");
    whole["choices"][0]["stop_reason"] = json!("END");
    let response = asked("vllm").whole(&whole).unwrap();
    let finish = response.choices[0].finish.as_ref().unwrap();
    assert_eq!(finish.reason, FinishReason::StopSequence);
    assert_eq!(finish.stop_sequence.as_deref(), Some("END"));
    whole["choices"][0]["stop_reason"] = json!(151_643);
    let response = asked("vllm").whole(&whole).unwrap();
    assert_eq!(response.finish_reason(), Some(FinishReason::Stop));
}

/// A stream in which everything odd but nothing wrong happens.
fn odd() -> Vec<Value> {
    vec![
        // Azure begins with what its filter says of the prompt.
        json!({"id": "", "object": "", "created": 0, "model": "", "choices": [],
            "prompt_filter_results": [{"prompt_index": 0}]}),
        json!({"id": "chatcmpl-1", "model": "m-1", "created": 7, "choices":
            [{"index": 0, "delta": {"role": "assistant", "content": "words"}}]}),
        json!({"id": "chatcmpl-1", "model": "m-1", "choices": [{"index": 0, "delta": null}]}),
        json!({"id": "chatcmpl-other", "model": "m-1", "error": null, "choices":
            [{"delta": {"content": " and"}}]}),
        json!({"id": "chatcmpl-1", "choices": [{"index": 0, "delta": {"content": " more"},
            "finish_reason": "stop"}]}),
        json!({"id": "chatcmpl-1", "choices": [{"index": 0, "delta": {"content": ""},
            "finish_reason": "stop"}], "usage": null}),
        json!({"id": "chatcmpl-1", "choices": [], "usage":
            {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}}),
    ]
}

#[test]
fn odd_streams_are_read() {
    let response = asked("azure-openai").stream(&odd()).unwrap();
    assert_eq!(response.text(), "words and more");
    assert_eq!(response.id.as_deref(), Some("chatcmpl-1"));
    assert_eq!(response.model, "m-1");
    assert_eq!(response.created, Some(7));
    assert_eq!(response.choices.len(), 1);
    assert_eq!(response.usage.unwrap().reported.total, Some(3));
    assert!(response.extra.contains_key("prompt_filter_results"));
}

#[test]
fn a_stream_is_complete_with_the_last_reason_and_not_before() {
    let chunks = odd();
    for count in 0..=chunks.len() {
        let result = asked("openai").stream(&chunks[..count]);
        if count < 5 {
            let error = failure(result);
            assert_eq!(error.kind(), ErrorKind::Truncated, "{count}");
            assert_eq!(error.retry(), Retry::Transient);
            assert_eq!(error.phase(), Some(Phase::Body));
        } else {
            let response = result.unwrap();
            assert_eq!(response.usage.is_some(), count == 7, "{count}");
        }
    }
}

#[test]
fn every_answer_that_was_asked_for_must_end() {
    let asked = Asked::new("openai", Request::from("Hi").with_n(2));
    let end = |index: u32| {
        json!({"id": "chatcmpl-1", "choices":
            [{"index": index, "delta": {"content": "x"}, "finish_reason": "stop"}]})
    };
    assert_eq!(
        failure(asked.stream(&[end(0)])).kind(),
        ErrorKind::Truncated
    );
    assert_eq!(
        failure(asked.stream(&[end(1)])).kind(),
        ErrorKind::Truncated
    );
    assert_eq!(asked.stream(&[end(1), end(0)]).unwrap().choices.len(), 2);
}

#[test]
fn the_providers_own_end_needs_no_reason() {
    let first = chunk(json!({"content": "words"})).to_string();
    let asked = asked("openai");
    let (events, result) = asked.stream_events(&[&first, "[DONE]"]);
    result.unwrap();
    let Some(Event::End(end)) = events.last() else {
        panic!("an end was expected");
    };
    assert_eq!(end.finish[0].reason, FinishReason::Other);
    assert_eq!(end.finish[0].raw, None);
    let (_, result) = asked.stream_events(&["[DONE]"]);
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Truncated);
}

#[test]
fn nothing_is_read_after_the_end() {
    let (first, end) = (
        chunk(json!({"content": "words"})).to_string(),
        last("stop").to_string(),
    );
    let (events, result) = asked("openai").stream_events(&[&first, &end, "[DONE]", "garbage"]);
    result.unwrap();
    assert!(matches!(events.last(), Some(Event::End(_))));
}

#[test]
fn what_cannot_be_read_is_an_error() {
    let asked = asked("openai");
    for body in [
        "",
        "{",
        "[]",
        "null",
        "\"text\"",
        "{\"id\":\"x\",\"choices\":[]}",
        "{}",
    ] {
        let (_, result) = asked.whole_events(body);
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Decode, "{body}");
    }
    let (_, result) = asked.stream_events(&["{\"choices\":"]);
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Decode);
}

#[test]
fn numbers_of_choices_nobody_offers_are_passed_over() {
    let wild = json!({"id": "chatcmpl-1", "choices":
        [{"index": 4_294_967_295_u32, "delta": {"content": "x"}, "finish_reason": "stop"}]});
    let response = asked("openai").stream(&[wild, last("stop")]).unwrap();
    assert_eq!(response.choices.len(), 1);
}
