//! How replies begin, go on and end.

use aurax_core::{ErrorKind, Event, FinishReason, Retry, Usage};
use aurax_providers::frame::Frame;
use serde_json::{Value, json};

use super::{FLASH_2_5, FLASH_3, events_of, fold, reply, stream, whole};

#[test]
fn every_reason_has_its_meaning() {
    use FinishReason::{ContentFilter, Error, Length, Other, Pause, Stop};
    for (word, reason) in [
        ("STOP", Stop),
        ("MAX_TOKENS", Length),
        ("SAFETY", ContentFilter),
        ("RECITATION", ContentFilter),
        ("SPII", ContentFilter),
        ("IMAGE_SAFETY", ContentFilter),
        ("IMAGE_PROHIBITED_CONTENT", ContentFilter),
        ("MODEL_ARMOR", ContentFilter),
        ("MALFORMED_FUNCTION_CALL", Error),
        ("MISSING_THOUGHT_SIGNATURE", Error),
        ("CONTINUATION", Pause),
        ("NO_IMAGE", Other),
        ("OTHER", Other),
        ("TOMORROW", Other),
    ] {
        let reply = reply(&json!([{"text": "Hi"}]), Some(word));
        for response in [
            whole(FLASH_2_5, &reply),
            stream(FLASH_2_5, std::slice::from_ref(&reply)),
        ] {
            let response = response.unwrap();
            assert_eq!(response.finish_reason(), Some(reason), "{word}");
            let finish = response.choices[0].finish.as_ref().unwrap();
            assert_eq!(finish.raw.as_deref(), Some(word));
        }
    }
    let thought_all = json!({"candidates": [{"finishReason": "MAX_TOKENS"}], "usageMetadata":
        {"promptTokenCount": 1, "thoughtsTokenCount": 9}});
    let response = whole(FLASH_2_5, &thought_all).unwrap();
    assert_eq!(response.finish_reason(), Some(Length));
    assert_eq!(response.usage.unwrap().reported.output, Some(9));
}

/// Another try is worth it only where nobody has seen anything of this one.
#[test]
fn a_call_google_could_not_read_is_tried_again() {
    let word = Some("MALFORMED_FUNCTION_CALL");
    let empty = json!({"candidates": [{"finishReason": word, "content": {"role": "model"}}],
        "usageMetadata": {"promptTokenCount": 3, "totalTokenCount": 3}});
    for (events, result) in [
        events_of(FLASH_2_5, "Hi".into(), |decoder, events| {
            decoder.whole(empty.to_string().as_bytes(), events)
        }),
        events_of(FLASH_2_5, "Hi".into(), |decoder, events| {
            decoder.frame(Frame::data(&empty.to_string()), events)?;
            decoder.finish(events)
        }),
    ] {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode);
        assert_eq!(error.retry(), Retry::Transient);
        assert!(error.upstream().is_none(), "the provider is not at fault");
        assert!(!events.iter().any(Event::is_content));
        // What the attempt used is known, as it may be billed.
        let used = events.iter().any(|event| matches!(event, Event::Usage(_)));
        assert!(used, "{events:?}");
    }
    let chunks = [
        reply(&json!([{"text": "Hi"}]), None),
        reply(&json!([]), word),
    ];
    let response = stream(FLASH_2_5, &chunks).unwrap();
    assert_eq!(response.text(), "Hi");
    assert_eq!(response.finish_reason(), Some(FinishReason::Error));
    // One of two answers is there.
    let mut two = reply(&json!([{"text": "A"}]), Some("STOP"));
    let second = json!({"index": 1, "finishReason": word});
    two["candidates"].as_array_mut().unwrap().push(second);
    let response = whole(FLASH_2_5, &two).unwrap();
    assert_eq!(response.choices.len(), 2);
}

