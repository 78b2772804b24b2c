//! After an end nothing works any more: not tokens, not keys, not streams that are open.

use std::sync::Arc;

use aurax::store::{AccessKeyChange, NewAccessKey, NewUser, Role, Store, UserChange};
use aurax::{Clock as _, Principal, RequestId, Secret};
use aurax_store::testkit::{Plan, Prompt, Upstream};
use futures::future::join_all;
use serde_json::json;
use time::Duration;
use uuid::Uuid;

use crate::clock::Moved;
use crate::support::{Client, Kind, PASSWORD, Server, Setup, Streamed};

/// What ends, by somebody else's doing: another process, or another login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The login that asks ends itself.
    Logout,
    /// Another login ends it.
    ByAnother,
    /// Another login ends all.
    All,
    /// An operator closes the account, in another process.
    Closed,
    /// An operator closes the account here.
    ClosedHere,
    /// An operator sets another password, in another process.
    Password,
    /// Another login sets another password here.
    PasswordHere,
    /// The account is deleted.
    Deleted,
    /// The access key is switched off, in another process.
    KeyOff,
    /// The access key is deleted, in another process.
    KeyDeleted,
    /// The access key's time is over.
    KeyOver,
    /// The account of an access key is closed, in another process.
    KeyClosed,
    /// The account of an access key is closed here.
    KeyClosedHere,
}

impl End {
    /// Whether it is felt at once, because it is this server that ends it.
    fn is_here(self) -> bool {
        matches!(
            self,
            Self::Logout
                | Self::ByAnother
                | Self::All
                | Self::Deleted
                | Self::ClosedHere
                | Self::PasswordHere
                | Self::KeyClosedHere
        )
    }
}

const ENDS: [End; 13] = [
    End::Logout,
    End::ByAnother,
    End::All,
    End::Closed,
    End::ClosedHere,
    End::Password,
    End::PasswordHere,
    End::Deleted,
    End::KeyOff,
    End::KeyDeleted,
    End::KeyOver,
    End::KeyClosed,
    End::KeyClosedHere,
];

/// Somebody with a login, another login, and an access key.
struct Somebody {
    id: Uuid,
    login: Client,
    login_id: Uuid,
    other: Client,
    program: Client,
    key: Uuid,
    /// An operator.
    root: Client,
}

#[expect(clippy::disallowed_methods, reason = "the test is the client")]
fn text(secret: &Secret) -> String {
    secret.expose().to_owned()
}

/// A client that is logged in to an account of this role, and its login.
async fn logged_in(server: &Server, id: Uuid) -> (Client, Uuid) {
    let scope = server.store.user(&Principal::new(id.to_string()));
    let refresh = scope.begin_login(None).await.unwrap();
    let tokens = server.state.auth().tokens();
    let access = tokens.issue(id, refresh.login_id).unwrap();
    let mut client = server.client().with_token(&text(&access));
    client.refresh = Some(text(&refresh.token));
    (client, refresh.login_id)
}

async fn account(server: &Server, role: Role, hash: Option<Secret>) -> Uuid {
    let email = format!("{}@example.com", aurax::new_id());
    let mut new = NewUser::new(email).with_role(role);
    new.hashed_password = hash;
    server.store.admin().add_user(new).await.unwrap().id
}

impl Somebody {
    /// A password is hashed only where one is changed.
    async fn new(server: &Server, end: End) -> Self {
        let hash = match end {
            End::PasswordHere => {
                let passwords = server.state.passwords();
                Some(passwords.hash(Secret::new(PASSWORD)).await.unwrap())
            }
            _ => None,
        };
        let id = account(server, Role::User, hash).await;
        let root = account(server, Role::Admin, None).await;
        let (root, _) = logged_in(server, root).await;
        let scope = server.store.user(&Principal::new(id.to_string()));
        let mut clients = Vec::new();
        for _ in 0..2 {
            clients.push(logged_in(server, id).await);
        }
        let mut new = NewAccessKey::new("program");
        if end == End::KeyOver {
            new.expires_at = Some(server.state.clock().now() + Duration::seconds(60));
        }
        let (key, secret) = scope.access_keys().add(new).await.unwrap();
        let (other, _) = clients.pop().unwrap();
        let (login, login_id) = clients.pop().unwrap();
        Self {
            id,
            login,
            login_id,
            other,
            program: server.client().with_token(&text(&secret)),
            key: key.id,
            root,
        }
    }

    /// Whoever is to be thrown out.
    fn subject(&self, end: End) -> &Client {
        match end {
            End::KeyOff | End::KeyDeleted | End::KeyOver | End::KeyClosed | End::KeyClosedHere => {
                &self.program
            }
            _ => &self.login,
        }
    }

