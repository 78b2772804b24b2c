//! A response's bytes to events.

use aurax_core::{Delivery, Error, ErrorKind, Event, Phase, Result};
use bytes::{Bytes, BytesMut};

use crate::frame::{Frame, FrameParser, Framing};
use crate::wire::Decode;

/// The most bytes of a whole reply: 32 MiB.
pub(super) const MAX_WHOLE_BYTES: usize = 32 << 20;

/// The most bytes of a whole reply with embeddings: 128 MiB.
pub(super) const MAX_EMBEDDING_BYTES: usize = 128 << 20;

/// The most bytes of a streamed reply: 64 MiB.
pub(super) const MAX_STREAM_BYTES: usize = 64 << 20;

/// Reads one reply: parser, decoder, bounds, and the bytes themselves where they are wanted.
pub(super) struct Reader {
    decoder: Box<dyn Decode>,
    framing: Framing,
    expected: Delivery,
    body: Body,
    max_whole: usize,
    read: usize,
    raw: Option<Gathered>,
}

enum Body {
    /// Nothing but white space came so far.
    Unknown,
    Whole(Gathered),
    Stream(FrameParser),
}

impl Reader {
    pub(super) fn new(decoder: Box<dyn Decode>, framing: Framing, expected: Delivery) -> Self {
        Self {
            decoder,
            framing,
            expected,
            body: Body::Unknown,
            max_whole: MAX_WHOLE_BYTES,
            read: 0,
            raw: None,
        }
    }

    pub(super) const fn with_max_whole(mut self, bytes: usize) -> Self {
        self.max_whole = bytes;
        self
    }

    /// Keeps the bytes for [`Reader::take_raw`].
    pub(super) fn with_raw(mut self) -> Self {
        self.raw = Some(Gathered::default());
        self
    }

    /// True once the last event was made.
    pub(super) fn is_done(&self) -> bool {
        self.decoder.is_done()
    }

    /// Takes the next bytes. Events made before an error are in `events` all the same.
    pub(super) fn push(&mut self, chunk: Bytes, events: &mut Vec<Event>) -> Result<()> {
        self.read = self.read.saturating_add(chunk.len());
        if matches!(self.body, Body::Unknown)
            && let Some(first) = chunk.iter().find(|byte| !byte.is_ascii_whitespace())
        {
            self.body = match delivery(*first, self.framing, self.expected) {
                Delivery::Whole => Body::Whole(Gathered::default()),
                Delivery::Streamed => Body::Stream(FrameParser::new(self.framing)),
            };
        }
        let limit = match &self.body {
            Body::Whole(_) => self.max_whole,
            Body::Unknown | Body::Stream(_) => MAX_STREAM_BYTES,
        };
        if self.read > limit {
            return Err(too_large(limit));
        }
        match &mut self.body {
            Body::Unknown => Ok(()),
            Body::Whole(body) => {
                body.push(chunk);
                Ok(())
            }
            Body::Stream(parser) => {
                if let Some(raw) = &mut self.raw {
                    raw.push(chunk.clone());
                }
                let decoder = &mut self.decoder;
                let result =
                    parser.push(&chunk, &mut |frame| decode(&mut **decoder, frame, events));
                // Whatever follows the last event cannot spoil it.
                if decoder.is_done() { Ok(()) } else { result }
            }
        }
    }

    /// Takes the end of the bytes.
    pub(super) fn finish(&mut self, events: &mut Vec<Event>) -> Result<()> {
        let decoder = &mut self.decoder;
        match (&mut self.body, self.expected) {
            (Body::Whole(body), _) => {
                let body = body.take_all();
                if let Some(raw) = &mut self.raw {
                    raw.push(body.clone());
                }
                decoder.whole(&body, events)?;
            }
            (Body::Unknown, Delivery::Whole) => decoder.whole(b"", events)?,
            (Body::Unknown, Delivery::Streamed) => decoder.finish(events)?,
            (Body::Stream(parser), _) => {
                let rest = parser.finish(&mut |frame| decode(&mut **decoder, frame, events));
                match rest {
                    // What cannot be read without its end was cut off there.
                    Err(error) if error.kind() == ErrorKind::Decode => {
                        return Err(truncated().with_source(error));
                    }
                    rest => rest?,
                }
                if !decoder.is_done() {
                    decoder.finish(events)?;
                }
            }
        }
        if decoder.is_done() {
            Ok(())
        } else {
            Err(truncated())
        }
    }

    /// The bytes of the frames that are complete, for who wants them; a whole body is one frame.
    pub(super) fn take_raw(&mut self) -> Option<Bytes> {
        let open = match &self.body {
            Body::Stream(parser) => parser.open_bytes(),
            Body::Unknown | Body::Whole(_) => 0,
        };
        self.raw.as_mut().map(|raw| raw.take(open))
    }
}

/// Decodes a frame, unless the reply has ended.
fn decode(decoder: &mut dyn Decode, frame: Frame<'_>, events: &mut Vec<Event>) -> Result<()> {
    if decoder.is_done() {
        Ok(())
    } else {
        decoder.frame(frame, events)
    }
}

/// How a body is delivered, by its first byte. Some providers answer in another way than asked
/// and announced: JSON under the content type of a stream, or a stream where none was asked for.
const fn delivery(first: u8, framing: Framing, expected: Delivery) -> Delivery {
    match (framing, first) {
        (Framing::Sse, b'{' | b'[' | b'<') => Delivery::Whole,
        // data, event, id, retry, a comment
        (Framing::Sse, b'd' | b'e' | b'i' | b'r' | b':') => Delivery::Streamed,
        _ => expected,
    }
}

pub(super) fn too_large(limit: usize) -> Error {
    let message = format!("the reply is larger than {} MiB", limit >> 20);
    Error::new(ErrorKind::Decode, message).with_phase(Phase::Body)
}

fn truncated() -> Error {
    Error::new(
        ErrorKind::Truncated,
        "the reply stopped before its end; what had arrived may be incomplete",
    )
    .with_phase(Phase::Body)
}

/// Chunks that become one piece; a single one is not copied.
#[derive(Default)]
struct Gathered {
    first: Bytes,
    all: BytesMut,
}

impl Gathered {
    fn push(&mut self, chunk: Bytes) {
        if self.first.is_empty() && self.all.is_empty() {
            self.first = chunk;
            return;
        }
        let first = std::mem::take(&mut self.first);
        self.all.extend_from_slice(&first);
        self.all.extend_from_slice(&chunk);
    }

    /// Takes everything but the last `keep` bytes.
    fn take(&mut self, keep: usize) -> Bytes {
        if self.all.is_empty() {
            let at = self.first.len().saturating_sub(keep);
            self.first.split_to(at)
        } else {
            let at = self.all.len().saturating_sub(keep);
            self.all.split_to(at).freeze()
        }
    }

    fn take_all(&mut self) -> Bytes {
        self.take(0)
    }
}
