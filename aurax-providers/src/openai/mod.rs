//! OpenAI chat completions, and every vendor that speaks it.
//!
//! Facts: <https://platform.openai.com/docs/api-reference/chat>; where vendors deviate,
//! [`Quirks`] says how, with sources.

mod body;
mod calls;
mod choice;
mod content;
mod details;
mod embed;
pub(crate) mod error;
mod fields;
mod inbound;
mod kind;
pub(crate) mod media;
mod message;
pub(crate) mod models;
mod plain;
mod quirks;
pub(crate) mod reasoning;
mod repeat;
mod request;
pub(crate) mod setting;
mod stream;
pub(crate) mod tool;
mod turn;
pub(crate) mod usage;
mod voice;

use aurax_core::{
    Call, Capability, Error, ErrorKind, Head, KeyStatus, ModelInfo, Op, Phase, Result,
};
use http::{HeaderMap, HeaderName};

pub use inbound::{ChatInbound, EmbeddingsInbound, ThoughtFields, write_model, write_models};
pub use quirks::{
    JsonOutput, Limit, Metadata, Names, Parts, Quirks, ReasoningControl, Seed, Takes, Thoughts,
    ToolIds, User,
};

use crate::frame::Framing;
use crate::headers;
use crate::wire::{Decode, Encoded, Target, Wire, delivery, key_status};

/// The wire's name.
const NAME: &str = "openai.chat";

/// Response headers that say something of a call besides its id and limits.
const KEPT: [HeaderName; 4] = [
    HeaderName::from_static("openai-processing-ms"),
    HeaderName::from_static("openai-version"),
    HeaderName::from_static("x-ms-region"),
    HeaderName::from_static("x-groq-region"),
];

/// OpenAI chat completions.
///
/// * A refused setting is left out with a warning, or is an error where the request says so
///   ([`OnUnsupported`](aurax_core::OnUnsupported)); a part the vendor cannot take is an error that
///   names it.
/// * Instructions go under the role the model wants. Results of tools become messages of their own;
///   media in them follow in a message of the user's, with a warning.
/// * A tool call that comes without an id is given one (`call_` and nine letters and digits), the
///   same however the reply was delivered.
/// * [`Request::extra`](aurax_core::Request::extra) is merged last and replaces what the wire would
///   send, but for `model`, `messages` and `stream`.
#[derive(Debug, Clone, Default)]
pub struct OpenAi {
    quirks: Quirks,
}

impl OpenAi {
    /// The wire as a vendor speaks it.
    pub const fn new(quirks: Quirks) -> Self {
        Self { quirks }
    }
}

impl Wire for OpenAi {
    fn name(&self) -> &'static str {
        NAME
    }

    fn capability(&self) -> Capability {
        let mut capability = Capability::default();
        capability.chat = true;
        capability.streaming = true;
        capability.embed = true;
        capability.tools = true;
        capability.json_schema = self.quirks.json != JsonOutput::Object;
        capability.vision = self.quirks.parts != Parts::Text;
        capability.pdf = self.quirks.parts != Parts::Text;
        capability.audio_input = self.quirks.parts != Parts::Text;
        capability.reasoning = true;
        capability.choices = true;
        capability.list_models = self.quirks.models.is_some();
        capability.verify_key = self.quirks.key.is_some();
        capability
    }

    fn framing(&self) -> Framing {
        Framing::Sse
    }

    fn encode(&self, call: &Call, target: &Target) -> Result<Encoded> {
        let request = match &call.op {
            Op::Chat(request) => request,
            Op::Embed(request) => return embed::encode(request, target, &self.quirks, NAME),
            op => {
                let message = format!("{NAME} does not carry {}", op.as_str());
                return Err(Error::new(ErrorKind::Unsupported, message).with_phase(Phase::Encode));
            }
        };
        let (body, warnings) = request::encode(request, target, &self.quirks, NAME)?;
        let mut encoded = Encoded::post("/chat/completions", body, delivery(request));
        encoded.warnings = warnings;
        Ok(encoded)
    }

    fn decoder(&self, call: &Call, target: &Target) -> Box<dyn Decode> {
        match &call.op {
            Op::Embed(request) => Box::new(embed::decoder(request)),
            _ => Box::new(stream::Decoder::new(call, target, &self.quirks)),
        }
    }

    fn error(&self, status: u16, headers: &HeaderMap, body: &[u8]) -> Error {
        error::reply(status, headers, body)
    }

    fn read_headers(&self, headers: &HeaderMap, head: &mut Head) {
        head.request_id = error::request_id(headers);
        head.rate_limits = headers::rate_limits(headers);
        head.headers = headers::keep(headers, &KEPT);
    }

    fn list_models(&self, _page: Option<&str>) -> Option<Encoded> {
        self.quirks.models.map(Encoded::get)
    }

    fn read_models(&self, body: &[u8]) -> Result<(Vec<ModelInfo>, Option<String>)> {
        Ok((models::read(body)?, None))
    }

    fn verify_key(&self) -> Option<Encoded> {
        self.quirks.key.map(Encoded::get)
    }

    /// OpenRouter's reply also tells what is left to spend
    /// (<https://openrouter.ai/docs/api-reference/limits>).
    fn read_key_status(&self, reply: std::result::Result<&[u8], &Error>) -> KeyStatus {
        let left = |body| {
            let body: serde_json::Value = serde_json::from_slice(body).ok()?;
            body.pointer("/data/limit_remaining")?.as_f64()
        };
        match reply {
            Ok(body) if left(body).is_some_and(|left| left <= 0.0) => KeyStatus::NoCredit,
            reply => key_status(reply.err()),
        }
    }
}
