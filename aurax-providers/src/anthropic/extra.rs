//! The caller's own fields, and the beta features a request needs.

use std::collections::BTreeSet;

use aurax_core::{Error, ErrorKind, Phase, Request, Result};
use http::HeaderValue;
use serde_json::{Map, Value};

use super::NAME;
use crate::omissions::Omissions;
use crate::raw::RawObject;

/// Beta features that go with a field of the body, from the official SDKs.
const BETAS: [(&str, &str); 4] = [
    ("context_management", "context-management-2025-06-27"),
    ("fallbacks", "server-side-fallback-2026-07-01"),
    ("mcp_servers", "mcp-client-2025-04-04"),
    ("speed", "fast-mode-2026-02-01"),
];

/// Fields the caller does not set in the engine's place.
const RESERVED: [&str; 3] = ["model", "messages", "stream"];

/// Beta features, for the header that asks for them.
#[derive(Debug, Default)]
pub(super) struct Betas(BTreeSet<String>);

impl Betas {
    pub(super) fn add(&mut self, name: impl Into<String>) {
        self.0.insert(name.into());
    }

    /// Adds what goes with the fields of a body.
    pub(super) fn of(&mut self, body: &RawObject) {
        for (field, beta) in BETAS {
            if body.get(field).is_some() {
                self.add(beta);
            }
        }
    }

    /// The header's value; `None` where no feature is needed.
    ///
    /// # Errors
    /// `InvalidRequest` for a name no header takes.
    pub(super) fn header(self) -> Result<Option<HeaderValue>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let list: Vec<String> = self.0.into_iter().collect();
        HeaderValue::from_str(&list.join(","))
            .map(Some)
            .map_err(|e| invalid("names of beta features are plain words").with_source(e))
    }
}

/// The fields the caller adds, where they are meant for this wire. Of them, `betas` is a list of
/// beta features, as in the official SDKs, and goes to `betas`.
///
/// # Errors
/// `Unsupported` where the request wants nothing changed; `InvalidRequest` for features that are
/// no names.
pub(super) fn fields(
    request: &Request,
    omissions: &mut Omissions,
    betas: &mut Betas,
) -> Result<Option<Map<String, Value>>> {
    let extra = &request.extra;
    if extra.fields.is_empty() {
        return Ok(None);
    }
    if let Some(wire) = extra.wire.as_deref().filter(|wire| *wire != NAME) {
        omissions.note(
            "extra",
            format!("left out: the fields are meant for {wire}, the call goes over {NAME}"),
        )?;
        return Ok(None);
    }
    let mut fields = extra.fields.clone();
    for name in RESERVED {
        if fields.shift_remove(name).is_some() {
            omissions.note(
                &format!("extra.{name}"),
                "left out: the engine sets this field itself",
            )?;
        }
    }
    match fields.shift_remove("betas") {
        None | Some(Value::Null) => {}
        Some(Value::String(one)) => betas.add(one),
        Some(Value::Array(several)) => {
            for name in several {
                betas.add(name.as_str().ok_or_else(no_names)?);
            }
        }
        Some(_) => return Err(no_names()),
    }
    Ok(Some(fields))
}

fn no_names() -> Error {
    invalid("beta features are given as a list of names")
}

fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::InvalidRequest, message)
        .with_context("part", "extra.betas")
        .with_phase(Phase::Encode)
}
