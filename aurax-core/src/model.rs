//! Models: their names, and what is known about them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// A model's name, as a caller writes it or a provider takes it.
///
/// Before routing it may begin with a provider's name (`provider/model`). Not blank, at most
/// 256 bytes, no control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ModelId(Arc<str>);

impl ModelId {
    /// Reads a name; white space around it is dropped.
    ///
    /// # Errors
    /// `InvalidRequest` for a name that is blank, too long or has control characters.
    pub fn parse(name: &str) -> Result<Self> {
        let name = name.trim();
        if name.is_empty() || name.len() > 256 || name.chars().any(char::is_control) {
            return Err(Error::new(
                ErrorKind::InvalidRequest,
                "a model name has 1 to 256 bytes and no control characters",
            ));
        }
        Ok(Self(name.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ModelId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::parse(&name).map_err(serde::de::Error::custom)
    }
}

/// What a model can do, as far as is known.
///
/// `None` is "not known": the request is sent and the provider decides. `Some(false)` fails a
/// request that needs it before anything is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Features {
    /// Asks for tools.
    pub tools: Option<bool>,
    /// Asks for several tools at once.
    pub parallel_tools: Option<bool>,
    /// Sees images.
    pub vision: Option<bool>,
    /// Reads PDF documents.
    pub pdf: Option<bool>,
    /// Hears audio.
    pub audio_input: Option<bool>,
    /// Speaks.
    pub audio_output: Option<bool>,
    /// Sees video.
    pub video_input: Option<bool>,
    /// Answers in JSON of a given schema.
    pub json_schema: Option<bool>,
    /// Thinks before it answers.
    pub reasoning: Option<bool>,
    /// Bills repeated prefixes at a lower rate.
    pub prompt_cache: Option<bool>,
    /// Searches the web by itself.
    pub web_search: Option<bool>,
    /// Streams its answer.
    pub streaming: Option<bool>,
}

impl Features {
    /// What is known here, else what `other` knows.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            tools: self.tools.or(other.tools),
            parallel_tools: self.parallel_tools.or(other.parallel_tools),
            vision: self.vision.or(other.vision),
            pdf: self.pdf.or(other.pdf),
            audio_input: self.audio_input.or(other.audio_input),
            audio_output: self.audio_output.or(other.audio_output),
            video_input: self.video_input.or(other.video_input),
            json_schema: self.json_schema.or(other.json_schema),
            reasoning: self.reasoning.or(other.reasoning),
            prompt_cache: self.prompt_cache.or(other.prompt_cache),
            web_search: self.web_search.or(other.web_search),
            streaming: self.streaming.or(other.streaming),
        }
    }
}

/// How far along its life a model is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Lifecycle {
    /// In service.
    Active,
    /// In service, with an end announced.
    Deprecated,
    /// Out of service.
    Retired,
}

/// What is known about a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ModelInfo {
    /// The name the provider takes.
    pub id: String,
    /// A name for people.
    pub display_name: Option<String>,
    /// Input and output tokens that fit together.
    pub context_window: Option<u64>,
    /// The most input tokens, where that is less than the window.
    pub max_input_tokens: Option<u64>,
    /// The most output tokens.
    pub max_output_tokens: Option<u64>,
    /// What it can do.
    pub features: Features,
    /// How far along its life it is.
    pub lifecycle: Lifecycle,
    /// When it is or was taken out of service, as `YYYY-MM-DD`.
    pub retires: Option<String>,
    /// When it came into service, in Unix seconds.
    pub created: Option<i64>,
    /// Who made it, in the provider's word.
    pub owned_by: Option<String>,
    /// Settings the provider lists as taken (true) or refused (false), by the names of the rules
    /// that say the same of models without a list.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, bool>,
}

impl ModelInfo {
    /// A model nothing else is known about.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            display_name: None,
            context_window: None,
            max_input_tokens: None,
            max_output_tokens: None,
            features: Features::default(),
            lifecycle: Lifecycle::Active,
            retires: None,
            created: None,
            owned_by: None,
            settings: BTreeMap::new(),
        }
    }

    /// What is known here, else what `other` knows of the same model. Its life is told by `self`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let mut settings = other.settings;
        settings.extend(self.settings);
        Self {
            id: self.id,
            display_name: self.display_name.or(other.display_name),
            context_window: self.context_window.or(other.context_window),
            max_input_tokens: self.max_input_tokens.or(other.max_input_tokens),
            max_output_tokens: self.max_output_tokens.or(other.max_output_tokens),
            features: self.features.or(other.features),
            lifecycle: self.lifecycle,
            retires: self.retires.or(other.retires),
            created: self.created.or(other.created),
            owned_by: self.owned_by.or(other.owned_by),
            settings,
        }
    }
}
