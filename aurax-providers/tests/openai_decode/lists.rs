//! Lists of models, keys and headers.

use aurax_core::{Delivery, Head, KeyStatus, Lifecycle, ModelId, ModelInfo};
use aurax_providers::wire::Wire;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::asked;

fn list(body: &Value) -> Vec<ModelInfo> {
    let wire = asked("openai").wire;
    let (models, next) = wire.read_models(body.to_string().as_bytes()).unwrap();
    assert_eq!(next, None);
    models
}

fn one(model: Value) -> ModelInfo {
    list(&json!({"object": "list", "data": [model]})).remove(0)
}

#[test]
fn openai_says_little() {
    let model = one(json!({"id": "gpt-4o", "object": "model", "created": 7, "owned_by": "openai"}));
    assert_eq!(model.id, "gpt-4o");
    assert_eq!(
        (model.created, model.owned_by.as_deref()),
        (Some(7), Some("openai"))
    );
    assert_eq!(model.context_window, None);
    assert_eq!(model.features.tools, None);
}

#[test]
fn sizes_have_a_name_everywhere() {
    for (model, window, output) in [
        (
            json!({"context_window": 131_072, "max_completion_tokens": 8192}),
            131_072,
            Some(8192),
        ),
        (json!({"max_model_len": 32_768}), 32_768, None),
        (
            json!({"context_length": 9, "top_provider": {"max_completion_tokens": 4}}),
            9,
            Some(4),
        ),
        (json!({"max_context_length": 128_000}), 128_000, None),
        (
            json!({"meta": {"n_ctx": 4096, "n_ctx_train": 40_960}}),
            4096,
            None,
        ),
        (
            json!({"capabilities": {"limits": {"max_context_window_tokens": 264_000,
                "max_output_tokens": 64_000}}}),
            264_000,
            Some(64_000),
        ),
        (
            json!({"model_spec": {"availableContextTokens": 5, "maxCompletionTokens": 3}}),
            5,
            Some(3),
        ),
    ] {
        let mut model = model;
        model["id"] = json!("m");
        let info = one(model);
        assert_eq!(
            (info.context_window, info.max_output_tokens),
            (Some(window), output)
        );
    }
}

#[test]
fn features_are_read_where_they_are_listed() {
    let mistral = one(
        json!({"id": "m", "deprecation": "2026-08-31T12:00:00Z", "capabilities":
        {"function_calling": true, "vision": false, "audio": false, "reasoning": true}}),
    );
    assert_eq!(mistral.features.tools, Some(true));
    assert_eq!(mistral.features.vision, Some(false));
    assert_eq!(mistral.lifecycle, Lifecycle::Deprecated);
    assert_eq!(mistral.retires.as_deref(), Some("2026-08-31"));

    let openrouter = one(json!({"id": "a/b", "name": "A: B",
        "architecture": {"input_modalities": ["text", "image"]},
        "supported_parameters": ["tools", "structured_outputs"]}));
    assert_eq!(openrouter.display_name.as_deref(), Some("A: B"));
    assert_eq!(openrouter.features.tools, Some(true));
    assert_eq!(openrouter.features.vision, Some(true));
    assert_eq!(openrouter.features.audio_input, Some(false));
    assert_eq!(openrouter.features.json_schema, Some(true));
    assert_eq!(openrouter.features.reasoning, Some(false));

    let groq = one(json!({"id": "m", "active": false, "input_modalities": ["audio"]}));
    assert_eq!(groq.lifecycle, Lifecycle::Retired);
    assert_eq!(groq.features.vision, Some(false));

    let xai = one(json!({"id": "grok-4.7", "capabilities": {"reasoning_effort": ["low", "high"]}}));
    assert_eq!(xai.settings.get("effort_low"), Some(&true));
    assert_eq!(xai.settings.get("effort_max"), Some(&false));
    assert_eq!(xai.settings.get("thinking_off"), Some(&false));
}

#[test]
fn a_list_may_be_bare_and_a_model_have_a_name_only() {
    assert_eq!(
        list(&json!([{"id": "a"}, {"name": "b"}, {"other": 1}])).len(),
        2
    );
    let wire = asked("openai").wire;
    assert!(wire.read_models(b"{}").is_err());
    assert!(wire.read_models(b"<html>").is_err());
}

#[test]
fn a_check_tells_the_state_of_the_key() {
    let wire = asked("openrouter").wire;
    let status = |body: &Value| wire.read_key_status(Ok(body.to_string().as_bytes()));
    assert_eq!(
        status(&json!({"data": {"limit_remaining": 4.2}})),
        KeyStatus::Valid
    );
    assert_eq!(
        status(&json!({"data": {"limit_remaining": null}})),
        KeyStatus::Valid
    );
    assert_eq!(
        status(&json!({"data": {"limit_remaining": 0}})),
        KeyStatus::NoCredit
    );
    let after = |status: u16, body: &[u8]| {
        let error = wire.error(status, &HeaderMap::new(), body);
        wire.read_key_status(Err(&error))
    };
    let xai = br#"{"code":"invalid-argument","error":"Incorrect API key provided. ..."}"#;
    assert_eq!(after(401, b"{}"), KeyStatus::Invalid);
    assert_eq!(after(400, xai), KeyStatus::Invalid);
    assert_eq!(after(403, b"{}"), KeyStatus::Restricted);
    assert_eq!(after(402, b"{}"), KeyStatus::NoCredit);
    assert_eq!(after(500, b"{}"), KeyStatus::Unknown);
    assert_eq!(after(429, b"{}"), KeyStatus::Unknown);
}

#[test]
fn headers_tell_the_request_and_its_limits() {
    let headers: HeaderMap = [
        ("x-request-id", "req_1"),
        ("x-ratelimit-limit-requests", "60"),
        ("x-ratelimit-remaining-requests", "59"),
        ("x-ratelimit-reset-requests", "1s"),
        ("openai-processing-ms", "120"),
        ("set-cookie", "secret"),
    ]
    .into_iter()
    .map(|(name, value)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    })
    .collect();
    let model = ModelId::parse("m").unwrap();
    let mut head = Head::new("openai.chat", "openai", model, Delivery::Whole);
    asked("openai").wire.read_headers(&headers, &mut head);
    assert_eq!(head.request_id.as_deref(), Some("req_1"));
    assert_eq!(head.rate_limits[0].remaining, Some(59));
    assert_eq!(
        head.headers,
        [("openai-processing-ms".to_owned(), "120".to_owned())]
    );
}
