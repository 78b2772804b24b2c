//! JSON kept as the text it came in.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::error::{Error, ErrorKind, Result};

/// A JSON value as text: the bytes the user or the provider wrote, in their order and spacing.
///
/// Prompt caches compare bytes, so schemas and opaque blocks are never parsed and written again.
/// Cheap to clone. Two values are equal when their texts are.
///
/// ```
/// use aurax_core::Json;
///
/// let schema = Json::parse(r#"{"type": "object"}"#)?;
/// assert_eq!(schema.as_str(), r#"{"type": "object"}"#);
/// # Ok::<(), aurax_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Json(Arc<RawValue>);

impl Json {
    /// Takes `text` when it is one JSON value.
    ///
    /// # Errors
    /// `InvalidRequest` when it is not.
    pub fn parse(text: impl Into<String>) -> Result<Self> {
        let raw = RawValue::from_string(text.into()).map_err(|e| {
            Error::new(ErrorKind::InvalidRequest, "not a JSON value").with_source(e)
        })?;
        Ok(Self(raw.into()))
    }

    /// Serialises `value`.
    ///
    /// # Errors
    /// `InvalidRequest` when `value` has no JSON form.
    pub fn from_value(value: &impl Serialize) -> Result<Self> {
        serde_json::value::to_raw_value(value)
            .map(|raw| Self(raw.into()))
            .map_err(|e| Error::new(ErrorKind::InvalidRequest, "has no JSON form").with_source(e))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// Reads the value as `T`.
    ///
    /// # Errors
    /// `InvalidRequest` when the value is not a `T`.
    pub fn to<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(self.as_str()).map_err(|e| {
            Error::new(ErrorKind::InvalidRequest, "JSON has another shape").with_source(e)
        })
    }
}

impl From<&RawValue> for Json {
    fn from(raw: &RawValue) -> Self {
        Self(raw.to_owned().into())
    }
}

impl From<serde_json::Value> for Json {
    fn from(value: serde_json::Value) -> Self {
        // A `Value` always has a JSON form; were it otherwise, null is the one that says nothing.
        serde_json::value::to_raw_value(&value).map_or_else(
            |_| Self(RawValue::NULL.to_owned().into()),
            |raw| Self(raw.into()),
        )
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Json {}

impl Hash for Json {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Inside other JSON the value stands as itself, byte for byte (`serde_json` only).
impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// Does not work behind `flatten`, untagged and internally tagged types: those lose the text.
impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(|raw| Self(raw.into()))
    }
}
