//! Replies and errors.

use aurax_core::{ErrorKind, FinishReason, Message, Part, Request, Response, ToolCall};
use aurax_providers::ollama::Ollama;
use aurax_providers::wire::Wire;
use http::HeaderMap;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{last, line, read, stream, whole};

fn kinds(response: &Response) -> Vec<&'static str> {
    let parts = &response.message().unwrap().parts;
    parts.iter().map(Part::kind).collect()
}

#[test]
fn a_stream_is_thoughts_words_and_calls() {
    let call =
        json!({"id": "call_a", "function": {"index": 0, "name": "f", "arguments": {"x": 1}}});
    let response = stream(&[
        line(&json!({"role": "assistant", "content": "", "thinking": "Let"})),
        line(&json!({"role": "assistant", "content": "", "thinking": " me"})),
        line(&json!({"role": "assistant", "content": "Hel"})),
        line(&json!({"role": "assistant", "content": "lo"})),
        line(&json!({"role": "assistant", "content": "", "tool_calls": [call]})),
        last("stop"),
    ])
    .unwrap();
    assert_eq!(kinds(&response), ["thinking", "text", "tool_call"]);
    assert_eq!(
        (response.thinking(), response.text()),
        ("Let me".into(), "Hello".into())
    );
    let call = response.tool_calls().next().unwrap();
    assert_eq!(call, &ToolCall::new("call_a", "f", r#"{"x":1}"#));
    assert_eq!(response.finish_reason(), Some(FinishReason::ToolCalls));
    assert_eq!(response.model, "m:latest");
    assert_eq!(response.created, Some(1_785_873_495));
    let reported = &response.usage.as_ref().unwrap().reported;
    assert_eq!(
        (reported.input, reported.output, reported.total),
        (Some(3), Some(2), None)
    );
    let names: Vec<&str> = response.extra.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "total_duration",
            "load_duration",
            "prompt_eval_duration",
            "eval_duration"
        ]
    );
    assert_eq!(response.extra["eval_duration"], 5);
}

#[test]
fn every_reason_has_its_meaning() {
    use FinishReason::{Error, Length, Other, Stop};
    for (word, reason) in [
        ("stop", Stop),
        ("length", Length),
        ("load", Other),
        ("unload", Other),
        ("", Error),
    ] {
        let response = whole(&last(word).to_string()).unwrap();
        assert_eq!(response.finish_reason(), Some(reason), "{word}");
    }
}

#[test]
fn calls_without_ids_are_given_some() {
    let calls = json!({"content": "", "tool_calls": [
        {"function": {"name": "f", "arguments": {}}}, {"function": {"name": "f"}}]});
    let lines = [line(&calls), last("stop")];
    let ids = |before: usize| -> Vec<String> {
        let asked = Message::assistant(ToolCall::new("a", "f", "{}"));
        let history = std::iter::repeat_n(asked, before);
        let request = Request::new([Message::user("Hi")].into_iter().chain(history));
        let response = read(request, |decoder, events| {
            let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
            decoder.whole(body.as_bytes(), events)
        });
        let response = response.unwrap();
        response.tool_calls().map(|call| call.id.clone()).collect()
    };
    let first = ids(0);
    assert_ne!(first[0], first[1]);
    assert_eq!(first, ids(0));
    assert!(first[0].starts_with("call_"), "{}", first[0]);
    assert!(!ids(1).contains(&first[0]), "a later turn has other ids");
    let streamed = stream(&lines).unwrap();
    assert_eq!(streamed.tool_calls().next().unwrap().id, first[0]);
    assert_eq!(streamed.tool_calls().nth(1).unwrap().arguments, "{}");
}

#[test]
fn an_answer_with_more_parts_than_any_is_an_error() {
    let calls = |count: usize| {
        let call = json!({"function": {"name": "f", "arguments": {}}});
        line(&json!({"content": "", "tool_calls": vec![call; count]}))
    };
    let words = line(&json!({"thinking": "a", "content": "b"}));
    let last = || last("stop");
    let response = stream(&[calls(1024), last()]).unwrap();
    assert_eq!(response.tool_calls().count(), 1024);
    let response = stream(&[vec![words.clone(); 2048], vec![last()]].concat()).unwrap();
    assert_eq!(response.message().unwrap().parts.len(), 4096);
    for lines in [
        vec![calls(1025), last()],
        vec![calls(1000), calls(25), last()],
        [vec![words; 2049], vec![last()]].concat(),
    ] {
        let error = stream(&lines).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode);
        assert!(error.to_string().contains("more than"), "{error}");
    }
}

#[test]
fn log_probabilities_are_read() {
    let mut words = line(&json!({"content": "Hi"}));
    words["logprobs"] = json!([{"token": "Hi", "logprob": -0.5, "bytes": [72, 105],
        "top_logprobs": [{"token": "Ho", "logprob": -2.0}]}]);
    let response = stream(&[words, last("stop")]).unwrap();
    let token = &response.choices[0].logprobs[0];
    assert_eq!(
        (token.token.logprob, token.top[0].token.as_str()),
        (-0.5, "Ho")
    );
}

