//! An assistant's turn of the conversation.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::content::{Content, ContentPart};
use super::message::{Called, Message};
use super::quirks::{Quirks, Thoughts};

/// What an assistant's turn is made of.
#[derive(Default)]
pub(super) struct Turn<'a> {
    pub(super) words: Vec<ContentPart<'a>>,
    pub(super) refusal: Vec<&'a str>,
    pub(super) thoughts: Vec<&'a str>,
    /// The thoughts came with a proof for another model.
    pub(super) is_foreign: bool,
    pub(super) transcript: Vec<&'a str>,
    pub(super) details: Option<&'a RawValue>,
    pub(super) audio: Option<&'a RawValue>,
    pub(super) calls: Vec<Called<'a>>,
}

impl<'a> Turn<'a> {
    pub(super) fn message(mut self, name: Option<&'a str>, quirks: &Quirks) -> Message<'a> {
        let thoughts = join(&self.thoughts).filter(|_| !self.is_foreign);
        let mut refusal = join(&self.refusal);
        if !quirks.takes.refusals {
            self.words.extend(refusal.take().map(ContentPart::text));
        }
        // A spoken answer goes back by its id; without one its words stand for it.
        if self.audio.is_none() {
            self.words
                .extend(join(&self.transcript).map(ContentPart::text));
        }
        let mut message = Message {
            role: "assistant",
            name,
            audio: self.audio,
            reasoning_details: self.details,
            refusal,
            ..Message::default()
        };
        match quirks.thoughts {
            Thoughts::ReasoningContent => message.reasoning_content = thoughts,
            Thoughts::ReasoningContentWithTools => {
                let needed = (!self.calls.is_empty()).then_some(Cow::Borrowed(""));
                message.reasoning_content = thoughts.or(needed);
            }
            Thoughts::Details if self.details.is_none() => message.reasoning = thoughts,
            Thoughts::Content => {
                if let Some(thoughts) = thoughts {
                    self.words.insert(0, ContentPart::thinking(thoughts));
                }
            }
            Thoughts::Details | Thoughts::Dropped => {}
        }
        let silent = !self.calls.is_empty() || message.refusal.is_some() || self.audio.is_some();
        message.content =
            (!self.words.is_empty() || !silent).then(|| Content::joined(self.words, ""));
        message.tool_calls = self.calls;
        message
    }
}

fn join<'a>(texts: &[&'a str]) -> Option<Cow<'a, str>> {
    match texts {
        [] => None,
        [text] => Some(Cow::Borrowed(text)),
        texts => Some(Cow::Owned(texts.concat())),
    }
}
