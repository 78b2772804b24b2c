//! The conversation, message by message.
//!
//! Facts: <https://github.com/ollama/ollama/blob/main/docs/api.md#generate-a-chat-completion>.

use std::borrow::Cow;
use std::collections::HashMap;

use aurax_core::{
    Document, Image, Json, Message, Origin, Part, Request, Result, Role, Source, ToolCall,
    ToolResult,
};
use base64::Engine as _;
use serde::Serialize;

use crate::check::LONGEST_NAME;
use crate::omissions::Omissions;
use crate::raw::RawObject;
use crate::refusals::{invalid, unsupported};
use crate::wire::Target;

/// A message, on the wire.
#[derive(Debug, Default, Serialize)]
pub(super) struct Turn<'a> {
    role: &'static str,
    content: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Cow<'a, str>>,
    /// In base64, without a `data:` before it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Call<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    function: Function<'a>,
}

#[derive(Debug, Serialize)]
struct Function<'a> {
    name: &'a str,
    arguments: Json,
}

/// Reads a request's messages.
///
/// * A message has one text: the user's pieces are put on lines of their own, the model's joined
///   as they came.
/// * Each result of a tool is a message; pictures in it follow in a message of the user's.
/// * Documents that are text become words.
///
/// # Errors
/// `InvalidRequest` for what no conversation can hold, `Unsupported` for a part that would be
/// lost.
pub(super) fn messages<'a>(
    request: &'a Request,
    target: &Target,
    omissions: &mut Omissions,
) -> Result<Vec<Turn<'a>>> {
    let mut reader = Reader {
        origin: target.origin(),
        omissions,
        turns: Vec::with_capacity(request.messages.len()),
        names: HashMap::new(),
        foreign: 0,
        pictures: 0,
    };
    for (at, message) in request.messages.iter().enumerate() {
        reader.message(at, message)?;
    }
    reader.finish()
}

struct Reader<'a, 'b> {
    origin: Origin,
    omissions: &'b mut Omissions,
    turns: Vec<Turn<'a>>,
    /// The tools that were called, by the ids of the calls.
    names: HashMap<&'a str, &'a str>,
    /// Parts only their own maker can read.
    foreign: u32,
    /// Results of tools with pictures.
    pictures: u32,
}

impl<'a> Reader<'a, '_> {
    fn message(&mut self, at: usize, message: &'a Message) -> Result<()> {
        if message.name.is_some() {
            let subject = format!("messages[{at}].name");
            self.omissions
                .note(&subject, "left out: the API knows no speakers' names")?;
        }
        let role = match message.role {
            role if role.is_instruction() => "system",
            Role::Assistant => "assistant",
            _ => "user",
        };
        let mut turn = Turn {
            role,
            ..Turn::default()
        };
        let mut shown = Vec::new();
        for (part, number) in message.parts.iter().zip(0..) {
            let subject = format!("messages[{at}].parts[{number}]");
            match (role, part) {
                (_, Part::Text(text)) => add(&mut turn, Cow::Borrowed(&text.text)),
                ("assistant", Part::Refusal(refusal)) => {
                    add(&mut turn, Cow::Borrowed(&refusal.text));
                }
                ("assistant", Part::Thinking(thinking)) => {
                    let signature = thinking.signature.as_ref();
                    if signature.is_none_or(|signature| signature.is_for(&self.origin)) {
                        join(&mut turn.thinking, &thinking.text);
                    } else {
                        self.foreign += 1;
                    }
                }
                ("assistant", Part::RedactedThinking(_)) | (_, Part::Native(_)) => {
                    self.foreign += 1;
                }
                ("assistant", Part::ToolCall(call)) => {
                    self.names.insert(&call.id, &call.name);
                    turn.tool_calls.push(called(&subject, call)?);
                }
                ("user", Part::ToolResult(result)) => {
                    let images = self.result(&subject, result)?;
                    self.pictures += u32::from(!images.is_empty());
                    shown.extend(images);
                }
                ("user" | "assistant", Part::Image(picture)) => {
                    turn.images.push(image(&subject, picture, self.omissions)?);
                }
                ("user", Part::Document(document)) => {
                    add(&mut turn, text_of(&subject, document)?);
                }
                (_, Part::Audio(_)) => {
                    return Err(unsupported(&subject, "the API takes no audio"));
                }
                (_, Part::Document(_)) => {
                    return Err(unsupported(
                        &subject,
                        "the API takes documents of the user's only",
                    ));
                }
                (role, part) => {
                    let message = format!("{} out of place: not in a {role} message", part.kind());
                    return Err(invalid(&subject, message));
                }
            }
        }
        // What tools answered stands before what the user says to it.
        turn.images.splice(0..0, shown);
        let is_empty = turn.content.is_empty()
            && turn.images.is_empty()
            && turn.tool_calls.is_empty()
            && turn.thinking.is_none();
        if !is_empty {
            self.turns.push(turn);
        }
        Ok(())
    }

    /// Adds a tool's result, and returns its pictures.
    fn result(&mut self, subject: &str, result: &'a ToolResult) -> Result<Vec<&'a str>> {
        let called = self.names.get(result.call_id.as_str()).copied();
        let name = called.or(result.name.as_deref());
        let mut turn = Turn {
            role: "tool",
            tool_name: name.filter(|name| name.len() <= LONGEST_NAME),
            tool_call_id: Some(&result.call_id),
            ..Turn::default()
        };
        let mut images = Vec::new();
        for (part, number) in result.content.iter().zip(0..) {
            let subject = format!("{subject}.content[{number}]");
            match part {
                Part::Text(text) => add(&mut turn, Cow::Borrowed(&text.text)),
                Part::Image(picture) => images.push(image(&subject, picture, self.omissions)?),
                Part::Document(document) => add(&mut turn, text_of(&subject, document)?),
                part => {
                    let message = format!("{} out of place: not in a tool's answer", part.kind());
                    return Err(invalid(&subject, message));
                }
            }
        }
        if result.is_error == Some(true) {
            turn.content = Cow::Owned(format!("error: {}", turn.content));
        }
        self.turns.push(turn);
        Ok(images)
    }

    fn finish(self) -> Result<Vec<Turn<'a>>> {
        for (count, what) in [
            (
                self.foreign,
                "thoughts and native parts left out: only their own maker can read them",
            ),
            (
                self.pictures,
                "results of tools have pictures, which follow them as the user's",
            ),
        ] {
            if count > 0 {
                self.omissions.note("messages", format!("{count} {what}"))?;
            }
        }
        Ok(self.turns)
    }
}

