//! What is said, and what is refused.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::scene::session;
use crate::support::{Client, Kind, Server, Socket};

async fn open() -> (Server, Client, Socket) {
    let server = Server::start(Kind::Memory).await.unwrap();
    let ada = server.user().await;
    let socket = Socket::of(&ada, server.address).await;
    (server, ada, socket)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_answered_in_pieces_and_then_whole() {
    let (server, ada, mut socket) = open().await;
    let session = session(&ada).await;
    let said = json!({
        "type": "chat_message", "session_id": session, "content": "Hello there",
        "provider": "demo", "model": "echo", "settings": {"temperature": 0.5}, "parts": [],
        "client_id": "mine-1",
    });
    socket.say(said).await;
    let mut words = String::new();
    let whole = loop {
        let frame = socket.hear().await;
        if frame["type"] == "chat_response" {
            break frame;
        }
        assert_eq!(frame["type"], "chat_chunk", "{frame}");
        assert!(frame["message_id"].is_string());
        words.push_str(frame["delta"].as_str().unwrap());
    };
    assert!(words.contains("Hello there"), "{words}");
    assert_eq!(whole["content"], words);
    assert_eq!(whole["session_id"], session);
    assert_eq!(whole["client_id"], "mine-1");
    assert_eq!(
        (&whole["provider"], &whole["model"]),
        (&json!("demo"), &json!("echo"))
    );
    assert!(whole["tokens"].as_u64().unwrap() > 0);
    assert_eq!(whole["usage"]["total"], whole["tokens"]);
    assert!(whole["cost"].is_number() && whole["cost_decimal"].is_string());
    let path = format!("/chat/sessions/{session}/messages");
    let kept = ada.get(&path).await.expect(200);
    assert_eq!(kept["data"][1]["id"], whole["message_id"]);
    assert_eq!(kept["data"][1]["content"], words);
    assert_eq!(kept["data"][1]["cost_decimal"], whole["cost_decimal"]);
    // Nothing is left over, and the session goes on.
    socket.chat(&session, "demo/echo", "And again").await;
    let next = socket.until("chat_response").await;
    assert!(next.get("client_id").is_none());
    server.stop().await;
}

/// Longer than what may wait to be written.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_frame_comes_in_one_message() {
    let (server, ada, mut socket) = open().await;
    socket.lives().await;
    let id = ada.id.clone().unwrap().parse().unwrap();
    let words = "wörter ".repeat(500_000);
    server.state.sockets().tell(id, &words);
    let frame = socket.hear().await;
    assert!(frame["event"] == words, "{} bytes", frame.to_string().len());
    socket.lives().await;
    server.stop().await;
}

