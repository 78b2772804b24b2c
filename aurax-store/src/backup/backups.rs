//! Backups of one store: now, and by themselves.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use aurax_core::{Error, ErrorKind, Result};
use time::OffsetDateTime;

use super::{Phase, Progress, Restore, Shelf, Source, StoredBackup, Watch, blocking};
use crate::jobs::JobLease;
use crate::store::Store;
use crate::vault::{KeyFile, KeyRing};

/// The name of the job, of which one process at a time holds the lease.
const JOB: &str = "backup";
/// How long a process that died keeps others from backing up.
const LEASE: Duration = Duration::from_secs(300);
/// How often the lease is held for another while.
const RENEWAL: Duration = Duration::from_secs(60);
/// After so many renewals without progress a backup is given up: a server may hang for ever.
const STALLED: u32 = 15;
/// From the beginning of one backup to that of the next, unless said otherwise.
const EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// How soon what failed, or what another process is doing, is looked at again.
const SOON: Duration = Duration::from_secs(60);
/// The longest time without a look: a clock may be set, and a machine sleep.
const LATE: Duration = Duration::from_secs(15 * 60);

/// Where the keys are that seal backups.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum KeySource {
    /// These, and no others.
    Ring(KeyRing),
    /// Those that the file has when they are asked for.
    File(KeyFile),
}

impl KeySource {
    async fn read(&self) -> Result<KeyRing> {
        match self {
            Self::Ring(ring) => Ok(ring.clone()),
            Self::File(file) => {
                let file = file.clone();
                blocking(move || file.read()).await
            }
        }
    }
}

impl From<KeyRing> for KeySource {
    fn from(ring: KeyRing) -> Self {
        Self::Ring(ring)
    }
}

impl From<KeyFile> for KeySource {
    fn from(file: KeyFile) -> Self {
        Self::File(file)
    }
}

/// The backups of a store, each of all of it as it was at one moment, on a [`Shelf`].
///
/// Calls go on while a backup is made. One process at a time makes one; replicas on a schedule
/// share the shelf's folder, or else each fills its own.
///
/// **SQLite.** A copy of the database is made beside it, readable by its owner alone, and is
/// removed when the archive is written: there must be room for it. While it is made the
/// write-ahead log keeps what is written.
///
/// **PostgreSQL.** `pg_dump`, of the server's version or newer, runs as a child process, whose
/// output goes straight into the archive. It logs in with
/// `PostgresOptions::with_backup_url`, as a role that
/// may read every row: a superuser, or one with `BYPASSRLS` and `pg_read_all_data`. Roles and
/// their passwords are the server's and are in no backup.
///
/// ```no_run
/// use aurax_store::backup::{Backups, Shelf};
/// use aurax_store::{KeyFile, Store};
///
/// # #[cfg(feature = "sqlite")]
/// # async fn run() -> aurax_core::Result<()> {
/// let store = Store::sqlite("aurax.db").await?;
/// let keys = KeyFile::new("aurax.keys");
/// let backups = Backups::new(&store, Shelf::new("backups"), keys);
/// let backup = backups.now().await?;
/// println!("{}", backup.path.display());
/// // Every 24 hours, for as long as the program runs.
/// tokio::spawn(async move { backups.run().await });
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Backups {
    store: Store,
    shelf: Shelf,
    keys: KeySource,
    every: Duration,
    renewal: Duration,
    watch: Watch,
}

impl Backups {
    /// Backups of `store` on `shelf`, sealed with the current key of `keys`, every 24 hours. A
    /// [`KeyFile`] is read anew for each, so that a master key that was added meanwhile is used.
    pub fn new(store: &Store, shelf: Shelf, keys: impl Into<KeySource>) -> Self {
        Self {
            store: store.clone(),
            shelf,
            keys: keys.into(),
            every: EVERY,
            renewal: RENEWAL,
            watch: Watch::default(),
        }
    }

    /// On a schedule, begins a backup so long after the last one was begun; 24 hours unless set.
    #[must_use]
    pub const fn with_interval(mut self, every: Duration) -> Self {
        self.every = every;
        self
    }

