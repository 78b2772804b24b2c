//! Backups: encrypted archives, and which of them to keep.
//!
//! An archive holds what a backup program wrote — a database file, a dump — sealed by a key of its
//! own, which the current master key seals. [`Shelf`] keeps archives in a folder, named by time.
//!
//! A restore reads an archive to its end before it believes any of it: what [`ArchiveReader`]
//! hands out is what was written, but only the end shows that it is all of it.

mod archive;
mod shelf;

pub use archive::{ArchiveReader, ArchiveWriter, Manifest, Progress, StoreKind, key_of};
pub use shelf::{NewBackup, Shelf, StoredBackup};
