//! When backups are due, and what becomes of one whose lease is lost.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::*;

const HOUR: Duration = Duration::from_secs(60 * 60);

fn at(hours: i64) -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + time::Duration::hours(1_000_000 + hours)
}

#[test]
fn the_newest_backup_says_when_the_next_is_due() {
    let due = |made: &[i64]| due(made.iter().map(|hours| at(*hours)), at(0), EVERY);
    assert_eq!(due(&[]), at(0));
    assert_eq!(due(&[-30, -3, -27]), at(21));
    assert_eq!(due(&[-30]), at(-6));
    // Another process's clock is a little ahead, and one was years ahead.
    assert_eq!(due(&[1, -5]), at(25));
    assert_eq!(due(&[24 * 365, -5]), at(19));
    assert_eq!(due(&[24 * 365]), at(0));
}

#[test]
fn an_interval_without_end_is_never_over() {
    let due = due([at(-1)].into_iter(), at(0), Duration::MAX);
    assert!(due > at(24 * 365 * 1000), "{due}");
    assert_eq!(pause(due, at(0), Duration::MAX), LATE);
}

#[test]
fn a_look_is_never_far_and_never_without_a_pause() {
    assert_eq!(pause(at(5), at(0), EVERY), LATE);
    let soon = at(0) + time::Duration::minutes(5);
    assert_eq!(pause(soon, at(0), EVERY), Duration::from_secs(300));
    assert_eq!(pause(at(-5), at(0), EVERY), SOON);
    let short = Duration::from_millis(20);
    assert_eq!(pause(at(-5), at(0), short), short);
}

#[test]
fn what_fails_is_tried_again_ever_later() {
    let minutes = |failures| backoff(failures, EVERY).as_secs() / 60;
    let waits: Vec<u64> = (1..=6).map(minutes).collect();
    assert_eq!(waits, [1, 2, 4, 8, 15, 15]);
    assert_eq!(minutes(u32::MAX), 15);
    assert_eq!(backoff(3, HOUR / 60), HOUR / 60);
}

/// A file whose copy does not get on until it is let.
#[cfg(all(feature = "sqlite", feature = "testkit"))]
mod leased {
    use std::sync::Arc;
    use std::sync::mpsc::{SyncSender, sync_channel};

    use aurax_core::Clock;
    use tokio::time::timeout;

    use super::*;
    use crate::durable::testing::Folder;

    /// How long a test waits for what must come.
    const LIMIT: Duration = Duration::from_secs(30);

    async fn stuck(folder: &Folder, renewal: Duration) -> (Store, Backups, SyncSender<()>) {
        let store = Store::sqlite(folder.path().join("aurax.db")).await.unwrap();
        let shelf = folder.path().join("shelf");
        std::fs::create_dir(&shelf).unwrap();
        let (go_on, may_go_on) = sync_channel(1);
        let mut backups = Backups::new(&store, Shelf::new(shelf), KeyRing::generate().unwrap())
            .with_progress(move |_| assert!(may_go_on.recv().is_err()));
        backups.renewal = renewal;
        (store, backups, go_on)
    }

    fn left(folder: &Folder) -> usize {
        std::fs::read_dir(folder.path().join("shelf"))
            .unwrap()
            .count()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_backup_whose_lease_another_took_is_given_up() {
        #[derive(Debug)]
        struct Ahead;

        impl Clock for Ahead {
            fn now(&self) -> OffsetDateTime {
                aurax_core::SystemClock.now() + time::Duration::HOUR
            }

            fn monotonic(&self) -> tokio::time::Instant {
                aurax_core::SystemClock.monotonic()
            }
        }

        let folder = Folder::new();
        let (store, backups, go_on) = stuck(&folder, Duration::from_secs(1)).await;
        let backup = tokio::spawn(async move { backups.now().await });
        let jobs = store.jobs();
        let mut noted = None;
        while noted.is_none() {
            noted = jobs.job(JOB).await.unwrap().progress;
        }
        let noted = noted.unwrap();
        assert!(noted.starts_with("copying: 0 of "), "{noted}");
        let other = store.with_clock(Arc::new(Ahead)).jobs();
        let other = other.lease(JOB, time::Duration::HOUR).await.unwrap();
        let other = other.unwrap();
        let error = timeout(LIMIT, backup).await.unwrap();
        let error = error.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
        drop(go_on);
        assert_eq!(left(&folder), 0);
        // What it gave up was its own.
        assert!(jobs.job(JOB).await.unwrap().is_held);
        other.give_up().await.unwrap();
        store.close().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_backup_that_does_not_get_on_is_given_up() {
        let folder = Folder::new();
        let (store, backups, go_on) = stuck(&folder, Duration::from_millis(5)).await;
        let error = timeout(LIMIT, backups.now()).await.unwrap();
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Store, "{error}");
        assert!(error.message().contains("does not get on"), "{error}");
        assert_eq!(left(&folder), 0);
        assert!(!store.jobs().job(JOB).await.unwrap().is_held);
        drop(go_on);
        store.close().await;
    }
}