    /// Tells `listen` how far a backup is: several times a second, and from other threads. It
    /// must not wait.
    #[must_use]
    pub fn with_progress(mut self, listen: impl FnMut(Progress) + Send + 'static) -> Self {
        self.watch = Watch::new(listen);
        self
    }

    /// Makes a backup, reads it back to see that it is whole, and only then removes those that
    /// are older than what the shelf keeps. What killed programs left on the shelf goes first.
    ///
    /// # Errors
    /// - `Conflict` while another process makes one, and for five minutes after it was killed at
    ///   that.
    /// - `Unsupported` for a store in memory.
    /// - `Config` when the shelf's folder cannot be written; when `pg_dump` is missing or older
    ///   than the server, or its role may not read every row.
    /// - `Store` when the database or `pg_dump` fails, the message says what it said first; when
    ///   nothing moved for a quarter of an hour.
    /// - `Internal` when the disk fails.
    ///
    /// After an error the shelf holds what it held.
    ///
    /// # Cancel safety
    /// Nothing stays of a backup when the future is dropped, but the next one waits for up to five
    /// minutes.
    pub async fn now(&self) -> Result<StoredBackup> {
        let lease = self.lease().await?.ok_or_else(|| {
            let message = "another backup is being made, or was cut short just now: wait for it";
            Error::new(ErrorKind::Conflict, message)
        })?;
        self.leased(lease).await
    }

    /// When the next backup on the schedule is due: an interval after the newest one on the
    /// shelf was begun, and at once where there is none.
    ///
    /// # Errors
    /// `Config` when the shelf's folder cannot be read.
    pub async fn due_at(&self) -> Result<OffsetDateTime> {
        let now = self.store.now();
        let stored = self.shelf.list().await?;
        Ok(due(
            stored.iter().map(|backup| backup.created_at),
            now,
            self.every,
        ))
    }

    /// Makes a backup where one is due and no other process makes it: `None` otherwise.
    ///
    /// # Errors
    /// As of [`Backups::now`], but for the first.
    ///
    /// # Cancel safety
    /// As of [`Backups::now`].
    pub async fn run_due(&self) -> Result<Option<StoredBackup>> {
        if self.due_at().await? > self.store.now() {
            return Ok(None);
        }
        let Some(lease) = self.lease().await? else {
            return Ok(None);
        };
        // Whoever held the lease may have made it meanwhile.
        if self.due_at().await? > self.store.now() {
            lease.give_up().await?;
            return Ok(None);
        }
        self.leased(lease).await.map(Some)
    }

