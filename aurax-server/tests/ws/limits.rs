//! How much and how fast.

use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio_tungstenite::tungstenite::Message;

use aurax_store::testkit::Ending;

use crate::scene::{Scene, eventually, message, prompt, silence};
use crate::support::{Client, Kind, Server, Setup, Socket};

async fn open() -> (Server, Client, Socket) {
    let server = Server::start(Kind::Memory).await.unwrap();
    let ada = server.user().await;
    let socket = Socket::of(&ada, server.address).await;
    (server, ada, socket)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_too_long_closes_the_socket() {
    let (server, ada, mut socket) = open().await;
    // As long as may be.
    let frame = |length: usize| {
        let around = json!({"type": "auth", "token": ""}).to_string().len();
        json!({"type": "auth", "token": "x".repeat(length - around)}).to_string()
    };
    socket.text(&frame(1 << 20)).await;
    assert_eq!(socket.error().await, "unauthorized");
    for length in [(1 << 20) + 1, 3 << 20, 20 << 20] {
        let mut socket = Socket::of(&ada, server.address).await;
        // The server may have had enough before everything is sent.
        drop(socket.put(Message::text(frame(length))).await);
        assert_eq!(socket.closed().await.1, 1009, "{length}");
    }
    server.stop().await;
}

/// Frames as bytes: `first` bytes of head, a mask of zeros, and what follows.
fn masked(head: &[u8], payload: &[u8]) -> Vec<u8> {
    [head, &[0; 4], payload].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn pieces_count_together_and_announced_lengths_are_not_waited_for() {
    let (server, ada, _) = open().await;
    let half = vec![b'x'; 0xffff];
    let mut pieces = masked(&[0x01, 0xfe, 0xff, 0xff], &half);
    for _ in 0..16 {
        pieces.extend(masked(&[0x00, 0xfe, 0xff, 0xff], &half));
    }
    let giant = masked(&[0x81, 0xff, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff], b"x");
    for (bytes, code) in [
        (pieces, 1009),
        (giant, 1009),
        (masked(&[0x81, 0x82], b"\xc3\x28"), 1007),
        (vec![0x81, 0x02, b'{', b'}'], 1002),
        (masked(&[0xf1, 0x80], b""), 1002),
        (masked(&[0x83, 0x80], b""), 1002),
        (masked(&[0x80, 0x80], b""), 1002),
    ] {
        let mut socket = Socket::of(&ada, server.address).await;
        socket.raw().write_all(&bytes).await.unwrap();
        assert_eq!(socket.closed().await.1, code);
    }
    crate::scene::eventually(|| server.state.sockets().count() <= 1).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_wrong_frames_in_a_row_close_the_socket() {
    let (server, _, mut socket) = open().await;
    for _ in 0..15 {
        socket.text("{}").await;
        assert_eq!(socket.error().await, "invalid_request");
    }
    socket.lives().await;
    for _ in 0..16 {
        socket.text("{}").await;
    }
    let (said, code) = socket.closed().await;
    assert_eq!((said.len(), code), (16, 1008));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_frames_closes_the_socket() {
    let (server, ada, mut socket) = open().await;
    for _ in 0..200 {
        if socket
            .put(Message::text(r#"{"type":"ping"}"#))
            .await
            .is_err()
        {
            break;
        }
    }
    let (said, code) = socket.closed().await;
    assert_eq!(code, 1008);
    let pongs = said.iter().filter(|frame| frame["type"] == "pong").count();
    assert!((60..80).contains(&pongs), "{pongs}");
    assert_eq!(said.last().unwrap()["error"]["code"], "rate_limited");
    // Those of the protocol count like others.
    let mut socket = Socket::of(&ada, server.address).await;
    for _ in 0..200 {
        if socket.put(Message::Ping(vec![1].into())).await.is_err() {
            break;
        }
    }
    assert_eq!(socket.closed().await.1, 1008);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_a_sign_of_life_is_given_up() {
    let setup = Setup::new().configured(|config| {
        config.timeouts.ping = Duration::from_millis(100);
        config.timeouts.pong = Duration::from_millis(400);
    });
    let server = Server::with(Kind::Memory, setup).await.unwrap();
    let ada = server.user().await;
    // It is not read from, so no ping is answered.
    let socket = Socket::of(&ada, server.address).await;
    let mut alive = Socket::of(&ada, server.address).await;
    let reads = async {
        loop {
            tokio::time::timeout(Duration::from_millis(50), alive.next())
                .await
                .err();
            if server.state.sockets().count() == 1 {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), reads)
        .await
        .unwrap();
    alive.lives().await;
    drop(socket);
    server.stop().await;
}

/// An idle socket takes no place among what is answered; each of its answers does.
#[tokio::test(flavor = "multi_thread")]
async fn answers_count_among_what_the_server_takes() {
    let scene = Scene::with(|config| config.limits.in_flight = 1).await;
    let (one, other) = (scene.session().await, scene.session().await);
    let mut idle = scene.socket().await;
    let mut socket = scene.socket().await;
    scene.ada.get("/auth/me").await.expect(200);
    socket.say(message(&one, &silence())).await;
    eventually(|| scene.upstream.open() == 1).await;
    let refused = scene.ada.get("/auth/me").await;
    assert_eq!(refused.error(503), "overloaded");
    idle.say(message(&other, &silence())).await;
    assert_eq!(idle.error().await, "overloaded");
    socket.close().await;
    eventually(|| scene.upstream.open() == 0).await;
    idle.say(message(&other, &prompt(1, Ending::Complete)))
        .await;
    idle.until("chat_response").await;
    scene.ada.get("/auth/me").await.expect(200);
    idle.close().await;
    scene.charges(2).await;
    scene.end().await;
}
