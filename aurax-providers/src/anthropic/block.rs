//! The blocks of a request, as they go over the wire.

use std::borrow::Cow;

use aurax_core::{CacheHint, CacheTtl, Json};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::raw::Extended;

/// A turn of the conversation.
#[derive(Debug, Serialize)]
pub(super) struct Turn<'a> {
    pub(super) role: Role,
    pub(super) content: Vec<Block<'a>>,
    /// Fields of the provider's own.
    #[serde(flatten)]
    pub(super) own: Map<String, Value>,
}

/// Who speaks; instructions stand elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Role {
    User,
    Assistant,
}

/// A block of a turn, of instructions or of a tool's result.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Block<'a> {
    Text {
        text: Cow<'a, str>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        citations: Vec<Json>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl>,
    },
    Image {
        source: Source<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl>,
    },
    Document {
        source: Source<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        context: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        citations: Option<Citations>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl>,
    },
    Thinking {
        thinking: &'a str,
        signature: &'a str,
    },
    RedactedThinking {
        data: &'a str,
    },
    ToolUse {
        id: Cow<'a, str>,
        name: &'a str,
        input: Json,
        #[serde(skip_serializing_if = "Option::is_none")]
        caller: Option<Json>,
        #[serde(skip_serializing_if = "Option::is_none")]
        toolset_name: Option<Json>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl>,
    },
    ToolResult {
        tool_use_id: Cow<'a, str>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        content: Vec<Block<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        is_error: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        toolset_name: Option<Json>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl>,
    },
    /// A block with fields of the provider's own.
    #[serde(untagged)]
    Extended(Extended<Box<Self>>),
    /// A block that is sent as it came.
    #[serde(untagged)]
    Native(Json),
}

impl<'a> Block<'a> {
    pub(super) fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text {
            text: text.into(),
            citations: Vec::new(),
            cache_control: None,
        }
    }

    /// Adds fields of the provider's own.
    pub(super) fn extended(self, own: Option<Map<String, Value>>) -> Self {
        match own {
            Some(own) => Self::Extended(Extended {
                value: Box::new(self),
                own,
            }),
            None => self,
        }
    }

    /// The words of a block of text.
    pub(super) fn words(&mut self) -> Option<&mut Cow<'a, str>> {
        match self {
            Self::Text { text, .. } => Some(text),
            Self::Extended(extended) => extended.value.words(),
            _ => None,
        }
    }

    /// The block's mark of a cacheable prefix, where it can have one.
    pub(super) fn cache_control(&mut self) -> Option<&mut Option<CacheControl>> {
        match self {
            Self::Text { cache_control, .. }
            | Self::Image { cache_control, .. }
            | Self::Document { cache_control, .. }
            | Self::ToolUse { cache_control, .. }
            | Self::ToolResult { cache_control, .. } => Some(cache_control),
            Self::Extended(extended) => extended.value.cache_control(),
            Self::Thinking { .. } | Self::RedactedThinking { .. } | Self::Native(_) => None,
        }
    }
}

/// Where a medium's bytes are.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Source<'a> {
    Base64 {
        media_type: &'a str,
        data: &'a str,
    },
    Text {
        media_type: &'static str,
        data: Cow<'a, str>,
    },
    Url {
        url: &'a str,
    },
    File {
        file_id: &'a str,
    },
}

/// Whether a document is to be cited.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Citations {
    pub(super) enabled: bool,
}

/// The end of a cacheable prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct CacheControl {
    #[serde(rename = "type")]
    kind: Ephemeral,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ttl: Option<CacheTtl>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Ephemeral {
    Ephemeral,
}

impl CacheControl {
    pub(super) const fn new(hint: CacheHint) -> Self {
        Self {
            kind: Ephemeral::Ephemeral,
            ttl: hint.ttl,
        }
    }

    pub(super) const fn is_long(self) -> bool {
        matches!(self.ttl, Some(CacheTtl::OneHour))
    }
}
