//! Embeddings over every wire that has them.

#![expect(clippy::unwrap_used, reason = "a failed test is a panic")]

use std::sync::Arc;

use aurax_core::{
    Call, Cost, Ctx, EmbedInput, EmbedRequest, Engine, Error, ErrorKind, Event, Extra, ModelId,
    Phase, Provider, ProviderExt, Response, UsageSource,
};
use aurax_providers::transport::{Answer, Replay, Sent};
use aurax_providers::{HttpProvider, Options, presets, provider};
use serde_json::{Value, json};

fn of(name: &str, replay: &Replay) -> HttpProvider {
    let options = Options::new()
        .with_api_key("test-key-0123456789")
        .with_base_url("https://example.test");
    provider(
        presets::find(name).unwrap(),
        options,
        Arc::new(replay.clone()),
    )
    .unwrap()
}

async fn embed(
    name: &str,
    request: impl Into<EmbedRequest> + Send,
    reply: &Value,
) -> (Result<Response, Error>, Option<Sent>) {
    let replay = Replay::new([Answer::json(reply.to_string())]);
    let result = of(name, &replay).embed("e-1", request).await;
    (result, replay.requests().first().cloned())
}

fn vectors(response: &Response) -> Vec<(u32, Vec<f32>)> {
    let embeddings = response.embeddings.iter();
    embeddings.map(|e| (e.index, e.vector.clone())).collect()
}

fn open_ai_reply() -> Value {
    json!({"object": "list", "model": "e-1-large", "data": [
        {"object": "embedding", "index": 1, "embedding": [0.5, -1.0]},
        {"object": "embedding", "index": 0, "embedding": "AACAPwAAAEA="},
    ], "usage": {"prompt_tokens": 3, "total_tokens": 3}, "provider": "P"})
}

#[tokio::test]
async fn open_ai_is_asked_for_base64_and_may_answer_in_numbers() {
    let request = EmbedRequest::new(["a", "b"]).with_dimensions(2);
    let (response, sent) = embed("openai", request, &open_ai_reply()).await;
    let (response, sent) = (response.unwrap(), sent.unwrap());
    assert_eq!(sent.uri.path(), "/embeddings");
    assert_eq!(
        sent.json(),
        json!({"model": "e-1", "dimensions": 2, "encoding_format": "base64", "input": ["a", "b"]})
    );
    assert_eq!(
        vectors(&response),
        [(0, vec![1.0, 2.0]), (1, vec![0.5, -1.0])]
    );
    assert_eq!(response.model, "e-1-large");
    assert!(response.choices.is_empty());
    assert_eq!(response.extra["provider"], "P");
    let usage = response.usage.unwrap();
    assert_eq!(
        (usage.reported.input, usage.reported.output),
        (Some(3), None)
    );
    assert_eq!(usage.source, UsageSource::Provider);
}

#[tokio::test]
async fn vendors_have_names_of_their_own_for_the_length() {
    let mut request = EmbedRequest::new(["a", "b"])
        .with_dimensions(2)
        .with_task("query");
    request.user = Some("u".into());
    let (response, sent) = embed("mistral", request.clone(), &open_ai_reply()).await;
    assert_eq!(
        sent.unwrap().json(),
        json!({"model": "e-1", "output_dimension": 2, "input": ["a", "b"]})
    );
    let told: Vec<String> = response
        .unwrap()
        .warnings
        .iter()
        .map(|warning| warning.subject.clone())
        .collect();
    assert_eq!(told, ["task", "user"]);
    let (_, sent) = embed("together", request, &open_ai_reply()).await;
    assert_eq!(
        sent.unwrap().json(),
        json!({"model": "e-1", "dimensions": 2, "user": "u", "input": ["a", "b"]})
    );
}

