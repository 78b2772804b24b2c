//! The side of the wire that clients speak to.

mod blocks;
mod content;
mod error;
mod messages;
mod models;
mod request;
mod settings;
mod tools;
mod usage;
mod whole;
mod writer;

use aurax_core::{Error, Event, Head, Response, Result, Signature};
use bytes::{Bytes, BytesMut};

pub use models::{ModelPage, write_model, write_models};

use super::NAME;
use crate::Seal;
use crate::inbound::{ErrorReply, Inbound, Incoming, Stamp, WriteReply, carry};

/// Messages, for clients.
///
/// * Requests of both live versions of the API are read; fields the domain has no place for travel
///   in [`Request::extra`](aurax_core::Request::extra). Beta features named in the header
///   `anthropic-beta` are handed over with [`MessagesInbound::with_betas`].
/// * Thoughts of a provider that speaks another wire get a signature of this server's: the
///   provider's own, sealed. Sent back by the client it is opened again; one that no longer opens
///   is left out with its thoughts' proof. Signatures of providers of this wire pass as they are,
///   in both directions.
/// * Where such a provider signed words or a call, the seal comes as a `redacted_thinking` block
///   behind them, and what the client sends back is signed again.
///
/// Facts: <https://platform.claude.com/docs/en/api/messages>.
#[derive(Debug, Clone, Default)]
pub struct MessagesInbound {
    seal: Seal,
    betas: Vec<String>,
}

impl MessagesInbound {
    /// The codec; `seal` wraps the signatures of other wires' providers.
    pub const fn new(seal: Seal) -> Self {
        Self {
            seal,
            betas: Vec::new(),
        }
    }

    /// Asks providers of this wire for beta features, as the client's header does: names between
    /// commas.
    #[must_use]
    pub fn with_betas(mut self, header: &str) -> Self {
        let names = header.split(',').map(str::trim);
        self.betas
            .extend(names.filter(|name| !name.is_empty()).map(str::to_owned));
        self
    }
}

impl Inbound for MessagesInbound {
    fn name(&self) -> &'static str {
        NAME
    }

    fn read(&self, body: &[u8]) -> Result<Incoming> {
        request::read(body, &self.seal, &self.betas, request::Form::Chat)
    }

    fn writer(&self, _: &Incoming, head: &Head, stamp: Stamp) -> Box<dyn WriteReply> {
        Box::new(writer::Writer::new(self.seal.clone(), head, stamp))
    }

    fn error(&self, error: &Error, request_id: &str) -> ErrorReply {
        error::reply(error, request_id)
    }
}

/// Counts of a chat's input tokens, for clients: the request is a chat without its limit, and the
/// reply is written with [`write_count`].
///
/// Facts: <https://platform.claude.com/docs/en/api/messages-count-tokens>.
#[derive(Debug, Clone, Default)]
pub struct CountTokensInbound {
    seal: Seal,
}

impl CountTokensInbound {
    /// The codec; `seal` opens the signatures [`MessagesInbound`] sealed.
    pub const fn new(seal: Seal) -> Self {
        Self { seal }
    }
}

impl Inbound for CountTokensInbound {
    fn name(&self) -> &'static str {
        NAME
    }

    fn read(&self, body: &[u8]) -> Result<Incoming> {
        request::read(body, &self.seal, &[], request::Form::Count)
    }

    /// Writes the input tokens of an answer's usage.
    fn writer(&self, _: &Incoming, _: &Head, _: Stamp) -> Box<dyn WriteReply> {
        Box::new(CountWriter)
    }

    fn error(&self, error: &Error, request_id: &str) -> ErrorReply {
        error::reply(error, request_id)
    }
}

/// The body of a count of input tokens.
pub fn write_count(tokens: u64) -> Bytes {
    format!("{{\"input_tokens\":{tokens}}}").into()
}

#[derive(Debug)]
struct CountWriter;

impl WriteReply for CountWriter {
    fn whole(&mut self, response: &Response) -> Bytes {
        let usage = response.usage.as_ref();
        write_count(usage.map_or(0, |usage| {
            let counted = usage.buckets.input_tokens();
            usage.reported.input.unwrap_or(counted)
        }))
    }

    /// Nothing: a count comes whole.
    fn event(&mut self, _: &Event, _: &mut BytesMut) {}

    fn error(&mut self, error: &Error, out: &mut BytesMut) {
        out.extend_from_slice(&error::body(error, None));
    }

    fn ping(&mut self, _: &mut BytesMut) {}
}

/// What a client sends in place of a signature of thoughts; `None` for what this server sealed and cannot open
/// any more, and for nothing.
fn opened(seal: &Seal, text: String) -> Option<Signature> {
    if Seal::is_sealed(&text) {
        // What is sealed empty only says that nobody signed.
        let (proof, purpose) = carry::unpack(seal, &text)?;
        let is_proof = purpose == carry::Purpose::Thinking && !proof.data.is_empty();
        return is_proof.then_some(proof);
    }
    (!text.is_empty()).then(|| Signature::of_client(text, NAME))
}
