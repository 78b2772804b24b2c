//! Embeddings.

use serde::{Deserialize, Serialize};

/// Texts to turn into vectors.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct EmbedRequest {
    /// The texts, one vector each.
    pub input: Vec<String>,
    /// How long the vectors should be; `None` is the model's own length.
    pub dimensions: Option<u32>,
    /// A stable, anonymous id of the end user, for the provider's abuse checks.
    pub user: Option<String>,
    /// Fields of the provider's own request format, merged into the body last.
    pub extra: serde_json::Map<String, serde_json::Value>,
}

impl EmbedRequest {
    /// Asks for a vector of each text.
    pub fn new<S: Into<String>>(input: impl IntoIterator<Item = S>) -> Self {
        Self {
            input: input.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// Says how long the vectors should be.
    #[must_use]
    pub const fn with_dimensions(mut self, dimensions: u32) -> Self {
        self.dimensions = Some(dimensions);
        self
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
