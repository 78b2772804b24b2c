//! JSON bodies: bounded, without NUL, and refused by the field that is wrong.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::error::Failure;

/// How deep objects and arrays may be nested.
const DEPTH: usize = 64;

/// Reads a body as a type.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    check(body)?;
    // A list would pass for an object whose fields come in order.
    if body.trim_ascii_start().first() == Some(&b'[') {
        return Err(Failure::invalid(
            "body",
            "the body is an object, not a list",
        ));
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let message = error.into_inner().to_string();
        refused(&path, &message)
    })?;
    reader
        .end()
        .map_err(|error| refused("", &error.to_string()))?;
    Ok(value)
}

/// An object inside a body: a list does not pass for one whose fields come in order.
pub(crate) fn object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    deserializer.deserialize_map(Object(PhantomData))
}

/// The same where it may be `null`.
pub(crate) fn optional_object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    struct Inner<T>(T);
    impl<'de, T: Deserialize<'de>> Deserialize<'de> for Inner<T> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            object(deserializer).map(Self)
        }
    }
    let inner = Option::<Inner<T>>::deserialize(deserializer)?;
    Ok(inner.map(|Inner(value)| value))
}

struct Object<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

fn refused(path: &str, message: &str) -> Failure {
    // Where in the text it is says nothing to who sends it with a program.
    let message = message
        .rsplit_once(" at line ")
        .map_or(message, |(before, _)| before);
    Failure::invalid(&field(path, message), message)
}

/// The name of the field that is wrong: the path to it, with what is unknown or missing there.
pub(crate) fn field(path: &str, message: &str) -> String {
    let path = path.trim_matches('.');
    let path = if path == "?" { "" } else { path };
    let named = ["unknown field `", "missing field `", "duplicate field `"]
        .iter()
        .find_map(|begin| message.strip_prefix(begin)?.split('`').next());
    match (path, named) {
        ("", Some(name)) => name.to_owned(),
        ("", None) => "body".to_owned(),
        (path, Some(name)) if path != name && !path.ends_with(&format!(".{name}")) => {
            format!("{path}.{name}")
        }
        (path, _) => path.to_owned(),
    }
}

/// Looks at a body without building anything of it.
pub(crate) fn check(body: &[u8]) -> Result<(), Failure> {
    if std::str::from_utf8(body).is_err() {
        return Err(Failure::invalid("body", "the body is not UTF-8"));
    }
    let (mut depth, mut in_text, mut has_nul) = (0_usize, false, false);
    let mut rest = body;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match (in_text, byte) {
            (true, b'\\') => {
                has_nul |= rest.starts_with(b"u0000");
                rest = rest.get(1..).unwrap_or_default();
            }
            (_, b'"') => in_text = !in_text,
            (false, b'{' | b'[') => depth = depth.saturating_add(1),
            (false, b'}' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH {
            let message = format!("objects and arrays are nested {DEPTH} deep at most");
            return Err(Failure::invalid("body", message));
        }
    }
    if has_nul {
        let value: Value = serde_json::from_slice(body).unwrap_or_default();
        let field = find_nul(&value).unwrap_or_else(|| "body".to_owned());
        return Err(Failure::invalid(&field, "a text has the character NUL"));
    }
    Ok(())
}

/// Where the first NUL is. The depth was checked.
fn find_nul(value: &Value) -> Option<String> {
    let join = |name: String, inner: String| match inner.as_str() {
        "" => name,
        inner if inner.starts_with('[') => format!("{name}{inner}"),
        inner => format!("{name}.{inner}"),
    };
    match value {
        Value::String(text) => text.contains('\0').then(String::new),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(at, item)| Some(join(format!("[{at}]"), find_nul(item)?))),
        Value::Object(fields) => fields.iter().find_map(|(name, item)| {
            if name.contains('\0') {
                return Some(String::new());
            }
            Some(join(name.clone(), find_nul(item)?))
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the refusals are looked at")]
    struct Outer {
        name: String,
        #[serde(default, deserialize_with = "optional_object")]
        inner: Option<Inner>,
        #[serde(default, deserialize_with = "object")]
        own: Own,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Own {}

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the refusals are looked at")]
    struct Inner {
        count: u32,
    }

    fn field_of(body: &str) -> String {
        let failure = parse::<Outer>(body.as_bytes()).unwrap_err();
        let body = failure.body("r", time::OffsetDateTime::UNIX_EPOCH);
        body.error.details.unwrap()["field"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    #[test]
    fn a_refusal_names_the_field() {
        for (body, field) in [
            (r#"{"name": 1}"#, "name"),
            (r#"{}"#, "name"),
            (r#"{"name": "a", "x": 1}"#, "x"),
            (r#"{"name": "a", "name": "b"}"#, "name"),
            (r#"{"name": "a", "inner": {"count": "1"}}"#, "inner.count"),
            (r#"{"name": "a", "inner": {"count": -1}}"#, "inner.count"),
            (r#"{"name": "a", "inner": {"count": 1, "y": 1}}"#, "inner.y"),
            (r#"{"name": "a", "inner": {}}"#, "inner.count"),
            (r#"{"name": "a", "inner": [1]}"#, "inner"),
            (r#"{"name": "a", "inner": 1}"#, "inner"),
            (r#"{"name": "a", "own": []}"#, "own"),
            (r#"{"name": "a", "own": {"x": 1}}"#, "own.x"),
            (r#"{"name": "a\u0000"}"#, "name"),
            (
                r#"{"name": "a", "inner": [{"x": ["\u0000"]}]}"#,
                "inner[0].x[0]",
            ),
            (r#"{"name": "a"} x"#, "body"),
            (r#"{"name": "#, "name"),
            ("", "body"),
            ("[]", "body"),
            (" [\"a\"]", "body"),
        ] {
            assert_eq!(field_of(body), field, "{body}");
        }
    }

    #[test]
    fn what_is_optional_may_be_null() {
        assert!(parse::<Outer>(br#"{"name": "a", "inner": null}"#).is_ok());
        assert!(parse::<Outer>(br#"{"name": "a", "inner": {"count": 1}, "own": {}}"#).is_ok());
    }

    #[test]
    fn an_escaped_backslash_makes_no_nul() {
        assert!(parse::<Outer>(br#"{"name": "\\u0000"}"#).is_ok());
    }

    #[test]
    fn depth_is_bounded_and_texts_have_none() {
        let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(check(deep(DEPTH).as_bytes()).is_ok());
        assert!(check(deep(DEPTH + 1).as_bytes()).is_err());
        assert!(check(deep(1_000_000).as_bytes()).is_err());
        let text = format!("\"{}\\\"{}\"", "[".repeat(100), "{".repeat(100));
        assert!(check(text.as_bytes()).is_ok());
        assert!(check(b"\"\xff\"").is_err());
        assert!(check(b"\"\\").is_ok(), "the parser refuses it");
    }
}
