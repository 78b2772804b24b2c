//! A server that is killed in the middle of its answers: another one settles them, once.

use std::sync::Arc;
use std::time::Duration;

use aurax::{Clock, SystemClock};
use aurax_server::Job;
use aurax_server::auth::SigningKeys;
use aurax_store::testkit::{Books, Ending, Plan};
use time::OffsetDateTime;
use tokio::time::Instant;

use crate::place::until;
use crate::process::Start;
use crate::scene::{PUBLIC, Scene, at, says, session, streams};
use crate::support::Client;

/// Streams that are open when it is killed.
const STREAMS: usize = 6;

/// Two minutes later.
#[derive(Debug)]
struct Later;

impl Clock for Later {
    fn now(&self) -> OffsetDateTime {
        SystemClock.now() + Duration::from_secs(120)
    }

    fn monotonic(&self) -> Instant {
        SystemClock.monotonic()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn its_calls_are_settled_once() {
    let Some(mut scene) = Scene::new().await else {
        return;
    };
    let start = Start::new(scene.upstream.url())
        .with("DATABASE_URL", scene.place.url().unwrap())
        .with("REDIS_URL", scene.redis.clone())
        .with("AURAX_REDIS_PREFIX", format!("{}:", aurax::new_id()))
        .with("AURAX_PUBLIC_URL", PUBLIC);
    let signing = start.path("signing.keys");
    scene.keys = SigningKeys::open(&signing).unwrap();
    let mut dying = start
        .with("AURAX_AUTH_SIGNING_KEY_FILE", signing.to_str().unwrap())
        .start();
    let survivor = scene.replica(|_| {}).await;
    let name = format!("{}@example.com", aurax::new_id());
    let ada = Client::new(dying.address).register(&name).await;
    let there = at(&survivor, &ada);

    let whole = session(&ada).await;
    ada.post(&whole, &says(Plan::answer(5))).await.expect(201);
    let endless = Plan::answer(3).with_ending(Ending::Hang);
    let (mut paths, mut open) = (Vec::new(), Vec::new());
    for _ in 0..STREAMS {
        let path = session(&ada).await;
        let stream = ada.post_stream(&path, &streams(endless)).await;
        assert_eq!(stream.status.as_u16(), 200);
        paths.push(path);
        open.push(stream);
    }
    // One that has not said anything yet.
    let silent = session(&ada).await;
    let waiting = {
        let (ada, path) = (ada.clone(), silent.clone());
        let held = says(Plan::answer(1).with_hold(Duration::from_secs(3_600)));
        tokio::spawn(async move { ada.post(&path, &held).await })
    };
    let upstream = &scene.upstream;
    let limit = Duration::from_secs(20);
    until("all are asked", limit, || upstream.open() == STREAMS + 1).await;
    dying.kill();
    until("the upstream notices", limit, || upstream.open() == 0).await;
    assert!(waiting.await.is_err(), "its client sees the end");
    drop(open);

    let left = Books::read(&survivor.store).await.unwrap();
    assert_eq!(left.attempts.len(), STREAMS + 2);
    assert_eq!(left.settlements.len(), 1);
    let busy = there.post(&paths[0], &says(Plan::answer(1))).await;
    assert_eq!(busy.error(409), "session_busy");

    let store = survivor.store.with_clock(Arc::new(Later));
    for _ in 0..3 {
        // Another turn may be going on.
        while !Job::Orphans.run(&store, &Later).await.unwrap() {
            crate::support::moment().await;
        }
    }
    let books = scene.adds_up(&survivor).await;
    assert_eq!(books.attempts.len(), STREAMS + 2);
    assert_eq!(books.settlements.len(), STREAMS + 2);
    assert_eq!(books.charges.len(), STREAMS + 2);
    let swept = books.settlements.iter();
    let swept = swept.filter(|row| row.reason.as_deref() == Some("orphan"));
    assert_eq!(swept.count(), STREAMS + 1);
    for path in paths.iter().chain([&silent]) {
        there.post(path, &says(Plan::answer(1))).await.expect(201);
    }
    scene.adds_up(&survivor).await;
    scene.end([survivor]).await;
}
