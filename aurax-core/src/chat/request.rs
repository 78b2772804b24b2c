//! What to ask of a model.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::cache::{CacheHint, PromptCacheMode};
use super::message::Message;
use super::part::Part;
use super::tool::{Tool, ToolChoice};
use crate::json::Json;

/// What the answer must look like.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OutputFormat {
    /// Free text.
    #[default]
    Text,
    /// Some JSON object.
    JsonObject,
    /// JSON that fits a schema.
    JsonSchema {
        /// A name for the schema: letters, digits, `_` and `-`.
        name: String,
        /// The JSON Schema.
        schema: Json,
        /// Whether the provider must enforce it; `None` leaves it to the provider.
        strict: Option<bool>,
    },
}

/// How tokens are drawn. `None` leaves a setting to the provider.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Sampling {
    /// Randomness: 0 is the least; the maximum is 1 or 2, by provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Draw from the likeliest tokens that add up to this probability, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// Draw from this many of the likeliest tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u32>,
    /// Draw only from tokens at least this likely beside the likeliest one, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_p: Option<f64>,
    /// Against repeating frequent tokens, −2 to 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frequency_penalty: Option<f64>,
    /// Against repeating any token, −2 to 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub presence_penalty: Option<f64>,
    /// Asks for the same draw again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
}

/// How much a model should think.
///
/// Levels a model does not have become the nearest one it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Effort {
    /// Not at all, or as little as the model allows.
    Off,
    /// As much as the model sees fit; turns thinking on where it is off unless asked for.
    Auto,
    /// A glance.
    Minimal,
    /// A little.
    Low,
    /// The usual.
    Medium,
    /// Thoroughly.
    High,
    /// More than thoroughly.
    #[serde(rename = "xhigh")]
    XHigh,
    /// As much as the model can.
    Max,
}

/// How much of its thoughts a model should show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ShowThinking {
    /// Nothing.
    Omitted,
    /// Whatever the provider shows by default when asked.
    Auto,
    /// A short summary.
    Concise,
    /// A long summary.
    Detailed,
}

/// How a model should think, and whether to show it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Reasoning {
    /// How much; `None` leaves it to the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effort: Option<Effort>,
    /// The most tokens to think with; models take levels, a budget, or either.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget_tokens: Option<u32>,
    /// How much of it to show; `None` leaves it to the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub show: Option<ShowThinking>,
    /// A way of thinking, in the provider's word, where it has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Which earlier thoughts the model may look back on, in the provider's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
}

impl Reasoning {
    /// Thinking at a level.
    pub const fn new(effort: Effort) -> Self {
        Self {
            effort: Some(effort),
            budget_tokens: None,
            show: None,
            mode: None,
            context: None,
        }
    }

    /// Thinking within a number of tokens.
    pub const fn budget(tokens: u32) -> Self {
        Self {
            effort: None,
            budget_tokens: Some(tokens),
            show: None,
            mode: None,
            context: None,
        }
    }

    /// Says how much of it to show.
    #[must_use]
    pub const fn with_show(mut self, show: ShowThinking) -> Self {
        self.show = Some(show);
        self
    }
}

/// Fields of a provider's own request format, merged into the body last.
///
/// Fields meant for one wire are left out, with a warning, when the call goes over another.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Extra {
    /// The wire they are meant for; `None` for whichever the call goes over.
    pub wire: Option<String>,
    /// The fields.
    pub fields: serde_json::Map<String, serde_json::Value>,
}

impl Extra {
    /// Fields meant for `wire`.
    pub fn new(wire: Option<String>, fields: serde_json::Map<String, serde_json::Value>) -> Self {
        Self { wire, fields }
    }
}

/// What becomes of a conversation that is longer than the context window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Truncation {
    /// The provider leaves out what it sees fit.
    Auto,
    /// It is an error.
    Disabled,
}

/// What to do with a setting the model refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnUnsupported {
    /// Leave it out and say so in the response's warnings.
    #[default]
    Warn,
    /// Fail before sending.
    Refuse,
}

