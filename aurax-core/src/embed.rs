//! Embeddings.

use serde::{Deserialize, Serialize};

use crate::chat::Extra;

/// Something to turn into a vector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EmbedInput {
    /// A text.
    Text(String),
    /// A text as the model's own token numbers.
    Tokens(Vec<u32>),
}

impl From<&str> for EmbedInput {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for EmbedInput {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// Texts to turn into vectors.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct EmbedRequest {
    /// The texts, one vector each.
    pub input: Vec<EmbedInput>,
    /// How long the vectors should be; `None` is the model's own length.
    pub dimensions: Option<u32>,
    /// What the vectors are for, in the provider's word.
    pub task: Option<String>,
    /// A stable, anonymous id of the end user, for the provider's abuse checks.
    pub user: Option<String>,
    /// Fields of a provider's own request format.
    pub extra: Extra,
}

impl EmbedRequest {
    /// Asks for a vector of each text.
    pub fn new<I: Into<EmbedInput>>(input: impl IntoIterator<Item = I>) -> Self {
        Self {
            input: input.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// Says what the vectors are for, in the provider's word.
    #[must_use]
    pub fn with_task(mut self, task: impl Into<String>) -> Self {
        self.task = Some(task.into());
        self
    }

    /// Says how long the vectors should be.
    #[must_use]
    pub const fn with_dimensions(mut self, dimensions: u32) -> Self {
        self.dimensions = Some(dimensions);
        self
    }
}

impl From<&str> for EmbedRequest {
    fn from(text: &str) -> Self {
        Self::new([text])
    }
}

impl From<String> for EmbedRequest {
    fn from(text: String) -> Self {
        Self::new([text])
    }
}

/// The vector of one text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Embedding {
    /// Which of the texts, from 0.
    pub index: u32,
    /// The vector.
    pub vector: Vec<f32>,
}

impl Embedding {
    /// The vector of text number `index`.
    pub const fn new(index: u32, vector: Vec<f32>) -> Self {
        Self { index, vector }
    }
}
