//! Secrets stay where they are: no log, no answer, no panic, no document and no database has one.

use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use aurax::store::{KeyRing, NewAccessKey, Vault};
use aurax::{BreakerPolicy, Principal, RetryPolicy, Secret};
use aurax_server::config::{Config, Database, PostgresSettings};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::careless::provider;
use crate::forge::Rsa;
use crate::support::{Answer, Client, Kind, Place, Server, Setup, variable};

const PASSWORD: &str = "password-canary-1f8a77";
const GUESS: &str = "guess-canary-90cc11";
const OPERATOR_KEY: &str = "sk-operator-canary";
const USER_KEY: &str = "sk-user-canary-7d1f0a9b55";
const DATABASE: &str = "database-canary-55e0d1";
const REDIS: &str = "redis-canary-771b2c";
const MASTER: [u8; 32] = *b"master-key-canary-0123456789abcd";
/// What is said may be in the database, and nowhere in the log.
pub(crate) const PROMPT: &str = "prompt-canary-c0ffee";
pub(crate) const ANSWER: &str = "answer-canary-decade";

/// Everything that was logged.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Log {
    /// From now on everything is logged here, at the finest, and every panic told.
    fn install() -> Self {
        let log = Self::default();
        let ours = [
            "aurax",
            "aurax_core",
            "aurax_providers",
            "aurax_server",
            "aurax_store",
        ];
        let filter = ours.iter().fold(String::from("debug"), |all, one| {
            format!("{all},{one}=trace")
        });
        let subscriber = tracing_subscriber::fmt()
            .json()
            .with_env_filter(EnvFilter::new(filter))
            .with_writer(log.clone())
            .finish();
        // Where another test was first, in the same process, its log has everything as well.
        tracing::subscriber::set_global_default(subscriber).unwrap();
        let told = log.clone();
        std::panic::set_hook(Box::new(move |panic| {
            let mut log = told.clone();
            log.write_all(panic.to_string().as_bytes()).unwrap();
            eprintln!("{panic}");
        }));
        log
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }
}

/// What must be nowhere, and in which forms.
struct Canaries(Vec<(String, Vec<Vec<u8>>)>);

impl Canaries {
    fn new() -> Self {
        Self(Vec::new())
    }

    fn add(&mut self, name: &str, secret: impl AsRef<[u8]>) {
        let secret = secret.as_ref();
        let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        // Base64 of text within text is another one, which depends on what is before it.
        let mut forms = vec![
            secret.to_vec(),
            hex.to_uppercase().into_bytes(),
            hex.into_bytes(),
        ];
        for engine in [&STANDARD, &URL_SAFE_NO_PAD] {
            forms.push(engine.encode(&secret[..secret.len() / 3 * 3]).into_bytes());
        }
        // As lists of numbers, which is how bytes are derived to be printed.
        forms.push(
            format!("{:?}", &secret[..secret.len().min(12)])
                .replace(['[', ']'], "")
                .into_bytes(),
        );
        self.0.push((name.to_owned(), forms));
    }

    /// The canaries that are in there, with what is around each first one.
    fn found(&self, place: &str, hay: &[u8]) -> Vec<String> {
        let hay = latin(hay);
        let mut found = Vec::new();
        for (name, forms) in &self.0 {
            let at = forms.iter().find_map(|form| hay.find(&latin(form)));
            if let Some(at) = at {
                let before: String = hay[..at].chars().rev().take(300).collect();
                let before: String = before.chars().rev().collect();
                let after: String = hay[at..].chars().take(80).collect();
                found.push(format!("{place} has the {name}: {before}{after}"));
            }
        }
        found
    }
}

