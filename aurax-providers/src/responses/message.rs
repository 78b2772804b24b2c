//! An assistant's turn of the conversation.

use aurax_core::{Item, Message, Part, Result, Text, Thinking, ToolCall};
use serde_json::{Map, Value};

use super::content::{Content, ContentPart, Known};
use super::input::{Encoder, InputItem, Thought, is_content};
use super::tool;
use super::{NAME, REASONING_TEXT};
use crate::refusals::{no_place, subject};

/// Turns the parts of one message into items: neighbours that one item lists go together.
pub(super) struct Turn<'t, 'e, 'a> {
    encoder: &'t mut Encoder<'e>,
    items: &'t mut Vec<InputItem<'a>>,
    /// Words, and the item that lists them.
    said: Vec<ContentPart<'a>>,
    saying: Option<&'a Item>,
    /// Thoughts, which all belong to one item, and fields of the provider's own in them.
    thoughts: Vec<(&'a Thinking, Option<Map<String, Value>>)>,
    /// Thoughts of the turn were left out. Items that followed them are known to the provider as
    /// following them, so they go without their ids.
    is_torn: bool,
}

impl<'t, 'e, 'a> Turn<'t, 'e, 'a> {
    pub(super) fn new(encoder: &'t mut Encoder<'e>, items: &'t mut Vec<InputItem<'a>>) -> Self {
        Self {
            encoder,
            items,
            said: Vec::new(),
            saying: None,
            thoughts: Vec::new(),
            is_torn: false,
        }
    }

    pub(super) fn encode(mut self, at: usize, message: &'a Message) -> Result<()> {
        for (number, part) in message.parts.iter().enumerate() {
            let subject = subject(at, number);
            if !matches!(part, Part::Thinking(_)) {
                self.end_thoughts();
            }
            match part {
                Part::Text(text) => {
                    let own = self.encoder.own(part.own_fields(), &subject)?;
                    let content = self.words(text).extended(own);
                    self.say(content, text.item.as_ref());
                }
                Part::Refusal(refusal) => {
                    let refused = Known::Refusal {
                        refusal: &refusal.text,
                    };
                    let own = self.encoder.own(part.own_fields(), &subject)?;
                    let refused = ContentPart::Known(refused).extended(own);
                    self.say(refused, refusal.item.as_ref());
                }
                Part::Thinking(thinking) => {
                    let own = self.encoder.own(part.own_fields(), &subject)?;
                    self.think(thinking, own);
                }
                Part::RedactedThinking(_) => {
                    self.encoder.has_foreign_thoughts = true;
                    self.is_torn = true;
                }
                Part::ToolCall(call) => self.call(call),
                Part::Native(native) => {
                    let json = self.encoder.native(native, &subject)?;
                    match json {
                        Some(json) if is_content(&native.kind) => {
                            self.said.push(ContentPart::Native(json));
                        }
                        json => {
                            self.end_words();
                            self.items.extend(json.map(InputItem::Native));
                        }
                    }
                }
                // A spoken answer cannot go back; its words stand for it.
                Part::Audio(audio) => {
                    if let Some(text) = audio.transcript.as_deref() {
                        let annotations = Vec::new();
                        let said = Known::OutputText { text, annotations };
                        self.say(ContentPart::Known(said), None);
                    }
                }
                other => return Err(no_place(&subject, other, "the model's own turn")),
            }
        }
        self.end_thoughts();
        self.end_words();
        Ok(())
    }

    fn words(&self, text: &'a Text) -> ContentPart<'a> {
        let own = |native: &&'a aurax_core::Native| {
            let provider = &self.encoder.origin.provider;
            native.kind == "annotation" && native.is_for(provider, NAME)
        };
        let annotations = text
            .citations
            .iter()
            .filter_map(|citation| citation.native.as_ref().filter(own))
            .filter_map(|native| serde_json::from_str(&native.json).ok())
            .collect();
        ContentPart::Known(Known::OutputText {
            text: &text.text,
            annotations,
        })
    }

    fn say(&mut self, content: ContentPart<'a>, item: Option<&'a Item>) {
        let item = self.own(item);
        let goes_on = match (self.saying, item) {
            (None, None) => true,
            (Some(before), Some(now)) => before.id == now.id && before.phase == now.phase,
            _ => false,
        };
        if !goes_on {
            self.end_words();
        }
        self.saying = item;
        self.said.push(content);
    }

