//! The list of items as a conversation.

use aurax_core::{
    Item, Message, Native, Part, RedactedThinking, Result, Role, Signature, Text, Thinking,
    ToolCall, ToolResult,
};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::parts::{content, invalid, own, required};
use crate::inbound::carry::{Purpose, unpack};
use crate::object::{Object, items};
use crate::responses::{NAME, REASONING_TEXT};
use crate::seal::Seal;

/// How many bytes the parts of one item may repeat of its id and phase.
const MAX_REPEATED: usize = 1 << 20;

/// Reads `input`: a text, or a list of items.
pub(super) fn read(input: &RawValue, seal: &Seal, messages: &mut Vec<Message>) -> Result<()> {
    if let Ok(text) = serde_json::from_str::<String>(input.get()) {
        messages.push(Message::user(text));
        return Ok(());
    }
    if !input.get().starts_with('[') {
        return Err(invalid("input", "the input is a text or a list of items"));
    }
    let mut reader = Reader {
        seal,
        messages,
        is_written: true,
    };
    for (at, item) in items(input).into_iter().enumerate() {
        reader.item(item, &format!("input[{at}]"))?;
    }
    Ok(())
}

struct Reader<'r> {
    seal: &'r Seal,
    messages: &'r mut Vec<Message>,
    /// The last message is complete as it stands: a person's, or instructions.
    is_written: bool,
}

impl Reader<'_> {
    fn item(&mut self, item: &RawValue, param: &str) -> Result<()> {
        let Some(mut fields) = Object::of(item) else {
            return Err(invalid(param, "an item is an object"));
        };
        let kind = fields.text("type");
        match kind.as_deref() {
            Some("message") | None => self.message(fields, param),
            Some("reasoning") => self.reasoning(fields, param),
            Some("function_call") => self.call(fields, param),
            Some("function_call_output") => self.result(fields, param),
            Some("item_reference") => {
                let message = "items are not stored here: send the item itself";
                Err(invalid(param, message))
            }
            Some(kind) => {
                // What a client's own tools answered, or a person decided.
                let is_answer = kind.ends_with("_output") || kind.ends_with("_response");
                let role = if is_answer {
                    Role::User
                } else {
                    Role::Assistant
                };
                let native = Native::of_client(NAME, kind, item.get());
                self.add(role, [Part::Native(native)]);
                Ok(())
            }
        }
    }

    /// Adds to the last message, where it is of that role, else to one after it.
    fn add(&mut self, role: Role, parts: impl IntoIterator<Item = Part>) {
        match self.messages.last_mut() {
            Some(last) if last.role == role && !self.is_written => last.parts.extend(parts),
            _ => {
                let parts = parts.into_iter().collect();
                self.messages.push(Message::new(role, parts));
                self.is_written = false;
            }
        }
    }

    fn message(&mut self, mut fields: Object<'_>, param: &str) -> Result<()> {
        let role = match fields.text("role").as_deref() {
            Some("user") => Role::User,
            Some("assistant") => Role::Assistant,
            Some("system") => Role::System,
            Some("developer") => Role::Developer,
            _ => {
                let message = "a message is of the user, assistant, system or developer";
                return Err(invalid(&format!("{param}.role"), message));
            }
        };
        let param = format!("{param}.content");
        let Some(said) = fields.take("content") else {
            return Err(invalid(&param, "a message has content"));
        };
        let mut parts = content(said, &param)?;
        if role != Role::Assistant {
            let mut message = Message::new(role, parts);
            message.native = own(fields, None);
            self.messages.push(message);
            self.is_written = true;
            return Ok(());
        }
        let phase = fields.text("phase");
        let item = listed(fields).with_phase(phase);
        if parts.is_empty() {
            parts.push(Part::Text(Text::default()));
        }
        if item != Item::default() {
            repeats(&item, parts.len(), &param)?;
            for part in &mut parts {
                match part {
                    Part::Text(text) => text.item = Some(item.clone()),
                    Part::Refusal(refusal) => refusal.item = Some(item.clone()),
                    _ => {}
                }
            }
        }
        // Two messages that nobody listed would be one.
        let before = self.messages.last().and_then(|last| last.parts.last());
        let runs_on = matches!(before, Some(Part::Text(text)) if text.item.is_none());
        if item.id.is_none() && runs_on {
            self.messages.push(Message::new(role, parts));
            self.is_written = false;
        } else {
            self.add(role, parts);
        }
        Ok(())
    }

    fn call(&mut self, mut fields: Object<'_>, param: &str) -> Result<()> {
        let mut call = ToolCall::new(
            required(&mut fields, "call_id", param)?,
            required(&mut fields, "name", param)?,
            required(&mut fields, "arguments", param)?,
        );
        call.item = Some(listed(fields)).filter(|item| *item != Item::default());
        self.add(Role::Assistant, [Part::ToolCall(call)]);
        Ok(())
    }

    fn result(&mut self, mut fields: Object<'_>, param: &str) -> Result<()> {
        let call_id = required(&mut fields, "call_id", param)?;
        let param = format!("{param}.output");
        let Some(output) = fields.take("output") else {
            return Err(invalid(&param, "a tool's answer is missing"));
        };
        let mut result = ToolResult::for_id(call_id, "");
        result.content = content(output, &param)?;
        fields.take("status");
        result.native = own(fields, None).map(Box::new);
        self.add(Role::Tool, [Part::ToolResult(result)]);
        Ok(())
    }

    fn reasoning(&mut self, mut fields: Object<'_>, param: &str) -> Result<()> {
        let encrypted = fields.text("encrypted_content");
        let mut thoughts = self::thoughts(fields.list("summary"), None);
        let shown = self::thoughts(fields.list("content"), Some(REASONING_TEXT));
        thoughts.extend(shown);
        match encrypted {
            Some(sealed) if Seal::is_sealed(&sealed) => self.sealed(&sealed, thoughts),
            encrypted => {
                if thoughts.is_empty() {
                    thoughts.push(Thought::default());
                }
                let item = listed(fields);
                repeats(&item, thoughts.len(), param)?;
                let signature = encrypted.map(|data| Signature::of_client(data, NAME));
                self.think(thoughts, Some(&item), signature);
            }
        }
        Ok(())
    }

    fn think(
        &mut self,
        thoughts: Vec<Thought>,
        item: Option<&Item>,
        mut signature: Option<Signature>,
    ) {
        let last = thoughts.len().saturating_sub(1);
        let thoughts = thoughts.into_iter().enumerate().map(|(at, thought)| {
            let mut thinking = Thinking::new(thought.text);
            thinking.item = item.map(|item| item.clone().with_kind(thought.kind));
            thinking.signature = signature.take_if(|_| at == last);
            Part::Thinking(thinking).with_own_fields(thought.own)
        });
        self.add(Role::Assistant, thoughts);
    }

    /// What was sealed here goes back to where it came from; what does not open is dropped.
    fn sealed(&mut self, text: &str, mut thoughts: Vec<Thought>) {
        match unpack(self.seal, text) {
            None => self.think(thoughts, None, None),
            // Nobody signed, so nobody wants an empty thought back.
            Some((signature, Purpose::Thinking)) if signature.data.is_empty() => {
                self.think(thoughts, None, None);
            }
            Some((signature, Purpose::Thinking)) => {
                if thoughts.is_empty() {
                    thoughts.push(Thought::default());
                }
                self.think(thoughts, None, Some(signature));
            }
            Some((signature, Purpose::Redacted)) => {
                let redacted = RedactedThinking::new(signature);
                self.add(Role::Assistant, [Part::RedactedThinking(redacted)]);
            }
            Some((signature, Purpose::Native(kind))) => {
                let native = Native::new(signature.origin, kind, signature.data);
                self.add(Role::Assistant, [Part::Native(native)]);
            }
            Some((signature, Purpose::Last)) => {
                let before = self.messages.last_mut();
                match before.and_then(|message| message.parts.last_mut()) {
                    Some(Part::ToolCall(call)) => call.signature = Some(signature),
                    Some(Part::Text(text)) => text.signature = Some(signature),
                    _ => {}
                }
            }
            // Items keep their order, so no proof here says where it belongs.
            Some(_) => {}
        }
    }
}

