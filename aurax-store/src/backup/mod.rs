//! Backups: a store's whole content in encrypted archives, which of them to keep, and the way back.
//!
//! [`Backups`] makes them, now or by itself on a schedule; [`Restore`] makes a store of one.
//!
//! An archive holds what a backup program wrote — a database file, a dump — sealed by a key of its
//! own, which the current master key seals. [`Shelf`] keeps archives in a folder, named by time.
//! The master keys are in no backup: keep the key file in another place.
//!
//! A restore reads an archive to its end before it believes any of it: what [`ArchiveReader`]
//! hands out is what was written, but only the end shows that it is all of it.

mod archive;
mod backups;
mod restore;
#[cfg(feature = "sqlite")]
mod scratch;
mod shelf;
mod source;
mod watch;

use aurax_core::{Error, ErrorKind, Result};

pub use archive::{ArchiveReader, ArchiveWriter, Manifest, Phase, Progress, StoreKind, key_of};
pub use backups::{Backups, KeySource};
pub use restore::Restore;
#[cfg(feature = "sqlite")]
pub(crate) use scratch::Scratch;
pub use shelf::{NewBackup, Shelf, StoredBackup};
pub(crate) use source::{Content, Source};
pub(crate) use watch::Watch;

/// Runs what waits for the disk beside the runtime.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| {
            let message = "the work on a backup was cut short";
            Err(Error::new(ErrorKind::Cancelled, message).with_source(error))
        })
}