    /// What the provider that is called knows of an item.
    fn own(&self, item: Option<&'a Item>) -> Option<&'a Item> {
        item.filter(|item| item.is_of(&self.encoder.origin.provider))
    }

    fn id(&self, item: Option<&'a Item>) -> Option<&'a str> {
        item?.id.as_deref().filter(|_| !self.is_torn)
    }

    fn end_words(&mut self) {
        let item = self.saying.take();
        let content = std::mem::take(&mut self.said);
        if content.is_empty() {
            return;
        }
        let phase = item.and_then(|item| item.phase.as_deref());
        self.items.push(match self.id(item) {
            Some(id) => InputItem::Listed {
                r#type: "message",
                id,
                role: "assistant",
                status: "completed",
                phase,
                content,
                extra: extra(item),
            },
            None => InputItem::Easy {
                own: None,
                role: "assistant",
                phase,
                content: plain(content),
            },
        });
    }

    fn think(&mut self, thinking: &'a Thinking, own: Option<Map<String, Value>>) {
        self.end_words();
        let id = |thinking: &Thinking| thinking.item.as_ref().and_then(|item| item.id.clone());
        let goes_on = self
            .thoughts
            .last()
            .is_some_and(|(last, _)| last.item.is_some() && id(last) == id(thinking));
        if !goes_on {
            self.end_thoughts();
        }
        self.thoughts.push((thinking, own));
    }

    /// Thoughts go back where the model that is called signed them, or its provider listed them.
    fn end_thoughts(&mut self) {
        let thoughts = std::mem::take(&mut self.thoughts);
        let Some((first, own)) = thoughts.first() else {
            return;
        };
        let signature = thoughts
            .iter()
            .find_map(|(thought, _)| thought.signature.as_ref());
        let item = self.own(first.item.as_ref());
        let is_own = match signature {
            Some(signature) => signature.is_for_wire(&self.encoder.origin, NAME),
            None => item.is_some(),
        };
        if !is_own {
            self.encoder.has_foreign_thoughts = true;
            self.is_torn = true;
            return;
        }
        let is_shown = |thought: &Thinking| {
            let kind = thought.item.as_ref().and_then(|item| item.kind.as_deref());
            kind == Some(REASONING_TEXT)
        };
        // Thoughts that were not shown are one empty part.
        let is_hidden = thoughts.len() == 1 && first.text.is_empty() && own.is_none();
        let mut summary = Vec::new();
        let mut content = Vec::new();
        for (thought, own) in thoughts {
            let (list, r#type) = match is_shown(thought) {
                true => (&mut content, REASONING_TEXT),
                false if is_hidden => continue,
                false => (&mut summary, "summary_text"),
            };
            let text = thought.text.as_str();
            list.push(Thought { r#type, text, own });
        }
        self.items.push(InputItem::Reasoning {
            r#type: "reasoning",
            id: self.id(item),
            summary,
            content,
            encrypted_content: signature.map(|signature| signature.data.as_str()),
            extra: extra(item),
        });
    }

    fn call(&mut self, call: &'a ToolCall) {
        self.end_words();
        let item = self.own(call.item.as_ref());
        let id = self.id(item);
        self.items.push(InputItem::Call {
            r#type: "function_call",
            id,
            call_id: tool::id(&call.id),
            name: &call.name,
            arguments: call.arguments_json(),
            status: id.map(|_| "completed"),
            extra: extra(item),
        });
    }
}

fn extra(item: Option<&Item>) -> Map<String, Value> {
    item.and_then(|item| item.extra.as_ref()?.to().ok())
        .unwrap_or_default()
}

/// Words alone are sent as a text: the one form every server takes.
fn plain(content: Vec<ContentPart<'_>>) -> Content<'_> {
    let words = content.iter().map(|part| match part {
        ContentPart::Known(Known::OutputText { text, annotations }) if annotations.is_empty() => {
            Some(*text)
        }
        _ => None,
    });
    match words.collect::<Option<Vec<&str>>>().as_deref() {
        Some([text]) => Content::Text((*text).into()),
        Some(texts) => Content::Text(texts.concat().into()),
        None => Content::Parts(content),
    }
}
