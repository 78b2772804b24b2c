//! Master keys in a file.

#[cfg(test)]
mod tests;
pub(super) mod text;

use std::fs::{self, File, TryLockError};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use aurax_core::{Error, ErrorKind, Result, Retry};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::keyring::{KeyId, KeyRing, MasterKey};
use crate::durable::{self, Existing, beside, failed};

/// The longest file that is read, in bytes.
const MAX: usize = 64 * 1024;

/// A file of master keys, which only its owner may read (mode 0600).
///
/// The first line is `aurax-keys v1`. Each other line holds 32 bytes in base64, the current key
/// first; what follows a `#` is a comment. The file changes as a whole or not at all, whenever the
/// machine stops; two processes never change it at once, for which a file of the same name with
/// `.lock` at its end stays beside it.
///
/// Its methods block the thread for as long as the disk takes.
///
/// Backups hold what these keys sealed, never the keys: keep a copy of the file in another place.
/// Where several processes have a copy each, give the new file to all of them before one of them
/// seals with the new key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFile {
    path: PathBuf,
}

impl KeyFile {
    /// The file at `path`, which need not be there yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the file with one new key; `now` goes into its comment.
    ///
    /// # Errors
    /// `Conflict` when there is such a file, which stays as it is; `Config` or `Internal` when it
    /// cannot be written.
    pub fn create(&self, now: OffsetDateTime) -> Result<KeyRing> {
        let _lock = self.lock(&self.path)?;
        let key = MasterKey::random()?;
        let text = text::first(&key, now)?;
        durable::write(&self.path, text.as_bytes(), Existing::Keep)
            .map_err(|error| failed("make the key file", &self.path, error))?;
        KeyRing::new(vec![key], &self.place())
    }

    /// Reads the keys.
    ///
    /// # Errors
    /// `Config` when the file is not there, others than its owner may read it, or a line of it is
    /// no key. The message names the file, and the line or the command that helps, and never shows
    /// what is in the file.
    pub fn read(&self) -> Result<KeyRing> {
        self.parse(&self.read_text(&self.path)?)
    }

    /// Adds a new key, which becomes the current one. It is on the disk when this returns.
    ///
    /// # Errors
    /// Those of [`KeyFile::read`]; `Conflict` while another process changes the file, and when it
    /// holds [`KeyRing::MAX`] keys. After any error all earlier keys are still in the file.
    pub fn add(&self, now: OffsetDateTime) -> Result<KeyRing> {
        self.change(|file, ring| {
            if ring.ids().count() >= KeyRing::MAX {
                let message = format!(
                    "{} holds {} keys already: seal everything with the current one, then drop \
                    earlier ones",
                    self.place(),
                    KeyRing::MAX
                );
                return Err(Error::new(ErrorKind::Conflict, message).with_retry(Retry::Never));
            }
            text::with_current(file, &MasterKey::random()?, now)
        })
    }

    /// Drops every earlier key that seals nothing any more. `in_use` are those that stay: the keys
    /// that stored secrets **and backups** are sealed with, as
    /// [`JobScope::master_keys_in_use`](crate::JobScope::master_keys_in_use) and
    /// [`Shelf::master_keys`](crate::backup::Shelf::master_keys) say. The current key always stays.
    ///
    /// # Errors
    /// Those of [`KeyFile::add`], and `Config` when the file lacks a key of `in_use`, because then
    /// it is not the file of those secrets.
    pub fn drop_unused(&self, in_use: &[KeyId]) -> Result<KeyRing> {
        self.change(|file, ring| {
            if let Some(missing) = in_use.iter().find(|id| !ring.contains(**id)) {
                let message = format!(
                    "{} lacks master key {missing}, which is in use: nothing was dropped",
                    self.place()
                );
                return Err(Error::new(ErrorKind::Config, message));
            }
            let current = ring.current();
            text::without(file, &self.place(), |id| {
                id != current && !in_use.contains(&id)
            })
        })
    }

    fn change(
        &self,
        edit: impl FnOnce(&str, &KeyRing) -> Result<Zeroizing<String>>,
    ) -> Result<KeyRing> {
        // A link to the file stays a link.
        let path = fs::canonicalize(&self.path)
            .map_err(|error| failed("find the key file", &self.path, error))?;
        let _lock = self.lock(&path)?;
        let text = self.read_text(&path)?;
        let edited = edit(&text, &self.parse(&text)?)?;
        // What could not be read back must not replace what can.
        let ring = self.parse(&edited)?;
        durable::write(&path, edited.as_bytes(), Existing::Replace)
            .map_err(|error| failed("write the key file", &path, error))?;
        Ok(ring)
    }

    fn parse(&self, text: &str) -> Result<KeyRing> {
        KeyRing::new(text::read(text, &self.place())?, &self.place())
    }

    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn read_text(&self, path: &Path) -> Result<Zeroizing<String>> {
        let cannot = |error| failed("read the key file", path, error);
        let file = File::open(path).map_err(cannot)?;
        self.check(&file)?;
        // Room for all of it: a buffer that grows would leave copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(MAX + 64));
        let limit = MAX as u64 + 1;
        file.take(limit).read_to_end(&mut bytes).map_err(cannot)?;
        if bytes.len() > MAX {
            let message = format!("{} is longer than {MAX} bytes", self.place());
            return Err(Error::new(ErrorKind::Config, message));
        }
        String::from_utf8(std::mem::take(&mut *bytes))
            .map(Zeroizing::new)
            .map_err(|error| {
                drop(Zeroizing::new(error.into_bytes()));
                let message = format!("{} is not a text: it is no key file", self.place());
                Error::new(ErrorKind::Config, message)
            })
    }

    /// Looks at the open file, so that no other file can take its place in between.
    fn check(&self, file: &File) -> Result<()> {
        let facts = file
            .metadata()
            .map_err(|error| failed("read the key file", &self.path, error))?;
        let place = self.place();
        if !facts.is_file() {
            return Err(Error::new(ErrorKind::Config, format!("{place} is no file")));
        }
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::MetadataExt::mode(&facts) & 0o777;
            if mode & 0o077 != 0 {
                let message = format!(
                    "others than its owner may read or change the key file {place} (mode \
                    {mode:04o}): run `chmod 600 {place}`"
                );
                return Err(Error::new(ErrorKind::Config, message));
            }
        }
        Ok(())
    }

    /// Keeps other processes from changing the file until the lock is dropped.
    fn lock(&self, path: &Path) -> Result<File> {
        let lock = beside(path, "", ".lock");
        let cannot = |error| failed("lock the key file with", &lock, error);
        let file = durable::lock_file(&lock).map_err(cannot)?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => {
                let message = format!("another process is changing {}: try again", self.place());
                Err(Error::new(ErrorKind::Conflict, message))
            }
            Err(TryLockError::Error(error)) => Err(cannot(error)),
        }
    }
}
