//! What runs by itself.

use std::sync::{Arc, Mutex};

use aurax_core::{
    Call, Clock, Cost, Ctx, Money, PriceBook, Pricer, Principal, Provider as _, new_id,
};
use aurax_store::testkit::Books;
use aurax_store::{LedgerOptions, NewUser, Repricing, Retention, UsageFilter, UsageRow};
use futures::StreamExt as _;
use sqlx::Row as _;
use time::{Duration, OffsetDateTime};

use crate::desk::{Desk, Kind};
use crate::support::{call, engine};

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

/// A clock that a test sets.
#[derive(Debug)]
struct Hand(Mutex<OffsetDateTime>);

impl Hand {
    fn at(now: OffsetDateTime) -> Arc<Self> {
        Arc::new(Self(Mutex::new(now)))
    }

    fn forward(&self, by: Duration) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for Hand {
    fn now(&self) -> OffsetDateTime {
        *self.0.lock().unwrap()
    }

    fn monotonic(&self) -> tokio::time::Instant {
        aurax_core::SystemClock.monotonic()
    }
}

fn now() -> OffsetDateTime {
    aurax_core::SystemClock.now()
}

pub(crate) async fn one_process_at_a_time_does_a_job(desk: Desk) -> Desk {
    let hand = Hand::at(now());
    let jobs = desk.store.with_clock(hand.clone()).jobs();
    let minute = Duration::minutes(1);
    let mut lease = jobs.lease("sweep", minute).await.unwrap().unwrap();
    assert_eq!(lease.progress(), None);
    assert!(jobs.lease("sweep", minute).await.unwrap().is_none());
    assert!(jobs.lease("other", minute).await.unwrap().is_some());
    lease.note("half").await.unwrap();
    assert!(jobs.job("sweep").await.unwrap().is_held);
    // It dies; when its time is over another goes on where it was.
    hand.forward(minute + minute);
    let heir = jobs.lease("sweep", minute).await.unwrap().unwrap();
    assert_eq!(heir.progress(), Some("half"));
    let error = lease.note("more").await.unwrap_err();
    assert_eq!(error.kind(), aurax_core::ErrorKind::Conflict);
    heir.give_up().await.unwrap();
    let last = jobs.lease("sweep", minute).await.unwrap().unwrap();
    assert_eq!(last.progress(), Some("half"));
    last.finish().await.unwrap();
    let state = jobs.job("sweep").await.unwrap();
    assert_eq!((state.is_held, state.progress), (false, None));
    assert_eq!(
        state.finished_at.map(|at| at.date()),
        Some(hand.now().date())
    );
    desk
}

pub(crate) async fn sums_of_usage_outlive_its_rows(desk: Desk) -> Desk {
    let ada = Principal::new("ada");
    let old = now() - Duration::days(400);
    let mut random = fastrand::Rng::with_seed(3);
    let mut rows = Vec::new();
    for number in 0..1_300 {
        let at = old + Duration::minutes(random.i64(0..60 * 24 * 60));
        let model = ["a", "b"][random.usize(0..2)];
        let mut row = UsageRow::answered("openai", model, at);
        row.request_tokens = number;
        row.total_tokens = number;
        let amount = format!("1.{:018}", random.u64(0..1_000_000_000_000_000_000));
        row.cost = [Cost::Unpriced, Cost::Exact(money(&amount))][random.usize(0..2)];
        rows.push(row);
    }
    let jobs = desk.store.jobs();
    jobs.add_usage(&ada, &rows).await.unwrap();
    let scope = desk.store.user(&ada);
    // From a day's beginning, since that is what a roll-up remembers.
    let from = (old - Duration::days(2)).replace_time(time::Time::MIDNIGHT);
    let all = UsageFilter::between(from, now());
    let before = scope.usage().summary(&all).await.unwrap();
    let mut steps = 0;
    let retired = jobs
        .retire(&Retention::default(), |_| steps += 1)
        .await
        .unwrap();
    let kept = Books::read(&desk.store).await.unwrap().charges.len();
    assert!(retired.usage > 500 && kept > 0, "{retired:?} {kept}");
    assert_eq!(usize::try_from(retired.usage).unwrap() + kept, rows.len());
    assert!(steps >= retired.usage / 500, "{steps}");
    let after = scope.usage().summary(&all).await.unwrap();
    assert_eq!(after.cost, before.cost);
    assert_eq!(
        (after.requests, after.request_tokens, after.unpriced),
        (before.requests, before.request_tokens, before.unpriced)
    );
    let again = jobs.retire(&Retention::default(), |_| {}).await.unwrap();
    assert_eq!(again.usage, 0);
    desk
}

pub(crate) async fn a_plan_says_how_long_messages_are_kept(desk: Desk) -> Desk {
    let admin = desk.store.admin();
    let free = admin.add_user(NewUser::new("free@x.org")).await.unwrap();
    let paid = admin.add_user(NewUser::new("paid@x.org")).await.unwrap();
    let mut change = aurax_store::UserChange::default();
    change.plan_type = Some("pro".to_owned());
    admin.change_user(paid.id, change).await.unwrap();
    for user in [free.id, paid.id] {
        let principal = Principal::new(user.to_string());
        crate::sessions::old_and_new_turns(&desk, &principal, now() - Duration::days(91)).await;
    }
    let retired = desk
        .store
        .jobs()
        .retire(&Retention::default(), |_| {})
        .await
        .unwrap();
    assert_eq!(retired.messages, 1);
    let left = Books::read(&desk.store).await.unwrap().messages;
    let of = |user| {
        left.iter()
            .filter(|message| message.user_id == user)
            .count()
    };
    assert_eq!((of(free.id), of(paid.id)), (1, 2));
    desk
}

pub(crate) async fn prices_that_were_wrong_are_corrected_beside_the_charge(desk: Desk) -> Desk {
    let (engine, _) = engine(desk.store.ledger(LedgerOptions::default()).unwrap());
    for _ in 0..3 {
        let reply = engine.call(&Ctx::local(), &call("5")).await.unwrap();
        reply.collect().await.unwrap();
    }
    let base = Books::read(&desk.store).await.unwrap();
    let overlay = r#"{"providers": {"openai": {"models": [{"id": "gpt-4o-mini",
        "prices": [{"usd": {"input": "1", "output": "2"}}]}]}}}"#;
    let book = PriceBook::builtin().with_overlay(overlay).unwrap();
    let pricer = Arc::new(Pricer::new(Arc::new(book)));
    let hour = Duration::hours(1);
    let what = Repricing::new(pricer, now() - hour, now() + hour).with_prices("counter", "openai");
    let jobs = desk.store.jobs();
    let dry = jobs.reprice_dry_run(&what).await.unwrap();
    // 100 tokens at 1 and 5 at 2 dollars a million, in place of 0.000018.
    assert_eq!((dry.attempts, dry.changed), (3, 3));
    assert_eq!(dry.difference, money("0.000276"));
    assert_eq!(Books::read(&desk.store).await.unwrap(), base);
    assert_eq!(jobs.reprice(&what).await.unwrap(), dry);
    let again = jobs.reprice(&what).await.unwrap();
    assert_eq!((again.changed, again.difference), (0, Money::ZERO));
    let books = Books::read(&desk.store).await.unwrap();
    assert_eq!((books.settlements.len(), books.charges.len()), (6, 6));
    for row in &base.settlements {
        assert!(books.settlements.contains(row), "a settlement was changed");
    }
    let scope = desk.store.user(&Principal::local());
    let all = UsageFilter::between(now() - hour, now() + hour);
    let sums = scope.usage().summary(&all).await.unwrap();
    assert_eq!((sums.requests, sums.cost), (3, money("0.00033")));
    desk
}

