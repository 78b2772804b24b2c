//! Where vendors deviate from OpenAI's own chat completions.

/// Where a vendor deviates from OpenAI's own chat completions; each field is a fact about what it
/// accepts or sends, with its source.
///
/// [`Quirks::default`] is what nearly every compatible server accepts; [`Quirks::openai`] is
/// OpenAI itself.
///
/// ```
/// use aurax_providers::openai::{Quirks, Thoughts};
///
/// let mut quirks = Quirks::default();
/// quirks.thoughts = Thoughts::ReasoningContent;
/// assert!(quirks.takes.stream_usage);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quirks {
    /// What it calls settings that have several names.
    pub names: Names,
    /// Which optional fields it takes.
    pub takes: Takes,
    /// Which content besides text it takes.
    pub parts: Parts,
    /// Which kinds of structured output it has.
    pub json: JsonOutput,
    /// Which ids of tool calls it takes.
    pub tool_ids: ToolIds,
    /// How it is told how much to think.
    pub reasoning: ReasoningControl,
    /// How the model's own thoughts go back to it.
    pub thoughts: Thoughts,
    /// It counts thoughts and citations beside `completion_tokens`, not within: xAI
    /// (<https://docs.x.ai/docs/guides/reasoning>) and Perplexity
    /// (<https://docs.perplexity.ai/getting-started/pricing>).
    pub reasoning_outside_output: bool,
    /// The path of its list of models; `None` where there is no list.
    pub models: Option<&'static str>,
    /// The cheapest path that tells whether a key works; `None` where every path costs or is open.
    pub key: Option<&'static str>,
}

/// What a vendor calls settings that have several names.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Names {
    /// The limit on output, unless the model's rules say otherwise.
    pub limit: Limit,
    /// The tool choice that forces the use of some tool: `required`, or Mistral's `any`
    /// (<https://docs.mistral.ai/capabilities/function_calling>).
    pub required: &'static str,
    /// The seed.
    pub seed: Seed,
    /// The end user.
    pub user: User,
    /// The length of vectors: `dimensions`, or Mistral's `output_dimension`
    /// (<https://docs.mistral.ai/api/endpoint/embeddings>).
    pub dimensions: &'static str,
}

/// The name of the limit on output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// `max_tokens`, as nearly everywhere.
    MaxTokens,
    /// `max_completion_tokens`: OpenAI deprecates the other, and its reasoning models refuse it
    /// (<https://platform.openai.com/docs/api-reference/chat/create>).
    MaxCompletionTokens,
}

/// The name of the seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seed {
    /// `seed`.
    Seed,
    /// `random_seed`: Mistral (<https://docs.mistral.ai/api/>).
    RandomSeed,
}

/// The name of the end user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum User {
    /// `user`.
    User,
    /// `safety_identifier`, which replaced `user` at OpenAI
    /// (<https://platform.openai.com/docs/guides/safety-best-practices>).
    SafetyIdentifier,
    /// None: Mistral refuses fields it does not know (<https://docs.mistral.ai/api/>).
    None,
}

/// Which optional fields a vendor takes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a flat list of yes and no is the point"
)]
pub struct Takes {
    /// `stream_options.include_usage`. Without it Mistral reports usage all the same and refuses
    /// the field (wire recordings).
    pub stream_usage: bool,
    /// `name` of a message. Groq answers it with an error (<https://console.groq.com/docs/openai>).
    pub speaker_names: bool,
    /// `refusal` of an assistant message; elsewhere its words are sent as text.
    pub refusals: bool,
    /// `tool_choice` of type `allowed_tools`; elsewhere only those tools are offered.
    pub allowed_tools: bool,
    /// `top_k`, which OpenAI has not.
    pub top_k: bool,
    /// `min_p`, which servers of open models have.
    pub min_p: bool,
    /// `prompt_cache_key`.
    pub cache_key: bool,
    /// `prompt_cache_retention`: OpenAI
    /// (<https://platform.openai.com/docs/guides/prompt-caching>).
    pub cache_retention: bool,
    /// `metadata`.
    pub metadata: Metadata,
    /// Vectors in base64, which are a third of their length as numbers: OpenAI
    /// (<https://platform.openai.com/docs/api-reference/embeddings/create>).
    pub base64_vectors: bool,
    /// The most stop texts; `None` where no limit is known. OpenAI: 4
    /// (<https://platform.openai.com/docs/api-reference/chat/create>).
    pub stops: Option<u8>,
}

/// Where a vendor takes labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metadata {
    /// Always: Mistral (<https://docs.mistral.ai/api/>).
    Always,
    /// Only together with `store`: OpenAI, which keeps them with the stored completion
    /// (<https://platform.openai.com/docs/api-reference/chat/create>). Storing is never switched
    /// on for their sake.
    WithStore,
    /// Nowhere.
    Never,
}

