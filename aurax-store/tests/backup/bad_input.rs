//! What cannot be restored is refused by its reason, and changes nothing.

use std::fs;
use std::path::PathBuf;

use aurax_core::{Error, ErrorKind};
use aurax_store::backup::{Backups, Manifest, Restore, Shelf, StoreKind};
use aurax_store::{KeyRing, Store};
use sqlx::{Connection as _, PgConnection};
use time::OffsetDateTime;

use crate::place::{Folder, Server, keys, run, small, with_ada};

/// An archive of any content.
async fn archive(shelf: &Shelf, keys: &KeyRing, manifest: &Manifest, content: &[u8]) -> PathBuf {
    let mut new = shelf.begin(keys, manifest).await.unwrap();
    new.write(content).await.unwrap();
    new.finish().await.unwrap().path
}

fn manifest(kind: StoreKind, schema_version: i64) -> Manifest {
    let at = OffsetDateTime::UNIX_EPOCH + time::Duration::milliseconds(fastrand::i64(0..1 << 40));
    Manifest::new(kind, schema_version, at)
}

/// A restore into a new file, which fails and leaves nothing.
async fn refused(folder: &Folder, archive: PathBuf, keys: &KeyRing) -> Error {
    let target = folder.path().join("restored.db");
    let restore = Restore::new(archive, keys.clone());
    let error = restore.into_sqlite(&target).await.unwrap_err();
    assert!(!target.exists());
    assert_eq!(folder.unfinished(), [] as [&str; 0]);
    error
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_that_is_not_whole_becomes_no_store() {
    let folder = Folder::new();
    let (store, backups, keys) = small(&folder).await;
    let stored = backups.now().await.unwrap();
    let whole = fs::read(&stored.path).unwrap();
    let damaged = folder.path().join("damaged.backup");
    for place in [0, 100, whole.len() / 2, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[place] ^= 1;
        fs::write(&damaged, &bytes).unwrap();
        let error = refused(&folder, damaged.clone(), &keys).await;
        assert_eq!(error.kind(), ErrorKind::Decode, "{place}: {error}");
    }
    for length in [0, 50, whole.len() / 2, whole.len() - 1] {
        fs::write(&damaged, &whole[..length]).unwrap();
        let error = refused(&folder, damaged.clone(), &keys).await;
        let kinds = [ErrorKind::Truncated, ErrorKind::Decode];
        assert!(kinds.contains(&error.kind()), "{length}: {error}");
    }
    let error = refused(&folder, folder.path().join("nothing"), &keys).await;
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.message().contains("nothing"), "{error}");
    let another = KeyRing::generate().unwrap();
    let error = refused(&folder, stored.path, &another).await;
    assert_eq!(error.kind(), ErrorKind::Config);
    let id = keys.current().to_string();
    assert!(error.message().contains(&id), "{error}");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_overwrites_no_file() {
    let folder = Folder::new();
    let (store, backups, keys) = small(&folder).await;
    let stored = backups.now().await.unwrap();
    let restore = Restore::new(&stored.path, keys);
    let before = fs::read(folder.database()).unwrap();
    let error = restore.clone().into_sqlite(folder.database()).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert!(error.message().contains("aurax.db"), "{error}");
    assert_eq!(fs::read(folder.database()).unwrap(), before);
    // SQLite would add to a new database what another's log says.
    for companion in ["new.db-wal", "new.db-journal", "new.db-shm"] {
        let companion = folder.path().join(companion);
        fs::write(&companion, "").unwrap();
        let error = restore.clone().into_sqlite(folder.path().join("new.db"));
        let error = error.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
        fs::remove_file(companion).unwrap();
    }
    let folderless = folder.path().join("missing").join("new.db");
    let error = restore.into_sqlite(folderless).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn content_that_is_no_store_of_this_program_is_refused() {
    let folder = Folder::new();
    let (store, _, keys) = small(&folder).await;
    store.close().await;
    let shelf = folder.shelf();
    let sqlite = |schema_version| manifest(StoreKind::Sqlite, schema_version);

    let noise = archive(&shelf, &keys, &sqlite(1), &[7; 100_000]).await;
    let error = refused(&folder, noise, &keys).await;
    assert_eq!(error.kind(), ErrorKind::Decode, "{error}");
    let nothing = archive(&shelf, &keys, &sqlite(1), b"").await;
    let error = refused(&folder, nothing, &keys).await;
    assert_eq!(error.kind(), ErrorKind::Decode, "{error}");

    let file = fs::read(folder.database()).unwrap();
    let later = archive(&shelf, &keys, &sqlite(99), &file).await;
    let error = refused(&folder, later, &keys).await;
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(
        error.message().contains("newer than this program"),
        "{error}"
    );
    let cut = archive(&shelf, &keys, &sqlite(1), &file[..file.len() / 2]).await;
    let error = refused(&folder, cut, &keys).await;
    assert_eq!(error.kind(), ErrorKind::Decode, "{error}");
    let whole = archive(&shelf, &keys, &sqlite(1), &file).await;
    let restored = folder.path().join("whole.db");
    let restore = Restore::new(whole, keys.clone());
    restore.into_sqlite(&restored).await.unwrap();

    // The manifest does not say it, the database does.
    let url = format!("sqlite://{}", folder.database().display());
    let newer = "INSERT INTO schema_migrations VALUES (99, '0099_later', 'x')";
    let mut database = sqlx::SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(newer).execute(&mut database).await.unwrap();
    database.close().await.unwrap();
    let file = fs::read(folder.database()).unwrap();
    let later = archive(&shelf, &keys, &sqlite(1), &file).await;
    let error = refused(&folder, later, &keys).await;
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(
        error.message().contains("newer than this program"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_in_memory_has_no_backups() {
    let folder = Folder::new();
    let store = Store::in_memory().await.unwrap();
    let backups = Backups::new(&store, folder.shelf(), keys());
    for error in [
        backups.now().await,
        backups.run_due().await.map(|made| made.unwrap()),
    ] {
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Unsupported);
    }
    assert_eq!(folder.on_shelf(), [] as [&str; 0]);
}

/// What there is in a database.
async fn found(url: &str) -> i64 {
    let mut server = PgConnection::connect(url).await.unwrap();
    let count = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace";
    let count = sqlx::query_scalar(count).fetch_one(&mut server).await;
    server.close().await.unwrap();
    count.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_stays_as_it_is_where_nothing_can_be_restored() {
    let Some(server) = Server::find() else { return };
    let folder = Folder::new();
    let source = server.database().await;
    let store = Store::postgres(&server.options(&source)).await.unwrap();
    let (backups, keys) = with_ada(&store, &folder).await;
    let stored = backups.now().await.unwrap();
    let url = server.database().await;
    let options = server.options(&url);
    let refused = async |archive: PathBuf, keys: &KeyRing| -> Error {
        let restore = Restore::new(archive, keys.clone());
        let error = restore.into_postgres(&options).await.unwrap_err();
        assert_eq!(found(&url).await, 0, "{error}");
        error
    };
    let whole = fs::read(&stored.path).unwrap();
    let damaged = folder.path().join("damaged.backup");
    for place in [100, whole.len() / 2, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[place] ^= 1;
        fs::write(&damaged, &bytes).unwrap();
        let error = refused(damaged.clone(), &keys).await;
        // Of how long it is to be nothing is known.
        let kinds = [ErrorKind::Truncated, ErrorKind::Decode];
        assert!(kinds.contains(&error.kind()), "{place}: {error}");
    }
    fs::write(&damaged, &whole[..whole.len() - 1]).unwrap();
    let error = refused(damaged, &keys).await;
    assert_eq!(error.kind(), ErrorKind::Truncated, "{error}");
    let error = refused(stored.path.clone(), &KeyRing::generate().unwrap()).await;
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");

    let shelf = folder.shelf();
    let later = manifest(StoreKind::Postgres, 99);
    let later = archive(&shelf, &keys, &later, b"dump").await;
    let error = refused(later, &keys).await;
    assert!(
        error.message().contains("newer than this program"),
        "{error}"
    );
    let noise = manifest(StoreKind::Postgres, 1);
    let noise = archive(&shelf, &keys, &noise, &[7; 1_000_000]).await;
    let error = refused(noise, &keys).await;
    assert_eq!(error.kind(), ErrorKind::Store, "{error}");
    assert!(
        error.message().starts_with("pg_restore failed: "),
        "{error}"
    );

    // One kind of store does not become the other.
    let other = manifest(StoreKind::Sqlite, 1);
    let other = archive(&shelf, &keys, &other, b"SQLite format 3").await;
    let error = refused(other, &keys).await;
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
    assert!(error.message().contains("kind sqlite"), "{error}");
    let error = self::refused(&folder, stored.path.clone(), &keys).await;
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
    assert!(error.message().contains("kind postgres"), "{error}");

    run(&url, "CREATE TABLE mine (id int)").await;
    let restore = Restore::new(&stored.path, keys);
    let error = restore.clone().into_postgres(&options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert!(error.message().contains("(mine)"), "{error}");
    run(&url, "DROP TABLE mine").await;
    restore.into_postgres(&options).await.unwrap();
    store.close().await;
    server.clear().await;
}
