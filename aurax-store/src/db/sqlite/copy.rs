//! Copies of a whole database file, and what makes a file one of them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use aurax_core::{Error, ErrorKind, Result};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _, Row as _};
use time::OffsetDateTime;
use tokio::io::AsyncRead;

use super::{Applied, MIGRATIONS, due, pragma, read};
use crate::backup::{
    Content, Manifest, Phase, Progress, Scratch, Source, StoreKind, Watch, blocking,
};
use crate::durable::failed;

/// The end of the name of a copy that is being made.
const SNAPSHOT: &str = ".snapshot";
/// How long a copy waits for another process that repairs the log after a crash.
const PATIENCE: Duration = Duration::from_secs(5);
/// Steps of SQLite's machine between two looks at how far a copy is: a few hundred rows, however
/// long they are.
const STEPS: i32 = 1_000;

/// A database file to be backed up.
#[derive(Debug, Clone)]
pub(super) struct SqliteSource {
    path: PathBuf,
    options: SqliteConnectOptions,
}

impl SqliteSource {
    pub(super) fn new(path: PathBuf, options: SqliteConnectOptions) -> Self {
        Self { path, options }
    }
}

#[async_trait]
impl Source for SqliteSource {
    /// The copy lies beside the database: what may not read the one may not read the other, and
    /// there is room where the database has room.
    async fn open(&self, watch: &Watch) -> Result<Box<dyn Content>> {
        let stop = Stop::default();
        let made = make(self.clone(), watch.clone(), stop.flag.clone());
        // A statement runs to its end on a thread of its own. The task outlives a caller who
        // leaves, so that the file is removed after SQLite has let go of it.
        let snapshot = tokio::spawn(made).await.unwrap_or_else(|error| {
            let message = "the copy of the database broke off";
            Err(Error::new(ErrorKind::Internal, message).with_source(error))
        })?;
        Ok(Box::new(snapshot))
    }
}

/// Interrupts a copy whose caller has left.
#[derive(Debug, Default)]
struct Stop {
    flag: Arc<AtomicBool>,
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.flag.store(true, Ordering::Relaxed);
    }
}

/// A whole copy.
struct Snapshot {
    file: tokio::fs::File,
    size: u64,
    schema_version: i64,
    /// Removed after it was read and closed.
    _scratch: Scratch,
}

#[async_trait]
impl Content for Snapshot {
    fn manifest(&self, at: OffsetDateTime) -> Manifest {
        Manifest::new(StoreKind::Sqlite, self.schema_version, at).with_size(self.size)
    }

    fn reader(&mut self) -> &mut (dyn AsyncRead + Send + Unpin) {
        &mut self.file
    }

