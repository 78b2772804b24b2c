//! Statuses that routes of a kind have in common, on each of them, and limits in number.

use std::time::Duration;

use aurax::store::NewAccessKey;
use aurax::{Principal, RetryPolicy, Timeouts};
use aurax_server::Weight;
use aurax_server::config::Registration;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::admin::operator;
use crate::support::{Answer, Client, Kind, PASSWORD, Server, Setup, moment};
use crate::upstream::{BAD_KEY, FAILING_KEY, SILENT_KEY, Upstream};

/// A server in front of a provider that is given up after `patience`.
async fn server(patience: Duration) -> (Server, Upstream) {
    let upstream = Upstream::start().await;
    let setup = Setup::new().with_openai(&upstream.base_url());
    // Nobody waits for what never answers.
    let mut setup = setup.configured(|config| config.timeouts.drain = Duration::from_millis(200));
    let timeouts = Timeouts::default()
        .with_headers(patience)
        .with_whole(patience)
        .with_total(patience * 2);
    setup.engine = setup.engine.retry(RetryPolicy::never()).timeouts(timeouts);
    let server = Server::with(Kind::Memory, setup).await.unwrap();
    (server, upstream)
}

/// Every paid route, with a body that asks a model.
async fn paid(ada: &Client) -> Vec<(String, fn(&str) -> Value)> {
    let session = ada.post("/chat/sessions", &json!({})).await.expect(201);
    let run = json!({"model": "openai/gpt-4o-mini", "prompt": "Hi"});
    let run = ada.post("/api/playground/run", &run).await.expect(200);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    vec![
        (
            format!("/chat/sessions/{}/messages", text(&session["id"])),
            |model| json!({"content": "Hi", "model": model}),
        ),
        (
            "/api/chat/completions".to_owned(),
            |model| json!({"model": model, "messages": [{"role": "user", "content": "Hi"}]}),
        ),
        (
            "/api/playground/run".to_owned(),
            |model| json!({"model": model, "prompt": "Hi"}),
        ),
        (
            format!("/api/playground/history/{}/replay", text(&run["id"])),
            |model| json!({"model": model}),
        ),
    ]
}

