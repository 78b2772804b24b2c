//! Writes replies: the events of a stream, in the one order the official SDKs take.

use std::mem;
use std::sync::Arc;

use aurax_core::{
    Delta, End, Error, Event, Head, Json, Response, Signature, Start, ToolCallStart, Usage,
};
use bytes::{Bytes, BytesMut};
use serde::Serialize;
use serde_json::{Map, Value};

use super::super::NAME;
use super::blocks::{Block, Maker, begun, no_input};
use super::whole::{self, Reply};
use super::{error, usage};
use crate::Seal;
use crate::inbound::carry::{Purpose, Run};
use crate::inbound::order::{Order, Piece};
use crate::inbound::{Stamp, WriteReply};
use crate::raw::RawObject;

/// Writes one reply.
#[derive(Debug)]
pub(super) struct Writer {
    frames: Frames,
    calls: Order,
    /// What waits until an open call is complete.
    waiting: Vec<Waiting>,
    usage: Option<Arc<Usage>>,
}

#[derive(Debug)]
enum Waiting {
    Said(u32, Delta),
    /// The proof of the call of this id.
    Proof(String, Signature),
}

/// What has been written.
#[derive(Debug)]
struct Frames {
    maker: Maker,
    request_id: String,
    id: String,
    model: String,
    has_begun: bool,
    has_pinged: bool,
    /// How many blocks there are.
    blocks: u32,
    open: Option<Open>,
    /// All words, for the proofs of some of them.
    words: Run,
    /// A call whose block is not begun: what belongs beside its input may follow.
    called: Option<(usize, ToolCallStart)>,
}

/// The block that is open, by the part it is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Text(u32),
    Thinking { part: u32, is_signed: bool },
    Call(usize),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Frame<'a> {
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
enum More<'a> {
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
struct Ending<'a> {
    stop_reason: Option<&'a str>,
    stop_sequence: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_details: Option<&'a Value>,
}

impl Writer {
    pub(super) fn new(seal: Seal, head: &Head, stamp: Stamp) -> Self {
        Self {
            frames: Frames {
                maker: Maker {
                    seal,
                    is_own: head.wire == NAME,
                },
                id: format!("msg_{}", stamp.request_id),
                request_id: stamp.request_id,
                model: head.model.as_str().to_owned(),
                has_begun: false,
                has_pinged: false,
                blocks: 0,
                open: None,
                words: Run::default(),
                called: None,
            },
            calls: Order::default(),
            waiting: Vec::new(),
            usage: None,
        }
    }

    fn said(&mut self, part: u32, delta: &Delta, out: &mut BytesMut) {
        let frames = &mut self.frames;
        match delta {
            Delta::ToolCall(start) => {
                self.calls
                    .start(part, start, &mut |piece| frames.call(&piece, out));
            }
            Delta::Arguments(text) => {
                self.calls
                    .arguments(part, text, &mut |piece| frames.call(&piece, out));
                if !self.calls.is_writing() {
                    self.flush(out);
                }
            }
            // What is signed here is the call, and its block may not have begun.
            Delta::Signature(_) if frames.called.is_some() => frames.said(part, delta, out),
            Delta::Signature(signature) if let Some(call) = self.calls.call(part) => {
                let proof = Waiting::Proof(call.id.clone(), signature.clone());
                self.wait(proof, out);
            }
            // Nothing comes into the middle of a call, but where calls are complete before
            // anything else begins there is nothing to wait for.
            _ if self.calls.is_writing() && !frames.maker.is_own => {
                self.wait(Waiting::Said(part, delta.clone()), out);
            }
            _ => frames.said(part, delta, out),
        }
    }

    /// Writes something once no call is open.
    fn wait(&mut self, waiting: Waiting, out: &mut BytesMut) {
        self.waiting.push(waiting);
        if !self.calls.is_writing() {
            self.flush(out);
        }
    }

    fn flush(&mut self, out: &mut BytesMut) {
        for waiting in mem::take(&mut self.waiting) {
            match waiting {
                Waiting::Said(part, delta) => self.frames.said(part, &delta, out),
                Waiting::Proof(id, signature) => {
                    self.frames.carry(&signature, &Purpose::Call(id), out);
                }
            }
        }
    }

