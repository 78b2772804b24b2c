//! Server-sent events.

use std::borrow::Cow;

use aurax_core::Result;
use memchr::memchr;

use super::lines::Lines;
use super::{Frame, Sink, check_size, text};

#[derive(Debug, Default)]
pub(super) struct SseParser {
    lines: Lines,
    event: Vec<u8>,
    /// The event's data lines so far, each with a line feed behind it.
    data: Vec<u8>,
}

impl SseParser {
    /// Sets `open` to what lies behind the last event that ends in the chunk.
    pub(super) fn push(
        &mut self,
        chunk: &[u8],
        open: &mut usize,
        sink: &mut Sink<'_>,
    ) -> Result<()> {
        let mut rest = chunk;
        // The event's data while that is one line of this chunk, as it nearly always is.
        let mut only: Option<&[u8]> = None;
        while let Some(line) = self.lines.next(&mut rest)? {
            if line.is_empty() {
                self.dispatch(only.take(), sink)?;
                *open = rest.len();
                continue;
            }
            match field(&line) {
                (b"data", value) => match (&line, only.take()) {
                    (Cow::Borrowed(line), None) if self.data.is_empty() => {
                        only = Some(field(line).1);
                    }
                    (_, before) => {
                        if let Some(before) = before {
                            self.add_data(before)?;
                        }
                        self.add_data(value)?;
                    }
                },
                (b"event", value) => self.set_event(value),
                _ => {}
            }
        }
        if let Some(only) = only {
            self.add_data(only)?;
        }
        Ok(())
    }

    pub(super) fn finish(&mut self, sink: &mut Sink<'_>) -> Result<()> {
        if let Some(line) = self.lines.finish() {
            match field(&line) {
                (b"data", value) => self.add_data(value)?,
                (b"event", value) => self.set_event(value),
                _ => {}
            }
        }
        self.dispatch(None, sink)
    }

    fn set_event(&mut self, name: &[u8]) {
        self.event.clear();
        self.event.extend_from_slice(name);
    }

    fn add_data(&mut self, line: &[u8]) -> Result<()> {
        check_size(self.data.len().saturating_add(line.len()))?;
        self.data.extend_from_slice(line);
        self.data.push(b'\n');
        Ok(())
    }

    /// Ends the event: `only` is its data, or the lines kept so far are.
    fn dispatch(&mut self, only: Option<&[u8]>, sink: &mut Sink<'_>) -> Result<()> {
        let data = only.unwrap_or_else(|| self.data.strip_suffix(b"\n").unwrap_or_default());
        let result = if data.is_empty() {
            Ok(())
        } else {
            emit(&self.event, data, sink)
        };
        self.event.clear();
        self.data.clear();
        result
    }
}

fn emit(event: &[u8], data: &[u8], sink: &mut Sink<'_>) -> Result<()> {
    let event = text(event)?;
    sink(Frame {
        event: (!event.is_empty()).then_some(event),
        data: text(data)?,
    })
}

/// A line's field and value; a comment has an empty field.
fn field(line: &[u8]) -> (&[u8], &[u8]) {
    match memchr(b':', line) {
        Some(colon) => {
            let (name, value) = line.split_at(colon);
            let value = value.strip_prefix(b":").unwrap_or(value);
            (name, value.strip_prefix(b" ").unwrap_or(value))
        }
        None => (line, b""),
    }
}
