//! How long it takes to look something up among a million calls and a million turns, in SQLite and
//! PostgreSQL: the time the caller waits, half of the times and 99 of 100. Nothing may be found by
//! reading a whole table.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::float_arithmetic,
    clippy::disallowed_methods,
    reason = "a bench may panic, reads the clock, is told where its server is and counts no money"
)]

use std::sync::Arc;
use std::time::Instant;

use aurax_core::{Clock, Page, Principal, Session, SessionStore as _, SystemClock, new_id};
use aurax_store::testkit::{QueryPlan, TurnSeries, UsageSeries, explained};
use aurax_store::{Bucketing, Grouping, PostgresOptions, Store, UsageFilter};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// Calls, and turns.
const ROWS: u64 = 1_000_000;
/// Over so many days.
const DAYS: i64 = 350;
/// So that each has 10,000 calls, of every kind: 101 shares no factor with what decides the kind.
const TENANTS: u64 = 101;
/// So that each has 50,000 turns.
const SESSIONS: u64 = 20;
/// How often each is asked for.
const TIMES: usize = 300;

fn tenant(number: u64) -> Principal {
    Principal::new(format!("tenant {number}"))
}

#[derive(Debug)]
struct Stopped(OffsetDateTime);

impl Clock for Stopped {
    fn now(&self) -> OffsetDateTime {
        self.0
    }

    fn monotonic(&self) -> tokio::time::Instant {
        SystemClock.monotonic()
    }
}

/// What there is to look up.
struct Shelf {
    store: Store,
    start: OffsetDateTime,
    /// A long session, and where each of its pages of 200 begins.
    session: Uuid,
    pages: Vec<String>,
    leaf: Uuid,
}

impl Shelf {
    async fn fill(store: Store) -> Self {
        let start = SystemClock.now() - Duration::days(DAYS);
        let mut at = start;
        while at < SystemClock.now() {
            let jobs = store.with_clock(Arc::new(Stopped(at))).jobs();
            jobs.partitions(Uuid::nil()).await.unwrap();
            at += Duration::weeks(3);
        }
        let jobs = store.jobs();
        let step = Duration::days(DAYS) / i32::try_from(ROWS).unwrap();
        let tenants: Vec<Principal> = (0..TENANTS).map(tenant).collect();
        let usage = UsageSeries::new(&tenants, start, step);
        usage.fill(&jobs, 0..ROWS).await.unwrap();
        let mut sessions = Vec::new();
        for number in 0..SESSIONS {
            let session = Session::new(new_id(), start);
            store.create(&tenant(number), &session).await.unwrap();
            sessions.push((session.id, tenant(number)));
        }
        let turns = TurnSeries::new(&sessions, start, step);
        turns.fill(&jobs, 0..ROWS).await.unwrap();
        Self {
            store,
            start,
            session: sessions[0].0,
            pages: Vec::new(),
            leaf: Uuid::nil(),
        }
    }

    async fn walk(&mut self) {
        let mut page = Page::first().with_limit(Page::MOST);
        loop {
            let turns = self.store.turns(&tenant(0), self.session, &page).await;
            let turns = turns.unwrap();
            self.leaf = turns.data.last().unwrap().id;
            let Some(cursor) = turns.next_cursor else {
                break;
            };
            page = page.after(cursor.clone());
            self.pages.push(cursor);
        }
    }

    /// Asks for one thing, of whatever part of it the number falls on.
    async fn ask(&self, what: What, number: usize) -> usize {
        let ada = tenant(0);
        let other = tenant(u64::try_from(number).unwrap() % TENANTS);
        let usage = self.store.user(&other).usage();
        let from = self.start + Duration::days(i64::try_from(number).unwrap() % (DAYS - 30));
        let month = UsageFilter::between(from, from + Duration::days(30));
        let year = UsageFilter::default();
        match what {
            What::Page => {
                let cursor = self.pages[number * 7 % self.pages.len()].clone();
                let page = Page::first().after(cursor);
                let turns = self.store.turns(&ada, self.session, &page).await;
                turns.unwrap().data.len()
            }
            What::Newest => {
                let turns = self
                    .store
                    .branch(&ada, self.session, self.leaf, 50.into())
                    .await;
                turns.unwrap().len()
            }
            What::Calls => {
                let rows = usage.rows(&year, &Page::first()).await;
                rows.unwrap().data.len()
            }
            What::Month => count(usage.summary(&month).await.unwrap().requests),
            What::Year => count(usage.summary(&year).await.unwrap().requests),
            What::Models => usage.grouped(&month, Grouping::Model).await.unwrap().len(),
            What::Days => usage.series(&month, Bucketing::Day).await.unwrap().len(),
        }
    }
}

