//! Embeddings, for clients.

use aurax_core::{Call, EmbedInput, EmbedRequest, Error, Event, Extra, Head, Response, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use serde::Serialize;

use super::super::NAME;
use super::request;
use crate::inbound::failure::openai as failure;
use crate::inbound::fields::{self, Field, Places};
use crate::inbound::{ErrorReply, Inbound, Incoming, Stamp, WriteReply};

/// The most texts of one request
/// (<https://platform.openai.com/docs/api-reference/embeddings/create>).
const MAX_INPUTS: usize = 2048;

/// Embeddings, for clients.
///
/// Texts come as they are or as token numbers, one or many; vectors go back as numbers, or as
/// base64 of little-endian floats where `encoding_format` asks for it. Replies are never streamed.
///
/// Facts: <https://platform.openai.com/docs/api-reference/embeddings>.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct EmbeddingsInbound {}

impl EmbeddingsInbound {
    /// The codec.
    pub const fn new() -> Self {
        Self {}
    }
}

impl Inbound for EmbeddingsInbound {
    fn name(&self) -> &'static str {
        NAME
    }

    fn read(&self, body: &[u8]) -> Result<Incoming> {
        let mut fields = fields::body(body, Places::Brackets)?;
        let model = request::model(&mut fields)?;
        let mut request = EmbedRequest::new(input(&fields.require("input")?)?);
        request.dimensions = fields.count("dimensions")?;
        request.user = fields.string("user")?;
        let encoding = fields.take("encoding_format");
        let is_base64 = match encoding.as_ref().map(Field::string).transpose()?.as_deref() {
            None | Some("float") => false,
            Some("base64") => true,
            Some(_) => {
                return Err(fields.invalid("encoding_format", "expected float or base64"));
            }
        };
        request.extra = Extra::new(Some(NAME.to_owned()), fields.rest()?);
        let mut incoming = Incoming::new(Call::embed(model, request));
        incoming.wishes.base64 = is_base64;
        Ok(incoming)
    }

    fn writer(&self, incoming: &Incoming, head: &Head, _: Stamp) -> Box<dyn WriteReply> {
        Box::new(Writer {
            is_base64: incoming.wishes.base64,
            model: head.model.as_str().to_owned(),
        })
    }

    fn error(&self, error: &Error, _: &str) -> ErrorReply {
        failure::reply(error)
    }
}

/// A text, texts, the tokens of a text, or those of several.
fn input(field: &Field<'_>) -> Result<Vec<EmbedInput>> {
    if field.is_text() {
        return Ok(vec![EmbedInput::Text(field.string()?)]);
    }
    let list = field.list()?;
    let what = "a string, an array of strings, or arrays of token numbers";
    let inputs: Vec<EmbedInput> = match list.first() {
        None => Vec::new(),
        Some(first) if first.is_text() => field
            .read::<Vec<String>>(what)?
            .into_iter()
            .map(EmbedInput::Text)
            .collect(),
        Some(first) if first.is_list() => field
            .read::<Vec<Vec<u32>>>(what)?
            .into_iter()
            .map(EmbedInput::Tokens)
            .collect(),
        Some(_) => vec![EmbedInput::Tokens(field.read(what)?)],
    };
    if inputs.is_empty() || inputs.len() > MAX_INPUTS {
        return Err(field.invalid(format!("expected 1 to {MAX_INPUTS} texts")));
    }
    Ok(inputs)
}

#[derive(Debug)]
struct Writer {
    is_base64: bool,
    model: String,
}

#[derive(Serialize)]
struct List<'a> {
    object: &'static str,
    data: Vec<Vector<'a>>,
    model: &'a str,
    usage: Usage,
}

#[derive(Serialize)]
struct Vector<'a> {
    object: &'static str,
    index: u32,
    embedding: Numbers<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Numbers<'a> {
    Plain(&'a [f32]),
    Base64(String),
}

#[derive(Serialize)]
struct Usage {
    prompt_tokens: u64,
    total_tokens: u64,
}

impl WriteReply for Writer {
    fn whole(&mut self, response: &Response) -> Bytes {
        let numbers = |vector: &'_ [f32]| {
            let bytes: Vec<u8> = vector.iter().flat_map(|n| n.to_le_bytes()).collect();
            Numbers::Base64(STANDARD.encode(bytes))
        };
        let vectors = response.embeddings.iter();
        let model = response.model.as_str();
        let input = response.usage.as_ref().map_or(0, |usage| {
            let counted = usage.buckets.input_tokens();
            usage.reported.input.unwrap_or(counted)
        });
        let total = response
            .usage
            .as_ref()
            .and_then(|usage| usage.reported.total);
        let list = List {
            object: "list",
            data: vectors
                .map(|embedding| Vector {
                    object: "embedding",
                    index: embedding.index,
                    embedding: match self.is_base64 {
                        true => numbers(&embedding.vector),
                        false => Numbers::Plain(&embedding.vector),
                    },
                })
                .collect(),
            model: if model.is_empty() { &self.model } else { model },
            usage: Usage {
                prompt_tokens: input,
                total_tokens: total.unwrap_or(input),
            },
        };
        serde_json::to_vec(&list).unwrap_or_default().into()
    }

    /// Nothing: embeddings come whole.
    fn event(&mut self, _: &Event, _: &mut BytesMut) {}

    fn error(&mut self, error: &Error, out: &mut BytesMut) {
        let body = serde_json::to_vec(&failure::body(error)).unwrap_or_default();
        out.extend_from_slice(&body);
    }

    fn ping(&mut self, _: &mut BytesMut) {}
}
