//! The one decoder, for replies that come whole and for streams.

use std::sync::Arc;

use aurax_core::{
    Call, Citation, Delta, End, Error, ErrorKind, Event, Native, Op, Origin, Phase, Result, Start,
    Usage,
};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::calls::Seed;
use super::choice::{About, Choice, Form, part};
use super::error;
use super::plain::{self, MAX_CHOICES, Reply};
use super::quirks::Quirks;
use super::repeat::Repeat;
use super::usage;
use crate::failure::{truncated, unreadable};
use crate::frame::Frame;
use crate::object::{Object, Text};
use crate::wire::{Decode, Target};

/// Fields of a reply without a meaning of their own: padding.
const MEANINGLESS: [&str; 2] = ["obfuscation", "p"];

/// Reads the reply to one call.
#[derive(Debug)]
pub(super) struct Decoder {
    quirks: Quirks,
    origin: Origin,
    audio_type: &'static str,
    /// How many choices were asked for.
    wanted: usize,
    calls_before: usize,
    start: Option<Start>,
    choices: Vec<Choice>,
    usage: Option<Arc<Usage>>,
    service_tier: Option<String>,
    sources: Option<Sources>,
    extra: Map<String, Value>,
    repeat: Repeat,
    /// Nothing had to be read field by field so far.
    is_plain: bool,
    is_done: bool,
}

/// Sources named for the whole answer: xAI and Perplexity.
#[derive(Debug, Default)]
struct Sources {
    addresses: Vec<String>,
    results: Vec<Citation>,
}

impl Decoder {
    pub(super) fn new(call: &Call, target: &Target, quirks: &Quirks) -> Self {
        let (wanted, calls_before, audio_type) = match &call.op {
            Op::Chat(request) => {
                let calls = request
                    .messages
                    .iter()
                    .flat_map(|message| message.tool_calls());
                let audio = request.extra.fields.get("audio");
                let format = audio.and_then(|audio| audio.get("format")?.as_str());
                (request.n.unwrap_or(1), calls.count(), audio_type(format))
            }
            _ => (1, 0, audio_type(None)),
        };
        Self {
            quirks: quirks.clone(),
            origin: target.origin(),
            audio_type,
            wanted: usize::try_from(wanted).unwrap_or(1).clamp(1, MAX_CHOICES),
            calls_before,
            start: None,
            choices: Vec::new(),
            usage: None,
            service_tier: None,
            sources: None,
            extra: Map::new(),
            repeat: Repeat::default(),
            is_plain: true,
            is_done: false,
        }
    }

    /// Reads a chunk or a whole reply. A stream that was odd once is likely so again.
    fn read(&mut self, text: &str, form: Form, events: &mut Vec<Event>) -> Result<()> {
        if self.is_plain
            && let Some((reply, choices)) = plain::read(text)
        {
            return self.reply(reply, choices.into_iter().map(Some), form, events);
        }
        self.is_plain = false;
        let mut reply = open(text)?;
        let choices = reply.list("choices").into_iter();
        let choices = choices.map(|choice| plain::Choice::of(choice, form));
        self.reply(Reply::of(reply), choices, form, events)
    }

    fn reply<'a>(
        &mut self,
        mut reply: Reply<'a>,
        choices: impl ExactSizeIterator<Item = Option<plain::Choice<'a>>>,
        form: Form,
        events: &mut Vec<Event>,
    ) -> Result<()> {
        self.start(&mut reply, choices.len() > 0, events);
        if let Some(tier) = reply.service_tier {
            self.service_tier = Some(tier.into_string());
        }
        for choice in choices.flatten() {
            self.choice(choice, form, events)?;
        }
        let rest = &mut reply.rest;
        for known in MEANINGLESS {
            rest.take(known);
        }
        let groq = rest.take("x_groq");
        if let Some(usage) = reply.usage.or_else(|| groq.and_then(usage::of_groq)) {
            self.usage(usage, form, events);
        }
        if let Some(groq) = groq {
            keep(&mut self.extra, "x_groq", groq);
        }
        self.sources(rest);
        reply.rest.rest_into(&mut self.extra);
        Ok(())
    }

    /// The first id stands: some streams change it on the way. Azure's begin with a chunk that has
    /// neither an id nor a choice.
    fn start(&mut self, reply: &mut Reply<'_>, has_choices: bool, events: &mut Vec<Event>) {
        if self.start.is_some() {
            return;
        }
        let [id, model] = [&mut reply.id, &mut reply.model].map(Option::take);
        let mut start = Start::new(id.map(Text::into_string), model.map(Text::into_string));
        start.created = reply.created;
        if has_choices || start.id.is_some() {
            events.push(Event::Start(start.clone()));
            self.start = Some(start);
        }
    }

    fn choice(
        &mut self,
        choice: plain::Choice<'_>,
        form: Form,
        events: &mut Vec<Event>,
    ) -> Result<()> {
        let number = choice.index.unwrap_or(0);
        let Some(index) = usize::try_from(number).ok().filter(|at| *at < MAX_CHOICES) else {
            return Ok(());
        };
        if self.choices.len() <= index {
            let more = index.saturating_add(1).saturating_sub(self.choices.len());
            self.choices.reserve_exact(more);
            self.choices
                .resize_with(index.saturating_add(1), Choice::default);
        }
        let about = About {
            origin: &self.origin,
            seed: seed(self.start.as_ref(), number, self.calls_before),
            audio_type: self.audio_type,
        };
        match self.choices.get_mut(index) {
            Some(state) => state.read(choice, form, about, events),
            None => Ok(()),
        }
    }

    /// Usage is never added up: every report counts anew, and the last one stands.
    fn usage(&mut self, usage: &RawValue, form: Form, events: &mut Vec<Event>) {
        let Some(usage) = usage::read(usage, &self.quirks) else {
            return;
        };
        let usage = Arc::new(usage);
        if form == Form::Piece && self.usage.as_ref() != Some(&usage) {
            events.push(Event::Usage(usage.clone()));
        }
        self.usage = Some(usage);
    }

    /// Every chunk of a stream repeats the sources, so the last list stands.
    fn sources(&mut self, reply: &mut Object<'_>) {
        let addresses: Vec<String> = reply.read("citations").unwrap_or_default();
        let results: Vec<Citation> = reply
            .list("search_results")
            .into_iter()
            .filter_map(|result| found(result, &self.origin))
            .collect();
        let sources = self.sources.get_or_insert_default();
        if !addresses.is_empty() {
            sources.addresses = addresses;
        }
        if !results.is_empty() {
            sources.results = results;
        }
    }

    fn end(&mut self, events: &mut Vec<Event>) {
        let sources = self.sources.take().unwrap_or_default();
        for citation in sources.into_citations() {
            events.push(Event::Delta {
                choice: 0,
                part: part::TEXT,
                delta: Delta::Citation(citation),
            });
        }
        let mut finish = Vec::with_capacity(self.choices.len());
        for (number, choice) in (0..).zip(&mut self.choices) {
            let about = About {
                origin: &self.origin,
                seed: seed(self.start.as_ref(), number, self.calls_before),
                audio_type: self.audio_type,
            };
            finish.push(choice.finish(about, events));
        }
        let mut usage = self.usage.take();
        if let (Some(usage), Some(tier)) = (&mut usage, &self.service_tier) {
            let usage = Arc::make_mut(usage);
            usage::select_price(&mut usage.price_context, "service_tier", tier);
        }
        let mut end = End::new(finish, None);
        end.usage = usage;
        end.service_tier = self.service_tier.take();
        end.extra = std::mem::take(&mut self.extra);
        events.push(Event::End(Box::new(end)));
        self.is_done = true;
    }
}

