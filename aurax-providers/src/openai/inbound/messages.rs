//! The conversation a client sends.

use std::collections::HashMap;

use aurax_core::{Message, Native, Part, Refusal, Result, Role, Thinking, ToolCall, ToolResult};

use super::super::NAME;
use super::super::details;
use super::{parts, proofs};
use crate::Seal;
use crate::check::LONGEST_NAME;
use crate::digest::{base62, hash};
use crate::inbound::carry::Proofs;
use crate::inbound::fields::{Field, Fields};

/// Fields of the model's turns that clients got with a reply and SDKs put into it: they are no
/// fields of a request, and strict servers refuse them.
const REPLIED: [&str; 10] = [
    "annotations",
    "channel",
    "citations",
    "executed_tools",
    "images",
    "logprobs",
    "parsed",
    "provider_specific_fields",
    "thinking_blocks",
    "token_ids",
];

/// The same of a call.
const REPLIED_CALL: [&str; 2] = ["index", "provider_specific_fields"];

/// Reads a list of messages. The results of one turn's calls become one message.
pub(super) fn read(field: &Field<'_>, seal: &Seal) -> Result<Vec<Message>> {
    let list = field.list()?;
    if list.is_empty() {
        return Err(field.invalid("expected at least one message"));
    }
    let mut reader = Reader {
        seal,
        messages: Vec::with_capacity(list.len()),
        names: HashMap::new(),
        old_call: None,
        old_calls: 0,
    };
    for message in &list {
        reader.message(message)?;
    }
    Ok(reader.messages)
}

struct Reader<'s> {
    seal: &'s Seal,
    messages: Vec<Message>,
    /// The names of tools, by the ids of their calls.
    names: HashMap<String, String>,
    /// The call in the form without ids that waits for its result.
    old_call: Option<ToolCall>,
    old_calls: usize,
}

impl Reader<'_> {
    fn message(&mut self, field: &Field<'_>) -> Result<()> {
        let mut fields = field.object()?;
        let role = fields.require("role")?;
        let word = role.string()?;
        let name = fields.string("name")?;
        let mut message = match word.as_str() {
            "system" => Message::new(Role::System, content(&mut fields)?),
            "developer" => Message::new(Role::Developer, content(&mut fields)?),
            "user" => Message::new(Role::User, content(&mut fields)?),
            "assistant" => Message::new(Role::Assistant, self.assistant(&mut fields)?),
            "tool" => {
                let id = fields.require("tool_call_id")?.string()?;
                let name = name.or_else(|| self.names.get(&id).cloned());
                return self.result(id, name, fields);
            }
            "function" => {
                let name = name.ok_or_else(|| fields.invalid("name", "Field required"))?;
                let call = self.old_call.take().filter(|call| call.name == name);
                let id = match call {
                    Some(call) => call.id,
                    None => return Err(fields.invalid("name", "no such function was called")),
                };
                return self.result(id, Some(name), fields);
            }
            _ => {
                return Err(
                    role.invalid("expected system, developer, user, assistant, tool or function")
                );
            }
        };
        message.name = name;
        if message.role == Role::Assistant {
            fields.drop_all(&REPLIED);
        }
        message.native = fields.rest_of(NAME, "message")?;
        self.messages.push(message);
        Ok(())
    }

    fn result(
        &mut self,
        call_id: String,
        name: Option<String>,
        mut fields: Fields<'_>,
    ) -> Result<()> {
        let mut result = ToolResult::for_id(call_id, "");
        result.name = name;
        result.content = content(&mut fields)?;
        result.native = fields.rest_of(NAME, "message")?.map(Box::new);
        match self.messages.last_mut() {
            Some(turn) if turn.role == Role::Tool => turn.parts.push(result.into()),
            _ => self.messages.push(Message::tool([result])),
        }
        Ok(())
    }

    /// Thoughts first, then words, then calls.
    fn assistant(&mut self, fields: &mut Fields<'_>) -> Result<Vec<Part>> {
        let mut proofs = Proofs::default();
        let mut parts = self.thoughts(fields, &mut proofs)?;
        parts.extend(content(fields)?);
        if let Some(refusal) = fields.string("refusal")? {
            parts.push(Refusal::new(refusal).into());
        }
        // The id of a spoken answer.
        if let Some(audio) = fields.take("audio") {
            parts.push(Native::of_client(NAME, "audio", audio.text()).into());
        }
        for call in fields.list("tool_calls")? {
            parts.push(self.call(&call)?);
        }
        if let Some(mut old) = fields.object("function_call")? {
            let name = old.require("name")?.string()?;
            let number = self.old_calls.to_string();
            self.old_calls = self.old_calls.saturating_add(1);
            let id = format!("call_{}", base62(hash(&[&name, &number])));
            let arguments = old.string("arguments")?.unwrap_or_default();
            let call = ToolCall::new(id, name, arguments);
            self.old_call = Some(call.clone());
            parts.push(call.into());
        }
        Ok(proofs.apply(parts))
    }

    fn call(&mut self, field: &Field<'_>) -> Result<Part> {
        let mut call = field.object()?;
        let kind = call.string("type")?;
        if kind.as_deref() == Some("custom") {
            return Ok(Native::of_client(NAME, "custom_tool_call", field.text()).into());
        }
        let id = call.require("id")?.string()?;
        let mut function = call.require("function")?.object()?;
        let name = function.require("name")?.string()?;
        let arguments = match function.take("arguments") {
            None => String::new(),
            Some(text) if text.is_text() => text.string()?,
            // Some clients send the object itself.
            Some(object) => object.text().to_owned(),
        };
        if name.len() <= LONGEST_NAME {
            self.names.insert(id.clone(), name.clone());
        }
        function.drop_all(&["parsed_arguments"]);
        call.keep("function", function)?;
        call.drop_all(&REPLIED_CALL);
        let own = call.rest_of(NAME, "call")?;
        Ok(Part::from(ToolCall::new(id, name, arguments)).with_own_fields(own))
    }

    /// The model's own thoughts, as the family's servers hand them out: the same words under either
    /// name, and OpenRouter's list, which has their proof. Those sealed here go to `proofs`.
    fn thoughts(&self, fields: &mut Fields<'_>, proofs: &mut Proofs) -> Result<Vec<Part>> {
        let words = fields.string("reasoning_content")?;
        let words = words.or(fields.string("reasoning")?);
        let mut parts: Vec<Part> = words
            .map(Thinking::new)
            .map(Part::from)
            .into_iter()
            .collect();
        if let Some(list) = fields.take("reasoning_details") {
            let others = proofs::open(list.raw(), self.seal, proofs);
            let native = others.map(|others| Native::of_client(NAME, details::KIND, others));
            parts.extend(native.map(Part::from));
        }
        Ok(parts)
    }
}

fn content(fields: &mut Fields<'_>) -> Result<Vec<Part>> {
    let Some(content) = fields.take("content") else {
        return Ok(Vec::new());
    };
    parts::read(&content)
}
