//! Vendors as data: one entry a vendor, nothing else to add.
//!
//! Names of variables are those of the vendors' own SDKs; addresses and deviations come from their
//! documentation, which each entry names.

use std::sync::LazyLock;

use crate::preset::Preset;
#[cfg(any(
    feature = "openai",
    feature = "anthropic",
    feature = "gemini",
    feature = "ollama"
))]
use crate::preset::{Auth, KeyPolicy, Protocol};

#[cfg(feature = "openai")]
use crate::openai::{
    JsonOutput, Limit, Metadata, Names, Parts, Quirks, ReasoningControl, Seed, Takes, Thoughts,
    ToolIds, User,
};

/// Every vendor there is a preset for, by wire and name.
pub fn all() -> &'static [Preset] {
    static ALL: LazyLock<Vec<Preset>> = LazyLock::new(|| {
        let own = anthropic().into_iter().chain(gemini()).chain(ollama());
        own.chain(openai_chat()).chain(openai_responses()).collect()
    });
    &ALL
}

/// The vendor of that name or alias, whatever the case.
///
/// ```
/// use aurax_providers::presets;
///
/// assert_eq!(presets::find("Claude").map(|preset| preset.name), Some("anthropic"));
/// assert_eq!(presets::near("opanai").first(), Some(&"openai"));
/// ```
pub fn find(name: &str) -> Option<&'static Preset> {
    all()
        .iter()
        .find(|preset| names(preset).any(|known| known.eq_ignore_ascii_case(name)))
}

/// The vendors somebody may have meant by `name`, the nearest first; five at most.
pub fn near(name: &str) -> Vec<&'static str> {
    const ALIKE: f64 = 0.75;
    let name = name.to_ascii_lowercase();
    let likeness = |known: &str| {
        let begins = name.len() >= 2 && (known.starts_with(&name) || name.starts_with(known));
        if begins {
            1.0
        } else {
            strsim::jaro_winkler(known, &name)
        }
    };
    let mut near: Vec<(f64, &'static str)> = all()
        .iter()
        .map(|preset| {
            let best = names(preset).map(likeness).fold(0.0, f64::max);
            (best, preset.name)
        })
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .collect();
    near.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    near.into_iter().take(5).map(|(_, name)| name).collect()
}

fn names(preset: &Preset) -> impl Iterator<Item = &'static str> {
    std::iter::once(preset.name).chain(preset.aliases.iter().copied())
}

/// Any server that speaks OpenAI chat completions, at `base_url`; paths such as
/// `/chat/completions` are appended to it.
///
/// It accepts what nearly every such server does ([`Quirks::default`]). Where name and address are
/// known only at run time, take `openai-compatible` from [`find`] and set both in the options.
#[cfg(feature = "openai")]
pub fn compatible(name: &'static str, base_url: &'static str) -> Preset {
    Preset {
        name,
        aliases: &[],
        base_url,
        base_url_vars: &[],
        key_vars: &[],
        key: KeyPolicy::Optional,
        auth: Auth::Bearer,
        prices: None,
        trace_name: name,
        takes_bare_names: true,
        default_model: None,
        rules: None,
        protocol: Protocol::OpenAi(Quirks::compatible()),
    }
}

/// <https://platform.claude.com/docs/en/api/overview>
#[cfg(feature = "anthropic")]
fn anthropic() -> [Preset; 1] {
    [Preset {
        name: "anthropic",
        aliases: &["claude"],
        base_url: "https://api.anthropic.com",
        base_url_vars: &["ANTHROPIC_BASE_URL"],
        key_vars: &["ANTHROPIC_API_KEY"],
        key: KeyPolicy::Required,
        auth: Auth::Header(http::HeaderName::from_static("x-api-key")),
        prices: Some("anthropic"),
        trace_name: "anthropic",
        takes_bare_names: true,
        default_model: Some("claude-haiku-4-5"),
        rules: Some(crate::anthropic::RULES),
        protocol: Protocol::Anthropic,
    }]
}