#[test]
fn an_answer_with_more_parts_than_any_is_an_error() {
    let call = json!({"functionCall": {"name": "f", "args": {}}});
    let sound = json!({"executableCode": {"code": "1"}});
    for (part, most) in [(call, 1024), (sound, 4096)] {
        let parts = |count| reply(&json!(vec![&part; count]), Some("STOP"));
        let response = whole(FLASH_3, &parts(most)).unwrap();
        assert_eq!(response.message().unwrap().parts.len(), most);
        let mut chunks = vec![reply(&json!([part]), None); most];
        chunks.push(reply(&json!([part]), Some("STOP")));
        for error in [whole(FLASH_3, &parts(most + 1)), stream(FLASH_3, &chunks)] {
            let error = error.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Decode);
            assert!(error.to_string().contains(&most.to_string()), "{error}");
        }
    }
}

#[test]
fn a_blocked_prompt_is_filtered() {
    for word in [
        "SAFETY",
        "OTHER",
        "JAILBREAK",
        "PROHIBITED_CONTENT",
        "IMAGE_SAFETY",
    ] {
        let blocked = json!({"promptFeedback": {"blockReason": word},
            "usageMetadata": {"promptTokenCount": 4}, "modelVersion": "m-1"});
        for response in [
            whole(FLASH_2_5, &blocked),
            stream(FLASH_2_5, std::slice::from_ref(&blocked)),
        ] {
            let response = response.unwrap();
            assert_eq!(response.finish_reason(), Some(FinishReason::ContentFilter));
            let finish = response.choices[0].finish.as_ref().unwrap();
            assert_eq!(finish.raw.as_deref(), Some(word));
            assert_eq!(response.extra["promptFeedback"]["blockReason"], word);
            assert_eq!(response.usage.unwrap().reported.input, Some(4));
        }
    }
}

#[test]
fn a_stream_without_its_reason_is_truncated() {
    let words = reply(&json!([{"text": "Hi"}]), None);
    let code = reply(&json!([{"executableCode": {"code": "1"}}]), Some("STOP"));
    let result = reply(&json!([{"codeExecutionResult": {"output": "1"}}]), None);
    let usage = json!({"usageMetadata": {"promptTokenCount": 4}});
    for chunks in [
        vec![],
        vec![words.clone()],
        vec![usage],
        // A stream that runs code says that it stopped before it goes on.
        vec![code.clone()],
        vec![code.clone(), result.clone()],
    ] {
        let error = stream(FLASH_2_5, &chunks).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Truncated, "{chunks:?}");
    }
    let end = reply(&json!([{"text": "1"}]), Some("STOP"));
    let response = stream(FLASH_2_5, &[code.clone(), result, end]).unwrap();
    assert_eq!(response.text(), "1");
    // A whole reply ends where it ends.
    let response = whole(FLASH_2_5, &code).unwrap();
    assert_eq!(response.finish_reason(), Some(FinishReason::Stop));
    // One of two candidates.
    let mut two = reply(&json!([{"text": "A"}]), Some("STOP"));
    let second = json!({"index": 1, "content": {"parts": [{"text": "B"}]}});
    two["candidates"].as_array_mut().unwrap().push(second);
    let error = stream(FLASH_2_5, &[two]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Truncated);
}

#[test]
fn several_candidates_are_several_choices() {
    let chunk = |index: u32, text: &str, finish: Option<&str>| {
        let mut chunk = reply(&json!([{"text": text}]), finish);
        chunk["candidates"][0]["index"] = json!(index);
        chunk
    };
    let response = stream(
        FLASH_2_5,
        &[
            chunk(1, "B", None),
            chunk(0, "A", Some("STOP")),
            chunk(1, "b", Some("MAX_TOKENS")),
        ],
    )
    .unwrap();
    let texts: Vec<String> = response.choices.iter().map(|c| c.message.text()).collect();
    assert_eq!(texts, ["A", "Bb"]);
    let reason = |at: usize| response.choices[at].finish.as_ref().unwrap().reason;
    assert_eq!(
        (reason(0), reason(1)),
        (FinishReason::Stop, FinishReason::Length)
    );
    // A number no model gives is passed over.
    let odd = chunk(4_000_000_000, "X", Some("STOP"));
    let response = stream(FLASH_2_5, &[odd, chunk(0, "A", Some("STOP"))]).unwrap();
    assert_eq!(response.choices.len(), 1);
}

