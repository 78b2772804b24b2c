//! Ollama's own protocol.
//!
//! Facts: <https://github.com/ollama/ollama/blob/main/docs/api.md>.

mod embed;
mod error;
mod host;
mod messages;
mod models;
mod request;
mod stream;
mod tools;
mod usage;

use aurax_core::{Call, Capability, Error, Head, ModelInfo, Op, Result};
use http::HeaderMap;

pub(crate) use host::base_url;

use crate::frame::Framing;
use crate::headers;
use crate::wire::{Decode, Encoded, Target, Wire};

/// The wire's name.
const NAME: &str = "ollama.chat";

/// What models take and refuse, for a [`RuleBook`](crate::RuleBook).
pub const RULES: &str = include_str!("../../models/ollama.json");

/// The protocol of Ollama's `/api/chat`.
///
/// * The size of the context window is asked for with
///   [`Request::context_window`](aurax_core::Request::context_window): the server's own default is
///   small, and it leaves out the beginning of what is longer, unless
///   [`Truncation::Disabled`](aurax_core::Truncation::Disabled) makes that an error.
/// * A cache hint says how long the model stays loaded.
/// * Nothing forces the use of a tool. Where none or only some are allowed, the others are left
///   out of the request.
/// * [`Request::extra`](aurax_core::Request::extra) is merged last, objects into objects, but for
///   `model`, `messages` and `stream`.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Ollama {}

impl Ollama {
    /// The protocol.
    pub const fn new() -> Self {
        Self {}
    }
}

impl Wire for Ollama {
    fn name(&self) -> &'static str {
        NAME
    }

    fn capability(&self) -> Capability {
        let mut capability = Capability::default();
        capability.chat = true;
        capability.streaming = true;
        capability.embed = true;
        capability.tools = true;
        capability.json_schema = true;
        capability.vision = true;
        capability.reasoning = true;
        capability.list_models = true;
        capability.verify_key = true;
        capability
    }

    fn framing(&self) -> Framing {
        Framing::NdJson
    }

    fn encode(&self, call: &Call, target: &Target) -> Result<Encoded> {
        match &call.op {
            Op::Embed(request) => embed::encode(request, target),
            _ => request::encode(call, target),
        }
    }

    fn decoder(&self, call: &Call, target: &Target) -> Box<dyn Decode> {
        match &call.op {
            Op::Embed(request) => Box::new(embed::decoder(request)),
            _ => Box::new(stream::Decoder::new(call, target)),
        }
    }

    fn error(&self, status: u16, headers: &HeaderMap, body: &[u8]) -> Error {
        error::reply(status, headers, body)
    }

    fn read_headers(&self, headers: &HeaderMap, head: &mut Head) {
        head.request_id = headers::text(headers, "x-request-id").map(str::to_owned);
    }

    fn list_models(&self, _page: Option<&str>) -> Option<Encoded> {
        Some(Encoded::get("/api/tags"))
    }

    fn read_models(&self, body: &[u8]) -> Result<(Vec<ModelInfo>, Option<String>)> {
        Ok((models::read(body)?, None))
    }

    /// Whether the server answers at all: one of one's own takes any key.
    fn verify_key(&self) -> Option<Encoded> {
        Some(Encoded::get("/api/version"))
    }
}
