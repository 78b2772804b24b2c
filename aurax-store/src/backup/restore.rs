//! A store out of an archive.

#[cfg(feature = "sqlite")]
use std::path::Path;
use std::path::PathBuf;

use aurax_core::{Error, ErrorKind, Result};
use tokio::fs::File;

use super::{ArchiveReader, Manifest, Phase, Progress, StoreKind, Watch};
use crate::durable::failed;
use crate::vault::KeyRing;

/// Makes a store of an archive, or sees whether one could be made.
///
/// Nothing that exists is overwritten, and nothing of the archive is believed before it was read
/// to its end. The store is as it was when the backup was begun: calls that were in flight then
/// are settled as those of a program that died.
///
/// ```no_run
/// use aurax_store::backup::Restore;
/// use aurax_store::{KeyFile, Store};
///
/// # #[cfg(feature = "sqlite")]
/// # async fn run() -> aurax_core::Result<()> {
/// let keys = KeyFile::new("aurax.keys").read()?;
/// let archive = "backups/aurax-20261122T065911123Z.backup";
/// Restore::new(archive, keys).into_sqlite("restored.db").await?;
/// let store = Store::sqlite("restored.db").await?;
/// # drop(store);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Restore {
    archive: PathBuf,
    keys: KeyRing,
    watch: Watch,
}

impl Restore {
    /// The archive in a file, and the keys one of which it was sealed with.
    pub fn new(archive: impl Into<PathBuf>, keys: KeyRing) -> Self {
        Self {
            archive: archive.into(),
            keys,
            watch: Watch::default(),
        }
    }

    /// Tells `listen` how far it is. It must not wait.
    #[must_use]
    pub fn with_progress(self, listen: impl FnMut(Progress) + Send + 'static) -> Self {
        self.with_watch(Watch::new(listen))
    }

    pub(super) fn with_watch(mut self, watch: Watch) -> Self {
        self.watch = watch;
        self
    }

    /// Reads the archive to its end and says what it holds. Nothing is written.
    ///
    /// # Errors
    /// - `Config` when there is no such file, or `keys` lack the key that sealed it; the message
    ///   names it.
    /// - `Decode` or `Truncated` when it is no archive, damaged, or not whole.
    /// - `Unsupported` for what only a later version reads.
    ///
    /// # Cancel safety
    /// Nothing is changed.
    pub async fn verify(&self) -> Result<Manifest> {
        self.verified(&mut self.file().await?).await
    }

    /// Makes a database file at `path`, which only its owner may read, in a folder that is there.
    ///
    /// # Errors
    /// - Those of [`Restore::verify`].
    /// - `Conflict` when there is a file at `path` that is not empty, or one that SQLite would
    ///   read along with it.
    /// - `InvalidRequest` when the archive holds a store of PostgreSQL.
    /// - `Config` when a newer program made it; when the folder may not be written.
    /// - `Decode` when its database is damaged.
    /// - `Internal` when the disk fails.
    ///
    /// # Cancel safety
    /// A future dropped before it is ready leaves a whole store or none.
    #[cfg(feature = "sqlite")]
    pub async fn into_sqlite(self, path: impl AsRef<Path> + Send) -> Result<Manifest> {
        use super::{Scratch, blocking};
        use crate::db::sqlite::copy::{check, newest};

        let path = path.as_ref().to_owned();
        let mut reader = ArchiveReader::open(self.file().await?, &self.keys).await?;
        expect(reader.manifest(), StoreKind::Sqlite, newest())?;
        let target = path.clone();
        let (scratch, file) = blocking(move || {
            room(&target)?;
            Scratch::create(&target, ".restore")
        })
        .await?;
        reader = reader.with_progress(self.watch.during(Phase::Restoring));
        let mut file = File::from_std(file);
        let size = reader.copy_to(&mut file).await?;
        let synced = file.sync_all().await;
        synced.map_err(|error| failed("write the restored database", scratch.path(), error))?;
        drop(file);
        self.watch
            .tell(Progress::new(Phase::Checking, size, Some(size)));
        check(scratch.path()).await?;
        blocking(move || {
            // Somebody may have made a store there meanwhile.
            let existing = room(&path)?;
            scratch.place(&path, existing)
        })
        .await?;
        Ok(reader.manifest().clone())
    }

