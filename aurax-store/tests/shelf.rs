//! A folder holds whole backups, the newest of them stay, and half-written ones never look whole.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use aurax_core::{ErrorKind, Retry};
use aurax_store::KeyRing;
use aurax_store::backup::{ArchiveReader, Manifest, Shelf, StoreKind};
use time::{Duration, OffsetDateTime};

/// A folder of a test's own, removed when it ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let name = format!("shelf-{:032x}", fastrand::u128(..));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(&self.0)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn manifest(day: i64) -> Manifest {
    let at = OffsetDateTime::UNIX_EPOCH + Duration::days(day);
    Manifest::new(StoreKind::Sqlite, 1, at)
}

#[tokio::test]
async fn a_backup_has_its_name_when_it_is_whole() {
    let folder = Folder::new();
    let shelf = Shelf::new(&folder.0);
    let keys = KeyRing::generate().unwrap();
    let mut backup = shelf.begin(&keys, &manifest(0)).await.unwrap();
    backup.write(b"con").await.unwrap();
    backup.copy_from(&mut &b"tent"[..]).await.unwrap();
    assert_eq!(
        folder.names(),
        [".aurax-19700101T000000000Z.backup.partial"]
    );
    assert_eq!(shelf.list().await.unwrap(), []);
    assert_eq!(shelf.abandoned().await.unwrap(), [] as [PathBuf; 0]);

    let stored = backup.finish().await.unwrap();
    assert_eq!(folder.names(), ["aurax-19700101T000000000Z.backup"]);
    assert_eq!(shelf.list().await.unwrap(), std::slice::from_ref(&stored));
    assert_eq!(stored.created_at, OffsetDateTime::UNIX_EPOCH);
    #[cfg(unix)]
    {
        let facts = fs::metadata(&stored.path).unwrap();
        assert_eq!(std::os::unix::fs::MetadataExt::mode(&facts) & 0o777, 0o600);
    }
    let file = tokio::fs::File::open(&stored.path).await.unwrap();
    let mut reader = ArchiveReader::open(file, &keys).await.unwrap();
    let mut content = Vec::new();
    reader.copy_to(&mut content).await.unwrap();
    assert_eq!(content, b"content");
}

#[tokio::test]
async fn a_backup_that_is_given_up_leaves_nothing() {
    let folder = Folder::new();
    let shelf = Shelf::new(&folder.0);
    let keys = KeyRing::generate().unwrap();
    let mut backup = shelf.begin(&keys, &manifest(0)).await.unwrap();
    backup.write(&[0; 200_000]).await.unwrap();
    drop(backup);
    assert_eq!(folder.names(), [] as [&str; 0]);
    // One that cannot be finished.
    let announced = manifest(0).with_size(1);
    let backup = shelf.begin(&keys, &announced).await.unwrap();
    assert_eq!(
        backup.finish().await.unwrap_err().kind(),
        ErrorKind::Conflict
    );
    assert_eq!(folder.names(), [] as [&str; 0]);
}

#[tokio::test]
async fn a_backup_never_takes_the_place_of_another() {
    let folder = Folder::new();
    let shelf = Shelf::new(&folder.0);
    let keys = KeyRing::generate().unwrap();
    let first = shelf.begin(&keys, &manifest(0)).await.unwrap();
    let error = shelf.begin(&keys, &manifest(0)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    let stored = first.finish().await.unwrap();
    let bytes = fs::read(&stored.path).unwrap();
    let error = shelf.begin(&keys, &manifest(0)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert_eq!(fs::read(&stored.path).unwrap(), bytes);
    assert_eq!(folder.names().len(), 1);
}

#[tokio::test]
async fn the_newest_stay_and_other_files_are_left_alone() {
    let folder = Folder::new();
    let shelf = Shelf::new(&folder.0);
    let ever = OffsetDateTime::UNIX_EPOCH + time::Duration::days(10_000);
    assert_eq!(shelf.surplus(ever).await.unwrap(), []);
    let keys = KeyRing::generate().unwrap();
    // Not in the order they were made.
    for day in [5, 1, 9, 3, 7, 2, 8, 4, 6] {
        let backup = shelf.begin(&keys, &manifest(day)).await.unwrap();
        backup.finish().await.unwrap();
    }
    for other in [
        "notes.txt",
        "aurax.db",
        "aurax-19700101T000000000Z.backup.old",
        "aurax-19701301T000000000Z.backup",
        ".aurax-19700101T000000000Z.backup.partial",
    ] {
        fs::write(folder.0.join(other), "").unwrap();
    }
    fs::create_dir(folder.0.join("aurax-19700101T000000000Z.backup")).unwrap();

    let days = |stored: Vec<aurax_store::backup::StoredBackup>| -> Vec<i64> {
        let since = |at: OffsetDateTime| (at - OffsetDateTime::UNIX_EPOCH).whole_days();
        stored
            .iter()
            .map(|stored| since(stored.created_at))
            .collect()
    };
    assert_eq!(
        days(shelf.list().await.unwrap()),
        [9, 8, 7, 6, 5, 4, 3, 2, 1]
    );
    assert_eq!(days(shelf.surplus(ever).await.unwrap()), [2, 1]);
    let fewer = shelf.clone().with_keep(NonZeroUsize::MIN);
    assert_eq!(
        days(fewer.surplus(ever).await.unwrap()),
        [8, 7, 6, 5, 4, 3, 2, 1]
    );
    // A clock was wrong: what claims to be of the eighth day or later goes first.
    let wrong = OffsetDateTime::UNIX_EPOCH + time::Duration::days(7);
    assert_eq!(days(shelf.surplus(wrong).await.unwrap()), [9, 8]);
    assert_eq!(
        days(fewer.surplus(wrong).await.unwrap()),
        [6, 5, 4, 3, 2, 1, 9, 8]
    );
    let all = shelf.with_keep(NonZeroUsize::MAX);
    assert_eq!(all.surplus(ever).await.unwrap(), []);
}

#[tokio::test]
async fn what_a_killed_program_left_is_found_and_what_is_being_written_is_not() {
    let folder = Folder::new();
    let shelf = Shelf::new(&folder.0);
    let keys = KeyRing::generate().unwrap();
    let left = folder.0.join(".aurax-19700102T000000000Z.backup.partial");
    fs::write(&left, "AURAXBAK").unwrap();
    fs::write(folder.0.join(".other.partial"), "").unwrap();
    let backup = shelf.begin(&keys, &manifest(0)).await.unwrap();
    assert_eq!(shelf.abandoned().await.unwrap(), [left]);
    backup.finish().await.unwrap();
}

#[tokio::test]
async fn a_missing_folder_is_named() {
    let folder = Folder::new();
    let missing = folder.0.join("missing");
    let shelf = Shelf::new(&missing);
    let keys = KeyRing::generate().unwrap();
    for error in [
        shelf.begin(&keys, &manifest(0)).await.unwrap_err(),
        shelf.list().await.unwrap_err(),
        shelf.abandoned().await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert_eq!(error.retry(), Retry::Never);
        assert!(error.message().contains("missing"), "{error}");
    }
}
