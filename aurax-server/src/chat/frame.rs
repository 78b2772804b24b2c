//! What clients are sent while an answer is made, over SSE and WebSocket alike.

use aurax::{Audio, Citation, Image, ToolCallStart};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::ErrorObject;
use crate::view::{Amount, Tokens};

/// What clients are sent while an answer is made.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Frame {
    /// More of the answer.
    ChatChunk(Chunk),
    /// The answer is whole, and on record.
    ChatResponse(Box<Answered>),
    /// The answer failed: nothing more of it comes.
    Error(Broken),
}

/// More of an answer. `delta` is its words; what is not words has a field of its own.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Chunk {
    /// The answer.
    pub(crate) message_id: Uuid,
    /// More words.
    pub(crate) delta: String,
    /// More thoughts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) thinking: Option<String>,
    /// A tool the model asks for; its arguments follow in pieces.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<std::collections::HashMap<String, serde_json::Value>>)]
    pub(crate) tool_call: Option<Box<ToolCallStart>>,
    /// More of the arguments of the tool that was asked for last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) arguments: Option<String>,
    /// A source of what is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<std::collections::HashMap<String, serde_json::Value>>)]
    pub(crate) citation: Option<Box<Citation>>,
    /// A picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<std::collections::HashMap<String, serde_json::Value>>)]
    pub(crate) image: Option<Box<Image>>,
    /// More sound.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<std::collections::HashMap<String, serde_json::Value>>)]
    pub(crate) audio: Option<Box<Audio>>,
}

impl Chunk {
    pub(crate) fn words(message_id: Uuid, delta: impl Into<String>) -> Self {
        Self {
            message_id,
            delta: delta.into(),
            thinking: None,
            tool_call: None,
            arguments: None,
            citation: None,
            image: None,
            audio: None,
        }
    }
}

/// A whole answer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Answered {
    /// The answer.
    pub(crate) message_id: Uuid,
    pub(crate) session_id: Uuid,
    /// Its words.
    pub(crate) content: String,
    pub(crate) provider: Option<String>,
    pub(crate) model: Option<String>,
    /// All tokens of the call.
    pub(crate) tokens: Option<u64>,
    /// What it cost in US dollars; `null` where that is not known.
    pub(crate) cost: Amount,
    /// The same as text.
    pub(crate) cost_decimal: Option<String>,
    /// Where the cost is from.
    pub(crate) cost_source: Option<&'static str>,
    /// What was used.
    pub(crate) usage: Option<Tokens>,
    /// What the client called its message, where it said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_id: Option<String>,
}

/// A failure.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Broken {
    pub(crate) error: ErrorObject,
    /// The answer that failed, where it had begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message_id: Option<Uuid>,
    /// What the client called its message, where it said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_id: Option<String>,
}

impl Frame {
    /// The frame's `type`, which is the name of its event in SSE, too.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::ChatChunk(_) => "chat_chunk",
            Self::ChatResponse(_) => "chat_response",
            Self::Error(_) => "error",
        }
    }

    /// Whether nothing follows it.
    pub(crate) const fn is_last(&self) -> bool {
        !matches!(self, Self::ChatChunk(_))
    }
}
