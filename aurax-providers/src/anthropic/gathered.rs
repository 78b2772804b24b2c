//! A block that is passed on whole, while it arrives.

use aurax_core::{Json, Native, Origin};
use serde_json::Value;

use crate::raw::RawObject;

/// More texts than a block has; of those beyond, the last piece stands.
const MOST_TEXTS: usize = 64;

/// A block of a kind nobody here knows, and what was added to it.
///
/// The block is read once, with the first delta, and written once, at its end: both would take as
/// long as the block is with every delta.
#[derive(Debug)]
pub(super) struct Gathered {
    kind: String,
    /// The block as it began.
    json: Json,
    /// Its fields, once there is a delta.
    fields: Option<RawObject>,
    /// Fields that are text and grew.
    texts: Vec<(String, String)>,
    /// The text of the input that was streamed.
    input: String,
}

impl Gathered {
    pub(super) const fn new(kind: String, json: Json) -> Self {
        Self {
            kind,
            json,
            fields: None,
            texts: Vec::new(),
            input: String::new(),
        }
    }

    /// Takes more of the input's text.
    pub(super) fn more_input(&mut self, text: &str) {
        self.input.push_str(text);
    }

    /// Takes a delta: text is added to text, anything else stands in place of what was there.
    pub(super) fn add(&mut self, delta: &str) {
        let Some(delta) = RawObject::parse(delta) else {
            return;
        };
        let block = &self.json;
        let fields = self
            .fields
            .get_or_insert_with(|| RawObject::parse(block.as_str()).unwrap_or_default());
        for (name, value) in delta.fields().filter(|(name, _)| *name != "type") {
            let Ok(more) = value.to::<String>() else {
                self.texts.retain(|(known, _)| known != name);
                continue;
            };
            let has_room = self.texts.len() < MOST_TEXTS;
            match self.texts.iter_mut().find(|(known, _)| known == name) {
                Some((_, text)) => text.push_str(&more),
                None if has_room => {
                    let text = fields.text(name).unwrap_or_default();
                    self.texts.push((name.to_owned(), text + &more));
                }
                None => {}
            }
        }
        fields.keep(&delta, &["type"]);
    }

    /// The block, complete. An input that was cut short is left out.
    pub(super) fn finish(self, maker: Origin) -> Native {
        let input = Some(self.input).filter(|input| !input.is_empty());
        let input = input.and_then(|input| Json::parse(input).ok());
        let is_as_begun = self.fields.is_none() && input.is_none();
        let fields = self.fields.or_else(|| RawObject::parse(self.json.as_str()));
        let json = match fields.filter(|_| !is_as_begun) {
            None => self.json,
            Some(mut fields) => {
                for (name, text) in self.texts {
                    fields.set(&name, Value::from(text).into());
                }
                if let Some(input) = input {
                    fields.set("input", input);
                }
                Json::from_value(&fields).unwrap_or(self.json)
            }
        };
        Native::new(Some(maker), self.kind, json.as_str())
    }
}
