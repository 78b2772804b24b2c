//! Embeddings.
//!
//! Facts: <https://ai.google.dev/api/embeddings>.

use aurax_core::{Delivery, EmbedRequest, OnUnsupported, Result};
use serde::Serialize;

use super::NAME;
use super::error;
use super::part::{Content, Part};
use super::request::{path, resource};
use crate::extra;
use crate::omissions::Omissions;
use crate::raw::RawObject;
use crate::vectors::{Decoder, Vectors, texts, unreadable};
use crate::wire::{Encoded, Target};

/// Fields the caller does not set in the engine's place.
const RESERVED: [&str; 3] = ["model", "content", "requests"];

#[derive(Serialize)]
struct Body {
    requests: Vec<RawObject>,
}

/// One text; the model is named in each.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct One<'a> {
    model: &'a str,
    content: Content<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_dimensionality: Option<u32>,
}

/// Encodes an embedding call. Extra fields go into the request of each text.
///
/// # Errors
/// As for [`Wire::encode`](crate::wire::Wire::encode).
pub(super) fn encode(request: &EmbedRequest, target: &Target) -> Result<Encoded> {
    let mut omissions = Omissions::new(OnUnsupported::Warn);
    if request.user.is_some() {
        omissions.note("user", "left out: the API has no such setting")?;
    }
    let fields = extra::fields(&request.extra, NAME, &RESERVED, &mut omissions)?;
    let model = resource(&target.model);
    let mut requests = Vec::with_capacity(request.input.len());
    for text in texts(request)? {
        let one = One {
            model: &model,
            content: Content {
                role: None,
                parts: vec![Part::text(text).into()],
            },
            task_type: request.task.as_deref(),
            output_dimensionality: request.dimensions,
        };
        let mut one = RawObject::of(&one)?;
        one.merge(&fields);
        requests.push(one);
    }
    let path = path(&target.model, "batchEmbedContents");
    let mut encoded = Encoded::post(
        path,
        RawObject::of(&Body { requests })?.bytes()?,
        Delivery::Whole,
    );
    encoded.warnings = omissions.into_warnings();
    Ok(encoded)
}

/// A decoder for the reply to `request`. What was used is not told.
pub(super) fn decoder(request: &EmbedRequest) -> Decoder<fn(&str) -> Result<Vectors>> {
    Decoder::new(request, read)
}

fn read(body: &str) -> Result<Vectors> {
    let reply = RawObject::parse(body).ok_or_else(unreadable)?;
    if reply.get("error").is_some() {
        return Err(error::inside(body).unwrap_or_else(unreadable));
    }
    let mut read = Vectors::default();
    for (number, item) in (0_u32..).zip(reply.list("embeddings").ok_or_else(unreadable)?) {
        let item = RawObject::parse(item.as_str()).ok_or_else(unreadable)?;
        let values = item.get("values").ok_or_else(unreadable)?;
        let values = values.to().map_err(|e| unreadable().with_source(e))?;
        read.vectors.push((number, values));
    }
    for (name, value) in reply.values() {
        if name != "embeddings" {
            read.extra.insert(name, value);
        }
    }
    Ok(read)
}
