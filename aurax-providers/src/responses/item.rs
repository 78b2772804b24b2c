//! The items of an answer, as they arrive.

use aurax_core::{
    Citation, Delta, Event, Item, Native, Origin, Signature, TokenLogprob, ToolCallStart,
};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::REASONING_TEXT;
use crate::digest::{base62, hash};
use crate::object::{Object, items};

/// The most items an answer may have, and the most parts an item.
pub(super) const MAX_ITEMS: u32 = 1 << 12;
const MAX_PARTS: u32 = 1 << 9;

/// Words that arrive in pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Words {
    Text,
    Refusal,
    Summary,
    /// Thoughts that are no summary.
    Thoughts,
    Arguments,
}

impl Words {
    fn delta(self, text: String) -> Delta {
        match self {
            Self::Text => Delta::Text(text),
            Self::Refusal => Delta::Refusal(text),
            Self::Summary | Self::Thoughts => Delta::Thinking(text),
            Self::Arguments => Delta::Arguments(text),
        }
    }

    /// The number of a part within its item: summaries stand before the thoughts.
    const fn place(self, index: u32) -> u32 {
        match self {
            Self::Thoughts => MAX_PARTS + index,
            _ => index,
        }
    }
}

/// What an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Kind {
    #[default]
    Unknown,
    Message,
    Reasoning,
    Call,
    /// Anything else; `Waits` for the caller to run something.
    Native,
    Waits,
    WebSearch,
    FileSearch,
}

impl Kind {
    fn of(name: &str) -> Self {
        match name {
            "message" => Self::Message,
            "reasoning" => Self::Reasoning,
            "function_call" => Self::Call,
            "custom_tool_call"
            | "computer_call"
            | "local_shell_call"
            | "apply_patch_call"
            | "mcp_approval_request" => Self::Waits,
            "web_search_call" => Self::WebSearch,
            "file_search_call" => Self::FileSearch,
            _ => Self::Native,
        }
    }
}

/// Where the events of an item go.
pub(super) struct Out<'e> {
    pub(super) events: &'e mut Vec<Event>,
    pub(super) origin: &'e Origin,
    /// The item's number in the answer.
    pub(super) number: u32,
}

impl Out<'_> {
    fn push(&mut self, place: u32, delta: Delta) {
        let part = self
            .number
            .saturating_mul(2 * MAX_PARTS)
            .saturating_add(place);
        self.events.push(Event::Delta {
            choice: 0,
            part,
            delta,
        });
    }
}

/// A part that has begun.
#[derive(Debug)]
struct Begun {
    place: u32,
    words: Words,
    /// What was delivered of it.
    text: String,
    item: Item,
    citations: usize,
    logprobs: usize,
}

/// One item.
#[derive(Debug, Default)]
pub(super) struct Progress {
    kind: Kind,
    /// What is known of the item; ids of messages and calls stand as they came first.
    item: Item,
    call: Option<ToolCallStart>,
    parts: Vec<Begun>,
    pub(super) is_done: bool,
}

