//! Replies, streamed or whole: one decoder reads both into the same events.
//!
//! Facts: <https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent>.

use std::collections::BTreeMap;
use std::sync::Arc;

use aurax_core::{
    Call, End, Error, ErrorKind, Event, Finish, FinishReason, Json, Origin, Phase, Result, Retry,
    Start,
};

use super::candidate::{Candidate, Seed, reason};
use super::error;
use super::usage;
use crate::digest::calls_before;
use crate::failure::{truncated, unreadable};
use crate::frame::Frame;
use crate::raw::RawObject;
use crate::wire::{Decode, Target};

/// Fields of a reply that have a place of their own.
const PLACED: [&str; 5] = [
    "candidates",
    "usageMetadata",
    "modelVersion",
    "responseId",
    "promptFeedback",
];

/// Answers above this number are passed over: no model gives as many.
const MAX_CANDIDATES: u32 = 128;

/// Counts are read again with every frame, so reports of more bytes than this are not merged.
const MAX_USAGE_BYTES: usize = 16 << 10;

/// Reads one reply.
///
/// Every frame is a reply of its own with more of the same answers. Nothing marks the last one:
/// the end is where the bytes end, provided that every answer had said why it stops.
#[derive(Debug)]
pub(super) struct Decoder {
    origin: Origin,
    bills_each_search: bool,
    calls_before: usize,
    id: Option<String>,
    candidates: BTreeMap<u32, Candidate>,
    usage: Option<RawObject>,
    feedback: Option<Json>,
    rest: RawObject,
    started: bool,
    done: bool,
}

impl Decoder {
    /// A decoder for the reply to `call`, of which `target` is noted as the maker of all that is
    /// opaque.
    pub(super) fn new(call: &Call, target: &Target) -> Self {
        Self {
            origin: target.origin(),
            bills_each_search: target.rules.bills_each_search,
            calls_before: calls_before(call),
            id: None,
            candidates: BTreeMap::new(),
            usage: None,
            feedback: None,
            rest: RawObject::default(),
            started: false,
            done: false,
        }
    }

    /// Takes a reply, or a list of them: what is streamed without events is a list.
    fn read(&mut self, text: &str, events: &mut Vec<Event>) -> Result<()> {
        if text.starts_with('[') {
            let list: Vec<Json> =
                serde_json::from_str(text).map_err(|e| unreadable().with_source(e))?;
            return list
                .iter()
                .try_for_each(|reply| self.reply(reply.as_str(), events));
        }
        self.reply(text, events)
    }

    fn reply(&mut self, text: &str, events: &mut Vec<Event>) -> Result<()> {
        let reply = RawObject::parse(text).ok_or_else(unreadable)?;
        if reply.get("error").is_some() {
            return Err(error::inside(text).unwrap_or_else(unreadable));
        }
        if !std::mem::replace(&mut self.started, true) {
            self.id = reply.text("responseId");
            let model = reply.text("modelVersion");
            events.push(Event::Start(Start::new(self.id.clone(), model)));
        }
        for (place, candidate) in (0..).zip(reply.list("candidates").unwrap_or_default()) {
            let Some(candidate) = RawObject::parse(candidate.as_str()) else {
                continue;
            };
            let index = candidate.count("index");
            let index = index.map_or(Some(place), |index| u32::try_from(index).ok());
            let Some(index) = index.filter(|index| *index < MAX_CANDIDATES) else {
                continue;
            };
            let seed = Seed {
                reply: self.id.as_deref().unwrap_or_default(),
                calls_before: self.calls_before,
            };
            let answer = self.candidates.entry(index);
            let answer = answer.or_insert_with(|| Candidate::new(index));
            answer.read(&candidate, &self.origin, seed, events)?;
        }
        if let Some(feedback) = reply.get("promptFeedback") {
            self.feedback = Some(feedback.clone());
        }
        if let Some(newer) = reply.object("usageMetadata") {
            let mut usage = self.usage.take().unwrap_or_default();
            // The newest report stands alone where nobody sane would say as much.
            if usage.size().saturating_add(newer.size()) > MAX_USAGE_BYTES {
                usage = RawObject::default();
            }
            usage.keep(&newer, &[]);
            events.push(Event::Usage(Arc::new(usage::read(&usage, None))));
            self.usage = Some(usage);
        }
        self.rest.keep(&reply, &PLACED);
        Ok(())
    }

