//! `reasoning_details`: thoughts with the proofs their provider wants back.
//!
//! OpenRouter sends them as a list beside the words of the thoughts and asks for the list back,
//! unmodified, with the next request
//! (<https://openrouter.ai/docs/use-cases/reasoning-tokens#preserving-reasoning-blocks>). In a
//! stream each entry arrives in pieces.

use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// The kind of the native part they are kept in.
pub(super) const KIND: &str = "reasoning_details";

/// Fields of an entry that arrive in pieces.
const PIECEWISE: [&str; 3] = ["text", "summary", "data"];

/// The list of one answer.
#[derive(Debug, Default)]
pub(super) struct Details {
    /// The list of a whole reply, as it came.
    whole: Option<String>,
    /// The entries of a stream, put together.
    entries: Vec<Map<String, Value>>,
}

impl Details {
    /// Takes the list of a whole reply.
    pub(super) fn set(&mut self, list: &RawValue) {
        self.whole = Some(list.get().to_owned()).filter(|list| list.starts_with('['));
    }

    /// Takes a piece of a streamed list.
    pub(super) fn push(&mut self, list: &RawValue) {
        let pieces: Vec<Map<String, Value>> = serde_json::from_str(list.get()).unwrap_or_default();
        for piece in pieces {
            match self.entries.last_mut().filter(|last| goes_on(last, &piece)) {
                Some(last) => append(last, piece),
                None => self.entries.push(piece),
            }
        }
    }

    /// The list as JSON text; `None` where there was none.
    pub(super) fn take(&mut self) -> Option<String> {
        let entries = std::mem::take(&mut self.entries);
        match self.whole.take() {
            Some(whole) => Some(whole).filter(|list| list != "[]"),
            None if entries.is_empty() => None,
            None => serde_json::to_string(&entries).ok(),
        }
    }
}

/// Whether `piece` is more of the entry `last`: of the same type and number, and not of another
/// id. A signature ends an entry.
fn goes_on(last: &Map<String, Value>, piece: &Map<String, Value>) -> bool {
    let id = known(last, "id").zip(known(piece, "id"));
    last.get("type") == piece.get("type")
        && last.get("index") == piece.get("index")
        && known(last, "signature").is_none()
        && id.is_none_or(|(last, piece)| last == piece)
}

fn known<'v>(entry: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    entry.get(name).filter(|value| !value.is_null())
}

fn append(entry: &mut Map<String, Value>, piece: Map<String, Value>) {
    for (name, value) in piece {
        match (entry.get_mut(&name), value) {
            (Some(Value::String(text)), Value::String(more)) if PIECEWISE.contains(&&*name) => {
                text.push_str(&more);
            }
            (Some(_), Value::Null) => {}
            (_, value) => {
                entry.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(pieces: &[&str]) -> Value {
        let mut details = Details::default();
        for piece in pieces {
            let list: Box<RawValue> = serde_json::from_str(piece).unwrap();
            details.push(&list);
        }
        serde_json::from_str(&details.take().unwrap_or("null".into())).unwrap()
    }

    #[test]
    fn pieces_become_entries() {
        let list = merged(&[
            r#"[{"type":"reasoning.text","text":"It ","format":"anthropic-claude-v1","index":0}]"#,
            r#"[{"type":"reasoning.text","text":"rains.","index":0}]"#,
            r#"[{"type":"reasoning.text","signature":"Eq==","index":0}]"#,
            r#"[{"type":"reasoning.text","text":"Then","index":0}]"#,
            r#"[{"type":"reasoning.encrypted","data":"gA","id":"rs_1","index":1}]"#,
            r#"[{"type":"reasoning.encrypted","data":"gB","id":"rs_2","index":1}]"#,
        ]);
        assert_eq!(
            list,
            serde_json::json!([
                {"type": "reasoning.text", "text": "It rains.", "format": "anthropic-claude-v1",
                 "index": 0, "signature": "Eq=="},
                {"type": "reasoning.text", "text": "Then", "index": 0},
                {"type": "reasoning.encrypted", "data": "gA", "id": "rs_1", "index": 1},
                {"type": "reasoning.encrypted", "data": "gB", "id": "rs_2", "index": 1}
            ])
        );
    }

    #[test]
    fn a_whole_list_keeps_its_bytes() {
        let text = r#"[{"index": 0, "signature":"a\/b"}]"#;
        let list: Box<RawValue> = serde_json::from_str(text).unwrap();
        let mut details = Details::default();
        details.set(&list);
        assert_eq!(details.take().as_deref(), Some(text));
        assert_eq!(details.take(), None);
    }
}
