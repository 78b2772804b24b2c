//! From a request to a socket: what is asked for, by whom, and from where.

use aurax::store::NewAccessKey;
use aurax::{Principal, Secret};
use serde_json::{Value, json};

use crate::support::{Client, Kind, Opening, Server, Setup, Socket};

fn code(body: &Value) -> &str {
    body["error"]["code"].as_str().unwrap_or_default()
}

fn field(body: &Value) -> &str {
    assert_eq!(code(body), "invalid_request", "{body}");
    body["error"]["details"]["field"].as_str().unwrap()
}

async fn server() -> (Server, Client) {
    let server = Server::start(Kind::Memory).await.unwrap();
    let ada = server.user().await;
    (server, ada)
}

/// An access key of a user's, with these scopes.
async fn key(server: &Server, user: &Client, scopes: &[&str]) -> String {
    let principal = Principal::new(user.id.clone().unwrap());
    let mut new = NewAccessKey::new("program");
    new.scopes = scopes.iter().map(|&scope| scope.to_owned()).collect();
    let keys = server.store.user(&principal).access_keys();
    let (_, secret): (_, Secret) = keys.add(new).await.unwrap();
    #[expect(clippy::disallowed_methods, reason = "the test shows the key")]
    secret.expose().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_comes_in_a_header_or_as_a_subprotocol() {
    let (server, ada) = server().await;
    let token = ada.token.clone().unwrap();
    let own = key(&server, &ada, &["chat"]).await;
    let opening = || Opening::new(server.address);
    for (opening, speaks) in [
        (opening().bearer(&token), false),
        (opening().bearer(&own), false),
        (opening().header("x-api-key", &own), false),
        (opening().bearer(&token).protocols("aurax.v1"), true),
        (
            opening().protocols(&format!("aurax.v1, bearer.{token}")),
            true,
        ),
        (opening().protocols(&format!("bearer.{own},aurax.v1")), true),
    ] {
        let (mut socket, response) = opening.open().await.unwrap();
        assert_eq!(response.status().as_u16(), 101);
        let selected = response.headers().get("sec-websocket-protocol");
        assert_eq!(selected.is_some(), speaks);
        assert!(selected.is_none_or(|selected| selected == "aurax.v1"));
        socket.lives().await;
        socket.close().await;
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_known_is_refused_before_the_upgrade() {
    let (server, ada) = server().await;
    let token = ada.token.clone().unwrap();
    let opening = || Opening::new(server.address);
    for (opening, status, expected) in [
        (opening().bearer("x"), 401, "unauthorized"),
        (opening().bearer("aurax_x"), 401, "unauthorized"),
        (
            opening().header("authorization", "Basic eA=="),
            401,
            "unauthorized",
        ),
        (opening().header("x-api-key", "x"), 401, "unauthorized"),
        (
            opening().protocols("aurax.v1, bearer.x"),
            401,
            "unauthorized",
        ),
        (
            opening().protocols("aurax.v1, bearer."),
            401,
            "unauthorized",
        ),
        (
            opening()
                .bearer(&token)
                .protocols(&format!("aurax.v1, bearer.{token}")),
            401,
            "unauthorized",
        ),
        (
            opening().bearer(&token).header("x-api-key", "x"),
            401,
            "unauthorized",
        ),
    ] {
        let (got, body) = opening.open().await.err().unwrap();
        assert_eq!((got, code(&body)), (status, expected), "{body}");
    }
    let own = key(&server, &ada, &["sessions", "usage"]).await;
    let (status, body) = opening().bearer(&own).open().await.err().unwrap();
    assert_eq!((status, code(&body)), (403, "forbidden"));
    assert_eq!(body["error"]["details"]["scope"], "chat");
    assert_eq!(server.state.sockets().count(), 0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_stands_in_an_address() {
    let (server, ada) = server().await;
    let token = ada.token.clone().unwrap();
    for (path, name) in [
        (format!("/ws?token={token}"), "token"),
        (format!("/ws?access_token={token}"), "access_token"),
        ("/ws?x".to_owned(), "x"),
    ] {
        let opening = Opening::new(server.address).path(&path);
        for opening in [opening.clone(), opening.bearer(&token)] {
            let (status, body) = opening.open().await.err().unwrap();
            assert_eq!((status, field(&body)), (400, name), "{body}");
            assert!(!body.to_string().contains(&token));
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_upgrade_is_refused_by_its_name() {
    let (server, ada) = server().await;
    for client in [server.client(), ada.clone()] {
        assert_eq!(client.get("/ws").await.field(), "upgrade");
        assert_eq!(
            client.post("/ws", &json!({})).await.error(405),
            "method_not_allowed"
        );
    }
    let asks = || {
        ada.clone()
            .with_header("connection", "keep-alive, Upgrade")
            .with_header("upgrade", "websocket")
    };
    let fine = "dGhlIHNhbXBsZSBub25jZQ==";
    for (version, key, name) in [
        ("12", fine, "sec-websocket-version"),
        ("", fine, "sec-websocket-version"),
        ("13", "", "sec-websocket-key"),
        ("13", "dGhl", "sec-websocket-key"),
        ("13", "not base64, at all!!!", "sec-websocket-key"),
    ] {
        let client = asks()
            .with_header("sec-websocket-version", version)
            .with_header("sec-websocket-key", key);
        assert_eq!(client.get("/ws").await.field(), name, "{version} {key}");
    }
    let token = ada.token.clone().unwrap();
    for protocols in [
        "soap",
        "aurax.v2, soap",
        &format!("bearer.{token}"),
        "aurax.v1, bearer.a, bearer.b",
    ] {
        let opening = Opening::new(server.address).protocols(protocols);
        let (status, body) = opening.open().await.err().unwrap();
        assert_eq!(
            (status, field(&body)),
            (400, "sec-websocket-protocol"),
            "{protocols}"
        );
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_origins_are_refused() {
    let setup = Setup::new().configured(|config| {
        config.public_url = Some("https://chat.example.com".to_owned());
        config.cors_origins = vec![aurax::store::Origin::parse("https://app.example.com").unwrap()];
    });
    let server = Server::with(Kind::Memory, setup).await.unwrap();
    let ada = server.user().await;
    let port = server.address.port();
    let token = ada.token.clone().unwrap();
    let opening = Opening::new(server.address).bearer(&token);
    for origin in [
        "https://chat.example.com".to_owned(),
        "https://CHAT.example.com:443".to_owned(),
        "https://app.example.com".to_owned(),
        format!("http://127.0.0.1:{port}"),
    ] {
        let opened = opening.clone().header("origin", &origin).open().await;
        assert!(opened.is_ok(), "{origin}");
    }
    for origin in [
        "https://evil.example.com".to_owned(),
        "http://chat.example.com".to_owned(),
        "https://chat.example.com.evil.com".to_owned(),
        "https://chat.example.com:8443".to_owned(),
        "null".to_owned(),
        String::new(),
        format!("http://127.0.0.1:{}", port.wrapping_add(1)),
        format!("http://localhost:{port}"),
        "https://app.example.com@evil.com".to_owned(),
    ] {
        let refused = opening.clone().header("origin", &origin).open().await;
        let (status, body) = refused.err().unwrap();
        assert_eq!((status, code(&body)), (403, "forbidden"), "{origin}");
    }
    let two = opening
        .header("origin", "https://chat.example.com")
        .header("origin", "https://chat.example.com");
    assert_eq!(two.open().await.err().unwrap().0, 403);
    server.stop().await;
}

/// A page that makes its own name mean this machine is still of its own origin.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_means_this_machine_makes_no_page_its_own() {
    let (server, ada) = server().await;
    let token = ada.token.clone().unwrap();
    let port = server.address.port();
    let asked = |host: String| {
        ada.clone()
            .with_header("host", &host)
            .with_header("origin", &format!("http://{host}"))
            .with_header("connection", "upgrade")
            .with_header("upgrade", "websocket")
            .with_header("sec-websocket-version", "13")
            .with_header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
    };
    let refused = asked(format!("evil.example.com:{port}")).get("/ws").await;
    assert_eq!(refused.error(403), "forbidden");
    let opened = Opening::new(server.address)
        .bearer(&token)
        .header("origin", &format!("http://{}", server.address));
    opened.opened().await.lives().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_has_so_many_sockets() {
    let setup = Setup::new().configured(|config| config.limits.sockets_per_user = 2);
    let server = Server::with(Kind::Memory, setup).await.unwrap();
    let (ada, eve) = (server.user().await, server.user().await);
    let _first = Socket::of(&ada, server.address).await;
    let second = Socket::of(&ada, server.address).await;
    let token = ada.token.clone().unwrap();
    let opening = Opening::new(server.address);
    let (status, body) = opening.clone().bearer(&token).open().await.err().unwrap();
    assert_eq!((status, code(&body)), (429, "rate_limited"));
    let mut third = opening.clone().opened().await;
    third.say(json!({"type": "auth", "token": token})).await;
    assert_eq!(third.error().await, "rate_limited");
    assert_eq!(third.closed().await.1, 1008);
    Socket::of(&eve, server.address).await.lives().await;
    second.close().await;
    crate::scene::eventually(|| server.state.sockets().count() < 2).await;
    Socket::of(&ada, server.address).await.lives().await;
    server.stop().await;
}

/// Whether the server takes one more connection.
async fn is_served(server: &Server) -> bool {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(server.address)
        .await
        .unwrap();
    let request = b"GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let mut answer = Vec::new();
    stream.write_all(request).await.is_ok()
        && stream.read_to_end(&mut answer).await.is_ok()
        && !answer.is_empty()
}

/// There are so many connections, upgraded ones among them.
#[tokio::test(flavor = "multi_thread")]
async fn a_socket_keeps_the_place_of_its_connection() {
    let setup = Setup::new().configured(|config| config.limits.connections = 3);
    let server = Server::with(Kind::Memory, setup).await.unwrap();
    let token = server.user().await.token.unwrap();
    let mut open = Vec::new();
    for _ in 0..3 {
        // The connection before may still be ending.
        while !is_served(&server).await {
            crate::support::moment().await;
        }
        let opening = Opening::new(server.address).bearer(&token);
        let mut socket = loop {
            if let Some(socket) = opening.attempt().await {
                break socket;
            }
        };
        socket.lives().await;
        open.push(socket);
    }
    assert!(!is_served(&server).await, "a fourth connection was taken");
    drop(open.pop());
    while !is_served(&server).await {
        crate::support::moment().await;
    }
    drop(open);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_says_what_is_spoken() {
    let (server, _) = server().await;
    let document = server.client().get("/openapi.json").await.expect(200);
    let open = &document["paths"]["/ws"]["get"];
    for status in ["101", "400", "401", "403", "429", "503"] {
        assert!(open["responses"][status].is_object(), "{status}: {open}");
    }
    assert!(open["responses"]["404"].is_null());
    for frame in ["ChatMessage", "Cancel", "Auth", "Ping", "Frame", "Told"] {
        assert!(
            document["components"]["schemas"][frame].is_object(),
            "{frame}"
        );
    }
    let routes = aurax_server::routes(server.state.clone());
    let ws = routes.iter().find(|route| route.path == "/ws").unwrap();
    assert_eq!(ws.rule.owned.len(), 3);
    server.stop().await;
}