    fn end(&mut self, end: &End, out: &mut BytesMut) {
        let frames = &mut self.frames;
        frames.begin(self.usage.as_deref(), out);
        self.calls.finish(&mut |piece| frames.call(&piece, out));
        self.flush(out);
        let frames = &mut self.frames;
        frames.close(out);
        let finish = end.finish.first();
        let counted = end.usage.as_ref().or(self.usage.as_ref());
        let is_own = frames.maker.is_own;
        let frame = Frame::MessageDelta {
            delta: Ending {
                stop_reason: finish.map(|finish| frames.maker.reason(finish)),
                stop_sequence: finish.and_then(|finish| finish.stop_sequence.as_deref()),
                stop_details: finish.and_then(|finish| whole::details(&frames.maker, finish)),
            },
            usage: usage::write(counted.map(|usage| &**usage), is_own),
            extra: is_own.then_some(&end.extra),
        };
        write("message_delta", &frame, out);
        write("message_stop", &Frame::MessageStop, out);
    }
}

impl WriteReply for Writer {
    fn whole(&mut self, response: &Response) -> Bytes {
        let frames = &mut self.frames;
        frames.named(response.id.as_deref(), Some(&response.model));
        whole::write(&frames.maker, &frames.id, &frames.model, response)
    }

    fn event(&mut self, event: &Event, out: &mut BytesMut) {
        match event {
            Event::Start(Start { id, model, .. }) => {
                self.frames.named(id.as_deref(), model.as_deref());
            }
            Event::Usage(usage) => self.usage = Some(usage.clone()),
            Event::Delta {
                choice: 0,
                part,
                delta,
            } => {
                self.frames.begin(self.usage.as_deref(), out);
                self.said(*part, delta, out);
            }
            Event::End(end) => self.end(end, out),
            _ => {}
        }
    }

    fn error(&mut self, error: &Error, out: &mut BytesMut) {
        out.extend_from_slice(b"event: error\ndata: ");
        let id = self.frames.request_id.as_str();
        out.extend_from_slice(&error::body(error, Some(id)));
        out.extend_from_slice(b"\n\n");
    }

    /// An event once the message has begun, and before that a comment, which is safe anywhere.
    fn ping(&mut self, out: &mut BytesMut) {
        if self.frames.has_begun {
            write("ping", &Frame::Ping, out);
        } else {
            out.extend_from_slice(b": keepalive\n\n");
        }
    }
}

impl Frames {
    fn named(&mut self, id: Option<&str>, model: Option<&str>) {
        if let Some(id) = id {
            id.clone_into(&mut self.id);
        }
        if let Some(model) = model {
            model.clone_into(&mut self.model);
        }
    }

    /// Begins the message, with what is known of its input.
    fn begin(&mut self, counted: Option<&Usage>, out: &mut BytesMut) {
        if mem::replace(&mut self.has_begun, true) {
            return;
        }
        let frame = Frame::MessageStart {
            message: Reply {
                id: &self.id,
                r#type: "message",
                role: "assistant",
                model: &self.model,
                content: Vec::new(),
                stop_reason: None,
                stop_sequence: None,
                stop_details: None,
                usage: usage::write(counted, self.maker.is_own),
                extra: None,
            },
        };
        write("message_start", &frame, out);
    }

    fn said(&mut self, part: u32, delta: &Delta, out: &mut BytesMut) {
        match delta {
            Delta::Text(text) | Delta::Refusal(text) => self.text(part, text, out),
            Delta::Thinking(thinking) => {
                self.thinking(part, out);
                if !thinking.is_empty() {
                    self.more(&More::Thinking { thinking }, out);
                }
            }
            Delta::Signature(signature) => {
                if let Some((index, start)) = self.called.take() {
                    let beside = self.maker.beside(Some(signature));
                    self.open_call(index, &start, beside, out);
                    return;
                }
                if let Some(words) = self.words.span(part) {
                    return self.carry(signature, &Purpose::Words(words), out);
                }
                self.thinking(part, out);
                let proof = self.maker.proof(signature);
                self.more(&More::Signature { signature: &proof }, out);
                self.open = Some(Open::Thinking {
                    part,
                    is_signed: true,
                });
            }
            Delta::RedactedThinking(signature) => {
                let data = self.maker.redacted(signature);
                self.whole(Block::RedactedThinking { data }, None, out);
            }
            Delta::Citation(citation) => {
                if let Some(citation) = self.maker.citation(citation) {
                    self.text(part, "", out);
                    self.more(&More::Citations { citation }, out);
                }
            }
            Delta::Audio(audio) => {
                if let Some(words) = &audio.transcript {
                    self.text(part, words, out);
                }
            }
            Delta::Native(native) if self.maker.is_own => {
                if let Some((block, input)) = begun(&native.json) {
                    self.whole(Block::Native(block), input.as_ref(), out);
                }
            }
            _ => {}
        }
    }