/// A part of an item of thoughts.
#[derive(Default)]
struct Thought {
    text: String,
    /// Which of the item's contents it is, where it is no summary.
    kind: Option<String>,
    /// Fields that have no place of their own.
    own: Option<Native>,
}

fn thoughts(list: Vec<&RawValue>, kind: Option<&str>) -> Vec<Thought> {
    let parts = list.into_iter().filter_map(Object::of);
    let thought = |mut part: Object<'_>| {
        let text = part.read("text")?;
        part.take("type");
        Some(Thought {
            text,
            kind: kind.map(str::to_owned),
            own: own(part, None),
        })
    };
    parts.filter_map(thought).collect()
}

/// Where its provider lists an item: id, and fields that have no place of their own.
fn listed(mut fields: Object<'_>) -> Item {
    let mut item = Item::default();
    item.id = fields.text("id");
    fields.take("status");
    let mut extra = Map::new();
    fields.rest_into(&mut extra);
    item.extra = Some(extra)
        .filter(|extra| !extra.is_empty())
        .map(|extra| Value::Object(extra).into());
    item
}

/// Each part of an item has its id; a long one and many parts would be many times the request.
fn repeats(item: &Item, parts: usize, param: &str) -> Result<()> {
    let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let each = length(&item.id).saturating_add(length(&item.phase));
    if each.saturating_mul(parts) > MAX_REPEATED {
        let message = "the id and phase are too long for so many parts";
        return Err(invalid(param, message));
    }
    Ok(())
}