    async fn end(&self, end: End, elsewhere: &Store, clock: &Moved) {
        let admin = elsewhere.admin();
        let principal = Principal::new(self.id.to_string());
        let keys = elsewhere.user(&principal).access_keys();
        match end {
            End::Logout => {
                self.login.delete("/auth/logout").await.expect(204);
            }
            End::ByAnother => {
                let path = format!("/auth/sessions/{}", self.login_id);
                self.other.delete(&path).await.expect(204);
            }
            End::All => {
                self.other.delete("/auth/sessions").await.expect(204);
            }
            End::Deleted => {
                self.other.delete("/auth/me").await.expect(204);
            }
            End::Closed | End::KeyClosed => {
                let mut change = UserChange::default();
                change.is_active = Some(false);
                admin.change_user(self.id, change).await.unwrap();
            }
            End::ClosedHere | End::KeyClosedHere => {
                let path = format!("/admin/users/{}", self.id);
                let close = json!({"is_active": false});
                self.root.patch(&path, &close).await.expect(200);
            }
            End::PasswordHere => {
                let change = json!({
                    "current_password": PASSWORD, "password": "another correct horse",
                });
                self.other.patch("/auth/me", &change).await.expect(200);
            }
            End::Password => {
                let hash = Secret::new("another");
                admin.reset_password(self.id, hash).await.unwrap();
            }
            End::KeyOff => {
                let mut change = AccessKeyChange::default();
                change.is_active = Some(false);
                keys.change(self.key, change).await.unwrap();
            }
            End::KeyDeleted => keys.delete(self.key).await.unwrap(),
            End::KeyOver => clock.pass(Duration::seconds(61)),
        }
    }
}

async fn after_an_end_nothing_works_within_a_minute(kind: Kind) {
    let clock = Moved::new();
    let setup = Setup::new().configured(|config| {
        config.timeouts.login_cache = std::time::Duration::from_secs(600);
    });
    let Some(server) = crate::renewals::server(kind, &clock, setup).await else {
        return;
    };
    for end in ENDS {
        let ada = Somebody::new(&server, end).await;
        let subject = ada.subject(end);
        // The server has them in mind.
        subject.get("/chat/sessions").await.expect(200);
        ada.end(end, &server.store, &clock).await;
        if !end.is_here() {
            clock.pass(Duration::minutes(1));
        }
        for path in ["/chat/sessions", "/auth/me"] {
            let answer = subject.get(path).await;
            assert_eq!(answer.status, 401, "{end:?} {path}");
            assert_eq!(answer.error(401), "unauthorized");
        }
        if let Some(refresh) = &subject.refresh {
            let body = json!({"refresh_token": refresh});
            let answer = server.client().post("/auth/refresh", &body).await;
            assert_eq!(answer.error(401), "unauthorized", "{end:?}");
        }
        // What has not ended goes on.
        let goes_on = matches!(
            end,
            End::Logout | End::ByAnother | End::PasswordHere | End::KeyOff | End::KeyDeleted
        );
        if goes_on {
            ada.other.get("/chat/sessions").await.expect(200);
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_end_nothing_works_within_a_minute_in_memory() {
    after_an_end_nothing_works_within_a_minute(Kind::Memory).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_end_nothing_works_within_a_minute_in_postgres() {
    after_an_end_nothing_works_within_a_minute(Kind::Postgres).await;
}

/// A server that asks again every so often whether whoever reads a stream may, and an upstream
/// that never comes to an end.
struct Streams {
    server: Server,
    upstream: Upstream,
    clock: Arc<Moved>,
    journal: std::path::PathBuf,
}

impl Streams {
    async fn new() -> Self {
        // A stream asks every second where nothing is believed for longer: half of it is over when
        // it begins.
        let clock = Moved::behind(std::time::Duration::from_millis(500));
        let name = format!("aurax-upstream-{}.jsonl", RequestId::new());
        let journal = std::env::temp_dir().join(name);
        let upstream = Upstream::start(&journal).await.unwrap();
        let setup = Setup::new()
            .with_openai(upstream.url())
            .configured(|config| {
                config.timeouts.login_cache = std::time::Duration::ZERO;
                config.timeouts.heartbeat = std::time::Duration::from_secs(600);
            });
        let server = crate::renewals::server(Kind::Memory, &clock, setup).await;
        Self {
            server: server.unwrap(),
            upstream,
            clock,
            journal,
        }
    }

    /// A stream that has begun, and does not end by itself for long.
    async fn open(client: &Client) -> Streamed {
        let session = client.post("/chat/sessions", &json!({})).await.expect(201);
        let path = format!(
            "/chat/sessions/{}/messages",
            session["id"].as_str().unwrap()
        );
        let plan = Plan::answer(2_000).with_pace(std::time::Duration::from_millis(20));
        let prompt = Prompt::new(RequestId::new(), [plan]).text();
        let body = json!({"content": prompt, "model": "openai/gpt-4o-mini", "stream": true});
        let stream = client.post_stream(&path, &body).await;
        assert_eq!(stream.status, 200);
        stream
    }

    async fn end(self) {
        let freed = async {
            while self.upstream.open() > 0 {
                tokio::task::yield_now().await;
            }
        };
        let patience = std::time::Duration::from_secs(10);
        tokio::time::timeout(patience, freed).await.unwrap();
        self.server.stop().await;
        std::fs::remove_file(&self.journal).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_are_open_end_with_an_error() {
    let streams = Streams::new().await;
    let (server, clock) = (&streams.server, &streams.clock);
    let one = |end: End| async move {
        let ada = Somebody::new(server, end).await;
        let stream = Streams::open(ada.subject(end)).await;
        ada.end(end, &server.store, clock).await;
        let events = stream.events().await;
        (end, events)
    };
    let (over, rest): (Vec<End>, Vec<End>) = ENDS.into_iter().partition(|end| *end == End::KeyOver);
    let mut ended = join_all(rest.into_iter().map(one)).await;
    ended.extend(join_all(over.into_iter().map(one)).await);
    for (end, events) in ended {
        let (last, before) = events.split_last().unwrap();
        assert_eq!(last.0, "error", "{end:?}");
        assert_eq!(last.1["error"]["code"], "unauthorized", "{end:?}");
        assert!(before.iter().all(|(name, _)| name == "chat_chunk"));
    }
    streams.end().await;
}
