//! From bytes to frames: server-sent events and lines of JSON, bounded.

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
