//! Database files that are not finished, in plain text for as long as they are worked on.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use aurax_core::Result;

use crate::durable::{self, Existing, beside, failed};

/// What SQLite may leave beside a database file.
const COMPANIONS: [&str; 3] = ["-journal", "-wal", "-shm"];

/// A hidden file beside a database, that only its owner may read. It is removed with the value
/// unless it gets its name.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
    placed: bool,
}

impl Scratch {
    /// Makes an empty one beside `database`, whose name ends in `kind`. Those of the same kind that
    /// a killed program left there go; work on one of them that goes on after all fails.
    ///
    /// # Errors
    /// `Config` when the folder is missing or may not be written.
    pub(crate) fn create(database: &Path, kind: &str) -> Result<(Self, File)> {
        // SQLite would take a name that begins with `file:` for an address.
        let cannot = |error| failed("make a file beside", database, error);
        let database = std::path::absolute(database).map_err(cannot)?;
        clear(&database, kind)?;
        let suffix = format!(".{}{kind}", aurax_core::new_id().simple());
        let path = beside(&database, ".", &suffix);
        let file = durable::create_private(&path).map_err(cannot)?;
        Ok((
            Self {
                path,
                placed: false,
            },
            file,
        ))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it the name of a database that is not there, or, told to replace it, of any. It must
    /// be on the disk by then; its name is when this returns.
    ///
    /// # Errors
    /// `Conflict` when there is such a file.
    pub(crate) fn place(mut self, database: &Path, existing: Existing) -> Result<()> {
        let cannot = |error| failed("name the restored database", database, error);
        durable::place(&self.path, database, existing).map_err(cannot)?;
        self.placed = true;
        durable::sync_folder_of(database).map_err(cannot)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.placed {
            remove(&self.path);
        }
        for companion in COMPANIONS {
            remove(&beside(&self.path, "", companion));
        }
    }
}

/// The files SQLite would read along with a database file.
pub(crate) fn companions(database: &Path) -> impl Iterator<Item = PathBuf> {
    COMPANIONS
        .map(|name| beside(database, "", name))
        .into_iter()
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(%error, path = %path.display(), "an unfinished database file stays");
    }
}

fn clear(database: &Path, kind: &str) -> Result<()> {
    let Some(folder) = database.parent() else {
        return Ok(());
    };
    let cannot = |error| failed("list the files beside", database, error);
    let own = beside(database, ".", ".");
    let own = own.file_name().unwrap_or_default().as_encoded_bytes();
    for entry in fs::read_dir(folder).map_err(cannot)? {
        let entry = entry.map_err(cannot)?;
        let name = entry.file_name();
        let name = name.as_encoded_bytes();
        let random = name
            .strip_prefix(own)
            .and_then(|rest| rest.get(32..).map(|end| (rest, end)))
            .is_some_and(|(rest, end)| {
                end.starts_with(kind.as_bytes()) && rest.iter().take(32).all(u8::is_ascii_hexdigit)
            });
        if random && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            tracing::info!(path = %entry.path().display(), "what an earlier program left goes");
            remove(&entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use crate::durable::testing::Folder;

    #[test]
    fn what_is_not_placed_leaves_nothing() {
        let folder = Folder::new();
        let database = folder.path().join("aurax.db");
        let (scratch, _) = Scratch::create(&database, ".snapshot").unwrap();
        for companion in COMPANIONS {
            fs::write(beside(scratch.path(), "", companion), "x").unwrap();
        }
        assert_eq!(folder.names().len(), 4);
        drop(scratch);
        assert_eq!(folder.names(), [] as [&str; 0]);
    }

    #[test]
    fn what_a_killed_program_left_goes_and_nothing_else() {
        let folder = Folder::new();
        let database = folder.path().join("aurax.db");
        let left = format!(".aurax.db.{}.snapshot", "0".repeat(32));
        let others = [
            ".aurax.db.snapshot".to_owned(),
            format!(".aurax.db.{}.restore", "0".repeat(32)),
            format!(".other.db.{}.snapshot", "0".repeat(32)),
            format!(".aurax.db.{}.snapshot", "z".repeat(32)),
            "aurax.db".to_owned(),
        ];
        for name in others.iter().chain([&left, &format!("{left}-journal")]) {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        let (scratch, _) = Scratch::create(&database, ".snapshot").unwrap();
        drop(scratch);
        let mut expected = others.to_vec();
        expected.sort();
        assert_eq!(folder.names(), expected);
    }

    #[test]
    fn a_database_that_is_there_is_not_replaced_unasked() {
        let folder = Folder::new();
        let database = folder.path().join("aurax.db");
        fs::write(&database, "old").unwrap();
        let (scratch, _) = Scratch::create(&database, ".restore").unwrap();
        let error = scratch.place(&database, Existing::Keep).unwrap_err();
        assert_eq!(error.kind(), aurax_core::ErrorKind::Conflict);
        assert_eq!(fs::read(&database).unwrap(), b"old");
        let (scratch, _) = Scratch::create(&database, ".restore").unwrap();
        scratch.place(&database, Existing::Replace).unwrap();
        assert_eq!(fs::read(&database).unwrap(), b"");
        assert_eq!(folder.names(), ["aurax.db"]);
    }
}
