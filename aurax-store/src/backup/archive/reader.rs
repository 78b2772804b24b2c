//! Content out of an archive.

use std::fmt;

use aurax_core::{Error, ErrorKind, Result};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use zeroize::Zeroizing;

use super::header::{self, Opened};
use super::{
    CHUNK, Listener, Manifest, Part, Phase, Progress, damaged, io_failed, nonce, truncated,
};
use crate::cipher::TAG;
use crate::vault::KeyRing;

/// Bytes of a whole chunk in the archive.
const SEALED: usize = CHUNK + TAG;

/// Reads an archive, in memory for two chunks whatever the content's size.
///
/// Each chunk that comes out is what went in at that place. Only the end shows that nothing is
/// missing: until then, write what comes out where it does no harm.
pub struct ArchiveReader<R> {
    from: R,
    opened: Opened,
    /// The chunk to open next, and one byte of what follows it, which shows that it is not the
    /// last.
    sealed: Vec<u8>,
    filled: usize,
    chunk: Zeroizing<Vec<u8>>,
    counter: u32,
    bytes: u64,
    state: State,
    listener: Listener,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Reading,
    Ended,
    Failed,
}

impl<R: AsyncRead + Unpin> ArchiveReader<R> {
    /// Opens an archive: reads what comes before the content. `from` is read in pieces of up to
    /// 64 KiB; it needs no buffer.
    ///
    /// # Errors
    /// - `Config` when `keys` lack the key that sealed it; the message names it.
    /// - `Decode` for what is no archive, or a damaged one.
    /// - `Unsupported` for what only a later version reads.
    /// - `Truncated` when it ends too early.
    /// - `Internal` when `from` cannot be read.
    ///
    /// # Cancel safety
    /// What was read of `from` before the future was dropped is lost.
    pub async fn open(mut from: R, keys: &KeyRing) -> Result<Self> {
        let opened = header::open(&mut from, keys).await?;
        Ok(Self {
            from,
            opened,
            sealed: vec![0; SEALED + 1],
            filled: 0,
            // It never grows with content in it: no chunk is longer than the first.
            chunk: Zeroizing::new(Vec::new()),
            counter: 0,
            bytes: 0,
            state: State::Reading,
            listener: Listener(None),
        })
    }

    /// Tells `listen` how far the archive is read, after each chunk.
    #[must_use]
    pub fn with_progress(mut self, listen: impl FnMut(Progress) + Send + 'static) -> Self {
        self.listener = Listener(Some(Box::new(listen)));
        self
    }

    /// What the archive holds.
    pub fn manifest(&self) -> &Manifest {
        &self.opened.manifest
    }

    /// The next chunk of content; `None` after the whole content, and never otherwise.
    ///
    /// # Errors
    /// `Truncated` when the archive ends too early, `Decode` when it is damaged, has parts in
    /// another order or has something after its end, `Internal` when it cannot be read. Every later
    /// call is an error too.
    ///
    /// # Cancel safety
    /// A future dropped before it is ready loses nothing: call again.
    pub async fn read(&mut self) -> Result<Option<&[u8]>> {
        match self.state {
            State::Reading => {}
            State::Ended => return Ok(None),
            State::Failed => return Err(damaged("the archive could not be read to its end")),
        }
        self.fill().await?;
        let opened = self.open_next();
        if opened.is_err() {
            self.state = State::Failed;
            self.chunk.clear();
        }
        opened?;
        let whole = self.state == State::Ended && self.chunk.is_empty();
        Ok((!whole).then_some(&self.chunk))
    }

    /// Writes the rest of the content to `to`, flushes it, and says how many bytes that was.
    ///
    /// # Errors
    /// Those of [`ArchiveReader::read`], after some content may have been written; `Internal` when
    /// `to` cannot be written.
    ///
    /// # Cancel safety
    /// What `to` has when the future is dropped is a beginning of the content, of any length.
    pub async fn copy_to<W: AsyncWrite + Unpin>(&mut self, to: &mut W) -> Result<u64> {
        let mut copied = 0_u64;
        while let Some(chunk) = self.read().await? {
            let length = chunk.len() as u64;
            if let Err(error) = to.write_all(chunk).await {
                self.state = State::Failed;
                return Err(cannot_restore(error));
            }
            copied = copied.saturating_add(length);
        }
        to.flush().await.map_err(cannot_restore)?;
        Ok(copied)
    }

