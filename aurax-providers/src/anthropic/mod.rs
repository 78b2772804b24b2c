//! Anthropic messages: both live versions of the API.
//!
//! Facts: <https://platform.claude.com/docs/en/api/messages>.

mod block;
mod cache;
mod calls;
mod error;
mod extra;
mod gathered;
mod headers;
mod inbound;
mod media;
mod messages;
mod models;
mod reasoning;
mod request;
mod response;
mod sampling;
mod stream;
mod tools;
mod usage;

use aurax_core::{Call, Capability, Error, Head, ModelInfo, Result};
use http::{HeaderMap, HeaderName};

pub use inbound::{
    CountTokensInbound, MessagesInbound, ModelPage, write_count, write_model, write_models,
};

use crate::frame::Framing;
use crate::raw::RawObject;
use crate::wire::{Decode, Encoded, Target, Wire};

/// The wire's name.
const NAME: &str = "anthropic.messages";

/// What Claude models take and refuse, for a [`RuleBook`](crate::RuleBook).
pub const RULES: &str = include_str!("../../models/anthropic.json");

/// The protocol of Anthropic's messages API, and of every server that imitates it.
///
/// Requests go to version 2026-10-21 of the API, or to 2023-06-01 when they have what only that
/// version takes: sampling parameters (for a model that still takes them), documents in the
/// assistant's turns, citations in the user's words.
///
/// Beta features are asked for with a field `betas` in [`Request::extra`](aurax_core::Request):
/// a list of names, sent as the header `anthropic-beta`.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Anthropic {}

impl Anthropic {
    /// The protocol.
    pub const fn new() -> Self {
        Self {}
    }
}

impl Wire for Anthropic {
    fn name(&self) -> &'static str {
        NAME
    }

    fn capability(&self) -> Capability {
        let mut capability = Capability::default();
        capability.chat = true;
        capability.streaming = true;
        capability.tools = true;
        capability.json_schema = true;
        capability.vision = true;
        capability.pdf = true;
        capability.reasoning = true;
        capability.list_models = true;
        capability.count_tokens = true;
        capability.verify_key = true;
        capability
    }

    fn framing(&self) -> Framing {
        Framing::Sse
    }

    fn encode(&self, call: &Call, target: &Target) -> Result<Encoded> {
        request::encode(call, target)
    }

    fn decoder(&self, call: &Call, target: &Target) -> Box<dyn Decode> {
        let calls_before = crate::digest::calls_before(call);
        Box::new(stream::Decoder::new(target.origin(), calls_before))
    }

    fn error(&self, status: u16, headers: &HeaderMap, body: &[u8]) -> Error {
        error::reply(status, headers, body)
    }

    fn read_headers(&self, headers: &HeaderMap, head: &mut Head) {
        head.request_id = headers::request_id(headers);
        head.rate_limits = headers::rate_limits(headers);
        head.headers = crate::headers::keep(headers, &[headers::WORKSPACE]);
    }

    fn list_models(&self, page: Option<&str>) -> Option<Encoded> {
        Some(get(models::path(1000, page)))
    }

    fn read_models(&self, body: &[u8]) -> Result<(Vec<ModelInfo>, Option<String>)> {
        models::read(body)
    }

    fn count_tokens(&self, call: &Call, target: &Target) -> Result<Option<Encoded>> {
        request::count(call, target).map(Some)
    }

    fn read_count(&self, body: &[u8]) -> Result<u64> {
        RawObject::only_count(body, "input_tokens")
    }

    fn verify_key(&self) -> Option<Encoded> {
        Some(get(models::path(1, None)))
    }
}

fn get(path: String) -> Encoded {
    let mut encoded = Encoded::get(path);
    let version = HeaderName::from_static("anthropic-version");
    encoded.headers.push((version, request::CURRENT));
    encoded
}