fn count(requests: u64) -> usize {
    usize::try_from(requests).unwrap()
}

#[derive(Debug, Clone, Copy)]
enum What {
    Page,
    Newest,
    Calls,
    Month,
    Year,
    Models,
    Days,
}

const ALL: [(What, &str); 7] = [
    (What::Page, "a page of 50 of a session of 50,000 turns"),
    (What::Newest, "its newest 50"),
    (What::Calls, "the latest 50 of a user's 10,000 calls"),
    (What::Month, "the sums of a month of them"),
    (What::Year, "the sums of all of them"),
    (What::Models, "a month of them by model"),
    (What::Days, "a month of them by day"),
];

async fn measure(name: &str, shelf: &Shelf) {
    println!("\n{name}");
    for (what, title) in ALL {
        let mut times = Vec::with_capacity(TIMES);
        for number in 0..TIMES {
            let began = Instant::now();
            assert!(shelf.ask(what, number).await > 0, "{title}");
            times.push(began.elapsed());
        }
        times.sort();
        let at = |percent: usize| times[TIMES * percent / 100].as_secs_f64() * 1e3;
        let (_, plans) = explained(&shelf.store, shelf.ask(what, 1)).await;
        let scans: Vec<&str> = plans.iter().flat_map(QueryPlan::scans).collect();
        println!(
            "  {title:<45} {:>8.2} ms p50 {:>8.2} ms p99  {} statements, {} scans",
            at(50),
            at(99),
            plans.len(),
            scans.len()
        );
        assert_eq!(scans, [] as [&str; 0], "{title}");
    }
}

#[tokio::main]
async fn main() {
    // `-- sqlite` and `-- postgres` are for one of them.
    let named = |name: &str| std::env::args().any(|argument| argument == name);
    if !named("postgres") {
        in_sqlite().await;
    }
    if !named("sqlite") {
        in_postgres().await;
    }
}

async fn in_sqlite() {
    let folder = std::env::temp_dir().join(format!("aurax-bench-{}", new_id()));
    std::fs::create_dir(&folder).unwrap();
    let store = Store::sqlite(folder.join("history.db")).await.unwrap();
    let mut shelf = Shelf::fill(store).await;
    shelf.walk().await;
    measure("SQLite", &shelf).await;
    shelf.store.close().await;
    std::fs::remove_dir_all(folder).unwrap();
}

async fn in_postgres() {
    let Ok(url) = std::env::var("AURAX_TEST_POSTGRES") else {
        println!("PostgreSQL is left out: AURAX_TEST_POSTGRES is not set");
        return;
    };
    let name = format!("aurax_bench_{}", new_id().simple());
    let mut server = PgConnection::connect(&url).await.unwrap();
    let create = format!("CREATE DATABASE {name}");
    server.execute(AssertSqlSafe(create)).await.unwrap();
    let (at, _) = url.rsplit_once('/').unwrap();
    let url = format!("{at}/{name}");
    let store = Store::postgres(&PostgresOptions::new(&url)).await.unwrap();
    let mut shelf = Shelf::fill(store).await;
    // What autovacuum does by and by.
    let mut owner = PgConnection::connect(&url).await.unwrap();
    owner.execute("VACUUM ANALYZE").await.unwrap();
    shelf.walk().await;
    measure("PostgreSQL", &shelf).await;
    shelf.store.close().await;
    owner.close().await.unwrap();
    let drop = format!("DROP DATABASE {name} WITH (FORCE)");
    server.execute(AssertSqlSafe(drop)).await.unwrap();
}