    /// Reads until there is a whole chunk and a byte, or the archive ends.
    async fn fill(&mut self) -> Result<()> {
        while let Some(room) = self.sealed.get_mut(self.filled..)
            && !room.is_empty()
        {
            match self.from.read(room).await {
                Ok(0) => break,
                Ok(read) => self.filled = self.filled.saturating_add(read),
                Err(error) => {
                    self.state = State::Failed;
                    return Err(io_failed("read the archive", error));
                }
            }
        }
        Ok(())
    }

    fn open_next(&mut self) -> Result<()> {
        let part = if self.filled > SEALED {
            Part::Chunk
        } else {
            Part::Last
        };
        if !self.opens_as(part) {
            return Err(self.diagnose(part));
        }
        self.bytes = self.bytes.saturating_add(self.chunk.len() as u64);
        if part == Part::Last {
            self.check_size()?;
            self.state = State::Ended;
        } else {
            let Some(next) = self.counter.checked_add(1) else {
                return Err(damaged("the archive is longer than any that AURAX writes"));
            };
            self.counter = next;
            self.sealed.copy_within(SEALED..self.filled, 0);
            self.filled = self.filled.saturating_sub(SEALED);
        }
        let total = self.opened.manifest.size;
        let progress = Progress::new(Phase::Restoring, self.bytes, total);
        self.listener.tell(progress);
        Ok(())
    }

    /// Opens the next chunk as `part`, whose content is then in `chunk`.
    fn opens_as(&mut self, part: Part) -> bool {
        let sealed = self.sealed.get(..self.filled.min(SEALED));
        let sealed = sealed.unwrap_or_default();
        let Some(length) = sealed.len().checked_sub(TAG) else {
            return false;
        };
        self.chunk.resize(length, 0);
        let nonce = nonce(self.opened.prefix, self.counter, part);
        let opened = self.opened.cipher.open(nonce, b"", sealed, &mut self.chunk);
        opened.is_ok()
    }

    /// Why the next chunk does not open.
    fn diagnose(&mut self, part: Part) -> Error {
        let at = self.bytes;
        let error = match part {
            Part::Last if self.filled < TAG => truncated("the archive ends too early"),
            Part::Last if self.filled == SEALED && self.opens_as(Part::Chunk) => {
                truncated("the archive ends too early")
            }
            Part::Last if self.is_long_enough() => {
                damaged("the archive is damaged in its last part")
            }
            Part::Last => truncated("the archive ends too early, or its last part is damaged"),
            _ if self.opens_as(Part::Last) => damaged("the archive has something after its end"),
            _ => damaged("the archive is damaged, or parts of it are missing or out of order"),
        };
        error.with_context("content_bytes", at)
    }

    /// True when there are as many bytes as the manifest says, the last chunk's included.
    fn is_long_enough(&self) -> bool {
        let last = self.filled.saturating_sub(TAG) as u64;
        self.opened.manifest.size == Some(self.bytes.saturating_add(last))
    }

    fn check_size(&self) -> Result<()> {
        match self.opened.manifest.size {
            Some(said) if said != self.bytes => {
                let message = format!(
                    "the archive holds {} bytes where its manifest says {said}",
                    self.bytes
                );
                Err(damaged(message))
            }
            _ => Ok(()),
        }
    }
}

impl<R> fmt::Debug for ArchiveReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArchiveReader")
            .field("manifest", &self.opened.manifest)
            .field("bytes", &self.bytes)
            .field("state", &self.state)
            .field("listener", &self.listener)
            .finish_non_exhaustive()
    }
}

fn cannot_restore(error: std::io::Error) -> Error {
    Error::new(
        ErrorKind::Internal,
        format!("cannot write what is restored: {error}"),
    )
    .with_source(error)
}
