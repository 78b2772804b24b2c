//! What the server takes at a time, and what it says of the rest.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Client, Kind, Server, Setup, moment};
use crate::upstream::Upstream;

/// A server that answers one request at a time, with a provider.
async fn narrow() -> (Server, Upstream) {
    let upstream = Upstream::start().await;
    let setup = Setup::new().with_openai(&upstream.base_url());
    let setup = setup.configured(|config| {
        config.limits.in_flight = 1;
        config.timeouts.header_commit = Duration::from_millis(50);
    });
    (Server::with(Kind::Memory, setup).await.unwrap(), upstream)
}

async fn session(client: &Client) -> String {
    let made = client.post("/chat/sessions", &json!({})).await.expect(201);
    format!("/chat/sessions/{}/messages", made["id"].as_str().unwrap())
}

fn silent(stream: bool) -> Value {
    json!({"content": "Hi", "model": "openai/silent", "stream": stream})
}

#[track_caller]
fn refused(answer: &Answer) {
    assert_eq!(answer.error(503), "overloaded");
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(answer.json()["error"]["retryable"], true);
}

/// Until there is room for it.
async fn room_for(client: &Client, path: &str) {
    let waited = async {
        while client.get(path).await.status == 503 {
            moment().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(10), waited);
    waited.await.unwrap();
    client.get(path).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_more_than_the_server_takes_is_refused() {
    let (server, upstream) = narrow().await;
    let ada = server.user().await;
    let path = session(&ada).await;
    let (asking, to) = (ada.clone(), path.clone());
    let asked = tokio::spawn(async move { asking.post(&to, &silent(false)).await });
    while upstream.asked("/v1/chat/completions").is_empty() {
        moment().await;
    }
    refused(&ada.get("/auth/me").await);
    refused(&ada.post(&path, &silent(true)).await);
    refused(&server.client().get("/openapi.json").await);
    for probe in ["/livez", "/readyz"] {
        server.client().get(probe).await.expect(200);
    }
    let browser = server.client().with_header("origin", "https://app.test");
    let preflight = browser
        .send(Method::OPTIONS.as_str(), &path, None, "")
        .await;
    assert_eq!(preflight.status, 200);
    assert_eq!(upstream.asked("/v1/chat/completions").len(), 1);
    asked.abort();
    room_for(&ada, "/auth/me").await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_takes_its_place_until_it_ends() {
    let (server, _upstream) = narrow().await;
    let ada = server.user().await;
    let path = session(&ada).await;
    let stream = ada.post_stream(&path, &silent(true)).await;
    assert_eq!(stream.status, 200);
    for _ in 0..3 {
        refused(&ada.get("/auth/me").await);
    }
    drop(stream);
    room_for(&ada, "/auth/me").await;
    server.stop().await;
}

/// What goes on without its client takes its place as well.
#[tokio::test(flavor = "multi_thread")]
async fn a_keyed_request_takes_its_place_without_its_client() {
    let (server, upstream) = narrow().await;
    let ada = server.user().await;
    let path = session(&ada).await;
    let keyed = ada.clone().with_header("idempotency-key", "one");
    let asked = tokio::spawn(async move { keyed.post(&path, &silent(false)).await });
    while upstream.asked("/v1/chat/completions").is_empty() {
        moment().await;
    }
    asked.abort();
    drop(asked.await);
    for _ in 0..20 {
        refused(&ada.get("/auth/me").await);
        moment().await;
    }
    server.state.drain().end();
    server.stop().await;
}

/// A body that is read twice, as one under a key is, takes its room once.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_counted_once() {
    let setup = Setup::new().configured(|config| {
        let limits = &mut config.limits;
        (limits.body, limits.paid_body, limits.bodies) = (1 << 20, 1 << 20, 1 << 20);
    });
    let server = Server::with(Kind::Memory, setup).await.unwrap();
    let ada = server.user().await;
    let path = session(&ada).await;
    for key in ["one", "two", "two"] {
        let keyed = ada.clone().with_header("idempotency-key", key);
        let body = json!({"content": "x".repeat(700 << 10)});
        keyed.post(&path, &body).await.expect(201);
    }
    server.stop().await;
}
