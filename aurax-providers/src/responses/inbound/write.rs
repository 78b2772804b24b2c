//! From events to the frames and objects of this wire.

use std::collections::HashMap;

use aurax_core::{Delta, End, Error, Event, Head, Item, Part, Response, Start, ToolCallStart};
use bytes::{Bytes, BytesMut};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::output::{Body, Content, Kind, OutputItem, Status};
use super::reply::{self, Ending, Frame};
use super::sheet::{Out, Sheet, annotation};
use super::whole;
use crate::inbound::carry::{Purpose, pack_nothing};
use crate::inbound::failure::openai as failure;
use crate::inbound::{Incoming, Stamp, WriteReply};
use crate::responses::{NAME, REASONING_TEXT};
use crate::seal::Seal;

/// Writes one reply.
///
/// Parts become items: those one item of this wire listed go together, any other is one of its own.
/// A part whose first delta says nothing waits for the next one, which may say where it belongs.
pub(super) struct Writer {
    pub(super) seal: Seal,
    /// The answer comes over this wire: its ids, signatures and fields are the client's to see.
    pub(super) is_own: bool,
    pub(super) request_id: String,
    /// What thoughts of another wire have in place of a proof.
    nothing: Option<String>,
    frame: Frame,
    has_begun: bool,
    pub(super) sheet: Sheet,
    /// Where the parts of the answer are written, by their numbers.
    places: HashMap<u32, Place>,
    waiting: Option<(u32, Begin)>,
}

/// Where a part is written: its item, and its number in the item.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) item: usize,
    kind: Kind,
    /// `None` while nothing of it was written.
    index: Option<usize>,
}

/// A part that begins.
#[derive(Debug, Clone)]
pub(super) enum Begin {
    Text,
    Refusal,
    Thinking,
    Call(ToolCallStart),
}

impl Begin {
    fn of(delta: &Delta) -> Self {
        match delta {
            Delta::Text(_) | Delta::Citation(_) => Self::Text,
            Delta::Refusal(_) => Self::Refusal,
            Delta::ToolCall(start) => Self::Call(start.clone()),
            Delta::Arguments(_) => Self::Call(ToolCallStart::new("", "")),
            _ => Self::Thinking,
        }
    }
}

impl Writer {
    pub(super) fn new(incoming: &Incoming, head: &Head, stamp: &Stamp, seal: Seal) -> Self {
        let is_own = head.wire == NAME;
        Self {
            nothing: (!is_own).then(|| pack_nothing(&seal)),
            seal,
            is_own,
            request_id: stamp.request_id.clone(),
            frame: Frame {
                id: reply::id("resp", &stamp.request_id, 0),
                created: stamp.now,
                model: head.model.as_str().to_owned(),
                echo: incoming.wishes.echo.clone(),
            },
            has_begun: false,
            sheet: Sheet::default(),
            places: HashMap::new(),
            waiting: None,
        }
    }

    fn start(&mut self, start: &Start) {
        if let Some(id) = start.id.as_ref().filter(|_| self.is_own) {
            self.frame.id.clone_from(id);
        }
        if let Some(model) = &start.model {
            self.frame.model.clone_from(model);
        }
        if let Some(created) = start.created {
            self.frame.created = created;
        }
    }

    fn begin(&mut self, out: &mut Out<'_>) {
        if !self.has_begun {
            self.has_begun = true;
            let response = self.frame.json(&Ending::new("in_progress"), &[]);
            self.sheet.send_response(out, "response.created", &response);
            self.sheet
                .send_response(out, "response.in_progress", &response);
        }
    }

    fn delta(&mut self, part: u32, delta: &Delta, out: &mut Out<'_>) {
        if let Some((waiting, begin)) = self.waiting.take() {
            let item = match delta {
                Delta::Item(item) if waiting == part => Some(item),
                _ => None,
            };
            let says_nothing = waiting == part && !delta.is_content() && item.is_none();
            if says_nothing {
                self.waiting = Some((waiting, begin));
                return;
            }
            self.open(waiting, begin, item, out);
            if item.is_some() {
                return;
            }
        }
        match delta {
            Delta::RedactedThinking(signature) => {
                return self.carried(signature, &Purpose::Redacted, out);
            }
            Delta::Image(image) => return self.image(image, out),
            Delta::Audio(audio) => {
                if let Some(words) = audio.transcript.clone() {
                    let place = self.open(part, Begin::Text, None, out);
                    self.words(part, place, &words, out);
                }
                return;
            }
            Delta::Native(native) => return self.native(native, out),
            _ => {}
        }
        let Some(place) = self.places.get(&part).copied() else {
            let begin = Begin::of(delta);
            let waits = matches!(delta, Delta::ToolCall(_)) || !delta.is_content();
            match delta {
                Delta::Item(item) => {
                    self.open(part, begin, Some(item), out);
                }
                _ if waits => self.waiting = Some((part, begin)),
                _ => {
                    let place = self.open(part, begin, None, out);
                    self.more(part, place, delta, out);
                }
            }
            return;
        };
        self.more(part, place, delta, out);
    }

