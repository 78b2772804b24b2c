//! What a chat costs besides its words.
//!
//! The frame around a message of text is documented (the sources are in `tokens/encodings.json`)
//! and exact. What tools, their calls and results, schemas and pictures cost is not, or not to the
//! token; it was found by comparing with recorded usage, and a count with any of it is an estimate.

use std::collections::HashMap;

use super::count::Count;
use super::encodings::ChatFormat;
use super::estimate::estimate_parts;
use super::memo::{Key, KeyMaker};
use super::{image, schema};
use crate::chat::{Message, OutputFormat, Part, Request, Role, Source, Tool, ToolCall, ToolResult};

/// Tokens around every message.
const PER_MESSAGE: u64 = 3;
/// Tokens around a speaker's name.
const PER_NAME: u64 = 1;
/// Tokens around the one call of a message, and around its result.
const PER_CALL: u64 = 3;
const PER_RESULT: u64 = 2;
/// Tokens around several calls in one message and their results.
const PER_CALLS: u64 = 12;
/// Tokens the list of tools costs more where there are no instructions to put it into.
const NO_INSTRUCTIONS: u64 = 4;
/// Tokens around a schema for the answer.
const PER_SCHEMA: u64 = 3;

/// A request, to be counted in a model's own format.
pub(super) struct Chat<'a> {
    request: &'a Request,
    format: ChatFormat,
    /// For each call, the tool's name; `None` for calls made side by side, whose results bear no
    /// names.
    calls: HashMap<&'a str, Option<&'a str>>,
}

impl<'a> Chat<'a> {
    pub(super) fn new(request: &'a Request, format: ChatFormat) -> Self {
        let mut calls = HashMap::new();
        for message in &request.messages {
            let made: Vec<_> = message
                .parts
                .iter()
                .filter_map(Part::as_tool_call)
                .collect();
            let is_alone = made.len() == 1;
            calls.extend(
                made.into_iter()
                    .map(|call| (&*call.id, is_alone.then_some(&*call.name))),
            );
        }
        Self {
            request,
            format,
            calls,
        }
    }

    /// Everything but the messages.
    pub(super) fn frame(&self, text: &impl Fn(&str) -> u64) -> Count {
        let mut count = Count::exact(self.format.reply);
        let functions = || self.request.tools.iter().filter_map(Tool::as_function);
        if functions().next().is_some() {
            let has_instructions = self
                .request
                .messages
                .iter()
                .any(|message| message.role.is_instruction());
            let place = if has_instructions { 0 } else { NO_INSTRUCTIONS };
            let listed = text(&schema::typescript(functions()));
            count = count + Count::estimate(listed + self.format.tools + place);
        }
        for tool in &self.request.tools {
            if let Tool::Native(native) = tool {
                count = count + Count::estimate(text(&native.json));
            }
        }
        count = match &self.request.output {
            OutputFormat::Text => count,
            OutputFormat::JsonSchema { name, schema, .. } => {
                count + Count::estimate(text(schema.as_str()) + text(name) + PER_SCHEMA)
            }
            OutputFormat::JsonObject => count + Count::estimate(0),
        };
        if !self.request.extra.fields.is_empty() {
            count = count + Count::estimate(0);
        }
        count
    }

    /// One message, in the exchanges it becomes.
    pub(super) fn message(&self, message: &Message, text: &impl Fn(&str) -> u64) -> Count {
        let results = message.parts.iter().filter_map(|part| match part {
            Part::ToolResult(result) => Some(self.result(result, text)),
            _ => None,
        });
        let mut count = results.fold(Count::exact(0), |sum, result| sum + result);
        let has_results = message.parts.iter().any(is_result);
        if !has_results || message.parts.iter().any(|part| !is_result(part)) {
            count = count + self.own(message, text);
        }
        count
    }