#[cfg(not(feature = "anthropic"))]
fn anthropic() -> [Preset; 0] {
    []
}

/// <https://ai.google.dev/api>; the variables are those of the google-genai SDK.
#[cfg(feature = "gemini")]
fn gemini() -> [Preset; 1] {
    [Preset {
        name: "gemini",
        aliases: &["google"],
        base_url: "https://generativelanguage.googleapis.com",
        base_url_vars: &["GEMINI_BASE_URL"],
        key_vars: &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
        key: KeyPolicy::Required,
        auth: Auth::Header(http::HeaderName::from_static("x-goog-api-key")),
        prices: Some("google"),
        trace_name: "gcp.gemini",
        default_model: Some("gemini-2.5-flash-lite"),
        takes_bare_names: true,
        rules: Some(crate::gemini::RULES),
        protocol: Protocol::Gemini,
    }]
}

#[cfg(not(feature = "gemini"))]
fn gemini() -> [Preset; 0] {
    []
}

/// <https://github.com/ollama/ollama/blob/main/docs/api.md>
#[cfg(feature = "ollama")]
fn ollama() -> [Preset; 1] {
    [Preset {
        name: "ollama",
        aliases: &[],
        base_url: "http://127.0.0.1:11434",
        base_url_vars: &["OLLAMA_HOST"],
        key_vars: &["OLLAMA_API_KEY"],
        key: KeyPolicy::Optional,
        auth: Auth::Bearer,
        prices: Some("ollama"),
        trace_name: "ollama",
        default_model: None,
        takes_bare_names: true,
        rules: Some(crate::ollama::RULES),
        protocol: Protocol::Ollama,
    }]
}

#[cfg(not(feature = "ollama"))]
fn ollama() -> [Preset; 0] {
    []
}

#[cfg(not(feature = "openai"))]
fn openai_chat() -> [Preset; 0] {
    []
}

#[cfg(not(feature = "openai"))]
fn openai_responses() -> [Preset; 0] {
    []
}

/// What a hosted vendor has in common with the others: a key as bearer token, prices and traces
/// under its own name.
#[cfg(feature = "openai")]
fn hosted(name: &'static str, base_url: &'static str, quirks: Quirks) -> Preset {
    Preset {
        key: KeyPolicy::Required,
        prices: Some(name),
        protocol: Protocol::OpenAi(quirks),
        ..compatible(name, base_url)
    }
}

