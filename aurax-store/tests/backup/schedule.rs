//! Backups by themselves: when they are due, by one process, and how many stay.

use std::fs;
use std::num::NonZeroUsize;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aurax_core::{Clock, ErrorKind, new_id};
use aurax_store::Store;
use aurax_store::backup::{Backups, Phase, Restore, StoredBackup};

use crate::place::{Folder, Hands, LIMIT, has_ada, keys, small, until};

async fn paths(folder: &Folder) -> Vec<StoredBackup> {
    folder.shelf().list().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_is_made_each_day_and_seven_of_them_stay() {
    let folder = Folder::new();
    let (store, _, keys) = small(&folder).await;
    let hands = Hands::new();
    let store = store.with_clock(hands.clone());
    let backups = Backups::new(&store, folder.shelf(), keys.clone());
    assert_eq!(backups.due_at().await.unwrap(), hands.now());
    let mut made = Vec::new();
    for day in 0..10 {
        made.push(backups.run_due().await.unwrap().unwrap());
        // A program that starts anew looks at what is there.
        let backups = Backups::new(&store, folder.shelf(), keys.clone());
        let next = hands.now() + time::Duration::DAY;
        assert_eq!(backups.due_at().await.unwrap(), next, "{day}");
        hands.pass(time::Duration::hours(23));
        assert_eq!(backups.run_due().await.unwrap(), None, "{day}");
        hands.pass(time::Duration::HOUR);
    }
    made.reverse();
    assert_eq!(paths(&folder).await, made[..7]);
    assert_eq!(folder.on_shelf().len(), 7);
    // The oldest of them, too, is a store.
    let restored = folder.path().join("restored.db");
    let restore = Restore::new(&made[6].path, keys);
    restore.into_sqlite(&restored).await.unwrap();
    let restored = Store::sqlite(restored).await.unwrap();
    assert!(has_ada(&restored).await);
    restored.close().await;
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_many_replicas_makes_it() {
    let folder = Folder::new();
    let (store, _, keys) = small(&folder).await;
    let replicas: Vec<Backups> = (0..8)
        .map(|_| {
            let replica = store.with_replica(new_id());
            Backups::new(&replica, folder.shelf(), keys.clone())
        })
        .collect();
    let made = replicas.iter().map(Backups::run_due);
    let made = futures::future::join_all(made).await;
    let made = made.into_iter().filter_map(Result::unwrap);
    assert_eq!(made.count(), 1);
    assert_eq!(folder.on_shelf().len(), 1);
    // Somebody makes one right now.
    let lease = store.jobs().lease("backup", time::Duration::MINUTE).await;
    let lease = lease.unwrap().unwrap();
    let error = replicas[0].now().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    lease.give_up().await.unwrap();
    replicas[0].now().await.unwrap();
    store.close().await;
}

/// A clock that stops whoever looks at it for the second time.
#[derive(Debug)]
struct Gate {
    looks: AtomicUsize,
    open: Mutex<Receiver<()>>,
}

impl Clock for Gate {
    fn now(&self) -> time::OffsetDateTime {
        if self.looks.fetch_add(1, Ordering::SeqCst) == 1 {
            self.open.lock().unwrap().recv().unwrap();
        }
        aurax_core::SystemClock.now()
    }

    fn monotonic(&self) -> tokio::time::Instant {
        aurax_core::SystemClock.monotonic()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_another_made_meanwhile_is_not_made_again() {
    let folder = Folder::new();
    let (store, backups, keys) = small(&folder).await;
    let (open, opened) = sync_channel(1);
    let gate = Arc::new(Gate {
        looks: AtomicUsize::new(0),
        open: Mutex::new(opened),
    });
    let late = Backups::new(&store.with_clock(gate.clone()), folder.shelf(), keys);
    let late = tokio::spawn(async move { late.run_due().await });
    // It has seen that one is due.
    until("it looks again", LIMIT, || {
        gate.looks.load(Ordering::SeqCst) == 2
    })
    .await;
    let made = backups.run_due().await.unwrap().unwrap();
    open.send(()).unwrap();
    assert_eq!(late.await.unwrap().unwrap(), None);
    assert_eq!(paths(&folder).await, [made]);
    // And leaves the next one to whoever comes first.
    backups.now().await.unwrap();
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_cannot_be_read_back_goes_and_the_earlier_ones_stay() {
    let folder = Folder::new();
    let (store, backups, keys) = small(&folder).await;
    let first = backups.now().await.unwrap();
    let shelf = folder.shelf().with_keep(NonZeroUsize::MIN);
    let path = folder.path().join("shelf");
    let own = first.path.clone();
    // The disk changes a byte of what it was given.
    let rotten = Backups::new(&store, shelf.clone(), keys.clone()).with_progress(move |step| {
        if step.phase == Phase::Verifying {
            let entries = fs::read_dir(&path)
                .unwrap()
                .map(|entry| entry.unwrap().path());
            for new in entries.filter(|path| *path != own) {
                let file = fs::File::options().write(true).open(new).unwrap();
                let end = file.metadata().unwrap().len() - 1;
                file.write_all_at(b"?!", end - 1).unwrap();
            }
        }
    });
    let error = rotten.now().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal, "{error}");
    assert!(error.message().contains("read back"), "{error}");
    assert_eq!(paths(&folder).await, [first]);
    let good = Backups::new(&store, shelf, keys).now().await.unwrap();
    assert_eq!(paths(&folder).await, [good]);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backups_that_failed_are_tried_again_until_one_is_made() {
    let folder = Folder::new();
    let (store, _, _) = small(&folder).await;
    let keep = NonZeroUsize::new(2).unwrap();
    let shelf = folder.shelf().with_keep(keep);
    let backups = Backups::new(&store, shelf, keys()).with_interval(Duration::from_millis(20));
    let (here, away) = (folder.path().join("shelf"), folder.path().join("away"));
    let task = tokio::spawn(async move { backups.run().await });
    let oldest = || {
        folder
            .on_shelf()
            .into_iter()
            .find(|name| !name.starts_with('.'))
    };
    until("two backups", LIMIT, || folder.on_shelf().len() >= 2).await;
    let first = oldest();
    until("the next ones", LIMIT, || oldest() > first).await;
    fs::rename(&here, &away).unwrap();
    // It cannot be seen to fail but by time.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!task.is_finished());
    fs::rename(&away, &here).unwrap();
    let then = oldest();
    until("more of them", LIMIT, || oldest() > then).await;
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    assert!(paths(&folder).await.len() <= 3);
    store.close().await;
}
