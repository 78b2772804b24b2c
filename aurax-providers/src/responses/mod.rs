//! OpenAI responses, and the vendors that speak it.
//!
//! Facts: <https://platform.openai.com/docs/api-reference/responses>; where vendors deviate,
//! [`Quirks`] says how, with sources.

mod body;
mod content;
mod inbound;
mod input;
mod item;
mod message;
mod quirks;
mod request;
mod stream;
mod tool;

use aurax_core::{Call, Capability, Error, ErrorKind, Head, ModelInfo, Op, Phase, Result};
use http::{HeaderMap, HeaderName};

pub use inbound::ResponsesInbound;
pub use quirks::Quirks;

use crate::frame::Framing;
use crate::headers;
use crate::openai::{error, models};
use crate::wire::{Decode, Encoded, Target, Wire, delivery};

/// The wire's name.
pub(crate) const NAME: &str = "openai.responses";

/// Response headers that say something of a call besides its id and limits.
const KEPT: [HeaderName; 2] = [
    HeaderName::from_static("openai-processing-ms"),
    HeaderName::from_static("openai-version"),
];

/// What a thinking part's [`Item::kind`](aurax_core::Item) says of thoughts that are no summary.
const REASONING_TEXT: &str = "reasoning_text";

/// OpenAI responses.
///
/// * The conversation is sent whole each time: unless a request says to store its answer, the
///   provider is asked to keep nothing and to hand out its thoughts encrypted, so that they can go
///   back with the next request.
/// * A refused setting is left out with a warning, or is an error where the request says so
///   ([`OnUnsupported`](aurax_core::OnUnsupported)); a part the vendor cannot take is an error that
///   names it. The wire has no stop texts, seed, penalties, `top_k` or several answers.
/// * Parts of one item, which have one [`Item::id`](aurax_core::Item), go back as one item. Items of
///   kinds the domain has no word for are native parts and go back to their own provider.
/// * Schemas are not enforced unless a function asks for it: where the provider is not told it
///   enforces them, and changes them for that.
/// * [`Request::extra`](aurax_core::Request::extra) is merged last and replaces what the wire would
///   send, but for `model`, `input` and `stream`.
#[derive(Debug, Clone, Default)]
pub struct Responses {
    quirks: Quirks,
}

impl Responses {
    /// The wire as a vendor speaks it.
    pub const fn new(quirks: Quirks) -> Self {
        Self { quirks }
    }
}

impl Wire for Responses {
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
        capability.audio_input = true;
        capability.reasoning = true;
        capability.list_models = self.quirks.models.is_some();
        capability.verify_key = self.quirks.key.is_some();
        capability
    }

    fn framing(&self) -> Framing {
        Framing::Sse
    }

    fn encode(&self, call: &Call, target: &Target) -> Result<Encoded> {
        let Op::Chat(request) = &call.op else {
            let message = format!("{NAME} carries chats, not {}", call.op.as_str());
            return Err(Error::new(ErrorKind::Unsupported, message).with_phase(Phase::Encode));
        };
        let (body, warnings) = request::encode(request, target, &self.quirks)?;
        let mut encoded = Encoded::post("/responses", body, delivery(request));
        encoded.warnings = warnings;
        Ok(encoded)
    }

    fn decoder(&self, _: &Call, target: &Target) -> Box<dyn Decode> {
        Box::new(stream::Decoder::new(target))
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
}
