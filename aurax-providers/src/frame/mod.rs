//! From bytes to frames: server-sent events and lines of JSON, bounded.

mod lines;
mod ndjson;
mod sse;

use aurax_core::{Error, ErrorKind, Result};

use ndjson::NdJsonParser;
use sse::SseParser;

/// The most bytes a line or a frame may have: 16 MiB, room for a picture in base64.
pub const MAX_FRAME_BYTES: usize = 16 << 20;

/// How a streamed reply is cut into frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Framing {
    /// Server-sent events.
    Sse,
    /// One JSON value a line.
    NdJson,
}

/// One frame of a streamed reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The event's name, where the frame has one.
    pub event: Option<&'a str>,
    /// The data: for SSE all `data` lines joined by line feeds.
    pub data: &'a str,
}

impl<'a> Frame<'a> {
    /// A frame without a name.
    pub const fn data(data: &'a str) -> Self {
        Self { event: None, data }
    }
}

/// What is done with each frame.
pub type Sink<'a> = dyn FnMut(Frame<'_>) -> Result<()> + 'a;

/// Cuts the bytes of one reply into frames.
///
/// * The frames do not depend on how the bytes were split into chunks.
/// * A frame that lies within one chunk is passed on without a copy; time is linear in the bytes.
/// * Server-sent events are read as the [standard](https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream)
///   says, except that an event without data, or with empty data, is no frame: no wire gives it a
///   meaning, and proxies send them to keep connections open. Lines of JSON skip blank lines.
/// * A line or a frame of more than [`MAX_FRAME_BYTES`] is an error, and so is text that is not
///   UTF-8; after an error the parser is of no more use.
///
/// ```
/// use aurax_providers::frame::{FrameParser, Framing};
///
/// let mut seen = Vec::new();
/// let mut parser = FrameParser::new(Framing::Sse);
/// for chunk in ["event: greeting\nda", "ta: Hi\n\n: a comment\n\n"] {
///     parser.push(chunk.as_bytes(), &mut |frame| {
///         seen.push((frame.event.map(str::to_owned), frame.data.to_owned()));
///         Ok(())
///     })?;
/// }
/// assert_eq!(seen, [(Some("greeting".into()), "Hi".into())]);
/// # Ok::<(), aurax_core::Error>(())
/// ```
#[derive(Debug)]
pub struct FrameParser {
    parser: Parser,
    open: usize,
}

#[derive(Debug)]
enum Parser {
    Sse(SseParser),
    NdJson(NdJsonParser),
}

impl FrameParser {
    /// A parser at the start of a reply.
    pub fn new(framing: Framing) -> Self {
        let parser = match framing {
            Framing::Sse => Parser::Sse(SseParser::default()),
            Framing::NdJson => Parser::NdJson(NdJsonParser::default()),
        };
        Self { parser, open: 0 }
    }

    /// Takes the next bytes and passes every frame they complete to `sink`.
    ///
    /// # Errors
    /// `Decode` for a line or frame that is too large or not UTF-8; whatever `sink` returns, which
    /// ends the parsing of the chunk.
    pub fn push(&mut self, chunk: &[u8], sink: &mut Sink<'_>) -> Result<()> {
        self.open = self.open.saturating_add(chunk.len());
        match &mut self.parser {
            Parser::Sse(parser) => parser.push(chunk, &mut self.open, sink),
            Parser::NdJson(parser) => parser.push(chunk, &mut self.open, sink),
        }
    }

    /// Takes the end of the bytes: the last frame may lack the end of its line, and for SSE the
    /// blank line.
    ///
    /// # Errors
    /// As for [`FrameParser::push`]. A last frame that cannot be read was usually cut short.
    pub fn finish(&mut self, sink: &mut Sink<'_>) -> Result<()> {
        match &mut self.parser {
            Parser::Sse(parser) => parser.finish(sink)?,
            Parser::NdJson(parser) => parser.finish(sink)?,
        }
        self.open = 0;
        Ok(())
    }

    /// How many of the bytes taken so far, counted from the end, belong to a frame that is not
    /// complete yet or that `sink` refused. What lies before them can be passed on as it is.
    pub const fn open_bytes(&self) -> usize {
        self.open
    }
}

fn text(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes)
        .map_err(|e| Error::new(ErrorKind::Decode, "the stream is not UTF-8").with_source(e))
}

fn check_size(bytes: usize) -> Result<()> {
    if bytes <= MAX_FRAME_BYTES {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Decode,
        format!(
            "a frame of the stream is larger than {} MiB",
            MAX_FRAME_BYTES >> 20
        ),
    ))
}
