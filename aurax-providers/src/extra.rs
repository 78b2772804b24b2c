//! Fields of the provider's own format, merged into an encoded body.

use aurax_core::{Error, ErrorKind, Phase};
use aurax_core::{Extra, Part, Request, Result};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::object::Pairs;
use crate::omissions::Omissions;
use crate::raw::RawObject;
use crate::refusals::{no_json, subject};

/// The extra fields, where they are meant for `wire`, without those the engine sets itself.
///
/// # Errors
/// `Unsupported` where the request wants nothing changed.
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

/// Notes the fields of parts only their own provider understands, for a wire that sends none.
///
/// # Errors
/// `Unsupported` where the request wants nothing changed.
pub(crate) fn of_parts(request: &Request, omissions: &mut Omissions) -> Result<()> {
    const WHY: &str = "left out: only its own provider understands it";
    for (at, message) in request.messages.iter().enumerate() {
        for (number, part) in message.parts.iter().enumerate() {
            let subject = subject(at, number);
            if part.own_fields().is_some() {
                omissions.note(&format!("{subject}.native"), WHY)?;
            }
            let Part::ToolResult(result) = part else {
                continue;
            };
            for (number, part) in result.content.iter().enumerate() {
                if part.own_fields().is_some() {
                    omissions.note(&format!("{subject}.content[{number}].native"), WHY)?;
                }
            }
        }
    }
    Ok(())
}

/// A body with the extra fields merged in, objects into objects.
///
/// # Errors
/// As for [`fields`].
pub(crate) fn merged(
    body: &impl Serialize,
    extra: &Extra,
    wire: &str,
    reserved: &[&str],
    omissions: &mut Omissions,
) -> Result<RawObject> {
    let mut body = RawObject::of(body)?;
    body.merge(&fields(extra, wire, reserved, omissions)?);
    Ok(body)
}

/// A body's text with the extra fields at its end, or in the place of its own fields of those
/// names. Everything else keeps its bytes.
///
/// # Errors
/// `Unsupported` where the request wants nothing changed.
pub(crate) fn text(
    body: &impl Serialize,
    extra: &Extra,
    wire: &str,
    reserved: &[&str],
    omissions: &mut Omissions,
) -> Result<Vec<u8>> {
    let text = serde_json::to_vec(body).map_err(|e| no_json().with_source(e))?;
    let fields = fields(extra, wire, reserved, omissions)?;
    if fields.is_empty() {
        return Ok(text);
    }
    let mut added = Vec::with_capacity(fields.len());
    for (name, value) in fields {
        let value: Box<RawValue> = serde_json::value::to_raw_value(&value).map_err(broken)?;
        added.push((name, value));
    }
    let mut body: Pairs = serde_json::from_slice(&text).map_err(broken)?;
    body.merge(added);
    serde_json::to_vec(&body).map_err(broken)
}

fn broken(error: serde_json::Error) -> Error {
    Error::new(ErrorKind::Internal, "an encoded body cannot be read back")
        .with_phase(Phase::Encode)
        .with_source(error)
}
