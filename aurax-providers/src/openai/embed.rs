//! Embeddings.
//!
//! Facts: <https://platform.openai.com/docs/api-reference/embeddings/create>.

use aurax_core::{Delivery, EmbedInput, EmbedRequest, OnUnsupported, Result, Start};
use base64::Engine as _;
use serde::Serialize;
use serde::ser::SerializeMap;
use serde_json::value::RawValue;

use super::error;
use super::quirks::{Quirks, User};
use super::usage;
use crate::extra;
use crate::object::Object;
use crate::omissions::Omissions;
use crate::refusals::invalid;
use crate::vectors::{Decoder, Vectors, not_empty, unreadable};
use crate::wire::{Encoded, Target};

/// Fields the caller does not set in the engine's place.
const RESERVED: [&str; 2] = ["model", "input"];

/// Texts, or the numbers of their tokens; the API takes no mixture.
#[derive(Serialize)]
#[serde(untagged)]
enum Input<'a> {
    Texts(Vec<&'a str>),
    Tokens(Vec<&'a [u32]>),
}

struct Body<'a> {
    model: &'a str,
    input: Input<'a>,
    dimensions: Option<(&'static str, u32)>,
    encoding: Option<&'static str>,
    user: Option<&'a str>,
}

impl Serialize for Body<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("model", self.model)?;
        if let Some((name, length)) = &self.dimensions {
            map.serialize_entry(name, length)?;
        }
        if let Some(encoding) = self.encoding {
            map.serialize_entry("encoding_format", encoding)?;
        }
        if let Some(user) = self.user {
            map.serialize_entry("user", user)?;
        }
        map.serialize_entry("input", &self.input)?;
        map.end()
    }
}

/// Encodes an embedding call.
///
/// # Errors
/// As for [`Wire::encode`](crate::wire::Wire::encode).
pub(super) fn encode(
    request: &EmbedRequest,
    target: &Target,
    quirks: &Quirks,
    wire: &str,
) -> Result<Encoded> {
    not_empty(request)?;
    let mut omissions = Omissions::new(OnUnsupported::Warn);
    if request.task.is_some() {
        omissions.note("task", "left out: the API has no such setting")?;
    }
    let takes_user = quirks.names.user != User::None;
    if request.user.is_some() && !takes_user {
        omissions.note("user", "left out: the API has no such setting")?;
    }
    let body = Body {
        model: target.model.as_str(),
        input: input(request)?,
        dimensions: request
            .dimensions
            .map(|length| (quirks.names.dimensions, length)),
        encoding: quirks.takes.base64_vectors.then_some("base64"),
        user: request.user.as_deref().filter(|_| takes_user),
    };
    let bytes = extra::text(&body, &request.extra, wire, &RESERVED, &mut omissions)?;
    let mut encoded = Encoded::post("/embeddings", bytes, Delivery::Whole);
    encoded.warnings = omissions.into_warnings();
    Ok(encoded)
}

fn input(request: &EmbedRequest) -> Result<Input<'_>> {
    let (mut texts, mut tokens) = (Vec::new(), Vec::new());
    for input in &request.input {
        match input {
            EmbedInput::Text(text) => texts.push(text.as_str()),
            EmbedInput::Tokens(numbers) => tokens.push(numbers.as_slice()),
            _ => return Err(invalid("input", "the API takes texts and tokens")),
        }
    }
    match (texts.is_empty(), tokens.is_empty()) {
        (false, false) => Err(invalid(
            "input",
            "send texts and the numbers of tokens in calls of their own",
        )),
        (false, true) => Ok(Input::Texts(texts)),
        _ => Ok(Input::Tokens(tokens)),
    }
}

/// A decoder for the reply to `request`.
pub(super) fn decoder(request: &EmbedRequest) -> Decoder<fn(&str) -> Result<Vectors>> {
    Decoder::new(request, read)
}

fn read(body: &str) -> Result<Vectors> {
    let mut reply = Object::parse(body).map_err(|e| unreadable().with_source(e))?;
    if !reply.has("data") && error::is_error(&mut reply) {
        return Err(error::inside(body));
    }
    let mut vectors = Vec::new();
    for (place, item) in (0_u32..).zip(reply.list("data")) {
        let mut item = Object::of(item).ok_or_else(unreadable)?;
        let vector = item
            .take("embedding")
            .and_then(vector)
            .ok_or_else(unreadable)?;
        vectors.push((item.read("index").unwrap_or(place), vector));
    }
    if vectors.is_empty() {
        return Err(unreadable());
    }
    let mut read = Vectors {
        start: Start::new(reply.text("id"), reply.text("model")),
        vectors,
        usage: reply.take("usage").and_then(usage::of_vectors),
        ..Vectors::default()
    };
    read.start.created = reply.read("created");
    reply.take("object");
    reply.rest_into(&mut read.extra);
    Ok(read)
}

/// A vector: numbers, or their bytes in base64, four each, the lowest first.
fn vector(value: &RawValue) -> Option<Vec<f32>> {
    if let Ok(numbers) = serde_json::from_str(value.get()) {
        return Some(numbers);
    }
    let text: String = serde_json::from_str(value.get()).ok()?;
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(text)
        .ok()?;
    let (numbers, rest) = bytes.as_chunks::<4>();
    let numbers = numbers.iter().map(|bytes| f32::from_le_bytes(*bytes));
    rest.is_empty().then(|| numbers.collect())
}
