//! A reply's message while it arrives: blocks become parts, and the end says why it ended.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use aurax_core::{
    Citation, Delta, End, Event, Finish, FinishReason, Json, Native, Origin, Result, Signature,
    Start, ToolCallStart,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::gathered::Gathered;
use super::usage;
use crate::digest::call_id;
use crate::failure::unreadable;
use crate::parts::Parts;
use crate::raw::RawObject;

/// Fields of a message that have a place of their own.
const MESSAGE_FIELDS: [&str; 9] = [
    "id",
    "type",
    "role",
    "model",
    "content",
    "usage",
    "stop_reason",
    "stop_sequence",
    "stop_details",
];

/// Fields that say why a message ended.
const STOP_FIELDS: [&str; 3] = ["stop_reason", "stop_sequence", "stop_details"];

/// Counts are read again with every report, so reports of more bytes than this are not merged.
const MAX_USAGE_BYTES: usize = 64 << 10;

/// A message that is arriving.
#[derive(Debug)]
pub(super) struct Message {
    origin: Origin,
    /// The calls of tools in the conversation so far.
    calls_before: usize,
    id: Option<String>,
    /// The blocks that are open, by their index on the wire.
    open: BTreeMap<u32, Open>,
    last: u32,
    parts: Parts,
    usage: Option<(RawObject, Json)>,
    stop: RawObject,
    extra: RawObject,
    started: bool,
    done: bool,
}

#[derive(Debug)]
struct Open {
    part: u32,
    block: Block,
}

/// What is kept of a block until it closes.
#[derive(Debug)]
enum Block {
    /// Text or thinking: passed on as it comes.
    Words,
    /// A tool call, with the input its start had.
    ToolCall { input: Json, written: bool },
    /// A block that is passed on whole.
    Native(Gathered),
    /// Nothing more will come.
    Complete,
}

/// What is added to a block; of the fields, the one of its type is there.
#[derive(Debug, Deserialize)]
struct BlockDelta<'a> {
    #[serde(rename = "type", default, borrow)]
    kind: Cow<'a, str>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    partial_json: Option<String>,
    #[serde(default)]
    thinking: Option<String>,
    #[serde(default)]
    signature: Option<String>,
    #[serde(default, borrow)]
    citation: Option<&'a RawValue>,
}

impl Message {
    pub(super) fn new(origin: Origin, calls_before: usize) -> Self {
        Self {
            origin,
            calls_before,
            id: None,
            open: BTreeMap::new(),
            last: 0,
            parts: Parts::default(),
            usage: None,
            stop: RawObject::default(),
            extra: RawObject::default(),
            started: false,
            done: false,
        }
    }

    pub(super) const fn is_done(&self) -> bool {
        self.done
    }

    /// Takes the message as it begins or, in a whole reply, as it is.
    ///
    /// # Errors
    /// `Decode` where it has more parts than any answer.
    pub(super) fn start(&mut self, message: &RawObject, events: &mut Vec<Event>) -> Result<()> {
        if !std::mem::replace(&mut self.started, true) {
            self.id = message.text("id");
            let start = Start::new(self.id.clone(), message.text("model"));
            events.push(Event::Start(start));
        }
        self.stopped(message);
        self.extra.keep(message, &MESSAGE_FIELDS);
        self.count(message.get("usage"), events);
        for (index, block) in (0..).zip(message.list("content").unwrap_or_default()) {
            // A block that is no object has nothing to say.
            if let Some(object) = RawObject::parse(block.as_str()) {
                self.begin(Some(index), block, &object, events)?;
                self.close(Some(index), events);
            }
        }
        Ok(())
    }

    /// Takes what is said of the message near its end.
    pub(super) fn update(&mut self, frame: &RawObject, events: &mut Vec<Event>) {
        let delta = frame.object("delta").unwrap_or_default();
        self.stopped(&delta);
        self.extra.keep(&delta, &MESSAGE_FIELDS);
        self.extra.keep(frame, &["type", "delta", "usage"]);
        self.count(frame.get("usage"), events);
    }

    /// Closes the message.
    pub(super) fn end(&mut self, events: &mut Vec<Event>) {
        while let Some(index) = self.open.keys().next().copied() {
            self.close(Some(index), events);
        }
        let usage = self
            .usage
            .as_ref()
            .map(|(object, raw)| usage::read(object, raw));
        let mut end = End::new(vec![self.finish()], usage);
        end.service_tier = self
            .usage
            .as_ref()
            .and_then(|(object, _)| object.text("service_tier"));
        end.extra = self.extra.values();
        events.push(Event::End(Box::new(end)));
        self.done = true;
    }