fn counted(usage: &Value) -> Usage {
    let mut reply = reply(&json!([{"text": "Hi"}]), Some("STOP"));
    reply["usageMetadata"] = usage.clone();
    let usage = whole(FLASH_2_5, &reply).unwrap().usage.unwrap();
    Usage::clone(&usage)
}

#[test]
fn thoughts_and_tools_are_counted_beside_the_rest() {
    let usage = counted(&json!({
        "promptTokenCount": 91, "candidatesTokenCount": 88, "thoughtsTokenCount": 174,
        "toolUsePromptTokenCount": 258, "totalTokenCount": 611, "cachedContentTokenCount": 40,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 51}, {"modality": "DOCUMENT", "tokenCount": 40}],
        "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 5}],
        "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 80}],
    }));
    let reported = &usage.reported;
    assert_eq!(reported.input, Some(349));
    assert_eq!(reported.output, Some(262));
    assert_eq!(reported.total, Some(611));
    assert_eq!(reported.cache_read, Some(40));
    assert_eq!(reported.cache_read_audio, Some(5));
    assert_eq!(reported.input_image, Some(40));
    assert_eq!(reported.output_image, Some(80));
    assert_eq!(reported.tool_use_input, Some(258));
    assert!(usage.anomalies.is_empty(), "{:?}", usage.anomalies);
}

#[test]
fn the_way_a_call_was_served_selects_its_price() {
    for (usage, expected) in [
        (json!({"serviceTier": "standard"}), None),
        (json!({"trafficType": "ON_DEMAND"}), None),
        (
            json!({"serviceTier": "FLEX"}),
            Some(("service_tier", "flex")),
        ),
        (
            json!({"trafficType": "ON_DEMAND_PRIORITY"}),
            Some(("service_tier", "priority")),
        ),
        (
            json!({"serviceTier": "batch"}),
            Some(("processing", "batch")),
        ),
        (
            json!({"trafficType": "PROVISIONED_THROUGHPUT"}),
            Some(("service_tier", "provisioned_throughput")),
        ),
    ] {
        let context = counted(&usage).price_context;
        let context: Vec<(&str, &str)> = context
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(context, expected.into_iter().collect::<Vec<_>>(), "{usage}");
    }
}

#[test]
fn usage_of_a_stream_is_overwritten_field_by_field() {
    let mut first = reply(&json!([{"text": "Hi"}]), None);
    first["usageMetadata"] = json!({"promptTokenCount": 3, "thoughtsTokenCount": 7});
    let mut last = reply(&json!([]), Some("STOP"));
    last["usageMetadata"] = json!({"promptTokenCount": 4, "candidatesTokenCount": 2});
    let usage = stream(FLASH_2_5, &[first, last]).unwrap().usage.unwrap();
    assert_eq!(usage.reported.input, Some(4));
    assert_eq!(usage.reported.output, Some(9));
}

#[test]
fn a_list_of_replies_is_read_as_a_stream_is() {
    let list = json!([
        reply(&json!([{"text": "Hel"}]), None),
        reply(&json!([{"text": "lo"}]), Some("STOP")),
    ]);
    assert_eq!(whole(FLASH_3, &list).unwrap().text(), "Hello");
}

