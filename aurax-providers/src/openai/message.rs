//! The messages of a request.

use std::borrow::Cow;

use aurax_core::{Native, Origin, Part, Result, Role, ToolCall, ToolResult};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::NAME;
use super::content::{self, Content, ContentPart};
use super::details;
use super::quirks::{Quirks, Thoughts};
use super::tool;
use super::turn::Turn;
use crate::omissions::Omissions;
use crate::raw::Extended;
use crate::refusals::{Place, no_place};
use crate::wire::Target;

#[derive(Debug, Default, Serialize)]
pub(super) struct Message<'a> {
    pub(super) role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tool_call_id: Option<Cow<'a, str>>,
    /// Null where an assistant's turn has no words.
    pub(super) content: Option<Content<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refusal: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reasoning_content: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reasoning: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reasoning_details: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) audio: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tool_calls: Vec<Called<'a>>,
    /// Fields of a vendor's own.
    #[serde(flatten)]
    pub(super) own: Option<Map<String, Value>>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Called<'a> {
    Function {
        id: Cow<'a, str>,
        r#type: &'static str,
        function: FunctionCall<'a>,
    },
    /// A call with fields of the provider's own.
    Extended(Extended<Box<Self>>),
    Native(&'a RawValue),
}

#[derive(Debug, Serialize)]
pub(super) struct FunctionCall<'a> {
    name: &'a str,
    arguments: &'a str,
}

/// Encodes messages one by one: the bytes of a message depend on nothing that comes after it.
pub(super) struct Encoder<'e> {
    target: &'e Target,
    origin: Origin,
    quirks: &'e Quirks,
    omissions: &'e mut Omissions,
    has_foreign_thoughts: bool,
}

impl<'e> Encoder<'e> {
    pub(super) fn new(
        target: &'e Target,
        quirks: &'e Quirks,
        omissions: &'e mut Omissions,
    ) -> Self {
        Self {
            target,
            origin: target.origin(),
            quirks,
            omissions,
            has_foreign_thoughts: false,
        }
    }

