//! Databases that are away: calls are refused in time and never sent, what is in flight is written
//! when the database is back, and soon everything is as before.

use std::future::Future;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use aurax_core::{
    Call, Ctx, Engine, Error, ErrorKind, Message, ModelId, Principal, Provider as _, Reply,
    Request, RequestId,
};
use aurax_store::testkit::{
    self, Audit, Books, Fact, Journal, Load, Moment, Plan, Prompt, Seen, Tally, Upstream,
};
use aurax_store::{LedgerOptions, Store};
use sqlx::{Connection as _, Executor as _, SqliteConnection};
use tokio::time::Instant;

use crate::place::{Place, seed, times, until};
use crate::postgres::{Disk, Fragile, Postgres, until_hung};
use crate::program::{MODEL, engine};

/// Who has a hard budget.
const LIMITED: &str = "limited";
/// Who has none.
const FREE: &str = "free";
/// How long a refusal may take.
const REFUSAL: Duration = Duration::from_secs(2);
/// How long it takes until a statement that hangs is given up, and tried again: of a commit
/// nobody knows then what became of it.
const GIVEN_UP: Duration = Duration::from_secs(7);
/// Calls that are refused to see what stays of them, as many as that at once, and how long they may
/// take where there is little to compute with.
const REFUSED: usize = 10_000;
const CROWD: usize = 2_000;
const PATIENCE: Duration = Duration::from_secs(15);
/// How many KiB may stay of each of them: less than a call is, and enough for what else goes on.
const STAYS: usize = 3;
/// How soon everything is as before.
const RECOVERY: Duration = Duration::from_secs(5);
/// Answers that end while the database is away.
const IN_FLIGHT: usize = 8;
/// Tokens of each of them: more than any other answer has.
const LONG: u64 = 50;

/// So many of them, where another outage of the same database has shown all.
fn some() -> usize {
    times(CROWD, REFUSED)
}

struct Scene {
    place: Place,
    store: Store,
    upstream: Upstream,
    engine: Engine,
    journal: Arc<Journal>,
}

#[expect(clippy::disallowed_methods, reason = "the time it takes is tested")]
fn now() -> Instant {
    Instant::now()
}

impl Scene {
    async fn new(place: Place) -> Self {
        let store = place.open().await;
        let load = Principal::new(LIMITED);
        testkit::add_budget(&store, &load, true, "100".parse().unwrap())
            .await
            .unwrap();
        let upstream = Upstream::start(place.upstream_journal()).await.unwrap();
        let engine = engine(upstream.url(), &store);
        let journal = Arc::new(Journal::open(place.client_journal()).unwrap());
        Self {
            place,
            store,
            upstream,
            engine,
            journal,
        }
    }

    /// Begins a streamed call.
    async fn begin(&self, who: &str, plan: Plan) -> Result<Reply, Error> {
        let ctx = Ctx::new(Principal::new(who)).with_request_id(RequestId::new());
        let request = ctx.request_id();
        self.journal.note(&Seen::asking(request));
        let prompt = Prompt::new(request, [plan]);
        let mut body = Request::new(vec![Message::user(prompt.text())]);
        body.stream = true;
        let call = Call::chat(ModelId::parse(MODEL).unwrap(), body);
        self.engine.call(&ctx, &call).await
    }

    async fn call(&self, who: &str) -> Result<(), Error> {
        let reply = self.begin(who, Plan::answer(2)).await?;
        reply.collect().await.map(drop)
    }

    fn asked(&self) -> usize {
        let facts = self.upstream.facts().unwrap();
        let asked = |fact: &&Fact| matches!(fact, Fact::Asked { .. });
        facts.iter().filter(asked).count()
    }

    /// Callers without a budget that go on asking, whatever they hear.
    fn load(&self) -> impl Future<Output = Tally> + use<> {
        let model = ModelId::parse(MODEL).unwrap();
        let load = Load::new(self.engine.clone(), model, self.journal.clone());
        let load = load.with_clients(8).with_principal(Principal::new(FREE));
        let load = load.with_seed(seed());
        async move { load.run(400).await }
    }

    /// Waits until the load has begun.
    async fn is_busy(&self) {
        let begun = self.asked();
        let limit = Duration::from_secs(10);
        until("the load runs", limit, || self.asked() > begun + 50).await;
    }

    /// Many calls at once, all of which must be refused in time.
    async fn is_refused(&self, who: &str, calls: usize, limit: Duration) {
        let slowest = futures::future::join_all((0..calls).map(|_| async {
            let begun = now();
            let error = self.call(who).await.unwrap_err();
            (now() - begun, error)
        }));
        let mut longest = Duration::ZERO;
        for (took, error) in slowest.await {
            assert_eq!(error.kind(), ErrorKind::Ledger, "{error}");
            longest = longest.max(took);
        }
        println!("{calls} calls refused, the last one after {longest:?}");
        assert!(longest < limit, "{longest:?}");
    }

