//! Fields of the provider's own format, merged into an encoded body.

#[cfg(feature = "openai")]
use aurax_core::{Error, ErrorKind, Phase};
use aurax_core::{Extra, Result};
#[cfg(feature = "openai")]
use serde_json::value::RawValue;
#[cfg(any(feature = "gemini", feature = "ollama"))]
use serde_json::{Map, Value};

#[cfg(feature = "openai")]
use crate::object::Pairs;
use crate::omissions::Omissions;

/// The extra fields, where they are meant for `wire`, without those the engine sets itself.
///
/// # Errors
/// `Unsupported` where the request wants nothing changed.
#[cfg(any(feature = "gemini", feature = "ollama"))]
pub(crate) fn fields(
    extra: &Extra,
    wire: &str,
    reserved: &[&str],
    omissions: &mut Omissions,
) -> Result<Map<String, Value>> {
    if extra.fields.is_empty() {
        return Ok(Map::new());
    }
    if let Some(other) = extra.wire.as_deref().filter(|meant| *meant != wire) {
        let why = format!("left out: the fields are meant for {other}, the call goes over {wire}");
        omissions.note("extra", why)?;
        return Ok(Map::new());
    }
    let mut fields = extra.fields.clone();
    for name in reserved {
        if fields.shift_remove(*name).is_some() {
            let why = "left out: the engine sets this field itself";
            omissions.note(&format!("extra.{name}"), why)?;
        }
    }
    Ok(fields)
}

/// Puts the extra fields at the end of `body`, a JSON object, or in the place of its own fields of
/// those names. Everything else keeps its bytes.
#[cfg(feature = "openai")]
pub(crate) fn merge(
    body: Vec<u8>,
    extra: &Extra,
    wire: &str,
    reserved: &[&str],
    omissions: &mut Omissions,
) -> Result<Vec<u8>> {
    if let Some(other) = extra.wire.as_deref().filter(|meant| *meant != wire) {
        let why = format!("left out: the fields are meant for {other}, the call goes over {wire}");
        omissions.note("extra", why)?;
        return Ok(body);
    }
    let mut added = Vec::with_capacity(extra.fields.len());
    for (name, value) in &extra.fields {
        if reserved.contains(&name.as_str()) {
            let why = "left out: the engine sets this field itself";
            omissions.note(&format!("extra.{name}"), why)?;
            continue;
        }
        let value: Box<RawValue> = serde_json::value::to_raw_value(value).map_err(broken)?;
        added.push((name.clone(), value));
    }
    let mut fields: Pairs = serde_json::from_slice(&body).map_err(broken)?;
    fields.merge(added);
    serde_json::to_vec(&fields).map_err(broken)
}

#[cfg(feature = "openai")]
fn broken(error: serde_json::Error) -> Error {
    Error::new(ErrorKind::Internal, "an encoded body cannot be read back")
        .with_phase(Phase::Encode)
        .with_source(error)
}
