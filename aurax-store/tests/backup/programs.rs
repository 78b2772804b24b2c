//! PostgreSQL's programs: missing, old, failing, hanging.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use aurax_core::ErrorKind;
use aurax_store::backup::{Backups, Restore};
use aurax_store::{PostgresOptions, Store};

use crate::place::{Folder, LIMIT, Server, keys, until, with_ada};

/// A folder of one program, a script that says it is of PostgreSQL `version`.
fn program(folder: &Folder, version: u32, script: &str) -> PathBuf {
    let bin = folder.path().join("bin");
    fs::create_dir_all(&bin).unwrap();
    let path = bin.join("pg_dump");
    let says = format!("echo 'pg_dump (PostgreSQL) {version}.1 (Test)'");
    let text = format!("#!/bin/sh\nif [ \"$1\" = --version ]; then {says}; exit; fi\n{script}\n");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    bin
}

async fn store(url: &str, programs: &Path) -> Store {
    let options = PostgresOptions::new(url)
        .with_connections(4)
        .with_backup_url(format!("{url}?password=sesame-hush"))
        .with_programs(programs);
    Store::postgres(&options).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_is_missing_or_old_is_named() {
    let Some(server) = Server::find() else { return };
    let folder = Folder::new();
    let url = server.database().await;
    let nowhere = folder.path().join("nowhere");
    let missing = store(&url, &nowhere).await;
    let (backups, _) = with_ada(&missing, &folder).await;
    let error = backups.now().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    let message = error.message();
    assert!(
        message.contains("pg_dump") && message.contains("nowhere"),
        "{error}"
    );
    missing.close().await;

    let bin = program(&folder, 14, "exit 1");
    let old = store(&url, &bin).await;
    let error = Backups::new(&old, folder.shelf(), keys()).now().await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(
        error.message().contains("pg_dump is of PostgreSQL 14"),
        "{error}"
    );
    old.close().await;

    // Its archive is whole; only the program to restore it with is not there.
    let good = Store::postgres(&server.options(&url)).await.unwrap();
    let keys = keys();
    let backups = Backups::new(&good, folder.shelf(), keys.clone());
    let stored = backups.now().await.unwrap();
    let target = PostgresOptions::new(server.database().await).with_programs(nowhere);
    let restore = Restore::new(&stored.path, keys);
    let error = restore.into_postgres(&target).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(error.message().contains("pg_restore"), "{error}");
    good.close().await;
    server.clear().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dump_that_breaks_off_is_no_backup() {
    let Some(server) = Server::find() else { return };
    let folder = Folder::new();
    let url = server.database().await;
    let script = "printf '%s\\n' \"$@\" >\"$0.arguments\"; env >\"$0.environment\"
        head -c 200000 /dev/zero; echo 'pg_dump: error: the disk is on fire' >&2
        head -c 1000000 /dev/zero | tr '\\0' x >&2; exit 1";
    let bin = program(&folder, 99, script);
    let failing = store(&url, &bin).await;
    let (backups, _) = with_ada(&failing, &folder).await;
    let error = backups.now().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store, "{error}");
    assert_eq!(
        error.message(),
        "pg_dump failed: error: the disk is on fire"
    );
    let shown = format!("{error} {error:?}");
    assert!(
        shown.len() < 20_000 && !shown.contains("sesame"),
        "{}",
        shown.len()
    );
    assert_eq!(folder.on_shelf(), [] as [&str; 0]);
    // A password is in the environment, which is its owner's, and in no argument, which is not.
    let arguments = fs::read_to_string(bin.join("pg_dump.arguments")).unwrap();
    assert!(!arguments.contains("sesame"), "{arguments}");
    let environment = fs::read_to_string(bin.join("pg_dump.environment")).unwrap();
    assert!(environment.contains("PGPASSWORD=sesame-hush\n"));
    // Nobody else is kept waiting by one that failed.
    assert!(!failing.jobs().job("backup").await.unwrap().is_held);
    failing.close().await;
    server.clear().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dump_ends_with_the_future_that_waits_for_it() {
    let Some(server) = Server::find() else { return };
    let folder = Folder::new();
    let url = server.database().await;
    let script =
        "echo $$ >\"$0.new\"; mv \"$0.new\" \"$0.pid\"; head -c 200000 /dev/zero; exec sleep 1000";
    let bin = program(&folder, 99, script);
    let hanging = store(&url, &bin).await;
    let (backups, _) = with_ada(&hanging, &folder).await;
    let task = tokio::spawn(async move { backups.now().await });
    let noted = bin.join("pg_dump.pid");
    until("it runs", LIMIT, || {
        noted.exists() && folder.on_shelf().len() == 1
    })
    .await;
    let pid = fs::read_to_string(noted).unwrap().trim().to_owned();
    let runs = || {
        let status = fs::read_to_string(format!("/proc/{pid}/status"));
        status.is_ok_and(|status| !status.contains("State:\tZ"))
    };
    assert!(runs());
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    until("it is gone", LIMIT, || !runs()).await;
    until("its draft is gone", LIMIT, || folder.on_shelf().is_empty()).await;
    hanging.close().await;
    server.clear().await;
}
