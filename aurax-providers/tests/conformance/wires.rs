//! The wire a case speaks, and the call it answers.

use aurax_core::{Call, EmbedRequest, Message, ModelId, Request, Result};
use aurax_providers::wire::{Target, Wire};
use aurax_providers::{ModelRules, Protocol, presets};
use aurax_providers::{
    anthropic::Anthropic, gemini::Gemini, ollama::Ollama, openai::OpenAi, responses,
};
use serde_json::Value;

/// The wire for an api of `provider`, in the way its preset says; `None` while there is none.
pub(crate) fn wire_for(api: &str, provider: &str) -> Option<Box<dyn Wire>> {
    match api {
        "openai.chat" | "openai.models" | "openai.embeddings" => Some(Box::new(open_ai(provider))),
        "openai.responses" => Some(Box::new(open_ai_responses(provider))),
        "anthropic.messages" | "anthropic.models" => Some(Box::new(Anthropic::new())),
        "gemini.generate" | "gemini.embed" | "gemini.models" => Some(Box::new(Gemini::new())),
        "ollama.chat" | "ollama.tags" => Some(Box::new(Ollama::new())),
        _ => None,
    }
}

/// Chat completions as `provider` speaks them; one without a preset is any compatible server.
pub(crate) fn open_ai(provider: &str) -> OpenAi {
    let name = match provider {
        "llamacpp" => "llama.cpp",
        other => other,
    };
    let preset = presets::find(name).map(|preset| preset.protocol.clone());
    match preset {
        Some(Protocol::OpenAi(quirks)) => OpenAi::new(quirks),
        _ => OpenAi::default(),
    }
}

/// Responses as `provider` speaks them.
pub(crate) fn open_ai_responses(provider: &str) -> responses::Responses {
    let preset = presets::find(&format!("{provider}-responses"));
    match preset.map(|preset| preset.protocol.clone()) {
        Some(Protocol::Responses(quirks)) => responses::Responses::new(quirks),
        _ => responses::Responses::default(),
    }
}

/// The call of an api, as far as decoding its answer depends on it.
pub(crate) fn call_of(
    api: &str,
    provider: &str,
    body: &Value,
    is_stream: bool,
) -> Result<(Call, Target)> {
    let (call, target) = call_for(provider, body, is_stream)?;
    if !api.contains(".embed") {
        return Ok((call, target));
    }
    let texts = body.get("input").or_else(|| body.get("requests"));
    let texts = texts.and_then(Value::as_array).map_or(1, Vec::len);
    let request = EmbedRequest::new(vec!["-"; texts]);
    Ok((Call::embed(call.model, request), target))
}

/// The call a recorded request made, as far as decoding its answer depends on it.
pub(crate) fn call_for(provider: &str, body: &Value, is_stream: bool) -> Result<(Call, Target)> {
    let model = body.get("model").and_then(Value::as_str);
    let model = ModelId::parse(model.unwrap_or("-"))?;
    let mut request = Request::new([Message::user("-")]).with_stream(is_stream);
    request.n = body
        .get("n")
        .and_then(Value::as_u64)
        .and_then(|n| n.try_into().ok());
    let target = Target {
        provider: provider.into(),
        model: model.clone(),
        rules: ModelRules::default(),
        info: None,
    };
    Ok((Call::chat(model, request), target))
}