impl Progress {
    pub(super) const fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) fn refuses(&self) -> bool {
        self.parts.iter().any(|part| part.words == Words::Refusal)
    }

    /// The item was announced.
    pub(super) fn added(&mut self, item: &RawValue, out: &mut Out<'_>) {
        let Some(mut fields) = Object::of(item) else {
            return;
        };
        self.identify(&mut fields, out.origin);
        if self.kind == Kind::Call {
            self.call(&mut fields, out);
        }
    }

    fn identify(&mut self, fields: &mut Object<'_>, origin: &Origin) {
        let kind = fields.text("type");
        self.kind = kind.as_deref().map_or(self.kind, Kind::of);
        let id = fields.text("id");
        // Copilot's ids change on the way; of thoughts the last one goes with what is encrypted.
        if self.item.id.is_none() || self.kind == Kind::Reasoning && id.is_some() {
            self.item.id = id;
        }
        let phase = fields.text("phase");
        self.item.phase = phase.or_else(|| self.item.phase.take());
        self.item.origin = Some(origin.clone());
        for known in ["role", "status"] {
            fields.take(known);
        }
    }

    fn call(&mut self, fields: &mut Object<'_>, out: &mut Out<'_>) {
        let name = fields.text("name").unwrap_or_default();
        let id = fields.text("call_id").or_else(|| self.item.id.clone());
        let known = self.call.as_ref();
        let start = ToolCallStart::new(
            id.or_else(|| known.map(|call| call.id.clone()))
                .unwrap_or_else(|| {
                    format!("call_{}", base62(hash(&[&name, &out.number.to_string()])))
                }),
            name,
        );
        if self.call.is_none() || known.is_some_and(|call| call.name.is_empty()) {
            out.push(0, Delta::ToolCall(start.clone()));
            self.call = Some(start);
        }
        self.part(Words::Arguments, 0, out);
    }

    /// The part of that number, begun where it is new; `None` beyond the limit.
    fn part(&mut self, words: Words, index: u32, out: &mut Out<'_>) -> Option<&mut Begun> {
        if index >= MAX_PARTS {
            return None;
        }
        let place = words.place(index);
        if let Some(at) = self.parts.iter().position(|part| part.place == place) {
            return self.parts.get_mut(at);
        }
        let kind = (words == Words::Thoughts).then(|| REASONING_TEXT.to_owned());
        let item = self.item.clone().with_kind(kind);
        match words {
            // A call has begun with its name.
            Words::Arguments => {}
            _ => out.push(place, words.delta(String::new())),
        }
        out.push(place, Delta::Item(item.clone()));
        self.parts.push(Begun {
            place,
            words,
            text: String::new(),
            item,
            citations: 0,
            logprobs: 0,
        });
        self.parts.last_mut()
    }

    /// More words.
    pub(super) fn more(&mut self, words: Words, index: u32, text: String, out: &mut Out<'_>) {
        if let Some(part) = self.part(words, index, out)
            && !text.is_empty()
        {
            part.text.push_str(&text);
            let place = part.place;
            out.push(place, part.words.delta(text));
        }
    }

    /// All the words: what is missing of them is delivered, unless others were delivered before.
    pub(super) fn all(&mut self, words: Words, index: u32, text: &str, out: &mut Out<'_>) {
        let Some(part) = self.part(words, index, out) else {
            return;
        };
        if let Some(rest) = text.strip_prefix(part.text.as_str())
            && !rest.is_empty()
        {
            let delta = part.words.delta(rest.to_owned());
            part.text.push_str(rest);
            out.push(part.place, delta);
        }
    }

    /// A source for the words of a text; of a list, `from` is the number of its first.
    pub(super) fn cite(&mut self, index: u32, from: usize, list: &[&RawValue], out: &mut Out<'_>) {
        let Some(part) = self.part(Words::Text, index, out) else {
            return;
        };
        let missing = part.citations.saturating_sub(from);
        for annotation in list.iter().skip(missing) {
            part.citations = part.citations.saturating_add(1);
            if let Some(citation) = cited(annotation, out.origin) {
                out.push(part.place, Delta::Citation(citation));
            }
        }
    }

    /// The source that follows those that were named.
    pub(super) fn cite_next(&mut self, index: u32, annotation: &RawValue, out: &mut Out<'_>) {
        let named = self
            .part(Words::Text, index, out)
            .map(|part| part.citations);
        self.cite(index, named.unwrap_or_default(), &[annotation], out);
    }

    /// Log probabilities of the words just delivered.
    pub(super) fn weigh(&mut self, index: u32, tokens: Vec<TokenLogprob>, out: &mut Out<'_>) {
        if let Some(part) = self.part(Words::Text, index, out)
            && !tokens.is_empty()
        {
            part.logprobs = part.logprobs.saturating_add(tokens.len());
            out.events.push(Event::Logprobs { choice: 0, tokens });
        }
    }

    /// The item is complete: what is missing of it is delivered.
    pub(super) fn done(&mut self, item: &RawValue, out: &mut Out<'_>) {
        let Some(mut fields) = Object::of(item) else {
            return;
        };
        self.is_done = true;
        self.identify(&mut fields, out.origin);
        match self.kind {
            Kind::Message => {
                let content = fields.list("content");
                self.rest(fields);
                self.content(&content, out);
            }
            Kind::Reasoning => self.reasoning(fields, out),
            Kind::Call => {
                self.call(&mut fields, out);
                let arguments = fields.take("arguments").map(text).unwrap_or_default();
                self.rest(fields);
                self.all(Words::Arguments, 0, &arguments, out);
            }
            _ => {
                let kind = Object::of(item).and_then(|mut fields| fields.text("type"));
                let kind = kind.unwrap_or_default();
                let native = Native::new(Some(out.origin.clone()), kind, item.get());
                out.push(0, Delta::Native(native));
            }
        }
        self.settle(out);
    }

    fn rest(&mut self, fields: Object<'_>) {
        let mut extra = Map::new();
        fields.rest_into(&mut extra);
        self.item.extra = Some(extra)
            .filter(|extra| !extra.is_empty())
            .map(|extra| Value::Object(extra).into());
    }

    fn content(&mut self, content: &[&RawValue], out: &mut Out<'_>) {
        if content.is_empty() && self.parts.is_empty() {
            self.part(Words::Text, 0, out);
        }
        for (index, part) in (0_u32..).zip(content) {
            self.content_part(index, part, out);
        }
    }

    /// A part of a message's content, complete.
    pub(super) fn content_part(&mut self, index: u32, part: &RawValue, out: &mut Out<'_>) {
        let Some(mut fields) = Object::of(part) else {
            return;
        };
        let kind = fields.text("type").unwrap_or_default();
        match kind.as_str() {
            "output_text" | "text" => {
                let text = fields.text("text").unwrap_or_default();
                self.all(Words::Text, index, &text, out);
                self.cite(index, 0, &fields.list("annotations"), out);
                self.weigh_all(index, tokens(&mut fields), out);
            }
            "refusal" => {
                let text = fields.text("refusal").unwrap_or_default();
                self.all(Words::Refusal, index, &text, out);
            }
            "reasoning_text" => {
                let text = fields.text("text").unwrap_or_default();
                self.all(Words::Thoughts, index, &text, out);
            }
            _ if index < MAX_PARTS && self.parts.iter().all(|part| part.place != index) => {
                let native = Native::new(Some(out.origin.clone()), kind, part.get());
                out.push(index, Delta::Native(native));
            }
            _ => {}
        }
    }

    /// The list of a whole text: those beyond what was delivered.
    pub(super) fn weigh_all(&mut self, index: u32, tokens: Vec<TokenLogprob>, out: &mut Out<'_>) {
        let known = self.part(Words::Text, index, out).map(|part| part.logprobs);
        let missing = tokens.into_iter().skip(known.unwrap_or_default()).collect();
        self.weigh(index, missing, out);
    }

    fn reasoning(&mut self, mut fields: Object<'_>, out: &mut Out<'_>) {
        let encrypted = fields.text("encrypted_content");
        let summary = fields.list("summary");
        let content = fields.list("content");
        self.rest(fields);
        for (index, part) in (0_u32..).zip(summary) {
            let text = Object::of(part).and_then(|mut part| part.text("text"));
            self.all(Words::Summary, index, &text.unwrap_or_default(), out);
        }
        for (index, part) in (0_u32..).zip(content) {
            self.content_part(index, part, out);
        }
        if self.parts.is_empty() {
            self.part(Words::Summary, 0, out);
        }
        let last = self.parts.iter().map(|part| part.place).max();
        if let (Some(data), Some(last)) = (encrypted, last) {
            let signature = Signature::new(data, Some(out.origin.clone()));
            out.push(last, Delta::Signature(signature));
        }
    }

    /// Tells every part what became known of the item.
    fn settle(&mut self, out: &mut Out<'_>) {
        for part in &mut self.parts {
            let item = self.item.clone().with_kind(part.item.kind.clone());
            if part.item != item {
                part.item = item.clone();
                out.push(part.place, Delta::Item(item));
            }
        }
    }
}

/// The log probabilities of a text or of a piece of it.
pub(super) fn tokens(fields: &mut Object<'_>) -> Vec<TokenLogprob> {
    fields
        .take("logprobs")
        .map(items)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|token| serde_json::from_str(token.get()).ok())
        .collect()
}

/// Arguments as text: some servers send the object itself.
fn text(arguments: &RawValue) -> String {
    serde_json::from_str(arguments.get()).unwrap_or_else(|_| arguments.get().to_owned())
}

/// An annotation: `url_citation`, `file_citation`, `container_file_citation` or `file_path`
/// (<https://platform.openai.com/docs/api-reference/responses/object>).
fn cited(annotation: &RawValue, origin: &Origin) -> Option<Citation> {
    let mut fields = Object::of(annotation)?;
    let mut citation = Citation::default();
    citation.url = fields.text("url");
    citation.title = fields.text("title").or_else(|| fields.text("filename"));
    citation.start = fields.read("start_index");
    citation.end = fields.read("end_index");
    let native = Native::new(Some(origin.clone()), "annotation", annotation.get());
    citation.native = Some(native);
    Some(citation)
}
