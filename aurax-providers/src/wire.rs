//! The seam between a protocol and the network: pure functions over bytes.

use std::fmt::Debug;
use std::sync::Arc;

use aurax_core::{
    Call, Capability, Delivery, Error, Event, Head, KeyStatus, ModelId, ModelInfo, Origin, Result,
    Warning,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::frame::{Frame, Framing};
use crate::rules::ModelRules;

/// A protocol, without I/O: domain request to provider JSON, provider reply to events.
///
/// * Encoding the same request twice gives the same bytes, and requests that share a prefix share
///   the bytes of that prefix: prompt caches depend on it.
/// * A setting the model's rules refuse is left out with a warning, or is an error where the
///   request says so. A part that would be lost is an error that names it.
/// * Decoding never depends on how the bytes were split.
pub trait Wire: Debug + Send + Sync + 'static {
    /// The protocol's name.
    fn name(&self) -> &'static str;

    /// What the protocol can carry.
    fn capability(&self) -> Capability;

    /// How a streamed reply is cut into frames.
    fn framing(&self) -> Framing;

    /// Encodes a call.
    ///
    /// # Errors
    /// `Unsupported` or `InvalidRequest` for what the protocol or model cannot take.
    fn encode(&self, call: &Call, target: &Target) -> Result<Encoded>;

    /// A decoder for the reply to `call`, made before it is sent.
    fn decoder(&self, call: &Call, target: &Target) -> Box<dyn Decode>;

    /// Reads an error reply: any status from 400.
    fn error(&self, status: u16, headers: &HeaderMap, body: &[u8]) -> Error;

    /// Reads request id and rate limits from a reply's headers.
    fn read_headers(&self, headers: &HeaderMap, head: &mut Head);

    /// The request that lists models; `None` where there is no list. `page` is what
    /// [`Wire::read_models`] returned for the page before.
    fn list_models(&self, page: Option<&str>) -> Option<Encoded>;

    /// Reads a page of the list of models, and where the next one begins.
    ///
    /// # Errors
    /// `Decode` when it cannot be read.
    fn read_models(&self, body: &[u8]) -> Result<(Vec<ModelInfo>, Option<String>)>;

    /// The request that counts a call's input tokens; `None` where the provider does not count.
    ///
    /// # Errors
    /// As [`Wire::encode`].
    fn count_tokens(&self, _call: &Call, _target: &Target) -> Result<Option<Encoded>> {
        Ok(None)
    }

    /// Reads a count of input tokens.
    ///
    /// # Errors
    /// `Decode` when it cannot be read.
    fn read_count(&self, _body: &[u8]) -> Result<u64> {
        Err(Error::new(
            aurax_core::ErrorKind::Unsupported,
            "this provider does not count tokens",
        ))
    }

    /// The cheapest request that tells whether a key works; `None` where there is none.
    fn verify_key(&self) -> Option<Encoded>;

    /// What the reply to [`Wire::verify_key`] says of the key: `Ok` is its body, `Err` what
    /// [`Wire::error`] made of it.
    fn read_key_status(&self, reply: std::result::Result<&[u8], &Error>) -> KeyStatus {
        key_status(reply.err())
    }
}

/// What an error says of the key that was used.
pub(crate) fn key_status(error: Option<&Error>) -> KeyStatus {
    use aurax_core::ErrorKind;
    match error.map(Error::kind) {
        None => KeyStatus::Valid,
        Some(ErrorKind::Auth) => KeyStatus::Invalid,
        Some(ErrorKind::Permission) => KeyStatus::Restricted,
        Some(ErrorKind::Quota) => KeyStatus::NoCredit,
        Some(_) => KeyStatus::Unknown,
    }
}

/// Where a call goes: what a codec may know about the other side.
#[derive(Debug, Clone)]
pub struct Target {
    /// The configured provider's name.
    pub provider: Arc<str>,
    /// The model, as the provider takes it.
    pub model: ModelId,
    /// What the model takes and refuses.
    pub rules: ModelRules,
    /// What the price book or the provider's own list knows about the model.
    pub info: Option<Arc<ModelInfo>>,
}

impl Target {
    /// Who signs what comes back, and whose signatures may be sent.
    pub fn origin(&self) -> Origin {
        Origin::new(self.provider.clone(), self.model.as_str())
    }
}

/// An encoded request, without origin and credential.
#[derive(Debug, Clone)]
pub struct Encoded {
    /// The method.
    pub method: Method,
    /// Path and query, below the provider's base URL, beginning with `/`.
    pub path: String,
    /// Headers besides content type, accept, encoding and authorization.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The JSON body; empty for a GET.
    pub body: Bytes,
    /// What was changed or left out.
    pub warnings: Vec<Warning>,
    /// How the reply was asked for.
    pub delivery: Delivery,
}

impl Encoded {
    /// A JSON request.
    pub fn post(path: impl Into<String>, body: impl Into<Bytes>, delivery: Delivery) -> Self {
        Self {
            method: Method::POST,
            path: path.into(),
            headers: Vec::new(),
            body: body.into(),
            warnings: Vec::new(),
            delivery,
        }
    }

    /// A request without a body.
    pub fn get(path: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            path: path.into(),
            headers: Vec::new(),
            body: Bytes::new(),
            warnings: Vec::new(),
            delivery: Delivery::Whole,
        }
    }
}

/// How a chat's reply is asked for.
pub(crate) const fn delivery(request: &aurax_core::Request) -> Delivery {
    if request.stream {
        Delivery::Streamed
    } else {
        Delivery::Whole
    }
}

/// Turns the frames of one reply into events.
///
/// * `frame` is called for every frame of a streamed reply, or `whole` once for a body.
/// * `finish` is called when the bytes end, unless the decoder was done before.
/// * Exactly one [`Event::End`] is emitted, as the last event; a reply that stops early is an
///   error of kind `Truncated`, from `finish`.
pub trait Decode: Send {
    /// Takes a frame of a stream.
    ///
    /// # Errors
    /// The provider's error frame as an error; `Decode` for a frame that cannot be read.
    fn frame(&mut self, frame: Frame<'_>, events: &mut Vec<Event>) -> Result<()>;

    /// Takes a whole body.
    ///
    /// # Errors
    /// As for `frame`.
    fn whole(&mut self, body: &[u8], events: &mut Vec<Event>) -> Result<()>;

    /// Takes the end of the bytes of a stream.
    ///
    /// # Errors
    /// `Truncated` when the reply was not complete.
    fn finish(&mut self, events: &mut Vec<Event>) -> Result<()>;

    /// True once [`Event::End`] was emitted; what follows is not read.
    fn is_done(&self) -> bool;
}
