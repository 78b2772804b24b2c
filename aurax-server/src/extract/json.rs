//! JSON bodies: bounded, without NUL, and refused by the field that is wrong.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::Failure;

/// How deep objects and arrays may be nested.
const DEPTH: usize = 64;

/// Reads a body as a type.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    check(body)?;
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
        #[serde(default)]
        inner: Option<Inner>,
    }

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
            (r#"{"name": "a\u0000"}"#, "name"),
            (
                r#"{"name": "a", "inner": [{"x": ["\u0000"]}]}"#,
                "inner[0].x[0]",
            ),
            (r#"{"name": "a"} x"#, "body"),
            (r#"{"name": "#, "name"),
            ("", "body"),
            ("[]", "body"),
        ] {
            assert_eq!(field_of(body), field, "{body}");
        }
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