    /// Its size is in the manifest: less than all of it makes no archive.
    async fn end(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

async fn make(source: SqliteSource, watch: Watch, stop: Arc<AtomicBool>) -> Result<Snapshot> {
    let path = source.path.clone();
    let (scratch, file) = blocking(move || {
        let (scratch, _) = Scratch::create(&path, SNAPSHOT)?;
        let file = std::fs::File::open(scratch.path());
        let file = file.map_err(|error| failed("read the copy", scratch.path(), error))?;
        Ok((scratch, file))
    })
    .await?;
    let options = source.options.read_only(true).busy_timeout(PATIENCE);
    let mut connection = options.connect().await.map_err(read)?;
    let schema_version = version(&mut connection).await?;
    let copied = copy(&mut connection, &scratch, &file, watch, stop).await;
    let closed = connection.close().await.map_err(read);
    copied.and(closed)?;
    let size = file
        .metadata()
        .map_err(|error| failed("read the copy", scratch.path(), error))?;
    // SQLite made another file, because somebody had taken this one away.
    if size.len() == 0 {
        let message = "the copy was taken away by another backup: try again";
        return Err(Error::new(ErrorKind::Conflict, message));
    }
    Ok(Snapshot {
        file: tokio::fs::File::from_std(file),
        size: size.len(),
        schema_version,
        _scratch: scratch,
    })
}

/// Reads at one moment what goes into the copy; others go on to write.
async fn copy(
    connection: &mut SqliteConnection,
    scratch: &Scratch,
    file: &std::fs::File,
    watch: Watch,
    stop: Arc<AtomicBool>,
) -> Result<()> {
    let unreadable = |error| failed("read the copy", scratch.path(), error);
    let to = scratch.path().to_str().ok_or_else(|| {
        let message = "the path of the database is not UTF-8: SQLite copies to no such path";
        Error::new(ErrorKind::Config, message)
    })?;
    let total = size(connection).await?;
    watch.tell(Progress::new(Phase::Copying, 0, Some(total)));
    let file = file.try_clone().map_err(unreadable)?;
    let told = AtomicU64::new(0);
    let mut handle = connection.lock_handle().await.map_err(read)?;
    handle.set_progress_handler(STEPS, move || {
        let bytes = file.metadata().map_or(0, |facts| facts.len());
        if told.swap(bytes, Ordering::Relaxed) < bytes {
            watch.tell(Progress::new(Phase::Copying, bytes, Some(total)));
        }
        !stop.load(Ordering::Relaxed)
    });
    drop(handle);
    // Refused unless the file is empty: https://sqlite.org/lang_vacuum.html#vacuuminto
    sqlx::query("VACUUM INTO $1")
        .bind(to)
        .execute(connection)
        .await
        .map_err(read)?;
    Ok(())
}

/// Bytes of the database, from which a copy's differ by the room that it leaves out.
async fn size(connection: &mut SqliteConnection) -> Result<u64> {
    let count = pragma(connection, "PRAGMA page_count").await?;
    let size = pragma(connection, "PRAGMA page_size").await?;
    let number = |text: &str| text.parse::<u64>().unwrap_or(0);
    Ok(number(&count).saturating_mul(number(&size)))
}

/// The last migration.
async fn version(connection: &mut SqliteConnection) -> Result<i64> {
    let applied = applied(connection).await?;
    due(MIGRATIONS, &applied)?;
    Ok(applied.iter().map(|step| step.version).max().unwrap_or(0))
}

/// The steps that were taken.
pub(super) async fn applied(connection: &mut SqliteConnection) -> Result<Vec<Applied>> {
    let rows = sqlx::query("SELECT version, checksum FROM schema_migrations ORDER BY version")
        .fetch_all(connection)
        .await
        .map_err(read)?;
    let step = |row: &sqlx::sqlite::SqliteRow| {
        Ok(Applied {
            version: row.try_get(0).map_err(read)?,
            checksum: row.try_get(1).map_err(read)?,
        })
    };
    rows.iter().map(step).collect()
}

/// The last migration this program knows.
pub(crate) fn newest() -> i64 {
    MIGRATIONS.last().map_or(0, |step| step.version)
}

/// Looks whether a file is a whole store of this program, which nobody else has open. It is not
/// changed.
///
/// # Errors
/// `Decode` when it is damaged or no database; `Config` when it is the store of a newer program,
/// or of another one.
pub(crate) async fn check(path: &Path) -> Result<()> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .immutable(true)
        .read_only(true)
        .disable_statement_logging();
    let mut connection = options.connect().await.map_err(no_store)?;
    let found = examine(&mut connection).await;
    let closed = connection.close().await.map_err(read);
    found.and(closed)
}

async fn examine(connection: &mut SqliteConnection) -> Result<()> {
    let found: String = sqlx::query_scalar("PRAGMA integrity_check(1)")
        .fetch_one(&mut *connection)
        .await
        .map_err(no_store)?;
    if found != "ok" {
        let message = "the database in the archive is damaged: restore an earlier one";
        return Err(Error::new(ErrorKind::Decode, message).with_context("found", found));
    }
    let applied = applied(connection).await.map_err(|error| {
        let message = "the database in the archive is no store of AURAX";
        Error::new(ErrorKind::Decode, message).with_source(error)
    })?;
    due(MIGRATIONS, &applied).map(drop)
}

fn no_store(error: sqlx::Error) -> Error {
    let message = "the content of the archive is no database that can be read";
    Error::new(ErrorKind::Decode, message).with_source(error)
}
