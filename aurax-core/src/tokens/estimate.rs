//! A tokenizer-free estimate that errs on the high side.

use crate::chat::{OutputFormat, Part, Request, Source, Tool};

/// Tokens every message costs besides its words.
const PER_MESSAGE: u64 = 4;
/// Tokens assumed for a picture, a binary document or a sound.
const PER_MEDIUM: u64 = 1_600;

/// Estimates the tokens of a text, without a vocabulary and in one pass.
///
/// Runs of ASCII letters count one token for every four letters begun, runs of digits one for
/// every three, every other ASCII sign one, pairs of line ends one; a blank joins the word that
/// follows. Beyond ASCII every character counts one and a half, rounded up over the text. For
/// prose and code in most languages that is a little more than the common vocabularies yield, on
/// purpose; for random letters it can be half. It settles what no provider reported and bounds
/// nothing: no text has more tokens than bytes, which is the bound to hold a budget by.
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
    Newline,
    Sign,
    Wide,
}

impl Class {
    const fn of(c: char) -> Self {
        match c {
            'a'..='z' | 'A'..='Z' => Self::Letter,
            '0'..='9' => Self::Digit,
            ' ' | '\t' => Self::Space,
            '\n' | '\r' => Self::Newline,
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
        Some((Class::Space, length)) => length.div_ceil(8).min(length.saturating_sub(1)),
        Some((Class::Newline, length)) => length.div_ceil(2),
        Some((Class::Wide, _)) | None => 0,
    }
}

/// Estimates the input tokens of a request: messages, tools and schema.
pub fn estimate_request(request: &Request) -> u64 {
    let messages = request
        .messages
        .iter()
        .map(|message| PER_MESSAGE.saturating_add(estimate_parts(&message.parts)));
    let tools = request.tools.iter().map(|tool| match tool {
        Tool::Function(function) => {
            let schema = function
                .parameters
                .as_ref()
                .map_or("", |schema| schema.as_str());
            let words = function.description.as_deref().unwrap_or_default();
            [function.name.as_str(), words, schema]
                .into_iter()
                .map(estimate_text)
                .fold(PER_MESSAGE, u64::saturating_add)
        }
        Tool::Native(native) => estimate_text(&native.json),
    });
    let schema = match &request.output {
        OutputFormat::JsonSchema { schema, .. } => estimate_text(schema.as_str()),
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
        Part::ToolResult(result) => PER_MESSAGE.saturating_add(estimate_parts(&result.content)),
        Part::Native(native) => estimate_text(&native.json),
        Part::Document(document) => match &document.source {
            Source::Text(text) => estimate_text(text),
            _ => PER_MEDIUM,
        },
        Part::RedactedThinking(_) | Part::Image(_) | Part::Audio(_) => PER_MEDIUM,
    }
}
