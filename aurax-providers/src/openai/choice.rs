//! One choice of a reply, as it arrives.

use std::mem;

use aurax_core::{
    Citation, Delta, Event, Finish, FinishReason, Image, Logprob, Native, Origin, Result,
    TokenLogprob,
};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::calls::{Calls, Seed};
use super::details::{self, Details};
use super::plain::{self, Content, Message};
use super::voice::Voice;
use crate::object::{Object, items};
use crate::parts::too_many;

/// The most pictures one answer may have.
const MOST_IMAGES: u32 = 1024;

/// The numbers of the parts of a message. They are the same whether the message arrives whole or in
/// pieces, and put thoughts before words, and words before calls.
pub(super) mod part {
    pub(in super::super) const THINKING: u32 = 0;
    pub(in super::super) const DETAILS: u32 = 1;
    pub(in super::super) const TEXT: u32 = 2;
    pub(in super::super) const REFUSAL: u32 = 3;
    pub(in super::super) const AUDIO: u32 = 4;
    pub(in super::super) const AUDIO_ID: u32 = 5;
    pub(in super::super) const IMAGES: u32 = 16;
    pub(in super::super) const CALLS: u32 = 1 << 16;
}

/// Whether a message arrives whole or in pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Whole,
    Piece,
}

/// What a choice needs to know of the call it belongs to.
#[derive(Debug, Clone, Copy)]
pub(super) struct About<'a> {
    pub(super) origin: &'a Origin,
    pub(super) seed: Seed<'a>,
    /// The media type of spoken answers.
    pub(super) audio_type: &'a str,
}

/// One of the answers.
#[derive(Debug, Default)]
pub(super) struct Choice {
    calls: Calls,
    details: Details,
    voice: Voice,
    images: u32,
    has_text: bool,
    has_refusal: bool,
    raw_reason: Option<String>,
    stop_text: Option<String>,
    extra: Map<String, Value>,
}

impl Choice {
    /// True once the provider said why the answer ended.
    pub(in super::super) const fn is_finished(&self) -> bool {
        self.raw_reason.is_some()
    }

    /// Takes a choice of a reply.
    pub(super) fn read(
        &mut self,
        mut choice: plain::Choice<'_>,
        form: Form,
        about: About<'_>,
        events: &mut Vec<Event>,
    ) -> Result<()> {
        let number = about.seed.choice;
        if let Some(message) = choice.message {
            self.message(message, form, about, &mut |part, delta| {
                events.push(Event::Delta {
                    choice: number,
                    part,
                    delta,
                });
            })?;
        }
        if let Some(logprobs) = choice.logprobs {
            let tokens = tokens(logprobs);
            if !tokens.is_empty() {
                events.push(Event::Logprobs {
                    choice: number,
                    tokens,
                });
            }
        }
        if choice.finish_reason.is_some() {
            self.raw_reason = choice.finish_reason;
        }
        // vLLM: the stop text that came up, or the number of a token.
        if let Some(stop) = choice.rest.text("stop_reason") {
            self.stop_text = Some(stop);
        }
        choice.rest.rest_into(&mut self.extra);
        Ok(())
    }

    fn message(
        &mut self,
        message: Message<'_>,
        form: Form,
        about: About<'_>,
        push: &mut impl FnMut(u32, Delta),
    ) -> Result<()> {
        let mut rest = message.rest;
        if let Some(list) = rest.take("reasoning_details") {
            match form {
                Form::Whole => self.details.set(list),
                Form::Piece => self.details.push(list),
            }
        }
        // Some servers send the same thoughts under both names.
        let thoughts = rest.text("reasoning_content");
        let again = rest.text("reasoning");
        if let Some(thoughts) = thoughts.or(again) {
            push(part::THINKING, Delta::Thinking(thoughts));
        }
        match message.content {
            Some(Content::Text(text)) => self.text(text, push),
            Some(Content::Parts(parts)) => self.parts(parts, push),
            None => {}
        }
        if let Some(refusal) = message.refusal {
            self.has_refusal = true;
            push(part::REFUSAL, Delta::Refusal(refusal));
        }
        if let Some(list) = message.tool_calls {
            let pieces = form == Form::Piece;
            self.calls
                .read(list, pieces, about.seed, &mut |place, delta| {
                    push(part::CALLS.saturating_add(place), delta);
                })?;
        }
        if let Some(call) = rest.take("function_call").and_then(Object::of) {
            self.calls.legacy(call, about.seed, &mut |place, delta| {
                push(part::CALLS.saturating_add(place), delta);
            })?;
        }
        for annotation in rest.list("annotations") {
            if let Some(citation) = cited(annotation, about.origin) {
                push(part::TEXT, Delta::Citation(citation));
            }
        }
        for image in rest.list("images") {
            if let Some(image) = picture(image) {
                if self.images >= MOST_IMAGES {
                    return Err(too_many("pictures", MOST_IMAGES));
                }
                push(
                    part::IMAGES.saturating_add(self.images),
                    Delta::Image(image),
                );
                self.images = self.images.saturating_add(1);
            }
        }
        if let Some(voice) = rest.take("audio").and_then(Object::of) {
            self.voice.read(voice);
        }
        rest.rest_into(&mut self.extra);
        Ok(())
    }

