//! What is asked for often is found by an index, however much there is beside it.

use aurax_core::{Clock as _, Page, Principal, Session, SessionStore as _, SystemClock, new_id};
use aurax_store::testkit::{QueryPlan, TurnSeries, UsageSeries, explained};
use aurax_store::{Bucketing, Grouping, Retention, Store, UsageFilter};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::desk::{Desk, Kind};

/// Calls, and turns.
const ROWS: u64 = 40_000;
const TENANTS: u64 = 40;
const DAYS: i64 = 40;

fn tenant(number: u64) -> Principal {
    Principal::new(format!("tenant {number}"))
}

/// Calls of many tenants, and a long session of each; the first one is returned.
async fn fill(store: &Store, start: OffsetDateTime) -> Uuid {
    let tenants: Vec<Principal> = (0..TENANTS).map(tenant).collect();
    let step = Duration::days(DAYS) / i32::try_from(ROWS).unwrap();
    let jobs = store.jobs();
    let usage = UsageSeries::new(&tenants, start, step);
    usage.fill(&jobs, 0..ROWS).await.unwrap();
    let mut sessions = Vec::new();
    for tenant in tenants {
        let session = Session::new(new_id(), start);
        store.create(&tenant, &session).await.unwrap();
        sessions.push((session.id, tenant));
    }
    let turns = TurnSeries::new(&sessions, start, step);
    turns.fill(&jobs, 0..ROWS).await.unwrap();
    sessions[0].0
}

/// The plans of what is asked for often.
async fn often(store: &Store, session: Uuid, start: OffsetDateTime) -> Vec<QueryPlan> {
    let ada = tenant(0);
    let usage = store.user(&ada).usage();
    let week = UsageFilter::between(start + Duration::days(20), start + Duration::days(27));
    let all = UsageFilter::default();
    let (_, plans) = explained(store, async {
        let first = store.turns(&ada, session, &Page::first()).await.unwrap();
        let page = Page::first().after(first.next_cursor.unwrap());
        let second = store.turns(&ada, session, &page).await.unwrap();
        assert_eq!((first.data.len(), second.data[0].seq), (50, 51));
        let leaf = second.data.last().unwrap().id;
        let newest = store.branch(&ada, session, leaf, 50.into()).await.unwrap();
        assert_eq!((newest.len(), newest[49].id), (50, leaf));
        store.sessions(&ada, &Page::first()).await.unwrap();
        store.session(&ada, session).await.unwrap().unwrap();
        for filter in [&week, &all] {
            let sums = usage.summary(filter).await.unwrap();
            assert!(sums.requests > 100, "{sums:?}");
            usage.rows(filter, &Page::first()).await.unwrap();
            usage.grouped(filter, Grouping::Model).await.unwrap();
        }
        usage.series(&week, Bucketing::Day).await.unwrap();
        let jobs = store.jobs();
        let (since, until) = (start + Duration::days(26), start + Duration::days(27));
        let figures = jobs.figures(since, until).await.unwrap();
        assert!(figures.requests > 500, "{figures:?}");
        let own = store.user(&ada).user_id();
        let windows = [(own, since), (new_id(), until)];
        let figures = jobs.figures_of(&windows, until).await.unwrap();
        assert!(figures[0].requests > 10, "{figures:?}");
        let calls = jobs.calls(&[(since, until)]).await.unwrap();
        assert!(calls[0] > 500, "{calls:?}");
        jobs.first_call(since).await.unwrap().unwrap();
        jobs.budgets_of(&[own]).await.unwrap();
        let keep_all = Retention::default();
        store.jobs().retire(&keep_all, |_| {}).await.unwrap();
    })
    .await;
    plans
}

/// What alerts measure is found by when it was settled: ids of a week may be settled now.
fn is_watched(statement: &str) -> bool {
    ["watch.FIGURES", "watch.FIGURES_OF", "watch.CALLS"].contains(&statement)
}

/// Whether a step says by what calls were found.
fn is_found(line: &str) -> bool {
    line.contains("Index Cond") || line.contains("SEARCH usage_logs")
}

async fn nothing_is_scanned(kind: Kind) {
    let Some(desk) = Desk::open(kind).await else {
        return;
    };
    let now = SystemClock.now();
    let start = now - Duration::days(DAYS);
    let mut at = start;
    while at < now {
        let then = crate::desk::Hands::at_time(at);
        let jobs = desk.store.with_clock(then).jobs();
        jobs.partitions(Uuid::nil()).await.unwrap();
        at += Duration::weeks(3);
    }
    let session = fill(&desk.store, start).await;
    // What autovacuum does on a server; SQLite is as it is.
    if desk.server().await.is_some() {
        desk.tamper("ANALYZE").await;
    }
    let plans = often(&desk.store, session, start).await;
    for name in [
        "sessions.TURNS",
        "sessions.BRANCH",
        "usage.SUMMARY",
        "usage.SUMMARY_TIMES",
        "usage.LIST",
        "jobs.OLD_USAGE",
        "watch.FIGURES",
        "watch.FIGURES_OF",
        "watch.CALLS",
        "watch.FIRST",
    ] {
        assert!(plans.iter().any(|plan| plan.statement == name), "{name}");
    }
    for plan in &plans {
        assert_eq!(plan.scans(), [] as [&str; 0], "{plan:?}");
    }
    for plan in plans.iter().filter(|plan| is_watched(plan.statement)) {
        let found: Vec<&String> = plan.lines.iter().filter(|line| is_found(line)).collect();
        assert!(!found.is_empty(), "{plan:?}");
        for line in found {
            assert!(line.contains("created_at"), "{}: {line}", plan.statement);
        }
    }
    // Without its indexes a session is looked for everywhere, and that is noticed.
    for index in ["messages_session", "messages_user"] {
        desk.tamper(&format!("DROP INDEX {index}")).await;
    }
    // Another store, because SQLite would show what it prepared before.
    let another = desk.another().await.unwrap();
    let page = Page::first();
    let (turns, plans) = explained(&another, another.turns(&tenant(0), session, &page)).await;
    assert_eq!(turns.unwrap().data.len(), 50);
    assert!(!plans[0].scans().is_empty(), "{plans:?}");
    another.close().await;
    desk.clear().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_scanned_in_a_file() {
    nothing_is_scanned(Kind::File).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_scanned_in_postgres() {
    nothing_is_scanned(Kind::Postgres).await;
}
