//! A folder of backups.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use aurax_core::{Error, ErrorKind, Result};
use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset};
use tokio::io::{AsyncRead, AsyncSeekExt as _};

use super::{ArchiveReader, ArchiveWriter, Manifest, Progress, blocking, key_of};
use crate::durable::{self, Existing, beside, failed};
use crate::vault::{KeyId, KeyRing};

/// How many of the newest backups stay, unless said otherwise.
const KEEP: NonZeroUsize = NonZeroUsize::new(7).unwrap();

/// The most backups that a folder is listed with.
const MAX: usize = 100_000;

const NAME: &str = "aurax-";
const ARCHIVE: &str = ".backup";

/// What a draft's name has around that of the archive it will be.
const DRAFT: (&str, &str) = (".", ".partial");

/// A folder of archives, such as `aurax-20261122T065911123Z.backup`: each is named by the time it
/// was begun, in UTC.
///
/// A backup gets its name when it is whole and on the disk. Until then it is a hidden file whose
/// name ends in `.partial`. Other files in the folder are left alone.
#[derive(Debug, Clone)]
pub struct Shelf {
    folder: PathBuf,
    keep: NonZeroUsize,
}

/// An archive in a [`Shelf`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredBackup {
    /// Its file.
    pub path: PathBuf,
    /// When it was begun, as its name says.
    pub created_at: OffsetDateTime,
}

impl Shelf {
    /// The archives in `folder`, of which the newest seven stay. The folder must be there before
    /// anything is done with it.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            keep: KEEP,
        }
    }

    /// Keeps another number of the newest.
    #[must_use]
    pub fn with_keep(mut self, keep: NonZeroUsize) -> Self {
        self.keep = keep;
        self
    }

    /// Begins a backup, named by the manifest's time, that only its owner may read.
    ///
    /// # Errors
    /// `Config` when the folder is missing or may not be written, `Conflict` when there is a backup
    /// of the same millisecond, `Internal` when the disk fails.
    ///
    /// # Cancel safety
    /// Nothing stays of a backup when the future is dropped.
    pub async fn begin(&self, keys: &KeyRing, manifest: &Manifest) -> Result<NewBackup> {
        let stored = StoredBackup {
            path: self.folder.join(name(manifest.created_at)?),
            created_at: manifest.created_at,
        };
        let path = stored.path.clone();
        let (draft, file) = blocking(move || Draft::create(&path)).await?;
        let file = tokio::fs::File::from_std(file);
        Ok(NewBackup {
            archive: ArchiveWriter::begin(file, keys, manifest).await?,
            draft,
            stored,
        })
    }

    /// All whole backups, the newest first.
    ///
    /// # Errors
    /// `Config` when the folder cannot be read or holds more than 100,000 of them.
    ///
    /// # Cancel safety
    /// Nothing is changed.
    pub async fn list(&self) -> Result<Vec<StoredBackup>> {
        let folder = self.folder.clone();
        let mut stored = blocking(move || {
            matching(&folder, |path, name| {
                time_of(name).map(|created_at| StoredBackup { path, created_at })
            })
        })
        .await?;
        stored.sort_by(|a, b| (b.created_at, &b.path).cmp(&(a.created_at, &a.path)));
        Ok(stored)
    }

    /// The backups that need not stay: all but the newest. Those that claim to be later than
    /// `latest`, of a clock that was wrong, go before all others.
    ///
    /// # Errors
    /// Those of [`Shelf::list`].
    ///
    /// # Cancel safety
    /// Nothing is changed.
    pub async fn surplus(&self, latest: OffsetDateTime) -> Result<Vec<StoredBackup>> {
        let mut stored = self.list().await?;
        // Stable: each part stays in its order.
        stored.sort_by_key(|backup| backup.created_at > latest);
        Ok(stored.split_off(self.keep.get().min(stored.len())))
    }

    /// The master keys that its backups need, those that seal them and those that seal provider
    /// keys in them: what [`KeyFile::drop_unused`](crate::KeyFile::drop_unused) must keep besides
    /// [`JobScope::master_keys_in_use`](crate::JobScope::master_keys_in_use). A backup that `keys`
    /// do not open any more is passed over, with a warning.
    ///
    /// # Errors
    /// Those of [`Shelf::list`], and `Config`, `Decode`, `Truncated` or `Internal` when a backup
    /// cannot be read.
    ///
    /// # Cancel safety
    /// Nothing is changed.
    pub async fn master_keys(&self, keys: &KeyRing) -> Result<Vec<KeyId>> {
        let mut needed = BTreeSet::new();
        for stored in self.list().await? {
            let unreadable = |error| failed("read the backup", &stored.path, error);
            let mut file = tokio::fs::File::open(&stored.path)
                .await
                .map_err(unreadable)?;
            let key = key_of(&mut file).await?;
            if !keys.contains(key) {
                tracing::warn!(path = %stored.path.display(), %key, "no key opens a backup any more");
                continue;
            }
            needed.insert(key);
            file.rewind().await.map_err(unreadable)?;
            let archive = ArchiveReader::open(file, keys).await?;
            needed.extend(&archive.manifest().master_keys);
        }
        Ok(needed.into_iter().collect())
    }

    /// Half-written backups whose program ended before it could remove them.
    ///
    /// # Errors
    /// Those of [`Shelf::list`].
    ///
    /// # Cancel safety
    /// Nothing is changed.
    pub async fn abandoned(&self) -> Result<Vec<PathBuf>> {
        let folder = self.folder.clone();
        blocking(move || {
            matching(&folder, |path, name| {
                let name = name.strip_prefix(DRAFT.0)?.strip_suffix(DRAFT.1)?;
                time_of(name)?;
                // Whoever still writes it holds a lock on it.
                let file = File::open(&path).ok()?;
                file.try_lock().is_ok().then_some(path)
            })
        })
        .await
    }
}

