//! The parts of an answer.

use aurax_core::{Message, Part, Request, Role, Source, ToolResult};
use aurax_providers::wire::Wire;
use serde_json::json;

use super::{Asked, asked, kinds, message, reply, stream};

#[test]
fn words_arrive_in_pieces() {
    let whole = json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 7, "model": "m-1",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello!",
            "refusal": null, "annotations": []}, "logprobs": null, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
        "service_tier": "flex", "system_fingerprint": "fp_1",
    });
    let fields = |rest: serde_json::Value| {
        let mut chunk = json!({
            "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 7, "model": "m-1",
            "service_tier": "flex", "system_fingerprint": "fp_1", "obfuscation": "abc",
        });
        chunk
            .as_object_mut()
            .unwrap()
            .extend(rest.as_object().unwrap().clone());
        chunk
    };
    let chunks = [
        fields(
            json!({"choices": [{"index": 0, "delta": {"role": "assistant", "content": "",
            "refusal": null}, "finish_reason": null}], "usage": null}),
        ),
        fields(json!({"choices": [{"index": 0, "delta": {"content": "Hel"}}], "usage": null})),
        fields(json!({"choices": [{"index": 0, "delta": {"content": "lo!"}}], "usage": null})),
        fields(json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})),
        fields(json!({"choices": [], "usage":
            {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}})),
    ];
    let response = asked("openai").both(&whole, &chunks);
    assert_eq!(response.text(), "Hello!");
    assert_eq!(response.id.as_deref(), Some("chatcmpl-1"));
    assert_eq!(response.model, "m-1");
    assert_eq!(response.created, Some(7));
    assert_eq!(response.service_tier.as_deref(), Some("flex"));
    assert_eq!(response.extra["system_fingerprint"], "fp_1");
    assert_eq!(response.extra.len(), 1);
}

#[test]
fn empty_text_is_not_the_same_as_no_text() {
    let asked = asked("openai");
    let empty = asked.both(
        &reply(json!({"role": "assistant", "content": ""}), "stop"),
        &stream(&[json!({"role": "assistant", "content": ""})], "stop"),
    );
    assert_eq!(kinds(&empty), ["text"]);
    let none = asked.both(
        &reply(json!({"role": "assistant", "content": null}), "stop"),
        &stream(&[json!({"role": "assistant", "content": null})], "stop"),
    );
    assert!(kinds(&none).is_empty());
}

#[test]
fn thoughts_have_two_names_and_come_before_words() {
    for name in ["reasoning_content", "reasoning"] {
        let response = asked("deepseek").both(
            &reply(
                json!({"role": "assistant", "content": "4", name: "2 and 2"}),
                "stop",
            ),
            // OpenRouter begins with empty words beside every thought.
            &stream(
                &[
                    json!({"role": "assistant", "content": "", name: "2 and"}),
                    json!({"content": "", name: " 2"}),
                    json!({"content": "4", name: null}),
                ],
                "stop",
            ),
        );
        assert_eq!(kinds(&response), ["thinking", "text"], "{name}");
        assert_eq!(response.thinking(), "2 and 2");
    }
}

#[test]
fn thoughts_under_both_names_are_read_once() {
    let delta = json!({"reasoning": "hm", "reasoning_content": "hm", "content": "ok"});
    let response = asked("vllm").both(&reply(delta.clone(), "stop"), &stream(&[delta], "stop"));
    assert_eq!(response.thinking(), "hm");
}

#[test]
fn mistral_thinks_in_parts_of_the_content() {
    let thought =
        |text: &str| json!({"type": "thinking", "thinking": [{"type": "text", "text": text}]});
    let whole = json!({"role": "assistant",
        "content": [thought("2 and 2"), {"type": "text", "text": "It is 4"}]});
    let response = asked("mistral").both(
        &reply(whole, "stop"),
        &stream(
            &[
                json!({"role": "assistant", "content": [thought("2 and")]}),
                json!({"content": [thought(" 2")]}),
                json!({"content": "It is"}),
                json!({"content": [{"type": "text", "text": " 4"}]}),
            ],
            "stop",
        ),
    );
    assert_eq!(response.thinking(), "2 and 2");
    assert_eq!(response.text(), "It is 4");
}

#[test]
fn a_refusal_is_a_part_of_its_own() {
    let response = asked("openai").both(
        &reply(
            json!({"role": "assistant", "content": null, "refusal": "I cannot."}),
            "stop",
        ),
        &stream(
            &[
                json!({"role": "assistant", "content": null, "refusal": ""}),
                json!({"refusal": "I "}),
                json!({"refusal": "cannot."}),
            ],
            "stop",
        ),
    );
    assert_eq!(message(&response).refusal().as_deref(), Some("I cannot."));
    assert_eq!(kinds(&response), ["refusal"]);
}

