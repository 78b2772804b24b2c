//! The conversation as a list of items.

use std::borrow::Cow;

use aurax_core::{Message, Native, Origin, Part, Result, Role, Text, ToolResult};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::NAME;
use super::content::{self, Content, ContentPart};
use super::message::Turn;
use super::tool;
use crate::omissions::Omissions;
use crate::openai::tool::raw;
use crate::refusals::{no_place, subject};
use crate::wire::Target;

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum InputItem<'a> {
    /// A message nobody has listed.
    Easy {
        role: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        phase: Option<&'a str>,
        content: Content<'a>,
        #[serde(flatten)]
        own: Option<Map<String, Value>>,
    },
    /// A message of the model's as its provider listed it.
    Listed {
        r#type: &'static str,
        id: &'a str,
        role: &'static str,
        status: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        phase: Option<&'a str>,
        content: Vec<ContentPart<'a>>,
        #[serde(flatten)]
        extra: Map<String, Value>,
    },
    Reasoning {
        r#type: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
        summary: Vec<Thought<'a>>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        content: Vec<Thought<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        encrypted_content: Option<&'a str>,
        #[serde(flatten)]
        extra: Map<String, Value>,
    },
    Call {
        r#type: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
        call_id: Cow<'a, str>,
        name: &'a str,
        arguments: &'a str,
        /// Goes with the id: both are the provider's.
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<&'static str>,
        #[serde(flatten)]
        extra: Map<String, Value>,
    },
    Result {
        r#type: &'static str,
        call_id: Cow<'a, str>,
        output: Content<'a>,
        #[serde(flatten)]
        own: Option<Map<String, Value>>,
    },
    /// An item in the provider's own words.
    Native(&'a RawValue),
}

#[derive(Debug, Serialize)]
pub(super) struct Thought<'a> {
    pub(super) r#type: &'static str,
    pub(super) text: &'a str,
    #[serde(flatten)]
    pub(super) own: Option<Map<String, Value>>,
}

/// Encodes messages one by one: the bytes of a message depend on nothing that comes after it.
pub(super) struct Encoder<'e> {
    target: &'e Target,
    pub(super) origin: Origin,
    pub(super) omissions: &'e mut Omissions,
    pub(super) has_foreign_thoughts: bool,
}

impl<'e> Encoder<'e> {
    pub(super) fn new(target: &'e Target, omissions: &'e mut Omissions) -> Self {
        Self {
            target,
            origin: target.origin(),
            omissions,
            has_foreign_thoughts: false,
        }
    }

