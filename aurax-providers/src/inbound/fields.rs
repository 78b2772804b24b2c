//! A client's JSON, read field by field; what is wrong is named by its place.

use std::borrow::Cow;
use std::collections::BTreeMap;

use aurax_core::{Error, ErrorKind, Json, Native, Result};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::object::{Object, items};

/// How deep values may be nested.
const MAX_DEPTH: usize = 64;

/// How a protocol writes the place of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Places {
    /// `messages[0].content`.
    Brackets,
    /// `messages.0.content`.
    Dots,
}

/// A value, and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Field<'a> {
    place: String,
    places: Places,
    raw: &'a RawValue,
}

/// An object, and where it stands; fields that were taken are gone, and null is as good as absent.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    place: String,
    places: Places,
    raw: &'a RawValue,
    fields: Vec<(Cow<'a, str>, Option<&'a RawValue>)>,
    /// What was not taken of objects inside.
    kept: Map<String, Value>,
}

/// Reads a request's body.
///
/// # Errors
/// `InvalidRequest` where it is no JSON object, or nested too deep.
pub(crate) fn body(body: &[u8], places: Places) -> Result<Fields<'_>> {
    let raw: &RawValue = serde_json::from_str(text(body)?).map_err(|e| {
        let message = "the body cannot be parsed as JSON";
        Error::new(ErrorKind::InvalidRequest, message).with_source(e)
    })?;
    let root = Field {
        place: String::new(),
        places,
        raw,
    };
    root.object()
}

/// The text of a request's body.
///
/// # Errors
/// `InvalidRequest` where it is no text, or nested too deep.
pub(crate) fn text(body: &[u8]) -> Result<&str> {
    let invalid = |message: &str| Error::new(ErrorKind::InvalidRequest, message);
    let text =
        std::str::from_utf8(body).map_err(|e| invalid("the body is not UTF-8").with_source(e))?;
    if is_deep(text) {
        return Err(invalid(&format!(
            "the body is nested deeper than {MAX_DEPTH} levels"
        )));
    }
    Ok(text)
}

/// Whether brackets outside of texts are nested too deep.
fn is_deep(text: &str) -> bool {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => {
                depth = depth.saturating_add(1);
                if depth > MAX_DEPTH {
                    return true;
                }
            }
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// An error about the value at `place`.
pub(crate) fn invalid(place: &str, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidRequest, message).with_context("param", place)
}

impl<'a> Field<'a> {
    pub(crate) fn invalid(&self, message: impl Into<String>) -> Error {
        invalid(&self.place, message)
    }

    /// The value's text, as JSON.
    pub(crate) fn text(&self) -> &'a str {
        self.raw.get()
    }

    #[cfg(feature = "openai")]
    pub(crate) const fn raw(&self) -> &'a RawValue {
        self.raw
    }

    pub(crate) fn json(&self) -> Json {
        Json::from(self.raw)
    }

    pub(crate) fn is_text(&self) -> bool {
        self.text().starts_with('"')
    }

    pub(crate) fn is_list(&self) -> bool {
        self.text().starts_with('[')
    }

    pub(crate) fn is_object(&self) -> bool {
        self.text().starts_with('{')
    }

    /// The value as `T`, which is called `what` where it is none.
    pub(crate) fn read<T: DeserializeOwned>(&self, what: &str) -> Result<T> {
        serde_json::from_str(self.text())
            .map_err(|e| self.invalid(format!("expected {what}")).with_source(e))
    }

    pub(crate) fn string(&self) -> Result<String> {
        self.read("a string")
    }

    pub(crate) fn object(&self) -> Result<Fields<'a>> {
        let object = Object::of(self.raw).ok_or_else(|| self.invalid("expected an object"))?;
        Ok(Fields {
            place: self.place.clone(),
            places: self.places,
            raw: self.raw,
            fields: object
                .into_fields()
                .map(|(name, value)| (name, Some(value)))
                .collect(),
            kept: Map::new(),
        })
    }

    pub(crate) fn list(&self) -> Result<Vec<Self>> {
        if !self.is_list() {
            return Err(self.invalid("expected an array"));
        }
        let list = items(self.raw).into_iter().enumerate();
        Ok(list
            .map(|(number, raw)| Self {
                place: match self.places {
                    Places::Brackets => format!("{}[{number}]", self.place),
                    Places::Dots => format!("{}.{number}", self.place),
                },
                places: self.places,
                raw,
            })
            .collect())
    }

    /// A text, or a list of texts.
    pub(crate) fn texts(&self) -> Result<Vec<String>> {
        if self.is_text() {
            return Ok(vec![self.string()?]);
        }
        self.read("a string or an array of strings")
    }
}

impl<'a> Fields<'a> {
    pub(crate) fn invalid(&self, name: &str, message: impl Into<String>) -> Error {
        invalid(&self.place(name), message)
    }

    fn place(&self, name: &str) -> String {
        if self.place.is_empty() {
            return name.to_owned();
        }
        format!("{}.{name}", self.place)
    }