    fn own(&self, message: &Message, text: &impl Fn(&str) -> u64) -> Count {
        let mut count = Count::exact(PER_MESSAGE + text(message.role.as_str()));
        if let Some(name) = &message.name {
            count = count + Count::exact(text(name) + PER_NAME);
        }
        let mut texts = 0;
        let mut calls = Vec::new();
        for part in &message.parts {
            count = count
                + match part {
                    Part::Text(words) => {
                        texts += 1;
                        Count::exact(text(&words.text))
                    }
                    Part::ToolCall(call) => {
                        calls.push(call);
                        Count::exact(0)
                    }
                    Part::ToolResult(_) => Count::exact(0),
                    part => self.other(part, text),
                };
        }
        // Whether several texts are read as one is not known.
        if texts > 1 {
            count = count + Count::estimate(0);
        }
        count
            + match *calls {
                [] => Count::exact(0),
                [call] => {
                    Count::estimate(text(&call.name) + text(call.arguments_json()) + PER_CALL)
                }
                _ => Count::estimate(text(&side_by_side(&calls)) + PER_CALLS),
            }
    }

    fn result(&self, result: &ToolResult, text: &impl Fn(&str) -> u64) -> Count {
        let frame = PER_MESSAGE + text(Role::Tool.as_str());
        let name = self.name(result).map_or(0, |name| text(name) + PER_RESULT);
        let parts = result.content.iter().map(|part| match part {
            Part::Text(words) => Count::estimate(text(&words.text)),
            part => self.other(part, text),
        });
        parts.fold(Count::estimate(frame + name), |sum, part| sum + part)
    }

    /// The name a result bears.
    fn name(&self, result: &'a ToolResult) -> Option<&'a str> {
        match self.calls.get(&*result.call_id) {
            Some(name) => *name,
            None => result.name.as_deref(),
        }
    }

    fn other(&self, part: &Part, text: &impl Fn(&str) -> u64) -> Count {
        Count::estimate(match (part, self.format.image) {
            (Part::Image(image), Some(rule)) => image::tokens(rule, image),
            (Part::Refusal(refusal), _) => text(&refusal.text),
            (Part::Thinking(thinking), _) => text(&thinking.text),
            (Part::Native(native), _) => text(&native.json),
            (Part::Document(document), _) => match &document.source {
                Source::Text(words) => text(words),
                _ => estimate_parts(std::slice::from_ref(part)),
            },
            (part, _) => estimate_parts(std::slice::from_ref(part)),
        })
    }

    /// All that a message's count depends on; `None` for one that is counted anew each time,
    /// because it has more than words. The format has no part in counting words.
    pub(super) fn key(&self, message: &Message, encoding: &str) -> Option<Key> {
        let mut key = KeyMaker::new();
        key.add(encoding);
        key.add(message.role.as_str());
        key.add_option(message.name.as_deref());
        for part in &message.parts {
            key.add(part.kind());
            match part {
                Part::Text(text) => key.add(&text.text),
                Part::Refusal(refusal) => key.add(&refusal.text),
                Part::Thinking(thinking) => key.add(&thinking.text),
                Part::ToolCall(call) => {
                    key.add(&call.name);
                    key.add(&call.arguments);
                }
                Part::ToolResult(result) => {
                    key.add_option(self.name(result));
                    for part in &result.content {
                        key.add_option(Some(part.as_text()?));
                    }
                    key.add_option(None);
                }
                _ => return None,
            }
        }
        Some(key.finish())
    }
}

const fn is_result(part: &Part) -> bool {
    matches!(part, Part::ToolResult(_))
}

/// Several calls as the model wrote them: one call of a tool that calls tools.
fn side_by_side(calls: &[&ToolCall]) -> String {
    let calls = calls.iter().map(|call| {
        format!(
            r#"{{"recipient_name":"functions.{}","parameters":{}}}"#,
            call.name,
            call.arguments_json()
        )
    });
    let calls: Vec<String> = calls.collect();
    format!(r#"{{"tool_uses":[{}]}}"#, calls.join(","))
}
