//! Proofs of another wire's provider, as entries of `reasoning_details`.
//!
//! Clients that know OpenRouter's list send it back with the next request, as it was
//! (<https://openrouter.ai/docs/use-cases/reasoning-tokens#preserving-reasoning-blocks>); official
//! SDKs do so with every field of a message they are handed back. An entry of encrypted reasoning
//! has room for the seal.

use aurax_core::{Delta, Part, Signature, ToolCallStart};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::ThoughtFields;
use crate::Seal;
use crate::inbound::carry::{Proofs, Purpose, Run, pack, unpack};
use crate::object::{Object, items};

/// The type of an entry whose content is opaque.
const ENCRYPTED: &str = "reasoning.encrypted";

/// The proofs of one answer. They are written at once: of a list that arrives in pieces some SDKs
/// keep the last one.
#[derive(Debug, Default)]
pub(super) struct Sealed {
    words: Run,
    thoughts: Run,
    entries: Vec<Entry>,
}

#[derive(Debug, Serialize)]
struct Entry {
    r#type: &'static str,
    data: String,
    /// The call it is the proof of.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    format: &'static str,
    index: usize,
}

impl Sealed {
    /// Takes what a part says; `call` is the call it is.
    pub(super) fn said(
        &mut self,
        part: u32,
        delta: &Delta,
        call: Option<&ToolCallStart>,
        by: (&Seal, ThoughtFields),
    ) {
        let (seal, fields) = by;
        let shows = fields != ThoughtFields::None;
        match delta {
            Delta::Text(text) => self.words.add(part, text),
            Delta::Thinking(text) if shows => self.thoughts.add(part, text),
            Delta::Signature(signature) => {
                let purpose = match (call, self.words.span(part)) {
                    (Some(call), _) => Purpose::Call(call.id.clone()),
                    (None, Some(words)) => Purpose::Words(words),
                    (None, None) if shows => {
                        self.thoughts.add(part, "");
                        match self.thoughts.span(part) {
                            Some(thoughts) => Purpose::Thoughts(thoughts),
                            None => return,
                        }
                    }
                    (None, None) => return,
                };
                self.add(seal, signature, &purpose);
            }
            Delta::RedactedThinking(data) if shows => {
                let purpose = Purpose::RedactedAt(self.thoughts.len());
                self.add(seal, data, &purpose);
            }
            _ => {}
        }
    }

    /// The same for a part of a whole answer.
    pub(super) fn part(&mut self, number: u32, part: &Part, by: (&Seal, ThoughtFields)) {
        let mut call = None;
        let (words, signature) = match part {
            Part::Text(text) => (Delta::Text(text.text.clone()), &text.signature),
            Part::Thinking(thinking) => {
                (Delta::Thinking(thinking.text.clone()), &thinking.signature)
            }
            Part::ToolCall(said) => {
                let start = ToolCallStart::new(&said.id, &said.name);
                call = Some(start.clone());
                (Delta::ToolCall(start), &said.signature)
            }
            Part::RedactedThinking(redacted) => {
                (Delta::RedactedThinking(redacted.data.clone()), &None)
            }
            _ => return,
        };
        self.said(number, &words, call.as_ref(), by);
        if let Some(signature) = signature {
            let proof = Delta::Signature(signature.clone());
            self.said(number, &proof, call.as_ref(), by);
        }
    }

    fn add(&mut self, seal: &Seal, signature: &Signature, purpose: &Purpose) {
        self.entries.push(Entry {
            r#type: ENCRYPTED,
            data: pack(seal, signature, purpose),
            id: match purpose {
                Purpose::Call(id) => Some(id.clone()),
                _ => None,
            },
            format: "unknown",
            index: self.entries.len(),
        });
    }

    /// The list; `None` where nothing was signed.
    pub(super) fn take(&mut self) -> Option<Box<RawValue>> {
        let entries = std::mem::take(&mut self.entries);
        let list = (!entries.is_empty()).then(|| to_raw_value(&entries));
        list.and_then(Result::ok)
    }
}

/// Takes the proofs out of a list; what is left of it, as JSON text.
pub(super) fn open(list: &RawValue, seal: &Seal, proofs: &mut Proofs) -> Option<String> {
    let all = items(list);
    let before = all.len();
    let mut others = Vec::with_capacity(before);
    for entry in all {
        let data = Object::of(entry).and_then(|mut entry| entry.text("data"));
        match data.filter(|data| Seal::is_sealed(data)) {
            Some(data) => {
                if let Some((signature, purpose)) = unpack(seal, &data) {
                    proofs.take(signature, purpose);
                }
            }
            None => others.push(entry),
        }
    }
    match others.len() {
        0 => None,
        left if left == before => Some(list.get().to_owned()),
        _ => serde_json::to_string(&others).ok(),
    }
}
