//! Writes whole replies.

use std::borrow::Cow;

use aurax_core::{Finish, Json, Message, Part, Response};
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value};

use super::blocks::{Block, Maker};
use super::usage;
use crate::inbound::carry::{Purpose, Run};
use crate::raw::RawObject;

/// A message, whole or as a stream begins it.
#[derive(Serialize)]
pub(super) struct Reply<'a> {
    pub(super) id: &'a str,
    pub(super) r#type: &'static str,
    pub(super) role: &'static str,
    pub(super) model: &'a str,
    pub(super) content: Vec<Block<'a>>,
    pub(super) stop_reason: Option<&'a str>,
    pub(super) stop_sequence: Option<&'a str>,
    pub(super) stop_details: Option<&'a Value>,
    pub(super) usage: RawObject,
    #[serde(flatten)]
    pub(super) extra: Option<&'a Map<String, Value>>,
}

pub(super) fn write(maker: &Maker, id: &str, model: &str, response: &Response) -> Bytes {
    let choice = response.choices.first();
    let finish = choice.and_then(|choice| choice.finish.as_ref());
    let reply = Reply {
        id,
        r#type: "message",
        role: "assistant",
        model,
        content: choice.map_or_else(Vec::new, |choice| content(maker, &choice.message)),
        stop_reason: finish.map(|finish| maker.reason(finish)),
        stop_sequence: finish.and_then(|finish| finish.stop_sequence.as_deref()),
        stop_details: finish.and_then(|finish| details(maker, finish)),
        usage: response.usage.as_ref().map_or_else(
            || usage::write(None, maker.is_own),
            |counted| usage::write(Some(counted), maker.is_own),
        ),
        extra: maker.is_own.then_some(&response.extra),
    };
    serde_json::to_vec(&reply).unwrap_or_default().into()
}

/// What a provider of this wire says of a refusal.
pub(super) fn details<'a>(maker: &Maker, finish: &'a Finish) -> Option<&'a Value> {
    finish.extra.get("stop_details").filter(|_| maker.is_own)
}

fn content<'a>(maker: &Maker, message: &'a Message) -> Vec<Block<'a>> {
    let words = |text: &'a str| Block::Text {
        text: Cow::Borrowed(text),
        citations: Vec::new(),
    };
    let block = |part: &'a Part| {
        Some(match part {
            Part::Text(text) => Block::Text {
                text: Cow::Borrowed(&text.text),
                citations: text
                    .citations
                    .iter()
                    .filter_map(|source| maker.citation(source))
                    .collect(),
            },
            Part::Thinking(thinking) => Block::Thinking {
                thinking: &thinking.text,
                signature: match &thinking.signature {
                    Some(signature) => maker.proof(signature),
                    None => maker.no_proof().into(),
                },
            },
            Part::RedactedThinking(thinking) => Block::RedactedThinking {
                data: maker.redacted(&thinking.data),
            },
            Part::Refusal(refusal) => words(&refusal.text),
            Part::ToolCall(call) => maker.call(call),
            Part::Audio(audio) => words(audio.transcript.as_deref()?),
            Part::Native(native) if maker.is_own => {
                Block::Native(Json::parse(native.json.clone()).ok()?)
            }
            _ => return None,
        })
    };
    let mut said = Run::default();
    let mut blocks = Vec::with_capacity(message.parts.len());
    for (number, part) in (0..).zip(&message.parts) {
        blocks.extend(block(part));
        blocks.extend(carrier(maker, number, part, &mut said));
    }
    blocks
}

/// What carries the proof of words or of a call.
fn carrier<'a>(maker: &Maker, number: u32, part: &Part, said: &mut Run) -> Option<Block<'a>> {
    let (signature, purpose) = match part {
        Part::Text(text) => {
            said.add(number, &text.text);
            (text.signature.as_ref()?, Purpose::Words(said.span(number)?))
        }
        Part::Refusal(refusal) => {
            said.add(number, &refusal.text);
            return None;
        }
        Part::Audio(audio) => {
            said.add(number, audio.transcript.as_deref().unwrap_or_default());
            return None;
        }
        Part::ToolCall(call) => (call.signature.as_ref()?, Purpose::Call(call.id.clone())),
        _ => return None,
    };
    (!maker.is_own).then(|| maker.carrier(signature, &purpose))
}
