//! The archive format: a header, a manifest, and the content in sealed chunks.
//!
//! ```text
//! header     magic "AURAXBAK" · version 1 · id of the master key (8) · nonce prefix (7)
//!            · length of the manifest (4, big-endian) · the archive's key, sealed (60)
//! manifest   JSON, sealed · proof (16)
//! chunk*     64 KiB of content, sealed · proof (16); the last one may be shorter
//! ```
//!
//! Everything is AES-256-GCM. The nonce of a part is the prefix, a counter (4, big-endian) and what
//! the part is: a chunk, the last chunk, or the manifest. This is the STREAM construction (Hoang,
//! Reyhanitabar, Rogaway, Vizár: "Online Authenticated-Encryption and its Nonce-Reuse
//! Misuse-Resistance", 2015): a chunk opens at its own place of its own archive alone, and the end
//! is a part that cannot be left out. The sealed key is bound to all of the header before it.

mod header;
mod manifest;
mod reader;
mod writer;

use std::fmt;

use aurax_core::{Error, ErrorKind, Retry};

pub use header::key_of;
pub use manifest::{Manifest, StoreKind};
pub use reader::ArchiveReader;
pub use writer::ArchiveWriter;

use crate::cipher::NONCE;

/// Bytes of content in each chunk but the last.
const CHUNK: usize = 64 * 1024;

/// Bytes of a nonce that all parts of an archive share.
const PREFIX: usize = NONCE - 5;

/// What a part of an archive is: the last byte of its nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Part {
    Chunk = 0,
    Last = 1,
    Manifest = 2,
}

/// The nonce of the part `counter`; no two parts of an archive share one.
fn nonce(prefix: [u8; PREFIX], counter: u32, part: Part) -> [u8; NONCE] {
    let [a, b, c, d, e, f, g] = prefix;
    let [h, i, j, k] = counter.to_be_bytes();
    [a, b, c, d, e, f, g, h, i, j, k, part as u8]
}

/// What is being done with a store's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// SQLite: a copy of the database is made, from which the archive is then written.
    Copying,
    /// The archive is written.
    Writing,
    /// The archive is read to its end, to see that it is whole.
    Verifying,
    /// The archive is read, and what it holds is written where it is restored.
    Restoring,
    /// What was restored is checked.
    Checking,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Copying => "copying",
            Self::Writing => "writing",
            Self::Verifying => "verifying",
            Self::Restoring => "restoring",
            Self::Checking => "checking",
        })
    }
}

/// How far a backup or a restore is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// What is being done.
    pub phase: Phase,
    /// Bytes of content so far, in this phase.
    pub bytes: u64,
    /// Bytes of the whole content, where they are known beforehand.
    pub total: Option<u64>,
}

impl Progress {
    pub(crate) const fn new(phase: Phase, bytes: u64, total: Option<u64>) -> Self {
        Self {
            phase,
            bytes,
            total,
        }
    }
}

/// Where progress is told.
struct Listener(Option<Box<dyn FnMut(Progress) + Send>>);

impl Listener {
    fn tell(&mut self, progress: Progress) {
        if let Some(listen) = &mut self.0 {
            listen(progress);
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "Some(…)"
        } else {
            "None"
        })
    }
}

fn truncated(message: &str) -> Error {
    // A second look at the same bytes finds them as short.
    Error::new(ErrorKind::Truncated, message).with_retry(Retry::Never)
}

fn damaged(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Decode, message)
}

fn io_failed(what: &str, error: std::io::Error) -> Error {
    Error::new(ErrorKind::Internal, format!("cannot {what}: {error}")).with_source(error)
}
