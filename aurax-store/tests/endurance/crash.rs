//! Processes that die at any moment, and what the sweep makes of what they leave open.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::time::Duration;

use aurax_core::{Money, Principal};
use aurax_store::Store;
use aurax_store::testkit::{
    self, Audit, Books, CrashPoint, Invariant, Journal, Manner, Moment, Seen, Upstream,
};

use crate::place::{Place, seed, times, until};
use crate::program::{Orders, Program, pricing};

/// A store that outlives the programs that use it, and the upstream they all ask.
struct Scene {
    place: Place,
    store: Store,
    upstream: Upstream,
}

impl Scene {
    async fn new(place: Place) -> Self {
        let store = place.open().await;
        let limit: Money = "1000".parse().unwrap();
        testkit::add_budget(&store, &Principal::new("load"), true, limit)
            .await
            .unwrap();
        let upstream = Upstream::start(place.upstream_journal()).await.unwrap();
        Self {
            place,
            store,
            upstream,
        }
    }

    /// Waits for the upstream to notice, settles what the dead left open, and audits.
    async fn audit(&self) -> Audit {
        let limit = Duration::from_secs(5);
        let upstream = &self.upstream;
        until("upstream is idle", limit, || upstream.open() == 0).await;
        let jobs = self.store.jobs();
        // Everybody else is dead, however lately it spoke.
        let silence = time::Duration::seconds(-60);
        jobs.sweep_orphans(silence).await.unwrap();
        let books = Books::read(&self.store).await.unwrap();
        let seen: Vec<Seen> = Journal::read(self.place.client_journal()).unwrap();
        let facts = upstream.facts().unwrap();
        let engine = pricing(upstream.url());
        Audit::of(&books, &facts, &seen, &engine, Moment::AtRest)
    }

    async fn clear(self) {
        self.place.clear(&self.store).await;
    }
}

/// Counts acknowledgements in a journal that grows.
struct Watch<'a> {
    path: &'a Path,
    read: u64,
    acknowledged: usize,
}

impl<'a> Watch<'a> {
    fn new(path: &'a Path) -> Self {
        Self {
            path,
            read: 0,
            acknowledged: 0,
        }
    }

    fn acknowledged(&mut self) -> usize {
        let Ok(mut file) = File::open(self.path) else {
            return 0;
        };
        file.seek(SeekFrom::Start(self.read)).unwrap();
        let mut new = Vec::new();
        file.read_to_end(&mut new).unwrap();
        let whole = new.iter().rposition(|byte| *byte == b'\n');
        let new = &new[..whole.map_or(0, |at| at + 1)];
        self.read += new.len() as u64;
        let lines = new.split(|byte| *byte == b'\n');
        self.acknowledged += lines
            .filter(|line| line.starts_with(b"{\"acknowledged\""))
            .count();
        self.acknowledged
    }
}

