//! Who is at a socket, for how long.

use std::sync::Arc;
use std::time::Duration;

use aurax::Clock as _;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::clock::Ahead;
use crate::scene::{Scene, message, silence};
use crate::support::{Client, Kind, Opening, Server, Setup, Socket};

fn at(text: &serde_json::Value) -> OffsetDateTime {
    OffsetDateTime::parse(text.as_str().unwrap(), &Rfc3339).unwrap()
}

async fn knock(server: &Server) -> Socket {
    Opening::new(server.address).opened().await
}

fn auth(client: &Client) -> serde_json::Value {
    json!({"type": "auth", "token": client.token.clone().unwrap()})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_frame_says_who_is_there() {
    let server = Server::start(Kind::Memory).await.unwrap();
    let ada = server.user().await;
    let session = crate::scene::session(&ada).await;
    let mut socket = knock(&server).await;
    // What follows need not wait for the answer.
    socket.say(auth(&ada)).await;
    socket.chat(&session, "demo/echo", "Hello there").await;
    let ok = socket.hear().await;
    assert_eq!(ok["type"], "auth_ok");
    let left = at(&ok["expires_at"]) - aurax::SystemClock.now();
    assert!(left > time::Duration::minutes(14) && left <= time::Duration::minutes(15));
    socket.until("chat_response").await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_says_nothing_or_something_else_first_is_shown_out() {
    let setup = Setup::new().configured(|config| {
        config.timeouts.socket_auth = Duration::from_millis(200);
    });
    let server = Server::with(Kind::Memory, setup).await.unwrap();
    let mut silent = knock(&server).await;
    assert_eq!(silent.error().await, "unauthorized");
    assert_eq!(silent.closed().await.1, 4401);
    for first in [
        json!({"type": "ping"}),
        json!({"type": "cancel", "client_id": "x"}),
        json!({"type": "auth", "token": "x"}),
        json!({"type": "auth", "token": "aurax_x"}),
        json!({"type": "auth", "token": ""}),
        message("01890000-0000-7000-8000-000000000000", "Hi"),
    ] {
        let mut socket = knock(&server).await;
        socket.say(first.clone()).await;
        assert_eq!(socket.error().await, "unauthorized", "{first}");
        assert_eq!(socket.closed().await.1, 4401, "{first}");
    }
    // Frames that cannot be read buy no time.
    let mut socket = knock(&server).await;
    socket.text("{").await;
    assert_eq!(socket.error().await, "invalid_request");
    assert_eq!(socket.error().await, "unauthorized");
    assert_eq!(socket.closed().await.1, 4401);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_renewed_by_the_same_person_alone() {
    let server = Server::start(Kind::Memory).await.unwrap();
    let (ada, eve) = (server.user().await, server.user().await);
    let mut socket = Socket::of(&ada, server.address).await;
    let again = server.client().login(&ada.email.clone().unwrap()).await;
    for client in [&ada, &again] {
        socket.say(auth(client)).await;
        assert_eq!(socket.hear().await["type"], "auth_ok");
    }
    socket.say(auth(&eve)).await;
    assert_eq!(socket.error().await, "forbidden");
    socket.say(json!({"type": "auth", "token": "x"})).await;
    assert_eq!(socket.error().await, "unauthorized");
    // The socket is still hers.
    let session = crate::scene::session(&ada).await;
    socket.chat(&session, "demo/echo", "Hi").await;
    socket.until("chat_response").await;
    let theirs = crate::scene::session(&eve).await;
    socket.chat(&theirs, "demo/echo", "Hi").await;
    assert_eq!(socket.error().await, "not_found");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_closes_when_its_token_is_over_unless_it_was_renewed() {
    let clock = Ahead::default();
    let mut setup = Setup::new();
    setup.clock = Arc::new(clock.clone());
    let server = Server::with(Kind::Memory, setup).await.unwrap();
    let ada = server.user().await;
    let mut first = knock(&server).await;
    first.say(auth(&ada)).await;
    let end = at(&first.hear().await["expires_at"]);
    clock.move_to(end, time::Duration::seconds(2));
    // Sockets find out when they next look at the clock: these look now.
    let mut short = Socket::of(&ada, server.address).await;
    let mut long = Socket::of(&ada, server.address).await;
    let fresh = server.client().login(&ada.email.clone().unwrap()).await;
    long.say(auth(&fresh)).await;
    assert_eq!(long.hear().await["type"], "auth_ok");
    assert_eq!(short.error().await, "unauthorized");
    assert_eq!(short.closed().await.1, 4401);
    assert!(clock.now() >= end, "it closed before the end");
    long.lives().await;
    let refused = Opening::new(server.address)
        .bearer(&ada.token.unwrap())
        .open()
        .await;
    assert_eq!(refused.err().unwrap().0, 401);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_logout_a_socket_closes_and_what_it_waits_for_is_stopped() {
    let scene = Scene::with(|config| config.timeouts.login_cache = Duration::from_secs(1)).await;
    let (mut socket, mut idle) = (scene.socket().await, scene.socket().await);
    let other = scene
        .server
        .client()
        .login(&scene.ada.email.clone().unwrap())
        .await;
    let mut stays = Socket::of(&other, scene.server.address).await;
    let session = scene.session().await;
    socket.say(message(&session, &silence())).await;
    crate::scene::eventually(|| scene.upstream.open() == 1).await;
    scene.ada.delete("/auth/logout").await.expect(204);
    let (said, code) = socket.closed().await;
    assert_eq!(
        (said[0]["error"]["code"].as_str(), code),
        (Some("unauthorized"), 4401)
    );
    assert_eq!(idle.closed().await.1, 4401);
    scene.freed().await;
    assert_eq!(scene.charge().await.status, "cancelled");
    stays.lives().await;
    drop(stays);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_deleted_has_no_sockets() {
    let scene = Scene::with(|config| config.timeouts.login_cache = Duration::from_secs(1)).await;
    let mut socket = scene.socket().await;
    scene.ada.delete("/auth/me").await.expect(204);
    assert_eq!(socket.closed().await.1, 4401);
    scene.end().await;
}
