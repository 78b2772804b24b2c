//! Embeddings: what all wires that have them share.

use std::fmt;
use std::sync::Arc;

use aurax_core::EmbedInput;
use aurax_core::{
    EmbedRequest, Embedding, End, Error, ErrorKind, Event, Phase, Result, Start, Usage,
};

use crate::frame::Frame;
use crate::refusals::invalid;
use crate::refusals::unsupported;
use crate::wire::Decode;

/// The texts of a request, for a wire that takes nothing else.
///
/// # Errors
/// `Unsupported` for the numbers of tokens; `InvalidRequest` where there is nothing at all.
pub(crate) fn texts(request: &EmbedRequest) -> Result<Vec<&str>> {
    not_empty(request)?;
    let inputs = request.input.iter().enumerate();
    inputs
        .map(|(at, input)| match input {
            EmbedInput::Text(text) => Ok(text.as_str()),
            _ => Err(unsupported(
                &format!("input[{at}]"),
                "the API takes texts, not the numbers of their tokens",
            )),
        })
        .collect()
}

/// # Errors
/// `InvalidRequest` where there is nothing to turn into a vector.
pub(crate) fn not_empty(request: &EmbedRequest) -> Result<()> {
    if request.input.is_empty() {
        return Err(invalid("input", "there is nothing to turn into a vector"));
    }
    Ok(())
}

/// What a reply with vectors says.
#[derive(Debug, Default)]
pub(crate) struct Vectors {
    pub(crate) start: Start,
    /// By the number of their text.
    pub(crate) vectors: Vec<(u32, Vec<f32>)>,
    pub(crate) usage: Option<Usage>,
    pub(crate) extra: serde_json::Map<String, serde_json::Value>,
}

/// Reads the reply to an embedding call, which comes whole.
pub(crate) struct Decoder<F> {
    /// How many texts were sent.
    wanted: usize,
    read: F,
    done: bool,
}

impl<F: Fn(&str) -> Result<Vectors> + Send> Decoder<F> {
    pub(crate) fn new(request: &EmbedRequest, read: F) -> Self {
        Self {
            wanted: request.input.len(),
            read,
            done: false,
        }
    }

    fn reply(&mut self, body: &str, events: &mut Vec<Event>) -> Result<()> {
        let mut reply = (self.read)(body)?;
        reply.vectors.sort_by_key(|(index, _)| *index);
        let is_one_each = reply.vectors.len() == self.wanted
            && (0_u32..)
                .zip(&reply.vectors)
                .all(|(number, (index, vector))| number == *index && !vector.is_empty());
        events.push(Event::Start(reply.start));
        if !is_one_each {
            // What was used is told all the same: it is billed.
            events.extend(reply.usage.map(|usage| Event::Usage(Arc::new(usage))));
            let (got, wanted) = (reply.vectors.len(), self.wanted);
            return Err(decode(format!(
                "the reply has {got} vectors for {wanted} texts, or not one for each"
            )));
        }
        let vectors = reply.vectors.into_iter();
        events
            .extend(vectors.map(|(index, vector)| Event::Embedding(Embedding::new(index, vector))));
        let mut end = End::new(Vec::new(), reply.usage);
        end.extra = reply.extra;
        events.push(Event::End(Box::new(end)));
        self.done = true;
        Ok(())
    }
}

impl<F: Fn(&str) -> Result<Vectors> + Send> Decode for Decoder<F> {
    fn frame(&mut self, frame: Frame<'_>, events: &mut Vec<Event>) -> Result<()> {
        if self.done || frame.data.trim() == "[DONE]" {
            return Ok(());
        }
        self.reply(frame.data, events)
    }

    fn whole(&mut self, body: &[u8], events: &mut Vec<Event>) -> Result<()> {
        let body = std::str::from_utf8(body).map_err(|e| unreadable().with_source(e))?;
        self.reply(body.trim(), events)
    }

    fn finish(&mut self, _: &mut Vec<Event>) -> Result<()> {
        if self.done {
            return Ok(());
        }
        let message = "the reply stopped before its vectors";
        Err(Error::new(ErrorKind::Truncated, message).with_phase(Phase::Body))
    }

    fn is_done(&self) -> bool {
        self.done
    }
}

impl<F> fmt::Debug for Decoder<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("wanted", &self.wanted)
            .finish_non_exhaustive()
    }
}

/// A reply that has no vectors.
pub(crate) fn unreadable() -> Error {
    decode("the provider's reply has no vectors")
}

fn decode(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Decode, message).with_phase(Phase::Body)
}