/// Each is refused by the field, and the socket stays.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_taken_is_refused_by_its_field() {
    let (server, ada, mut socket) = open().await;
    let id = session(&ada).await;
    let message = |more: &str| format!(r#"{{"type":"chat_message","session_id":"{id}"{more}}}"#);
    let deep = format!("{}1{}", "[".repeat(65), "]".repeat(65));
    let long = "x".repeat(129);
    for (text, field) in [
        (String::new(), "body"),
        ("{".to_owned(), "body"),
        ("[]".to_owned(), "body"),
        ("7".to_owned(), "body"),
        ("{}".to_owned(), "type"),
        (r#"{"type":1}"#.to_owned(), "type"),
        (r#"{"type":"chat"}"#.to_owned(), "type"),
        (r#"{"type":"ping","type":"ping"}"#.to_owned(), "type"),
        (r#"{"type":"ping"} x"#.to_owned(), "body"),
        (r#"{"type":"ping","x":1}"#.to_owned(), "x"),
        (r#"{"type":"auth"}"#.to_owned(), "token"),
        (r#"{"type":"auth","token":1}"#.to_owned(), "token"),
        (r#"{"type":"cancel"}"#.to_owned(), "message_id"),
        (
            r#"{"type":"cancel","message_id":"x"}"#.to_owned(),
            "message_id",
        ),
        (
            r#"{"type":"chat_message","content":"a"}"#.to_owned(),
            "session_id",
        ),
        (
            r#"{"type":"chat_message","session_id":"x","content":"a"}"#.to_owned(),
            "session_id",
        ),
        (message(""), "content"),
        (message(r#","content":1"#), "content"),
        (message(r#","content":"""#), "content"),
        (message(r#","content":"a\u0000""#), "content"),
        (message(r#","content":"a","role":"system""#), "role"),
        (message(r#","content":"a","stream":true"#), "stream"),
        (
            message(r#","content":"a","settings":{"x":1}"#),
            "settings.x",
        ),
        (
            message(r#","content":"a","settings":{"temperature":9}"#),
            "settings.temperature",
        ),
        (message(r#","content":"a","client_id":"""#), "client_id"),
        (
            message(&format!(r#","content":"a","client_id":"{long}""#)),
            "client_id",
        ),
        (
            message(r#","content":"a","parts":[{"type":"thinking","thinking":"x"}]"#),
            "parts[0]",
        ),
        (
            message(&format!(r#","content":"a","parts":{deep}"#)),
            "body",
        ),
    ] {
        socket.text(&text).await;
        let frame = socket.hear().await;
        assert_eq!(frame["error"]["code"], "invalid_request", "{text}: {frame}");
        let named = frame["error"]["details"]["field"].as_str().unwrap();
        assert!(named.starts_with(field), "{text}: {frame}");
        socket.lives().await;
    }
    socket.put(Message::binary(vec![0x7b, 0x7d])).await.unwrap();
    let frame = socket.hear().await;
    assert_eq!(frame["error"]["details"]["field"], "frame");
    socket.lives().await;
    server.stop().await;
}

/// Byte for byte, but for when and under which id it was said.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_somebody_elses_is_not_there() {
    let (server, ada, mut socket) = open().await;
    let eve = server.user().await;
    let theirs = session(&eve).await;
    let mine = session(&ada).await;
    let mut their_socket = Socket::of(&eve, server.address).await;
    their_socket.chat(&theirs, "demo/echo", "Hi").await;
    let answer = their_socket.until("chat_response").await;
    let absent = "01890000-0000-7000-8000-000000000000";
    let said = async |socket: &mut Socket, frame: Value| {
        socket.say(frame).await;
        let mut heard = socket.hear().await;
        for varies in ["timestamp", "request_id"] {
            heard["error"][varies] = Value::Null;
        }
        heard.to_string()
    };
    let message = |session: &str| json!({"type": "chat_message", "session_id": session, "content": "Hi", "client_id": "c"});
    let foreign = said(&mut socket, message(&theirs)).await;
    assert_eq!(
        foreign.replace(&theirs, "id"),
        said(&mut socket, message(absent))
            .await
            .replace(absent, "id")
    );
    assert!(foreign.contains(r#""code":"not_found""#), "{foreign}");
    let cancel = |id: &Value| json!({"type": "cancel", "message_id": id});
    let foreign = said(&mut socket, cancel(&answer["message_id"])).await;
    assert_eq!(foreign, said(&mut socket, cancel(&json!(absent))).await);
    assert!(foreign.contains(r#""code":"not_found""#), "{foreign}");
    let key = |name: &str| {
        json!({"type": "chat_message", "session_id": mine, "content": "Hi",
               "model": "demo/echo", "settings": {"key_name": name}})
    };
    let foreign = said(&mut socket, key("hers")).await;
    assert!(foreign.contains("error"), "{foreign}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_are_told_to_whom_they_are_for() {
    let (server, ada, mut socket) = open().await;
    let eve = server.user().await;
    let mut theirs = Socket::of(&eve, server.address).await;
    socket.lives().await;
    theirs.lives().await;
    let id = ada.id.clone().unwrap().parse().unwrap();
    server
        .state
        .sockets()
        .tell(id, &json!({"id": "e", "value": 1.5}));
    let frame = socket.hear().await;
    assert_eq!(
        frame,
        json!({"type": "alert", "event": {"id": "e", "value": 1.5}})
    );
    server.state.sockets().tell_admins(&json!({"id": "f"}));
    // The first account is an operator's.
    assert_eq!(
        socket.hear().await,
        json!({"type": "alert", "event": {"id": "f"}})
    );
    theirs.lives().await;
    socket.lives().await;
    server.stop().await;
}