#[test]
fn a_stream_without_its_last_line_is_truncated() {
    let words = line(&json!({"content": "Hi"}));
    for lines in [vec![], vec![words.clone()]] {
        let error = stream(&lines).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Truncated);
    }
    assert_eq!(
        whole(&words.to_string()).unwrap_err().kind(),
        ErrorKind::Truncated
    );
}

#[test]
fn a_line_may_be_an_error() {
    let words = line(&json!({"content": "Hi"}));
    for (error, kind) in [
        (
            json!({"error": "an error was encountered while running the model"}),
            ErrorKind::Server,
        ),
        (
            json!({"error": {"message": "server busy"}}),
            ErrorKind::Overloaded,
        ),
    ] {
        let streamed = stream(&[words.clone(), error.clone()]).unwrap_err();
        assert_eq!(streamed.kind(), kind);
        assert_eq!(whole(&error.to_string()).unwrap_err().kind(), kind);
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
        "{\"a\":1}",
        "{\"message\"",
        "data: {}",
    ] {
        assert_eq!(
            whole(body).unwrap_err().kind(),
            ErrorKind::Decode,
            "{body:?}"
        );
    }
    // Written over several lines, as by hand.
    let pretty = serde_json::to_string_pretty(&last("stop")).unwrap();
    assert_eq!(
        whole(&pretty).unwrap().finish_reason(),
        Some(FinishReason::Stop)
    );
}

#[test]
fn words_say_what_an_error_is() {
    use ErrorKind::{
        Auth, ContextLength, InvalidRequest, ModelNotFound, NotFound, Overloaded, RateLimited,
        Server,
    };
    for (status, body, kind) in [
        (
            400,
            json!({"error": "\"gemma3\" does not support thinking"}),
            InvalidRequest,
        ),
        (
            500,
            json!({"error": "this model does not support images"}),
            InvalidRequest,
        ),
        (
            400,
            json!({"error": "m does not support tools"}),
            InvalidRequest,
        ),
        (404, json!({"error": "model 'x' not found"}), ModelNotFound),
        (
            404,
            json!({"error": "model \"x\" not found, try pulling it first"}),
            ModelNotFound,
        ),
        (404, json!("404 page not found"), NotFound),
        (
            400,
            json!({"error": "the input length exceeds the context length"}),
            ContextLength,
        ),
        (
            500,
            json!({"error": "exceed_context_size_error"}),
            ContextLength,
        ),
        (401, json!({"error": "unauthorized"}), Auth),
        (429, json!({"error": "slow down"}), RateLimited),
        (
            503,
            json!({"error": "server busy, please try again."}),
            Overloaded,
        ),
        (
            500,
            json!({"error": "llama runner process has terminated"}),
            Server,
        ),
        (502, json!("bad gateway"), Server),
    ] {
        let text = body
            .as_str()
            .map_or_else(|| body.to_string(), str::to_owned);
        let error = Ollama::new().error(status, &HeaderMap::new(), text.as_bytes());
        assert_eq!(error.kind(), kind, "{status} {text}");
        let said = body["error"].as_str().unwrap_or(&text);
        assert_eq!(error.upstream().unwrap().message, said);
    }
}

#[test]
fn models_are_those_that_were_pulled() {
    let list =
        json!({"models": [{"name": "a:latest", "model": "a:latest", "size": 1}, {"name": "b"}, 1]});
    let (models, next) = Ollama::new()
        .read_models(list.to_string().as_bytes())
        .unwrap();
    let ids: Vec<&str> = models.iter().map(|model| model.id.as_str()).collect();
    assert_eq!((ids, next), (vec!["a:latest", "b"], None));
    let none = Ollama::new().read_models(br#"{"models":null}"#).unwrap();
    assert!(none.0.is_empty());
    assert!(Ollama::new().read_models(b"[]").is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_stream_folds_to_what_the_whole_reply_folds_to(
        thoughts in "[a-zé\"\\\\]{0,9}", words in "[a-zé\"\\\\]{0,9}", calls in 0_usize..3, size in 1_usize..5,
    ) {
        let call = json!({"function": {"name": "f", "arguments": {"x": 1}}});
        let calls: Vec<Value> = vec![call; calls];
        let mut end = last("stop");
        let mut lines = Vec::new();
        for (field, text) in [("thinking", &thoughts), ("content", &words)] {
            let chars: Vec<char> = text.chars().collect();
            lines.extend(chars.chunks(size).map(|piece| {
                let mut message = json!({"role": "assistant", "content": ""});
                message[field] = json!(piece.iter().collect::<String>());
                line(&message)
            }));
        }
        lines.extend(calls.iter().map(|call| line(&json!({"content": "", "tool_calls": [call]}))));
        lines.push(end.clone());
        end["message"] = json!({"role": "assistant", "content": words, "thinking": thoughts,
            "tool_calls": calls});
        let mut streamed = stream(&lines).unwrap();
        // The two say at different times when they were made.
        streamed.created = None;
        let mut whole = whole(&end.to_string()).unwrap();
        whole.created = None;
        prop_assert_eq!(streamed, whole);
    }

    /// Whatever comes is an answer or an error.
    #[test]
    fn no_reply_is_too_odd(text in "\\PC{0,40}", json in "[\\[\\]{}\":,a-z0-9\\n]{0,40}") {
        for body in [text, json] {
            if let Err(error) = whole(&body) {
                prop_assert!(!error.message().is_empty());
            }
        }
    }
}
