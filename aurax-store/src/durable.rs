//! Files that are there whole or not at all, whenever the machine stops.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use aurax_core::{Error, ErrorKind};

/// What becomes of a file that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    /// It stays, and writing fails with `AlreadyExists`.
    Keep,
    Replace,
}

/// A step of [`write`] that is behind it; a test stops there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Cleared,
    Made,
    Written,
    Synced,
    Placed,
    Settled,
}

/// Writes a file that only its owner may read.
///
/// Two writers of one path exclude each other before they call: they share the draft's name.
/// An error after the file was placed leaves the content in place, though a power cut may still
/// bring the earlier one back.
pub(crate) fn write(path: &Path, content: &[u8], existing: Existing) -> io::Result<()> {
    let written = write_stepwise(path, content, existing, &mut |_| Ok(()));
    if written.is_err()
        && let Err(error) = clear(&draft_of(path))
    {
        tracing::warn!(%error, path = %path.display(), "a half-written file stays beside its place");
    }
    written
}

/// [`write`], which tells after each step that it took it and, like a power cut, leaves everything
/// as it is when told to stop.
pub(crate) fn write_stepwise(
    path: &Path,
    content: &[u8],
    existing: Existing,
    after: &mut dyn FnMut(Step) -> io::Result<()>,
) -> io::Result<()> {
    let draft = draft_of(path);
    // Never truncated: after a power cut it may be another name of the file in place.
    clear(&draft)?;
    after(Step::Cleared)?;
    let mut file = create_private(&draft)?;
    after(Step::Made)?;
    file.write_all(content)?;
    after(Step::Written)?;
    file.sync_all()?;
    after(Step::Synced)?;
    place(&draft, path, existing)?;
    after(Step::Placed)?;
    sync_folder_of(path)?;
    after(Step::Settled)
}

/// Gives a finished file its name.
pub(crate) fn place(draft: &Path, path: &Path, existing: Existing) -> io::Result<()> {
    match existing {
        Existing::Replace => fs::rename(draft, path),
        // The one way of the standard library's that fails where a file has the name.
        Existing::Keep => fs::hard_link(draft, path).and_then(|()| fs::remove_file(draft)),
    }
}

/// Creates a file that is not there yet, and that only its owner may read.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    private().write(true).create_new(true).open(path)
}

/// Opens a file that holds nothing, made where it is not there, to lock it.
pub(crate) fn lock_file(path: &Path) -> io::Result<File> {
    private().append(true).create(true).open(path)
}

fn private() -> OpenOptions {
    let mut options = File::options();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes the names in a file's folder outlast a power cut.
pub(crate) fn sync_folder_of(path: &Path) -> io::Result<()> {
    // Other systems neither open folders nor need it.
    if cfg!(unix) {
        File::open(folder_of(path))?.sync_all()?;
    }
    Ok(())
}

/// A path beside `path`: its name with `prefix` and `suffix`.
pub(crate) fn beside(path: &Path, prefix: &str, suffix: &str) -> PathBuf {
    let mut name = OsString::from(prefix);
    name.push(path.file_name().unwrap_or_default());
    name.push(suffix);
    path.with_file_name(name)
}

/// What went wrong with a file, which the error names.
pub(crate) fn failed(what: &str, path: &Path, error: io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::NotFound
        | io::ErrorKind::PermissionDenied
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Config,
        io::ErrorKind::AlreadyExists => ErrorKind::Conflict,
        _ => ErrorKind::Internal,
    };
    Error::new(kind, format!("cannot {what} {}: {error}", path.display()))
        .with_retry(aurax_core::Retry::Never)
        .with_source(error)
}

fn draft_of(path: &Path) -> PathBuf {
    beside(path, ".", ".new")
}

fn clear(draft: &Path) -> io::Result<()> {
    match fs::remove_file(draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// A folder of a test's own, removed when it ends.
#[cfg(test)]
pub(crate) mod testing {
    use std::path::{Path, PathBuf};

    #[derive(Debug)]
    pub(crate) struct Folder(PathBuf);

    impl Folder {
        pub(crate) fn new() -> Self {
            let path = std::env::temp_dir().join(format!("aurax-{:032x}", fastrand::u128(..)));
            std::fs::create_dir(&path).unwrap();
            Self(path)
        }

        pub(crate) fn path(&self) -> &Path {
            &self.0
        }

        pub(crate) fn names(&self) -> Vec<String> {
            let mut names: Vec<_> = std::fs::read_dir(&self.0)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::Folder;
    use super::*;

    const STEPS: [Step; 6] = [
        Step::Cleared,
        Step::Made,
        Step::Written,
        Step::Synced,
        Step::Placed,
        Step::Settled,
    ];

    fn stop_after(last: Step) -> impl FnMut(Step) -> io::Result<()> {
        move |step| match step == last {
            true => Err(io::Error::other("power cut")),
            false => Ok(()),
        }
    }

    #[test]
    fn a_file_is_old_or_new_wherever_writing_stops() {
        for last in STEPS {
            let folder = Folder::new();
            let path = folder.path().join("file");
            write(&path, b"old", Existing::Keep).unwrap();
            let stop = &mut stop_after(last);
            write_stepwise(&path, b"new", Existing::Replace, stop).unwrap_err();
            let expected: &[u8] = match last {
                Step::Placed | Step::Settled => b"new",
                _ => b"old",
            };
            assert_eq!(fs::read(&path).unwrap(), expected, "{last:?}");
            write(&path, b"newer", Existing::Replace).unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"newer", "{last:?}");
            assert_eq!(folder.names(), ["file"], "{last:?}");
        }
    }

    #[test]
    fn a_file_that_is_there_stays_wherever_writing_stops() {
        for last in STEPS {
            let folder = Folder::new();
            let path = folder.path().join("file");
            let stop = &mut stop_after(last);
            write_stepwise(&path, b"first", Existing::Keep, stop).unwrap_err();
            let first = path.exists();
            let second = write(&path, b"second", Existing::Keep);
            let content = fs::read(&path).unwrap();
            if first {
                assert_eq!(second.unwrap_err().kind(), io::ErrorKind::AlreadyExists);
                assert_eq!(content, b"first", "{last:?}");
            } else {
                second.unwrap();
                assert_eq!(content, b"second", "{last:?}");
            }
            assert_eq!(folder.names(), ["file"], "{last:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read_at_any_time() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = Folder::new();
        let path = folder.path().join("file");
        write_stepwise(&path, b"hush", Existing::Keep, &mut |_| {
            for entry in fs::read_dir(folder.path())? {
                assert_eq!(entry?.metadata()?.permissions().mode() & 0o777, 0o600);
            }
            Ok(())
        })
        .unwrap();
        assert_eq!(folder.names(), ["file"]);
    }

    #[test]
    fn a_name_without_a_folder_is_in_the_current_one() {
        assert_eq!(folder_of(Path::new("keys")), Path::new("."));
        assert_eq!(
            draft_of(Path::new("/data/keys")),
            Path::new("/data/.keys.new")
        );
    }

    #[test]
    fn an_error_names_the_file() {
        let error = write(Path::new("/nowhere/at/all"), b"", Existing::Keep).unwrap_err();
        let error = failed("write", Path::new("/nowhere/at/all"), error);
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(
            error
                .message()
                .starts_with("cannot write /nowhere/at/all: ")
        );
    }
}