async fn kills_lose_nothing(place: Place) {
    let seed = seed();
    let mut rng = fastrand::Rng::with_seed(seed);
    let scene = Scene::new(place).await;
    let journal = scene.place.client_journal();
    let mut watch = Watch::new(&journal);
    let kills = times(10, 50);
    let mut lost = 0;
    for kill in 0..kills {
        let orders = Orders::new(&scene.place, scene.upstream.url(), rng.u64(..));
        let program = Program::start(&orders);
        // A part of the first answers, or some hundreds of them.
        let goal = watch.acknowledged() + rng.usize(1..250);
        let limit = Duration::from_secs(30);
        until("answers", limit, || watch.acknowledged() >= goal).await;
        tokio::time::sleep(Duration::from_micros(rng.u64(0..20_000))).await;
        program.kill();
        let audit = scene.audit().await;
        if !audit.violated().is_empty() {
            println!("after kill {kill}:\n{audit}");
            lost += 1;
        }
    }
    let audit = scene.audit().await;
    let books = Books::read(&scene.store).await.unwrap();
    let orphans = books.settlements.iter();
    let orphans = orphans.filter(|row| row.reason.as_deref() == Some("orphan"));
    println!(
        "{kills} kills, {} acknowledged, {} attempts, {} of them swept\n{audit}",
        watch.acknowledged(),
        books.attempts.len(),
        orphans.count(),
    );
    assert_eq!(lost, 0);
    scene.clear().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_lose_nothing_in_a_file() {
    kills_lose_nothing(Place::file()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_lose_nothing_in_postgres() {
    if let Some(place) = Place::postgres().await {
        kills_lose_nothing(place).await;
    }
}

const POINTS: [CrashPoint; 7] = [
    CrashPoint::AfterIntent,
    CrashPoint::BeforeSend,
    CrashPoint::AfterSend,
    CrashPoint::MidStream,
    CrashPoint::BeforeSettle,
    CrashPoint::AfterSettle,
    CrashPoint::AfterAcknowledgement,
];

/// Dies at each point, with streamed answers and with whole ones: one caller alone, and several.
async fn crashes_lose_nothing(place: Place) {
    let mut rng = fastrand::Rng::with_seed(seed());
    let scene = Scene::new(place).await;
    let mut crashes = 0;
    for point in POINTS {
        for (manner, clients) in [
            (Manner::Streamed, 1),
            (Manner::Whole, 1),
            (Manner::Both, 16),
        ] {
            let mut orders = Orders::new(&scene.place, scene.upstream.url(), rng.u64(..));
            (orders.manner, orders.clients) = (manner, clients);
            orders.crash = Some((point, rng.u32(0..20)));
            Program::start(&orders).dies(&format!("{point:?}")).await;
            let audit = scene.audit().await;
            assert_eq!(audit.violated(), [], "{point:?}, {manner:?}:\n{audit}");
            crashes += 1;
        }
    }
    println!("{crashes} crashes\n{}", scene.audit().await);
    scene.clear().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crashes_lose_nothing_in_a_file() {
    crashes_lose_nothing(Place::file()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crashes_lose_nothing_in_postgres() {
    if let Some(place) = Place::postgres().await {
        crashes_lose_nothing(place).await;
    }
}

/// Dies while the tables are made; the next one makes them, and works.
async fn a_crashed_migration_begins_anew(place: Place, steps: u32) {
    let upstream = Upstream::start(place.upstream_journal()).await.unwrap();
    for step in 0..steps {
        let mut orders = Orders::new(&place, upstream.url(), 1);
        orders.crash = Some((CrashPoint::MidMigration, step));
        Program::start(&orders).dies(&format!("step {step}")).await;
    }
    let mut orders = Orders::new(&place, upstream.url(), 1);
    orders.requests = 20;
    orders.clients = 4;
    let tally = Program::start(&orders).tally();
    assert!(tally.acknowledged > 0, "{tally:?}");
    let store = place.open().await;
    let books = Books::read(&store).await.unwrap();
    assert!(books.attempts.len() >= 20);
    place.clear(&store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crashed_migration_begins_anew_in_a_file() {
    a_crashed_migration_begins_anew(Place::file(), 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crashed_migration_begins_anew_in_postgres() {
    if let Some(place) = Place::postgres().await {
        a_crashed_migration_begins_anew(place, 5).await;
    }
}

/// A kill shows what the writer's own process hides: an end that was told before it was written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_early_acknowledgement_is_found_after_a_kill() {
    let scene = Scene::new(Place::file()).await;
    let journal = scene.place.client_journal();
    let mut watch = Watch::new(&journal);
    let mut orders = Orders::new(&scene.place, scene.upstream.url(), 3);
    orders.sabotage = Some(testkit::Sabotage::SettleAfterAck);
    let program = Program::start(&orders);
    let limit = Duration::from_secs(30);
    until("answers", limit, || watch.acknowledged() > 0).await;
    program.kill();
    let audit = scene.audit().await;
    assert!(
        audit.violated().contains(&Invariant::AcknowledgedIsWritten),
        "{audit}"
    );
    scene.clear().await;
}
