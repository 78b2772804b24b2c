//! What an engine makes of its environment, and what it says where something is missing.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use aurax::providers::transport::{Answer, Replay, Transport};
use aurax::{
    Call, Cost, Credential, Ctx, Engine, Error, ErrorKind, Function, Image, ModelId, OutputFormat,
    Provider as _, Request, Source,
};

fn engine(
    variables: &'static [(&'static str, &'static str)],
    answers: Vec<Answer>,
) -> (Engine, Replay) {
    let replay = Replay::new(answers);
    let environment = |name: &str| {
        let found = variables.iter().find(|(variable, _)| *variable == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let transport: Arc<dyn Transport> = Arc::new(replay.clone());
    let engine = aurax::builder_from(&environment, &transport)
        .unwrap()
        .build()
        .unwrap();
    (engine, replay)
}

async fn fails(engine: &Engine, model: &str, request: impl Into<Request> + Send) -> Error {
    engine.chat(model, request).await.unwrap_err()
}

#[tokio::test]
async fn a_missing_key_names_its_variable() {
    let (engine, _) = engine(&[], vec![]);
    for (model, variable) in [
        ("openai/gpt-4o-mini", "OPENAI_API_KEY"),
        ("anthropic/claude-haiku-4-5", "ANTHROPIC_API_KEY"),
        ("claude/claude-haiku-4-5", "ANTHROPIC_API_KEY"),
        ("groq/openai/gpt-oss-120b", "GROQ_API_KEY"),
        ("gemini/gemini-2.5-flash", "GEMINI_API_KEY"),
        ("google/gemini-2.5-flash", "GEMINI_API_KEY"),
    ] {
        let error = fails(&engine, model, "Hi").await;
        assert_eq!(error.kind(), ErrorKind::Config, "{model}");
        assert!(error.to_string().contains(variable), "{model}: {error}");
    }
}

#[tokio::test]
async fn a_vendor_without_an_address_says_what_to_set() {
    let (engine, _) = engine(&[("AZURE_OPENAI_API_KEY", "k")], vec![]);
    let error = fails(&engine, "azure-openai/gpt-4o", "Hi").await;
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("AZURE_OPENAI"), "{error}");
}

#[tokio::test]
async fn an_unknown_provider_or_model_lists_the_near_ones() {
    let (engine, _) = engine(&[("OPENAI_API_KEY", "k")], vec![]);
    let error = fails(&engine, "opnai/gpt-4o-mini", "Hi").await;
    assert!(
        error.to_string().contains("configured are openai"),
        "{error}"
    );
    let error = fails(&engine, "gpt-4o-minni", "Hi").await;
    assert!(
        error.to_string().contains("`openai/gpt-4o-mini`"),
        "{error}"
    );
}

/// A server of one's own needs no key and has whatever was pulled, so it is asked by its name.
#[tokio::test]
async fn a_local_server_is_asked_by_its_name_alone() {
    let (engine, replay) = engine(
        &[("OLLAMA_HOST", "gpu:80")],
        vec![Answer::json(
            r#"{"message":{"content":"Hello"},"done":true,"done_reason":"stop","eval_count":1}"#,
        )],
    );
    for model in ["qwen3:4b", "gpt-4o-mini", "whatever"] {
        let error = fails(&engine, model, "Hi").await;
        assert_eq!(error.kind(), ErrorKind::ModelNotFound, "{model}");
    }
    let response = engine.chat("ollama/qwen3:4b", "Hi").await.unwrap();
    assert_eq!(response.text(), "Hello");
    assert_eq!(response.receipt.unwrap().cost, Cost::Free);
    assert_eq!(
        replay.requests()[0].uri.to_string(),
        "http://gpu:80/api/chat"
    );
}

#[tokio::test]
async fn a_bare_name_never_means_the_second_wire_of_a_vendor() {
    let (engine, _) = engine(&[("OPENAI_API_KEY", "k"), ("XAI_API_KEY", "k")], vec![]);
    let leads = |model: &str| engine.resolve(model).unwrap().0.name.to_string();
    assert_eq!(leads("gpt-4o-mini"), "openai");
    assert_eq!(leads("grok-4.3"), "xai");
    assert_eq!(leads("openai-responses/gpt-4o-mini"), "openai-responses");
}

#[tokio::test]
async fn a_bare_name_goes_to_the_provider_with_a_key() {
    let (engine, _) = engine(&[("ANTHROPIC_API_KEY", "k")], vec![]);
    assert_eq!(
        &*engine.resolve("claude-haiku-4-5").unwrap().0.name,
        "anthropic"
    );
    fails(&engine, "gpt-4o-mini", "Hi").await;
}

#[tokio::test]
async fn what_a_model_cannot_do_fails_before_anything_is_sent() {
    let (engine, replay) = engine(&[("OPENAI_API_KEY", "k")], vec![]);
    let image = Image::new(Source::bytes("image/png", b"png"));
    let message = aurax::Message::user("What is this?").with(image);
    let error = fails(&engine, "openai/o1-mini", message).await;
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("image"), "{error}");

    let request = Request::from("Hi").with_tools([Function::new("f")]);
    let error = fails(&engine, "openai/o1-mini", request).await;
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("tools"), "{error}");
    assert!(replay.requests().is_empty());
}