/// Adds words to a message.
fn add<'a>(turn: &mut Turn<'a>, words: Cow<'a, str>) {
    if words.is_empty() {
        return;
    }
    if turn.content.is_empty() {
        turn.content = words;
        return;
    }
    let content = turn.content.to_mut();
    if turn.role != "assistant" {
        content.push('\n');
    }
    content.push_str(&words);
}

fn join<'a>(slot: &mut Option<Cow<'a, str>>, words: &'a str) {
    match slot {
        _ if words.is_empty() => {}
        Some(text) => text.to_mut().push_str(words),
        None => *slot = Some(Cow::Borrowed(words)),
    }
}

fn called<'a>(subject: &str, call: &'a ToolCall) -> Result<Call<'a>> {
    let arguments = call.arguments_json();
    if RawObject::parse(arguments).is_none() {
        return Err(invalid(
            subject,
            "a tool call's arguments are not a JSON object; a token limit may have cut them, \
             leave the call out or ask again",
        )
        .with_context("tool", &call.name));
    }
    Ok(Call {
        id: Some(call.id.as_str()).filter(|id| !id.is_empty()),
        function: Function {
            name: &call.name,
            arguments: Json::parse(arguments)?,
        },
    })
}

fn image<'a>(subject: &str, image: &'a Image, omissions: &mut Omissions) -> Result<&'a str> {
    if image.detail.as_deref().is_some_and(|word| word != "auto") {
        let subject = format!("{subject}.detail");
        omissions.note(&subject, "left out: the API has no such choice")?;
    }
    match &image.source {
        Source::Inline { data, .. } => Ok(data),
        _ => Err(unsupported(
            subject,
            "the API fetches no images: send the bytes (Source::bytes)",
        )),
    }
}

/// A document's words.
fn text_of<'a>(subject: &str, document: &'a Document) -> Result<Cow<'a, str>> {
    match &document.source {
        Source::Text(text) => Ok(Cow::Borrowed(text)),
        Source::Inline { media_type, data } if media_type.starts_with("text/") => {
            let bytes = base64::engine::general_purpose::STANDARD
                .decode(data)
                .map_err(|e| invalid(subject, "a document's data is not base64").with_source(e))?;
            let text = String::from_utf8(bytes);
            let text =
                text.map_err(|e| invalid(subject, "a text document is not UTF-8").with_source(e))?;
            Ok(Cow::Owned(text))
        }
        _ => Err(unsupported(
            subject,
            "the API takes no documents but text: send the words of it (Source::Text)",
        )),
    }
}