    /// Why the prompt was not answered at all.
    fn block_reason(&self) -> Option<String> {
        let feedback = self.feedback.as_ref()?;
        RawObject::parse(feedback.as_str())?.text("blockReason")
    }

    fn end(&mut self, events: &mut Vec<Event>) -> Result<()> {
        let mut answers = self.candidates.values();
        if !self.candidates.is_empty() && answers.all(Candidate::is_malformed) {
            return Err(malformed());
        }
        let mut finish = Vec::new();
        for (number, candidate) in &mut self.candidates {
            // The list has a place for every number.
            while u32::try_from(finish.len()).is_ok_and(|len| len < *number) {
                finish.push(Finish::new(FinishReason::Other, None));
            }
            finish.push(candidate.end(&self.origin, events)?);
        }
        if finish.is_empty() {
            finish.push(match self.block_reason() {
                Some(word) => Finish::new(blocked(&word), Some(word)),
                None => Finish::new(FinishReason::Other, None),
            });
        }
        let searches = self.candidates.values().filter_map(Candidate::searches);
        let searches = searches.reduce(u64::saturating_add);
        let searches = searches.map(|count| if self.bills_each_search { count } else { 1 });
        let usage = self
            .usage
            .as_ref()
            .map(|usage| usage::read(usage, searches));
        let mut end = End::new(finish, usage);
        end.service_tier = self
            .usage
            .as_ref()
            .and_then(|usage| usage.text("serviceTier"));
        end.extra = self.rest.values();
        if let Some(feedback) = self.feedback.as_ref().and_then(|json| json.to().ok()) {
            end.extra.insert("promptFeedback".to_owned(), feedback);
        }
        events.push(Event::End(Box::new(end)));
        self.done = true;
        Ok(())
    }
}

/// The model wrote a call of a tool that Google could not read, and nothing else. Another try often
/// gives a better one; nothing is wrong with the provider, so no breaker counts it.
fn malformed() -> Error {
    Error::new(
        ErrorKind::Decode,
        "the model's tool call is malformed; another try may give a better one",
    )
    .with_retry(Retry::Transient)
    .with_phase(Phase::Body)
}

/// What keeps a prompt from being answered is a filter, in whatever word.
fn blocked(word: &str) -> FinishReason {
    match reason(word) {
        FinishReason::Stop | FinishReason::Other => FinishReason::ContentFilter,
        reason => reason,
    }
}

impl Decode for Decoder {
    fn frame(&mut self, frame: Frame<'_>, events: &mut Vec<Event>) -> Result<()> {
        let data = frame.data.trim();
        // Gateways close with OpenAI's mark, and keep connections alive with empty data.
        if self.done || data.is_empty() || data == "[DONE]" {
            return Ok(());
        }
        self.read(data, events)
    }

    fn whole(&mut self, body: &[u8], events: &mut Vec<Event>) -> Result<()> {
        let body = std::str::from_utf8(body).map_err(|e| unreadable().with_source(e))?;
        self.read(body.trim(), events)?;
        if self.candidates.is_empty() && self.feedback.is_none() && self.usage.is_none() {
            return Err(unreadable());
        }
        self.end(events)
    }

    fn finish(&mut self, events: &mut Vec<Event>) -> Result<()> {
        if self.done {
            return Ok(());
        }
        let is_answered = !self.candidates.is_empty();
        let is_complete = self.candidates.values().all(Candidate::is_complete);
        if is_complete && (is_answered || self.block_reason().is_some()) {
            return self.end(events);
        }
        Err(truncated())
    }

    fn is_done(&self) -> bool {
        self.done
    }
}
