//! The one decoder, for replies that come whole and for streams.

use std::sync::Arc;

use aurax_core::{
    End, Error, ErrorKind, Event, Finish, FinishReason, Origin, Phase, Result, Start,
};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::item::{Kind, MAX_ITEMS, Out, Progress, Words, tokens};
use crate::failure::{truncated, unreadable};
use crate::frame::Frame;
use crate::object::Object;
use crate::openai::error;
use crate::openai::usage::{self, Searches};
use crate::parts::too_many;
use crate::wire::{Decode, Target};

/// Fields of a reply that stand elsewhere, or repeat what does.
const KNOWN: [&str; 7] = [
    "id",
    "object",
    "model",
    "created_at",
    "error",
    "output_text",
    "sequence_number",
];

/// Reads the reply to one call.
#[derive(Debug)]
pub(super) struct Decoder {
    origin: Origin,
    is_started: bool,
    items: Vec<Progress>,
    is_done: bool,
}

impl Decoder {
    pub(super) fn new(target: &Target) -> Self {
        Self {
            origin: target.origin(),
            is_started: false,
            items: Vec::new(),
            is_done: false,
        }
    }

    /// The first id stands: Copilot's streams change it on the way.
    fn start(&mut self, reply: &mut Object<'_>, events: &mut Vec<Event>) {
        if !self.is_started {
            self.is_started = true;
            let mut start = Start::new(reply.text("id"), reply.text("model"));
            start.created = reply.read("created_at");
            events.push(Event::Start(start));
        }
    }

    fn event(&mut self, kind: &str, mut fields: Object<'_>, events: &mut Vec<Event>) -> Result<()> {
        match kind {
            "response.created" | "response.in_progress" | "response.queued" => {
                self.start(&mut fields.object("response"), events);
            }
            "response.completed"
            | "response.incomplete"
            | "response.failed"
            | "response.cancelled" => {
                let reply = fields.object("response");
                fields.take("sequence_number");
                let mut beside = Map::new();
                fields.rest_into(&mut beside);
                let status = kind.rsplit('.').next().unwrap_or(kind);
                return self.end(reply, status, beside, events);
            }
            "response.output_item.added" => {
                if let (Some(item), Some((progress, mut out))) =
                    (fields.take("item"), self.item(&mut fields, events))
                {
                    progress.added(item, &mut out);
                }
            }
            "response.output_item.done" => {
                if let (Some(item), Some((progress, mut out))) =
                    (fields.take("item"), self.item(&mut fields, events))
                {
                    progress.done(item, &mut out);
                }
            }
            _ => self.piece(kind, fields, events),
        }
        Ok(())
    }

