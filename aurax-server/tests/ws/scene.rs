//! A server whose provider does as the prompt says, and what its books hold.

use std::path::PathBuf;
use std::time::Duration;

use aurax::providers::hostile::{Dialect, HostileUpstream};
use aurax::{BreakerPolicy, RequestId, RetryPolicy};
use aurax_server::config::Config;
use aurax_store::testkit::{Books, ChargeRow, Ending, Plan, Prompt, Upstream};
use serde_json::{Value, json};

use crate::support::{Client, Kind, Server, Setup, Socket, moment};

/// A server, its provider `openai`, and somebody who is logged in.
pub(crate) struct Scene {
    pub(crate) server: Server,
    pub(crate) upstream: Upstream,
    pub(crate) ada: Client,
    journal: PathBuf,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let name = format!("aurax-upstream-{}.jsonl", RequestId::new());
        let journal = std::env::temp_dir().join(name);
        let upstream = Upstream::start(&journal).await.unwrap();
        let setup = calm(Setup::new().with_openai(upstream.url())).configured(change);
        let server = Server::with(Kind::Memory, setup).await.unwrap();
        let ada = server.user().await;
        Self {
            server,
            upstream,
            ada,
            journal,
        }
    }

    pub(crate) async fn socket(&self) -> Socket {
        Socket::of(&self.ada, self.server.address).await
    }

    pub(crate) async fn session(&self) -> String {
        session(&self.ada).await
    }

    /// Waits until the upstream answers nobody any more, and says how long that took.
    pub(crate) async fn freed(&self) -> Duration {
        let clock = aurax::SystemClock;
        let begun = aurax::Clock::monotonic(&clock);
        eventually(|| self.upstream.open() == 0).await;
        aurax::Clock::monotonic(&clock).saturating_duration_since(begun)
    }

    /// The one charge there is, once it is written.
    pub(crate) async fn charge(&self) -> ChargeRow {
        self.charges(1).await.remove(0)
    }

    /// So many charges, each of a request with one settlement.
    pub(crate) async fn charges(&self, many: usize) -> Vec<ChargeRow> {
        settled(&self.server, many).await.charges
    }

    /// Goes down, and leaves nothing behind.
    pub(crate) async fn end(self) {
        let state = self.server.state.clone();
        self.server.stop().await;
        assert!(state.drain().tasks().is_empty(), "a task goes on");
        assert_eq!(state.sockets().count(), 0, "a socket is counted still");
        assert_eq!(self.upstream.open(), 0, "the upstream still answers");
        std::fs::remove_file(&self.journal).unwrap();
    }
}

/// The books, once so many requests are charged and nothing is in flight; each of them was settled
/// and charged once.
pub(crate) async fn settled(server: &Server, many: usize) -> Books {
    loop {
        // A database in memory has one connection, which may be busy.
        let Ok(books) = Books::read(&server.store).await else {
            moment().await;
            continue;
        };
        let counts = [
            books.attempts.len(),
            books.settlements.len(),
            books.charges.len(),
        ];
        assert!(counts.iter().all(|&count| count <= many), "{books:?}");
        if counts == [many; 3] && books.busy_sessions.is_empty() {
            return books;
        }
        moment().await;
    }
}

/// Without what makes a failure something else.
pub(crate) fn calm(mut setup: Setup) -> Setup {
    setup.engine = setup
        .engine
        .retry(RetryPolicy::never())
        .breaker(BreakerPolicy::never());
    setup
}

/// A server whose provider is hostile.
pub(crate) async fn hostile(change: impl FnOnce(&mut Config)) -> (Server, HostileUpstream) {
    let upstream = HostileUpstream::start().await.unwrap();
    let base = upstream.base_url(Dialect::Chat);
    let setup = calm(Setup::new().with_openai(&base)).configured(change);
    (Server::with(Kind::Memory, setup).await.unwrap(), upstream)
}

pub(crate) async fn session(client: &Client) -> String {
    let made = client.post("/chat/sessions", &json!({})).await.expect(201);
    made["id"].as_str().unwrap().to_owned()
}

/// A prompt for so many tokens, one every 20 ms, that then ends like this.
pub(crate) fn prompt(tokens: u64, ending: Ending) -> String {
    let plan = Plan::answer(tokens)
        .with_pace(Duration::from_millis(20))
        .with_ending(ending);
    Prompt::new(RequestId::new(), [plan]).text()
}

/// A prompt that is never answered.
pub(crate) fn silence() -> String {
    let plan = Plan::answer(1).with_hold(Duration::from_secs(600));
    Prompt::new(RequestId::new(), [plan]).text()
}

/// A message frame to `openai`.
pub(crate) fn message(session: &str, content: &str) -> Value {
    json!({
        "type": "chat_message", "session_id": session, "model": "openai/gpt-4o-mini",
        "content": content,
    })
}

/// Waits for something that is about to be.
pub(crate) async fn eventually(holds: impl Fn() -> bool) {
    let waited = async {
        while !holds() {
            moment().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waited)
        .await
        .unwrap();
}
