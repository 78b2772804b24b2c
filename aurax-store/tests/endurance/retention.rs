//! What is too old goes, and what it adds up to stays: when the process dies in the middle of it,
//! and when there is very much of it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use aurax_core::{Clock as _, Page, Principal, SystemClock, new_id};
use aurax_store::testkit::{Books, CrashPoint, RollupRow, Sabotage, TurnSeries};
use aurax_store::{NewUser, Store, UsageFilter};
use time::Duration as Span;

use crate::chore::{Chore, Task};
use crate::place::{Place, seed, times};
use crate::series::{Calls, Key, Sums, rolled_up};

const CALLS: u64 = 5_000;
const TURNS: u64 = 1_200;
const NEW_TURNS: u64 = 60;

/// Usage and messages, old ones and new ones.
struct Scene {
    place: Place,
    store: Store,
    calls: Calls,
    expected: BTreeMap<Key, Sums>,
}

impl Scene {
    async fn new(place: Place) -> Self {
        let store = place.open().await;
        let calls = Calls::long_ago(CALLS, 2, Span::days(420), 9);
        calls.fill(&store).await;
        let expected = calls.sums(&store);
        let account = NewUser::new("ada@example.org");
        let account = store.admin().add_user(account).await.unwrap();
        let ada = Principal::new(account.id.to_string());
        let sessions = [(new_id(), ada.clone()), (new_id(), ada)];
        for (turns, ago) in [(TURNS, Span::days(100)), (NEW_TURNS, Span::days(80))] {
            let start = SystemClock.now() - ago;
            let series = TurnSeries::new(&sessions, start, Span::seconds(7));
            series.fill(&store.jobs(), 0..turns).await.unwrap();
        }
        Self {
            place,
            store,
            calls,
            expected,
        }
    }

    /// Every sum that is not what it was before anything was dropped.
    async fn differences(&self) -> Vec<String> {
        self.calls.differences(&self.store, &self.expected).await
    }

    async fn messages(&self) -> u64 {
        let books = Books::read(&self.store).await.unwrap();
        u64::try_from(books.messages.len()).unwrap()
    }

    /// Comes to the end: nothing old is left, and the roll-up is what all of it adds up to.
    async fn completes(&self) {
        Chore::new(&self.place, Task::Retire).finish();
        everything_is_rolled_up(&self.store, &self.calls, &self.expected).await;
        assert_eq!(self.messages().await, NEW_TURNS);
        let again = Chore::new(&self.place, Task::Retire).finish().retired;
        assert_eq!((again.usage, again.messages), (0, 0));
    }

    async fn clear(self) {
        self.place.clear(&self.store).await;
    }
}

async fn everything_is_rolled_up(store: &Store, calls: &Calls, expected: &BTreeMap<Key, Sums>) {
    for tenant in &calls.tenants {
        let usage = store.user(tenant).usage();
        let filter = UsageFilter::default();
        let left = usage.rows(&filter, &Page::first()).await.unwrap();
        assert_eq!(left.data, []);
    }
    let found = rolled_up(store).await;
    for (key, sums) in expected {
        assert_eq!(found.get(key), Some(sums), "{key:?}");
    }
    assert_eq!(found.len(), expected.len());
    let differences = calls.differences(store, expected).await;
    assert_eq!(differences, [] as [&str; 0]);
}