#[cfg(feature = "openai")]
fn openai_chat() -> [Preset; 15] {
    [
        // The v1 API, where the model is the deployment's name and every resource has an address of
        // its own: https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle
        Preset {
            aliases: &["azure"],
            base_url_vars: &["AZURE_OPENAI_BASE_URL"],
            key_vars: &["AZURE_OPENAI_API_KEY"],
            auth: Auth::Header(http::HeaderName::from_static("api-key")),
            prices: Some("azure"),
            trace_name: "azure.ai.openai",
            rules: Some(include_str!("../models/openai.json")),
            ..hosted("azure-openai", "", Quirks::openai())
        },
        // https://inference-docs.cerebras.ai/api-reference/chat-completions
        Preset {
            base_url_vars: &["CEREBRAS_BASE_URL"],
            key_vars: &["CEREBRAS_API_KEY"],
            default_model: Some("gpt-oss-120b"),
            ..hosted(
                "cerebras",
                "https://api.cerebras.ai/v1",
                Quirks {
                    names: Names {
                        limit: Limit::MaxCompletionTokens,
                        ..Names::COMPATIBLE
                    },
                    ..Quirks::compatible()
                },
            )
        },
        // https://api-docs.deepseek.com/api/create-chat-completion
        Preset {
            base_url_vars: &["DEEPSEEK_BASE_URL"],
            key_vars: &["DEEPSEEK_API_KEY"],
            default_model: Some("deepseek-flash"),
            rules: Some(include_str!("../models/deepseek.json")),
            ..hosted(
                "deepseek",
                "https://api.deepseek.com",
                Quirks {
                    takes: Takes {
                        stops: Some(16),
                        ..Takes::COMPATIBLE
                    },
                    parts: Parts::Text,
                    json: JsonOutput::Object,
                    reasoning: ReasoningControl::Thinking,
                    thoughts: Thoughts::ReasoningContentWithTools,
                    ..Quirks::compatible()
                },
            )
        },
        // https://docs.fireworks.ai/api-reference/post-chatcompletions
        Preset {
            aliases: &["fireworks_ai"],
            base_url_vars: &["FIREWORKS_BASE_URL"],
            key_vars: &["FIREWORKS_API_KEY"],
            default_model: Some("accounts/fireworks/models/gpt-oss-20b"),
            ..hosted(
                "fireworks",
                "https://api.fireworks.ai/inference/v1",
                Quirks {
                    takes: WITH_TOP_K,
                    thoughts: Thoughts::ReasoningContent,
                    ..Quirks::compatible()
                },
            )
        },
        // https://console.groq.com/docs/openai
        Preset {
            base_url_vars: &["GROQ_BASE_URL"],
            key_vars: &["GROQ_API_KEY"],
            default_model: Some("openai/gpt-oss-20b"),
            rules: Some(include_str!("../models/groq.json")),
            ..hosted(
                "groq",
                "https://api.groq.com/openai/v1",
                Quirks {
                    takes: Takes {
                        speaker_names: false,
                        stops: Some(4),
                        ..Takes::COMPATIBLE
                    },
                    reasoning: ReasoningControl::EffortOrHidden,
                    ..Quirks::compatible()
                },
            )
        },
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
        // https://docs.mistral.ai/api/
        Preset {
            aliases: &["mistralai"],
            base_url_vars: &["MISTRAL_BASE_URL"],
            key_vars: &["MISTRAL_API_KEY"],
            default_model: Some("mistral-small-latest"),
            trace_name: "mistral_ai",
            rules: Some(include_str!("../models/mistral.json")),
            ..hosted(
                "mistral",
                "https://api.mistral.ai/v1",
                Quirks {
                    names: Names {
                        required: "any",
                        seed: Seed::RandomSeed,
                        user: User::None,
                        dimensions: "output_dimension",
                        ..Names::COMPATIBLE
                    },
                    takes: Takes {
                        stream_usage: false,
                        speaker_names: false,
                        cache_key: true,
                        metadata: Metadata::Always,
                        ..Takes::COMPATIBLE
                    },
                    parts: Parts::Mistral,
                    tool_ids: ToolIds::NineAlphanumeric,
                    thoughts: Thoughts::Content,
                    ..Quirks::compatible()
                },
            )
        },
        // https://platform.openai.com/docs/api-reference/chat
        Preset {
            base_url_vars: &["OPENAI_BASE_URL"],
            key_vars: &["OPENAI_API_KEY"],
            default_model: Some("gpt-4o-mini"),
            rules: Some(include_str!("../models/openai.json")),
            ..hosted("openai", "https://api.openai.com/v1", Quirks::openai())
        },
        // Whatever else speaks the wire; its address comes from the options or the variable.
        Preset {
            aliases: &["compatible"],
            base_url_vars: &["OPENAI_COMPATIBLE_BASE_URL"],
            key_vars: &["OPENAI_COMPATIBLE_API_KEY"],
            ..compatible("openai-compatible", "")
        },
        // Its list of models is public: https://openrouter.ai/docs/api-reference/overview
        Preset {
            base_url_vars: &["OPENROUTER_BASE_URL"],
            key_vars: &["OPENROUTER_API_KEY"],
            default_model: Some("openai/gpt-4o-mini"),
            ..hosted(
                "openrouter",
                "https://openrouter.ai/api/v1",
                Quirks {
                    takes: Takes {
                        refusals: true,
                        cache_key: true,
                        ..WITH_TOP_K
                    },
                    parts: Parts::OpenRouter,
                    reasoning: ReasoningControl::Object,
                    thoughts: Thoughts::Details,
                    key: Some("/key"),
                    ..Quirks::compatible()
                },
            )
        },
        // It lists no models and bills every check of a key:
        // https://docs.perplexity.ai/api-reference/chat-completions-post
        Preset {
            aliases: &["pplx"],
            base_url_vars: &["PERPLEXITY_BASE_URL"],
            key_vars: &["PERPLEXITY_API_KEY", "PPLX_API_KEY"],
            ..hosted(
                "perplexity",
                "https://api.perplexity.ai",
                Quirks {
                    takes: Takes {
                        top_k: true,
                        ..Takes::COMPATIBLE
                    },
                    json: JsonOutput::Schema,
                    reasoning_outside_output: true,
                    models: None,
                    key: None,
                    ..Quirks::compatible()
                },
            )
        },
        // https://docs.together.ai/reference/chat-completions
        Preset {
            aliases: &["together_ai", "togetherai"],
            base_url_vars: &["TOGETHER_BASE_URL"],
            key_vars: &["TOGETHER_API_KEY"],
            default_model: Some("openai/gpt-oss-120b"),
            ..hosted(
                "together",
                "https://api.together.xyz/v1",
                Quirks {
                    takes: WITH_TOP_K,
                    ..Quirks::compatible()
                },
            )
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
        // https://docs.x.ai/docs/api-reference
        Preset {
            aliases: &["grok", "x-ai"],
            base_url_vars: &["XAI_BASE_URL"],
            key_vars: &["XAI_API_KEY"],
            default_model: Some("grok-4.3"),
            trace_name: "x_ai",
            rules: Some(include_str!("../models/xai.json")),
            ..hosted(
                "xai",
                "https://api.x.ai/v1",
                Quirks {
                    names: Names {
                        limit: Limit::MaxCompletionTokens,
                        ..Names::COMPATIBLE
                    },
                    reasoning_outside_output: true,
                    ..Quirks::compatible()
                },
            )
        },
    ]
}

/// The same vendors over another wire: keys, addresses, prices and models are those of `openai` and
/// `xai`, which bare names of models lead to.
#[cfg(feature = "openai")]
fn openai_responses() -> [Preset; 2] {
    use crate::responses;

    [
        // https://platform.openai.com/docs/api-reference/responses
        Preset {
            base_url_vars: &["OPENAI_BASE_URL"],
            key_vars: &["OPENAI_API_KEY"],
            prices: Some("openai"),
            trace_name: "openai",
            takes_bare_names: false,
            rules: Some(include_str!("../models/openai.json")),
            protocol: Protocol::Responses(responses::Quirks::openai()),
            ..hosted(
                "openai-responses",
                "https://api.openai.com/v1",
                Quirks::openai(),
            )
        },
        // https://docs.x.ai/docs/api-reference#create-new-response
        Preset {
            base_url_vars: &["XAI_BASE_URL"],
            key_vars: &["XAI_API_KEY"],
            prices: Some("xai"),
            trace_name: "x_ai",
            takes_bare_names: false,
            rules: Some(include_str!("../models/xai.json")),
            protocol: Protocol::Responses(responses::Quirks::xai()),
            ..hosted("xai-responses", "https://api.x.ai/v1", Quirks::compatible())
        },
    ]
}

/// Servers of open models sample by `top_k` and `min_p` too.
#[cfg(feature = "openai")]
const WITH_TOP_K: Takes = Takes {
    top_k: true,
    min_p: true,
    ..Takes::COMPATIBLE
};

#[cfg(all(
    test,
    feature = "openai",
    feature = "anthropic",
    feature = "gemini",
    feature = "ollama"
))]
mod tests;