    /// More of a part that has a place.
    fn more(&mut self, part: u32, place: Place, delta: &Delta, out: &mut Out<'_>) {
        match delta {
            Delta::Text(text)
            | Delta::Refusal(text)
            | Delta::Thinking(text)
            | Delta::Arguments(text) => self.words(part, place, text, out),
            Delta::Item(item) => self.learn(place, item),
            Delta::ToolCall(start) => {
                if let Some(Body::Call { name, .. }) = self.body(place) {
                    name.clone_from(&start.name);
                }
            }
            Delta::Signature(signature) => self.sign(place, signature, out),
            Delta::Citation(citation) => self.cite(place, citation, out),
            _ => {}
        }
    }

    pub(super) fn body(&mut self, place: Place) -> Option<&mut Body> {
        self.sheet
            .items
            .get_mut(place.item)
            .map(|item| &mut item.body)
    }

    /// Gives a part its place: in the open item that lists it, else in one of its own.
    fn open(&mut self, part: u32, begin: Begin, item: Option<&Item>, out: &mut Out<'_>) -> Place {
        let item = item.filter(|_| self.is_own);
        let kind = match begin {
            Begin::Text => Kind::Text,
            Begin::Refusal => Kind::Refusal,
            Begin::Thinking if is_thoughts(item) => Kind::Thoughts,
            Begin::Thinking => Kind::Summary,
            Begin::Call(_) => Kind::Call,
        };
        let last = self.sheet.items.len().saturating_sub(1);
        let goes_on = kind != Kind::Call
            && self.sheet.items.last().is_some_and(|last| {
                let is_same = matches!(
                    (&last.body, kind),
                    (Body::Message { .. }, Kind::Text | Kind::Refusal)
                        | (Body::Reasoning { .. }, Kind::Summary | Kind::Thoughts)
                );
                let id = item.and_then(|item| item.id.as_ref());
                is_same && last.is_open() && id == Some(&last.id)
            });
        let at = if goes_on {
            self.sheet.close_content(last, out);
            last
        } else {
            self.sheet.close(false, out);
            self.add(begin, item, out)
        };
        let place = Place {
            item: at,
            kind,
            index: None,
        };
        self.places.insert(part, place);
        match kind {
            // An empty text is a text all the same.
            Kind::Text | Kind::Refusal => self.begin_content(part, place, out),
            _ => place,
        }
    }

    pub(super) fn add(&mut self, begin: Begin, item: Option<&Item>, out: &mut Out<'_>) -> usize {
        let at = self.sheet.items.len();
        let made = |kind| reply::id(kind, &self.request_id, at);
        let (kind, body) = match begin {
            Begin::Text | Begin::Refusal => {
                let phase = item.and_then(|item| item.phase.clone());
                let content = Vec::new();
                ("msg", Body::Message { phase, content })
            }
            Begin::Thinking => {
                // What a client sends back without any proof would be taken for this wire's own.
                let body = Body::Reasoning {
                    summary: Vec::new(),
                    thoughts: Vec::new(),
                    encrypted: self.nothing.clone(),
                };
                ("rs", body)
            }
            Begin::Call(start) => {
                let body = Body::Call {
                    call_id: Some(start.id)
                        .filter(|id| !id.is_empty())
                        .unwrap_or_else(|| made("call")),
                    name: start.name,
                    arguments: String::new(),
                };
                ("fc", body)
            }
        };
        let id = item.and_then(|item| item.id.clone());
        let item = OutputItem {
            id: id.unwrap_or_else(|| made(kind)),
            body,
            status: Status::InProgress,
            part: None,
            extra: item.map(extra).unwrap_or_default(),
        };
        self.sheet.announce(item, out)
    }

    /// Begins a part of an item's content.
    fn begin_content(&mut self, part: u32, mut place: Place, out: &mut Out<'_>) -> Place {
        place.index = self.sheet.begin_part(place.item, place.kind, out);
        self.places.insert(part, place);
        place
    }

    /// More words; those of an item that was closed begin another one.
    fn words(&mut self, part: u32, mut place: Place, text: &str, out: &mut Out<'_>) {
        if text.is_empty() {
            return;
        }
        let is_open = self
            .sheet
            .items
            .get(place.item)
            .is_some_and(OutputItem::is_open);
        if !is_open {
            let begin = match place.kind {
                // White space behind complete arguments says nothing.
                Kind::Call => return,
                Kind::Refusal => Begin::Refusal,
                Kind::Text => Begin::Text,
                Kind::Summary | Kind::Thoughts => Begin::Thinking,
            };
            place = self.open(part, begin, None, out);
        }
        if place.index.is_none() && place.kind != Kind::Call {
            place = self.begin_content(part, place, out);
        }
        let index = place.index.unwrap_or_default();
        self.sheet.append(place.item, place.kind, index, text, out);
    }

    /// What became known of an item later; its id stands, because clients match by it.
    fn learn(&mut self, place: Place, known: &Item) {
        if !self.is_own {
            return;
        }
        if let Some(item) = self.sheet.items.get_mut(place.item) {
            item.extra = extra(known);
            if let Body::Message { phase, .. } = &mut item.body {
                phase.clone_from(&known.phase);
            }
        }
    }