/// Prices of the last two hours' calls, in dollars a million tokens.
fn priced(input: &str, output: &str) -> Repricing {
    let overlay = format!(
        r#"{{"providers": {{"openai": {{"models": [{{"id": "gpt-4o-mini",
            "prices": [{{"usd": {{"input": "{input}", "output": "{output}"}}}}]}}]}}}}}}"#
    );
    let book = PriceBook::builtin().with_overlay(&overlay).unwrap();
    let pricer = Arc::new(Pricer::new(Arc::new(book)));
    let hour = Duration::hours(1);
    Repricing::new(pricer, now() - hour, now() + hour).with_prices("counter", "openai")
}

pub(crate) async fn prices_that_go_back_and_forth_are_followed(desk: Desk) -> Desk {
    let (engine, _) = engine(desk.store.ledger(LedgerOptions::default()).unwrap());
    let reply = engine.call(&Ctx::local(), &call("5")).await.unwrap();
    reply.collect().await.unwrap();
    let jobs = desk.store.jobs();
    let (old, dear) = (priced("0.15", "0.6"), priced("1", "2"));
    for (what, difference) in [
        (&old, None),
        (&dear, Some("0.000092")),
        (&old, Some("-0.000092")),
        (&dear, Some("0.000092")),
        (&dear, None),
    ] {
        let done = jobs.reprice(what).await.unwrap();
        assert_eq!(done.changed, u64::from(difference.is_some()));
        assert_eq!(done.difference, difference.map_or(Money::ZERO, money));
        assert_eq!(done.priced, 0);
    }
    let books = Books::read(&desk.store).await.unwrap();
    assert_eq!((books.settlements.len(), books.charges.len()), (4, 4));
    let scope = desk.store.user(&Principal::local());
    let sums = scope.usage().summary(&UsageFilter::default()).await;
    assert_eq!(sums.unwrap().cost, money("0.00011"));
    desk
}

