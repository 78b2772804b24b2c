//! JSON objects read field by field, each value left as its text until somebody wants it.
//!
//! Servers that speak this wire disagree about the types of many fields; a field of another type
//! than expected must not make the rest unreadable, and fields nobody knows must survive.

use std::borrow::Cow;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// An object's fields in their order; those that were taken are gone.
#[derive(Debug, Default)]
pub(crate) struct Object<'a>(Vec<(Text<'a>, Option<&'a RawValue>)>);

impl<'a> Object<'a> {
    pub(crate) fn parse(text: &'a str) -> serde_json::Result<Self> {
        serde_json::from_str(text)
    }

    /// Reads an object inside another; `None` for any other value.
    pub(crate) fn of(value: &'a RawValue) -> Option<Self> {
        Self::parse(value.get()).ok()
    }

    /// Takes a field's value; `None` also where it is null. Of a field that is there several times
    /// the last one counts, and none of them is left.
    pub(crate) fn take(&mut self, name: &str) -> Option<&'a RawValue> {
        let mut fields = self.0.iter_mut().filter(|(key, _)| key.0 == name);
        let mut taken = fields.next()?.1.take();
        for (_, value) in fields {
            taken = value.take().or(taken);
        }
        taken.filter(|value| value.get() != "null")
    }

    /// Takes a field of type `T`; `None` also where it is of another type.
    pub(crate) fn read<T: Deserialize<'a>>(&mut self, name: &str) -> Option<T> {
        serde_json::from_str(self.take(name)?.get()).ok()
    }

    /// Takes a count.
    pub(crate) fn count(&mut self, name: &str) -> Option<u64> {
        // What JSON and Rust call such a number is the same.
        self.take(name)?.get().parse().ok()
    }

    /// Takes a text that is not empty.
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        self.read::<String>(name).filter(|text| !text.is_empty())
    }

    /// Takes a text or a number, as text.
    pub(crate) fn word(&mut self, name: &str) -> Option<String> {
        match self.read::<Value>(name)? {
            Value::String(text) => Some(text).filter(|text| !text.is_empty()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// Takes an object; an empty one where there is none.
    pub(crate) fn object(&mut self, name: &str) -> Self {
        self.take(name).and_then(Self::of).unwrap_or_default()
    }

    /// Takes the items of a list; none where there is no list.
    pub(crate) fn list(&mut self, name: &str) -> Vec<&'a RawValue> {
        self.take(name).map(items).unwrap_or_default()
    }

    /// True where the field is there, whatever its value.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0
            .iter()
            .any(|(key, value)| key.0 == name && value.is_some())
    }

    /// Adds a field at the end.
    pub(crate) fn put(&mut self, name: Text<'a>, value: &'a RawValue) {
        self.0.push((name, Some(value)));
    }

    /// The fields that were not taken, in their order.
    pub(crate) fn into_fields(self) -> impl Iterator<Item = (Cow<'a, str>, &'a RawValue)> {
        let fields = self.0.into_iter();
        fields.filter_map(|(name, value)| Some((name.0, value?)))
    }

    /// Puts what was not taken and is not null into `fields`.
    pub(crate) fn rest_into(self, fields: &mut Map<String, Value>) {
        for (key, value) in self.0 {
            let value = value.filter(|value| value.get() != "null");
            if let Some(value) = value.and_then(|value| serde_json::from_str(value.get()).ok()) {
                fields.insert(key.0.into_owned(), value);
            }
        }
    }
}

/// The items of a list; none for any other value.
pub(crate) fn items(value: &RawValue) -> Vec<&RawValue> {
    serde_json::from_str(value.get()).unwrap_or_default()
}

/// An object's fields in their order, each value as its text: for bodies that are changed and
/// sent on.
#[derive(Debug, Default)]
pub(crate) struct Pairs(Vec<(String, Box<RawValue>)>);

impl Pairs {
    /// Sets fields that have a name of their own each: they are looked for among those that are
    /// there already and not among each other, as they may be many.
    pub(crate) fn merge(&mut self, fields: Vec<(String, Box<RawValue>)>) {
        let own = self.0.len();
        for (name, value) in fields {
            match self.0.iter_mut().take(own).find(|(key, _)| *key == name) {
                Some((_, slot)) => *slot = value,
                None => self.0.push((name, value)),
            }
        }
    }
}

impl Serialize for Pairs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let object = Object::deserialize(deserializer)?;
        let pairs = object.0.into_iter();
        Ok(Self(
            pairs
                .filter_map(|(name, value)| Some((name.0.into_owned(), value?.to_owned())))
                .collect(),
        ))
    }
}

/// A text that borrows where it has no escapes.
#[derive(Debug)]
pub(crate) struct Text<'a>(Cow<'a, str>);

impl Text<'_> {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn into_string(self) -> String {
        self.0.into_owned()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrowing;

        impl<'de> Visitor<'de> for Borrowing {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(Borrowing)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut fields = Vec::with_capacity(map.size_hint().unwrap_or(12));
                while let Some((name, value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                    fields.push((name, Some(value)));
                }
                Ok(Object(fields))
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_another_type_are_absent_and_the_rest_survives() {
        let mut object =
            Object::parse(r#"{"id": 7, "n": "x", "a\u0062": [1, 2], "z": null, "y": {"k": 1.50}}"#)
                .unwrap();
        assert_eq!(object.word("id").as_deref(), Some("7"));
        assert_eq!(object.read::<u64>("n"), None);
        assert_eq!(object.list("ab").len(), 2);
        assert!(object.take("z").is_none());
        assert!(object.has("y") && !object.has("id"));
        let mut rest = Map::new();
        object.rest_into(&mut rest);
        assert_eq!(Value::Object(rest), serde_json::json!({"y": {"k": 1.5}}));
    }
}
