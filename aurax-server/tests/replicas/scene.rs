//! An installation: a database, a Redis, keys, and a provider that does as the prompt says.

use std::collections::HashMap;
use std::path::PathBuf;

use aurax::store::{KeyRing, Redis, RedisOptions, Store, Vault};
use aurax::{BreakerPolicy, Engine, RequestId, RetryPolicy};
use aurax_server::auth::SigningKeys;
use aurax_server::config::Config;
use aurax_store::testkit::{Audit, Books, Fact, Moment, Plan, Prompt, Seen, Upstream};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Client, Kind, Place, Server, Setup, variable};

/// The address clients know all replicas by.
pub(crate) const PUBLIC: &str = "http://aurax.test";

/// What replicas have in common.
pub(crate) struct Scene {
    pub(crate) place: Place,
    pub(crate) upstream: Upstream,
    pub(crate) redis: String,
    prefix: String,
    pub(crate) keys: SigningKeys,
    vault: Vault,
    journal: PathBuf,
}

impl Scene {
    /// In the services of the tests; `None`, with a line that says so, where there are none.
    pub(crate) async fn new() -> Option<Self> {
        let redis = variable("AURAX_TEST_REDIS")?;
        let place = Place::open(Kind::Postgres).await?;
        Some(Self::of(place, redis).await)
    }

    pub(crate) async fn of(place: Place, redis: String) -> Self {
        let name = format!("aurax-upstream-{}.jsonl", RequestId::new());
        let journal = std::env::temp_dir().join(name);
        Self {
            place,
            upstream: Upstream::start(&journal).await.unwrap(),
            redis,
            prefix: format!("test:{}:", aurax::new_id()),
            keys: SigningKeys::generate().unwrap(),
            vault: Vault::new(KeyRing::generate().unwrap()),
            journal,
        }
    }

    /// One more server.
    pub(crate) async fn replica(&self, change: impl FnOnce(&mut Config)) -> Server {
        // The machine of a test is busy: a slow Redis is no Redis that is away.
        let options = RedisOptions::new()
            .with_prefix(&self.prefix)
            .with_timeout(std::time::Duration::from_millis(250))
            .with_replicas(2.try_into().unwrap());
        let redis = Redis::new(&self.redis, options).unwrap();
        let mut setup = Setup::new()
            .with_openai(self.upstream.url())
            .with_redis(&redis)
            .configured(|config| config.public_url = Some(PUBLIC.to_owned()))
            .configured(change);
        setup.engine = setup
            .engine
            .retry(RetryPolicy::never())
            .breaker(BreakerPolicy::never());
        (setup.keys, setup.vault) = (self.keys.clone(), self.vault.clone());
        let store = self.place.store().await;
        Server::over(self.place.clone(), store, setup).await
    }

    /// Two servers.
    pub(crate) async fn pair(&self, change: impl Fn(&mut Config)) -> (Server, Server) {
        (self.replica(&change).await, self.replica(&change).await)
    }

    /// How many requests the upstream got.
    pub(crate) fn asked(&self) -> usize {
        let facts = self.upstream.facts().unwrap();
        let asked = |fact: &&Fact| matches!(fact, Fact::Asked { .. });
        facts.iter().filter(asked).count()
    }

    /// The books, once nothing is in flight, which are right.
    pub(crate) async fn adds_up(&self, server: &Server) -> Books {
        adds_up(&server.store, server.state.engine(), &self.upstream).await
    }

    /// Leaves nothing behind.
    pub(crate) async fn end(self, replicas: impl IntoIterator<Item = Server>) {
        let mut replicas = replicas.into_iter();
        let last = replicas.next().unwrap();
        for replica in replicas {
            replica.leave().await;
        }
        last.stop().await;
        std::fs::remove_file(&self.journal).unwrap();
    }
}

/// The books, once nothing is in flight, which are right.
pub(crate) async fn adds_up(store: &Store, engine: &Engine, upstream: &Upstream) -> Books {
    let resting = async {
        loop {
            if let Ok(books) = Books::read(store).await
                && books.settlements.len() >= books.attempts.len()
                && books.busy_sessions.is_empty()
            {
                break books;
            }
            crate::support::moment().await;
        }
    };
    let limit = std::time::Duration::from_secs(20);
    let books = tokio::time::timeout(limit, resting).await.unwrap();
    let facts = named(&books, upstream.facts().unwrap());
    let made = books.charges.iter().map(|charge| Seen::Asking {
        request: charge.request_id,
    });
    let audit = Audit::of(
        &books,
        &facts,
        &made.collect::<Vec<_>>(),
        engine,
        Moment::AtRest,
    );
    assert_eq!(audit.violated(), [], "{audit}");
    books
}

/// What the upstream noted, by the ids that the server gave to its requests: the prompt is the
/// message that it wrote down.
fn named(books: &Books, facts: Vec<Fact>) -> Vec<Fact> {
    let own: HashMap<Uuid, Uuid> = books
        .messages
        .iter()
        .filter_map(|message| Some((Prompt::read(&message.content)?.request, message.request_id?)))
        .collect();
    let name = |request: &mut Uuid| {
        *request = *own
            .get(request)
            .unwrap_or_else(|| panic!("the upstream got what nobody wrote down"));
    };
    let named = facts.into_iter().map(|mut fact| {
        match &mut fact {
            Fact::Asked { request, .. } | Fact::Ended { request, .. } => name(request),
            _ => {}
        }
        fact
    });
    named.collect()
}

/// A new session with `openai/gpt-4o-mini`: the path of its messages.
pub(crate) async fn session(client: &Client) -> String {
    let settings = json!({"model": "openai/gpt-4o-mini", "max_output_tokens": 1_000});
    let new = json!({"settings": settings});
    let session = client.post("/chat/sessions", &new).await.expect(201);
    let id = session["id"].as_str().unwrap();
    format!("/chat/sessions/{id}/messages")
}

/// A message whose answer goes by a plan.
pub(crate) fn says(plan: Plan) -> Value {
    json!({"content": Prompt::new(RequestId::new(), [plan]).text()})
}

/// The same, answered as events.
pub(crate) fn streams(plan: Plan) -> Value {
    let mut body = says(plan);
    body["stream"] = json!(true);
    body
}

/// Whoever is logged in at one server, at another.
pub(crate) fn at(server: &Server, client: &Client) -> Client {
    let mut there = server.client().with_token(client.token.as_deref().unwrap());
    there.id.clone_from(&client.id);
    there.refresh.clone_from(&client.refresh);
    there
}