async fn retention_that_crashes_loses_nothing(place: Place) {
    let scene = Scene::new(place).await;
    assert_eq!(scene.differences().await, [] as [&str; 0]);
    // Messages go in 3 pages, usage in 10.
    for (point, passes, messages) in [
        (CrashPoint::MidRetention, 0, TURNS),
        (CrashPoint::AfterRetention, 0, TURNS - 500),
        (CrashPoint::MidRetention, 1, TURNS - 1_000),
        (CrashPoint::AfterRetention, 0, 0),
        (CrashPoint::MidRetention, 0, 0),
        (CrashPoint::AfterRetention, 0, 0),
        (CrashPoint::MidRetention, 3, 0),
        (CrashPoint::AfterRetention, 3, 0),
    ] {
        let chore = Chore::new(&scene.place, Task::Retire).with_crash(point, passes);
        chore.start().dies(&format!("{point:?} {passes}")).await;
        let differences = scene.differences().await;
        assert_eq!(differences, [] as [&str; 0], "{point:?} {passes}");
        let left = scene.messages().await;
        assert_eq!(left, messages + NEW_TURNS, "{point:?} {passes}");
    }
    scene.completes().await;
    scene.clear().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retention_survives_crashes_in_a_file() {
    retention_that_crashes_loses_nothing(Place::file()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retention_survives_crashes_in_postgres() {
    if let Some(place) = Place::postgres().await {
        retention_that_crashes_loses_nothing(place).await;
    }
}

async fn retention_that_is_killed_loses_nothing(place: Place) {
    let mut rng = fastrand::Rng::with_seed(seed());
    let scene = Scene::new(place).await;
    let groups = scene.expected.len();
    let mut seen = Vec::new();
    for kill in 1..=4 {
        let program = Chore::new(&scene.place, Task::Retire).start();
        let goal = rng.usize(groups * (kill - 1) / 5 + 1..groups * kill / 5);
        let waited = tokio::time::timeout(Duration::from_secs(30), async {
            while RollupRow::all(&scene.store).await.unwrap().len() < goal {
                tokio::task::yield_now().await;
            }
        });
        assert!(waited.await.is_ok(), "kill {kill} waits for {goal}");
        tokio::time::sleep(Duration::from_micros(rng.u64(0..2_000))).await;
        program.kill();
        seen.push(RollupRow::all(&scene.store).await.unwrap().len());
        let differences = scene.differences().await;
        assert_eq!(differences, [] as [&str; 0], "kill {kill}");
    }
    println!("4 kills, after {seen:?} of {groups} groups");
    assert!(seen[0] < groups);
    scene.completes().await;
    scene.clear().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retention_survives_kills_in_a_file() {
    retention_that_is_killed_loses_nothing(Place::file()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retention_survives_kills_in_postgres() {
    if let Some(place) = Place::postgres().await {
        retention_that_is_killed_loses_nothing(place).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn usage_that_is_dropped_without_its_sums_is_found() {
    let scene = Scene::new(Place::file()).await;
    let chore = Chore::new(&scene.place, Task::Retire);
    chore
        .with_sabotage(Sabotage::DropWithoutRollUp)
        .start()
        .said::<crate::chore::Done>();
    assert!(!scene.differences().await.is_empty());
    scene.clear().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sums_that_are_kept_apart_are_found_by_a_crash() {
    let scene = Scene::new(Place::file()).await;
    let chore = Chore::new(&scene.place, Task::Retire).with_sabotage(Sabotage::RollUpApart);
    // The point is passed by three pages of messages and two of usage.
    let crash = chore.clone().with_crash(CrashPoint::AfterRetention, 5);
    crash.start().dies("a page of usage").await;
    assert!(!scene.differences().await.is_empty());
    scene.clear().await;
    // Nobody sees it who does not die there.
    let scene = Scene::new(Place::file()).await;
    let mut whole = chore;
    whole.place = scene.place.clone();
    whole.finish();
    assert_eq!(scene.differences().await, [] as [&str; 0]);
    scene.clear().await;
}

/// Drops so much old usage, checks every sum, and returns the process's greatest memory in KiB.
async fn retires(place: Place, count: u64) -> u64 {
    let store = place.open().await;
    let calls = Calls::long_ago(count, 10, Span::days(430), 40);
    let began = now();
    calls.fill(&store).await;
    place.analyse().await;
    let filled = now();
    let done = Chore::new(&place, Task::Retire).finish();
    let retired = now();
    assert_eq!(done.retired.usage, count);
    let expected = calls.sums(&store);
    everything_is_rolled_up(&store, &calls, &expected).await;
    println!(
        "{count} rows in {} groups: filled in {:?}, retired in {:?}, {} KiB at most, checked in {:?}",
        expected.len(),
        filled - began,
        retired - filled,
        done.peak,
        now() - retired,
    );
    place.clear(&store).await;
    done.peak
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long a test takes is printed"
)]
fn now() -> Instant {
    Instant::now()
}

/// The most by which ten times the rows may raise the greatest memory, in KiB.
const GROWTH: u64 = 2 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retention_takes_the_same_memory_for_any_number_of_rows_in_a_file() {
    let many = u64::try_from(times(100_000, 1_000_000)).unwrap();
    let few = retires(Place::file(), many / 10).await;
    let more = retires(Place::file(), many).await;
    assert!(more <= few + GROWTH, "{few} KiB, then {more} KiB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retention_takes_the_same_memory_for_any_number_of_rows_in_postgres() {
    let many = u64::try_from(times(100_000, 1_000_000)).unwrap();
    if let (Some(first), Some(second)) = (Place::postgres().await, Place::postgres().await) {
        let few = retires(first, many / 10).await;
        let more = retires(second, many).await;
        assert!(more <= few + GROWTH, "{few} KiB, then {more} KiB");
    }
}