#[test]
fn proofs_of_thoughts_survive_and_go_back() {
    let details = json!([
        {"type": "reasoning.text", "text": "Tool it is.", "format": "anthropic-claude-v1",
         "index": 0, "signature": "Eq/A=="},
        {"type": "reasoning.encrypted", "data": "gAAA", "id": "rs_1", "index": 1}
    ]);
    let call = json!({"index": 0, "id": "call_1", "type": "function",
        "function": {"name": "f", "arguments": "{}"}});
    let asked = asked("openrouter");
    let response = asked.both(
        &reply(
            json!({"role": "assistant", "content": null, "reasoning": "Tool it is.",
                "reasoning_details": details, "tool_calls": [call]}),
            "tool_calls",
        ),
        &stream(
            &[
                json!({"role": "assistant", "content": null, "reasoning": "Tool", "reasoning_details":
                    [{"type": "reasoning.text", "text": "Tool", "format": "anthropic-claude-v1", "index": 0}]}),
                json!({"reasoning": " it is.", "reasoning_details":
                    [{"type": "reasoning.text", "text": " it is.", "index": 0}]}),
                json!({"reasoning_details":
                    [{"type": "reasoning.text", "signature": "Eq/A==", "index": 0}]}),
                json!({"reasoning_details":
                    [{"type": "reasoning.encrypted", "data": "gAAA", "id": "rs_1", "index": 1}]}),
                json!({"tool_calls": [call]}),
            ],
            "tool_calls",
        ),
    );
    assert_eq!(kinds(&response), ["thinking", "native", "tool_call"]);

    let answered = response.tool_calls().next().unwrap().clone();
    let request = Request::new([
        Message::user("go"),
        response.into_message(),
        Message::tool([ToolResult::new(&answered, "done")]),
    ]);
    let next = Asked::new("openrouter", request);
    let sent = next.wire.encode(&next.call, &next.target).unwrap();
    let sent: serde_json::Value = serde_json::from_slice(&sent.body).unwrap();
    assert_eq!(sent["messages"][1]["reasoning_details"], details);
    assert_eq!(sent["messages"][1].get("reasoning"), None);
}

#[test]
fn sources_of_words_are_citations() {
    let annotation = json!({"type": "url_citation", "url_citation":
        {"url": "https://a.example", "title": "A", "start_index": 3, "end_index": 9}});
    let response = asked("openai").both(
        &reply(
            json!({"role": "assistant", "content": "words", "annotations": [annotation]}),
            "stop",
        ),
        &stream(
            &[
                json!({"content": "words"}),
                json!({"annotations": [annotation]}),
            ],
            "stop",
        ),
    );
    let Part::Text(text) = &message(&response).parts[0] else {
        panic!("a text was expected");
    };
    let citation = &text.citations[0];
    assert_eq!(citation.url.as_deref(), Some("https://a.example"));
    assert_eq!(citation.title.as_deref(), Some("A"));
    assert_eq!((citation.start, citation.end), (Some(3), Some(9)));
    let native = citation.native.as_ref().unwrap();
    assert_eq!(&*native.origin.as_ref().unwrap().provider, "openai");
}

#[test]
fn sources_of_a_whole_answer_are_citations_too() {
    let sources = json!({
        "citations": ["https://a.example"],
        "search_results": [{"title": "A", "url": "https://a.example", "snippet": "aa", "date": null}],
    });
    let with = |mut chunk: serde_json::Value| {
        chunk
            .as_object_mut()
            .unwrap()
            .extend(sources.as_object().unwrap().clone());
        chunk
    };
    let whole = with(reply(
        json!({"role": "assistant", "content": "words"}),
        "stop",
    ));
    // Perplexity repeats in `message` all that was said so far.
    let mut first = super::chunk(json!({"role": "assistant", "content": "wo"}));
    first["choices"][0]["message"] = json!({"role": "assistant", "content": "wo"});
    let mut second = super::chunk(json!({"content": "rds"}));
    second["choices"][0]["message"] = json!({"role": "assistant", "content": "words"});
    second["choices"][0]["finish_reason"] = json!("stop");
    let response = asked("perplexity").both(&whole, &[with(first), with(second)]);
    assert_eq!(response.text(), "words");
    let Part::Text(text) = &message(&response).parts[0] else {
        panic!("a text was expected");
    };
    assert_eq!(text.citations.len(), 1);
    assert_eq!(text.citations[0].quote.as_deref(), Some("aa"));
    assert!(response.extra.is_empty());
}

