//! The items of a reply and the frames about them.

use aurax_core::{Citation, TokenLogprob};
use bytes::BytesMut;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::output::{Body, Content, Kind, OutputItem, Status};
use crate::responses::REASONING_TEXT;

/// Where frames go; nowhere for a whole reply.
pub(super) type Out<'o> = Option<&'o mut BytesMut>;

/// Items in the order they are listed, each frame with its number.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    pub(super) items: Vec<OutputItem>,
    /// The item that is open and no call: there is one at most.
    open: Option<usize>,
    /// The last message.
    message: Option<usize>,
    sequence: u64,
}

impl Sheet {
    pub(super) fn announce(&mut self, item: OutputItem, out: &mut Out<'_>) -> usize {
        let at = self.items.len();
        let fields = json!({"output_index": at, "item": item.announced()});
        match &item.body {
            Body::Call { .. } => {}
            Body::Message { .. } => (self.message, self.open) = (Some(at), Some(at)),
            // What carries a proof comes complete, and may stand in the middle of another one.
            Body::Reasoning { .. } | Body::Native(_) => {
                self.open.get_or_insert(at);
            }
        }
        self.items.push(item);
        self.send(out, "response.output_item.added", fields);
        at
    }

    /// Log probabilities go with the next piece of the last text, or with its end.
    pub(super) fn weigh(&mut self, tokens: &[TokenLogprob]) {
        let message = self.message.and_then(|at| self.items.get_mut(at));
        if let Some(Body::Message { content, .. }) = message.map(|item| &mut item.body)
            && let Some(Content::Text { unsent, .. }) = content.last_mut()
        {
            unsent.extend_from_slice(tokens);
        }
    }

    /// Begins a part of an item's content, and says its number.
    pub(super) fn begin_part(&mut self, at: usize, kind: Kind, out: &mut Out<'_>) -> Option<usize> {
        self.close_content(at, out);
        let item = self.items.get_mut(at)?;
        let (name, key, index, part) = match (&mut item.body, kind) {
            (Body::Message { content, .. }, _) => {
                let part = match kind {
                    Kind::Refusal => Content::Refusal(String::new()),
                    _ => Content::text(),
                };
                let json = part.json();
                let index = content.len();
                content.push(part);
                ("response.content_part.added", "content_index", index, json)
            }
            (Body::Reasoning { thoughts, .. }, Kind::Thoughts) => {
                let json = json!({"type": REASONING_TEXT, "text": ""});
                let index = thoughts.len();
                thoughts.push(String::new());
                ("response.content_part.added", "content_index", index, json)
            }
            (Body::Reasoning { summary, .. }, _) => {
                let json = json!({"type": "summary_text", "text": ""});
                let index = summary.len();
                summary.push(String::new());
                let name = "response.reasoning_summary_part.added";
                (name, "summary_index", index, json)
            }
            (Body::Call { .. } | Body::Native(_), _) => return None,
        };
        item.part = Some((kind, index));
        let fields = self.at(at, json!({key: index, "part": part}));
        self.send(out, name, fields);
        Some(index)
    }

    /// Appends words to a part of an item.
    pub(super) fn append(
        &mut self,
        at: usize,
        kind: Kind,
        index: usize,
        words: &str,
        out: &mut Out<'_>,
    ) {
        let Some(item) = self.items.get_mut(at) else {
            return;
        };
        let (name, fields) = match (&mut item.body, kind) {
            (Body::Message { content, .. }, _) => match content.get_mut(index) {
                Some(Content::Text {
                    text,
                    logprobs,
                    unsent,
                    ..
                }) => {
                    text.push_str(words);
                    let sent = std::mem::take(unsent);
                    let json = json!({"content_index": index, "delta": words, "logprobs": sent});
                    logprobs.extend(sent);
                    ("response.output_text.delta", json)
                }
                Some(Content::Refusal(text)) => {
                    text.push_str(words);
                    let json = json!({"content_index": index, "delta": words});
                    ("response.refusal.delta", json)
                }
                None => return,
            },
            (Body::Reasoning { thoughts, .. }, Kind::Thoughts) => {
                push(thoughts, index, words);
                let json = json!({"content_index": index, "delta": words});
                ("response.reasoning_text.delta", json)
            }
            (Body::Reasoning { summary, .. }, _) => {
                push(summary, index, words);
                let json = json!({"summary_index": index, "delta": words});
                ("response.reasoning_summary_text.delta", json)
            }
            (Body::Call { arguments, .. }, _) => {
                arguments.push_str(words);
                (
                    "response.function_call_arguments.delta",
                    json!({"delta": words}),
                )
            }
            (Body::Native(_), _) => return,
        };
        let fields = self.at(at, fields);
        self.send(out, name, fields);
    }

