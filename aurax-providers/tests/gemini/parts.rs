//! What the parts of an answer become.

use aurax_core::{Event, FinishReason, Part, Response, Source};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{FLASH_2_5, FLASH_3, reply, stream, whole};

fn kinds(response: &Response) -> Vec<&'static str> {
    let parts = &response.message().unwrap().parts;
    parts.iter().map(Part::kind).collect()
}

#[test]
fn words_grow_and_words_with_a_proof_are_a_part_of_their_own() {
    let response = stream(
        FLASH_3,
        &[
            reply(&json!([{"text": "Let me", "thought": true}]), None),
            reply(&json!([{"text": " see", "thought": true}]), None),
            reply(&json!([{"text": "Hel"}]), None),
            reply(&json!([{"text": "lo"}]), None),
            reply(
                &json!([{"text": "", "thoughtSignature": "S"}]),
                Some("STOP"),
            ),
        ],
    )
    .unwrap();
    assert_eq!(kinds(&response), ["thinking", "text", "text"]);
    assert_eq!(response.thinking(), "Let me see");
    assert_eq!(response.text(), "Hello");
    let parts = &response.message().unwrap().parts;
    let Part::Text(last) = &parts[2] else {
        panic!("{parts:?}");
    };
    let signature = last.signature.as_ref().unwrap();
    assert_eq!((last.text.as_str(), signature.data.as_str()), ("", "S"));
    let origin = signature.origin.as_ref().unwrap();
    assert_eq!((&*origin.provider, &*origin.model), ("gemini", FLASH_3));
}

