//! What has been written of a reply: its blocks, one open at a time.

use std::mem;

use aurax_core::{Delta, End, Error, Head, Json, Response, Signature, ToolCallStart, Usage};
use bytes::{Bytes, BytesMut};
use serde_json::{Map, Value};

use super::super::super::NAME;
use super::super::blocks::{Block, Maker, begun, no_input};
use super::super::whole::{self, Reply};
use super::super::{error, usage};
use super::frame::{Blocks, Ending, Frame, More, write};
use crate::Seal;
use crate::inbound::Stamp;
use crate::inbound::carry::{Purpose, Run};
use crate::inbound::order::Piece;

/// What has been written.
#[derive(Debug)]
pub(super) struct Frames {
    maker: Maker,
    request_id: String,
    id: String,
    model: String,
    has_begun: bool,
    blocks: Blocks,
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
impl Frames {
    pub(super) fn new(seal: Seal, head: &Head, stamp: Stamp) -> Self {
        Self {
            maker: Maker {
                seal,
                is_own: head.wire == NAME,
            },
            id: format!("msg_{}", stamp.request_id),
            request_id: stamp.request_id,
            model: head.model.as_str().to_owned(),
            has_begun: false,
            blocks: Blocks::default(),
            open: None,
            words: Run::default(),
            called: None,
        }
    }

    /// The provider speaks this wire too.
    pub(super) const fn is_own(&self) -> bool {
        self.maker.is_own
    }

    /// A call has been announced and its block is not begun.
    pub(super) const fn is_calling(&self) -> bool {
        self.called.is_some()
    }

    /// A reply in one piece.
    pub(super) fn whole_reply(&mut self, response: &Response) -> Bytes {
        self.named(response.id.as_deref(), Some(&response.model));
        whole::write(&self.maker, &self.id, &self.model, response)
    }

    pub(super) fn named(&mut self, id: Option<&str>, model: Option<&str>) {
        if let Some(id) = id {
            id.clone_into(&mut self.id);
        }
        if let Some(model) = model {
            model.clone_into(&mut self.model);
        }
    }

    /// Begins the message, with what is known of its input.
    pub(super) fn begin(&mut self, counted: Option<&Usage>, out: &mut BytesMut) {
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

    /// Ends the message.
    pub(super) fn end(&mut self, end: &End, counted: Option<&Usage>, out: &mut BytesMut) {
        self.close(out);
        let finish = end.finish.first();
        let is_own = self.maker.is_own;
        let frame = Frame::MessageDelta {
            delta: Ending {
                stop_reason: finish.map(|finish| self.maker.reason(finish)),
                stop_sequence: finish.and_then(|finish| finish.stop_sequence.as_deref()),
                stop_details: finish.and_then(|finish| whole::details(&self.maker, finish)),
            },
            usage: usage::write(counted, is_own),
            extra: is_own.then_some(&end.extra),
        };
        write("message_delta", &frame, out);
        write("message_stop", &Frame::MessageStop, out);
    }

    pub(super) fn error(&self, error: &Error, out: &mut BytesMut) {
        out.extend_from_slice(b"event: error\ndata: ");
        out.extend_from_slice(&error::body(error, Some(&self.request_id)));
        out.extend_from_slice(b"\n\n");
    }

    /// An event once the message has begun, and before that a comment, which is safe anywhere.
    pub(super) fn ping(&self, out: &mut BytesMut) {
        if self.has_begun {
            write("ping", &Frame::Ping, out);
        } else {
            out.extend_from_slice(b": keepalive\n\n");
        }
    }

    pub(super) fn said(&mut self, part: u32, delta: &Delta, out: &mut BytesMut) {
        match delta {
            Delta::Text(text) | Delta::Refusal(text) => self.text(part, text, out),
            Delta::Thinking(thinking) => {
                self.thinking(part, out);
                if !thinking.is_empty() {
                    self.blocks.more(&More::Thinking { thinking }, out);
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
                self.blocks
                    .more(&More::Signature { signature: &proof }, out);
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
                    self.blocks.more(&More::Citations { citation }, out);
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
            self.blocks.more(&More::Text { text }, out);
        }
    }

    /// The proof of words or of a call: of this wire's own providers there is none.
    pub(super) fn carry(&mut self, signature: &Signature, purpose: &Purpose, out: &mut BytesMut) {
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

    pub(super) fn call(&mut self, piece: &Piece<'_>, out: &mut BytesMut) {
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
                    self.blocks.more(&More::Input { partial_json: text }, out);
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
        self.blocks.start(block, out);
        self.open = Some(Open::Call(index));
        self.blocks.more(&More::Input { partial_json: "" }, out);
    }

    /// A block that comes in one piece, but for its input.
    fn whole(&mut self, block: Block<'_>, input: Option<&Json>, out: &mut BytesMut) {
        self.close(out);
        self.blocks.start(block, out);
        if let Some(input) = input {
            let partial_json = input.as_str();
            self.blocks.more(&More::Input { partial_json }, out);
        }
        self.blocks.stop(out);
    }

    fn open(&mut self, open: Open, block: Block<'_>, out: &mut BytesMut) {
        self.close(out);
        self.blocks.start(block, out);
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
            self.blocks.more(&More::Signature { signature }, out);
        }
        self.blocks.stop(out);
    }
}
