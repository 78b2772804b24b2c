//! A server for analyses: it is asked for them and for nothing else, and nothing else waits for
//! it.

use std::future::Future;
use std::time::Duration;

use aurax_core::{
    Clock as _, Ctx, ErrorKind, Page, Principal, Provider as _, Result, Session, SessionStore as _,
    SystemClock, new_id,
};
use aurax_store::{LedgerOptions, PostgresOptions, Store, UsageFilter, UsageRow};
use tokio::time::Instant;

use crate::own::{Folder, count, refused, run, server};
use crate::place::Place;
use crate::postgres::Postgres;
use crate::support;

/// How long a refusal may take.
const REFUSAL: Duration = Duration::from_secs(2);
/// How soon everything is as before.
const RECOVERY: Duration = Duration::from_secs(5);

#[expect(clippy::disallowed_methods, reason = "the time it takes is tested")]
fn now() -> Instant {
    Instant::now()
}

fn ada() -> Principal {
    Principal::new("ada")
}

/// A server, and one that follows it.
struct Pair {
    primary: Postgres,
    standby: Postgres,
    _folders: (Folder, Folder),
}

impl Pair {
    async fn new() -> Option<Self> {
        let (primary, folder) = server().await?;
        let store = Store::postgres(&PostgresOptions::new(primary.url())).await;
        store.unwrap().close().await;
        let other = Folder::new();
        let standby = Postgres::new(&other.path().join("data"))?;
        standby.follow(&primary);
        standby.run().await;
        Some(Self {
            primary,
            standby,
            _folders: (folder, other),
        })
    }

    fn options(&self) -> PostgresOptions {
        let read_url = format!("{}?application_name=reports", self.standby.url());
        PostgresOptions::new(self.primary.url()).with_read_url(read_url)
    }

    /// Connections for analyses to a server.
    async fn reports(server: &Postgres) -> i64 {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'reports'";
        count(&server.url(), sql).await
    }
}

/// What an analysis counts.
async fn requests(store: &Store) -> Result<u64> {
    let usage = store.user(&ada()).usage();
    Ok(usage.summary(&UsageFilter::default()).await?.requests)
}

async fn use_once(store: &Store) {
    let row = UsageRow::answered("openai", "a", SystemClock.now());
    store.jobs().add_usage(&ada(), &[row]).await.unwrap();
}

/// What is no analysis: a session that is made and listed at once, and a call that is written.
async fn works(store: &Store, engine: &aurax_core::Engine) {
    let before = sessions(store).await;
    let session = Session::new(new_id(), time::OffsetDateTime::UNIX_EPOCH);
    store.create(&ada(), &session).await.unwrap();
    assert_eq!(sessions(store).await, before + 1);
    let ctx = Ctx::new(Principal::new("eve"));
    let reply = engine.call(&ctx, &support::call("3")).await.unwrap();
    reply.collect().await.unwrap();
}

async fn sessions(store: &Store) -> usize {
    let page = store.sessions(&ada(), &Page::first()).await.unwrap();
    page.data.len()
}

async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let begun = now();
    while !holds().await {
        assert!(now() - begun < RECOVERY, "still not: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn is_refused(store: &Store) {
    let begun = now();
    let error = requests(store).await.unwrap_err();
    assert!(now() - begun < REFUSAL, "{:?}", now() - begun);
    assert_eq!(error.kind(), ErrorKind::Store, "{error}");
    assert_eq!(error.context("server"), Some("the one for analyses"));
}

fn engine(store: &Store) -> aurax_core::Engine {
    let ledger = store.ledger(LedgerOptions::default()).unwrap();
    support::engine(ledger).0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn analyses_and_nothing_else_are_the_readers() {
    let Some(pair) = Pair::new().await else {
        return;
    };
    let store = Store::postgres(&pair.options()).await.unwrap();
    let engine = engine(&store);
    use_once(&store).await;
    until("it follows", async || requests(&store).await.unwrap() == 1).await;
    let pause = "SELECT pg_wal_replay_pause()";
    run(&pair.standby.url(), pause).await;
    let paused = "SELECT count(*) FROM pg_get_wal_replay_pause_state() AS s WHERE s = 'paused'";
    until("it pauses", async || {
        count(&pair.standby.url(), paused).await == 1
    })
    .await;
    use_once(&store).await;
    works(&store, &engine).await;
    assert_eq!(
        requests(&store).await.unwrap(),
        1,
        "the other server was asked"
    );
    let rows = store.user(&ada()).usage();
    let rows = rows
        .rows(&UsageFilter::default(), &Page::first())
        .await
        .unwrap();
    assert_eq!(rows.data.len(), 1, "the other server was asked");
    run(&pair.standby.url(), "SELECT pg_wal_replay_resume()").await;
    until("it follows again", async || {
        requests(&store).await.unwrap() == 2
    })
    .await;
    assert!(Pair::reports(&pair.standby).await > 0);
    assert_eq!(Pair::reports(&pair.primary).await, 0);
    let here = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'aurax'";
    assert_eq!(
        count(&pair.standby.url(), here).await,
        0,
        "something else was asked"
    );
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_is_away_is_missed_by_analyses_alone() {
    let Some(pair) = Pair::new().await else {
        return;
    };
    let store = Store::postgres(&pair.options()).await.unwrap();
    let engine = engine(&store);
    use_once(&store).await;
    until("it follows", async || requests(&store).await.unwrap() == 1).await;
    pair.standby.stop();
    is_refused(&store).await;
    works(&store, &engine).await;
    use_once(&store).await;
    // A program that starts now starts, too.
    let second = Store::postgres(&pair.options()).await.unwrap();
    is_refused(&second).await;
    pair.standby.run().await;
    for store in [&store, &second] {
        until("it is back", async || {
            requests(store).await.is_ok_and(|n| n == 2)
        })
        .await;
    }
    second.close().await;
    store.close().await;
}

#[tokio::test]
async fn a_reader_whose_policies_do_not_hold_is_refused() {
    let (Some(place), Some(other)) = (Place::postgres().await, Place::postgres().await) else {
        return;
    };
    let (store, copy) = (place.open().await, other.open().await);
    let (_, url) = place.postgres.clone().unwrap();
    let (_, read_url) = other.postgres.clone().unwrap();
    run(
        &read_url,
        "ALTER TABLE usage_logs NO FORCE ROW LEVEL SECURITY",
    )
    .await;
    let options = PostgresOptions::new(url).with_read_url(read_url);
    let error = refused(&options).await;
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(error.to_string().contains("(usage_logs)"), "{error}");
    assert_eq!(error.context("server"), Some("the one for analyses"));
    other.clear(&copy).await;
    place.clear(&store).await;
}

/// It is behind: analyses wait for it, and the program does not.
#[tokio::test]
async fn a_reader_without_tables_is_like_one_that_is_away() {
    let (Some(place), Some(other)) = (Place::postgres().await, Place::postgres().await) else {
        return;
    };
    let store = place.open().await;
    let (_, url) = place.postgres.clone().unwrap();
    let (_, read_url) = other.postgres.clone().unwrap();
    let options = PostgresOptions::new(url).with_read_url(read_url);
    let ahead = Store::postgres(&options).await.unwrap();
    is_refused(&ahead).await;
    let copy = other.open().await;
    assert_eq!(requests(&ahead).await.unwrap(), 0);
    ahead.close().await;
    other.clear(&copy).await;
    place.clear(&store).await;
}
