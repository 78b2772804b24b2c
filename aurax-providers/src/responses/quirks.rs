//! Where servers of this wire deviate.

/// Where a server deviates from OpenAI's responses API.
///
/// Each field is a fact about what the server takes, with its source. [`Quirks::openai`] is OpenAI
/// itself; [`Quirks::default`] is what servers of open models take.
///
/// ```
/// use aurax_providers::responses::Quirks;
///
/// assert!(Quirks::openai().encrypted_reasoning);
/// assert!(!Quirks::default().encrypted_reasoning);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a flat list of yes and no is the point"
)]
pub struct Quirks {
    /// `store`, and `include: ["reasoning.encrypted_content"]` where nothing is to be stored: OpenAI
    /// (<https://platform.openai.com/docs/guides/reasoning#encrypted-reasoning-items>), xAI
    /// (<https://docs.x.ai/docs/guides/chat>). Servers of open models keep nothing and encrypt
    /// nothing.
    pub encrypted_reasoning: bool,
    /// `max_output_tokens`. ChatGPT's own backend is never sent it
    /// (<https://github.com/openai/codex>, wire recordings).
    pub output_limit: bool,
    /// `metadata`. xAI does not support it (<https://docs.x.ai/docs/api-reference>).
    pub metadata: bool,
    /// `truncation`. xAI does not support it (<https://docs.x.ai/docs/api-reference>).
    pub truncation: bool,
    /// `prompt_cache_key`.
    pub cache_key: bool,
    /// `logprobs: true` beside `top_logprobs`: xAI (<https://docs.x.ai/docs/api-reference>).
    /// Elsewhere they are asked for with `include`.
    pub logprobs_flag: bool,
    /// `safety_identifier`, which replaced `user` at OpenAI
    /// (<https://platform.openai.com/docs/guides/safety-best-practices>); elsewhere `user`.
    pub safety_identifier: bool,
    /// The path of its list of models; `None` where there is no list.
    pub models: Option<&'static str>,
    /// The cheapest path that tells whether a key works; `None` where every path costs or is open.
    pub key: Option<&'static str>,
}

impl Quirks {
    /// What servers of open models take (llama.cpp, vLLM, mistral.rs).
    pub const fn compatible() -> Self {
        Self {
            encrypted_reasoning: false,
            output_limit: true,
            metadata: false,
            truncation: false,
            cache_key: false,
            logprobs_flag: false,
            safety_identifier: false,
            models: Some("/models"),
            key: Some("/models"),
        }
    }

    /// OpenAI itself: no deviation.
    pub const fn openai() -> Self {
        Self {
            encrypted_reasoning: true,
            metadata: true,
            truncation: true,
            cache_key: true,
            safety_identifier: true,
            ..Self::compatible()
        }
    }

    /// xAI (<https://docs.x.ai/docs/api-reference>).
    pub const fn xai() -> Self {
        Self {
            encrypted_reasoning: true,
            cache_key: true,
            logprobs_flag: true,
            ..Self::compatible()
        }
    }

    /// ChatGPT's own backend, which answers in streams only and lists no models.
    pub const fn chatgpt() -> Self {
        Self {
            output_limit: false,
            metadata: false,
            models: None,
            key: None,
            ..Self::openai()
        }
    }
}

impl Default for Quirks {
    fn default() -> Self {
        Self::compatible()
    }
}
