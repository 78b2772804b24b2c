//! What holds for every route: browsers, parameters nobody reads, and limits where there is no
//! route.

use std::collections::BTreeSet;

use aurax::store::Origin;
use serde_json::json;

use crate::support::{Answer, Kind, Server, Setup};

/// Headers that say nothing to a program, or that browsers show anyway.
const GENERAL: [&str; 16] = [
    "access-control-allow-origin",
    "access-control-expose-headers",
    "cache-control",
    "connection",
    "content-length",
    "content-security-policy",
    "content-type",
    "date",
    "referrer-policy",
    "strict-transport-security",
    "transfer-encoding",
    "vary",
    "x-accel-buffering",
    "x-content-type-options",
    "x-frame-options",
    "keep-alive",
];

#[tokio::test(flavor = "multi_thread")]
async fn pages_may_read_every_header_that_says_something() {
    let setup = Setup::new().configured(|config| {
        config.cors_origins = vec![Origin::parse("https://app.test").unwrap()];
        config.limits.user_requests_per_minute = Some(7);
    });
    let server = Server::with(Kind::Memory, setup).await.unwrap();
    let mut plan = aurax::store::Plan::new("free");
    plan.tokens_per_minute = Some(1_000_000);
    server.state.store().admin().set_plan(&plan).await.unwrap();
    let ada = server
        .user()
        .await
        .with_header("origin", "https://app.test");
    let session = ada.post("/chat/sessions", &json!({})).await.expect(201);
    let path = format!(
        "/chat/sessions/{}/messages",
        session["id"].as_str().unwrap()
    );
    let keyed = ada.clone().with_header("idempotency-key", "one");
    let said = json!({"content": "Hi"});
    let mut answers: Vec<Answer> = vec![
        keyed.post(&path, &said).await,
        keyed.post(&path, &said).await,
        ada.post(&path, &json!({"content": "Hi", "stream": true}))
            .await,
        ada.get("/api/usage/export").await,
        ada.with_token("nonsense").get("/auth/me").await,
        ada.get("/nowhere").await,
    ];
    for _ in 0..4 {
        answers.push(ada.get("/auth/me").await);
    }
    assert_eq!(answers.last().unwrap().status, 429);
    let mut seen = BTreeSet::new();
    for answer in &answers {
        let exposed = answer.header("access-control-expose-headers").unwrap();
        let exposed: Vec<&str> = exposed.split(',').map(str::trim).collect();
        for name in answer.headers.keys() {
            if !GENERAL.contains(&name.as_str()) {
                assert!(exposed.contains(&name.as_str()), "{name} in {exposed:?}");
                seen.insert(name.as_str());
            }
        }
    }
    let expected = [
        "content-disposition",
        "idempotency-replayed",
        "retry-after",
        "www-authenticate",
        "x-ratelimit-limit",
        "x-ratelimit-limit-tokens",
        "x-ratelimit-remaining",
        "x-ratelimit-remaining-tokens",
        "x-ratelimit-reset",
        "x-ratelimit-reset-tokens",
        "x-request-id",
    ];
    assert_eq!(seen, BTreeSet::from(expected));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_that_nobody_reads_are_refused_by_name() {
    let server = Server::start(Kind::Memory).await.unwrap();
    // The first account of a server on loopback is an operator's.
    let ada = server.user().await;
    let id = aurax::new_id().to_string();
    let mut asked = 0;
    for route in aurax_server::routes(server.state.clone()) {
        let path = route.path.replace("{id}", &id).replace("{name}", "demo");
        assert!(!path.contains('{'), "{path}");
        let address = format!("{path}?surpris%65=1");
        let answer = ada
            .send(route.method, &address, Some("application/json"), "{}")
            .await;
        if ["/livez", "/readyz"].contains(&&*path) {
            answer.expect(200);
            continue;
        }
        assert_eq!(answer.field(), "surprise", "{} {path}", route.method);
        asked += 1;
    }
    assert!(asked > 50, "{asked}");
    ada.get("/auth/me").await.expect(200);
    ada.get("/auth/me?").await.expect(200);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_route_takes_is_counted_like_anything_else() {
    let setup = Setup::new().configured(|config| config.limits.ip_requests_per_minute = Some(2));
    for (method, path, status) in [
        ("GET", "/openapi.json", 200),
        ("GET", "/docs/swagger-ui.css", 200),
        ("GET", "/nowhere", 404),
        ("PUT", "/auth/login", 405),
        ("OPTIONS", "/auth/login", 200),
        ("GET", "/.well-known/jwks.json", 200),
    ] {
        let mut setup_again = Setup::new();
        setup_again.config = setup.config.clone();
        let server = Server::with(Kind::Memory, setup_again).await.unwrap();
        let nobody = server.client();
        for _ in 0..2 {
            let answer = nobody.send(method, path, None, "").await;
            assert_eq!(answer.status, status, "{method} {path}");
        }
        let answer = nobody.send(method, path, None, "").await;
        assert_eq!(answer.error(429), "rate_limited", "{method} {path}");
        assert!(answer.header("retry-after").is_some());
        server.stop().await;
    }
}