    fn cite(&mut self, place: Place, citation: &aurax_core::Citation, out: &mut Out<'_>) {
        let annotation = annotation(citation, self.is_own);
        let index = place.index.unwrap_or_default();
        let is_open = self
            .sheet
            .items
            .get(place.item)
            .is_some_and(OutputItem::is_open);
        let Some(Body::Message { content, .. }) = self.body(place) else {
            return;
        };
        let Some(Content::Text { annotations, .. }) = content.get_mut(index) else {
            return;
        };
        let number = annotations.len();
        annotations.push(annotation.clone());
        // One that comes late is in the complete response.
        if is_open {
            let fields = json!({
                "content_index": index, "annotation_index": number, "annotation": annotation,
            });
            let fields = self.sheet.at(place.item, fields);
            self.sheet
                .send(out, "response.output_text.annotation.added", fields);
        }
    }

    /// Ends the reply: what is open is closed, the last item as incomplete as the answer.
    fn finish(&mut self, ending: &Ending, out: &mut Out<'_>) -> Box<RawValue> {
        if let Some((part, begin)) = self.waiting.take() {
            self.open(part, begin, None, out);
        }
        let last = self.sheet.items.len().saturating_sub(1);
        let is_open = self.sheet.items.get(last).is_some_and(OutputItem::is_open);
        if is_open && ending.status != "completed" {
            self.sheet.close_before(last, out);
            self.sheet.close_item(last, Status::Incomplete, out);
        } else {
            self.sheet.close(true, out);
        }
        let output: Vec<Value> = self.sheet.items.iter().map(OutputItem::json).collect();
        self.frame.json(ending, &output)
    }

    fn ending(&self, end: &End) -> Ending {
        let mut ending = reply::ending(end.finish.first(), self.is_own);
        ending.usage = end
            .usage
            .as_ref()
            .map(|usage| reply::usage(usage, self.is_own));
        ending.service_tier.clone_from(&end.service_tier);
        if self.is_own {
            ending.extra = end.extra.clone();
        }
        ending
    }

    fn end(&mut self, end: &End, out: &mut Out<'_>) {
        let ending = self.ending(end);
        let response = self.finish(&ending, out);
        let name = match ending.status.as_str() {
            "incomplete" => "response.incomplete",
            "failed" | "cancelled" => "response.failed",
            _ => "response.completed",
        };
        self.sheet.send_response(out, name, &response);
    }
}

impl WriteReply for Writer {
    fn whole(&mut self, response: &Response) -> Bytes {
        let mut start = Start::new(response.id.clone(), Some(response.model.clone()));
        start.created = response.created;
        self.start(&start);
        let choice = response.choices.first();
        let mut weighed = false;
        for (number, part) in (0_u32..).zip(choice.into_iter().flat_map(|c| &c.message.parts)) {
            for delta in whole::deltas(part) {
                self.delta(number, &delta, &mut None);
            }
            if let (Part::Text(_), Some(choice)) = (part, choice)
                && !std::mem::replace(&mut weighed, true)
            {
                self.sheet.weigh(&choice.logprobs);
            }
        }
        let finish = choice.and_then(|choice| choice.finish.clone());
        let mut end = End::new(finish.into_iter().collect(), None);
        end.usage.clone_from(&response.usage);
        end.service_tier.clone_from(&response.service_tier);
        end.extra.clone_from(&response.extra);
        let ending = self.ending(&end);
        let body = self.finish(&ending, &mut None);
        Bytes::from(body.get().to_owned())
    }

    fn event(&mut self, event: &Event, out: &mut BytesMut) {
        let out = &mut Some(out);
        if let Event::Start(start) = event {
            self.start(start);
        }
        self.begin(out);
        match event {
            Event::Delta {
                choice: 0,
                part,
                delta,
            } => self.delta(*part, delta, out),
            Event::Logprobs { choice: 0, tokens } => self.sheet.weigh(tokens),
            Event::End(end) => self.end(end, out),
            _ => {}
        }
    }

    /// `response.failed` for clients that read events, then the error that every client raises.
    fn error(&mut self, error: &Error, out: &mut BytesMut) {
        let out = &mut Some(out);
        self.begin(out);
        let said = failure::said(error).with_code();
        let mut ending = Ending::new("failed");
        ending.error = json!(said);
        let output: Vec<Value> = self.sheet.items.iter().map(OutputItem::json).collect();
        let response = self.frame.json(&ending, &output);
        self.sheet.send_response(out, "response.failed", &response);
        let frame = json!({
            "code": said.code, "message": said.message, "param": said.param, "error": said,
        });
        self.sheet.send(out, "error", frame);
    }

    fn ping(&mut self, out: &mut BytesMut) {
        out.extend_from_slice(b": keepalive\n\n");
    }
}

fn extra(item: &Item) -> Map<String, Value> {
    let extra = item.extra.as_ref();
    extra.and_then(|extra| extra.to().ok()).unwrap_or_default()
}

fn is_thoughts(item: Option<&Item>) -> bool {
    item.and_then(|item| item.kind.as_deref()) == Some(REASONING_TEXT)
}
