//! Presets of the OpenAI wire as providers, over a scripted transport.

#![cfg(all(feature = "openai", feature = "testkit"))]
#![expect(clippy::unwrap_used, reason = "a failed test is a panic")]

use std::sync::Arc;
use std::time::Duration;

use aurax_core::{
    Ctx, Error, ErrorKind, FinishReason, KeyStatus, Phase, Provider, ProviderExt, Retry,
};
use aurax_providers::transport::{Answer, Replay};
use aurax_providers::{HttpProvider, Options, presets, provider};

const WHOLE: &str = r#"{"id":"chatcmpl-1","model":"m-1","choices":[{"index":0,"message":
    {"role":"assistant","content":"Hello"},"finish_reason":"stop"}],
    "usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}"#;

fn of(name: &str, replay: &Replay) -> HttpProvider {
    let options = Options::new()
        .with_api_key("sk-test-0123456789")
        .with_base_url("https://example.test/v1");
    provider(
        presets::find(name).unwrap(),
        options,
        Arc::new(replay.clone()),
    )
    .unwrap()
}

#[tokio::test]
async fn a_chat_is_answered_whole() {
    let replay = Replay::new([Answer::json(WHOLE).with_header("x-request-id", "req_1")]);
    let response = of("openai", &replay).chat("m", "Hi").await.unwrap();
    assert_eq!(response.text(), "Hello");
    assert_eq!(response.finish_reason(), Some(FinishReason::Stop));
    assert_eq!(response.request_id.as_deref(), Some("req_1"));
    assert_eq!(response.usage.unwrap().reported.total, Some(4));
    let sent = &replay.requests()[0];
    assert_eq!(
        sent.uri.to_string(),
        "https://example.test/v1/chat/completions"
    );
    assert_eq!(sent.headers["authorization"], "Bearer sk-test-0123456789");
}

#[tokio::test]
async fn a_chat_is_streamed() {
    let replay = Replay::new([Answer::sse([
        "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hel\"}}]}\n\ndata: {\"id\":",
        "\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"lo\"},\"finish_reason\":\"stop\"}]}\n\n",
        "data: [DONE]\n\n",
    ])]);
    let reply = of("groq", &replay).stream("m", "Hi").await.unwrap();
    assert_eq!(reply.collect().await.unwrap().text(), "Hello");
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_truncated_and_keeps_what_came() {
    let replay = Replay::new([Answer::sse([
        "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hel\"}}]}\n\n",
    ])]);
    let reply = of("openai", &replay).stream("m", "Hi").await.unwrap();
    let error = reply.collect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Truncated);
    assert_eq!(error.partial().unwrap().text(), "Hel");
}

#[tokio::test]
async fn azure_takes_its_key_in_a_header_of_its_own() {
    let replay = Replay::new([Answer::json(WHOLE)]);
    of("azure", &replay)
        .chat("my-deployment", "Hi")
        .await
        .unwrap();
    let sent = &replay.requests()[0];
    assert_eq!(sent.headers["api-key"], "sk-test-0123456789");
    assert!(!sent.headers.contains_key("authorization"));
}

#[tokio::test]
async fn a_limit_says_how_long_to_wait() {
    let body = r#"{"error":{"message":"slow down","code":"rate_limit_exceeded"}}"#;
    let replay = Replay::new([Answer::status(429)
        .with_json(body)
        .with_header("retry-after", "3")]);
    let error = of("openai", &replay).chat("m", "Hi").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    assert_eq!(error.retry(), Retry::Transient);
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3)));
}

#[tokio::test]
async fn models_are_listed_and_keys_checked() {
    let list = r#"{"object":"list","data":[{"id":"a"},{"id":"b"}]}"#;
    let refused = r#"{"code":"invalid-argument","error":"Incorrect API key provided."}"#;
    let replay = Replay::new([Answer::json(list), Answer::status(400).with_json(refused)]);
    let xai = of("xai", &replay);
    assert_eq!(xai.catalog().models(&Ctx::local()).await.unwrap().len(), 2);
    let status = xai.catalog().verify_key(&Ctx::local()).await.unwrap();
    assert_eq!(status, KeyStatus::Invalid);

    let nowhere = Replay::new([]);
    let error = of("perplexity", &nowhere)
        .catalog()
        .verify_key(&Ctx::local())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[test]
fn an_address_that_everyone_has_of_their_own_must_be_given() {
    for (name, variable) in [
        ("azure-openai", "AZURE_OPENAI_BASE_URL"),
        ("openai-compatible", "OPENAI_COMPATIBLE_BASE_URL"),
    ] {
        let preset = presets::find(name).unwrap();
        let error = provider(preset, Options::new(), Arc::new(Replay::new([]))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.message().contains(variable), "{error}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_behind_the_finish_reason_does_not_spoil_the_answer() {
    let broken = || Error::new(ErrorKind::Network, "connection reset").with_phase(Phase::Body);
    let begun = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hel\"}}]}\n\n";
    let done = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"lo\"},\"finish_reason\":\"stop\"}]}\n\n";
    let replay = Replay::new([
        Answer::sse([begun, done]).with_error(broken()),
        Answer::sse([begun]).with_error(broken()),
    ]);
    let provider = of("openai", &replay);
    let reply = provider.stream("m", "Hi").await.unwrap();
    assert_eq!(reply.collect().await.unwrap().text(), "Hello");
    let reply = provider.stream("m", "Hi").await.unwrap();
    let error = reply.collect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert_eq!(error.partial().unwrap().text(), "Hel");
}

#[tokio::test]
async fn a_key_that_a_stream_repeats_does_not_print() {
    let options = Options::new()
        .with_api_key("3f9c81d2a7e64b50")
        .with_base_url("https://example.test/v1");
    let frame = "data: {\"error\":{\"message\":\"bad key 3f9c81d2a7e64b50\",\
                 \"type\":\"3f9c81d2a7e64b50\",\"code\":\"3f9c81d2a7e64b50\",\
                 \"param\":\"Bearer 3f9c81d2a7e64b50\"}}\n\n";
    let answer = Answer::sse([frame]).with_header("x-request-id", "of 3f9c81d2a7e64b50");
    let replay = Replay::new([answer]);
    let preset = presets::find("vllm").unwrap();
    let provider = provider(preset, options, Arc::new(replay)).unwrap();
    let reply = provider.stream("m", "Hi").await.unwrap();
    let error = reply.collect().await.unwrap_err();
    assert!(error.message().contains("bad key"), "{error}");
    assert_eq!(error.request_id(), Some("of [key]"));
    let param = error.upstream().unwrap().param.as_deref();
    assert_eq!(param, Some("Bearer [key]"));
    assert!(
        !format!("{error} {error:?}").contains("3f9c81d2"),
        "{error:?}"
    );
}