    /// Goes through an outage.
    async fn ride_out(
        &self,
        refused: usize,
        at_least: Duration,
        away: impl Future<Output = ()>,
        back: impl Future<Output = ()>,
    ) {
        for _ in 0..5 {
            self.call(LIMITED).await.unwrap();
        }
        let mut in_flight = Vec::new();
        for _ in 0..IN_FLIGHT {
            // They end a while after the database went away.
            let plan = Plan::answer(LONG).with_pace(Duration::from_millis(20));
            let reply = self.begin(LIMITED, plan).await.unwrap();
            in_flight.push(tokio::spawn(reply.collect()));
        }
        // Something is always on its way to the database when it goes.
        let load = tokio::spawn(self.load());
        self.is_busy().await;
        away.await;
        self.stays_refused(refused, at_least).await;
        back.await;
        self.is_back().await;
        let tally = load.await.unwrap();
        println!("{tally:?}");
        for answer in in_flight {
            // It arrived, and whether its end could be told in time depends on how long it took.
            if let Err(error) = answer.await.unwrap() {
                assert_eq!(error.kind(), ErrorKind::Ledger, "{error}");
            }
        }
        let books = self.adds_up().await;
        let whole = books.charges.iter();
        let whole = whole
            .filter(|charge| charge.response_tokens == LONG)
            .count();
        assert_eq!(whole, IN_FLIGHT, "answers in flight are written");
    }

    /// While the database is away: every call is refused in time, none is sent, and nothing stays
    /// of so many.
    async fn stays_refused(&self, refused: usize, at_least: Duration) {
        let gone = now();
        // What was taken before may still be sent.
        self.is_refused(LIMITED, 20, REFUSAL).await;
        let sent = self.asked();
        while now() - gone < at_least {
            self.is_refused(LIMITED, 20, REFUSAL).await;
        }
        // The first crowd makes room for those that follow.
        self.is_refused(FREE, CROWD, PATIENCE).await;
        let before = resident();
        for _ in 0..refused / CROWD {
            self.is_refused(FREE, CROWD, PATIENCE).await;
        }
        let grown = resident().saturating_sub(before);
        println!("{refused} refused calls took {grown} KiB");
        assert!(grown < REFUSED * STAYS, "{grown} KiB");
        assert_eq!(self.asked(), sent, "something was sent");
    }

    /// Soon calls are answered again.
    async fn is_back(&self) {
        let begun = now();
        while let Err(error) = self.call(LIMITED).await {
            assert!(now() - begun < RECOVERY, "{error}");
        }
        println!("back after {:?}", now() - begun);
        for _ in 0..5 {
            self.call(LIMITED).await.unwrap();
        }
    }

    /// Closes the books, which are right.
    async fn adds_up(&self) -> Books {
        let ledger = self.store.ledger(LedgerOptions::default()).unwrap();
        ledger.close().await;
        let books = Books::read(&self.store).await.unwrap();
        let seen: Vec<Seen> = Journal::read(self.place.client_journal()).unwrap();
        let facts = self.upstream.facts().unwrap();
        let audit = Audit::of(&books, &facts, &seen, &self.engine, Moment::AtRest);
        println!("{audit}");
        assert_eq!(audit.violated(), []);
        books
    }
}

/// Memory this process has, in KiB.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let size = line.unwrap().split_whitespace().nth(1).unwrap();
    size.parse().unwrap()
}

/// Another process, which writes to the file and does not end.
struct Writer {
    child: Child,
    /// It would not end well without somebody who listens.
    _said: BufReader<ChildStdout>,
}

