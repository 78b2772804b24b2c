//! JSON objects whose values keep their bytes.

use std::fmt;

use aurax_core::{Error, ErrorKind, Phase};
use aurax_core::{Json, Result};
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::refusals::no_json;

/// A JSON object: its fields in their order, each value as the text it came in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RawObject(Vec<(String, Json)>);

impl RawObject {
    /// Reads an object; `None` when `text` is not one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// What is sent, as an object.
    ///
    /// # Errors
    /// `InvalidRequest` where it is none.
    pub(crate) fn of(body: &impl Serialize) -> Result<Self> {
        let text = serde_json::to_string(body).map_err(|e| no_json().with_source(e))?;
        Self::parse(&text).ok_or_else(no_json)
    }

    /// Its text.
    ///
    /// # Errors
    /// `InvalidRequest` where it has none.
    pub(crate) fn bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|e| no_json().with_source(e))
    }

    /// A field's value; `None` also where it is null.
    pub(crate) fn get(&self, name: &str) -> Option<&Json> {
        self.0
            .iter()
            .rfind(|(key, _)| key == name)
            .map(|(_, value)| value)
            .filter(|value| value.as_str() != "null")
    }

    /// How many bytes names and values have.
    pub(crate) fn size(&self) -> usize {
        let sizes = self.0.iter();
        let sizes = sizes.map(|(name, value)| name.len().saturating_add(value.as_str().len()));
        sizes.fold(0, usize::saturating_add)
    }

    /// A field's text, where it is a string.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.get(name)?.to().ok()
    }

    /// A field's count, where it is a number that fits.
    pub(crate) fn count(&self, name: &str) -> Option<u64> {
        self.get(name)?.as_str().parse().ok()
    }

    /// The count a reply consists of.
    ///
    /// # Errors
    /// `Decode` where it has none.
    pub(crate) fn only_count(body: &[u8], name: &str) -> Result<u64> {
        let body = std::str::from_utf8(body).ok().and_then(Self::parse);
        let count = body.and_then(|body| body.count(name));
        count.ok_or_else(|| {
            Error::new(ErrorKind::Decode, "the count of tokens cannot be read")
                .with_phase(Phase::Body)
        })
    }

    /// A field's truth, where it is true or false.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.get(name)?.as_str().parse().ok()
    }

    /// A field that is an object itself.
    pub(crate) fn object(&self, name: &str) -> Option<Self> {
        Self::parse(self.get(name)?.as_str())
    }

    /// A field's items, where it is a list.
    pub(crate) fn list(&self, name: &str) -> Option<Vec<Json>> {
        self.get(name)?.to().ok()
    }

    /// Sets a field, at its place where there is one already, else at the end.
    pub(crate) fn set(&mut self, name: &str, value: Json) {
        match self.0.iter_mut().rfind(|(key, _)| key == name) {
            Some((_, slot)) => *slot = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// Takes a field out.
    pub(crate) fn remove(&mut self, name: &str) -> Option<Json> {
        let at = self.0.iter().rposition(|(key, _)| key == name)?;
        Some(self.0.remove(at).1)
    }

    /// The fields that are not null.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.0
            .iter()
            .filter(|(_, value)| value.as_str() != "null")
            .map(|(key, value)| (key.as_str(), value))
    }

    /// The fields that are not null, as values.
    pub(crate) fn values(&self) -> Map<String, Value> {
        self.fields()
            .filter_map(|(name, value)| Some((name.to_owned(), value.to().ok()?)))
            .collect()
    }

    /// Takes over every field of `other` that is not null.
    pub(crate) fn overlay(&mut self, other: &Self) {
        for (name, value) in other.fields() {
            self.set(name, value.clone());
        }
    }

    /// Keeps the fields of `other` that are not null and not `placed` elsewhere; the last value of
    /// each stands. Names beyond the first 64 are passed over, however often a server says more.
    pub(crate) fn keep(&mut self, other: &Self, placed: &[&str]) {
        const MOST: usize = 64;
        for (name, value) in other.fields() {
            let has_room = self.0.len() < MOST || self.get(name).is_some();
            if !placed.contains(&name) && has_room {
                self.set(name, value.clone());
            }
        }
    }

    /// Merges `fields` in: objects into objects, anything else in place of what was there.
    ///
    /// Fields are looked for among those that are there already and not among each other, as they
    /// may be many.
    pub(crate) fn merge(&mut self, fields: &Map<String, Value>) {
        let own = self.0.len();
        for (name, value) in fields {
            let known = self.0.iter_mut().take(own).rfind(|(key, _)| key == name);
            match known {
                Some((_, slot)) => *slot = merged(slot, value),
                None => self.0.push((name.clone(), value.clone().into())),
            }
        }
    }
}