/// What to ask of a model. Everything but the messages is optional.
///
/// ```
/// use aurax_core::{Message, Request};
///
/// let request = Request::new([Message::system("Answer in one word."), Message::user("2 + 2?")])
///     .with_max_output_tokens(16)
///     .with_temperature(0.0);
/// assert_eq!(request.messages.len(), 2);
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Request {
    /// The conversation so far, instructions included.
    pub messages: Vec<Message>,
    /// Tools the model may ask for.
    pub tools: Vec<Tool>,
    /// Whether and which tools it must use.
    pub tool_choice: Option<ToolChoice>,
    /// Whether it may ask for several at once.
    pub parallel_tool_calls: Option<bool>,
    /// What the answer must look like.
    pub output: OutputFormat,
    /// The most tokens to generate, thinking included.
    pub max_output_tokens: Option<u32>,
    /// How tokens are drawn.
    pub sampling: Sampling,
    /// Texts that end the answer.
    pub stop: Vec<String>,
    /// How many answers to give; `None` is one.
    pub n: Option<u32>,
    /// Ask for log probabilities, with this many alternatives for each token (0 to 20).
    pub logprobs: Option<u8>,
    /// How to think.
    pub reasoning: Reasoning,
    /// Cache the whole prompt where the provider needs to be asked.
    pub cache: Option<CacheHint>,
    /// Who says where cacheable prefixes end; `None` leaves it to the provider.
    pub cache_mode: Option<PromptCacheMode>,
    /// Groups requests that share a prefix, for providers that route by it.
    pub cache_key: Option<String>,
    /// The provider's service tier, in its own word.
    pub service_tier: Option<String>,
    /// How fast to generate, in the provider's word, where that is a choice apart from the tier.
    pub speed: Option<String>,
    /// Whether the provider may keep the answer to be referred to later. `None` asks it not to,
    /// where it would otherwise: the conversation is sent whole each time.
    pub store: Option<bool>,
    /// What becomes of a conversation that is longer than the context window.
    pub truncation: Option<Truncation>,
    /// The context window to load the model with, in tokens, for providers that run the model on
    /// the spot.
    pub context_window: Option<u32>,
    /// A stable, anonymous id of the end user, for the provider's abuse checks.
    pub user: Option<String>,
    /// Labels the provider stores with the request.
    pub metadata: BTreeMap<String, String>,
    /// Whether to receive the answer as it is generated.
    pub stream: bool,
    /// What to do with a setting the model refuses.
    pub on_unsupported: OnUnsupported,
    /// Fields of a provider's own request format.
    pub extra: Extra,
}