#[tokio::test]
async fn numbers_of_tokens_go_where_they_are_taken() {
    let tokens = || EmbedInput::Tokens(vec![1, 2]);
    let request = EmbedRequest::new([tokens(), EmbedInput::Tokens(vec![3])]);
    let (_, sent) = embed("openai", request.clone(), &open_ai_reply()).await;
    assert_eq!(sent.unwrap().json()["input"], json!([[1, 2], [3]]));
    for name in ["gemini", "ollama"] {
        let (error, sent) = embed(name, request.clone(), &json!({})).await;
        let error = error.unwrap_err();
        assert_eq!(
            (error.kind(), error.phase()),
            (ErrorKind::Unsupported, Some(Phase::Encode))
        );
        assert_eq!(error.context("part"), Some("input[0]"));
        assert!(sent.is_none());
    }
    let mixed = EmbedRequest::new([tokens(), "a".into()]);
    let (error, _) = embed("openai", mixed, &json!({})).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::InvalidRequest);
}

#[tokio::test]
async fn gemini_is_sent_a_batch_and_counts_nothing() {
    let mut request = EmbedRequest::new(["a", "b"])
        .with_dimensions(2)
        .with_task("RETRIEVAL_QUERY");
    let fields = json!({"title": "T", "model": "x"})
        .as_object()
        .cloned()
        .unwrap();
    request.extra = Extra::new(None, fields);
    let reply = json!({"embeddings": [{"values": [1, 2.5]}, {"values": [3e-1, 4]}]});
    let (response, sent) = embed("gemini", request, &reply).await;
    let (response, sent) = (response.unwrap(), sent.unwrap());
    assert_eq!(sent.uri.path(), "/v1beta/models/e-1:batchEmbedContents");
    let one = |text: &str| {
        json!({"model": "models/e-1", "content": {"parts": [{"text": text}]},
            "taskType": "RETRIEVAL_QUERY", "outputDimensionality": 2, "title": "T"})
    };
    assert_eq!(sent.json(), json!({"requests": [one("a"), one("b")]}));
    assert_eq!(
        vectors(&response),
        [(0, vec![1.0, 2.5]), (1, vec![0.3, 4.0])]
    );
    assert_eq!(response.usage, None);
    assert_eq!(response.warnings[0].subject, "extra.model");
}

#[tokio::test]
async fn ollama_is_sent_a_list() {
    let mut request = EmbedRequest::new(["a", "b"]).with_dimensions(2);
    request.extra.fields.insert("truncate".into(), json!(false));
    let reply = json!({"model": "e-1", "embeddings": [[1.0, 2.0], [3.0, 4.0]], "total_duration": 9,
        "prompt_eval_count": 8});
    let (response, sent) = embed("ollama", request, &reply).await;
    let (response, sent) = (response.unwrap(), sent.unwrap());
    assert_eq!(sent.uri.path(), "/api/embed");
    assert_eq!(
        sent.json(),
        json!({"model": "e-1", "dimensions": 2, "input": ["a", "b"], "truncate": false})
    );
    assert_eq!(
        vectors(&response),
        [(0, vec![1.0, 2.0]), (1, vec![3.0, 4.0])]
    );
    assert_eq!(response.usage.unwrap().reported.input, Some(8));
    assert_eq!(response.extra["total_duration"], 9);
}

#[tokio::test]
async fn a_reply_must_have_a_vector_for_each_text() {
    let item = |index: u32| json!({"index": index, "embedding": [1.0]});
    let open_ai = |data: Value| json!({"data": data, "usage": {"prompt_tokens": 2}});
    for (name, reply) in [
        ("openai", open_ai(json!([item(0)]))),
        ("openai", open_ai(json!([item(0), item(0)]))),
        (
            "openai",
            open_ai(json!([item(0), {"index": 1, "embedding": []}])),
        ),
        (
            "openai",
            open_ai(json!([item(0), {"index": 1, "embedding": "AACA"}])),
        ),
        ("openai", open_ai(json!([item(0), {"index": 1}]))),
        ("openai", open_ai(json!([]))),
        ("gemini", json!({"embeddings": [{"values": [1]}]})),
        ("gemini", json!({"embeddings": [{"values": [1]}, {}]})),
        ("gemini", json!({})),
        ("ollama", json!({"embeddings": [[1]]})),
        ("ollama", json!({"embeddings": [[1], "x"]})),
        ("ollama", json!({})),
    ] {
        let (error, _) = embed(name, EmbedRequest::new(["a", "b"]), &reply).await;
        assert_eq!(
            error.unwrap_err().kind(),
            ErrorKind::Decode,
            "{name} {reply}"
        );
    }
}