    /// The object's text as it came, with all its fields.
    pub(crate) fn text(&self) -> &'a str {
        self.raw.get()
    }

    /// Takes a field; of several of the same name the last one counts.
    pub(crate) fn take(&mut self, name: &str) -> Option<Field<'a>> {
        let fields = self.fields.iter_mut();
        let raw = fields
            .filter(|(key, _)| key == name)
            .filter_map(|(_, value)| value.take())
            .last()
            .filter(|raw| raw.get() != "null")?;
        Some(Field {
            place: self.place(name),
            places: self.places,
            raw,
        })
    }

    /// Puts a field back that turned out to have no place of its own.
    pub(crate) fn put_back(&mut self, name: &'static str, field: &Field<'a>) {
        self.fields.push((name.into(), Some(field.raw)));
    }

    /// Takes a field that must be there.
    pub(crate) fn require(&mut self, name: &str) -> Result<Field<'a>> {
        self.take(name)
            .ok_or_else(|| self.invalid(name, "Field required"))
    }

    pub(crate) fn read<T: DeserializeOwned>(
        &mut self,
        name: &str,
        what: &str,
    ) -> Result<Option<T>> {
        self.take(name).map(|field| field.read(what)).transpose()
    }

    pub(crate) fn string(&mut self, name: &str) -> Result<Option<String>> {
        self.take(name).map(|field| field.string()).transpose()
    }

    pub(crate) fn flag(&mut self, name: &str) -> Result<Option<bool>> {
        self.read(name, "true or false")
    }

    pub(crate) fn number(&mut self, name: &str) -> Result<Option<f64>> {
        self.read(name, "a number")
    }

    pub(crate) fn count(&mut self, name: &str) -> Result<Option<u32>> {
        self.read(name, "an integer from 0 to 4294967295")
    }

    pub(crate) fn object(&mut self, name: &str) -> Result<Option<Self>> {
        self.take(name).map(|field| field.object()).transpose()
    }

    pub(crate) fn list(&mut self, name: &str) -> Result<Vec<Field<'a>>> {
        self.take(name)
            .map_or_else(|| Ok(Vec::new()), |field| field.list())
    }

    /// Texts by their names.
    pub(crate) fn labels(&mut self, name: &str) -> Result<BTreeMap<String, String>> {
        let labels = self.read(name, "an object of strings")?;
        Ok(labels.unwrap_or_default())
    }

    /// Drops fields of these names.
    pub(crate) fn drop_all(&mut self, names: &[&str]) {
        self.fields.retain(|(name, _)| !names.contains(&&**name));
        self.kept.retain(|name, _| !names.contains(&name.as_str()));
    }

    /// Keeps what was not taken of an object inside under its name.
    pub(crate) fn keep(&mut self, name: &str, inside: Fields<'_>) -> Result<()> {
        let rest = inside.rest()?;
        if !rest.is_empty() {
            self.kept.insert(name.to_owned(), Value::Object(rest));
        }
        Ok(())
    }

    /// True where everything was taken that is not null.
    pub(crate) fn is_spent(&self) -> bool {
        let mut values = self.fields.iter().filter_map(|(_, value)| *value);
        values.all(|value| value.get() == "null") && self.kept.is_empty()
    }

    /// What was not taken, as the client's own of `kind` for providers of `wire`.
    pub(crate) fn rest_of(self, wire: &str, kind: &str) -> Result<Option<Native>> {
        if self.is_spent() {
            return Ok(None);
        }
        let json = Value::Object(self.rest()?).to_string();
        Ok(Some(Native::of_client(wire, kind, json)))
    }

    /// What was not taken and is not null.
    pub(crate) fn rest(self) -> Result<Map<String, Value>> {
        let mut rest = Map::new();
        for (name, raw) in &self.fields {
            let Some(raw) = raw.filter(|raw| raw.get() != "null") else {
                continue;
            };
            let value = serde_json::from_str(raw.get())
                .map_err(|e| self.invalid(name, "cannot be read").with_source(e))?;
            rest.insert(name.clone().into_owned(), value);
        }
        rest.extend(self.kept);
        Ok(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_named_by_its_place() {
        let text = br#"{"a": [{"b": "x"}], "a2": null}"#;
        for (places, place) in [(Places::Brackets, "a[0].b"), (Places::Dots, "a.0.b")] {
            let mut fields = body(text, places).unwrap();
            assert!(fields.take("a2").is_none());
            let list = fields.list("a").unwrap();
            let error = list[0].object().unwrap().count("b").unwrap_err();
            assert_eq!(error.context("param"), Some(place));
        }
    }

    #[test]
    fn the_last_of_several_counts_and_the_others_are_gone() {
        let mut fields = body(br#"{"a": 1, "a": 2, "b": 3}"#, Places::Dots).unwrap();
        assert_eq!(fields.count("a").unwrap(), Some(2));
        assert_eq!(
            Value::Object(fields.rest().unwrap()),
            serde_json::json!({"b": 3})
        );
    }

    #[test]
    fn depth_is_bounded_and_brackets_in_texts_do_not_count() {
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(body(nested(MAX_DEPTH - 1).as_bytes(), Places::Dots).is_ok());
        assert!(body(nested(MAX_DEPTH).as_bytes(), Places::Dots).is_err());
        let text = format!("{{\"a\":\"\\\"{}\"}}", "[".repeat(100));
        assert!(body(text.as_bytes(), Places::Dots).is_ok());
    }
}
