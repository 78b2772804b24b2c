//! How much text a request is, and how many tokens it cannot exceed.

use super::encodings::{self, ImageRule};
use super::image;
use crate::chat::{Message, OutputFormat, Part, Request, Source, Tool};

/// Tokens that the frame of a message, a part, a tool or a schema cannot exceed.
const FRAME: u64 = 64;
/// Tokens that providers put before a list of tools or a schema, at most; what is documented and
/// recorded of it stays below a few hundred.
const PREAMBLE: u64 = 1024;

/// The bytes of all texts of a request.
pub(super) fn text_bytes(request: &Request) -> u64 {
    let messages = request.messages.iter().map(message_bytes);
    let tools = request.tools.iter().map(tool_bytes);
    let schema = match &request.output {
        OutputFormat::JsonSchema { schema, .. } => len(schema.as_str()),
        _ => 0,
    };
    messages.chain(tools).fold(schema, u64::saturating_add)
}

/// The input tokens that a request cannot exceed: its bytes, since no token is less than a byte,
/// with room for frames, and the documented maximum of every picture.
///
/// `None` where there is no such bound: a picture without a documented maximum, a document that is
/// not text, sound, anything only its provider understands, tools the provider runs itself, and
/// fields of its own format.
pub(crate) fn input_bound(provider: Option<&str>, model: &str, request: &Request) -> Option<u64> {
    let is_plain = |tool: &Tool| tool.as_function().is_some_and(|own| own.native.is_none());
    if !request.extra.fields.is_empty()
        || request
            .messages
            .iter()
            .any(|message| message.native.is_some())
        || !request.tools.iter().all(is_plain)
    {
        return None;
    }
    let image = encodings::known(provider, model)
        .and_then(|known| known.chat)
        .and_then(|chat| chat.image);
    let mut bound = FRAME;
    for message in &request.messages {
        let parts = parts_bound(&message.parts, image)?;
        let name = message.name.as_deref().map_or(0, len);
        bound = bound
            .saturating_add(FRAME)
            .saturating_add(name)
            .saturating_add(parts);
    }
    for tool in &request.tools {
        bound = bound.saturating_add(FRAME).saturating_add(tool_bytes(tool));
    }
    if let OutputFormat::JsonSchema { name, schema, .. } = &request.output {
        bound = bound
            .saturating_add(len(name))
            .saturating_add(len(schema.as_str()));
    }
    if !request.tools.is_empty() || request.output != OutputFormat::Text {
        bound = bound.saturating_add(PREAMBLE);
    }
    Some(bound)
}

fn parts_bound(parts: &[Part], image: Option<ImageRule>) -> Option<u64> {
    parts.iter().try_fold(0_u64, |sum, part| {
        let tokens = match part {
            Part::Text(text) => len(&text.text),
            Part::Refusal(refusal) => len(&refusal.text),
            Part::Thinking(thinking) => {
                let signature = thinking.signature.as_ref();
                len(&thinking.text).saturating_add(signature.map_or(0, |proof| len(&proof.data)))
            }
            Part::RedactedThinking(thinking) => len(&thinking.data.data),
            Part::ToolCall(call) => [&call.id, &call.name, &call.arguments]
                .into_iter()
                .fold(0, |sum, text| len(text).saturating_add(sum)),
            Part::ToolResult(result) => {
                let name = result.name.as_deref().map_or(0, len);
                let inner = parts_bound(&result.content, image)?;
                inner
                    .saturating_add(name)
                    .saturating_add(len(&result.call_id))
            }
            // How large a picture may be that is looked at in full, nobody says.
            Part::Image(picture) if picture.detail.as_deref() == Some("original") => return None,
            Part::Image(_) => image::most_tokens(image?),
            Part::Document(document) => match &document.source {
                Source::Text(text) => [&document.filename, &document.title, &document.context]
                    .into_iter()
                    .flatten()
                    .fold(len(text), |sum, text| len(text).saturating_add(sum)),
                _ => return None,
            },
            Part::Audio(_) | Part::Native(_) => return None,
        };
        Some(sum.saturating_add(FRAME).saturating_add(tokens))
    })
}

fn message_bytes(message: &Message) -> u64 {
    message
        .parts
        .iter()
        .map(part_bytes)
        .fold(0, u64::saturating_add)
}

fn part_bytes(part: &Part) -> u64 {
    match part {
        Part::Text(text) => len(&text.text),
        Part::Refusal(refusal) => len(&refusal.text),
        Part::Thinking(thinking) => len(&thinking.text),
        Part::ToolCall(call) => len(&call.arguments),
        Part::ToolResult(result) => {
            let parts = result.content.iter().map(part_bytes);
            parts.fold(0, u64::saturating_add)
        }
        Part::Native(native) => len(&native.json),
        Part::Document(document) => match &document.source {
            Source::Text(text) => len(text),
            _ => 0,
        },
        Part::RedactedThinking(_) | Part::Image(_) | Part::Audio(_) => 0,
    }
}

fn tool_bytes(tool: &Tool) -> u64 {
    match tool {
        Tool::Function(function) => {
            let schema = function
                .parameters
                .as_ref()
                .map_or(0, |schema| len(schema.as_str()));
            let description = function.description.as_deref().map_or(0, len);
            len(&function.name)
                .saturating_add(description)
                .saturating_add(schema)
        }
        Tool::Native(native) => len(&native.json),
    }
}

fn len(text: &str) -> u64 {
    text.len() as u64
}
