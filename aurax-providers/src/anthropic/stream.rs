//! Replies, streamed or whole: one decoder reads both into the same events.
//!
//! Facts: <https://platform.claude.com/docs/en/build-with-claude/streaming>.

use std::borrow::Cow;

use aurax_core::{Event, Origin, Result};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::error;
use super::response::Message;
use crate::failure::{truncated, unreadable};
use crate::frame::Frame;
use crate::raw::RawObject;
use crate::wire::Decode;

/// Reads one reply.
#[derive(Debug)]
pub(super) struct Decoder(Message);

impl Decoder {
    /// A decoder for a reply of `origin`, which is noted as the maker of all that is opaque.
    pub(super) fn new(origin: Origin, calls_before: usize) -> Self {
        Self(Message::new(origin, calls_before))
    }
}

/// A frame; unknown fields are of no use here.
#[derive(Deserialize)]
struct Body<'a> {
    #[serde(rename = "type", default, borrow)]
    kind: Option<Cow<'a, str>>,
    #[serde(default)]
    index: Option<u32>,
    #[serde(default, borrow)]
    message: Option<&'a RawValue>,
    #[serde(default, borrow)]
    content_block: Option<&'a RawValue>,
    #[serde(default, borrow)]
    delta: Option<&'a RawValue>,
    #[serde(default, borrow)]
    error: Option<&'a RawValue>,
}

impl Decode for Decoder {
    fn frame(&mut self, frame: Frame<'_>, events: &mut Vec<Event>) -> Result<()> {
        let data = frame.data.trim();
        // Gateways close with OpenAI's mark, and keep connections alive with empty data.
        if self.0.is_done() || data.is_empty() || data == "[DONE]" {
            return Ok(());
        }
        let body: Body<'_> = serde_json::from_str(data).map_err(|e| unreadable().with_source(e))?;
        match body.kind.as_deref().or(frame.event).unwrap_or_default() {
            "message_start" => {
                self.0.start(&object(body.message)?, events)?;
            }
            "content_block_start" => {
                let block = body.content_block.ok_or_else(unreadable)?;
                self.0.open(body.index, block.into(), events)?;
            }
            "content_block_delta" => {
                let delta = body.delta.ok_or_else(unreadable)?.get();
                self.0.delta(body.index, delta, events)?;
            }
            "content_block_stop" => self.0.close(body.index, events),
            "message_delta" => {
                let frame = RawObject::parse(data).ok_or_else(unreadable)?;
                self.0.update(&frame, events);
            }
            "message_stop" => self.0.end(events),
            kind if kind == "error" || body.error.is_some() => {
                return Err(error::inside(data).unwrap_or_else(unreadable));
            }
            // A ping, or an event of a later version.
            _ => {}
        }
        Ok(())
    }

    fn whole(&mut self, body: &[u8], events: &mut Vec<Event>) -> Result<()> {
        let body = std::str::from_utf8(body).map_err(|e| unreadable().with_source(e))?;
        let message = RawObject::parse(body).ok_or_else(unreadable)?;
        if message.get("error").is_some() && message.get("content").is_none() {
            return Err(error::inside(body).unwrap_or_else(unreadable));
        }
        if message.list("content").is_none() {
            return Err(unreadable());
        }
        self.0.start(&message, events)?;
        self.0.end(events);
        Ok(())
    }

    fn finish(&mut self, _: &mut Vec<Event>) -> Result<()> {
        if self.0.is_done() {
            return Ok(());
        }
        Err(truncated())
    }

    fn is_done(&self) -> bool {
        self.0.is_done()
    }
}

fn object(raw: Option<&RawValue>) -> Result<RawObject> {
    raw.and_then(|raw| RawObject::parse(raw.get()))
        .ok_or_else(unreadable)
}
