//! Replies, streamed or whole: one decoder reads both into the same events.
//!
//! Facts: <https://github.com/ollama/ollama/blob/main/docs/api.md#generate-a-chat-completion>.

use aurax_core::{
    Call, Delta, End, Event, Finish, FinishReason, Json, Result, Start, TokenLogprob, ToolCallStart,
};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{error, usage};
use crate::digest::{call_id, calls_before};
use crate::failure::{truncated, unreadable};
use crate::frame::Frame;
use crate::parts::Parts;
use crate::raw::RawObject;
use crate::wire::{Decode, Target};

/// Fields of a line that have a place of their own.
const PLACED: [&str; 6] = [
    "model",
    "created_at",
    "message",
    "done",
    "done_reason",
    "logprobs",
];

/// Reads one reply.
///
/// Every line is more of the answer; the one that says `done` is the last. A whole reply is that
/// line alone.
#[derive(Debug)]
pub(super) struct Decoder {
    model: String,
    calls_before: usize,
    parts: Parts,
    /// The part that grows.
    open: Option<(Words, u32)>,
    started: bool,
    done: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Words {
    Text,
    Thoughts,
}

impl Decoder {
    /// A decoder for the reply to `call`.
    pub(super) fn new(call: &Call, target: &Target) -> Self {
        Self {
            model: target.model.as_str().to_owned(),
            calls_before: calls_before(call),
            parts: Parts::default(),
            open: None,
            started: false,
            done: false,
        }
    }

    fn line(&mut self, text: &str, events: &mut Vec<Event>) -> Result<()> {
        let line = RawObject::parse(text).ok_or_else(unreadable)?;
        if line.get("error").is_some() {
            return Err(error::inside(text));
        }
        let message = line.object("message");
        if message.is_none() && line.flag("done").is_none() {
            return Err(unreadable());
        }
        if !std::mem::replace(&mut self.started, true) {
            let mut start = Start::new(None, line.text("model"));
            start.created = line.text("created_at").and_then(|at| seconds(&at));
            events.push(Event::Start(start));
        }
        self.message(&message.unwrap_or_default(), events)?;
        if let Some(tokens) = line.get("logprobs").and_then(|list| list.to().ok()) {
            let tokens: Vec<TokenLogprob> = tokens;
            events.push(Event::Logprobs { choice: 0, tokens });
        }
        if line.flag("done") == Some(true) {
            self.end(&line, events);
        }
        Ok(())
    }

    fn message(&mut self, message: &RawObject, events: &mut Vec<Event>) -> Result<()> {
        for (kind, field) in [(Words::Thoughts, "thinking"), (Words::Text, "content")] {
            let words = message.text(field).filter(|words| !words.is_empty());
            if let Some(words) = words {
                self.words(kind, words, events)?;
            }
        }
        for call in message.list("tool_calls").unwrap_or_default() {
            if let Some(call) = RawObject::parse(call.as_str()) {
                self.call(&call, events)?;
            }
        }
        Ok(())
    }

    fn words(&mut self, kind: Words, words: String, events: &mut Vec<Event>) -> Result<()> {
        let part = match self.open {
            Some((open, part)) if open == kind => part,
            _ => self.parts.begin()?,
        };
        self.open = Some((kind, part));
        let delta = match kind {
            Words::Text => Delta::Text(words),
            Words::Thoughts => Delta::Thinking(words),
        };
        events.push(at(part, delta));
        Ok(())
    }

    /// A call comes whole, with its arguments as an object.
    fn call(&mut self, call: &RawObject, events: &mut Vec<Event>) -> Result<()> {
        let function = call.object("function").unwrap_or_default();
        let id = call.text("id").filter(|id| !id.is_empty());
        let id = id.unwrap_or_else(|| {
            let place = format!("{}.{}", self.parts.calls(), self.calls_before);
            call_id(&[&self.model, &place])
        });
        self.open = None;
        let part = self.parts.begin_call()?;
        let start = ToolCallStart::new(id, function.text("name").unwrap_or_default());
        events.push(at(part, Delta::ToolCall(start)));
        let arguments = function.get("arguments").map_or("{}", Json::as_str);
        events.push(at(part, Delta::Arguments(arguments.to_owned())));
        Ok(())
    }

    fn end(&mut self, line: &RawObject, events: &mut Vec<Event>) {
        let raw = line.text("done_reason").filter(|word| !word.is_empty());
        let reason = match raw.as_deref() {
            None | Some("stop") if self.parts.calls() > 0 => FinishReason::ToolCalls,
            Some("stop") => FinishReason::Stop,
            Some("length") => FinishReason::Length,
            // Loaded or unloaded, and nothing said.
            Some(_) => FinishReason::Other,
            None => FinishReason::Error,
        };
        let mut end = End::new(vec![Finish::new(reason, raw)], usage::read(line));
        for (name, value) in line.values() {
            if !PLACED.contains(&name.as_str()) && !usage::COUNTS.contains(&name.as_str()) {
                end.extra.insert(name, value);
            }
        }
        events.push(Event::End(Box::new(end)));
        self.done = true;
    }
}

const fn at(part: u32, delta: Delta) -> Event {
    Event::Delta {
        choice: 0,
        part,
        delta,
    }
}

/// A time in Unix seconds; one that is not known is given as the epoch.
fn seconds(at: &str) -> Option<i64> {
    let at = OffsetDateTime::parse(at, &Rfc3339).ok()?;
    Some(at.unix_timestamp()).filter(|seconds| *seconds > 0)
}

impl Decode for Decoder {
    fn frame(&mut self, frame: Frame<'_>, events: &mut Vec<Event>) -> Result<()> {
        if self.done {
            return Ok(());
        }
        self.line(frame.data.trim(), events)
    }

    fn whole(&mut self, body: &[u8], events: &mut Vec<Event>) -> Result<()> {
        let body = std::str::from_utf8(body).map_err(|e| unreadable().with_source(e))?;
        // A server that imitates the API may stream under another content type.
        for line in body.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if self.done {
                break;
            }
            // A body that is written over several lines is one all the same.
            if RawObject::parse(line).is_none() && !self.started {
                return self.line(body, events).and_then(|()| self.finish(events));
            }
            self.line(line, events)?;
        }
        if self.started {
            self.finish(events)
        } else {
            Err(unreadable())
        }
    }

    fn finish(&mut self, _: &mut Vec<Event>) -> Result<()> {
        if self.done {
            return Ok(());
        }
        Err(truncated())
    }

    fn is_done(&self) -> bool {
        self.done
    }
}
