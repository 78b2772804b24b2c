//! A PostgreSQL that is stopped, and one that hangs: what costs money is refused at once and never
//! sent, and soon after its return everything is as before.

use std::path::PathBuf;
use std::time::Duration;

use aurax::{Clock as _, SystemClock};
use aurax_store::testkit::Plan;
use futures::StreamExt as _;
use serde_json::Value;

use crate::place::variable;
use crate::postgres::{Postgres, until_hung};
use crate::scene::{Scene, says, session, streams};
use crate::support::{Answer, Client, Place, Server};

/// How long a refusal may take.
const AT_ONCE: Duration = Duration::from_millis(1_500);
/// How soon everything is as before.
const RECOVERY: Duration = Duration::from_secs(5);
/// Tokens of an answer that ends while the database is away.
const LONG: u64 = 50;

struct Watched {
    data: PathBuf,
    database: Postgres,
    scene: Scene,
    server: Server,
    ada: Client,
    path: String,
}

/// What was answered, and how long that took.
async fn timed(asked: impl Future<Output = Answer>) -> (Answer, Duration) {
    let begun = SystemClock.monotonic();
    let answer = asked.await;
    (answer, SystemClock.monotonic() - begun)
}

impl Watched {
    async fn new() -> Option<Self> {
        let redis = variable("AURAX_TEST_REDIS")?;
        let data = std::env::temp_dir().join(format!("aurax_{}_pg", aurax::new_id().simple()));
        let database = Postgres::start(&data).await?;
        let scene = Scene::of(Place::within(&database.url()).await, redis).await;
        let server = scene
            .replica(|config| config.timeouts.login_cache = Duration::ZERO)
            .await;
        let ada = server.user().await;
        let path = session(&ada).await;
        Some(Self {
            data,
            database,
            scene,
            server,
            ada,
            path,
        })
    }

    async fn is_refused(&self, path: &str, body: &Value) -> Duration {
        let (answer, took) = timed(self.ada.post(path, body)).await;
        let code = answer.error(503);
        assert!(
            ["store_unavailable", "ledger_unavailable"].contains(&&*code),
            "{code}"
        );
        let after: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&after), "{after}");
        assert_eq!(answer.json()["error"]["retryable"], true);
        took
    }

    /// While the database is away.
    async fn stays_refused(&self) {
        let sent = self.scene.asked();
        let mut longest = Duration::ZERO;
        for round in 0..6 {
            let body = match round % 2 {
                0 => says(Plan::answer(1)),
                _ => streams(Plan::answer(1)),
            };
            longest = longest.max(self.is_refused(&self.path, &body).await);
        }
        let crowd = (0..32).map(|_| async {
            let body = says(Plan::answer(1));
            self.is_refused(&self.path, &body).await
        });
        let crowd = futures::future::join_all(crowd).await.into_iter().max();
        let (alive, took) = timed(self.ada.get("/livez")).await;
        alive.expect(200);
        assert!(took < AT_ONCE / 3, "{took:?}");
        let (ready, took) = timed(self.ada.get("/readyz")).await;
        assert_eq!(ready.error(503), "store_unavailable");
        assert!(took < AT_ONCE, "{took:?}");
        println!("refused after {longest:?} at most, 32 at once after {crowd:?}");
        assert!(longest < AT_ONCE && crowd.unwrap() < 2 * AT_ONCE);
        assert_eq!(self.scene.asked(), sent, "something was sent");
    }

    async fn is_back(&self) {
        let begun = SystemClock.monotonic();
        loop {
            // The session of the answer that was cut off is busy until that is settled.
            let path = session_when(&self.ada).await;
            let answer = self.ada.post(&path, &says(Plan::answer(1))).await;
            let took = SystemClock.monotonic() - begun;
            if answer.status.as_u16() == 201 {
                println!("back after {took:?}");
                assert!(took < RECOVERY, "{took:?}");
                break;
            }
            assert_eq!(answer.status.as_u16(), 503);
            assert!(took < RECOVERY, "{took:?}");
        }
        self.ada.get("/readyz").await.expect(200);
    }

    async fn ride_out(self, away: impl AsyncFnOnce(&Postgres), back: impl AsyncFnOnce(&Postgres)) {
        self.ada
            .post(&self.path, &says(Plan::answer(1)))
            .await
            .expect(201);
        let other = session(&self.ada).await;
        let long = streams(Plan::answer(LONG).with_pace(Duration::from_millis(20)));
        let in_flight = self.ada.post_stream(&other, &long).await;
        assert_eq!(in_flight.status.as_u16(), 200);
        away(&self.database).await;
        self.stays_refused().await;
        back(&self.database).await;
        self.is_back().await;
        // It arrived, and whether its end could be told in time depends on how long it took.
        let events = in_flight.events().await;
        let (name, last) = events.last().unwrap();
        assert!(
            name == "chat_response" || last["error"]["code"] == "ledger_unavailable",
            "{last}"
        );
        let books = self.scene.adds_up(&self.server).await;
        let is_long = |tokens: u64| tokens == LONG;
        let whole = books.charges.iter();
        let whole = whole.filter(|charge| is_long(charge.response_tokens));
        assert_eq!(whole.count(), 1, "an answer in flight is written down");
        self.end().await;
    }

    async fn end(self) {
        self.scene.end([self.server]).await;
        drop(self.database);
        std::fs::remove_dir_all(self.data).unwrap();
    }
}

/// A new session, as soon as there can be one.
async fn session_when(client: &Client) -> String {
    loop {
        let body = serde_json::json!({"settings": {"model": "openai/gpt-4o-mini"}});
        let made = client.post("/chat/sessions", &body).await;
        if made.status.as_u16() != 503 {
            let id = made.expect(201)["id"].as_str().unwrap().to_owned();
            break format!("/chat/sessions/{id}/messages");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_stopped() {
    if let Some(watched) = Watched::new().await {
        watched
            .ride_out(
                async |database| database.stop(),
                async |database| database.run().await,
            )
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_hangs() {
    if let Some(watched) = Watched::new().await {
        let hang = async |database: &Postgres| {
            database.hang();
            until_hung(database).await;
        };
        watched
            .ride_out(hang, async |database| database.go_on())
            .await;
    }
}

/// Whether somebody may go on is asked beside their answer: it does not wait for that.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_goes_on_while_nobody_can_be_asked_who_may_have_it() {
    let Some(watched) = Watched::new().await else {
        return;
    };
    let Watched {
        ada,
        path,
        database,
        ..
    } = &watched;
    let long = streams(Plan::answer(150).with_pace(Duration::from_millis(20)));
    let mut stream = ada.post_stream(path, &long).await;
    assert_eq!(stream.status.as_u16(), 200);
    database.hang();
    let (begun, mut longest) = (SystemClock.monotonic(), Duration::ZERO);
    let mut last = begun;
    while last - begun < Duration::from_millis(2_500) {
        stream.body.next().await.unwrap().unwrap();
        let now = SystemClock.monotonic();
        (longest, last) = (longest.max(now - last), now);
    }
    database.go_on();
    assert!(longest < Duration::from_millis(500), "{longest:?}");
    let rest = stream.collect().await;
    assert!(String::from_utf8_lossy(&rest.body).contains("event: chat_response"));
    watched.end().await;
}