    /// A piece of an item; kinds nobody knows are passed over, as the item comes whole at its end.
    fn piece(&mut self, kind: &str, mut fields: Object<'_>, events: &mut Vec<Event>) {
        let Some((item, mut out)) = self.item(&mut fields, events) else {
            return;
        };
        let summary = fields.read("summary_index").unwrap_or_default();
        let content = fields.read("content_index").unwrap_or_default();
        let out = &mut out;
        let mut delta = |item: &mut Progress, words, index, out: &mut Out<'_>| {
            let text = fields.read("delta").unwrap_or_default();
            item.more(words, index, text, out);
        };
        match kind {
            "response.output_text.delta" => {
                delta(item, Words::Text, content, out);
                item.weigh(content, tokens(&mut fields), out);
            }
            "response.refusal.delta" => delta(item, Words::Refusal, content, out),
            "response.reasoning_summary_text.delta" => delta(item, Words::Summary, summary, out),
            "response.reasoning_text.delta" => delta(item, Words::Thoughts, content, out),
            "response.function_call_arguments.delta" => delta(item, Words::Arguments, 0, out),
            "response.output_text.done" => {
                let text: String = fields.read("text").unwrap_or_default();
                item.all(Words::Text, content, &text, out);
                item.weigh_all(content, tokens(&mut fields), out);
            }
            "response.refusal.done" => {
                let text: String = fields.read("refusal").unwrap_or_default();
                item.all(Words::Refusal, content, &text, out);
            }
            "response.reasoning_summary_text.done" => {
                let text: String = fields.read("text").unwrap_or_default();
                item.all(Words::Summary, summary, &text, out);
            }
            "response.reasoning_text.done" => {
                let text: String = fields.read("text").unwrap_or_default();
                item.all(Words::Thoughts, content, &text, out);
            }
            "response.function_call_arguments.done" => {
                let text: String = fields.read("arguments").unwrap_or_default();
                item.all(Words::Arguments, 0, &text, out);
            }
            "response.output_text.annotation.added" => {
                if let Some(annotation) = fields.take("annotation") {
                    item.cite_next(content, annotation, out);
                }
            }
            "response.content_part.done" => {
                if let Some(part) = fields.take("part") {
                    item.content_part(content, part, out);
                }
            }
            _ => {}
        }
    }

    /// The item an event is about, and where its events go; `None` where it names none.
    fn item<'d>(
        &'d mut self,
        fields: &mut Object<'_>,
        events: &'d mut Vec<Event>,
    ) -> Option<(&'d mut Progress, Out<'d>)> {
        let number: u32 = fields.read("output_index")?;
        self.numbered(number, events)
    }

    fn numbered<'d>(
        &'d mut self,
        number: u32,
        events: &'d mut Vec<Event>,
    ) -> Option<(&'d mut Progress, Out<'d>)> {
        let at = usize::try_from(number)
            .ok()
            .filter(|_| number < MAX_ITEMS)?;
        if self.items.len() <= at {
            self.items
                .resize_with(at.saturating_add(1), Progress::default);
        }
        let out = Out {
            events,
            origin: &self.origin,
            number,
        };
        Some((self.items.get_mut(at)?, out))
    }

    /// The reply as it ended: `beside` are fields that stand next to it in a stream.
    fn end(
        &mut self,
        mut reply: Object<'_>,
        status: &str,
        beside: Map<String, Value>,
        events: &mut Vec<Event>,
    ) -> Result<()> {
        self.start(&mut reply, events);
        for (number, item) in (0_u32..).zip(reply.list("output")) {
            if number >= MAX_ITEMS {
                return Err(too_many("items", MAX_ITEMS));
            }
            if let Some((progress, mut out)) = self.numbered(number, events)
                && !progress.is_done
            {
                progress.done(item, &mut out);
            }
        }
        let status = reply.text("status").unwrap_or_else(|| status.to_owned());
        let usage = reply.take("usage");
        let service_tier = reply.text("service_tier");
        let failure = reply.take("error");
        let details = reply.take("incomplete_details");
        for known in KNOWN {
            reply.take(known);
        }
        let mut extra = Map::new();
        reply.rest_into(&mut extra);
        extra.extend(beside);
        let searches = self.searches(&extra);
        let mut usage = usage.and_then(|usage| usage::read_responses(usage, searches));
        if let (Some(usage), Some(tier)) = (&mut usage, &service_tier) {
            usage::select_price(&mut usage.price_context, "service_tier", tier);
        }
        if failure.is_some() || matches!(status.as_str(), "failed" | "cancelled") {
            events.extend(usage.map(|usage| Event::Usage(Arc::new(usage))));
            return Err(failed(&status, failure));
        }
        let finish = self.finish_of(status, details);
        let mut end = End::new(vec![finish], usage);
        end.service_tier = service_tier;
        end.extra = extra;
        events.push(Event::End(Box::new(end)));
        self.is_done = true;
        Ok(())
    }

    /// Searches are billed by their number: the provider's own, else the items of the answer.
    fn searches(&self, extra: &Map<String, Value>) -> Searches {
        let made = |kind| {
            let items = self.items.iter().filter(|item| item.kind() == kind);
            u64::try_from(items.count()).unwrap_or_default()
        };
        let reported = extra
            .get("tool_usage")
            .and_then(|usage| usage.pointer("/web_search/num_requests")?.as_u64());
        Searches {
            web: reported.unwrap_or_else(|| made(Kind::WebSearch)),
            file: made(Kind::FileSearch),
        }
    }

    /// The common word for why the answer ended
    /// (<https://platform.openai.com/docs/api-reference/responses/object>).
    fn finish_of(&self, status: String, details: Option<&RawValue>) -> Finish {
        let why = details
            .and_then(Object::of)
            .and_then(|mut details| details.text("reason"));
        let waits = |item: &Progress| matches!(item.kind(), Kind::Call | Kind::Waits);
        let reason = match (status.as_str(), why.as_deref()) {
            ("completed", _) if self.items.iter().any(waits) => FinishReason::ToolCalls,
            ("completed", _) if self.items.iter().any(Progress::refuses) => FinishReason::Refusal,
            ("completed", _) => FinishReason::Stop,
            ("incomplete", Some("max_output_tokens" | "max_tokens")) => FinishReason::Length,
            ("incomplete", Some("content_filter")) => FinishReason::ContentFilter,
            _ => FinishReason::Other,
        };
        let mut finish = Finish::new(reason, Some(status));
        if let Some(details) = details.and_then(|d| serde_json::from_str(d.get()).ok()) {
            finish
                .extra
                .insert("incomplete_details".to_owned(), details);
        }
        finish
    }
}

impl Decode for Decoder {
    fn frame(&mut self, frame: Frame<'_>, events: &mut Vec<Event>) -> Result<()> {
        if self.is_done {
            return Ok(());
        }
        let data = frame.data.trim();
        if data == "[DONE]" {
            return Err(truncated());
        }
        let mut fields = Object::parse(data).map_err(|e| unreadable().with_source(e))?;
        match fields.text("type").as_deref().or(frame.event) {
            Some("error") => Err(error::inside(data)),
            Some(kind) => self.event(kind, fields, events),
            None if error::is_error(&mut fields) => Err(error::inside(data)),
            None => Ok(()),
        }
    }

    fn whole(&mut self, body: &[u8], events: &mut Vec<Event>) -> Result<()> {
        let text = std::str::from_utf8(body).map_err(|e| unreadable().with_source(e))?;
        let mut reply = Object::parse(text).map_err(|e| unreadable().with_source(e))?;
        if !reply.has("output") {
            return Err(match error::is_error(&mut reply) {
                true => error::inside(text),
                false => {
                    Error::new(ErrorKind::Decode, "the reply has no output").with_phase(Phase::Body)
                }
            });
        }
        self.end(reply, "completed", Map::new(), events)
    }

    fn finish(&mut self, _: &mut Vec<Event>) -> Result<()> {
        if self.is_done {
            Ok(())
        } else {
            Err(truncated())
        }
    }

    fn is_done(&self) -> bool {
        self.is_done
    }
}

/// What a reply that failed says of it: `{"code","message"}`.
fn failed(status: &str, failure: Option<&RawValue>) -> Error {
    let said = failure.map(RawValue::get).filter(|said| said.len() > 2);
    match said {
        Some(said) => error::inside(&format!("{{\"error\":{said}}}")),
        None if status == "cancelled" => Error::new(
            ErrorKind::Cancelled,
            "the provider says the call was given up",
        )
        .with_phase(Phase::Body),
        None => error::inside("{\"error\":{\"code\":\"server_error\"}}"),
    }
}