/// `value`, merged into what was there where both are objects.
fn merged(there: &Json, value: &Value) -> Json {
    match value.as_object().zip(RawObject::parse(there.as_str())) {
        Some((fields, mut object)) => {
            object.merge(fields);
            Json::from_value(&object).unwrap_or_else(|_| value.clone().into())
        }
        None => value.clone().into(),
    }
}

/// The name of a mark behind a block worth caching.
const MARK: &str = "cache_control";

/// A value that is written with fields of its provider's own in it.
#[derive(Debug)]
pub(crate) struct Extended<T> {
    pub(crate) value: T,
    pub(crate) own: Map<String, Value>,
}

impl<T: Serialize> Serialize for Extended<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = serde_json::to_string(&self.value).map_err(serde::ser::Error::custom)?;
        match RawObject::parse(&text) {
            Some(mut object) => {
                let mut own = self.own.clone();
                // Fields inside a mark that was left out are left out with it; a mark of the
                // provider's own is whole, and says what it is.
                let is_whole = own.get(MARK).is_some_and(|mark| mark.get("type").is_some());
                if object.get(MARK).is_none() && !is_whole {
                    own.shift_remove(MARK);
                }
                object.merge(&own);
                object.serialize(serializer)
            }
            None => self.value.serialize(serializer),
        }
    }
}

impl Serialize for RawObject {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for RawObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = RawObject;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut map: A,
            ) -> std::result::Result<RawObject, A::Error> {
                let mut object = RawObject::default();
                while let Some((name, value)) = map.next_entry::<String, Json>()? {
                    object.0.push((name, value));
                }
                Ok(object)
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_keep_their_order_and_their_bytes() {
        let text = r#"{"b": 1.50, "a": {"z":1e3,  "y":null}}"#;
        let object = RawObject::parse(text).unwrap();
        assert_eq!(
            serde_json::to_string(&object).unwrap(),
            r#"{"b":1.50,"a":{"z":1e3,  "y":null}}"#
        );
    }

    #[test]
    fn an_overlay_keeps_what_the_newer_object_does_not_say() {
        let mut object = RawObject::parse(r#"{"a":1,"b":2,"c":3}"#).unwrap();
        object.overlay(&RawObject::parse(r#"{"b":5,"c":null,"d":6}"#).unwrap());
        assert_eq!(
            serde_json::to_string(&object).unwrap(),
            r#"{"a":1,"b":5,"c":3,"d":6}"#
        );
    }

    #[test]
    fn objects_merge_into_objects_and_the_rest_is_replaced() {
        let mut object = RawObject::parse(r#"{"a":{"x":1,"y":[1]},"b":2}"#).unwrap();
        let fields = json!({"a": {"y": [2], "z": 3}, "b": {"n": 1}, "c": null});
        object.merge(fields.as_object().unwrap());
        assert_eq!(
            serde_json::to_string(&object).unwrap(),
            r#"{"a":{"x":1,"y":[2],"z":3},"b":{"n":1},"c":null}"#
        );
    }

    #[test]
    fn what_is_not_an_object_is_none() {
        assert_eq!(RawObject::parse("[1]"), None);
        assert_eq!(RawObject::parse("{"), None);
    }
}
