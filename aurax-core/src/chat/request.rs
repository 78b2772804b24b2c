//! What to ask of a model.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::message::Message;
use super::part::{CacheHint, Part};
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
/// A model takes either levels or a budget; each wire translates to what its models take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Effort {
    /// Not at all, or as little as the model allows.
    Off,
    /// A glance.
    Minimal,
    /// A little.
    Low,
    /// The usual.
    Medium,
    /// Thoroughly.
    High,
    /// More than thoroughly.
    XHigh,
    /// As much as the model can.
    Max,
    /// At most this many tokens.
    Budget(u32),
}

/// How a model should think, and whether to show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Reasoning {
    /// How much; `None` leaves it to the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effort: Option<Effort>,
    /// Whether to return the thoughts or a summary; `None` leaves it to the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub show: Option<bool>,
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
    /// Groups requests that share a prefix, for providers that route by it.
    pub cache_key: Option<String>,
    /// The provider's service tier, in its own word.
    pub service_tier: Option<String>,
    /// A stable, anonymous id of the end user, for the provider's abuse checks.
    pub user: Option<String>,
    /// Labels the provider stores with the request.
    pub metadata: BTreeMap<String, String>,
    /// Whether to receive the answer as it is generated.
    pub stream: bool,
    /// What to do with a setting the model refuses.
    pub on_unsupported: OnUnsupported,
    /// Fields of the provider's own request format, merged into the body last.
    pub extra: serde_json::Map<String, serde_json::Value>,
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

    /// Puts instructions before everything else.
    #[must_use]
    pub fn with_system(mut self, content: impl Into<Part>) -> Self {
        self.messages.insert(0, Message::system(content));
        self
    }

    /// Offers tools.
    #[must_use]
    pub fn with_tools(mut self, tools: impl IntoIterator<Item = Tool>) -> Self {
        self.tools.extend(tools);
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
    pub const fn with_reasoning(mut self, reasoning: Reasoning) -> Self {
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
        self.extra.insert(name.into(), value.into());
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
