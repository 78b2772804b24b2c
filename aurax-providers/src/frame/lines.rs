//! Chunks to lines.

use std::borrow::Cow;

use aurax_core::Result;
use memchr::memchr2;

use super::check_size;

const BOM: &[u8] = "\u{feff}".as_bytes();

/// Cuts chunks into lines that end with `\n`, `\r\n` or `\r`; a byte order mark before the first
/// is dropped. Only a line that spans chunks is copied.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// The beginning of a line whose end is yet to come.
    rest: Vec<u8>,
    /// The chunk before ended with `\r`: a `\n` that follows belongs to it.
    after_cr: bool,
    past_first: bool,
}

impl Lines {
    /// Takes the next line off `chunk`; `None` when the chunk is used up.
    pub(super) fn next<'a>(&mut self, chunk: &mut &'a [u8]) -> Result<Option<Cow<'a, [u8]>>> {
        let mut bytes = *chunk;
        if self.after_cr && !bytes.is_empty() {
            bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
            self.after_cr = false;
        }
        let end = memchr2(b'\n', b'\r', bytes).unwrap_or(bytes.len());
        let (line, after) = bytes.split_at(end);
        check_size(self.rest.len().saturating_add(line.len()))?;
        let Some((ending, after)) = after.split_first() else {
            self.rest.extend_from_slice(line);
            *chunk = after;
            return Ok(None);
        };
        self.after_cr = *ending == b'\r' && after.is_empty();
        *chunk = match ending {
            b'\r' => after.strip_prefix(b"\n").unwrap_or(after),
            _ => after,
        };
        let line = if self.rest.is_empty() {
            Cow::Borrowed(line)
        } else {
            self.rest.extend_from_slice(line);
            Cow::Owned(std::mem::take(&mut self.rest))
        };
        Ok(Some(self.without_bom(line)))
    }

    /// The last line, where its end is missing.
    pub(super) fn finish(&mut self) -> Option<Vec<u8>> {
        let rest = std::mem::take(&mut self.rest);
        (!rest.is_empty()).then(|| self.without_bom(Cow::Owned(rest)).into_owned())
    }

    fn without_bom<'a>(&mut self, line: Cow<'a, [u8]>) -> Cow<'a, [u8]> {
        if self.past_first || !line.starts_with(BOM) {
            self.past_first = true;
            return line;
        }
        self.past_first = true;
        match line {
            Cow::Borrowed(line) => Cow::Borrowed(line.strip_prefix(BOM).unwrap_or(line)),
            Cow::Owned(mut line) => {
                line.drain(..BOM.len());
                Cow::Owned(line)
            }
        }
    }
}