    /// Fills an empty database, of a server that is no older than the one the backup is from.
    ///
    /// `pg_restore` runs as a child process, in one transaction, as the owner that `options` name;
    /// the roles of the store's policies are made where they are missing. The store is then
    /// migrated and checked as when it is opened. Where the owner is no superuser it needs
    /// `CREATEROLE`, or roles that are there and that it is a member of.
    ///
    /// # Errors
    /// - Those of [`Restore::verify`].
    /// - `Conflict` when there is something in the database.
    /// - `InvalidRequest` when the archive holds a store of SQLite.
    /// - `Config` when a newer program made it; when `pg_restore` is missing; when the roles are
    ///   not what the store relies on.
    /// - `Store` when the server or `pg_restore` fails; the message says what it said first.
    ///
    /// The database is empty still, unless the error's context has `restored`: then everything is
    /// in it, and only what comes afterwards failed. Open the store, which does it again.
    ///
    /// # Cancel safety
    /// A future dropped before it is ready leaves the database empty, or restored without having
    /// been checked: drop it and begin anew.
    #[cfg(feature = "postgres")]
    pub async fn into_postgres(self, options: &crate::PostgresOptions) -> Result<Manifest> {
        use crate::db::postgres::copy::{Target, newest};

        let mut file = self.file().await?;
        let header = ArchiveReader::open(&mut file, &self.keys).await?;
        expect(header.manifest(), StoreKind::Postgres, newest())?;
        let target = Target::prepare(options).await?;
        self.rewind(&mut file).await?;
        self.verified(&mut file).await?;
        self.rewind(&mut file).await?;
        let reader = ArchiveReader::open(&mut file, &self.keys).await?;
        let mut reader = reader.with_progress(self.watch.during(Phase::Restoring));
        let size = target.fill(&mut reader).await?;
        self.watch
            .tell(Progress::new(Phase::Checking, size, Some(size)));
        let checked = target.check(options).await;
        checked.map_err(|error| {
            let message = "everything is restored, and what is checked afterwards failed";
            let hint = "open the store, which checks it again, or drop the database";
            error
                .with_context("restored", message)
                .with_context("next", hint)
        })?;
        Ok(reader.manifest().clone())
    }

    async fn file(&self) -> Result<File> {
        let file = File::open(&self.archive).await;
        file.map_err(|error| self.failed(error))
    }

    #[cfg(feature = "postgres")]
    async fn rewind(&self, file: &mut File) -> Result<()> {
        use tokio::io::AsyncSeekExt as _;
        let rewound = file.rewind().await;
        rewound.map(drop).map_err(|error| self.failed(error))
    }

    async fn verified(&self, file: &mut File) -> Result<Manifest> {
        let reader = ArchiveReader::open(file, &self.keys).await?;
        let mut reader = reader.with_progress(self.watch.during(Phase::Verifying));
        while reader.read().await?.is_some() {}
        Ok(reader.manifest().clone())
    }

    fn failed(&self, error: std::io::Error) -> Error {
        failed("read the archive", &self.archive, error)
    }
}

/// Refuses what this program makes no such store of.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
fn expect(manifest: &Manifest, kind: StoreKind, newest: i64) -> Result<()> {
    if manifest.store != kind {
        let message = format!(
            "the archive holds a store of the kind {}, which cannot become one of the kind {kind}",
            manifest.store
        );
        return Err(Error::new(ErrorKind::InvalidRequest, message));
    }
    if manifest.schema_version > newest {
        let message = format!(
            "the archive is newer than this program: it has migration {}, and this program knows \
             them up to {newest}; use version {} of AURAX, or a newer one",
            manifest.schema_version, manifest.aurax_version
        );
        return Err(Error::new(ErrorKind::Config, message));
    }
    Ok(())
}

/// What may be put at `path`, where nothing may be lost.
#[cfg(feature = "sqlite")]
fn room(path: &Path) -> Result<crate::durable::Existing> {
    use crate::durable::Existing;

    let taken = |path: &Path| {
        let message = format!(
            "there is a file {} already: a restore overwrites nothing",
            path.display()
        );
        Error::new(ErrorKind::Conflict, message)
    };
    for companion in super::scratch::companions(path) {
        if companion.symlink_metadata().is_ok() {
            return Err(taken(&companion));
        }
    }
    match path.symlink_metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Existing::Keep),
        Err(error) => Err(failed("look for", path, error)),
        Ok(facts) if facts.is_file() && facts.len() == 0 => Ok(Existing::Replace),
        Ok(_) => Err(taken(path)),
    }
}
