//! The preset as a provider, over a scripted transport.

use std::sync::Arc;

use aurax_core::{Call, Ctx, ErrorKind, KeyStatus, ModelId, Provider, ProviderExt};
use aurax_providers::transport::{Answer, Replay};
use aurax_providers::{HttpProvider, Options, presets, provider};
use serde_json::json;

use super::reply;

const KEY: &str = "test-key-0123456789";

fn gemini(replay: &Replay) -> HttpProvider {
    let preset = presets::find("google").unwrap();
    let options = Options::new().with_api_key(KEY);
    provider(preset, options, Arc::new(replay.clone())).unwrap()
}

#[tokio::test]
async fn a_chat_goes_to_its_address_with_the_key_in_its_header() {
    let answer = reply(&json!([{"text": "Hello"}]), Some("STOP"));
    let replay = Replay::new([Answer::json(answer.to_string())]);
    let response = gemini(&replay)
        .chat("gemini-2.5-flash", "Hi")
        .await
        .unwrap();
    assert_eq!(response.text(), "Hello");
    assert_eq!(response.model, "m-1");
    assert_eq!(response.id.as_deref(), Some("r1"));
    let sent = &replay.requests()[0];
    assert_eq!(
        sent.uri.to_string(),
        "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent"
    );
    assert_eq!(sent.headers["x-goog-api-key"], KEY);
    assert!(!sent.headers.contains_key("authorization"));
    assert!(!sent.uri.to_string().contains(KEY));
}

#[tokio::test]
async fn a_stream_is_read_however_it_is_cut() {
    let chunks = [
        reply(&json!([{"text": "Hel"}]), None),
        reply(&json!([{"text": "lo"}]), Some("STOP")),
    ];
    let body: String = chunks
        .iter()
        .map(|chunk| format!("data: {chunk}\r\n\r\n"))
        .collect();
    for size in [1, 7, 4096] {
        let replay = Replay::new([Answer::sse([body.clone()]).in_pieces_of(size)]);
        let reply = gemini(&replay)
            .stream("gemini-3-flash-preview", "Hi")
            .await
            .unwrap();
        assert_eq!(reply.collect().await.unwrap().text(), "Hello");
        let sent = &replay.requests()[0];
        assert_eq!(sent.uri.query(), Some("alt=sse"));
    }
    let replay = Replay::new([Answer::sse([format!("data: {}\n\n", chunks[0])])]);
    let reply = gemini(&replay)
        .stream("gemini-3-flash-preview", "Hi")
        .await
        .unwrap();
    let error = reply.collect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Truncated);
    assert_eq!(error.partial().unwrap().text(), "Hel");
}

/// Errors for streams come under the content type of a stream, and are plain JSON.
#[tokio::test]
async fn an_error_in_place_of_a_stream_is_read() {
    let body = r#"{"error":{"code":503,"message":"overloaded","status":"UNAVAILABLE"}}"#;
    let replay = Replay::new([Answer::sse([body])]);
    let reply = gemini(&replay)
        .stream("gemini-3-flash-preview", "Hi")
        .await
        .unwrap();
    let error = reply.collect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Overloaded);
    assert!(error.message().contains("overloaded"), "{error}");
}

#[tokio::test]
async fn models_are_listed_page_by_page_and_keys_checked() {
    let page = |name: &str, next: &str| {
        json!({"models": [{"name": format!("models/{name}")}], "nextPageToken": next}).to_string()
    };
    let refused = r#"{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT",
        "details":[{"reason":"API_KEY_INVALID"}]}}"#;
    let replay = Replay::new([
        Answer::json(page("a", "t")),
        Answer::json(page("b", "")),
        Answer::status(400).with_json(refused),
        Answer::json(page("a", "t")),
        Answer::json(r#"{"totalTokens":7}"#),
    ]);
    let gemini = gemini(&replay);
    let ctx = Ctx::local();
    let models = gemini.catalog().models(&ctx).await.unwrap();
    let ids: Vec<&str> = models.iter().map(|model| model.id.as_str()).collect();
    assert_eq!(ids, ["a", "b"]);
    let status = gemini.catalog().verify_key(&ctx).await.unwrap();
    assert_eq!(status, KeyStatus::Invalid);
    let status = gemini.catalog().verify_key(&ctx).await.unwrap();
    assert_eq!(status, KeyStatus::Valid);
    let call = Call::chat(ModelId::parse("gemini-2.5-flash").unwrap(), "Hi");
    assert_eq!(gemini.catalog().count_tokens(&ctx, &call).await.unwrap(), 7);
    let queries: Vec<_> = replay
        .requests()
        .iter()
        .map(|sent| sent.uri.query().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(
        queries,
        [
            "pageSize=1000",
            "pageSize=1000&pageToken=t",
            "pageSize=1",
            "pageSize=1",
            ""
        ]
    );
}

#[test]
fn the_keys_variables_are_those_of_the_own_sdk() {
    let preset = presets::find("gemini").unwrap();
    let error = provider(preset, Options::new(), Arc::new(Replay::new([])));
    assert!(error.is_ok());
    let environment = |name: &str| (name == "GOOGLE_API_KEY").then(|| KEY.to_owned());
    let options = Options::from_environment(preset, &environment).unwrap();
    assert!(options.api_key.is_some());
}