impl Decode for Decoder {
    fn frame(&mut self, frame: Frame<'_>, events: &mut Vec<Event>) -> Result<()> {
        if self.is_done {
            return Ok(());
        }
        let data = frame.data.trim();
        if data == "[DONE]" {
            // The provider's own word for the end; a choice it gave no reason for has none.
            if self.choices.is_empty() {
                return Err(truncated());
            }
            self.end(events);
            return Ok(());
        }
        if frame.event == Some("error") {
            return Err(error::inside(data));
        }
        if let Some(more) = self.repeat.read(data) {
            events.push(more);
            return Ok(());
        }
        let before = events.len();
        self.read(data, Form::Piece, events)?;
        self.repeat
            .learn(data, events.get(before..).unwrap_or_default());
        Ok(())
    }

    fn whole(&mut self, body: &[u8], events: &mut Vec<Event>) -> Result<()> {
        let text = std::str::from_utf8(body).map_err(|e| unreadable().with_source(e))?;
        self.read(text, Form::Whole, events)?;
        if self.choices.is_empty() {
            return Err(
                Error::new(ErrorKind::Decode, "the reply has no choices").with_phase(Phase::Body)
            );
        }
        self.end(events);
        Ok(())
    }

    fn finish(&mut self, events: &mut Vec<Event>) -> Result<()> {
        if self.is_done {
            return Ok(());
        }
        // What comes after the last reason, such as usage, may be lost; an answer may not.
        let is_complete =
            self.choices.len() >= self.wanted && self.choices.iter().all(Choice::is_finished);
        if !is_complete {
            return Err(truncated());
        }
        self.end(events);
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.is_done
    }
}

impl Sources {
    /// Perplexity lists the same sources twice, once with their titles.
    fn into_citations(self) -> Vec<Citation> {
        if self.results.is_empty() {
            self.addresses.into_iter().map(Citation::from_url).collect()
        } else {
            self.results
        }
    }
}

fn found(result: &RawValue, origin: &Origin) -> Option<Citation> {
    let mut fields = Object::of(result)?;
    let mut citation = Citation::from_url(fields.text("url")?);
    citation.title = fields.text("title");
    citation.quote = fields.text("snippet");
    let native = Native::new(Some(origin.clone()), "search_result", result.get());
    citation.native = Some(native);
    Some(citation)
}

fn seed(start: Option<&Start>, choice: u32, calls_before: usize) -> Seed<'_> {
    Seed {
        reply: start
            .and_then(|start| start.id.as_deref())
            .unwrap_or_default(),
        choice,
        calls_before,
    }
}

/// The media type of spoken answers, by the format that was asked for in `audio.format`
/// (<https://platform.openai.com/docs/guides/audio>).
fn audio_type(format: Option<&str>) -> &'static str {
    match format {
        Some("mp3") => "audio/mpeg",
        Some("flac") => "audio/flac",
        Some("opus") => "audio/opus",
        Some("aac") => "audio/aac",
        Some("pcm16") => "audio/pcm",
        _ => "audio/wav",
    }
}

fn keep(fields: &mut Map<String, Value>, name: &str, value: &RawValue) {
    if let Ok(value) = serde_json::from_str(value.get()) {
        fields.insert(name.to_owned(), value);
    }
}

/// Reads a chunk or a whole reply, which may turn out to be an error.
fn open(text: &str) -> Result<Object<'_>> {
    match Object::parse(text) {
        Ok(mut reply) => match error::is_error(&mut reply) {
            true => Err(error::inside(text)),
            false => Ok(reply),
        },
        Err(_) if error::is_list_of_errors(text) => Err(error::inside(text)),
        Err(e) => Err(unreadable().with_source(e)),
    }
}

#[cfg(test)]
mod tests;
