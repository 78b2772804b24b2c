//! Gemini, as Google's own API speaks it.
//!
//! Facts: <https://ai.google.dev/api/generate-content>.

mod candidate;
mod config;
mod contents;
mod embed;
mod error;
mod grounding;
mod media;
mod models;
mod part;
mod reasoning;
mod request;
mod stream;
mod tools;
mod usage;

use aurax_core::{Call, Capability, Error, Head, ModelInfo, Op, Result};
use http::{HeaderMap, HeaderName};

use crate::frame::Framing;
use crate::headers;
use crate::raw::RawObject;
use crate::wire::{Decode, Encoded, Target, Wire};

/// The wire's name.
const NAME: &str = "gemini.generate";

/// What Gemini models take and refuse, for a [`RuleBook`](crate::RuleBook).
pub const RULES: &str = include_str!("../../models/gemini.json");

/// Response headers that say something of a call.
const KEPT: [HeaderName; 2] = [
    HeaderName::from_static("server-timing"),
    HeaderName::from_static("x-gemini-service-tier"),
];

/// The protocol of Gemini's `generateContent`.
///
/// * The base URL has no version: paths begin with `/v1beta`.
/// * Most models give their tool calls no ids, so they are given made-up ones, the same however
///   the reply was delivered. Only ids the provider made are sent back to it; what is matched
///   besides is the order of calls and results.
/// * Proofs of thoughts go back on the parts they came on, to the model that made them. A model
///   that insists on them is told to do without for calls that another model made.
/// * Pictures, documents and sound must be in the request, or uploaded before: Gemini fetches
///   nothing from the web but files of Google's own storage and videos on YouTube.
/// * [`Request::extra`](aurax_core::Request::extra) is merged last, objects into objects, but for
///   `contents` and `model`. A `cachedContent` is named there.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Gemini {}

impl Gemini {
    /// The protocol.
    pub const fn new() -> Self {
        Self {}
    }
}

impl Wire for Gemini {
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
        capability.pdf = true;
        capability.audio_input = true;
        capability.reasoning = true;
        capability.choices = true;
        capability.list_models = true;
        capability.count_tokens = true;
        capability.verify_key = true;
        capability
    }

    fn framing(&self) -> Framing {
        Framing::Sse
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
        head.headers = headers::keep(headers, &KEPT);
    }

    fn list_models(&self, page: Option<&str>) -> Option<Encoded> {
        Some(Encoded::get(models::path(1000, page)))
    }

    fn read_models(&self, body: &[u8]) -> Result<(Vec<ModelInfo>, Option<String>)> {
        models::read(body)
    }

    fn count_tokens(&self, call: &Call, target: &Target) -> Result<Option<Encoded>> {
        request::count(call, target).map(Some)
    }

    fn read_count(&self, body: &[u8]) -> Result<u64> {
        RawObject::only_count(body, "totalTokens")
    }

    fn verify_key(&self) -> Option<Encoded> {
        Some(Encoded::get(models::path(1, None)))
    }
}
