//! Vendors that speak OpenAI chat completions, in the order of their names.

use super::{WITH_TOP_K, compatible};
use crate::openai::{
    JsonOutput, Limit, Metadata, Names, Parts, Quirks, ReasoningControl, Seed, Takes, Thoughts,
    ToolIds, User,
};
use crate::preset::{Auth, KeyPolicy, Preset, Protocol};

/// What a hosted vendor has in common with the others: a key as bearer token, prices and traces
/// under its own name.
pub(super) fn hosted(name: &'static str, base_url: &'static str, quirks: Quirks) -> Preset {
    Preset {
        key: KeyPolicy::Required,
        prices: Some(name),
        protocol: Protocol::OpenAi(quirks),
        ..compatible(name, base_url)
    }
}

pub(super) fn presets() -> Vec<Preset> {
    Vec::from([
        // The v1 API, where the model is the deployment's name and every resource has an address of
        // its own: https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle
        Preset {
            aliases: &["azure"],
            base_url_vars: &["AZURE_OPENAI_BASE_URL"],
            key_vars: &["AZURE_OPENAI_API_KEY"],
            auth: Auth::Header(http::HeaderName::from_static("api-key")),
            prices: Some("azure"),
            trace_name: "azure.ai.openai",
            rules: Some(include_str!("../../models/openai.json")),
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
            rules: Some(include_str!("../../models/deepseek.json")),
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
            rules: Some(include_str!("../../models/groq.json")),
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
        // https://docs.mistral.ai/api/
        Preset {
            aliases: &["mistralai"],
            base_url_vars: &["MISTRAL_BASE_URL"],
            key_vars: &["MISTRAL_API_KEY"],
            default_model: Some("mistral-small-latest"),
            trace_name: "mistral_ai",
            rules: Some(include_str!("../../models/mistral.json")),
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
            rules: Some(include_str!("../../models/openai.json")),
            ..hosted("openai", "https://api.openai.com/v1", Quirks::openai())
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
        // https://docs.x.ai/docs/api-reference
        Preset {
            aliases: &["grok", "x-ai"],
            base_url_vars: &["XAI_BASE_URL"],
            key_vars: &["XAI_API_KEY"],
            default_model: Some("grok-4.3"),
            trace_name: "x_ai",
            rules: Some(include_str!("../../models/xai.json")),
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
    ])
}
