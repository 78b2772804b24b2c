//! Servers of OpenAI chat completions that one runs oneself.

use super::{WITH_TOP_K, compatible};
use crate::openai::{JsonOutput, Quirks, ReasoningControl, Thoughts};
use crate::preset::{Preset, Protocol};

pub(super) fn presets() -> Vec<Preset> {
    Vec::from([
        // Its list of models is open even where a key is set:
        // https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md
        Preset {
            aliases: &["llamacpp", "llama-cpp"],
            base_url_vars: &["LLAMA_BASE_URL"],
            key_vars: &["LLAMA_API_KEY"],
            protocol: Protocol::OpenAi(Quirks {
                takes: WITH_TOP_K,
                reasoning: ReasoningControl::Template,
                thoughts: Thoughts::ReasoningContent,
                key: None,
                ..Quirks::compatible()
            }),
            ..compatible("llama.cpp", "http://127.0.0.1:8080/v1")
        },
        // https://lmstudio.ai/docs/developer/openai-compat
        Preset {
            aliases: &["lmstudio"],
            base_url_vars: &["LMSTUDIO_BASE_URL"],
            key_vars: &["LMSTUDIO_API_KEY"],
            protocol: Protocol::OpenAi(Quirks {
                takes: WITH_TOP_K,
                json: JsonOutput::Schema,
                ..Quirks::compatible()
            }),
            ..compatible("lm-studio", "http://127.0.0.1:1234/v1")
        },
        // Whatever else speaks the wire; its address comes from the options or the variable.
        Preset {
            aliases: &["compatible"],
            base_url_vars: &["OPENAI_COMPATIBLE_BASE_URL"],
            key_vars: &["OPENAI_COMPATIBLE_API_KEY"],
            ..compatible("openai-compatible", "")
        },
        // https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html
        Preset {
            base_url_vars: &["VLLM_BASE_URL"],
            key_vars: &["VLLM_API_KEY"],
            protocol: Protocol::OpenAi(Quirks {
                takes: WITH_TOP_K,
                reasoning: ReasoningControl::Template,
                thoughts: Thoughts::ReasoningContent,
                ..Quirks::compatible()
            }),
            ..compatible("vllm", "http://127.0.0.1:8000/v1")
        },
    ])
}