    pub(super) fn messages<'a>(
        mut self,
        messages: &'a [aurax_core::Message],
    ) -> Result<Vec<Message<'a>>> {
        let mut out = Vec::with_capacity(messages.len());
        // Media of tool results, which wait until every call of the turn is answered.
        let mut media: Vec<ContentPart<'a>> = Vec::new();
        for (at, message) in messages.iter().enumerate() {
            if message.role != Role::Tool {
                flush(&mut media, &mut out);
            }
            let before = out.len();
            match message.role {
                Role::System | Role::Developer => out.push(self.instruction(at, message)?),
                Role::Assistant => out.push(self.assistant(at, message)?),
                _ => self.user_or_tool(at, message, &mut out, &mut media)?,
            }
            let native = message.native.as_ref();
            let subject = format_args!("messages[{at}]");
            let own = tool::own(native, self.target, &subject, self.omissions)?;
            let mine = out.len().saturating_sub(before);
            match out.last_mut().filter(|_| mine > 0) {
                Some(last) if own.is_some() => last.own = own,
                // Tools that answered nothing are no message.
                None if own.is_some() => {
                    let why = "left out: nothing else of the message is sent";
                    self.omissions
                        .note(&format_args!("{subject}.native"), why)?;
                }
                _ => {}
            }
        }
        flush(&mut media, &mut out);
        if self.has_foreign_thoughts {
            let why = "left out: thoughts go back only to the model they came from";
            self.omissions.note("messages.thinking", why)?;
        }
        Ok(out)
    }

    fn instruction<'a>(
        &mut self,
        at: usize,
        message: &'a aurax_core::Message,
    ) -> Result<Message<'a>> {
        let mut parts = Vec::with_capacity(message.parts.len());
        for (number, part) in message.parts.iter().enumerate() {
            let subject = Place {
                message: at,
                part: number,
            };
            match part {
                Part::Text(text) => {
                    let own = self.own(part, subject)?;
                    parts.push(content::text(text, self.marks()).extended(own));
                }
                other => return Err(no_place(&subject, other, "instructions")),
            }
        }
        let role = if self.target.rules.developer_role {
            "developer"
        } else {
            "system"
        };
        Ok(Message {
            role,
            name: self.name(at, message)?,
            content: Some(Content::of(parts)),
            ..Message::default()
        })
    }

    /// Results first, each a message of its own, then what the person says.
    fn user_or_tool<'a>(
        &mut self,
        at: usize,
        message: &'a aurax_core::Message,
        out: &mut Vec<Message<'a>>,
        media: &mut Vec<ContentPart<'a>>,
    ) -> Result<()> {
        let mut said = Vec::new();
        for (number, part) in message.parts.iter().enumerate() {
            let subject = Place {
                message: at,
                part: number,
            };
            match part {
                Part::ToolResult(result) => out.push(self.result(result, subject, media)?),
                other if message.role == Role::Tool => {
                    return Err(no_place(&subject, other, "the tools' answers"));
                }
                Part::Native(native) => said.extend(self.native(native, subject)?),
                other => match content::part(other, self.quirks.parts, self.marks(), &subject)? {
                    Some(part) => said.push(part.extended(self.own(other, subject)?)),
                    None => return Err(no_place(&subject, other, "what a person says")),
                },
            }
        }
        let has_results = message
            .parts
            .iter()
            .any(|part| matches!(part, Part::ToolResult(_)));
        if message.role == Role::Tool || (has_results && said.is_empty()) {
            return Ok(());
        }
        flush(media, out);
        out.push(Message {
            role: "user",
            name: self.name(at, message)?,
            content: Some(Content::of(said)),
            ..Message::default()
        });
        Ok(())
    }

    /// One message a result. Media, which a tool's message cannot hold, follow in a message of the
    /// user's once all calls are answered.
    fn result<'a>(
        &mut self,
        result: &'a ToolResult,
        subject: Place,
        media: &mut Vec<ContentPart<'a>>,
    ) -> Result<Message<'a>> {
        let mut words = Vec::new();
        let mut pictures = Vec::new();
        for part in &result.content {
            match part {
                Part::Text(text) => {
                    let own = self.own(part, subject)?;
                    words.push(content::text(text, self.marks()).extended(own));
                }
                other => match content::part(other, self.quirks.parts, self.marks(), &subject)? {
                    Some(part) => pictures.push(part.extended(self.own(other, subject)?)),
                    None => return Err(no_place(&subject, other, "a tool's answer")),
                },
            }
        }
        if !pictures.is_empty() {
            let why = "moved to a message of the user's: tools answer in text on this wire";
            self.omissions.note(&subject, why)?;
            let name = result.name.as_deref().unwrap_or(&result.call_id);
            media.push(ContentPart::text(format!("What {name} returned:")));
            media.append(&mut pictures);
        }
        if result.cache.is_some()
            && let Some(last) = words.pop()
        {
            words.push(last.marked(self.marks()));
        }
        Ok(Message {
            role: "tool",
            tool_call_id: Some(tool::id(&result.call_id, self.quirks.tool_ids)),
            content: Some(Content::joined(words, "\n")),
            own: tool::own(
                result.native.as_deref(),
                self.target,
                &subject,
                self.omissions,
            )?,
            ..Message::default()
        })
    }

    fn assistant<'a>(
        &mut self,
        at: usize,
        message: &'a aurax_core::Message,
    ) -> Result<Message<'a>> {
        let mut turn = Turn::default();
        for (number, part) in message.parts.iter().enumerate() {
            let subject = Place {
                message: at,
                part: number,
            };
            match part {
                Part::Text(text) => {
                    let own = self.own(part, subject)?;
                    turn.words
                        .push(content::text(text, self.marks()).extended(own));
                }
                Part::Refusal(refusal) => {
                    self.without_object(part, subject)?;
                    turn.refusal.push(&refusal.text);
                }
                Part::ToolCall(call) => {
                    let called = self.call(call);
                    turn.calls.push(match self.own(part, subject)? {
                        Some(own) => Called::Extended(Extended {
                            value: Box::new(called),
                            own,
                        }),
                        None => called,
                    });
                }
                Part::Thinking(thinking) => match &thinking.signature {
                    // Thoughts with a proof go back in the form their provider proves them in,
                    // which on this wire is a native part beside them.
                    Some(_) => self.has_foreign_thoughts = true,
                    None => {
                        self.without_object(part, subject)?;
                        turn.thoughts.push(&thinking.text);
                    }
                },
                Part::RedactedThinking(_) => self.has_foreign_thoughts = true,
                Part::Native(native) => self.native_of_assistant(native, subject, &mut turn)?,
                Part::Audio(audio) => turn.transcript.extend(audio.transcript.as_deref()),
                other => return Err(no_place(&subject, other, "the model's own turn")),
            }
        }
        let name = self.name(at, message)?;
        Ok(turn.message(name, self.quirks))
    }

    fn call<'a>(&self, call: &'a ToolCall) -> Called<'a> {
        Called::Function {
            id: tool::id(&call.id, self.quirks.tool_ids),
            r#type: "function",
            function: FunctionCall {
                name: &call.name,
                arguments: call.arguments_json(),
            },
        }
    }

    fn native_of_assistant<'a>(
        &mut self,
        native: &'a Native,
        subject: Place,
        turn: &mut Turn<'a>,
    ) -> Result<()> {
        let is_own = match &native.origin {
            Some(origin) => *origin == self.origin,
            None => native.is_for(&self.target.provider, NAME),
        };
        match native.kind.as_str() {
            details::KIND if !is_own => {
                self.has_foreign_thoughts = true;
                turn.is_foreign = true;
            }
            details::KIND if self.quirks.thoughts == Thoughts::Details => {
                turn.details = Some(tool::raw(&native.json, &subject)?);
            }
            details::KIND => {}
            "audio" if is_own => turn.audio = Some(tool::raw(&native.json, &subject)?),
            "custom_tool_call" if is_own => {
                turn.calls
                    .push(Called::Native(tool::raw(&native.json, &subject)?));
            }
            _ => turn.words.extend(self.native(native, subject)?),
        }
        Ok(())
    }

    /// A part in the words of the provider that is called; another's is left out.
    fn native<'a>(
        &mut self,
        native: &'a Native,
        subject: Place,
    ) -> Result<Option<ContentPart<'a>>> {
        if let Some(why) = tool::foreign(native, self.target) {
            self.omissions.note(&subject, why)?;
            return Ok(None);
        }
        Ok(Some(ContentPart::Native(tool::raw(
            &native.json,
            &subject,
        )?)))
    }

    fn name<'a>(&mut self, at: usize, message: &'a aurax_core::Message) -> Result<Option<&'a str>> {
        let name = message.name.as_deref();
        if name.is_some() && !self.quirks.takes.speaker_names {
            let why = "left out: the provider takes no names of speakers";
            self.omissions
                .note(&format_args!("messages[{at}].name"), why)?;
            return Ok(None);
        }
        Ok(name)
    }

    /// Fields of the provider's own, where the provider is called that knows them.
    fn own(&mut self, part: &Part, subject: Place) -> Result<Option<Map<String, Value>>> {
        tool::own(part.own_fields(), self.target, &subject, self.omissions)
    }

    /// Says that fields of a part are left out where the part is a mere text of its message.
    fn without_object(&mut self, part: &Part, subject: Place) -> Result<()> {
        if self.own(part, subject)?.is_some() {
            let why = "the part is a text of its message here, which has no fields of its own";
            self.omissions
                .note(&format_args!("{subject}.native"), why)?;
        }
        Ok(())
    }

    fn marks(&self) -> bool {
        self.target.rules.cache_breakpoints
    }
}

fn flush<'a>(media: &mut Vec<ContentPart<'a>>, out: &mut Vec<Message<'a>>) {
    if !media.is_empty() {
        out.push(Message {
            role: "user",
            content: Some(Content::Parts(std::mem::take(media))),
            ..Message::default()
        });
    }
}
