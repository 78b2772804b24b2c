//! JSON kept as the text it came in.

use std::fmt;
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
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Json(Arc<str>);

impl Json {
    /// Takes `text` when it is one JSON value.
    ///
    /// # Errors
    /// `InvalidRequest` when it is not.
    pub fn parse(text: impl Into<String>) -> Result<Self> {
        let raw = RawValue::from_string(text.into()).map_err(|e| {
            Error::new(ErrorKind::InvalidRequest, "not a JSON value").with_source(e)
        })?;
        Ok(Self(raw.get().into()))
    }

    /// Serialises `value`.
    ///
    /// # Errors
    /// `InvalidRequest` when `value` has no JSON form.
    pub fn from_value(value: &impl Serialize) -> Result<Self> {
        serde_json::to_string(value)
            .map(|text| Self(text.into()))
            .map_err(|e| Error::new(ErrorKind::InvalidRequest, "has no JSON form").with_source(e))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads the value as `T`.
    ///
    /// # Errors
    /// `InvalidRequest` when the value is not a `T`.
    pub fn to<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(&self.0).map_err(|e| {
            Error::new(ErrorKind::InvalidRequest, "JSON has another shape").with_source(e)
        })
    }
}

impl From<&RawValue> for Json {
    fn from(raw: &RawValue) -> Self {
        Self(raw.get().into())
    }
}

impl From<serde_json::Value> for Json {
    fn from(value: serde_json::Value) -> Self {
        Self(value.to_string().into())
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Inside other JSON the value stands as itself, byte for byte (`serde_json` only).
impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

/// Does not work behind `flatten`, untagged and internally tagged types: those lose the text.
impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(|raw| Self::from(&*raw))
    }
}