    /// Makes each backup when it is due, for as long as the future is kept. One that fails is
    /// logged as an error and tried again after a minute, and after ever longer pauses up to a
    /// quarter of an hour; until it succeeds the earlier ones stay.
    ///
    /// # Cancel safety
    /// As of [`Backups::now`].
    pub async fn run(&self) -> Infallible {
        let mut failures = 0_u32;
        loop {
            let made = self.run_due().await;
            let next = match made {
                Ok(_) => self.due_at().await,
                Err(error) => Err(error),
            };
            let wait = match next {
                Ok(next) => {
                    failures = 0;
                    pause(next, self.store.now(), self.every)
                }
                Err(error) => {
                    failures = failures.saturating_add(1);
                    let wait = backoff(failures, self.every);
                    tracing::error!(%error, failures, retry_in = ?wait, "a backup failed");
                    wait
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    async fn lease(&self) -> Result<Option<JobLease>> {
        let time = time::Duration::try_from(LEASE).unwrap_or(time::Duration::MINUTE);
        self.store.jobs().lease(JOB, time).await
    }

    /// Makes a backup for as long as the lease is this process's.
    async fn leased(&self, mut lease: JobLease) -> Result<StoredBackup> {
        let watch = self.watch.anew();
        let made = tokio::select! {
            made = self.make(&watch) => made,
            lost = hold(&mut lease, &watch, self.renewal) => Err(lost),
        };
        let left = match made {
            Ok(_) => lease.finish().await,
            Err(_) => lease.give_up().await,
        };
        if let Err(error) = left {
            tracing::warn!(%error, "the lease of the backup stays until its time is over");
        }
        made
    }

    async fn make(&self, watch: &Watch) -> Result<StoredBackup> {
        let source = self.source()?;
        for left in self.shelf.abandoned().await? {
            remove(&left).await;
        }
        // Before the moment that the content is of, so that nothing older is missing; as its name
        // will say it.
        let at = self.store.now().truncate_to_millisecond();
        let keys = self.keys.read().await?;
        let master_keys = self.store.jobs().master_keys_in_use().await?;
        let mut content = source.open(watch).await?;
        let manifest = content.manifest(at).with_master_keys(master_keys);
        let begun = self.shelf.begin(&keys, &manifest).await?;
        let mut archive = begun.with_progress(watch.during(Phase::Writing));
        archive.copy_from(&mut content.reader()).await?;
        content.end().await?;
        let sealed = archive.seal().await?;
        let restore = Restore::new(sealed.path(), keys).with_watch(watch.clone());
        if let Err(error) = restore.verify().await {
            let message = "the backup that was written cannot be read back: check its disk";
            return Err(Error::new(ErrorKind::Internal, message).with_source(error));
        }
        let stored = sealed.place().await?;
        let latest = later(self.store.now(), self.every);
        for old in self.shelf.surplus(latest).await? {
            if old != stored {
                remove(&old.path).await;
            }
        }
        Ok(stored)
    }

    fn source(&self) -> Result<Arc<dyn Source>> {
        self.store.db().source().ok_or_else(|| {
            let message = "a store in memory has no backups: keep it in a file";
            Error::new(ErrorKind::Unsupported, message)
        })
    }
}

/// Holds the lease until it is lost, or nothing moves any more.
async fn hold(lease: &mut JobLease, watch: &Watch, renewal: Duration) -> Error {
    let (mut last, mut idle) = (String::new(), 0_u32);
    loop {
        tokio::time::sleep(renewal).await;
        let now = watch.last();
        idle = if now == last {
            idle.saturating_add(1)
        } else {
            0
        };
        last = now;
        if idle >= STALLED {
            let message = "the backup does not get on any more: check that the database answers";
            return Error::new(ErrorKind::Store, message).with_context("last", last);
        }
        match lease.note(last.as_str()).await {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Conflict => return error,
            Err(error) => tracing::warn!(%error, "the lease of the backup was not renewed"),
        }
    }
}

/// Removes a file that nobody needs; that it stays is no reason to fail.
async fn remove(path: &std::path::Path) {
    match tokio::fs::remove_file(path).await {
        Ok(()) => tracing::info!(path = %path.display(), "removed a backup"),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "a backup could not be removed");
        }
    }
}

/// When the next backup is due. One that claims to be of a time still far away says nothing about
/// when the last one was made.
fn due(
    made: impl Iterator<Item = OffsetDateTime>,
    now: OffsetDateTime,
    every: Duration,
) -> OffsetDateTime {
    let latest = later(now, every);
    let made = made.filter(|at| *at <= latest).max();
    made.map_or(now, |at| later(at, every))
}

fn later(at: OffsetDateTime, every: Duration) -> OffsetDateTime {
    let every = time::Duration::try_from(every).unwrap_or(time::Duration::MAX);
    at.saturating_add(every)
}

/// How long to wait for what is due `next`; what is due already, another process is doing.
fn pause(next: OffsetDateTime, now: OffsetDateTime, every: Duration) -> Duration {
    let left = Duration::try_from(next - now).unwrap_or(Duration::ZERO);
    left.clamp(SOON.min(every), LATE)
}

/// How long to wait after so many failures.
fn backoff(failures: u32, every: Duration) -> Duration {
    let doubled = SOON.saturating_mul(1_u32 << failures.saturating_sub(1).min(10));
    doubled.min(LATE).min(every)
}

#[cfg(test)]
mod tests;