/// A backup that is being written. Dropped before it is finished, it leaves nothing behind.
#[derive(Debug)]
pub struct NewBackup {
    archive: ArchiveWriter<tokio::fs::File>,
    draft: Draft,
    stored: StoredBackup,
}

impl NewBackup {
    /// Tells `listen` how far the backup is: [`ArchiveWriter::with_progress`].
    #[must_use]
    pub fn with_progress(mut self, listen: impl FnMut(Progress) + Send + 'static) -> Self {
        self.archive = self.archive.with_progress(listen);
        self
    }

    /// Appends content: [`ArchiveWriter::write`].
    ///
    /// # Errors
    /// `Internal` when it cannot be written.
    ///
    /// # Cancel safety
    /// That of [`ArchiveWriter`].
    pub async fn write(&mut self, content: &[u8]) -> Result<()> {
        self.archive.write(content).await
    }

    /// Appends all that `from` has: [`ArchiveWriter::copy_from`].
    ///
    /// # Errors
    /// `Internal` when it cannot be read or written.
    ///
    /// # Cancel safety
    /// That of [`ArchiveWriter`].
    pub async fn copy_from<R: AsyncRead + Unpin>(&mut self, from: &mut R) -> Result<u64> {
        self.archive.copy_from(from).await
    }

    /// Writes the end and, once it is on the disk, gives the backup its name.
    ///
    /// # Errors
    /// Those of [`ArchiveWriter::finish`], and `Internal` when the file cannot be synced or named.
    ///
    /// # Cancel safety
    /// A future dropped before it is ready leaves a whole backup or none.
    pub async fn finish(self) -> Result<StoredBackup> {
        self.seal().await?.place().await
    }

    /// Writes the end to the disk. The backup has no name yet.
    pub(super) async fn seal(self) -> Result<SealedBackup> {
        let file = self.archive.finish().await?;
        let synced = file.sync_all().await;
        synced.map_err(|error| failed("write the backup", &self.draft.path, error))?;
        Ok(SealedBackup {
            file,
            draft: self.draft,
            stored: self.stored,
        })
    }
}

/// A backup that is whole and has no name yet. Dropped, it leaves nothing behind.
#[derive(Debug)]
pub(super) struct SealedBackup {
    file: tokio::fs::File,
    draft: Draft,
    stored: StoredBackup,
}

impl SealedBackup {
    /// Where it is until it has its name.
    pub(super) fn path(&self) -> &Path {
        &self.draft.path
    }

    /// Gives it its name.
    pub(super) async fn place(self) -> Result<StoredBackup> {
        let Self {
            file,
            draft,
            stored,
        } = self;
        let path = stored.path.clone();
        // The lock goes with the file, after the file has its name.
        blocking(move || draft.place(&path)).await?;
        drop(file);
        Ok(stored)
    }
}

/// A file that is removed unless it gets its name.
#[derive(Debug)]
struct Draft {
    path: PathBuf,
    placed: bool,
}