    /// Begins a block.
    pub(super) fn open(
        &mut self,
        index: Option<u32>,
        json: Json,
        events: &mut Vec<Event>,
    ) -> Result<()> {
        let block = RawObject::parse(json.as_str()).ok_or_else(unreadable)?;
        self.begin(index, json, &block, events)
    }

    fn begin(
        &mut self,
        index: Option<u32>,
        json: Json,
        block: &RawObject,
        events: &mut Vec<Event>,
    ) -> Result<()> {
        let index = index.unwrap_or(self.parts.count());
        // Gateways that number every block 0 still mean another one.
        self.close(Some(index), events);
        let kind = block.text("type").unwrap_or_default();
        let part = match kind.as_str() {
            "tool_use" => self.parts.begin_call()?,
            _ => self.parts.begin()?,
        };
        self.last = index;
        let mut say = |delta| events.push(at(part, delta));

        let state = match kind.as_str() {
            "text" => {
                say(Delta::Text(block.text("text").unwrap_or_default()));
                for citation in block.list("citations").unwrap_or_default() {
                    say(Delta::Citation(self.citation(&citation)));
                }
                Block::Words
            }
            "thinking" => {
                say(Delta::Thinking(block.text("thinking").unwrap_or_default()));
                if let Some(signature) = block.text("signature").filter(|s| !s.is_empty()) {
                    say(Delta::Signature(self.signed(signature)));
                }
                Block::Words
            }
            "redacted_thinking" => {
                let data = block.text("data").unwrap_or_default();
                say(Delta::RedactedThinking(self.signed(data)));
                Block::Complete
            }
            "tool_use" => {
                let id = block.text("id").filter(|id| !id.is_empty());
                let id = id.unwrap_or_else(|| {
                    let place = format!("{}.{part}", self.calls_before);
                    call_id(&[self.id.as_deref().unwrap_or_default(), &place])
                });
                let name = block.text("name").unwrap_or_default();
                say(Delta::ToolCall(ToolCallStart::new(id, name)));
                if let Some(caller) = wanted_back(block) {
                    say(Delta::Signature(self.signed(caller)));
                }
                Block::ToolCall {
                    input: block.get("input").cloned().unwrap_or_else(no_input),
                    written: false,
                }
            }
            _ => Block::Native(Gathered::new(kind, json)),
        };
        self.open.insert(index, Open { part, block: state });
        Ok(())
    }

    /// Adds to a block; one that was never begun begins with it.
    pub(super) fn delta(
        &mut self,
        index: Option<u32>,
        json: &str,
        events: &mut Vec<Event>,
    ) -> Result<()> {
        let delta: BlockDelta<'_> =
            serde_json::from_str(json).map_err(|e| unreadable().with_source(e))?;
        let index = index.unwrap_or(self.last);
        if !self.open.contains_key(&index) {
            let part = self.parts.begin()?;
            let block = Block::Words;
            self.open.insert(index, Open { part, block });
        }
        let signature = delta.signature.filter(|data| !data.is_empty());
        let signature = signature.map(|data| self.signed(data));
        let citation = delta.citation.map(|raw| self.citation(&raw.into()));
        let Some(Open { part, block }) = self.open.get_mut(&index) else {
            return Ok(());
        };
        let said = match (&*delta.kind, block) {
            ("input_json_delta", Block::ToolCall { written, .. }) => {
                let text = delta.partial_json.filter(|text| !text.is_empty());
                *written |= text.is_some();
                text.map(Delta::Arguments)
            }
            ("input_json_delta", Block::Native(block)) => {
                block.more_input(&delta.partial_json.unwrap_or_default());
                None
            }
            (_, Block::Native(block)) => {
                block.add(json);
                None
            }
            ("text_delta", Block::Words) => delta.text.map(Delta::Text),
            ("thinking_delta", Block::Words) => delta.thinking.map(Delta::Thinking),
            ("signature_delta", Block::Words) => signature.map(Delta::Signature),
            ("citations_delta", Block::Words) => citation.map(Delta::Citation),
            // A delta of a later version.
            _ => None,
        };
        events.extend(said.map(|delta| at(*part, delta)));
        Ok(())
    }

