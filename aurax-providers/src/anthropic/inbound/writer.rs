//! Writes replies: the events of a stream, in the one order the official SDKs take.

mod frame;
mod frames;

use std::mem;
use std::sync::Arc;

use aurax_core::{Delta, End, Error, Event, Head, Response, Signature, Start, Usage};
use bytes::{Bytes, BytesMut};

use self::frames::Frames;
use crate::Seal;
use crate::inbound::carry::Purpose;
use crate::inbound::order::Order;
use crate::inbound::{Stamp, WriteReply};

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
impl Writer {
    pub(super) fn new(seal: Seal, head: &Head, stamp: Stamp) -> Self {
        Self {
            frames: Frames::new(seal, head, stamp),
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
            Delta::Signature(_) if frames.is_calling() => frames.said(part, delta, out),
            Delta::Signature(signature) if let Some(call) = self.calls.call(part) => {
                let proof = Waiting::Proof(call.id.clone(), signature.clone());
                self.wait(proof, out);
            }
            // Nothing comes into the middle of a call, but where calls are complete before
            // anything else begins there is nothing to wait for.
            _ if self.calls.is_writing() && !frames.is_own() => {
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
        let counted = end.usage.as_ref().or(self.usage.as_ref());
        self.frames.end(end, counted.map(|usage| &**usage), out);
    }
}

impl WriteReply for Writer {
    fn whole(&mut self, response: &Response) -> Bytes {
        self.frames.whole_reply(response)
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
        self.frames.error(error, out);
    }

    fn ping(&mut self, out: &mut BytesMut) {
        self.frames.ping(out);
    }
}
