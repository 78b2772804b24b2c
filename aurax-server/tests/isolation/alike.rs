//! What every route answers alike, whatever it does: to too much, too often, and when the store is
//! away or broken.

use aurax::store::Role;
use aurax_server::{Route, Weight};
use serde_json::json;
use sqlx::{Connection as _, Executor as _, PgConnection};

use crate::access;
use crate::asking::Asking;
use crate::matrix::server;
use crate::people::Person;
use crate::support::{Client, Kind, PASSWORD, Server, Setup};

/// A request that would do, about something that is not there.
fn asking(route: &Route, person: &Person) -> Asking {
    let body = match &*route.path {
        "/auth/register" => Some(json!({"email": "x@example.com", "password": PASSWORD})),
        "/auth/login" => Some(json!({"email": "x@example.com", "password": PASSWORD})),
        "/auth/refresh" => Some(json!({"refresh_token": person.login.refresh})),
        _ => None,
    };
    if let Some(body) = body {
        return Asking::new(route, person).with_body(body);
    }
    access::asking(route, person)
}

/// Asks every route but probes, and compares status and code.
async fn everywhere(
    server: &Server,
    person: &Person,
    (status, code): (u16, &str),
    asked: impl Fn(&Route) -> Option<Asking>,
) {
    let (mut wrong, mut right) = (Vec::new(), 0);
    for route in aurax_server::routes(server.state.clone()) {
        let Some(asking) = asked(&route).filter(|_| route.rule.weight != Weight::Probe) else {
            continue;
        };
        let answer = match &*route.path {
            "/ws" => asking.send(&upgrading(&person.login)).await,
            _ => asking.send(&person.login).await,
        };
        if answer.status.as_u16() == status && answer.error(status) == code {
            right += 1;
        } else {
            let text = String::from_utf8_lossy(&answer.body);
            wrong.push(format!(
                "{} {}: {} {text}",
                route.method, route.path, answer.status
            ));
        }
    }
    assert!(wrong.is_empty(), "not {status}:\n{}", wrong.join("\n"));
    println!("{right} routes answer {status}");
}

/// A client that wants a WebSocket.
fn upgrading(client: &Client) -> Client {
    [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ]
    .into_iter()
    .fold(client.clone(), |client, (name, value)| {
        client.with_header(name, value)
    })
}

/// Whether it asks the store for anything.
fn reads(route: &Route) -> bool {
    route.path != "/.well-known/jwks.json"
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_refuses_a_parameter_that_it_does_not_know() {
    let server = server(Kind::Memory).await.unwrap();
    let root = Person::new(&server, Role::Admin).await;
    let expected = (400, "invalid_request");
    everywhere(&server, &root, expected, |route| {
        let mut asking = asking(route, &root);
        asking.query.push(("no_such", "1".to_owned()));
        Some(asking)
    })
    .await;
    server.stop().await;
}

/// Bodies that are no request, to every route that takes one: refused, with what is wrong named.
#[tokio::test(flavor = "multi_thread")]
async fn every_route_refuses_a_body_that_is_none() {
    let server = server(Kind::Memory).await.unwrap();
    let root = Person::new(&server, Role::Admin).await;
    let json = Some("application/json");
    let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
    let bodies: [(&str, Option<&str>, &[u8]); 9] = [
        ("nothing", json, b""),
        ("half of it", json, b"{"),
        ("a list", json, b"[]"),
        ("text", json, b"\"text\""),
        ("more than one", json, b"{\"x\":1}{}"),
        ("bytes", json, b"{\"x\":\"\xff\"}"),
        ("too deep", json, deep.as_bytes()),
        ("no type", None, b"{}"),
        ("another type", Some("text/plain"), b"{}"),
    ];
    let (mut wrong, mut asked) = (Vec::new(), 0);
    for route in aurax_server::routes(server.state.clone()) {
        let asking = match &*route.path {
            "/chat/sessions/{id}/messages" => Asking::new(&route, &root),
            _ => asking(&route, &root),
        };
        if !asking.has_body() {
            continue;
        }
        for (what, content_type, bytes) in bodies {
            let answer = asking.send_bytes(&root.login, content_type, bytes).await;
            let field = match answer.status.as_u16() {
                400 => answer.field(),
                _ => String::new(),
            };
            asked += 1;
            if field.is_empty() {
                let text = String::from_utf8_lossy(&answer.body);
                wrong.push(format!("{what}: {} {}: {text}", route.method, route.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{asked} bodies");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_refuses_a_body_that_is_too_large() {
    let setup = Setup::new()
        .with_openai("http://127.0.0.1:9/v1")
        .configured(|config| {
            config.limits.body = 64 << 10;
            config.limits.paid_body = 64 << 10;
        });
    let server = Server::with(Kind::Memory, setup).await.unwrap();
    let root = Person::new(&server, Role::Admin).await;
    let body = json!({"content": "x".repeat(65 << 10)});
    let expected = (413, "too_large");
    everywhere(&server, &root, expected, |route| {
        let asking = match &*route.path {
            "/chat/sessions/{id}/messages" => Asking::new(route, &root),
            _ => asking(route, &root),
        };
        asking.has_body().then(|| asking.with_body(body.clone()))
    })
    .await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_refuses_an_address_that_asks_too_often() {
    let setup = Setup::new().configured(|config| config.limits.ip_requests_per_minute = Some(5));
    let server = Server::with(Kind::Memory, setup).await.unwrap();
    let root = Person::new(&server, Role::Admin).await;
    while root.login.get("/auth/me").await.status == 200 {}
    let expected = (429, "rate_limited");
    everywhere(&server, &root, expected, |route| Some(asking(route, &root))).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_says_that_the_store_is_away() {
    let server = server(Kind::Memory).await.unwrap();
    let root = Person::new(&server, Role::Admin).await.again(&server).await;
    server.store.close().await;
    let expected = (503, "store_unavailable");
    everywhere(&server, &root, expected, |route| {
        reads(route).then(|| asking(route, &root))
    })
    .await;
    server.stop().await;
}

/// What is wrong with a database is nobody's business who asks.
#[tokio::test(flavor = "multi_thread")]
async fn every_route_says_nothing_of_a_broken_store() {
    let Some(server) = server(Kind::Postgres).await else {
        return;
    };
    // Nobody has asked with this login, so nothing of it is remembered.
    let root = Person::new(&server, Role::Admin).await.again(&server).await;
    let mut database = PgConnection::connect(server.place().url().unwrap())
        .await
        .unwrap();
    let gone =
        "ALTER TABLE users RENAME TO no_users; ALTER TABLE refresh_tokens RENAME TO no_logins";
    database.execute(gone).await.unwrap();
    let expected = (500, "internal");
    everywhere(&server, &root, expected, |route| {
        reads(route).then(|| asking(route, &root))
    })
    .await;
    server.stop().await;
}