    /// Closes what is open: `all` of it at the end, else what nothing can be missing of. A call that
    /// was not complete when the next part began stays open to the end.
    pub(super) fn close(&mut self, all: bool, out: &mut Out<'_>) {
        let last = self.items.len().saturating_sub(1);
        if all {
            return self.close_before(last.saturating_add(1), out);
        }
        if let Some(at) = self.open {
            self.close_item(at, Status::Completed, out);
        }
        let last_item = self.items.get(last);
        if last_item.is_some_and(|item| item.is_open() && item.may_close()) {
            self.close_item(last, Status::Completed, out);
        }
    }

    /// Closes every item before one that is still open.
    pub(super) fn close_before(&mut self, end: usize, out: &mut Out<'_>) {
        for at in 0..end {
            if self.items.get(at).is_some_and(OutputItem::is_open) {
                self.close_item(at, Status::Completed, out);
            }
        }
    }

    /// Ends the part of an item that has begun.
    pub(super) fn close_content(&mut self, at: usize, out: &mut Out<'_>) {
        let Some(item) = self.items.get_mut(at) else {
            return;
        };
        let Some((kind, index)) = item.part.take() else {
            return;
        };
        let frames = match &mut item.body {
            Body::Message { content, .. } => {
                content.get_mut(index).map(|part| content_done(part, index))
            }
            Body::Reasoning { thoughts, .. } if kind == Kind::Thoughts => {
                thoughts.get(index).map(|text| thoughts_done(index, text))
            }
            Body::Reasoning { summary, .. } => {
                summary.get(index).map(|text| summary_done(index, text))
            }
            Body::Call { .. } | Body::Native(_) => None,
        };
        for (name, fields) in frames.into_iter().flatten() {
            let fields = self.at(at, fields);
            self.send(out, name, fields);
        }
    }

    pub(super) fn close_item(&mut self, at: usize, status: Status, out: &mut Out<'_>) {
        self.close_content(at, out);
        self.open = self.open.filter(|open| *open != at);
        let Some(item) = self.items.get_mut(at) else {
            return;
        };
        item.status = status;
        let json = item.json();
        if matches!(item.body, Body::Call { .. }) {
            let fields = json!({"name": json.get("name"), "arguments": json.get("arguments")});
            let fields = self.at(at, fields);
            self.send(out, "response.function_call_arguments.done", fields);
        }
        let fields = json!({"output_index": at, "item": json});
        self.send(out, "response.output_item.done", fields);
    }

    /// Fields with where they belong before them.
    pub(super) fn at(&self, item: usize, fields: Value) -> Value {
        let id = self.items.get(item).map(|item| item.id.as_str());
        let mut all = json!({"item_id": id, "output_index": item});
        if let (Value::Object(all), Value::Object(fields)) = (&mut all, fields) {
            all.extend(fields);
        }
        all
    }

    pub(super) fn send(&mut self, out: &mut Out<'_>, name: &'static str, fields: Value) {
        #[derive(Serialize)]
        struct Sent<'a> {
            r#type: &'a str,
            sequence_number: u64,
            #[serde(flatten)]
            fields: Value,
        }

        let sequence_number = self.number(out);
        write(
            out,
            name,
            &Sent {
                r#type: name,
                sequence_number,
                fields,
            },
        );
    }

    pub(super) fn send_response(
        &mut self,
        out: &mut Out<'_>,
        name: &'static str,
        response: &RawValue,
    ) {
        #[derive(Serialize)]
        struct Sent<'a> {
            r#type: &'a str,
            sequence_number: u64,
            response: &'a RawValue,
        }

        let sequence_number = self.number(out);
        write(
            out,
            name,
            &Sent {
                r#type: name,
                sequence_number,
                response,
            },
        );
    }

    fn number(&mut self, out: &Out<'_>) -> u64 {
        let number = self.sequence;
        if out.is_some() {
            self.sequence = self.sequence.saturating_add(1);
        }
        number
    }
}

fn write(out: &mut Out<'_>, name: &str, data: &impl Serialize) {
    let Some(out) = out else {
        return;
    };
    // Values and raw texts always have a JSON form.
    let data = serde_json::to_vec(data).unwrap_or_default();
    for piece in [b"event: ", name.as_bytes(), b"\ndata: ", &data, b"\n\n"] {
        out.extend_from_slice(piece);
    }
}