    fn parts(&mut self, parts: &RawValue, push: &mut impl FnMut(u32, Delta)) {
        for part in items(parts) {
            let Some(mut part) = Object::of(part) else {
                continue;
            };
            match part.text("type").as_deref() {
                Some("thinking") => {
                    let thoughts = part.take("thinking").map(thoughts).unwrap_or_default();
                    if !thoughts.is_empty() {
                        push(part::THINKING, Delta::Thinking(thoughts));
                    }
                }
                Some("refusal") => {
                    if let Some(refusal) = part.text("refusal") {
                        self.has_refusal = true;
                        push(part::REFUSAL, Delta::Refusal(refusal));
                    }
                }
                _ => {
                    if let Some(text) = part.read::<String>("text") {
                        self.text(text, push);
                    }
                }
            }
        }
    }

    /// An empty text is delivered once: it is not the same as no text.
    fn text(&mut self, text: String, push: &mut impl FnMut(u32, Delta)) {
        if !text.is_empty() || !self.has_text {
            self.has_text = true;
            push(part::TEXT, Delta::Text(text));
        }
    }

    /// Delivers what waited for the end, and says how the answer ended.
    pub(super) fn finish(&mut self, about: About<'_>, events: &mut Vec<Event>) -> Finish {
        let number = about.seed.choice;
        let mut push = |part, delta| {
            events.push(Event::Delta {
                choice: number,
                part,
                delta,
            });
        };
        if let Some(list) = self.details.take() {
            let native = Native::new(Some(about.origin.clone()), details::KIND, list);
            push(part::DETAILS, Delta::Native(native));
        }
        self.voice.finish(about, &mut push);
        self.calls.finish(about.origin, &mut |place, delta| {
            push(part::CALLS.saturating_add(place), delta);
        });
        let raw = self.raw_reason.take();
        let reason = self.reason(raw.as_deref());
        let mut finish = Finish::new(reason, raw).with_stop_sequence(self.stop_text.take());
        finish.extra = mem::take(&mut self.extra);
        finish
    }

    /// The common word for why the answer ended
    /// (<https://platform.openai.com/docs/api-reference/chat/object>).
    fn reason(&self, raw: Option<&str>) -> FinishReason {
        let native = self
            .extra
            .get("native_finish_reason")
            .and_then(Value::as_str);
        match raw {
            // OpenRouter says `tool_calls` where the limit cut the arguments short.
            Some("tool_calls" | "function_call" | "stop")
                if matches!(native, Some("length" | "max_tokens" | "max_output_tokens")) =>
            {
                FinishReason::Length
            }
            Some("tool_calls" | "function_call") => FinishReason::ToolCalls,
            Some("stop" | "eos" | "eos_token" | "end_turn") => {
                if self.has_refusal {
                    FinishReason::Refusal
                } else if !self.calls.is_empty() {
                    FinishReason::ToolCalls
                } else if self.stop_text.is_some() {
                    FinishReason::StopSequence
                } else {
                    FinishReason::Stop
                }
            }
            Some("stop_sequence") => FinishReason::StopSequence,
            Some("length" | "max_tokens" | "max_output_tokens") => FinishReason::Length,
            // Mistral: the context window was full.
            Some("model_length") => FinishReason::ContextWindow,
            Some("content_filter") => FinishReason::ContentFilter,
            Some("refusal") => FinishReason::Refusal,
            // DeepSeek: `insufficient_system_resource`, the answer was broken off.
            Some("error" | "insufficient_system_resource") => FinishReason::Error,
            _ => FinishReason::Other,
        }
    }
}

/// Mistral's thoughts: a list of texts.
fn thoughts(list: &RawValue) -> String {
    if let Ok(text) = serde_json::from_str(list.get()) {
        return text;
    }
    items(list)
        .into_iter()
        .filter_map(|part| Object::of(part)?.text("text"))
        .collect()
}

/// An annotation: `{"type":"url_citation","url_citation":{…}}`
/// (<https://platform.openai.com/docs/guides/tools-web-search?api-mode=chat>).
fn cited(annotation: &RawValue, origin: &Origin) -> Option<Citation> {
    let mut fields = Object::of(annotation)?.object("url_citation");
    let mut citation = Citation::from_url(fields.text("url")?);
    citation.title = fields.text("title");
    citation.quote = fields.text("content");
    citation.start = fields.read("start_index");
    citation.end = fields.read("end_index");
    let native = Native::new(Some(origin.clone()), "annotation", annotation.get());
    citation.native = Some(native);
    Some(citation)
}

/// A picture of OpenRouter's: `{"type":"image_url","image_url":{"url"}}`
/// (<https://openrouter.ai/docs/features/multimodal/image-generation>).
fn picture(image: &RawValue) -> Option<Image> {
    let url = Object::of(image)?.object("image_url").text("url")?;
    Some(Image::from_url(&url))
}

/// Log probabilities of words and of a refusal; Together's are two lists side by side
/// (<https://docs.together.ai/docs/logprobs>).
fn tokens(logprobs: &RawValue) -> Vec<TokenLogprob> {
    let Some(mut fields) = Object::of(logprobs) else {
        return Vec::new();
    };
    let mut all: Vec<TokenLogprob> = Vec::new();
    for list in ["reasoning_content", "content", "refusal"] {
        all.extend(fields.read::<Vec<TokenLogprob>>(list).unwrap_or_default());
    }
    let texts: Vec<String> = fields.read("tokens").unwrap_or_default();
    let numbers: Vec<Option<f64>> = fields.read("token_logprobs").unwrap_or_default();
    all.extend(
        texts
            .into_iter()
            .zip(numbers)
            .filter_map(|(token, logprob)| {
                Some(TokenLogprob {
                    token: Logprob {
                        token,
                        logprob: logprob?,
                        bytes: None,
                    },
                    top: Vec::new(),
                })
            }),
    );
    all
}
