//! A turn lasts as long as its work.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use aurax::{Error, SystemClock};
use tokio::time::Instant;

use super::*;

/// The machine's clock, moved by so many seconds.
#[derive(Debug, Default)]
struct Moved(AtomicI64);

impl Clock for Moved {
    fn now(&self) -> OffsetDateTime {
        let ahead = time::Duration::seconds(self.0.load(Ordering::SeqCst));
        SystemClock.now() + ahead
    }

    fn monotonic(&self) -> Instant {
        SystemClock.monotonic()
    }
}

const MINUTE: time::Duration = time::Duration::MINUTE;
const AT_ONCE: Duration = Duration::from_millis(1);

#[tokio::test]
async fn work_that_takes_longer_than_its_lease_keeps_it() {
    let clock = Arc::new(Moved::default());
    let store = Store::in_memory().await.unwrap().with_clock(clock.clone());
    let jobs = store.jobs();
    // Whether it is held for most of a minute to come.
    let later = Arc::new(Moved::default());
    let soon = store.with_clock(later.clone()).jobs();
    let mut lease = jobs.lease("long", MINUTE).await.unwrap().unwrap();
    let work = async {
        for passed in 1..=3 {
            clock.0.store(passed * 50, Ordering::SeqCst);
            later.0.store(passed * 50 + 45, Ordering::SeqCst);
            while !soon.job("long").await?.is_held {
                tokio::task::yield_now().await;
            }
        }
        assert!(jobs.lease("long", MINUTE).await?.is_none());
        Ok(())
    };
    let patience = Duration::from_secs(20);
    let done = tokio::time::timeout(patience, kept(&mut lease, AT_ONCE, work)).await;
    done.expect("the lease is renewed").unwrap();
    lease.finish().await.unwrap();
    assert!(jobs.lease("long", MINUTE).await.unwrap().is_some());
    store.close().await;
}

#[tokio::test]
async fn work_whose_lease_is_anothers_by_now_is_dropped() {
    let clock = Arc::new(Moved::default());
    let store = Store::in_memory().await.unwrap().with_clock(clock.clone());
    let jobs = store.jobs();
    let mut lease = jobs.lease("long", MINUTE).await.unwrap().unwrap();
    clock.0.store(61, Ordering::SeqCst);
    let heir = jobs.lease("long", MINUTE).await.unwrap().unwrap();
    let done = kept(&mut lease, AT_ONCE, std::future::pending()).await;
    assert_eq!(done.unwrap_err().kind(), ErrorKind::Conflict);
    heir.finish().await.unwrap();
    let failed = Error::new(ErrorKind::Store, "away");
    let mut lease = jobs.lease("long", MINUTE).await.unwrap().unwrap();
    let done = kept(&mut lease, Duration::from_secs(60), async { Err(failed) }).await;
    assert_eq!(done.unwrap_err().kind(), ErrorKind::Store);
    store.close().await;
}
