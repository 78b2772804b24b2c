//! The pieces a message is made of.

mod read;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::cache::CacheHint;
use super::media::{Audio, Document, Image};
use super::tool::{ToolCall, ToolResult};
use crate::json::Json;

/// One piece of a message.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Part {
    /// Words.
    Text(Text),
    /// A picture.
    Image(Image),
    /// A file the model reads, such as a PDF.
    Document(Document),
    /// Sound.
    Audio(Audio),
    /// What the model thought before it answered.
    Thinking(Thinking),
    /// Thoughts the provider hands out encrypted.
    RedactedThinking(RedactedThinking),
    /// The model's own words for declining.
    Refusal(Refusal),
    /// The model asks for a tool to be run.
    ToolCall(ToolCall),
    /// What the tool answered.
    ToolResult(ToolResult),
    /// A block only its own provider understands; it is sent back to that provider as it came.
    Native(Native),
}

impl Part {
    /// The part's kind, as in its JSON `type`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Image(_) => "image",
            Self::Document(_) => "document",
            Self::Audio(_) => "audio",
            Self::Thinking(_) => "thinking",
            Self::RedactedThinking(_) => "redacted_thinking",
            Self::Refusal(_) => "refusal",
            Self::ToolCall(_) => "tool_call",
            Self::ToolResult(_) => "tool_result",
            Self::Native(_) => "native",
        }
    }

    /// The words of a text part.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(&text.text),
            _ => None,
        }
    }

    /// The mark that ends a cacheable prefix at this part.
    pub(crate) const fn cache_hint(&self) -> Option<CacheHint> {
        match self {
            Self::Text(text) => text.cache,
            Self::Image(image) => image.cache,
            Self::Document(document) => document.cache,
            Self::ToolCall(call) => call.cache,
            Self::ToolResult(result) => result.cache,
            Self::Audio(_)
            | Self::Thinking(_)
            | Self::RedactedThinking(_)
            | Self::Refusal(_)
            | Self::Native(_) => None,
        }
    }

    /// The part's fields only its own provider understands.
    pub fn own_fields(&self) -> Option<&Native> {
        match self {
            Self::Text(text) => text.native.as_deref(),
            Self::Image(image) => image.native.as_deref(),
            Self::Document(document) => document.native.as_deref(),
            Self::Audio(audio) => audio.native.as_deref(),
            Self::Thinking(thinking) => thinking.native.as_deref(),
            Self::ToolCall(call) => call.native.as_deref(),
            Self::ToolResult(result) => result.native.as_deref(),
            Self::RedactedThinking(thinking) => thinking.native.as_deref(),
            Self::Refusal(refusal) => refusal.native.as_deref(),
            Self::Native(_) => None,
        }
    }

    /// Adds fields only its own provider understands, where the part has a place for them.
    #[must_use]
    pub fn with_own_fields(mut self, fields: Option<Native>) -> Self {
        let fields = fields.map(Box::new);
        match &mut self {
            Self::Text(text) => text.native = fields,
            Self::Image(image) => image.native = fields,
            Self::Document(document) => document.native = fields,
            Self::Audio(audio) => audio.native = fields,
            Self::Thinking(thinking) => thinking.native = fields,
            Self::ToolCall(call) => call.native = fields,
            Self::ToolResult(result) => result.native = fields,
            Self::RedactedThinking(thinking) => thinking.native = fields,
            Self::Refusal(refusal) => refusal.native = fields,
            Self::Native(_) => {}
        }
        self
    }

    /// The call of a tool call part.
    pub const fn as_tool_call(&self) -> Option<&ToolCall> {
        match self {
            Self::ToolCall(call) => Some(call),
            _ => None,
        }
    }
}

macro_rules! into_part {
    ($($kind:ident),*) => {
        $(impl From<$kind> for Part {
            fn from(value: $kind) -> Self {
                Self::$kind(value)
            }
        })*
    };
}
into_part!(
    Text,
    Image,
    Document,
    Audio,
    Thinking,
    RedactedThinking,
    Refusal,
    ToolCall,
    ToolResult,
    Native
);

impl From<&str> for Part {
    fn from(text: &str) -> Self {
        Self::Text(Text::new(text))
    }
}

impl From<String> for Part {
    fn from(text: String) -> Self {
        Self::Text(Text::new(text))
    }
}

/// Who made an opaque value, and so who alone can read it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Origin {
    /// The configured provider's name.
    pub provider: Arc<str>,
    /// The model, as it was asked for.
    pub model: Arc<str>,
}

impl Origin {
    /// An origin.
    pub fn new(provider: impl Into<Arc<str>>, model: impl Into<Arc<str>>) -> Self {
        Self {
            provider: provider.into(),
            model: model.into(),
        }
    }
}

/// An opaque proof a provider attaches to thoughts or tool calls and wants back unchanged.
///
/// It is bound to its origin: encoders leave it out for any other, with a warning.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Signature {
    /// The bytes the provider sent.
    pub data: String,
    /// Who sent them; `None` when a client supplied them, which is taken to be the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// The wire a client supplied them over, where nobody knows more: only targets of that wire
    /// are given the signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wire: Option<String>,
}

impl Signature {
    /// A signature.
    pub fn new(data: impl Into<String>, origin: Option<Origin>) -> Self {
        Self {
            data: data.into(),
            origin,
            wire: None,
        }
    }

    /// A signature a client supplied over `wire`, of an origin nobody knows.
    pub fn of_client(data: impl Into<String>, wire: impl Into<String>) -> Self {
        Self {
            data: data.into(),
            origin: None,
            wire: Some(wire.into()),
        }
    }

