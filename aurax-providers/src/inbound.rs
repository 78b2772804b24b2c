//! The other side of a protocol: what clients send to a server that speaks it, and what they get.
//!
//! Everything here is a pure function over bytes, as in [`Wire`](crate::wire::Wire): a server adds
//! HTTP, authentication and nothing else.

pub(crate) mod carry;
pub(crate) mod failure;
pub(crate) mod fields;
pub(crate) mod order;

use std::fmt::Debug;

use aurax_core::{Call, Error, Event, Head, Response, Result};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};

/// The side of a protocol that clients speak to.
///
/// * Reading keeps every field the protocol has: what the domain has a place for goes there, the
///   rest travels in `extra`, marked with this wire, so that a provider of the same wire gets it
///   and another does not.
/// * What is written is what the protocol's own provider would write; official SDKs read it.
pub trait Inbound: Debug + Send + Sync + 'static {
    /// The wire's name, the same as its [`Wire::name`](crate::wire::Wire::name).
    fn name(&self) -> &'static str;

    /// Reads a client's request.
    ///
    /// # Errors
    /// `InvalidRequest`, naming the field, for what the protocol does not allow or the domain
    /// cannot mean.
    fn read(&self, body: &[u8]) -> Result<Incoming>;

    /// Writes the reply to `incoming`, which `head` announces.
    fn writer(&self, incoming: &Incoming, head: &Head, stamp: Stamp) -> Box<dyn WriteReply>;

    /// Writes an error in place of a reply.
    fn error(&self, error: &Error, request_id: &str) -> ErrorReply;
}

/// A client's request.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Incoming {
    /// What is asked, of the model in the client's words.
    pub call: Call,
    /// How the client wants the reply written.
    pub(crate) wishes: Wishes,
}

impl Incoming {
    pub(crate) fn new(call: Call) -> Self {
        Self {
            call,
            wishes: Wishes::default(),
        }
    }
}

/// What a reply depends on besides the answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wishes {
    /// Usage at the end of a stream.
    pub(crate) usage: bool,
    /// Vectors as base64 of little-endian floats.
    pub(crate) base64: bool,
    /// A call of a function in the form that had one call and no id.
    pub(crate) one_call: bool,
    /// Fields of the request that the protocol repeats in its reply.
    pub(crate) echo: Map<String, Value>,
}

/// What is written into a reply that the answer itself may lack.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stamp {
    /// The request's id; ids the answer lacks are made from it, so it must be its own for each.
    pub request_id: String,
    /// The present, in Unix seconds.
    pub now: i64,
}

impl Stamp {
    /// A stamp for the request of that id, answered at `now`, in Unix seconds.
    pub fn new(request_id: impl Into<String>, now: i64) -> Self {
        Self {
            request_id: request_id.into(),
            now,
        }
    }
}

/// Writes one reply, whole or streamed.
///
/// A streamed reply ends with the frames of [`Event::End`], or with those of an error.
pub trait WriteReply: Send {
    /// Writes a whole reply's body.
    fn whole(&mut self, response: &Response) -> Bytes;

    /// Appends the frames of an event.
    fn event(&mut self, event: &Event, out: &mut BytesMut);

    /// Appends the frames that end a stream with an error; the protocol's clients raise it.
    fn error(&mut self, error: &Error, out: &mut BytesMut);

    /// Appends a sign of life that clients pass over.
    fn ping(&mut self, out: &mut BytesMut);
}

/// An error in the protocol's shape.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorReply {
    /// The status.
    pub status: StatusCode,
    /// Headers besides content type and request id, such as `retry-after`.
    pub headers: HeaderMap,
    /// The JSON body.
    pub body: Bytes,
}

impl ErrorReply {
    /// An error with a JSON body.
    pub fn new(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            body: body.into(),
        }
    }
}