/// Which content besides text a vendor takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Parts {
    /// Images, files as data or by id, audio as WAV or MP3
    /// (<https://platform.openai.com/docs/api-reference/chat/create>).
    OpenAi,
    /// As OpenAI, and files by address and audio of any format: OpenRouter
    /// (<https://openrouter.ai/docs/features/multimodal/pdfs>).
    OpenRouter,
    /// Images, `document_url`, and audio as a bare text of base64 or an address: Mistral
    /// (<https://docs.mistral.ai/capabilities/audio/>).
    Mistral,
    /// Text alone: DeepSeek answers anything else with an error (wire recordings).
    Text,
}

/// Which kinds of structured output a vendor has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum JsonOutput {
    /// `json_object` and `json_schema`.
    Both,
    /// `json_object` alone: DeepSeek (<https://api-docs.deepseek.com/guides/json_mode>).
    Object,
    /// `json_schema` alone: LM Studio
    /// (<https://lmstudio.ai/docs/developer/openai-compat/structured-output>) and Perplexity.
    Schema,
}

/// Which ids of tool calls a vendor takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ToolIds {
    /// Up to 40 characters.
    UpTo40,
    /// Nine letters and digits: Mistral answers "must be a-z, A-Z, 0-9, with a length of 9"
    /// (<https://mistralai.github.io/mistral-common/usage/tools/>).
    NineAlphanumeric,
}

/// How a vendor is told how much to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReasoningControl {
    /// `reasoning_effort`.
    Effort,
    /// `reasoning_effort`, and `include_reasoning: false` to hide thoughts: Groq
    /// (<https://console.groq.com/docs/reasoning>).
    EffortOrHidden,
    /// `thinking: {type}` and `reasoning_effort`: DeepSeek
    /// (<https://api-docs.deepseek.com/guides/thinking_mode>).
    Thinking,
    /// `reasoning: {effort | max_tokens, exclude}`: OpenRouter
    /// (<https://openrouter.ai/docs/use-cases/reasoning-tokens>).
    Object,
    /// `reasoning_effort`, and `chat_template_kwargs: {enable_thinking: false}` to turn it off:
    /// vLLM (<https://docs.vllm.ai/en/latest/features/reasoning_outputs/>) and llama.cpp.
    Template,
}

/// How the model's own thoughts go back to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Thoughts {
    /// Not at all.
    Dropped,
    /// As `reasoning_content` of the message: llama.cpp, vLLM, Fireworks.
    ReasoningContent,
    /// The same, and empty where a turn with tool calls has none: DeepSeek answers a tool loop
    /// without the field with an error (<https://api-docs.deepseek.com/guides/thinking_mode>).
    ReasoningContentWithTools,
    /// As `reasoning_details`, as they came: OpenRouter
    /// (<https://openrouter.ai/docs/use-cases/reasoning-tokens>).
    Details,
    /// As a part of the content: Mistral (<https://docs.mistral.ai/capabilities/reasoning/>).
    Content,
}

impl Names {
    pub(crate) const COMPATIBLE: Self = Self {
        limit: Limit::MaxTokens,
        required: "required",
        seed: Seed::Seed,
        user: User::User,
        dimensions: "dimensions",
    };
}

impl Takes {
    pub(crate) const COMPATIBLE: Self = Self {
        stream_usage: true,
        speaker_names: true,
        refusals: false,
        allowed_tools: false,
        top_k: false,
        min_p: false,
        cache_key: false,
        cache_retention: false,
        metadata: Metadata::Never,
        base64_vectors: false,
        stops: None,
    };
}

impl Quirks {
    /// What nearly every compatible server accepts.
    pub const fn compatible() -> Self {
        Self {
            names: Names::COMPATIBLE,
            takes: Takes::COMPATIBLE,
            parts: Parts::OpenAi,
            json: JsonOutput::Both,
            tool_ids: ToolIds::UpTo40,
            reasoning: ReasoningControl::Effort,
            thoughts: Thoughts::Dropped,
            reasoning_outside_output: false,
            models: Some("/models"),
            key: Some("/models"),
        }
    }

    /// OpenAI itself: no deviation.
    pub const fn openai() -> Self {
        Self {
            names: Names {
                limit: Limit::MaxCompletionTokens,
                user: User::SafetyIdentifier,
                ..Names::COMPATIBLE
            },
            takes: Takes {
                refusals: true,
                allowed_tools: true,
                cache_key: true,
                cache_retention: true,
                metadata: Metadata::WithStore,
                base64_vectors: true,
                stops: Some(4),
                ..Takes::COMPATIBLE
            },
            ..Self::compatible()
        }
    }
}

impl Default for Quirks {
    fn default() -> Self {
        Self::compatible()
    }
}
