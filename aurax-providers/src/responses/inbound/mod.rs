//! The side of the responses API that clients speak to.
//!
//! Facts: <https://platform.openai.com/docs/api-reference/responses>, and what the official SDKs and
//! those built on them do with a field that is missing.

mod blocks;
mod items;
mod output;
mod parts;
mod read;
mod reply;
mod sheet;
mod whole;
mod write;

use aurax_core::{Error, Head, Result};

use super::NAME;
use crate::inbound::failure::openai as failure;
use crate::inbound::{ErrorReply, Inbound, Incoming, Stamp, WriteReply};
use crate::seal::Seal;

/// The responses API as a server speaks it: `POST /v1/responses`.
///
/// * Fields the domain has no place for travel in [`Request::extra`](aurax_core::Request::extra),
///   marked with this wire. So do those that need a store (`previous_response_id`, `conversation`,
///   `background`): a server without one refuses them with [`ResponsesInbound::refuse_stateful`].
/// * What a provider of another wire signed is sealed into the `encrypted_content` of a reasoning
///   item and opened again when the client sends it back; texts nobody here sealed are taken to be
///   the target's own, and sealed ones that do not open are dropped.
///
/// ```
/// use aurax_providers::inbound::Inbound as _;
/// use aurax_providers::responses::ResponsesInbound;
///
/// let inbound = ResponsesInbound::new();
/// let incoming = inbound.read(br#"{"model": "gpt-5", "input": "Hi"}"#)?;
/// assert_eq!(incoming.call.model.as_str(), "gpt-5");
/// # Ok::<(), aurax_core::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct ResponsesInbound {
    seal: Seal,
}

impl ResponsesInbound {
    /// With a seal that tells damage and not forgery.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a seal of the server's own.
    #[must_use]
    pub fn with_seal(mut self, seal: Seal) -> Self {
        self.seal = seal;
        self
    }

    /// Refuses what needs answers to be stored here: `store: true`, `previous_response_id`,
    /// `conversation`, `background` and stored prompts.
    ///
    /// # Errors
    /// `Unsupported`, naming the field, which clients get as status 400 and code
    /// `unsupported_parameter`.
    pub fn refuse_stateful(&self, incoming: &Incoming) -> Result<()> {
        read::refuse_stateful(incoming)
    }
}

impl Inbound for ResponsesInbound {
    fn name(&self) -> &'static str {
        NAME
    }

    fn read(&self, body: &[u8]) -> Result<Incoming> {
        read::read(body, &self.seal)
    }

    fn writer(&self, incoming: &Incoming, head: &Head, stamp: Stamp) -> Box<dyn WriteReply> {
        Box::new(write::Writer::new(
            incoming,
            head,
            &stamp,
            self.seal.clone(),
        ))
    }

    fn error(&self, error: &Error, _: &str) -> ErrorReply {
        failure::reply(error)
    }
}
