//! Lists of models, in the shapes vendors of this wire give them.

use aurax_core::{Error, ErrorKind, Lifecycle, ModelInfo, Phase, Result};
use serde_json::Value;

/// Reads a list: `{"data":[…]}`, or a bare list (Together).
pub(crate) fn read(body: &[u8]) -> Result<Vec<ModelInfo>> {
    let unreadable = || {
        Error::new(ErrorKind::Decode, "the list of models cannot be read").with_phase(Phase::Body)
    };
    let body: Value = serde_json::from_slice(body).map_err(|e| unreadable().with_source(e))?;
    let list = body.as_array().or_else(|| body.get("data")?.as_array());
    let models = list.ok_or_else(unreadable)?.iter();
    Ok(models.filter_map(model).collect())
}

/// Where vendors keep the size of the context window: Groq, vLLM, OpenRouter and Together,
/// Mistral, llama.cpp, Copilot, Venice.
const CONTEXT_WINDOW: &[&str] = &[
    "/context_window",
    "/max_model_len",
    "/context_length",
    "/max_context_length",
    "/meta/n_ctx",
    "/capabilities/limits/max_context_window_tokens",
    "/model_spec/availableContextTokens",
];

const MAX_INPUT: &[&str] = &["/capabilities/limits/max_prompt_tokens"];

const MAX_OUTPUT: &[&str] = &[
    "/max_completion_tokens",
    "/top_provider/max_completion_tokens",
    "/capabilities/limits/max_output_tokens",
    "/model_spec/maxCompletionTokens",
];

const TOOLS: &[&str] = &[
    "/supports_tools",
    "/capabilities/function_calling",
    "/capabilities/supports/tool_calls",
    "/model_spec/capabilities/supportsFunctionCalling",
];

const PARALLEL_TOOLS: &[&str] = &["/capabilities/supports/parallel_tool_calls"];

const VISION: &[&str] = &[
    "/supports_image_input",
    "/capabilities/vision",
    "/capabilities/supports/vision",
    "/model_spec/capabilities/supportsVision",
];

const AUDIO: &[&str] = &[
    "/capabilities/audio",
    "/model_spec/capabilities/supportsAudioInput",
];

const VIDEO: &[&str] = &["/model_spec/capabilities/supportsVideoInput"];

const JSON_SCHEMA: &[&str] = &[
    "/capabilities/supports/structured_outputs",
    "/model_spec/capabilities/supportsResponseSchema",
];

const REASONING: &[&str] = &[
    "/capabilities/reasoning",
    "/model_spec/capabilities/supportsReasoning",
];

/// Levels of effort: Copilot, xAI, Venice.
const EFFORTS: &[&str] = &[
    "/capabilities/supports/reasoning_effort",
    "/capabilities/reasoning_effort",
    "/model_spec/capabilities/reasoningEffortOptions",
];

fn model(model: &Value) -> Option<ModelInfo> {
    let text = |name: &str| model.get(name).and_then(Value::as_str);
    let id = text("id").or_else(|| text("name"))?;
    let mut info = ModelInfo::new(id);
    info.display_name = ["/display_name", "/model_spec/name", "/name"]
        .iter()
        .find_map(|path| model.pointer(path)?.as_str())
        .filter(|name| *name != id)
        .map(str::to_owned);
    info.context_window = first(model, CONTEXT_WINDOW, Value::as_u64);
    info.max_input_tokens = first(model, MAX_INPUT, Value::as_u64);
    info.max_output_tokens = first(model, MAX_OUTPUT, Value::as_u64);
    info.created = model.get("created").and_then(Value::as_i64);
    info.owned_by = text("owned_by")
        .or_else(|| text("vendor"))
        .or_else(|| text("organization"))
        .map(str::to_owned);
    let truth = |paths| first(model, paths, Value::as_bool);
    info.features.tools = truth(TOOLS).or_else(|| takes(model, "tools"));
    info.features.parallel_tools = truth(PARALLEL_TOOLS);
    info.features.vision = truth(VISION).or_else(|| hears(model, "image"));
    info.features.audio_input = truth(AUDIO).or_else(|| hears(model, "audio"));
    info.features.video_input = truth(VIDEO).or_else(|| hears(model, "video"));
    info.features.json_schema = truth(JSON_SCHEMA).or_else(|| takes(model, "structured_outputs"));
    info.features.reasoning = truth(REASONING).or_else(|| takes(model, "reasoning"));
    lifecycle(model, &mut info);
    efforts(model, &mut info);
    Some(info)
}

fn first<T>(model: &Value, paths: &[&str], read: fn(&Value) -> Option<T>) -> Option<T> {
    paths.iter().find_map(|path| read(model.pointer(path)?))
}

/// OpenRouter lists the parameters a model takes.
fn takes(model: &Value, parameter: &str) -> Option<bool> {
    names(model.get("supported_parameters")?, parameter)
}

/// Groq and OpenRouter list what a model perceives.
fn hears(model: &Value, medium: &str) -> Option<bool> {
    let media = model
        .get("input_modalities")
        .or_else(|| model.pointer("/architecture/input_modalities"))?;
    names(media, medium)
}

fn names(list: &Value, name: &str) -> Option<bool> {
    let list = list.as_array()?;
    Some(list.iter().any(|item| item.as_str() == Some(name)))
}

/// Mistral announces an end; Groq says what is out of service.
fn lifecycle(model: &Value, info: &mut ModelInfo) {
    if let Some(end) = model.get("deprecation").and_then(Value::as_str) {
        info.lifecycle = Lifecycle::Deprecated;
        info.retires = end.get(..10).map(str::to_owned);
    }
    if model.get("active") == Some(&Value::Bool(false)) {
        info.lifecycle = Lifecycle::Retired;
    }
}

/// What a list says of levels of effort, under the names the rules have for them.
fn efforts(model: &Value, info: &mut ModelInfo) {
    const LEVELS: [(&str, &str); 5] = [
        ("low", "effort_low"),
        ("medium", "effort_medium"),
        ("high", "effort_high"),
        ("xhigh", "effort_xhigh"),
        ("max", "effort_max"),
    ];
    let Some(list) = EFFORTS.iter().find_map(|path| model.pointer(path)) else {
        return;
    };
    let mut has_levels = false;
    for (word, setting) in LEVELS {
        let listed = names(list, word).unwrap_or_default();
        has_levels |= listed;
        info.settings.insert(setting.to_owned(), listed);
    }
    info.settings.insert("effort".to_owned(), has_levels);
    if let Some(off) = names(list, "none") {
        info.settings.insert("thinking_off".to_owned(), off);
    }
}
