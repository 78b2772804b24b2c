//! The side of the wire that clients speak to.

mod chunk;
mod embeddings;
mod messages;
mod models;
mod parts;
mod proofs;
mod reasoning;
mod request;
mod tools;
mod usage;
mod whole;
mod writer;

use aurax_core::{Error, Head, Result};

pub use embeddings::EmbeddingsInbound;
pub use models::{write_model, write_models};

use super::NAME;
use crate::Seal;
use crate::inbound::failure::openai as failure;
use crate::inbound::{ErrorReply, Inbound, Incoming, Stamp, WriteReply};

/// The names under which a client gets the model's thoughts, which OpenAI itself does not hand out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ThoughtFields {
    /// No thoughts.
    None,
    /// `reasoning_content`, as DeepSeek and most servers of open models call them.
    #[default]
    ReasoningContent,
    /// `reasoning`, as OpenRouter and Groq call them.
    Reasoning,
    /// Both.
    Both,
}

/// Chat completions, for clients.
///
/// * Every form of request the official SDKs and those of compatible vendors send is read; fields
///   the domain has no place for travel in [`Request::extra`](aurax_core::Request::extra).
/// * Tools of type `custom` are refused: no other wire has them.
/// * Replies have every field the official SDKs insist on; thoughts come in the fields of
///   [`ThoughtFields`].
/// * What a provider of another wire signed, be it thoughts, words or a call, is sealed into entries
///   of `reasoning_details` and opened again when the client sends them back; without
///   [`ChatInbound::with_seal`] by a key that everybody knows.
/// * Tool calls of a stream never interleave: pieces of a later call wait until the one before is
///   complete.
///
/// Facts: <https://platform.openai.com/docs/api-reference/chat>.
#[derive(Debug, Clone, Default)]
pub struct ChatInbound {
    thoughts: ThoughtFields,
    seal: Seal,
}

impl ChatInbound {
    /// The codec; thoughts come as `reasoning_content`.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a seal of the server's own.
    #[must_use]
    pub fn with_seal(mut self, seal: Seal) -> Self {
        self.seal = seal;
        self
    }

    /// Says under which names clients get the model's thoughts.
    #[must_use]
    pub const fn with_thoughts(mut self, fields: ThoughtFields) -> Self {
        self.thoughts = fields;
        self
    }
}

impl Inbound for ChatInbound {
    fn name(&self) -> &'static str {
        NAME
    }

    fn read(&self, body: &[u8]) -> Result<Incoming> {
        request::read(body, &self.seal)
    }

    fn writer(&self, incoming: &Incoming, head: &Head, stamp: Stamp) -> Box<dyn WriteReply> {
        Box::new(writer::Writer::new(
            self.thoughts,
            self.seal.clone(),
            &incoming.wishes,
            head,
            stamp,
        ))
    }

    fn error(&self, error: &Error, _request_id: &str) -> ErrorReply {
        failure::reply(error)
    }
}