#[test]
fn errors_inside_a_stream_are_errors_with_what_came_before() {
    let error = json!({"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}});
    for frame in [error.clone(), json!([error])] {
        let words = reply(&json!([{"text": "Hel"}]), None).to_string();
        let (events, result) = events_of(FLASH_3, "Hi".into(), |decoder, events| {
            decoder.frame(Frame::data(&words), events)?;
            decoder.frame(Frame::data(&frame.to_string()), events)
        });
        assert!(events.iter().any(Event::is_content));
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Overloaded);
        assert_eq!(
            whole(FLASH_3, &frame).unwrap_err().kind(),
            ErrorKind::Overloaded
        );
    }
}

#[test]
fn what_is_no_reply_is_an_error() {
    for body in [
        "",
        "{}",
        "[]",
        "null",
        "<html>",
        r#"{"candidates":[]}"#,
        r#"{"a":1}"#,
    ] {
        let read = events_of(FLASH_3, "Hi".into(), |decoder, events| {
            decoder.whole(body.as_bytes(), events)
        });
        assert_eq!(
            fold(read).unwrap_err().kind(),
            ErrorKind::Decode,
            "{body:?}"
        );
    }
    // Nothing but a count: what was used is known, and so that there is no answer.
    let response = whole(FLASH_3, &json!({"usageMetadata": {"promptTokenCount": 3}})).unwrap();
    assert_eq!(response.finish_reason(), Some(FinishReason::Other));
}

/// What an odd server sends does not grow with how often it says it.
#[test]
fn what_is_kept_of_a_reply_is_bounded() {
    let mut chunks: Vec<Value> = (0..500)
        .map(|n| {
            let mut chunk = reply(&json!([{"text": "a"}]), None);
            chunk[format!("top{n}")] = json!(n);
            chunk["candidates"][0][format!("inner{n}")] = json!(n);
            chunk["usageMetadata"][format!("usage{n}")] = json!("x".repeat(100));
            chunk
        })
        .collect();
    chunks.push(reply(&json!([]), Some("STOP")));
    let response = stream(FLASH_2_5, &chunks).unwrap();
    assert_eq!(response.text().len(), 500);
    assert_eq!(response.extra.len(), 64);
    let finish = response.choices[0].finish.as_ref().unwrap();
    assert_eq!(finish.extra.len(), 64);
    let usage = response.usage.unwrap();
    assert_eq!(usage.reported.total, Some(5));
    assert!(usage.raw.as_ref().unwrap().as_str().len() < 32 << 10);

    let mut grounded = reply(&json!([{"text": "a"}]), Some("STOP"));
    let long = "x".repeat(100_000);
    grounded["candidates"][0]["groundingMetadata"] = json!({
        "groundingChunks": [{"web": {"uri": "https://a"}}],
        "groundingSupports": [{"segment": {"text": long}, "groundingChunkIndices": vec![0; 5000]}],
    });
    let response = whole(FLASH_2_5, &grounded).unwrap();
    let Some(aurax_core::Part::Text(text)) = response.message().unwrap().parts.first() else {
        panic!("{response:?}");
    };
    assert_eq!(text.citations.len(), 1024);
    let quoted = text.citations.iter().filter(|c| c.quote.is_some());
    assert_eq!(quoted.count(), 1);
}

/// Where reports are too long to be merged, the newest one stands, not the first.
#[test]
fn the_newest_count_stands_where_reports_are_too_long() {
    let long = "x".repeat(10 << 10);
    let mut first = reply(&json!([{"text": "a"}]), None);
    first["usageMetadata"]["x_first"] = json!(long);
    let mut last = reply(&json!([{"text": "b"}]), Some("STOP"));
    last["usageMetadata"] = json!({"promptTokenCount": 7, "candidatesTokenCount": 5,
        "totalTokenCount": 12, "x_last": long});
    let response = stream(FLASH_2_5, &[first, last]).unwrap();
    let usage = response.usage.unwrap();
    let reported = &usage.reported;
    assert_eq!(
        (reported.input, reported.output, reported.total),
        (Some(7), Some(5), Some(12))
    );
    assert!(usage.raw.as_ref().unwrap().as_str().len() < 16 << 10);
}