/// What was used of a reply that cannot be read is known: it is billed.
#[tokio::test]
async fn the_usage_of_a_reply_that_falls_short_is_told() {
    let reply = json!({"data": [{"index": 0, "embedding": [1.0]}], "usage": {"prompt_tokens": 2}});
    let replay = Replay::new([Answer::json(reply.to_string())]);
    let call = Call::embed(ModelId::parse("e").unwrap(), EmbedRequest::new(["a", "b"]));
    let reply = of("openai", &replay)
        .call(&Ctx::local(), &call)
        .await
        .unwrap();
    let error = reply.collect().await.unwrap_err();
    let partial = error.partial().unwrap();
    assert_eq!(partial.usage.as_ref().unwrap().reported.input, Some(2));
    assert!(partial.embeddings.is_empty());
}

#[tokio::test]
async fn errors_in_place_of_vectors_are_read() {
    for (name, reply) in [
        (
            "openai",
            json!({"error": {"message": "no", "code": "model_not_found"}}),
        ),
        (
            "gemini",
            json!({"error": {"message": "models/x is not found", "status": "NOT_FOUND"}}),
        ),
        (
            "ollama",
            json!({"error": "model \"x\" not found, try pulling it first"}),
        ),
    ] {
        let (error, _) = embed(name, "a", &reply).await;
        assert_eq!(
            error.unwrap_err().kind(),
            ErrorKind::ModelNotFound,
            "{name}"
        );
    }
}

#[tokio::test]
async fn nothing_at_all_is_refused_and_so_is_a_wire_of_chats_alone() {
    for name in ["openai", "gemini", "ollama"] {
        let nothing = EmbedRequest::new(Vec::<String>::new());
        let (error, sent) = embed(name, nothing, &json!({})).await;
        assert_eq!(
            error.unwrap_err().kind(),
            ErrorKind::InvalidRequest,
            "{name}"
        );
        assert!(sent.is_none());
    }
    let (error, sent) = embed("anthropic", "a", &json!({})).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Unsupported);
    assert!(sent.is_none());
    for (name, can) in [
        ("openai", true),
        ("gemini", true),
        ("ollama", true),
        ("anthropic", false),
    ] {
        let capability = of(name, &Replay::new([])).capability();
        assert_eq!(capability.embed, can, "{name}");
    }
}

#[tokio::test]
async fn an_engine_embeds_and_prices() {
    let reply = json!({"model": "text-embedding-3-small", "data": [{"index": 0, "embedding": [1.0]}],
        "usage": {"prompt_tokens": 1_000_000, "total_tokens": 1_000_000}});
    let replay = Replay::new([Answer::json(reply.to_string())]);
    let engine = Engine::builder()
        .provider(of("openai", &replay))
        .build()
        .unwrap();
    let response = engine
        .embed("openai/text-embedding-3-small", "a")
        .await
        .unwrap();
    assert_eq!(vectors(&response), [(0, vec![1.0])]);
    let receipt = response.receipt.unwrap();
    assert_eq!(receipt.cost.amount().unwrap().to_string(), "0.02");
}

/// What nobody counted is estimated, and the receipt says so.
#[tokio::test]
async fn an_engine_estimates_what_the_provider_does_not_count() {
    let replay = Replay::new([Answer::json(r#"{"embeddings":[{"values":[1]}]}"#)]);
    let engine = Engine::builder()
        .provider(of("gemini", &replay))
        .build()
        .unwrap();
    let response = engine
        .embed("gemini/gemini-embedding-001", "some words")
        .await
        .unwrap();
    let receipt = response.receipt.unwrap();
    assert!(matches!(receipt.cost, Cost::Estimated(_)), "{receipt:?}");
}

#[test]
fn vectors_are_content() {
    let event = Event::Embedding(aurax_core::Embedding::new(0, vec![1.0]));
    assert!(event.is_content());
}
