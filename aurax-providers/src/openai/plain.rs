//! A reply, and two ways to read it.
//!
//! In one pass, where every field that means something has the type it should have: most replies.
//! Any other reply is read field by field, each value by itself, so that a field of another type
//! leaves the rest readable. Of a reply that both ways can read they make the same.

use std::fmt;

use serde::de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::choice::Form;
use super::fields::{Fields, InOnePass};
use crate::object::{Object, Text};

/// The most choices a reply may have.
pub(super) const MAX_CHOICES: usize = 128;

/// A whole reply or a chunk of one, without its choices.
#[derive(Debug, Default)]
pub(super) struct Reply<'a> {
    pub(super) id: Option<Text<'a>>,
    pub(super) model: Option<Text<'a>>,
    pub(super) created: Option<i64>,
    pub(super) service_tier: Option<Text<'a>>,
    pub(super) usage: Option<&'a RawValue>,
    /// What has no place of its own.
    pub(super) rest: Object<'a>,
}

/// A choice of a reply.
#[derive(Debug, Default)]
pub(super) struct Choice<'a> {
    pub(super) index: Option<u32>,
    pub(super) message: Option<Message<'a>>,
    pub(super) logprobs: Option<&'a RawValue>,
    pub(super) finish_reason: Option<String>,
    /// What has no place of its own.
    pub(super) rest: Object<'a>,
}

/// What a choice says, or a piece of it.
#[derive(Debug, Default)]
pub(super) struct Message<'a> {
    pub(super) content: Option<Content<'a>>,
    pub(super) refusal: Option<String>,
    pub(super) tool_calls: Option<&'a RawValue>,
    /// What has no place of its own.
    pub(super) rest: Object<'a>,
}

/// A text, or a list of parts (Mistral).
#[derive(Debug)]
pub(super) enum Content<'a> {
    Text(String),
    Parts(&'a RawValue),
}

/// Reads a reply in one pass; `None` for one that has to be read field by field, as have errors.
pub(super) fn read(text: &str) -> Option<(Reply<'_>, Vec<Choice<'_>>)> {
    let InOnePass(Whole { reply, choices }) = serde_json::from_str(text).ok()?;
    Some((reply, choices?.0))
}

impl<'a> Reply<'a> {
    /// Reads what is there besides the choices.
    pub(super) fn of(mut fields: Object<'a>) -> Self {
        Self {
            id: said(fields.read("id")),
            model: said(fields.read("model")),
            created: fields.read("created"),
            service_tier: said(fields.read("service_tier")),
            usage: fields.take("usage"),
            rest: {
                fields.take("object");
                fields
            },
        }
    }
}

impl<'a> Choice<'a> {
    /// Reads a choice; `None` where it is no object.
    pub(super) fn of(choice: &'a RawValue, form: Form) -> Option<Self> {
        let mut fields = Object::of(choice)?;
        let message = match form {
            Form::Whole => fields.take("message").or_else(|| fields.take("delta")),
            // Perplexity repeats all there is so far in `message`.
            Form::Piece if fields.has("delta") => fields.take("delta"),
            Form::Piece => fields.take("message"),
        };
        for other in ["message", "delta"] {
            fields.take(other);
        }
        Some(Self {
            index: fields.read("index"),
            message: message.and_then(Object::of).map(Message::of),
            logprobs: fields.take("logprobs"),
            finish_reason: fields.text("finish_reason"),
            rest: fields,
        })
    }
}

impl<'a> Message<'a> {
    fn of(mut fields: Object<'a>) -> Self {
        fields.take("role");
        let content = fields.take("content");
        Self {
            content: content.map(|content| {
                let text = serde_json::from_str(content.get());
                text.map_or(Content::Parts(content), Content::Text)
            }),
            refusal: fields.text("refusal"),
            tool_calls: fields.take("tool_calls"),
            rest: fields,
        }
    }
}

/// An empty text says nothing.
fn said(text: Option<Text<'_>>) -> Option<Text<'_>> {
    text.filter(|text| !text.as_str().is_empty())
}

#[derive(Default)]
struct Whole<'a> {
    reply: Reply<'a>,
    choices: Option<Choices<'a>>,
}

impl<'a> Fields<'a> for Whole<'a> {
    fn read<A: MapAccess<'a>>(&mut self, name: Text<'a>, map: &mut A) -> Result<(), A::Error> {
        let reply = &mut self.reply;
        match name.as_str() {
            "id" => reply.id = said(map.next_value()?),
            "model" => reply.model = said(map.next_value()?),
            "created" => reply.created = map.next_value()?,
            "service_tier" => reply.service_tier = said(map.next_value()?),
            "usage" => reply.usage = map.next_value()?,
            "choices" => self.choices = map.next_value()?,
            "object" => {
                let object: Option<Text<'a>> = map.next_value()?;
                if object.is_some_and(|object| object.as_str() == "error") {
                    return Err(A::Error::custom("an error"));
                }
            }
            "error" => return Err(A::Error::custom("an error")),
            _ => reply.rest.put(name, map.next_value()?),
        }
        Ok(())
    }
}

impl<'a> Fields<'a> for Choice<'a> {
    fn read<A: MapAccess<'a>>(&mut self, name: Text<'a>, map: &mut A) -> Result<(), A::Error> {
        match name.as_str() {
            "index" => self.index = map.next_value()?,
            "logprobs" => self.logprobs = map.next_value()?,
            "finish_reason" => {
                self.finish_reason = map.next_value()?;
                self.finish_reason.take_if(|reason| reason.is_empty());
            }
            // Which of several counts depends on the form of the reply.
            "message" | "delta" if self.message.is_some() => {
                return Err(A::Error::custom("several messages"));
            }
            "message" | "delta" => {
                let InOnePass(message) = map.next_value()?;
                self.message = Some(message);
            }
            _ => self.rest.put(name, map.next_value()?),
        }
        Ok(())
    }
}

impl<'a> Fields<'a> for Message<'a> {
    fn read<A: MapAccess<'a>>(&mut self, name: Text<'a>, map: &mut A) -> Result<(), A::Error> {
        match name.as_str() {
            "role" => {
                let IgnoredAny = map.next_value()?;
            }
            "content" => {
                let text: Option<String> = map.next_value()?;
                self.content = text.map(Content::Text);
            }
            "refusal" => {
                self.refusal = map.next_value()?;
                self.refusal.take_if(|refusal| refusal.is_empty());
            }
            "tool_calls" => self.tool_calls = map.next_value()?,
            _ => self.rest.put(name, map.next_value()?),
        }
        Ok(())
    }
}

/// The choices of a reply, as many as are looked at.
struct Choices<'a>(Vec<Choice<'a>>);

impl<'de> Deserialize<'de> for Choices<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;

        impl<'de> Visitor<'de> for List {
            type Value = Choices<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Choices<'de>, A::Error> {
                let mut choices = Vec::with_capacity(1);
                while let Some(InOnePass(choice)) = items.next_element()? {
                    if choices.len() >= MAX_CHOICES {
                        return Err(A::Error::custom("too many choices"));
                    }
                    choices.push(choice);
                }
                Ok(Choices(choices))
            }
        }

        deserializer.deserialize_seq(List)
    }
}