/// Bytes as characters: texts are searched faster.
fn latin(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// A client's answers, all of which are looked at.
struct Watched {
    answers: Mutex<Vec<(String, Answer)>>,
}

impl Watched {
    fn see(&self, what: impl Into<String>, answer: Answer) -> Answer {
        self.answers
            .lock()
            .unwrap()
            .push((what.into(), answer.clone()));
        answer
    }
}

fn text(secret: &Secret) -> String {
    #[expect(clippy::disallowed_methods, reason = "the test looks for it")]
    secret.expose().to_owned()
}

/// Says something in every way that goes wrong, and in some that do not.
async fn say_all(watched: &Watched, client: &Client, key_name: Option<&str>) {
    let session = client.post("/chat/sessions", &json!({})).await.expect(201);
    let path = format!(
        "/chat/sessions/{}/messages",
        session["id"].as_str().unwrap()
    );
    let modes = [
        "fine", "400", "401", "402", "403", "404", "408", "409", "413", "422", "429", "500", "503",
        "529", "broken", "html", "cut", "late",
    ];
    for mode in modes {
        for stream in [false, true] {
            let mut body = json!({
                "content": format!("{PROMPT} {mode}-mode"), "model": "openai/gpt-4o-mini",
                "stream": stream,
            });
            if let Some(name) = key_name {
                body["settings"] = json!({"key_name": name});
            }
            let answer = client.post(&path, &body).await;
            watched.see(format!("{mode}, stream: {stream}"), answer);
            if key_name.is_none() {
                let message = json!({"role": "user", "content": body["content"]});
                let body = json!({
                    "model": body["model"], "stream": stream, "messages": [message],
                });
                let answer = client.post("/api/chat/completions", &body).await;
                watched.see(format!("completions, {mode}, stream: {stream}"), answer);
            }
        }
    }
    for mode in ["fine", "401", "429", "500", "broken"] {
        let body =
            json!({"prompt": format!("{PROMPT} {mode}-mode"), "model": "openai/gpt-4o-mini"});
        let answer = client.post("/api/playground/run", &body).await;
        watched.see(format!("playground, {mode}"), answer);
    }
    let wrong = json!({"content": PROMPT, "model": "openai/gpt-4o-mini", "api_key": USER_KEY});
    watched.see("an unknown field", client.post(&path, &wrong).await);
    watched.see("history", client.get(&path).await);
}

/// Everything people do with secrets, well and badly.
async fn load(server: &Server, watched: &Watched, canaries: &mut Canaries) {
    let client = server.client();
    let post = async |client: &Client, path: &str, body: Value| {
        let what = format!("POST {path}");
        watched.see(what, client.post(path, &body).await)
    };
    let email = "canary@example.com";
    let account = json!({"email": email, "password": PASSWORD});
    post(&client, "/auth/register", account.clone())
        .await
        .expect(201);
    post(&client, "/auth/register", account.clone())
        .await
        .error(409);
    let guess = json!({"email": email, "password": GUESS});
    post(&client, "/auth/login", guess).await.error(401);
    let odd = json!({"email": email, "password": GUESS, "more": GUESS});
    post(&client, "/auth/login", odd).await;
    let form = format!("username={email}&password={GUESS}&grant_type={GUESS}");
    let kind = "application/x-www-form-urlencoded";
    let answer = client.send("POST", "/auth/login", Some(kind), form).await;
    watched.see("a form", answer);
    let broken = format!("{{\"email\": \"x\", \"password\": \"{GUESS}");
    let answer = client
        .send("POST", "/auth/login", Some("application/json"), broken)
        .await;
    watched.see("broken JSON", answer);

    // Tokens are for whom they are given to, and for nobody else.
    let tokens = client.post("/auth/login", &account).await.expect(200);
    let take = |tokens: &Value, name: &str| tokens[name].as_str().unwrap().to_owned();
    let first = take(&tokens, "refresh_token");
    let renewed = client
        .post("/auth/refresh", &json!({"refresh_token": first}))
        .await;
    let renewed = renewed.expect(200);
    for (name, tokens) in [("first", &tokens), ("second", &renewed)] {
        for kind in ["access_token", "refresh_token"] {
            canaries.add(&format!("{name} {kind}"), take(tokens, kind));
        }
    }
    let ada = client.with_token(&take(&renewed, "access_token"));
    let me = watched.see("me", ada.get("/auth/me").await).expect(200);
    let principal = Principal::new(me["id"].as_str().unwrap());
    let scope = server.store.user(&principal);
    let (_, key) = scope
        .access_keys()
        .add(NewAccessKey::new("program"))
        .await
        .unwrap();
    let program = client.with_token(&text(&key));
    canaries.add("access key", text(&key));
    let cut = &text(&key)[..20];
    canaries.add("part of an access key", cut);
    for token in [
        cut,
        PASSWORD,
        USER_KEY,
        &take(&tokens, "access_token")[..200],
    ] {
        let wrong = client.with_token(token);
        watched
            .see("a wrong token", wrong.get("/auth/me").await)
            .error(401);
        let body = json!({"refresh_token": token});
        post(&wrong, "/auth/refresh", body).await.error(401);
    }
    say_all(watched, &ada, None).await;
    say_all(watched, &program, None).await;
    let new = json!({"key": USER_KEY, "key_name": "own"});
    let added = post(&ada, "/providers/openai/keys", new.clone()).await;
    assert_eq!(added.status, 201, "{}", added.json());
    post(&ada, "/providers/openai/keys", new).await.error(409);
    for path in ["/api/keys", "/api/access-keys", "/providers"] {
        watched.see(path, ada.get(path).await).expect(200);
    }
    // The provider has none.
    let path = "/providers/openai/models";
    watched.see(path, ada.get(path).await).error(502);
    let id = added.json()["id"].as_str().unwrap().to_owned();
    post(&ada, &format!("/api/keys/{id}/validate"), json!({})).await;
    say_all(watched, &ada, Some("own")).await;
    for path in [
        "/openapi.json",
        "/docs",
        "/livez",
        "/readyz",
        "/.well-known/jwks.json",
        "/auth/sessions",
        "/chat/sessions",
        "/chat/search?q=canary",
        "/api/usage",
        "/api/usage/summary",
        "/api/usage/export?format=csv",
        "/api/usage/export?format=jsonl",
        "/nowhere",
    ] {
        watched.see(path, ada.get(path).await);
    }
}

/// The database as a thief finds it.
async fn stolen(place: &Place) -> Vec<u8> {
    match place {
        Place::Memory => Vec::new(),
        Place::Folder(folder) => {
            let mut all = Vec::new();
            for entry in std::fs::read_dir(folder).unwrap() {
                all.extend(std::fs::read(entry.unwrap().path()).unwrap());
            }
            all
        }
        Place::Server { url, .. } => {
            let folder: PathBuf = variable("AURAX_TEST_PG_BIN").unwrap().into();
            let dump = tokio::process::Command::new(folder.join("pg_dump"))
                .args(["--inserts", "--dbname", url])
                .output()
                .await
                .unwrap();
            assert!(
                dump.status.success(),
                "{}",
                String::from_utf8_lossy(&dump.stderr)
            );
            dump.stdout
        }
    }
}

async fn secrets_are_nowhere(kind: Kind) {
    let Some(place) = Place::open(kind).await else {
        return;
    };
    let log = Log::install();
    let mut canaries = Canaries::new();
    for (name, secret) in [
        ("password", PASSWORD),
        ("wrong password", GUESS),
        ("operator's key", OPERATOR_KEY),
        ("user's key", USER_KEY),
        ("password of the database", DATABASE),
        ("password of Redis", REDIS),
    ] {
        canaries.add(name, secret);
    }
    let signing = Rsa::new();
    canaries.add("master key", MASTER);
    canaries.add("signing key", signing.secret());
    let base = provider().await;
    let mut setup = Setup::new()
        .with_openai(&base)
        .configured(|config: &mut Config| {
            let url = format!("postgres://aurax:{DATABASE}@db.example.com/aurax");
            config.database = Database::Postgres(PostgresSettings::new(url));
            let url = Secret::new(format!("redis://:{REDIS}@redis.example.com"));
            config.redis = Some(Arc::new(url));
        });
    setup.engine = setup
        .engine
        .retry(RetryPolicy::never())
        .breaker(BreakerPolicy::never());
    setup.keys = signing.keys.clone();
    let master = Secret::new(STANDARD.encode(MASTER));
    setup.vault = Vault::new(KeyRing::parse(&master, "AURAX_MASTER_KEY").unwrap());
    let store = place.store().await;
    let server = Server::over(place, store, setup).await;
    let watched = Watched {
        answers: Mutex::default(),
    };
    load(&server, &watched, &mut canaries).await;
    let printed = format!("{:?}", server.state);
    let mut found = canaries.found("what is printed of the state", printed.as_bytes());
    let answers = watched.answers.lock().unwrap().clone();
    for (what, answer) in &answers {
        found.extend(canaries.found(what, &answer.body));
        found.extend(canaries.found(what, format!("{:?}", answer.headers).as_bytes()));
    }
    let database = stolen(server.place()).await;
    found.extend(canaries.found("the database", &database));
    let logged = log.bytes();
    found.extend(canaries.found("the log", &logged));
    let mut said = Canaries::new();
    said.add("prompt", PROMPT);
    said.add("answer", ANSWER);
    found.extend(said.found("the log", &logged));
    assert!(found.is_empty(), "{}", found.join("\n\n"));

    // They were looked for where they could have been.
    let has = |hay: &[u8], needle: &str| latin(hay).contains(needle);
    assert!(has(&logged, "chat_message_sent") && has(&logged, "\"route\":\"/auth/login\""));
    assert!(has(&database, PROMPT) && has(&database, ANSWER));
    assert!(has(&database, "canary@example.com") && has(&database, "argon2id"));
    println!(
        "{} answers, {} bytes logged, {} bytes stolen",
        answers.len(),
        logged.len(),
        database.len()
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_nowhere_in_files() {
    secrets_are_nowhere(Kind::File).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_nowhere_in_postgres() {
    secrets_are_nowhere(Kind::Postgres).await;
}
