//! The preset as a provider, over a scripted transport.

use std::sync::Arc;

use aurax_core::{Ctx, ErrorKind, KeyStatus, Provider, ProviderExt};
use aurax_providers::transport::{Answer, Replay};
use aurax_providers::{HttpProvider, Options, presets, provider};
use serde_json::{Value, json};

use super::{last, line};

fn ollama(options: Options, replay: &Replay) -> HttpProvider {
    let preset = presets::find("ollama").unwrap();
    provider(preset, options, Arc::new(replay.clone())).unwrap()
}

fn answer() -> Value {
    let mut answer = last("stop");
    answer["message"]["content"] = json!("Hello");
    answer
}

#[tokio::test]
async fn a_chat_needs_no_key() {
    let replay = Replay::new([Answer::json(answer().to_string())]);
    let provider = ollama(Options::new(), &replay);
    let response = provider.chat("qwen3:4b", "Hi").await.unwrap();
    assert_eq!(response.text(), "Hello");
    let sent = &replay.requests()[0];
    assert_eq!(sent.uri.to_string(), "http://127.0.0.1:11434/api/chat");
    assert!(!sent.headers.contains_key("authorization"));
    assert_eq!(sent.json()["stream"], false);
}

#[tokio::test]
async fn a_stream_is_read_however_it_is_cut() {
    let lines = [
        line(&json!({"content": "Hel"})),
        line(&json!({"content": "lo é"})),
        last("stop"),
    ];
    let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
    for size in [1, 7, 4096] {
        let replay = Replay::new([Answer::ndjson([body.clone()]).in_pieces_of(size)]);
        let reply = ollama(Options::new(), &replay)
            .stream("m", "Hi")
            .await
            .unwrap();
        assert_eq!(reply.collect().await.unwrap().text(), "Hello é");
    }
    let replay = Replay::new([Answer::ndjson([format!("{}\n", lines[0])])]);
    let reply = ollama(Options::new(), &replay)
        .stream("m", "Hi")
        .await
        .unwrap();
    let error = reply.collect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Truncated);
    assert_eq!(error.partial().unwrap().text(), "Hel");
}

#[tokio::test]
async fn an_address_may_be_what_the_own_clients_take() {
    for (given, address) in [
        ("10.0.0.7", "http://10.0.0.7:11434/api/version"),
        ("0.0.0.0:8080", "http://127.0.0.1:8080/api/version"),
        (
            "https://gpu.example/ollama",
            "https://gpu.example/ollama/api/version",
        ),
    ] {
        let preset = presets::find("ollama").unwrap();
        let environment = |name: &str| match name {
            "OLLAMA_HOST" => Some(given.to_owned()),
            "OLLAMA_API_KEY" => Some("key-0123456789".to_owned()),
            _ => None,
        };
        let from_environment = Options::from_environment(preset, &environment).unwrap();
        for options in [from_environment, Options::new().with_base_url(given)] {
            let replay = Replay::new([Answer::json(r#"{"version":"1"}"#)]);
            let has_key = options.api_key.is_some();
            let provider = ollama(options, &replay);
            let status = provider.catalog().verify_key(&Ctx::local()).await.unwrap();
            assert_eq!(status, KeyStatus::Valid);
            let sent = &replay.requests()[0];
            assert_eq!(sent.uri.to_string(), address);
            assert_eq!(sent.headers.contains_key("authorization"), has_key);
        }
    }
    let preset = presets::find("ollama").unwrap();
    let wrong = |name: &str| (name == "OLLAMA_HOST").then(|| "user:hush@host".to_owned());
    let error = Options::from_environment(preset, &wrong).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.message().contains("OLLAMA_HOST"), "{error}");
    assert!(!format!("{error:?}").contains("hush"), "{error:?}");
}

#[tokio::test]
async fn models_are_listed() {
    let replay = Replay::new([Answer::json(r#"{"models":[{"name":"a:latest"}]}"#)]);
    let provider = ollama(Options::new(), &replay);
    let models = provider.catalog().models(&Ctx::local()).await.unwrap();
    assert_eq!(models[0].id, "a:latest");
    assert_eq!(replay.requests()[0].uri.path(), "/api/tags");
}