#[tokio::test]
async fn without_a_key_the_demo_answers_and_is_free() {
    let (engine, _) = engine(&[], vec![]);
    let model = engine.default_model().unwrap();
    let response = engine.chat(model, "Hi").await.unwrap();
    assert!(response.text().starts_with("[demo]"));
    assert_eq!(response.receipt.unwrap().cost, Cost::Free);
}

#[tokio::test]
async fn the_default_model_is_the_named_one_else_one_of_the_first_key() {
    let (named, _) = engine(
        &[("OPENAI_API_KEY", "k"), ("AURAX_MODEL", "groq/x")],
        vec![],
    );
    assert_eq!(named.default_model().unwrap(), "groq/x");
    let (keyed, _) = engine(&[("ANTHROPIC_API_KEY", "k")], vec![]);
    assert!(keyed.default_model().unwrap().starts_with("anthropic/"));
}

#[tokio::test]
async fn a_file_of_prices_is_named_when_it_cannot_be_read() {
    let environment = |name: &str| (name == "AURAX_PRICES").then(|| "/nonexistent".to_owned());
    let transport: Arc<dyn Transport> = Arc::new(Replay::new([]));
    let error = aurax::builder_from(&environment, &transport).unwrap_err();
    assert!(error.to_string().contains("AURAX_PRICES"), "{error}");
    assert!(!error.to_string().contains("/nonexistent"), "{error}");
}

#[tokio::test]
async fn a_callers_own_key_may_be_given_under_an_alias() {
    let (engine, replay) = engine(
        &[("ANTHROPIC_API_KEY", "configured")],
        vec![Answer::status(401)],
    );
    let ctx = Ctx::local().with_credential("claude", Credential::new("own"));
    let model = ModelId::parse("claude/claude-haiku-4-5").unwrap();
    let call = Call::chat(model, "Hi");
    engine.call(&ctx, &call).await.unwrap_err();
    assert_eq!(
        replay.requests().first().unwrap().header("x-api-key"),
        Some("own")
    );
}

#[tokio::test]
async fn the_demo_fills_a_schema_that_contains_itself_and_ends() {
    let (engine, _) = engine(&[], vec![]);
    let names: Vec<String> = (0..20).map(|i| format!("p{i}")).collect();
    let properties: serde_json::Map<_, _> = names
        .iter()
        .map(|name| (name.clone(), serde_json::json!({"$ref": "#"})))
        .collect();
    let schema = serde_json::json!({"type": "object", "properties": properties, "required": names});
    let request = Request::from("Hi").with_output(OutputFormat::JsonSchema {
        name: "tree".into(),
        schema: schema.into(),
        strict: None,
    });
    let text = engine.chat("demo/echo", request).await.unwrap().text();
    assert!(
        text.starts_with('{') && text.len() < 100_000,
        "{} bytes",
        text.len()
    );
}