async fn add_key(ada: &Client, name: &str, key: &str) -> Answer {
    let body = json!({"provider": "openai", "key": key, "key_name": name});
    ada.post("/api/keys", &body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_provider_fails_with_is_told_on_every_paid_route() {
    let (server, _upstream) = server(Duration::from_millis(300)).await;
    let ada = server.user().await;
    for (path, asking) in paid(&ada).await {
        for (model, status, code) in [
            ("openai/failing", 502, "provider_error"),
            ("openai/silent", 504, "provider_timeout"),
        ] {
            let answer = ada.post(&path, &asking(model)).await;
            assert_eq!(answer.error(status), code, "{path} {model}");
        }
    }
    let all = paid(&ada).await;
    add_key(&ada, "default", BAD_KEY).await.expect(201);
    for (path, asking) in all {
        let answer = ada.post(&path, &asking("openai/gpt-4o-mini")).await;
        assert_eq!(answer.error(424), "provider_key_refused", "{path}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_for_one_request_on_every_paid_route() {
    let (server, upstream) = server(Duration::from_secs(60)).await;
    let ada = server.user().await;
    for (at, (path, asking)) in paid(&ada).await.into_iter().enumerate() {
        let keyed = ada
            .clone()
            .with_header("idempotency-key", &format!("k-{at}"));
        let before = upstream.asked("/v1/chat/completions").len();
        let (asked, to) = (keyed.clone(), path.clone());
        let first = tokio::spawn(async move { asked.post(&to, &asking("openai/silent")).await });
        while upstream.asked("/v1/chat/completions").len() == before {
            moment().await;
        }
        let again = keyed.post(&path, &asking("openai/silent")).await;
        assert_eq!(again.error(409), "idempotency_in_flight", "{path}");
        let other = keyed.post(&path, &asking("openai/gpt-4o")).await;
        assert_eq!(other.error(422), "idempotency_mismatch", "{path}");
        first.abort();
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_provider_fails_with_is_told_by_routes_that_ask_it_for_free() {
    let (server, _upstream) = server(Duration::from_millis(300)).await;
    let silent = server.user().await;
    add_key(&silent, "default", SILENT_KEY).await.expect(201);
    let models = async { silent.get("/providers/openai/models").await };
    let checked = async {
        for (key, status, verdict) in [(FAILING_KEY, 502, "unknown"), (BAD_KEY, 424, "invalid")] {
            let ada = server.user().await;
            let made = add_key(&ada, "default", key).await.expect(201);
            ada.get("/providers/openai/models").await.error(status);
            let path = format!("/api/keys/{}/validate", made["id"].as_str().unwrap());
            let validated = ada.post(&path, &json!({})).await.expect(200);
            assert_eq!(validated["status"], verdict);
        }
    };
    // The first takes as long as the list of models may take.
    let (models, ()) = tokio::join!(models, checked);
    models.error(504);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_only_so_many() {
    let server = Server::start(Kind::Memory).await.unwrap();
    let ada = server.user().await;
    let principal = Principal::new(ada.id.clone().unwrap());
    let scope = server.store.user(&principal);
    let mut id = String::new();
    for _ in 0..1_000 {
        let (key, _) = scope
            .access_keys()
            .add(NewAccessKey::new("one"))
            .await
            .unwrap();
        id = key.id.to_string();
    }
    let one = ada.post("/api/access-keys", &json!({"name": "more"})).await;
    assert_eq!(one.error(409), "limit_reached");

    let budget = |at: usize| json!({"scope": "tag", "subject": format!("team={at}"), "period": "day", "limit": 1});
    for at in 0..100 {
        ada.put("/api/budgets", &budget(at)).await.expect(200);
    }
    let one = ada.put("/api/budgets", &budget(100)).await;
    assert_eq!(one.error(409), "limit_reached");
    let path = format!("/api/access-keys/{id}");
    let budgets = json!({"budget": {"period": "day", "limit": 1}});
    assert_eq!(ada.patch(&path, &budgets).await.error(409), "limit_reached");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_given_once() {
    let server = Server::start(Kind::Memory).await.unwrap();
    let ada = server.user().await;
    let alert = |name: &str| json!({"name": name, "metric": "error_rate", "threshold": 5});
    ada.post("/api/alerts", &alert("one")).await.expect(201);
    let two = ada.post("/api/alerts", &alert("two")).await.expect(201);
    let path = format!("/api/alerts/{}", two["id"].as_str().unwrap());
    let taken = ada.patch(&path, &json!({"name": "one"})).await;
    assert_eq!(taken.error(409), "conflict");

    let root = operator(&server).await;
    let rules = root.get("/admin/alerts").await.expect(200);
    let [one, other, ..] = rules["data"].as_array().unwrap().as_slice() else {
        panic!("{rules}");
    };
    let path = format!("/admin/alerts/{}", one["id"].as_str().unwrap());
    let taken = root.patch(&path, &json!({"name": other["name"]})).await;
    assert_eq!(taken.error(409), "conflict");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_answers_is_not_moved() {
    let (server, upstream) = server(Duration::from_secs(60)).await;
    let ada = server.user().await;
    let session = ada.post("/chat/sessions", &json!({})).await.expect(201);
    let path = format!("/chat/sessions/{}", session["id"].as_str().unwrap());
    let messages = format!("{path}/messages");
    let said = json!({"content": "Hi", "model": "openai/gpt-4o-mini"});
    let said = ada.post(&messages, &said).await.expect(201);
    let before = upstream.asked("/v1/chat/completions").len();
    let (asking, silent) = (
        ada.clone(),
        json!({"content": "Hi", "model": "openai/silent"}),
    );
    let asked = tokio::spawn(async move { asking.post(&messages, &silent).await });
    while upstream.asked("/v1/chat/completions").len() == before {
        moment().await;
    }
    let moved = ada.put(&path, &json!({"leaf_id": said["parent_id"]})).await;
    assert_eq!(moved.error(409), "session_busy");
    asked.abort();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_server_makes_no_accounts() {
    let setup = Setup::new().configured(|config| config.registration = Some(Registration::Closed));
    let server = Server::with(Kind::Memory, setup).await.unwrap();
    let body = json!({"email": "ada@example.com", "password": PASSWORD});
    let refused = server.client().post("/auth/register", &body).await;
    assert_eq!(refused.error(403), "forbidden");
    let nothing = server.client().post("/auth/refresh", &json!({})).await;
    assert_eq!(nothing.field(), "refresh_token");
    server.stop().await;
}

/// Bodies that do not come hold places, and all are taken.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_says_so_on_every_route() {
    let setup = Setup::new().configured(|config| config.limits.in_flight = 1);
    let server = Server::with(Kind::Memory, setup).await.unwrap();
    let mut held = tokio::net::TcpStream::connect(server.address)
        .await
        .unwrap();
    let head = format!(
        "POST /auth/login HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
         content-length: 100\r\n\r\n",
        server.address
    );
    held.write_all(head.as_bytes()).await.unwrap();
    let client = server.client();
    while client.get("/.well-known/jwks.json").await.status == 200 {
        moment().await;
    }
    for route in aurax_server::routes(server.state.clone()) {
        let what = format!("{} {}", route.method, route.path);
        let answer = client.send(route.method, &route.path, None, "").await;
        if route.rule.weight == Weight::Probe {
            assert_eq!(answer.status, 200, "{what}");
        } else {
            assert_eq!(answer.error(503), "overloaded", "{what}");
        }
    }
    drop(held);
    server.stop().await;
}