pub(crate) async fn what_its_writer_corrected_is_priced_by_the_correction(desk: Desk) -> Desk {
    let Some(other) = desk.another().await else {
        return desk;
    };
    let (engine, _) = engine(other.ledger(LedgerOptions::default()).unwrap());
    let mut request = crate::support::ask("2");
    request.stream = true;
    let asked = Call::chat(call("2").model, request);
    let mut reply = engine.call(&Ctx::local(), &asked).await.unwrap();
    let jobs = desk.store.jobs();
    let swept = jobs.sweep_orphans(Duration::ZERO).await.unwrap();
    assert_eq!(swept.attempts, 1);
    while let Some(batch) = reply.next().await {
        batch.unwrap();
    }
    // 100 tokens at 0.15 and 2 at 0.60 dollars a million: nothing that pricing again changes.
    let same = jobs.reprice(&priced("0.15", "0.6")).await.unwrap();
    assert_eq!((same.attempts, same.changed), (1, 0), "{same:?}");
    let dear = jobs.reprice(&priced("1", "2")).await.unwrap();
    assert_eq!((dear.changed, dear.difference), (1, money("0.0000878")));
    let scope = desk.store.user(&Principal::local());
    let sums = scope.usage().summary(&UsageFilter::default()).await;
    assert_eq!(sums.unwrap().cost, money("0.000104"));
    other.close().await;
    desk
}

pub(crate) async fn partitions_are_there_before_they_are_needed(desk: Desk) -> Desk {
    let hand = Hand::at(now());
    let jobs = desk.store.with_clock(hand.clone()).jobs();
    let old = uuid::Uuid::nil();
    let first = jobs.partitions(old).await.unwrap();
    assert_eq!((first.made, first.stray_usage), (0, 0));
    let is_partitioned = matches!(desk.kind, Kind::Postgres | Kind::PgBouncer);
    hand.forward(Duration::days(62));
    let later = jobs.partitions(old).await.unwrap();
    assert_eq!(later.made > 0, is_partitioned, "{later:?}");
    // A row from a time that nobody expected is kept, and reported.
    let row = UsageRow::answered("openai", "a", now() + Duration::days(2_000));
    jobs.add_usage(&Principal::local(), &[row]).await.unwrap();
    let strays = jobs.partitions(old).await.unwrap();
    assert_eq!(strays.stray_usage, u64::from(is_partitioned));
    let dropped = jobs.partitions(new_id()).await.unwrap().dropped;
    assert_eq!(dropped.is_empty(), !is_partitioned, "{dropped:?}");
    desk
}

pub(crate) async fn rows_that_had_no_partition_move_into_theirs(desk: Desk) -> Desk {
    let Some(mut server) = desk.server().await else {
        return desk;
    };
    // No partition was made for years, and calls went on.
    let later = now() + Duration::days(2_000);
    let ada = Principal::new("ada");
    let rows: Vec<_> = [0, 1, 30]
        .map(|days| UsageRow::answered("openai", "a", later + Duration::days(days)))
        .into();
    desk.store.jobs().add_usage(&ada, &rows).await.unwrap();
    let scope = desk.store.user(&ada);
    let all = UsageFilter::between(later - Duration::days(1), later + Duration::days(40));
    let before = scope.usage().summary(&all).await.unwrap();
    let jobs = desk.store.with_clock(Hand::at(later)).jobs();
    let done = jobs.partitions(uuid::Uuid::nil()).await.unwrap();
    // The last of them lies beyond what is made ahead.
    assert_eq!((done.made, done.stray_usage), (10, 1));
    assert_eq!(scope.usage().summary(&all).await.unwrap(), before);
    assert_eq!(before.requests, 3);
    // What they moved into is closed like any other, and has all of the table's indexes.
    let sql = "SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity AS is_closed, c.relacl IS NULL AS is_own,
                   (SELECT count(*) FROM pg_index WHERE indrelid = c.oid)
                   = (SELECT count(*) FROM pg_index WHERE indrelid = i.inhparent) AS is_indexed
               FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE c.relkind = 'r'";
    let partitions = sqlx::query(sql).fetch_all(&mut server).await.unwrap();
    assert_eq!(partitions.len(), 22);
    for row in &partitions {
        let name: String = row.get("relname");
        for what in ["is_closed", "is_own", "is_indexed"] {
            assert!(row.get::<bool, _>(what), "{name}: {what}");
        }
    }
    let again = jobs.partitions(uuid::Uuid::nil()).await.unwrap();
    assert_eq!((again.made, again.stray_usage), (0, 1));
    desk
}
