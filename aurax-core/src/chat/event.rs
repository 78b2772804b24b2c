//! What a model's answer is made of while it arrives.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::media::{Audio, Image};
use super::part::{Citation, Item, Native, Signature};
use crate::embed::Embedding;
use crate::ledger::Receipt;
use crate::usage::Usage;

/// A step of an answer.
///
/// Every wire turns streamed and whole replies into the same events: at most one [`Start`], any
/// number of deltas, and exactly one [`End`] as the last; a stream that stops without it is an
/// error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// The answer has begun.
    Start(Start),
    /// More of one part of one choice.
    Delta {
        /// Which answer, from 0; other than 0 only where several were asked for.
        choice: u32,
        /// Which part of the answer's message: a new number is a new part.
        part: u32,
        /// What is added.
        delta: Delta,
    },
    /// Log probabilities of tokens that were just delivered.
    Logprobs {
        /// Which answer, from 0.
        choice: u32,
        /// One entry a token.
        tokens: Vec<TokenLogprob>,
    },
    /// One vector of an embedding call.
    Embedding(Embedding),
    /// What was used so far, all counts anew: the last one stands until the [`End`]'s.
    Usage(Arc<Usage>),
    /// The answer is complete.
    End(Box<End>),
}

impl Event {
    /// True once the caller has received something of the answer: from then on a failed call is
    /// neither retried nor sent elsewhere.
    pub fn is_content(&self) -> bool {
        match self {
            Self::Delta { delta, .. } => delta.is_content(),
            Self::Embedding(_) => true,
            Self::Start(_) | Self::Logprobs { .. } | Self::Usage(_) | Self::End(_) => false,
        }
    }
}

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Start {
    /// The provider's id of the answer.
    pub id: Option<String>,
    /// The model the provider names.
    pub model: Option<String>,
    /// When the provider made the answer, in Unix seconds.
    pub created: Option<i64>,
}

impl Start {
    /// Who answers.
    pub const fn new(id: Option<String>, model: Option<String>) -> Self {
        Self {
            id,
            model,
            created: None,
        }
    }
}

/// What is added to a part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Delta {
    /// Words of a text part.
    Text(String),
    /// Thoughts of a thinking part.
    Thinking(String),
    /// Where the provider lists a text, thinking, refusal or tool call part; follows the part's
    /// first other delta.
    Item(Item),
    /// The proof of the part: a thinking, text or tool call part.
    Signature(Signature),
    /// A whole redacted thinking part.
    RedactedThinking(Signature),
    /// Words of a refusal part.
    Refusal(String),
    /// The start of a tool call part.
    ToolCall(ToolCallStart),
    /// More argument text of a tool call part.
    Arguments(String),
    /// A source for a text part.
    Citation(Citation),
    /// A whole picture.
    Image(Image),
    /// A whole piece of sound.
    Audio(Audio),
    /// A whole block only its provider understands.
    Native(Native),
}

impl Delta {
    /// True when the caller gets something of the answer: not for the empty text with which many
    /// streams begin, nor for ids.
    pub const fn is_content(&self) -> bool {
        match self {
            Self::Text(text)
            | Self::Thinking(text)
            | Self::Refusal(text)
            | Self::Arguments(text) => !text.is_empty(),
            Self::Item(_) => false,
            Self::Signature(_)
            | Self::RedactedThinking(_)
            | Self::ToolCall(_)
            | Self::Citation(_)
            | Self::Image(_)
            | Self::Audio(_)
            | Self::Native(_) => true,
        }
    }

    /// The generated text it adds, of whatever kind.
    pub const fn generated_text(&self) -> Option<&str> {
        match self {
            Self::Text(text)
            | Self::Thinking(text)
            | Self::Refusal(text)
            | Self::Arguments(text) => Some(text.as_str()),
            _ => None,
        }
    }
}

/// The start of a tool call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ToolCallStart {
    /// The id its result must name.
    pub id: String,
    /// The tool.
    pub name: String,
}

impl ToolCallStart {
    /// A call of the tool `name`.
    pub fn new(id: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
        }
    }
}

/// How likely a token was, and what else was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenLogprob {
    /// The token.
    #[serde(flatten)]
    pub token: Logprob,
    /// The likeliest tokens at its place.
    #[serde(default, rename = "top_logprobs")]
    pub top: Vec<Logprob>,
}

/// A token and its log probability.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Logprob {
    /// The token's text.
    pub token: String,
    /// The natural logarithm of its probability.
    pub logprob: f64,
    /// The token's bytes, where the provider tells.
    #[serde(default)]
    pub bytes: Option<Vec<u8>>,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FinishReason {
    /// The model was done.
    Stop,
    /// A stop text came up.
    StopSequence,
    /// The limit on output tokens was reached.
    Length,
    /// The context window was full.
    ContextWindow,
    /// The model waits for tools.
    ToolCalls,
    /// The provider's safety system cut in.
    ContentFilter,
    /// The model declined.
    Refusal,
    /// The provider paused a long turn; send the answer back to go on.
    Pause,
    /// The provider failed while answering.
    Error,
    /// Something else; see [`Finish::raw`].
    Other,
}

/// How one choice ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Finish {
    /// Why, in the common vocabulary.
    pub reason: FinishReason,
    /// Why, in the provider's word.
    pub raw: Option<String>,
    /// The stop text that came up.
    pub stop_sequence: Option<String>,
    /// Fields of the choice that have no place of their own.
    pub extra: serde_json::Map<String, serde_json::Value>,
}

impl Finish {
    /// An end for `reason`, in the provider's word `raw`.
    pub fn new(reason: FinishReason, raw: Option<String>) -> Self {
        Self {
            reason,
            raw,
            stop_sequence: None,
            extra: serde_json::Map::new(),
        }
    }

    /// Names the stop text that came up.
    #[must_use]
    pub fn with_stop_sequence(mut self, text: Option<String>) -> Self {
        self.stop_sequence = text;
        self
    }
}

/// The end of an answer.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct End {
    /// How each choice ended, by its number; empty for embeddings.
    pub finish: Vec<Finish>,
    /// What the call used; `None` when the provider did not say.
    pub usage: Option<Arc<Usage>>,
    /// The service tier that served the call, in the provider's word.
    pub service_tier: Option<String>,
    /// What the call cost and how it was recorded; put in by the engine's meter.
    pub receipt: Option<Receipt>,
    /// Top-level fields of the reply that have no place of their own.
    pub extra: serde_json::Map<String, serde_json::Value>,
}

impl End {
    /// An end with what the provider reported.
    pub fn new(finish: Vec<Finish>, usage: Option<Usage>) -> Self {
        Self {
            finish,
            usage: usage.map(Arc::new),
            ..Self::default()
        }
    }
}

/// Something the caller asked for that was changed or left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Warning {
    /// The request's field or part, such as `sampling.temperature`.
    pub subject: String,
    /// What was done and why.
    pub message: String,
}

impl Warning {
    /// A warning about `subject`.
    pub fn new(subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            message: message.into(),
        }
    }
}