    /// True where `target` may be given the signature, whichever wire it speaks.
    pub fn is_for(&self, target: &Origin) -> bool {
        match &self.origin {
            Some(origin) => origin == target,
            None => self.wire.is_none(),
        }
    }

    /// True where `target`, which speaks `wire`, may be given the signature.
    pub fn is_for_wire(&self, target: &Origin, wire: &str) -> bool {
        self.is_for(target) || (self.origin.is_none() && self.wire.as_deref() == Some(wire))
    }
}

/// How a provider lists a part among the items of its answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Item {
    /// The item's id at the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What the words are for, such as `commentary` or `final_answer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// Which of the item's contents the part is, in the provider's word, where it is not the usual
    /// one: `reasoning_text` for thoughts that are not a summary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Who listed it, and so who alone knows the id; `None` when a client supplied it, which is
    /// taken to be the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// Fields of the item that have no place of their own, as a JSON object; its provider is given
    /// them back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra: Option<Json>,
}

impl Item {
    /// An item of that id.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: Some(id.into()),
            ..Self::default()
        }
    }

    /// Says who listed it.
    #[must_use]
    pub fn with_origin(mut self, origin: Option<Origin>) -> Self {
        self.origin = origin;
        self
    }

    /// Says which of the item's contents the part is.
    #[must_use]
    pub fn with_kind(mut self, kind: Option<String>) -> Self {
        self.kind = kind;
        self
    }

    /// True where `provider` knows the item.
    pub fn is_of(&self, provider: &str) -> bool {
        let origin = self.origin.as_ref();
        origin.is_none_or(|origin| *origin.provider == *provider)
    }

    /// Says what the words are for.
    #[must_use]
    pub fn with_phase(mut self, phase: Option<String>) -> Self {
        self.phase = phase;
        self
    }
}

/// Words.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Text {
    /// The words.
    pub text: String,
    /// Sources the model names for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub citations: Vec<Citation>,
    /// Where the provider lists them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<Item>,
    /// The provider's proof that travels with these words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    /// Ends a cacheable prefix here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheHint>,
    /// Fields only its own provider understands, as a JSON object; those of an object inside stand
    /// in one of the same name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub native: Option<Box<Native>>,
}

impl Text {
    /// Plain words.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    /// Ends a cacheable prefix here.
    #[must_use]
    pub const fn with_cache(mut self, hint: CacheHint) -> Self {
        self.cache = Some(hint);
        self
    }
}

/// What the model thought before it answered.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Thinking {
    /// The thoughts, or a summary; empty where the provider keeps them to itself.
    pub text: String,
    /// Where the provider lists them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<Item>,
    /// The proof the provider wants back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    /// Fields only its own provider understands, as a JSON object; those of an object inside stand
    /// in one of the same name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub native: Option<Box<Native>>,
}

impl Thinking {
    /// Thoughts without a proof.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    /// Adds the provider's proof.
    #[must_use]
    pub fn with_signature(mut self, signature: Signature) -> Self {
        self.signature = Some(signature);
        self
    }
}

/// Thoughts the provider hands out encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RedactedThinking {
    /// The encrypted thoughts.
    pub data: Signature,
    /// Fields only its own provider understands, as a JSON object; those of an object inside stand
    /// in one of the same name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub native: Option<Box<Native>>,
}

impl RedactedThinking {
    /// Encrypted thoughts.
    pub const fn new(data: Signature) -> Self {
        Self { data, native: None }
    }
}

/// The model's own words for declining.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Refusal {
    /// The words.
    pub text: String,
    /// Where the provider lists them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<Item>,
    /// Fields only its own provider understands, as a JSON object; those of an object inside stand
    /// in one of the same name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub native: Option<Box<Native>>,
}

impl Refusal {
    /// Words for declining.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            item: None,
            native: None,
        }
    }
}

/// A source the model names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Citation {
    /// Its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The words quoted from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<String>,
    /// Where in the answer the cited words begin, in characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<u64>,
    /// Where in the answer the cited words end, in characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<u64>,
    /// The citation as its provider wrote it; only that provider is given it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub native: Option<Native>,
}

impl Citation {
    /// A source at a web address.
    pub fn from_url(url: impl Into<String>) -> Self {
        Self {
            url: Some(url.into()),
            ..Self::default()
        }
    }
}

/// A block only its own provider understands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Native {
    /// Who made the block; `None` when a client supplied it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// The block's kind in the provider's words.
    pub kind: String,
    /// The block, as JSON text.
    pub json: String,
    /// The wire a client supplied it over: it says nothing to a provider of another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wire: Option<String>,
}

impl Native {
    /// A block of `kind`, as JSON text.
    pub fn new(origin: Option<Origin>, kind: impl Into<String>, json: impl Into<String>) -> Self {
        Self {
            origin,
            kind: kind.into(),
            json: json.into(),
            wire: None,
        }
    }

    /// A block a client supplied over `wire`.
    pub fn of_client(
        wire: impl Into<String>,
        kind: impl Into<String>,
        json: impl Into<String>,
    ) -> Self {
        Self {
            wire: Some(wire.into()),
            ..Self::new(None, kind, json)
        }
    }

    /// True where `provider`, which speaks `wire`, understands the block.
    pub fn is_for(&self, provider: &str, wire: &str) -> bool {
        match &self.origin {
            Some(origin) => *origin.provider == *provider,
            None => self.wire.as_deref().is_none_or(|known| known == wire),
        }
    }
}