#[test]
fn a_spoken_answer_has_its_sound_its_words_and_its_id() {
    let request =
        Request::from("Hi").with_extra("audio", json!({"voice": "alloy", "format": "mp3"}));
    let response = Asked::new("openai", request).both(
        &reply(
            json!({"role": "assistant", "content": null, "audio":
                {"id": "audio_1", "data": "YWJjZGVm", "transcript": "Hello.", "expires_at": 9}}),
            "stop",
        ),
        &stream(
            &[
                json!({"role": "assistant", "audio": {"id": "audio_1", "transcript": "Hel"}}),
                json!({"audio": {"data": "YWJj", "transcript": "lo."}}),
                json!({"audio": {"data": "ZGVm"}}),
                json!({"audio": {"expires_at": 9}}),
            ],
            "stop",
        ),
    );
    assert_eq!(kinds(&response), ["audio", "native"]);
    let Part::Audio(audio) = &message(&response).parts[0] else {
        panic!("sound was expected");
    };
    assert_eq!(audio.transcript.as_deref(), Some("Hello."));
    let expected = Source::bytes("audio/mpeg", b"abcdef");
    assert_eq!(audio.source, expected);
}

#[test]
fn pictures_are_parts() {
    let image = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,YWJj"}});
    let response = asked("openrouter").both(
        &reply(
            json!({"role": "assistant", "content": "Look:", "images": [image]}),
            "stop",
        ),
        &stream(
            &[json!({"content": "Look:"}), json!({"images": [image]})],
            "stop",
        ),
    );
    assert_eq!(kinds(&response), ["text", "image"]);
}

#[test]
fn log_probabilities_come_with_alternatives() {
    let tokens = json!({"content": [{"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "id": 3,
        "top_logprobs": [{"token": "Yo", "logprob": -2, "bytes": null}]}], "refusal": null});
    let mut whole = reply(json!({"role": "assistant", "content": "Hi"}), "stop");
    whole["choices"][0]["logprobs"] = tokens.clone();
    let mut chunks = stream(&[json!({"content": "Hi"})], "stop");
    chunks[0]["choices"][0]["logprobs"] = tokens;
    let response = asked("openai").both(&whole, &chunks);
    let token = &response.choices[0].logprobs[0];
    assert_eq!(token.token.token, "Hi");
    assert!((token.top[0].logprob + 2.0).abs() < 1e-9);

    let lists = json!({"tokens": ["H", "i"], "token_logprobs": [null, -0.25], "token_ids": [1, 2]});
    whole["choices"][0]["logprobs"] = lists;
    let response = asked("together").whole(&whole).unwrap();
    assert_eq!(response.choices[0].logprobs[0].token.token, "i");
}

#[test]
fn several_answers_are_kept_apart() {
    let asked = Asked::new("openai", Request::from("Hi").with_n(2));
    let choice = |index: u32, text: &str| {
        json!({"index": index, "message": {"role": "assistant", "content": text},
            "finish_reason": "stop"})
    };
    let mut whole = reply(json!({}), "stop");
    whole["choices"] = json!([choice(0, "red"), choice(1, "blue")]);
    let piece = |index: u32, text: &str, finish: serde_json::Value| {
        let mut chunk = super::chunk(json!({}));
        chunk["choices"] =
            json!([{"index": index, "delta": {"content": text}, "finish_reason": finish}]);
        chunk
    };
    let response = asked.both(
        &whole,
        &[
            piece(1, "bl", json!(null)),
            piece(0, "r", json!(null)),
            piece(0, "ed", json!("stop")),
            piece(1, "ue", json!("stop")),
        ],
    );
    let texts: Vec<String> = response
        .choices
        .iter()
        .map(|choice| choice.message.text())
        .collect();
    assert_eq!(texts, ["red", "blue"]);
}

#[test]
fn unknown_fields_of_a_choice_survive() {
    let mut whole = reply(
        json!({"role": "assistant", "content": "ok", "padding": "xx"}),
        "stop",
    );
    whole["choices"][0]["content_filter_results"] = json!({"hate": {"filtered": false}});
    whole["choices"][0]["token_ids"] = json!(null);
    let response = asked("azure-openai").whole(&whole).unwrap();
    let extra = &response.choices[0].finish.as_ref().unwrap().extra;
    assert_eq!(extra["content_filter_results"]["hate"]["filtered"], false);
    assert_eq!(extra["padding"], "xx");
    assert_eq!(extra.len(), 2);
    assert_eq!(message(&response).role, Role::Assistant);
}