#[test]
fn calls_come_whole_with_their_arguments_as_written() {
    let parts = json!([
        {"functionCall": {"name": "f", "args": {"x": 1.50}}, "thoughtSignature": "S"},
        {"functionCall": {"name": "f"}},
        {"functionCall": {"id": "own", "name": "g", "args": null}},
    ]);
    let text = reply(&parts, Some("STOP"))
        .to_string()
        .replace("1.5", "1.50");
    let read = || {
        super::fold(super::events_of(
            FLASH_2_5,
            "Hi".into(),
            |decoder, events| decoder.whole(text.as_bytes(), events),
        ))
        .unwrap()
    };
    let response = read();
    assert_eq!(response.finish_reason(), Some(FinishReason::ToolCalls));
    let calls: Vec<_> = response.tool_calls().cloned().collect();
    assert_eq!(calls[0].arguments, r#"{"x":1.50}"#);
    assert_eq!(calls[0].signature.as_ref().unwrap().data, "S");
    assert_eq!(
        (calls[1].arguments.as_str(), &calls[1].signature),
        ("{}", &None)
    );
    assert_eq!(
        (calls[2].id.as_str(), calls[2].arguments.as_str()),
        ("own", "{}")
    );
    assert_ne!(calls[0].id, calls[1].id);
    // The same reply gives the same ids, another reply others.
    let again: Vec<_> = read().tool_calls().map(|call| call.id.clone()).collect();
    assert_eq!(again[0], calls[0].id);
    let mut other = reply(&parts, Some("STOP"));
    other["responseId"] = json!("r2");
    let other = whole(FLASH_2_5, &other).unwrap();
    assert_ne!(other.tool_calls().next().unwrap().id, calls[0].id);
}

#[test]
fn pictures_and_sound_are_media_and_the_rest_is_kept() {
    let inline = |kind: &str| json!({"mimeType": kind, "data": "aGk="});
    let code = json!({"executableCode": {"code": "1"}, "thoughtSignature": "C"});
    let parts = json!([
        {"inlineData": inline("image/png"), "thoughtSignature": "P"},
        {"inlineData": inline("audio/L16;rate=24000")},
        {"inlineData": inline("video/mp4")},
        {"inlineData": inline("image/png"), "thought": true},
        code,
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
        {"somethingNew": {"a": 1}},
    ]);
    let response = whole(FLASH_3, &reply(&parts, Some("STOP"))).unwrap();
    assert_eq!(
        kinds(&response),
        [
            "image", "native", "audio", "native", "native", "native", "native", "native"
        ]
    );
    let parts = &response.message().unwrap().parts;
    let Part::Image(image) = &parts[0] else {
        panic!("{parts:?}");
    };
    assert_eq!(image.source, Source::bytes("image/png", b"hi"));
    let natives: Vec<(&str, Value)> = parts
        .iter()
        .filter_map(|part| match part {
            Part::Native(native) => Some((
                native.kind.as_str(),
                serde_json::from_str(&native.json).unwrap(),
            )),
            _ => None,
        })
        .collect();
    let kinds: Vec<&str> = natives.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(
        kinds,
        [
            "thoughtSignature",
            "inlineData",
            "inlineData",
            "executableCode",
            "codeExecutionResult",
            "somethingNew"
        ]
    );
    assert_eq!(natives[0].1, json!({"thoughtSignature": "P"}));
    assert_eq!(natives[3].1, code);
}

#[test]
fn sources_are_named_for_the_words_and_searches_are_counted() {
    let mut reply = reply(&json!([{"text": "Rain."}]), Some("STOP"));
    reply["candidates"][0]["groundingMetadata"] = json!({
        "webSearchQueries": ["a", "b"],
        "groundingChunks": [{"web": {"uri": "https://a", "title": "A"}}, {"web": {"uri": "https://b"}}],
        "groundingSupports": [
            {"segment": {"startIndex": 0, "endIndex": 5, "text": "Rain."}, "groundingChunkIndices": [1, 0, 9]}
        ],
    });
    reply["candidates"][0]["citationMetadata"] =
        json!({"citationSources": [{"uri": "https://c", "startIndex": 1}]});
    let check = |response: &Response, searches| {
        let parts = &response.message().unwrap().parts;
        let Part::Text(text) = &parts[0] else {
            panic!("{parts:?}");
        };
        let named: Vec<_> = text
            .citations
            .iter()
            .map(|c| {
                (
                    c.url.as_deref().unwrap(),
                    c.title.as_deref(),
                    c.quote.as_deref(),
                )
            })
            .collect();
        assert_eq!(
            named,
            [
                ("https://b", None, Some("Rain.")),
                ("https://a", Some("A"), Some("Rain.")),
                ("https://c", None, None),
            ]
        );
        let finish = response.choices[0].finish.as_ref().unwrap();
        assert!(finish.extra.contains_key("groundingMetadata"));
        let usage = response.usage.as_ref().unwrap();
        assert_eq!(usage.reported.web_searches, Some(searches));
    };
    check(&whole(FLASH_3, &reply).unwrap(), 2);
    check(&whole(FLASH_2_5, &reply).unwrap(), 1);
    check(&stream(FLASH_3, &[reply]).unwrap(), 2);
}

#[test]
fn log_probabilities_are_read() {
    let mut reply = reply(&json!([{"text": "Hi"}]), Some("STOP"));
    reply["candidates"][0]["logprobsResult"] = json!({
        "chosenCandidates": [{"token": "Hi", "logProbability": -0.5}],
        "topCandidates": [{"candidates": [{"token": "Hi", "logProbability": -0.5},
            {"token": "Ho", "logProbability": -2.0}]}],
    });
    let response = whole(FLASH_2_5, &reply).unwrap();
    let token = &response.choices[0].logprobs[0];
    assert_eq!(
        (token.token.token.as_str(), token.token.logprob),
        ("Hi", -0.5)
    );
    assert_eq!(token.top[1].token, "Ho");
}

/// A piece of an answer, whole.
fn piece() -> impl Strategy<Value = Value> {
    let text = "[a-zé\"\\\\ 😀]{1,12}";
    prop_oneof![
        text.prop_map(|text| json!({"text": text})),
        text.prop_map(|text| json!({"text": text, "thought": true})),
        text.prop_map(|text| json!({"text": text, "thoughtSignature": "S"})),
        "[a-z]{1,4}".prop_map(|name| json!({"functionCall": {"name": name, "args": {"a": 1}}})),
        Just(json!({"codeExecutionResult": {"output": "1"}})),
    ]
}

/// A piece in the chunks it is streamed in: only words without a proof come in several.
fn chunks(piece: &Value, size: usize) -> Vec<Value> {
    let Some(text) = piece["text"]
        .as_str()
        .filter(|_| piece.get("thoughtSignature").is_none())
    else {
        return vec![piece.clone()];
    };
    let chars: Vec<char> = text.chars().collect();
    let pieces = chars.chunks(size).map(|chars| {
        let mut chunk = piece.clone();
        chunk["text"] = json!(chars.iter().collect::<String>());
        chunk
    });
    pieces.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_stream_folds_to_what_the_whole_reply_folds_to(
        pieces in vec(piece(), 1..6),
        size in 1_usize..6,
    ) {
        let whole = whole(FLASH_3, &reply(&json!(pieces), Some("STOP"))).unwrap();
        let mut parts: Vec<Value> =
            pieces.iter().flat_map(|piece| chunks(piece, size)).collect();
        let last = parts.pop().unwrap();
        let mut frames: Vec<Value> = parts.iter().map(|part| reply(&json!([part]), None)).collect();
        frames.push(reply(&json!([last]), Some("STOP")));
        prop_assert_eq!(stream(FLASH_3, &frames).unwrap(), whole);
    }

    /// Whatever comes is an answer or an error.
    #[test]
    fn no_reply_is_too_odd(text in "\\PC{0,40}", frames in vec("[\\[\\]{}\":,a-z0-9]{0,24}", 0..4)) {
        for body in frames.iter().chain([&text]) {
            let read = super::events_of(FLASH_3, "Hi".into(), |decoder, events: &mut Vec<Event>| {
                decoder.whole(body.as_bytes(), events)
            });
            prop_assert!(read.1.is_ok() || !read.0.iter().any(|e| matches!(e, Event::End(_))));
        }
    }
}