    /// Ends a block: what could not be passed on before is complete now.
    pub(super) fn close(&mut self, index: Option<u32>, events: &mut Vec<Event>) {
        let index = index.unwrap_or(self.last);
        let Some(Open { part, block }) = self.open.remove(&index) else {
            return;
        };
        match block {
            Block::ToolCall {
                input,
                written: false,
            } => events.push(at(part, Delta::Arguments(input.as_str().to_owned()))),
            Block::Native(block) => {
                let native = block.finish(self.origin.clone());
                events.push(at(part, Delta::Native(native)));
            }
            Block::Words | Block::Complete | Block::ToolCall { .. } => {}
        }
    }

    /// Takes usage in: counts are cumulative, and what is not repeated stands.
    fn count(&mut self, usage: Option<&Json>, events: &mut Vec<Event>) {
        let Some((newer, raw)) =
            usage.and_then(|raw| Some((RawObject::parse(raw.as_str())?, raw.clone())))
        else {
            return;
        };
        let (object, raw) = match self.usage.take() {
            None => (newer, raw),
            // The newest report stands alone where nobody sane would say as much.
            Some((object, _)) if object.size().saturating_add(newer.size()) > MAX_USAGE_BYTES => {
                (newer, raw)
            }
            Some((mut object, _)) => {
                object.keep(&newer, &[]);
                let merged = Json::from_value(&object).unwrap_or(raw);
                (object, merged)
            }
        };
        events.push(Event::Usage(Arc::new(usage::read(&object, &raw))));
        self.usage = Some((object, raw));
    }

    /// Takes what is said of why the message ended.
    fn stopped(&mut self, object: &RawObject) {
        for name in STOP_FIELDS {
            if let Some(value) = object.get(name) {
                self.stop.set(name, value.clone());
            }
        }
    }

    fn finish(&self) -> Finish {
        let raw = self.stop.text("stop_reason");
        let reason = match raw.as_deref() {
            // Servers that imitate the API say so also when they ask for tools.
            None | Some("end_turn") if self.parts.calls() > 0 => FinishReason::ToolCalls,
            None | Some("end_turn") => FinishReason::Stop,
            Some("stop_sequence") => FinishReason::StopSequence,
            Some("max_tokens") => FinishReason::Length,
            Some("model_context_window_exceeded") => FinishReason::ContextWindow,
            Some("tool_use") => FinishReason::ToolCalls,
            Some("refusal") => FinishReason::Refusal,
            Some("pause_turn") => FinishReason::Pause,
            Some(_) => FinishReason::Other,
        };
        let mut finish =
            Finish::new(reason, raw).with_stop_sequence(self.stop.text("stop_sequence"));
        if let Some(details) = self.stop.get("stop_details") {
            let details = details.to().unwrap_or_default();
            finish.extra.insert("stop_details".to_owned(), details);
        }
        finish
    }

    fn signed(&self, data: String) -> Signature {
        Signature::new(data, Some(self.origin.clone()))
    }

    fn citation(&self, json: &Json) -> Citation {
        let object = RawObject::parse(json.as_str()).unwrap_or_default();
        let mut citation = Citation::default();
        citation.url = object.text("url");
        citation.title = object
            .text("title")
            .or_else(|| object.text("document_title"));
        citation.quote = object.text("cited_text");
        citation.native = Some(Native::new(
            Some(self.origin.clone()),
            object.text("type").unwrap_or_default(),
            json.as_str(),
        ));
        citation
    }
}

const fn at(part: u32, delta: Delta) -> Event {
    Event::Delta {
        choice: 0,
        part,
        delta,
    }
}

/// What besides its input the provider wants back with a tool call: who called, unless it was the
/// model directly, and the set the tool is in. It travels as the call's proof.
pub(super) fn wanted_back(block: &RawObject) -> Option<String> {
    let mut kept = RawObject::default();
    let caller = block
        .object("caller")
        .and_then(|caller| caller.text("type"));
    if caller.is_some_and(|kind| kind != "direct") {
        kept.set("caller", block.get("caller")?.clone());
    }
    if let Some(set) = block.get("toolset_name") {
        kept.set("toolset_name", set.clone());
    }
    kept.fields().next()?;
    serde_json::to_string(&kept).ok()
}

fn no_input() -> Json {
    Json::from(Value::Object(Map::new()))
}
