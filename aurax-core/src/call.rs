//! What is asked: a model and a question.

use std::sync::Arc;

use crate::chat::Request;
use crate::embed::EmbedRequest;
use crate::model::ModelId;

/// What is asked of a model.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Op {
    /// A chat.
    Chat(Arc<Request>),
    /// Embeddings.
    Embed(Arc<EmbedRequest>),
}

impl Op {
    /// The operation's name, as traces and usage rows show it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Chat(_) => "chat",
            Self::Embed(_) => "embeddings",
        }
    }

    /// True when the answer should arrive as it is generated.
    pub fn is_stream(&self) -> bool {
        match self {
            Self::Chat(request) => request.stream,
            Self::Embed(_) => false,
        }
    }
}

/// A model and what is asked of it. Cheap to clone: the request is shared.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Call {
    /// The model.
    pub model: ModelId,
    /// What is asked.
    pub op: Op,
}

impl Call {
    /// Asks something of a model.
    pub const fn new(model: ModelId, op: Op) -> Self {
        Self { model, op }
    }

    /// A chat.
    pub fn chat(model: ModelId, request: impl Into<Request>) -> Self {
        Self::new(model, Op::Chat(Arc::new(request.into())))
    }

    /// Embeddings.
    pub fn embed(model: ModelId, request: EmbedRequest) -> Self {
        Self::new(model, Op::Embed(Arc::new(request)))
    }

    /// The same question to another model.
    #[must_use]
    pub fn with_model(&self, model: ModelId) -> Self {
        Self::new(model, self.op.clone())
    }

    /// The same with another output limit, which copies the request.
    pub(crate) fn limited(&self, max_output_tokens: u32) -> Self {
        let mut call = self.clone();
        if let Op::Chat(request) = &mut call.op {
            Arc::make_mut(request).max_output_tokens = Some(max_output_tokens);
        }
        call
    }
}
