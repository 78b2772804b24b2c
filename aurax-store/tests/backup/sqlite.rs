//! SQLite: a file that is copied while it is written to.

use std::fs;
use std::sync::mpsc;
use std::time::Duration;

use aurax_core::ErrorKind;
use aurax_store::Store;
use aurax_store::backup::{Backups, Phase, Restore, StoreKind};
use aurax_store::testkit::Books;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _, SqliteConnection};

use crate::place::{Folder, LIMIT, has_ada, kept, keys, mode, small, until};
use crate::scene::{Scene, acknowledged};

async fn open(path: &std::path::Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path);
    options.connect().await.unwrap()
}

/// Every row of every table, as text.
async fn rows(path: &std::path::Path) -> Vec<String> {
    let mut connection = open(path).await;
    let tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'
        AND name NOT IN ('job_leases', 'replicas') ORDER BY name";
    let tables = sqlx::query(tables)
        .fetch_all(&mut connection)
        .await
        .unwrap();
    let mut all = Vec::new();
    for table in tables {
        let table: String = table.get(0);
        let columns = format!(
            "SELECT group_concat('quote(\"' || name || '\")', '||') FROM pragma_table_info('{table}')"
        );
        let columns = sqlx::query_scalar(AssertSqlSafe(columns));
        let columns: String = columns.fetch_one(&mut connection).await.unwrap();
        let rows = format!("SELECT {columns} FROM \"{table}\" ORDER BY 1");
        let rows = sqlx::query(AssertSqlSafe(rows));
        let rows = rows.fetch_all(&mut connection).await.unwrap();
        all.extend(
            rows.iter()
                .map(|row| format!("{table}: {}", row.get::<String, _>(0))),
        );
    }
    connection.close().await.unwrap();
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_before_a_backup_under_load_is_in_it() {
    let folder = Folder::new();
    let store = Store::sqlite(folder.database()).await.unwrap();
    let mut scene = Scene::begin(&folder, &store).await;
    let before = acknowledged(&scene.journal);
    // In the middle of the copy, which waits for it: replies that were asked for after it began.
    let (journal, middle) = (scene.journal.clone(), std::sync::Once::new());
    let keys = keys();
    let backups = Backups::new(&store, folder.shelf(), keys.clone()).with_progress(move |step| {
        if step.phase == Phase::Copying && step.bytes > 0 {
            middle.call_once(|| {
                let then = acknowledged(&journal).len();
                for _ in 0..1_000 {
                    if acknowledged(&journal).len() > then + 50 {
                        return;
                    }
                    #[expect(clippy::disallowed_methods, reason = "SQLite's own thread waits")]
                    std::thread::sleep(Duration::from_millis(10));
                }
                panic!("calls stall while the database is copied");
            });
        }
    });
    let stored = backups.now().await.unwrap();
    assert!(acknowledged(&scene.journal).len() > before.len() + 50);
    scene.end().await;

    let restored = folder.path().join("restored.db");
    let restore = Restore::new(&stored.path, keys);
    let manifest = restore.into_sqlite(&restored).await.unwrap();
    assert_eq!(manifest.store, StoreKind::Sqlite);
    let restored = Store::sqlite(&restored).await.unwrap();
    let audit = scene.audit(&restored, &before).await;
    println!("{} acknowledged before\n{audit}", before.len());
    assert_eq!(audit.violated(), []);
    assert_eq!(folder.unfinished(), [] as [&str; 0]);
    restored.close().await;
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_at_rest_comes_back_to_the_row() {
    let folder = Folder::new();
    let store = Store::sqlite(folder.database()).await.unwrap();
    let mut scene = Scene::begin(&folder, &store).await;
    scene.end().await;
    // What was sent on its way is written.
    store.close().await;
    let store = Store::sqlite(folder.database()).await.unwrap();
    let (seen, listener) = kept();
    let keys = keys();
    let backups = Backups::new(&store, folder.shelf(), keys.clone()).with_progress(listener);
    let stored = backups.now().await.unwrap();
    let steps = std::mem::take(&mut *seen.lock().unwrap());
    let mut phases: Vec<_> = steps.iter().map(|step| step.phase).collect();
    phases.dedup();
    assert_eq!(phases, [Phase::Copying, Phase::Writing, Phase::Verifying]);
    for phase in phases {
        let steps = steps.iter().filter(|step| step.phase == phase);
        let bytes: Vec<_> = steps.clone().map(|step| step.bytes).collect();
        assert!(bytes.is_sorted() && bytes.len() > 5, "{phase}: {bytes:?}");
        assert!(steps.clone().all(|step| step.total > Some(1_000_000)));
        let last = steps.max_by_key(|step| step.bytes).unwrap();
        assert!(phase == Phase::Copying || last.total == Some(last.bytes));
    }
    assert_eq!(mode(&stored.path), 0o600);
    let state = store.jobs().job("backup").await.unwrap();
    assert!(!state.is_held && state.finished_at.is_some());

    let restored = folder.path().join("restored.db");
    let (seen, listener) = kept();
    let restore = Restore::new(&stored.path, keys).with_progress(listener);
    restore.into_sqlite(&restored).await.unwrap();
    let phases: Vec<_> = seen.lock().unwrap().iter().map(|step| step.phase).collect();
    assert_eq!(phases[0], Phase::Restoring);
    assert_eq!(phases.last(), Some(&Phase::Checking));
    assert_eq!(mode(&restored), 0o600);
    let (was, is) = (rows(&folder.database()).await, rows(&restored).await);
    assert!(was.len() > 1_000, "{}", was.len());
    assert!(was == is, "{} rows became {}", was.len(), is.len());
    let restored = Store::sqlite(&restored).await.unwrap();
    let books = Books::read(&restored).await.unwrap();
    assert_eq!(books, Books::read(&store).await.unwrap());
    restored.close().await;
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_is_for_its_owner_alone_and_an_archive_for_nobody_without_the_key() {
    let folder = Folder::new();
    let (store, backups, _) = small(&folder).await;
    let path = folder.path().to_owned();
    let modes: std::sync::Arc<std::sync::Mutex<Vec<u32>>> = std::sync::Arc::default();
    let seen = modes.clone();
    let backups = backups.with_progress(move |_| {
        for entry in fs::read_dir(&path).unwrap() {
            let path = entry.unwrap().path();
            if path.to_str().unwrap().contains(".snapshot") {
                seen.lock().unwrap().push(mode(&path));
            }
        }
    });
    let stored = backups.now().await.unwrap();
    let modes = std::mem::take(&mut *modes.lock().unwrap());
    assert!(!modes.is_empty() && modes.iter().all(|mode| *mode == 0o600));
    let archive = fs::read(&stored.path).unwrap();
    assert!(archive.len() > 100_000);
    for secret in ["ada.hush", "SQLite format 3", "schema_migrations"] {
        let mut windows = archive.windows(secret.len());
        assert!(
            !windows.any(|window| window == secret.as_bytes()),
            "{secret}"
        );
    }
    assert_eq!(folder.unfinished(), [] as [&str; 0]);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_is_dropped_while_it_copies_leaves_nothing() {
    let folder = Folder::new();
    let store = Store::sqlite(folder.database()).await.unwrap();
    let mut scene = Scene::begin(&folder, &store).await;
    scene.end().await;
    let (copying, is_copying) = mpsc::sync_channel(1);
    let (go_on, may_go_on) = mpsc::sync_channel::<()>(1);
    let backups = Backups::new(&store, folder.shelf(), keys()).with_progress(move |step| {
        if step.bytes > 0 && copying.try_send(()).is_ok() {
            may_go_on.recv().unwrap();
        }
    });
    let task = tokio::spawn(async move { backups.now().await });
    tokio::task::spawn_blocking(move || is_copying.recv().unwrap())
        .await
        .unwrap();
    assert!(!folder.unfinished().is_empty());
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    go_on.send(()).unwrap();
    until("the copy is gone", LIMIT, || folder.unfinished().is_empty()).await;
    assert_eq!(folder.on_shelf(), [] as [&str; 0]);
    // Its lease is not over yet.
    let backups = Backups::new(&store, folder.shelf(), keys());
    let error = backups.now().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_cannot_be_written_leaves_nothing() {
    let folder = Folder::new();
    let (store, _, keys) = small(&folder).await;
    let missing = aurax_store::backup::Shelf::new(folder.path().join("missing"));
    let error = Backups::new(&store, missing, keys.clone()).now().await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(error.message().contains("missing"), "{error}");
    assert_eq!(folder.unfinished(), [] as [&str; 0]);
    // What a program that was killed left behind goes with the next backup.
    let left = format!(".aurax.db.{}.snapshot", "0".repeat(32));
    fs::write(folder.path().join(left), "plain text").unwrap();
    let draft = ".aurax-20260101T000000000Z.backup.partial";
    fs::write(folder.path().join("shelf").join(draft), "").unwrap();
    let backups = Backups::new(&store, folder.shelf(), keys);
    backups.now().await.unwrap();
    assert_eq!(folder.unfinished(), [] as [&str; 0]);
    assert_eq!(folder.on_shelf().len(), 1);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_file_may_be_restored_to() {
    let folder = Folder::new();
    let (store, backups, keys) = small(&folder).await;
    let stored = backups.now().await.unwrap();
    store.close().await;
    let target = folder.path().join("empty.db");
    fs::write(&target, "").unwrap();
    let restore = Restore::new(&stored.path, keys);
    restore.into_sqlite(&target).await.unwrap();
    assert_eq!(mode(&target), 0o600);
    let restored = Store::sqlite(&target).await.unwrap();
    assert!(has_ada(&restored).await);
    restored.close().await;
}
