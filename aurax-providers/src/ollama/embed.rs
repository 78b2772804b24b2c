//! Embeddings.
//!
//! Facts: <https://github.com/ollama/ollama/blob/main/docs/api.md#generate-embeddings>.

use aurax_core::{Delivery, EmbedRequest, OnUnsupported, Result, Start};
use serde::Serialize;

use super::NAME;
use super::{error, usage};
use crate::extra;
use crate::omissions::Omissions;
use crate::raw::RawObject;
use crate::vectors::{Decoder, Vectors, texts, unreadable};
use crate::wire::{Encoded, Target};

/// Fields the caller does not set in the engine's place.
const RESERVED: [&str; 2] = ["model", "input"];

/// Fields of a reply that have a place of their own.
const PLACED: [&str; 3] = ["model", "embeddings", "prompt_eval_count"];

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<u32>,
    input: Vec<&'a str>,
}

/// Encodes an embedding call.
///
/// # Errors
/// As for [`Wire::encode`](crate::wire::Wire::encode).
pub(super) fn encode(request: &EmbedRequest, target: &Target) -> Result<Encoded> {
    let mut omissions = Omissions::new(OnUnsupported::Warn);
    for (is_set, name) in [
        (request.task.is_some(), "task"),
        (request.user.is_some(), "user"),
    ] {
        if is_set {
            omissions.note(name, "left out: the API has no such setting")?;
        }
    }
    let body = Body {
        model: target.model.as_str(),
        dimensions: request.dimensions,
        input: texts(request)?,
    };
    let body = extra::merged(&body, &request.extra, NAME, &RESERVED, &mut omissions)?;
    let mut encoded = Encoded::post("/api/embed", body.bytes()?, Delivery::Whole);
    encoded.warnings = omissions.into_warnings();
    Ok(encoded)
}

/// A decoder for the reply to `request`.
pub(super) fn decoder(request: &EmbedRequest) -> Decoder<fn(&str) -> Result<Vectors>> {
    Decoder::new(request, read)
}

fn read(body: &str) -> Result<Vectors> {
    let reply = RawObject::parse(body).ok_or_else(unreadable)?;
    if reply.get("error").is_some() {
        return Err(error::inside(body));
    }
    let vectors = reply.get("embeddings").ok_or_else(unreadable)?;
    let vectors: Vec<Vec<f32>> = vectors.to().map_err(|e| unreadable().with_source(e))?;
    let mut read = Vectors {
        start: Start::new(None, reply.text("model")),
        vectors: (0..).zip(vectors).collect(),
        usage: usage::read(&reply),
        ..Vectors::default()
    };
    for (name, value) in reply.values() {
        if !PLACED.contains(&name.as_str()) {
            read.extra.insert(name, value);
        }
    }
    Ok(read)
}
