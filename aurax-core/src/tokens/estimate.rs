//! A tokenizer-free estimate that errs on the high side.

use crate::chat::{Part, Request};

/// Tokens every message costs besides its words.
const PER_MESSAGE: u64 = 4;
/// Tokens assumed for a picture, a page or a sound of unknown size.
const PER_MEDIUM: u64 = 1_600;

/// Estimates the tokens of a text, without a vocabulary and in one pass.
///
/// Runs of ASCII letters count one token for every four letters begun, runs of digits one for
/// every three, every other ASCII sign one; white space joins the word that follows. Beyond ASCII
/// every character counts one and a half, rounded up over the text. For English, code and most
/// other languages that is more than the common vocabularies yield, on purpose: an estimate only
/// settles what no provider reported.
pub fn estimate_text(text: &str) -> u64 {
    let mut tokens: u64 = 0;
    let mut wide: u64 = 0;
    let mut run: Option<(Class, u64)> = None;
    for c in text.chars() {
        let class = Class::of(c);
        match &mut run {
            Some((of, length)) if *of == class => *length = length.saturating_add(1),
            _ => {
                tokens = tokens.saturating_add(close(run.take()));
                run = Some((class, 1));
            }
        }
        if class == Class::Wide {
            wide = wide.saturating_add(1);
        }
    }
    tokens
        .saturating_add(close(run))
        .saturating_add(wide.saturating_mul(3).div_ceil(2))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Letter,
    Digit,
    Space,
    Sign,
    Wide,
}

impl Class {
    const fn of(c: char) -> Self {
        match c {
            'a'..='z' | 'A'..='Z' => Self::Letter,
            '0'..='9' => Self::Digit,
            ' ' | '\t' | '\n' | '\r' => Self::Space,
            '\0'..='\x7f' => Self::Sign,
            _ => Self::Wide,
        }
    }
}

fn close(run: Option<(Class, u64)>) -> u64 {
    match run {
        Some((Class::Letter, length)) => length.div_ceil(4),
        Some((Class::Digit, length)) => length.div_ceil(3),
        Some((Class::Sign, length)) => length,
        Some((Class::Space, length)) => length / 8 + u64::from(length > 1),
        Some((Class::Wide, _)) | None => 0,
    }
}

/// Estimates the input tokens of a request: messages, tools and schema.
pub fn estimate_request(request: &Request) -> u64 {
    let messages = request
        .messages
        .iter()
        .map(|message| PER_MESSAGE.saturating_add(estimate_parts(&message.parts)));
    let tools = request.tools.iter().map(|tool| {
        let schema = tool.parameters.as_ref().map_or("", |schema| schema.as_str());
        [tool.name.as_str(), tool.description.as_deref().unwrap_or_default(), schema]
            .into_iter()
            .map(estimate_text)
            .fold(PER_MESSAGE, u64::saturating_add)
    });
    let schema = match &request.output {
        crate::chat::OutputFormat::JsonSchema { schema, .. } => estimate_text(schema.as_str()),
        _ => 0,
    };
    messages.chain(tools).fold(schema, u64::saturating_add)
}

/// Estimates the tokens of message parts.
pub(crate) fn estimate_parts(parts: &[Part]) -> u64 {
    parts.iter().map(estimate_part).fold(0, u64::saturating_add)
}

fn estimate_part(part: &Part) -> u64 {
    match part {
        Part::Text(text) => estimate_text(&text.text),
        Part::Thinking(thinking) => estimate_text(&thinking.text),
        Part::Refusal(refusal) => estimate_text(&refusal.text),
        Part::ToolCall(call) => {
            estimate_text(&call.name).saturating_add(estimate_text(&call.arguments))
        }
        Part::ToolResult(result) => {
            PER_MESSAGE.saturating_add(estimate_parts(&result.content))
        }
        Part::Native(native) => estimate_text(&native.json),
        Part::RedactedThinking(_) | Part::Image(_) | Part::Document(_) | Part::Audio(_) => {
            PER_MEDIUM
        }
    }
}
