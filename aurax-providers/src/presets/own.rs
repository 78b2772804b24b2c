//! Vendors with a wire of their own.

use crate::preset::{Auth, KeyPolicy, Preset, Protocol};

pub(super) fn presets() -> Vec<Preset> {
    Vec::from([
        #[cfg(feature = "anthropic")]
        anthropic(),
        #[cfg(feature = "gemini")]
        gemini(),
        #[cfg(feature = "ollama")]
        ollama(),
    ])
}

/// <https://platform.claude.com/docs/en/api/overview>
#[cfg(feature = "anthropic")]
fn anthropic() -> Preset {
    Preset {
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
    }
}

/// <https://ai.google.dev/api>; the variables are those of the google-genai SDK.
#[cfg(feature = "gemini")]
fn gemini() -> Preset {
    Preset {
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
    }
}

/// <https://github.com/ollama/ollama/blob/main/docs/api.md>
#[cfg(feature = "ollama")]
fn ollama() -> Preset {
    Preset {
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
    }
}