    fn text(&mut self, part: u32, text: &str, out: &mut BytesMut) {
        if self.open != Some(Open::Text(part)) {
            let block = Block::Text {
                text: "".into(),
                citations: Vec::new(),
            };
            self.open(Open::Text(part), block, out);
        }
        self.words.add(part, text);
        if !text.is_empty() {
            self.more(&More::Text { text }, out);
        }
    }

    /// The proof of words or of a call: of this wire's own providers there is none.
    fn carry(&mut self, signature: &Signature, purpose: &Purpose, out: &mut BytesMut) {
        if !self.maker.is_own {
            let block = self.maker.carrier(signature, purpose);
            self.whole(block, None, out);
        }
    }

    fn thinking(&mut self, of: u32, out: &mut BytesMut) {
        if matches!(self.open, Some(Open::Thinking { part, .. }) if part == of) {
            return;
        }
        let open = Open::Thinking {
            part: of,
            is_signed: false,
        };
        let block = Block::Thinking {
            thinking: "",
            signature: "".into(),
        };
        self.open(open, block, out);
    }

    fn call(&mut self, piece: &Piece<'_>, out: &mut BytesMut) {
        match *piece {
            Piece::Start { index, start } => {
                self.close(out);
                if self.maker.is_own {
                    self.called = Some((index, start.clone()));
                } else {
                    self.open_call(index, start, Map::new(), out);
                }
            }
            Piece::Arguments { index, text } => {
                self.begin_call(out);
                // What follows a complete input is none.
                if self.open == Some(Open::Call(index)) {
                    self.more(&More::Input { partial_json: text }, out);
                }
            }
        }
    }

    fn begin_call(&mut self, out: &mut BytesMut) {
        if let Some((index, start)) = self.called.take() {
            self.open_call(index, &start, Map::new(), out);
        }
    }

    fn open_call(
        &mut self,
        index: usize,
        start: &ToolCallStart,
        beside: Map<String, Value>,
        out: &mut BytesMut,
    ) {
        let block = Block::ToolUse {
            id: &start.id,
            name: &start.name,
            input: no_input(),
            beside,
        };
        self.end_block(out);
        self.start(block, out);
        self.open = Some(Open::Call(index));
        self.more(&More::Input { partial_json: "" }, out);
    }

    /// A block that comes in one piece, but for its input.
    fn whole(&mut self, block: Block<'_>, input: Option<&Json>, out: &mut BytesMut) {
        self.close(out);
        self.start(block, out);
        if let Some(input) = input {
            let partial_json = input.as_str();
            self.more(&More::Input { partial_json }, out);
        }
        self.stop(out);
    }

    fn open(&mut self, open: Open, block: Block<'_>, out: &mut BytesMut) {
        self.close(out);
        self.start(block, out);
        self.open = Some(open);
    }

    /// Ends the block that is open, and a call that had neither arguments nor anything else.
    fn close(&mut self, out: &mut BytesMut) {
        self.begin_call(out);
        self.end_block(out);
    }

    fn end_block(&mut self, out: &mut BytesMut) {
        let Some(open) = self.open.take() else {
            return;
        };
        let unsigned = matches!(
            open,
            Open::Thinking {
                is_signed: false,
                ..
            }
        );
        if unsigned && !self.maker.is_own {
            let signature = &self.maker.no_proof();
            self.more(&More::Signature { signature }, out);
        }
        self.stop(out);
    }

    fn start(&mut self, content_block: Block<'_>, out: &mut BytesMut) {
        let index = self.blocks;
        self.blocks = self.blocks.saturating_add(1);
        let frame = Frame::ContentBlockStart {
            index,
            content_block,
        };
        write("content_block_start", &frame, out);
        if !mem::replace(&mut self.has_pinged, true) {
            write("ping", &Frame::Ping, out);
        }
    }

    fn more(&self, delta: &More<'_>, out: &mut BytesMut) {
        let index = self.blocks.saturating_sub(1);
        let frame = Frame::ContentBlockDelta { index, delta };
        write("content_block_delta", &frame, out);
    }

    fn stop(&self, out: &mut BytesMut) {
        let index = self.blocks.saturating_sub(1);
        write(
            "content_block_stop",
            &Frame::ContentBlockStop { index },
            out,
        );
    }
}

/// Appends an event; what has no JSON form, which nothing here lacks, is left out.
fn write(event: &str, frame: &Frame<'_>, out: &mut BytesMut) {
    if let Ok(json) = serde_json::to_vec(frame) {
        for bytes in [b"event: ", event.as_bytes(), b"\ndata: ", &json, b"\n\n"] {
            out.extend_from_slice(bytes);
        }
    }
}
