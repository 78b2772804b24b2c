//! The events of a stream, as they go over the wire.
//!
//! Facts: <https://platform.claude.com/docs/en/build-with-claude/streaming>.

use std::mem;

use aurax_core::Json;
use bytes::BytesMut;
use serde::Serialize;
use serde_json::{Map, Value};

use super::super::blocks::Block;
use super::super::whole::Reply;
use crate::raw::RawObject;

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Frame<'a> {
    MessageStart {
        message: Reply<'a>,
    },
    ContentBlockStart {
        index: u32,
        content_block: Block<'a>,
    },
    ContentBlockDelta {
        index: u32,
        delta: &'a More<'a>,
    },
    ContentBlockStop {
        index: u32,
    },
    MessageDelta {
        delta: Ending<'a>,
        usage: RawObject,
        #[serde(flatten)]
        extra: Option<&'a Map<String, Value>>,
    },
    MessageStop,
    Ping,
}

#[derive(Serialize)]
#[serde(tag = "type")]
pub(super) enum More<'a> {
    #[serde(rename = "text_delta")]
    Text { text: &'a str },
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: &'a str },
    #[serde(rename = "signature_delta")]
    Signature { signature: &'a str },
    #[serde(rename = "input_json_delta")]
    Input { partial_json: &'a str },
    #[serde(rename = "citations_delta")]
    Citations { citation: Json },
}

#[derive(Serialize)]
pub(super) struct Ending<'a> {
    pub(super) stop_reason: Option<&'a str>,
    pub(super) stop_sequence: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stop_details: Option<&'a Value>,
}
/// Writes blocks, one after the other.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    begun: u32,
    has_pinged: bool,
}

impl Blocks {
    pub(super) fn start(&mut self, content_block: Block<'_>, out: &mut BytesMut) {
        let index = self.begun;
        self.begun = self.begun.saturating_add(1);
        let frame = Frame::ContentBlockStart {
            index,
            content_block,
        };
        write("content_block_start", &frame, out);
        if !mem::replace(&mut self.has_pinged, true) {
            write("ping", &Frame::Ping, out);
        }
    }

    pub(super) fn more(&self, delta: &More<'_>, out: &mut BytesMut) {
        let index = self.begun.saturating_sub(1);
        let frame = Frame::ContentBlockDelta { index, delta };
        write("content_block_delta", &frame, out);
    }

    pub(super) fn stop(&self, out: &mut BytesMut) {
        let index = self.begun.saturating_sub(1);
        write(
            "content_block_stop",
            &Frame::ContentBlockStop { index },
            out,
        );
    }
}

/// Appends an event; what has no JSON form, which nothing here lacks, is left out.
pub(super) fn write(event: &str, frame: &Frame<'_>, out: &mut BytesMut) {
    if let Ok(json) = serde_json::to_vec(frame) {
        for bytes in [b"event: ", event.as_bytes(), b"\ndata: ", &json, b"\n\n"] {
            out.extend_from_slice(bytes);
        }
    }
}
