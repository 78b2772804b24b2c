//! An answer as it is kept: its events, as JSON.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;

use crate::call::{Call, Op};
use crate::chat::{Delta, End, Event, FinishReason, Tool, Warning};
use crate::reply::Batch;

/// What is kept of an answer.
#[derive(Debug, Deserialize)]
pub(super) struct Entry {
    pub(super) warnings: Vec<Warning>,
    pub(super) batches: Vec<Arc<[Event]>>,
}

impl Entry {
    /// Reads an entry; `None` for one that another version wrote.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

/// Whether the answer to `call` may stand for another answer to the same call.
///
/// Not where the provider should keep the answer to be referred to, nor where it looks something
/// up on the way: such a call is more than its answer. What fields of a provider's own format ask
/// for is not known.
pub(super) fn is_repeatable(call: &Call) -> bool {
    match &call.op {
        Op::Chat(request) => {
            let native = |tool: &Tool| matches!(tool, Tool::Native(_));
            let is_plain = request.extra.fields.is_empty();
            is_plain && request.store != Some(true) && !request.tools.iter().any(native)
        }
        Op::Embed(_) => true,
    }
}

/// Whether an answer that ended so is worth keeping: every choice was finished by the model
/// itself, by one of the caller's stop texts, or to wait for the caller's tools.
fn is_good(end: &End, op: &Op) -> bool {
    let good = |reason| {
        matches!(
            reason,
            FinishReason::Stop | FinishReason::StopSequence | FinishReason::ToolCalls
        )
    };
    let all = end.finish.iter().all(|finish| good(finish.reason));
    all && (matches!(op, Op::Embed(_)) || !end.finish.is_empty())
}

/// Writes an answer down as it passes, up to a number of bytes.
#[derive(Debug)]
pub(super) struct Notes {
    op: Op,
    most: usize,
    /// `None` once it is clear that the answer is not to be kept.
    text: Option<Vec<u8>>,
    batches: usize,
    has_content: bool,
}

impl Notes {
    pub(super) fn new(op: Op, most: usize, warnings: &[Warning]) -> Self {
        let mut notes = Self {
            op,
            most,
            text: Some(Vec::new()),
            batches: 0,
            has_content: false,
        };
        notes.write(|text| {
            text.extend_from_slice(b"{\"warnings\":");
            serde_json::to_writer(&mut *text, warnings)?;
            text.extend_from_slice(b",\"batches\":[");
            Ok(())
        });
        notes
    }

    fn write(&mut self, write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) {
        if let Some(text) = &mut self.text
            && (write(text).is_err() || text.len() > self.most)
        {
            self.text = None;
        }
    }

    /// Adds what arrived. When that was the end of an answer to be kept, it is returned.
    pub(super) fn add(&mut self, batch: &Batch) -> Option<Bytes> {
        let refused = |event: &Event| {
            matches!(
                event,
                Event::Delta {
                    delta: Delta::Refusal(_),
                    ..
                }
            )
        };
        if batch.events.iter().any(refused) {
            self.text = None;
        }
        if self.text.is_none() || batch.events.is_empty() {
            return None;
        }
        self.has_content |= batch.events.iter().any(Event::is_content);
        let comma: &[u8] = if self.batches > 0 { b"," } else { b"" };
        self.batches = self.batches.saturating_add(1);
        self.write(|text| {
            text.extend_from_slice(comma);
            Ok(serde_json::to_writer(text, &batch.events)?)
        });
        let end = batch.events.iter().find_map(|event| match event {
            Event::End(end) => Some(end),
            _ => None,
        })?;
        if !self.has_content || !is_good(end, &self.op) {
            self.text = None;
        }
        self.write(|text| {
            text.extend_from_slice(b"]}");
            Ok(())
        });
        self.text.take().map(Bytes::from)
    }
}