impl Draft {
    fn create(path: &Path) -> Result<(Self, File)> {
        let draft = beside(path, DRAFT.0, DRAFT.1);
        let cannot = |error| failed("make the backup", path, error);
        // There is one draft of a name, so nobody else gives that name to a file meanwhile.
        let file = durable::create_private(&draft).map_err(cannot)?;
        let draft = Self {
            path: draft,
            placed: false,
        };
        match file.try_lock() {
            Ok(()) => {}
            // Such a file is never taken for abandoned.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(error) => return Err(cannot(error.into())),
        }
        if fs::exists(path).map_err(cannot)? {
            return Err(cannot(io::ErrorKind::AlreadyExists.into()));
        }
        Ok((draft, file))
    }

    fn place(mut self, path: &Path) -> Result<()> {
        let cannot = |error| failed("name the backup", path, error);
        durable::place(&self.path, path, Existing::Replace).map_err(cannot)?;
        self.placed = true;
        durable::sync_folder_of(path).map_err(cannot)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.placed
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(%error, path = %self.path.display(), "a half-written backup stays");
        }
    }
}

/// What `pick` makes of the files in a folder.
fn matching<T>(folder: &Path, pick: impl Fn(PathBuf, &str) -> Option<T>) -> Result<Vec<T>> {
    let cannot = |error| failed("list the backups in", folder, error);
    let mut picked = Vec::new();
    for entry in fs::read_dir(folder).map_err(cannot)? {
        let entry = entry.map_err(cannot)?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if !entry.file_type().is_ok_and(|kind| kind.is_file()) {
            continue;
        }
        picked.extend(pick(entry.path(), name));
        if picked.len() > MAX {
            let message = format!("{} holds more than {MAX} backups", folder.display());
            return Err(Error::new(ErrorKind::Config, message));
        }
    }
    Ok(picked)
}

/// The name of a backup begun `at`.
fn name(at: OffsetDateTime) -> Result<String> {
    let utc = at.checked_to_offset(UtcOffset::UTC);
    let utc = utc.filter(|utc| (0..=9999).contains(&utc.year()));
    let utc = utc.ok_or_else(|| {
        let message = "a backup is named by a time of the years 0 to 9999";
        Error::new(ErrorKind::InvalidRequest, message)
    })?;
    let (year, month, day) = utc.to_calendar_date();
    let (hour, minute, second, milli) = utc.to_hms_milli();
    Ok(format!(
        "{NAME}{year:04}{:02}{day:02}T{hour:02}{minute:02}{second:02}{milli:03}Z{ARCHIVE}",
        u8::from(month)
    ))
}

/// The time in the name of a backup; `None` for every other name.
fn time_of(file: &str) -> Option<OffsetDateTime> {
    let time = file.strip_prefix(NAME)?.strip_suffix(ARCHIVE)?;
    let number = |start: usize, end: usize| -> Option<u16> {
        let digits = time.get(start..end)?;
        let all = digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|_| all)
    };
    let small = |start, end| number(start, end).and_then(|number| u8::try_from(number).ok());
    let month = Month::try_from(small(4, 6)?).ok()?;
    let date = Date::from_calendar_date(number(0, 4)?.into(), month, small(6, 8)?).ok()?;
    let clock = Time::from_hms_milli(
        small(9, 11)?,
        small(11, 13)?,
        small(13, 15)?,
        number(15, 18)?,
    );
    let at = PrimitiveDateTime::new(date, clock.ok()?).assume_utc();
    // One time has one name.
    (name(at).ok()? == file).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_one_name_and_a_name_one_time() {
        let at = OffsetDateTime::from_unix_timestamp_nanos(1_795_330_751_123_000_000).unwrap();
        let named = name(at).unwrap();
        assert_eq!(named, "aurax-20261122T065911123Z.backup");
        assert_eq!(time_of(&named), Some(at));
        let elsewhere = at.to_offset(UtcOffset::from_hms(5, 30, 0).unwrap());
        assert_eq!(name(elsewhere).unwrap(), named);
        for file in [
            "",
            "aurax-.backup",
            "aurax-20261122T065911123Z",
            "aurax-20261122T065911123Z.backup.old",
            ".aurax-20261122T065911123Z.backup",
            "aurax-20261122 065911123Z.backup",
            "aurax-20261122T065911123+.backup",
            "aurax-20261122T06591112+Z.backup",
            "aurax-20261122T065911123éZ.backup",
            "aurax-2026é122T065911123Z.backup",
            "aurax-20261322T065911123Z.backup",
            "aurax-20260230T065911123Z.backup",
            "aurax-20261122T245911123Z.backup",
            "aurax-20261122T065960123Z.backup",
        ] {
            assert_eq!(time_of(file), None, "{file}");
        }
    }
}