fn push(texts: &mut [String], index: usize, more: &str) {
    if let Some(text) = texts.get_mut(index) {
        text.push_str(more);
    }
}

fn content_done(part: &mut Content, index: usize) -> [(&'static str, Value); 2] {
    let done = match part {
        Content::Text {
            text,
            logprobs,
            unsent,
            ..
        } => {
            logprobs.append(unsent);
            let fields = json!({"content_index": index, "text": text, "logprobs": logprobs});
            ("response.output_text.done", fields)
        }
        Content::Refusal(refusal) => {
            let fields = json!({"content_index": index, "refusal": refusal});
            ("response.refusal.done", fields)
        }
    };
    let fields = json!({"content_index": index, "part": part.json()});
    [done, ("response.content_part.done", fields)]
}

fn summary_done(index: usize, text: &str) -> [(&'static str, Value); 2] {
    let part = json!({"type": "summary_text", "text": text});
    [
        (
            "response.reasoning_summary_text.done",
            json!({"summary_index": index, "text": text}),
        ),
        (
            "response.reasoning_summary_part.done",
            json!({"summary_index": index, "part": part}),
        ),
    ]
}

fn thoughts_done(index: usize, text: &str) -> [(&'static str, Value); 2] {
    let part = json!({"type": REASONING_TEXT, "text": text});
    [
        (
            "response.reasoning_text.done",
            json!({"content_index": index, "text": text}),
        ),
        (
            "response.content_part.done",
            json!({"content_index": index, "part": part}),
        ),
    ]
}

/// A source, in its provider's words where they are this wire's; clients insist on every field.
pub(super) fn annotation(citation: &Citation, own: bool) -> Value {
    let native = citation.native.as_ref().filter(|_| own);
    if let Some(json) = native.and_then(|native| serde_json::from_str(&native.json).ok()) {
        return json;
    }
    let title = citation.title.as_deref().unwrap_or_default();
    match &citation.url {
        Some(url) => json!({
            "type": "url_citation", "url": url, "title": title,
            "start_index": citation.start.unwrap_or(0), "end_index": citation.end.unwrap_or(0),
        }),
        None => json!({
            "type": "file_citation", "file_id": "", "filename": title,
            "index": citation.end.unwrap_or(0),
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::super::output::Status;
    use super::*;

    fn item(body: Body) -> OutputItem {
        OutputItem {
            id: String::new(),
            body,
            status: Status::InProgress,
            part: None,
            extra: Map::new(),
        }
    }

    fn call(arguments: &str) -> OutputItem {
        item(Body::Call {
            call_id: String::new(),
            name: String::new(),
            arguments: arguments.to_owned(),
        })
    }

    fn message() -> OutputItem {
        item(Body::Message {
            phase: None,
            content: vec![Content::text()],
        })
    }

    fn is_open(sheet: &Sheet) -> Vec<bool> {
        sheet.items.iter().map(OutputItem::is_open).collect()
    }

    #[test]
    fn what_nothing_can_be_missing_of_is_closed() {
        let mut sheet = Sheet::default();
        sheet.announce(message(), &mut None);
        let carried = Body::Native(Value::Null);
        let at = sheet.announce(item(carried), &mut None);
        sheet.close_item(at, Status::Completed, &mut None);
        assert_eq!(is_open(&sheet), [true, false]);
        sheet.close(false, &mut None);
        sheet.announce(call("{"), &mut None);
        sheet.close(false, &mut None);
        sheet.announce(call("{}"), &mut None);
        assert_eq!(is_open(&sheet), [false, false, true, true]);
        sheet.close(false, &mut None);
        assert_eq!(is_open(&sheet), [false, false, true, false]);
        sheet.close(true, &mut None);
        assert_eq!(is_open(&sheet), [false; 4]);
    }

    /// Were all items looked at each time, this would take minutes.
    #[test]
    fn many_calls_that_stay_open() {
        let mut sheet = Sheet::default();
        sheet.announce(message(), &mut None);
        for _ in 0..100_000 {
            sheet.announce(call("{"), &mut None);
            sheet.close(false, &mut None);
            sheet.weigh(&[]);
        }
        let open = is_open(&sheet);
        assert_eq!(open.iter().filter(|is_open| **is_open).count(), 100_000);
    }
}
