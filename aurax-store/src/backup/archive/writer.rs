//! Content into an archive.

use std::fmt;
use std::mem;

use aurax_core::{Error, ErrorKind, Result};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use zeroize::Zeroizing;

use super::header::{self, Opened};
use super::{CHUNK, Listener, Manifest, Part, Phase, Progress, io_failed, nonce};
use crate::cipher::TAG;
use crate::vault::KeyRing;

/// Writes an archive, in memory for two chunks whatever the content's size.
///
/// An archive that was not finished is refused when it is read.
///
/// # Cancel safety
/// When a future of this type is dropped before it is ready, or returns an error, the archive is
/// lost: every later call is an error, and nothing that was written reads as a whole archive.
pub struct ArchiveWriter<W> {
    to: W,
    opened: Opened,
    /// Content that is not written yet, with room to be sealed in its place.
    chunk: Zeroizing<Vec<u8>>,
    counter: u32,
    bytes: u64,
    state: State,
    listener: Listener,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Whole,
    /// Some of what is copied may be missing.
    Copying,
    /// Part of a chunk may be written.
    Broken,
}

impl<W: AsyncWrite + Unpin> ArchiveWriter<W> {
    /// Begins an archive that the current key of `keys` opens: writes what comes before the
    /// content. `to` is written in pieces of 64 KiB; it needs no buffer.
    ///
    /// # Errors
    /// `Internal` when `to` cannot be written; the source says why.
    pub async fn begin(mut to: W, keys: &KeyRing, manifest: &Manifest) -> Result<Self> {
        let (bytes, opened) = header::begin(keys, manifest)?;
        to.write_all(&bytes).await.map_err(cannot_write)?;
        Ok(Self {
            to,
            opened,
            chunk: Zeroizing::new(Vec::with_capacity(CHUNK + TAG)),
            counter: 0,
            bytes: 0,
            state: State::Whole,
            listener: Listener(None),
        })
    }

    /// Tells `listen` how far the archive is, after each chunk and at the end.
    #[must_use]
    pub fn with_progress(mut self, listen: impl FnMut(Progress) + Send + 'static) -> Self {
        self.listener = Listener(Some(Box::new(listen)));
        self
    }

    /// Appends content.
    ///
    /// # Errors
    /// `Internal` when it cannot be written, `TooLarge` after 256 TiB.
    pub async fn write(&mut self, content: &[u8]) -> Result<()> {
        self.check()?;
        self.append(content).await
    }

    async fn append(&mut self, content: &[u8]) -> Result<()> {
        let mut rest = content;
        while !rest.is_empty() {
            // Only a chunk with content behind it is known not to be the last.
            if self.chunk.len() >= CHUNK {
                self.seal(Part::Chunk).await?;
            }
            let room = CHUNK.saturating_sub(self.chunk.len());
            let (now, later) = rest.split_at(room.min(rest.len()));
            self.chunk.extend_from_slice(now);
            rest = later;
        }
        Ok(())
    }

    /// Appends all that `from` has, and says how many bytes that was.
    ///
    /// # Errors
    /// Those of [`ArchiveWriter::write`], and `Internal` when `from` cannot be read.
    pub async fn copy_from<R: AsyncRead + Unpin>(&mut self, from: &mut R) -> Result<u64> {
        self.check()?;
        self.state = State::Copying;
        let mut buffer = Zeroizing::new(vec![0; CHUNK]);
        let mut copied = 0_u64;
        loop {
            let read = from.read(&mut buffer).await;
            let read = read.map_err(|error| io_failed("read what to back up", error))?;
            if read == 0 {
                self.state = State::Whole;
                return Ok(copied);
            }
            self.append(buffer.get(..read).unwrap_or_default()).await?;
            copied = copied.saturating_add(read as u64);
        }
    }

    /// Writes the end and flushes, and gives the writer back. Whether the bytes outlast a power cut
    /// is the writer's matter.
    ///
    /// # Errors
    /// Those of [`ArchiveWriter::write`], and `Conflict` when the content has another size than the
    /// manifest says.
    pub async fn finish(mut self) -> Result<W> {
        self.check()?;
        let size = self.bytes.saturating_add(self.chunk.len() as u64);
        if let Some(said) = self.opened.manifest.size
            && said != size
        {
            let message = format!("the backup has {size} bytes where {said} were announced");
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        self.seal(Part::Last).await?;
        self.to.flush().await.map_err(cannot_write)?;
        Ok(self.to)
    }

    /// Seals and writes what is waiting.
    async fn seal(&mut self, part: Part) -> Result<()> {
        let before = mem::replace(&mut self.state, State::Broken);
        let Some(next) = self.counter.checked_add(1) else {
            let message = "an archive holds 256 TiB at most";
            return Err(Error::new(ErrorKind::TooLarge, message));
        };
        let content = self.chunk.len() as u64;
        let nonce = nonce(self.opened.prefix, self.counter, part);
        self.opened.cipher.seal(nonce, b"", &mut self.chunk)?;
        self.to.write_all(&self.chunk).await.map_err(cannot_write)?;
        self.chunk.clear();
        self.counter = next;
        self.bytes = self.bytes.saturating_add(content);
        let total = self.opened.manifest.size;
        let progress = Progress::new(Phase::Writing, self.bytes, total);
        self.listener.tell(progress);
        self.state = before;
        Ok(())
    }

    fn check(&self) -> Result<()> {
        if self.state == State::Whole {
            return Ok(());
        }
        let message = "the archive is lost, because a part of it could not be written or copied";
        Err(Error::new(ErrorKind::Internal, message))
    }
}

impl<W> fmt::Debug for ArchiveWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArchiveWriter")
            .field("manifest", &self.opened.manifest)
            .field("bytes", &self.bytes)
            .field("state", &self.state)
            .field("listener", &self.listener)
            .finish_non_exhaustive()
    }
}

fn cannot_write(error: std::io::Error) -> Error {
    io_failed("write the archive", error)
}