    /// The instructions, where the conversation begins with some, and the rest of it.
    pub(super) fn encode<'a>(
        mut self,
        messages: &'a [Message],
    ) -> Result<(Option<Cow<'a, str>>, Vec<InputItem<'a>>)> {
        let mut items = Vec::with_capacity(messages.len());
        let instructions = messages.first().and_then(|first| self.instructions(first));
        let skip = usize::from(instructions.is_some());
        for (at, message) in messages.iter().enumerate().skip(skip) {
            if message.name.is_some() {
                let why = "left out: this wire has no names of speakers";
                self.omissions.note(&format!("messages[{at}].name"), why)?;
            }
            match message.role {
                Role::System | Role::Developer => items.push(self.instruction(at, message)?),
                Role::Assistant => Turn::new(&mut self, &mut items).encode(at, message)?,
                _ => self.user_or_tool(at, message, &mut items)?,
            }
        }
        if self.has_foreign_thoughts {
            let why = "left out: thoughts go back only to the model they came from";
            self.omissions.note("messages.thinking", why)?;
        }
        Ok((instructions, items))
    }

    /// The words of a system message that can stand above the conversation: those without marks.
    fn instructions<'a>(&self, message: &'a Message) -> Option<Cow<'a, str>> {
        let plain = |part: &'a Part| match part {
            Part::Text(text) if text.native.is_some() => None,
            Part::Text(text) if !(self.marks() && text.cache.is_some()) => Some(text.text.as_str()),
            _ => None,
        };
        let texts: Vec<&str> = message.parts.iter().map(plain).collect::<Option<_>>()?;
        match texts.as_slice() {
            _ if message.role != Role::System || message.name.is_some() => None,
            _ if message.native.is_some() => None,
            [] => None,
            [text] => Some(Cow::Borrowed(text)),
            texts => Some(texts.join("\n\n").into()),
        }
    }

    fn instruction<'a>(&mut self, at: usize, message: &'a Message) -> Result<InputItem<'a>> {
        let mut parts = Vec::with_capacity(message.parts.len());
        for (number, part) in message.parts.iter().enumerate() {
            match part {
                Part::Text(text) => {
                    let own = self.own(part.own_fields(), &subject(at, number))?;
                    parts.push(self.text(text).extended(own));
                }
                other => return Err(no_place(&subject(at, number), other, "instructions")),
            }
        }
        Ok(InputItem::Easy {
            own: self.own(message.native.as_ref(), &format!("messages[{at}]"))?,
            role: message.role.as_str(),
            phase: None,
            content: Content::Parts(parts),
        })
    }

    /// Results first, each an item of its own, then what the person says.
    fn user_or_tool<'a>(
        &mut self,
        at: usize,
        message: &'a Message,
        items: &mut Vec<InputItem<'a>>,
    ) -> Result<()> {
        let mut said = Vec::new();
        let is_tool = message.role == Role::Tool;
        for (number, part) in message.parts.iter().enumerate() {
            let subject = subject(at, number);
            match part {
                Part::ToolResult(result) => items.push(self.result(result, &subject)?),
                Part::Native(native) => match self.native(native, &subject)? {
                    Some(json) if is_content(&native.kind) => said.push(ContentPart::Native(json)),
                    json => items.extend(json.map(InputItem::Native)),
                },
                other if is_tool => return Err(no_place(&subject, other, "the tools' answers")),
                other => match content::part(other, self.marks(), &subject)? {
                    Some(part) => {
                        said.push(part.extended(self.own(other.own_fields(), &subject)?));
                    }
                    None => return Err(no_place(&subject, other, "what a person says")),
                },
            }
        }
        if !said.is_empty() || message.parts.is_empty() && !is_tool {
            items.push(InputItem::Easy {
                own: self.own(message.native.as_ref(), &format!("messages[{at}]"))?,
                role: "user",
                phase: None,
                content: Content::Parts(said),
            });
        }
        Ok(())
    }

    fn result<'a>(&mut self, result: &'a ToolResult, subject: &str) -> Result<InputItem<'a>> {
        let mut parts = Vec::with_capacity(result.content.len());
        for part in &result.content {
            match content::part(part, self.marks(), subject)? {
                Some(content) => {
                    parts.push(content.extended(self.own(part.own_fields(), subject)?));
                }
                None => return Err(no_place(subject, part, "a tool's answer")),
            }
        }
        if let Some(last) = parts.pop() {
            parts.push(last.marked(self.marks() && result.cache.is_some()));
        }
        Ok(InputItem::Result {
            r#type: "function_call_output",
            call_id: tool::id(&result.call_id),
            output: Content::of_tool(parts),
            own: self.own(result.native.as_deref(), subject)?,
        })
    }

    /// An item or part in the words of the provider that is called; another's is left out.
    pub(super) fn native<'a>(
        &mut self,
        native: &'a Native,
        subject: &str,
    ) -> Result<Option<&'a RawValue>> {
        if native.is_for(&self.target.provider, NAME) {
            return Ok(Some(raw(&native.json, subject)?));
        }
        self.omissions
            .note(subject, "left out: only its own provider understands it")?;
        Ok(None)
    }

    /// Fields of the provider's own; another's are left out.
    pub(super) fn own(
        &mut self,
        native: Option<&Native>,
        subject: &str,
    ) -> Result<Option<Map<String, Value>>> {
        tool::own(native, self.target, subject, self.omissions)
    }

    fn text<'a>(&self, text: &'a Text) -> ContentPart<'a> {
        ContentPart::text(text, self.marks())
    }

    fn marks(&self) -> bool {
        self.target.rules.cache_breakpoints
    }
}

/// Whether a native part of that kind is content of a message, and not an item of its own.
pub(super) fn is_content(kind: &str) -> bool {
    ["input_", "output_"]
        .iter()
        .any(|start| kind.starts_with(start))
}
