//! One of the answers while it arrives: parts become events, and the end says why it ended.
//!
//! Facts: <https://ai.google.dev/api/generate-content#candidate>.

use aurax_core::{
    Audio, Delta, Event, Finish, FinishReason, Image, Json, Logprob, Native, Origin, Result,
    Signature, Source, TokenLogprob, ToolCallStart,
};

use super::contents::PROOF;
use super::grounding;
use crate::digest::call_id;
use crate::parts::Parts;
use crate::raw::RawObject;

/// Fields of a candidate that have a place of their own.
const PLACED: [&str; 5] = [
    "content",
    "index",
    "finishReason",
    "logprobsResult",
    "tokenCount",
];

/// Fields of a part that say something about its data.
const BESIDE: [&str; 5] = [
    "thought",
    PROOF,
    "videoMetadata",
    "partMetadata",
    "mediaResolution",
];

/// What ids of calls that come without one are made from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seed<'a> {
    pub(super) reply: &'a str,
    /// The calls there are in the conversation so far.
    pub(super) calls_before: usize,
}

/// One of the answers.
#[derive(Debug, Default)]
pub(super) struct Candidate {
    number: u32,
    parts: Parts,
    /// The part that grows.
    open: Option<(Words, u32)>,
    /// The last part of text, which sources are named for.
    text: Option<u32>,
    finish: Option<String>,
    /// Code was handed out whose result is yet to come.
    runs_code: bool,
    rest: RawObject,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Words {
    Text,
    Thoughts,
}

impl Candidate {
    pub(super) fn new(number: u32) -> Self {
        Self {
            number,
            ..Self::default()
        }
    }

    /// Takes what arrived of the candidate.
    pub(super) fn read(
        &mut self,
        candidate: &RawObject,
        origin: &Origin,
        seed: Seed<'_>,
        events: &mut Vec<Event>,
    ) -> Result<()> {
        let content = candidate.object("content").unwrap_or_default();
        for part in content.list("parts").unwrap_or_default() {
            self.part(&part, origin, seed, events)?;
        }
        // A stream that runs code says that it stopped before the code has run, and goes on.
        if let Some(reason) = candidate.text("finishReason") {
            self.finish = Some(reason);
        }
        if let Some(result) = candidate.object("logprobsResult") {
            let tokens = logprobs(&result);
            let choice = self.number;
            if !tokens.is_empty() {
                events.push(Event::Logprobs { choice, tokens });
            }
        }
        self.rest.keep(candidate, &PLACED);
        Ok(())
    }

    /// Whether nothing more can come. Google sends the same `STOP` with code it is about to run as
    /// with the last words, so such a stream is cut short where the code's result does not follow.
    pub(super) fn is_complete(&self) -> bool {
        self.finish
            .as_deref()
            .is_some_and(|reason| reason != "STOP" || !self.runs_code)
    }

    /// Whether it came to nothing because the model's call of a tool could not be read.
    pub(super) fn is_malformed(&self) -> bool {
        self.parts.count() == 0 && self.finish.as_deref() == Some("MALFORMED_FUNCTION_CALL")
    }

    /// Searches of the web it made.
    pub(super) fn searches(&self) -> Option<u64> {
        grounding::searches(&self.rest)
    }

    /// Ends the candidate: names its sources, and says why it ended.
    pub(super) fn end(&mut self, origin: &Origin, events: &mut Vec<Event>) -> Result<Finish> {
        for citation in grounding::citations(&self.rest, origin) {
            let part = match self.text {
                Some(part) => part,
                None => self.parts.begin()?,
            };
            self.text = Some(part);
            self.say(part, Delta::Citation(citation), events);
        }
        let reason = match self.finish.as_deref() {
            None | Some("STOP") if self.parts.calls() > 0 => FinishReason::ToolCalls,
            Some(word) => reason(word),
            None => FinishReason::Other,
        };
        let mut finish = Finish::new(reason, self.finish.take());
        finish.extra = self.rest.values();
        Ok(finish)
    }

    fn say(&self, part: u32, delta: Delta, events: &mut Vec<Event>) {
        events.push(Event::Delta {
            choice: self.number,
            part,
            delta,
        });
    }

    fn part(
        &mut self,
        json: &Json,
        origin: &Origin,
        seed: Seed<'_>,
        events: &mut Vec<Event>,
    ) -> Result<()> {
        let Some(part) = RawObject::parse(json.as_str()) else {
            return Ok(());
        };
        let proof = part.text(PROOF).filter(|proof| !proof.is_empty());
        let proof = proof.map(|proof| Signature::new(proof, Some(origin.clone())));
        let is_thought = part.flag("thought") == Some(true);
        if let Some(text) = part.text("text") {
            if !text.is_empty() {
                self.goes_on();
            }
            let kind = if is_thought {
                Words::Thoughts
            } else {
                Words::Text
            };
            return self.words(kind, text, proof, events);
        }
        let name = part.fields().map(|(name, _)| name);
        let name = name.filter(|name| !BESIDE.contains(name)).last();
        let Some(name) = name.map(str::to_owned) else {
            // A proof alone belongs to no words.
            return self.words(Words::Text, String::new(), proof, events);
        };
        self.goes_on();
        self.open = None;
        if let Some(call) = part.object("functionCall") {
            return self.call(&call, proof, seed, events);
        }
        let inline = part.object("inlineData").filter(|_| !is_thought);
        if let Some(medium) = inline.as_ref().and_then(medium) {
            let number = self.parts.begin()?;
            self.say(number, medium, events);
            if let Some(proof) = proof {
                let json = serde_json::json!({ PROOF: proof.data }).to_string();
                self.native(PROOF, json, origin, events)?;
            }
            return Ok(());
        }
        self.runs_code = name == "executableCode";
        self.native(&name, json.as_str().to_owned(), origin, events)
    }