impl Writer {
    /// Starts it, and waits until it has the lock.
    fn start(path: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "outage::holds_a_lock"])
            .args(["--ignored", "--nocapture"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Its input stays open for as long as it is to hold the lock.
        writeln!(child.stdin.as_mut().unwrap(), "{}", path.display()).unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.ends_with("locked\n") {
            assert!(said.read_line(&mut line).unwrap() > 0, "{line}");
        }
        Self { child, _said: said }
    }

    /// Lets it end its transaction, and itself.
    fn let_go(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}

/// The other process's work; without a path it does nothing.
#[tokio::test]
#[ignore = "another test runs it"]
async fn holds_a_lock() {
    let mut path = String::new();
    std::io::stdin().read_line(&mut path).unwrap();
    if path.is_empty() {
        return;
    }
    let url = format!("sqlite://{}", path.trim_end());
    let mut file = SqliteConnection::connect(&url).await.unwrap();
    // Somebody else writes all the time.
    while file.execute("BEGIN IMMEDIATE").await.is_err() {}
    println!("locked");
    assert_eq!(std::io::stdin().read_line(&mut path).unwrap(), 0);
    file.execute("ROLLBACK").await.unwrap();
    file.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_another_process_locks() {
    let place = Place::file();
    let path = place.folder.join("aurax.db");
    let scene = Scene::new(place).await;
    let other = tokio::sync::Mutex::new(None);
    let away = async { *other.lock().await = Some(Writer::start(&path)) };
    let back = async { other.lock().await.take().unwrap().let_go() };
    scene.ride_out(REFUSED, REFUSAL, away, back).await;
    scene.place.clear(&scene.store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_on_a_disk_that_is_full() {
    let mut place = Place::file();
    let Some(disk) = Disk::new(place.folder.join("disk"), "32m") else {
        return;
    };
    place.database = Some(disk.folder.clone());
    let scene = Scene::new(place).await;
    let away = async { disk.fill() };
    let back = async { disk.make_room() };
    scene.ride_out(some(), REFUSAL, away, back).await;
    scene.store.close().await;
    drop(disk);
    scene.place.clear(&scene.store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_read_only() {
    let mut place = Place::file();
    let Some(disk) = Disk::new(place.folder.join("disk"), "32m") else {
        return;
    };
    place.database = Some(disk.folder.clone());
    place.open().await.close().await;
    disk.make_read_only();
    let begun = now();
    let error = place.try_open().await.unwrap_err();
    println!("{error}");
    assert!(now() - begun < REFUSAL);
    assert!(
        matches!(error.kind(), ErrorKind::Store | ErrorKind::Config),
        "{error:?}"
    );
    drop(disk);
    std::fs::remove_dir_all(&place.folder).unwrap();
}

/// As file systems do that find an error. It takes a new start until it can be written to again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_turns_read_only() {
    let mut place = Place::file();
    let Some(disk) = Fragile::new(&place.folder) else {
        std::fs::remove_dir_all(&place.folder).unwrap();
        return;
    };
    place.database = Some(disk.folder.clone());
    let mut scene = Scene::new(place).await;
    println!("{:?}", scene.load().await);
    for _ in 0..5 {
        scene.call(LIMITED).await.unwrap();
    }
    disk.turn_read_only();
    scene.stays_refused(some(), Duration::ZERO).await;
    let before = Books::read(&scene.store).await.unwrap();
    assert!(before.charges.len() > 100, "what is there can be read");
    let repaired = disk.repaired();
    scene.place.database = Some(repaired.folder.clone());
    scene.store = scene.place.open().await;
    scene.engine = engine(scene.upstream.url(), &scene.store);
    let silence = time::Duration::seconds(-60);
    scene.store.jobs().sweep_orphans(silence).await.unwrap();
    scene.is_back().await;
    let books = scene.adds_up().await;
    assert!(books.charges.len() >= before.charges.len() + 6);
    scene.store.close().await;
    drop((repaired, disk));
    std::fs::remove_dir_all(&scene.place.folder).unwrap();
}

/// A store in a server of the test's own.
async fn own_server(data: &Path) -> Option<(Postgres, Place)> {
    let server = Postgres::start(data).await?;
    let mut place = Place::file();
    place.postgres = Some((String::new(), server.url()));
    Some((server, place))
}

/// A folder for a server, open to the user it runs as.
fn data() -> std::path::PathBuf {
    let name = format!("aurax_{}_pg", aurax_core::new_id().simple());
    std::env::temp_dir().join(name)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_stopped() {
    let data = data();
    let Some((server, place)) = own_server(&data).await else {
        return;
    };
    let scene = Scene::new(place).await;
    let away = async { server.stop() };
    let back = server.run();
    scene.ride_out(REFUSED, REFUSAL, away, back).await;
    scene.store.close().await;
    drop(server);
    std::fs::remove_dir_all(&scene.place.folder).unwrap();
    std::fs::remove_dir_all(data).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs() {
    let data = data();
    let Some((server, place)) = own_server(&data).await else {
        return;
    };
    let scene = Scene::new(place).await;
    let away = async {
        server.hang();
        until_hung(&server).await;
    };
    let back = async { server.go_on() };
    scene.ride_out(some(), GIVEN_UP, away, back).await;
    scene.store.close().await;
    drop(server);
    std::fs::remove_dir_all(&scene.place.folder).unwrap();
    std::fs::remove_dir_all(data).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_disk_is_full() {
    let Some(disk) = Disk::new(data(), "160m") else {
        return;
    };
    let Some((server, place)) = own_server(&disk.folder.join("data")).await else {
        return;
    };
    let scene = Scene::new(place).await;
    let away = async {
        disk.fill();
        // What there is of half-filled pages takes a while longer.
        while scene.call(LIMITED).await.is_ok() {}
    };
    let back = async { disk.make_room() };
    scene.ride_out(some(), REFUSAL, away, back).await;
    scene.store.close().await;
    drop(server);
    std::fs::remove_dir_all(&scene.place.folder).unwrap();
}
