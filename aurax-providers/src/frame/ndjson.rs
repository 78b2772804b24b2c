//! Lines of JSON.

use aurax_core::Result;

use super::lines::Lines;
use super::{Frame, Sink, text};

#[derive(Debug, Default)]
pub(super) struct NdJsonParser {
    lines: Lines,
}

impl NdJsonParser {
    /// Sets `open` to what lies behind the last line end in the chunk.
    pub(super) fn push(
        &mut self,
        chunk: &[u8],
        open: &mut usize,
        sink: &mut Sink<'_>,
    ) -> Result<()> {
        let mut rest = chunk;
        while let Some(line) = self.lines.next(&mut rest)? {
            emit(&line, sink)?;
            *open = rest.len();
        }
        Ok(())
    }

    pub(super) fn finish(&mut self, sink: &mut Sink<'_>) -> Result<()> {
        match self.lines.finish() {
            Some(line) => emit(&line, sink),
            None => Ok(()),
        }
    }
}

fn emit(line: &[u8], sink: &mut Sink<'_>) -> Result<()> {
    let line = line.trim_ascii();
    if line.is_empty() {
        return Ok(());
    }
    sink(Frame::data(text(line)?))
}