    /// More content came: what was said of an end does not hold.
    fn goes_on(&mut self) {
        self.finish = None;
        self.runs_code = false;
    }

    /// Words go to the part that grows; those with a proof are a part of their own, which is how
    /// they must go back.
    fn words(
        &mut self,
        kind: Words,
        text: String,
        proof: Option<Signature>,
        events: &mut Vec<Event>,
    ) -> Result<()> {
        if text.is_empty() && proof.is_none() {
            return Ok(());
        }
        let number = match self.open {
            Some((open, number)) if open == kind && proof.is_none() => number,
            _ => self.parts.begin()?,
        };
        self.open = proof.is_none().then_some((kind, number));
        let delta = match kind {
            Words::Text => {
                self.text = Some(number);
                Delta::Text(text)
            }
            Words::Thoughts => Delta::Thinking(text),
        };
        self.say(number, delta, events);
        if let Some(proof) = proof {
            self.say(number, Delta::Signature(proof), events);
        }
        Ok(())
    }

    fn call(
        &mut self,
        call: &RawObject,
        proof: Option<Signature>,
        seed: Seed<'_>,
        events: &mut Vec<Event>,
    ) -> Result<()> {
        let id = call.text("id").filter(|id| !id.is_empty());
        let id = id.unwrap_or_else(|| {
            let calls = self.parts.calls();
            let place = format!("{}.{calls}.{}", self.number, seed.calls_before);
            call_id(&[seed.reply, &place])
        });
        let number = self.parts.begin_call()?;
        let start = ToolCallStart::new(id, call.text("name").unwrap_or_default());
        self.say(number, Delta::ToolCall(start), events);
        let arguments = call.get("args").map_or("{}", Json::as_str);
        self.say(number, Delta::Arguments(arguments.to_owned()), events);
        if let Some(proof) = proof {
            self.say(number, Delta::Signature(proof), events);
        }
        Ok(())
    }

    fn native(
        &mut self,
        kind: &str,
        json: String,
        origin: &Origin,
        events: &mut Vec<Event>,
    ) -> Result<()> {
        let number = self.parts.begin()?;
        let native = Native::new(Some(origin.clone()), kind, json);
        self.say(number, Delta::Native(native), events);
        Ok(())
    }
}

/// A picture or sound; what else comes as bytes is left as it is.
fn medium(inline: &RawObject) -> Option<Delta> {
    let media_type = inline.text("mimeType")?;
    let data = inline.text("data")?;
    let is_image = media_type.starts_with("image/");
    if !is_image && !media_type.starts_with("audio/") {
        return None;
    }
    let source = Source::Inline { media_type, data };
    Some(if is_image {
        Delta::Image(Image::new(source))
    } else {
        Delta::Audio(Audio::new(source))
    })
}

/// Why a candidate, or a prompt, came to nothing more.
pub(super) fn reason(word: &str) -> FinishReason {
    match word {
        "STOP" => FinishReason::Stop,
        "MAX_TOKENS" => FinishReason::Length,
        "SAFETY" | "RECITATION" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" | "LANGUAGE"
        | "ESCALATION" | "MODEL_ARMOR" | "JAILBREAK" => FinishReason::ContentFilter,
        "MALFORMED_FUNCTION_CALL"
        | "UNEXPECTED_TOOL_CALL"
        | "TOO_MANY_TOOL_CALLS"
        | "MALFORMED_RESPONSE"
        | "MISSING_THOUGHT_SIGNATURE" => FinishReason::Error,
        "CONTINUATION" => FinishReason::Pause,
        "NO_IMAGE" => FinishReason::Other,
        word if word.starts_with("IMAGE_") => FinishReason::ContentFilter,
        _ => FinishReason::Other,
    }
}

/// Log probabilities: the tokens that were chosen, and the likeliest at each of their places.
fn logprobs(result: &RawObject) -> Vec<TokenLogprob> {
    let objects = |object: &RawObject, name| -> Vec<RawObject> {
        let list = object.list(name).unwrap_or_default();
        list.iter()
            .map(|json| RawObject::parse(json.as_str()).unwrap_or_default())
            .collect()
    };
    let top = objects(result, "topCandidates");
    let chosen = objects(result, "chosenCandidates");
    let tokens = chosen.iter().enumerate().filter_map(|(at, chosen)| {
        let top = top.get(at).map(|top| objects(top, "candidates"));
        Some(TokenLogprob {
            token: logprob(chosen)?,
            top: top.iter().flatten().filter_map(logprob).collect(),
        })
    });
    tokens.collect()
}

fn logprob(object: &RawObject) -> Option<Logprob> {
    Some(Logprob {
        token: object.text("token")?,
        logprob: object.get("logProbability")?.to().ok()?,
        bytes: None,
    })
}
