//! The conversation a client sends.

use std::collections::HashMap;

use aurax_core::{
    Message, Native, Part, RedactedThinking, Result, Role, Signature, Text, Thinking, ToolCall,
    ToolResult,
};

use super::super::NAME;
use super::super::response::wanted_back;
use super::settings::cache_mark;
use super::{content, opened};
use crate::Seal;
use crate::check::LONGEST_NAME;
use crate::inbound::carry::{self, Proofs, Purpose};
use crate::inbound::fields::{Field, Fields};
use crate::raw::RawObject;

/// Fields of a reply, which are none of a request's message.
const REPLIED: [&str; 8] = [
    "container",
    "id",
    "model",
    "stop_details",
    "stop_reason",
    "stop_sequence",
    "type",
    "usage",
];

/// Reads instructions: words, or blocks of them.
pub(super) fn system(field: &Field<'_>) -> Result<Option<Message>> {
    let parts = words(field)?;
    Ok((!parts.is_empty()).then(|| Message::new(Role::System, parts)))
}

fn words(field: &Field<'_>) -> Result<Vec<Part>> {
    if field.is_text() {
        return Ok(vec![Text::new(field.string()?).into()]);
    }
    let mut parts = Vec::new();
    for block in field.list()? {
        let mut block = block.object()?;
        let kind = block.require("type")?;
        if kind.string()? != "text" {
            return Err(kind.invalid("instructions are text"));
        }
        let text = content::text(&mut block)?;
        parts.push(content::own(text.into(), block)?);
    }
    Ok(parts)
}

/// Reads the turns of a conversation.
pub(super) struct Reader<'s> {
    seal: &'s Seal,
    /// The names of tools, by the ids of their calls.
    names: HashMap<String, String>,
    /// Proofs that were sealed into blocks of the turn.
    proofs: Proofs,
}

impl<'s> Reader<'s> {
    pub(super) fn new(seal: &'s Seal) -> Self {
        Self {
            seal,
            names: HashMap::new(),
            proofs: Proofs::default(),
        }
    }

    pub(super) fn read(mut self, field: &Field<'_>) -> Result<Vec<Message>> {
        let list = field.list()?;
        if list.is_empty() {
            return Err(field.invalid("at least one message is required"));
        }
        list.iter().map(|message| self.message(message)).collect()
    }

    fn message(&mut self, field: &Field<'_>) -> Result<Message> {
        let mut fields = field.object()?;
        let role = fields.require("role")?;
        let said = fields.require("content")?;
        let mut message = match role.string()?.as_str() {
            "system" => Message::new(Role::System, words(&said)?),
            "user" => {
                let parts = self.turn(&said, Self::user)?;
                let is_result = |part: &Part| matches!(part, Part::ToolResult(_));
                let answers = !parts.is_empty() && parts.iter().all(is_result);
                let role = if answers { Role::Tool } else { Role::User };
                Message::new(role, parts)
            }
            "assistant" => {
                let parts = self.turn(&said, Self::assistant)?;
                let parts = std::mem::take(&mut self.proofs).apply(parts);
                Message::new(Role::Assistant, parts)
            }
            _ => return Err(role.invalid("expected user, assistant or system")),
        };
        // SDKs send a reply back as it came, with what is said of it.
        fields.drop_all(&REPLIED);
        message.native = fields.rest_of(NAME, "message")?;
        Ok(message)
    }

    fn turn(
        &mut self,
        field: &Field<'_>,
        read: fn(&mut Self, &str, &mut Fields<'_>, &Field<'_>) -> Result<Option<Part>>,
    ) -> Result<Vec<Part>> {
        if field.is_text() {
            return Ok(vec![Text::new(field.string()?).into()]);
        }
        if !field.is_list() {
            return Err(field.invalid("expected a string or an array of blocks"));
        }
        let mut parts = Vec::new();
        for block in field.list()? {
            let mut fields = block.object()?;
            let kind = fields.require("type")?.string()?;
            if let Some(part) = read(self, &kind, &mut fields, &block)? {
                parts.push(content::own(part, fields)?);
            }
        }
        Ok(parts)
    }

    fn user(
        &mut self,
        kind: &str,
        fields: &mut Fields<'_>,
        block: &Field<'_>,
    ) -> Result<Option<Part>> {
        Ok(Some(match kind {
            "tool_result" => self.result(fields)?.into(),
            _ => content::part(kind, fields, block)?,
        }))
    }

    fn assistant(
        &mut self,
        kind: &str,
        fields: &mut Fields<'_>,
        block: &Field<'_>,
    ) -> Result<Option<Part>> {
        Ok(Some(match kind {
            "text" => content::text(fields)?.into(),
            "thinking" => {
                let mut thinking = Thinking::new(fields.string("thinking")?.unwrap_or_default());
                let proof = fields.string("signature")?.unwrap_or_default();
                thinking.signature = opened(self.seal, proof);
                thinking.into()
            }
            "redacted_thinking" => {
                let data = fields.require("data")?.string()?;
                return Ok(self.redacted(data));
            }
            "tool_use" => self.call(fields)?.into(),
            // Documents of the assistant's, blocks of server tools: to be sent back as they came.
            _ => Native::of_client(NAME, kind, block.text()).into(),
        }))
    }

    /// Encrypted thoughts, or the proof of another part of the turn; what was sealed and does not
    /// open has nothing to read, and nobody to read it.
    fn redacted(&mut self, data: String) -> Option<Part> {
        if !Seal::is_sealed(&data) {
            let data = opened(self.seal, data)?;
            return Some(RedactedThinking::new(data).into());
        }
        match carry::unpack(self.seal, &data)? {
            (data, Purpose::Redacted) => Some(RedactedThinking::new(data).into()),
            (proof, purpose) => {
                self.proofs.take(proof, purpose);
                None
            }
        }
    }

    fn call(&mut self, fields: &mut Fields<'_>) -> Result<ToolCall> {
        let beside = RawObject::parse(fields.text()).and_then(|block| wanted_back(&block));
        let id = fields.require("id")?.string()?;
        let name = fields.require("name")?.string()?;
        let input = fields.require("input")?;
        if !input.is_object() {
            return Err(input.invalid("Input should be an object"));
        }
        if name.len() <= LONGEST_NAME {
            self.names.insert(id.clone(), name.clone());
        }
        let mut call = ToolCall::new(id, name, input.text());
        call.signature = beside.map(|beside| Signature::of_client(beside, NAME));
        call.cache = cache_mark(fields)?;
        fields.drop_all(&["caller", "toolset_name"]);
        Ok(call)
    }

    fn result(&mut self, fields: &mut Fields<'_>) -> Result<ToolResult> {
        let id = fields.require("tool_use_id")?.string()?;
        let mut result = ToolResult::for_id(id, "");
        result.content.clear();
        result.name = self.names.get(&result.call_id).cloned();
        result.is_error = fields.flag("is_error")?;
        result.cache = cache_mark(fields)?;
        fields.drop_all(&["toolset_name"]);
        match fields.take("content") {
            None => {}
            Some(text) if text.is_text() => {
                result.content.push(Text::new(text.string()?).into());
            }
            Some(blocks) => {
                for block in blocks.list()? {
                    result.content.push(content::whole(&block)?);
                }
            }
        }
        Ok(result)
    }
}