impl Request {
    /// Asks with a conversation.
    pub fn new(messages: impl IntoIterator<Item = Message>) -> Self {
        Self {
            messages: messages.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Adds a message at the end.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<Message>) -> Self {
        self.messages.push(message.into());
        self
    }

    /// Puts instructions before the conversation, after those that are there already.
    #[must_use]
    pub fn with_system(mut self, content: impl Into<Part>) -> Self {
        let instructions = self
            .messages
            .iter()
            .take_while(|message| message.role.is_instruction())
            .count();
        self.messages.insert(instructions, Message::system(content));
        self
    }

    /// Offers tools.
    #[must_use]
    pub fn with_tools<T: Into<Tool>>(mut self, tools: impl IntoIterator<Item = T>) -> Self {
        self.tools.extend(tools.into_iter().map(Into::into));
        self
    }

    /// Says whether and which tools must be used.
    #[must_use]
    pub fn with_tool_choice(mut self, choice: ToolChoice) -> Self {
        self.tool_choice = Some(choice);
        self
    }

    /// Says whether several tools may be asked for at once.
    #[must_use]
    pub const fn with_parallel_tool_calls(mut self, parallel: bool) -> Self {
        self.parallel_tool_calls = Some(parallel);
        self
    }

    /// Says what the answer must look like.
    #[must_use]
    pub fn with_output(mut self, output: OutputFormat) -> Self {
        self.output = output;
        self
    }

    /// Limits the tokens to generate.
    #[must_use]
    pub const fn with_max_output_tokens(mut self, tokens: u32) -> Self {
        self.max_output_tokens = Some(tokens);
        self
    }

    /// Sets the randomness.
    #[must_use]
    pub const fn with_temperature(mut self, temperature: f64) -> Self {
        self.sampling.temperature = Some(temperature);
        self
    }

    /// Draws from the likeliest tokens that add up to `top_p`.
    #[must_use]
    pub const fn with_top_p(mut self, top_p: f64) -> Self {
        self.sampling.top_p = Some(top_p);
        self
    }

    /// Asks for the same draw again.
    #[must_use]
    pub const fn with_seed(mut self, seed: i64) -> Self {
        self.sampling.seed = Some(seed);
        self
    }

    /// Asks for several answers.
    #[must_use]
    pub const fn with_n(mut self, n: u32) -> Self {
        self.n = Some(n);
        self
    }

    /// Asks for log probabilities, with this many alternatives for each token.
    #[must_use]
    pub const fn with_logprobs(mut self, alternatives: u8) -> Self {
        self.logprobs = Some(alternatives);
        self
    }

    /// Groups requests that share a prefix.
    #[must_use]
    pub fn with_cache_key(mut self, key: impl Into<String>) -> Self {
        self.cache_key = Some(key.into());
        self
    }

    /// Asks for a service tier, in the provider's word.
    #[must_use]
    pub fn with_service_tier(mut self, tier: impl Into<String>) -> Self {
        self.service_tier = Some(tier.into());
        self
    }

    /// Names the end user to the provider's abuse checks.
    #[must_use]
    pub fn with_user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// Adds a label the provider stores with the request.
    #[must_use]
    pub fn with_metadata(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(name.into(), value.into());
        self
    }

    /// Says whether the provider may keep the answer.
    #[must_use]
    pub const fn with_store(mut self, store: bool) -> Self {
        self.store = Some(store);
        self
    }

    /// Says how tokens are drawn.
    #[must_use]
    pub const fn with_sampling(mut self, sampling: Sampling) -> Self {
        self.sampling = sampling;
        self
    }

    /// Adds texts that end the answer.
    #[must_use]
    pub fn with_stop<S: Into<String>>(mut self, stop: impl IntoIterator<Item = S>) -> Self {
        self.stop.extend(stop.into_iter().map(Into::into));
        self
    }

    /// Says how much to think.
    #[must_use]
    pub const fn with_effort(mut self, effort: Effort) -> Self {
        self.reasoning.effort = Some(effort);
        self
    }

    /// Says how to think.
    #[must_use]
    pub fn with_reasoning(mut self, reasoning: Reasoning) -> Self {
        self.reasoning = reasoning;
        self
    }

    /// Caches the whole prompt where the provider needs to be asked.
    #[must_use]
    pub const fn with_cache(mut self, hint: CacheHint) -> Self {
        self.cache = Some(hint);
        self
    }

    /// Receives the answer as it is generated.
    #[must_use]
    pub const fn with_stream(mut self, stream: bool) -> Self {
        self.stream = stream;
        self
    }

    /// Says what to do with a setting the model refuses.
    #[must_use]
    pub const fn with_on_unsupported(mut self, on_unsupported: OnUnsupported) -> Self {
        self.on_unsupported = on_unsupported;
        self
    }

    /// Adds a field of the provider's own request format.
    #[must_use]
    pub fn with_extra(
        mut self,
        name: impl Into<String>,
        value: impl Into<serde_json::Value>,
    ) -> Self {
        self.extra.fields.insert(name.into(), value.into());
        self
    }
}

impl From<Message> for Request {
    fn from(message: Message) -> Self {
        Self::new([message])
    }
}

impl From<Vec<Message>> for Request {
    fn from(messages: Vec<Message>) -> Self {
        Self::new(messages)
    }
}

impl From<&str> for Request {
    fn from(text: &str) -> Self {
        Self::new([Message::from(text)])
    }
}

impl From<String> for Request {
    fn from(text: String) -> Self {
        Self::new([Message::from(text)])
    }
}
