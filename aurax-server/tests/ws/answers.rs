//! Many answers at a time, and how they are stopped.

use std::time::Duration;

use aurax_store::testkit::Ending;
use serde_json::{Value, json};

use crate::scene::{Scene, eventually, message, prompt, silence};

const SOON: Duration = Duration::from_secs(1);

fn named(session: &str, content: &str, name: &str) -> Value {
    let mut frame = message(session, content);
    frame["client_id"] = json!(name);
    frame
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_makes_one_answer_at_a_time() {
    let scene = Scene::new().await;
    let (mut socket, mut other) = (scene.socket().await, scene.socket().await);
    let session = scene.session().await;
    socket
        .say(message(&session, &prompt(3, Ending::Hang)))
        .await;
    let begun = socket.until("chat_chunk").await;
    socket.say(named(&session, "Hi", "second")).await;
    let busy = socket.until("error").await;
    assert_eq!(busy["error"]["code"], "session_busy");
    assert_eq!(busy["client_id"], "second");
    assert!(busy.get("message_id").is_none());
    other.say(message(&session, "Hi")).await;
    assert_eq!(other.error().await, "session_busy");
    // Nobody stops it from another socket.
    let cancel = json!({"type": "cancel", "message_id": begun["message_id"]});
    other.say(cancel.clone()).await;
    assert_eq!(other.error().await, "not_found");
    socket.say(cancel).await;
    socket.until("error").await;
    drop((socket, other));
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_makes_eight_answers_at_a_time() {
    let scene = Scene::new().await;
    let mut socket = scene.socket().await;
    for number in 0..9 {
        let session = scene.session().await;
        let name = format!("n{number}");
        socket.say(named(&session, &silence(), &name)).await;
    }
    let refused = socket.hear().await;
    assert_eq!(refused["error"]["code"], "rate_limited");
    assert_eq!(refused["client_id"], "n8");
    eventually(|| scene.upstream.open() == 8).await;
    socket
        .say(json!({"type": "cancel", "client_id": "n3"}))
        .await;
    let stopped = socket.hear().await;
    assert_eq!(
        (&stopped["error"]["code"], &stopped["client_id"]),
        (&json!("cancelled"), &json!("n3"))
    );
    // There is room for another one.
    let session = scene.session().await;
    socket
        .say(named(&session, &prompt(2, Ending::Complete), "last"))
        .await;
    let whole = socket.until("chat_response").await;
    assert_eq!(whole["client_id"], "last");
    drop(socket);
    let charges = scene.charges(9).await;
    let count = |status: &str| charges.iter().filter(|one| one.status == status).count();
    assert_eq!((count("cancelled"), count("success")), (8, 1));
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_of_two_sockets_and_sessions_come_at_the_same_time() {
    let scene = Scene::new().await;
    let (mut one, mut other) = (scene.socket().await, scene.socket().await);
    let sessions = [
        scene.session().await,
        scene.session().await,
        scene.session().await,
    ];
    one.say(named(&sessions[0], &prompt(20, Ending::Complete), "a"))
        .await;
    one.say(named(&sessions[1], &prompt(20, Ending::Complete), "b"))
        .await;
    other
        .say(named(&sessions[2], &prompt(20, Ending::Complete), "c"))
        .await;
    eventually(|| scene.upstream.open() == 3).await;
    let mut ends = Vec::new();
    for from_one in [true, true, false] {
        let socket = if from_one { &mut one } else { &mut other };
        let whole = socket.until("chat_response").await;
        ends.push(whole["client_id"].as_str().unwrap().to_owned());
    }
    ends.sort();
    assert_eq!(ends, ["a", "b", "c"]);
    assert!(
        scene
            .charges(3)
            .await
            .iter()
            .all(|one| one.status == "success")
    );
    drop((one, other));
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_answer_frees_its_upstream_and_is_settled_once() {
    let scene = Scene::new().await;
    let mut socket = scene.socket().await;
    let session = scene.session().await;
    socket
        .say(message(&session, &prompt(3, Ending::Hang)))
        .await;
    let begun = socket.until("chat_chunk").await;
    let cancel = json!({"type": "cancel", "message_id": begun["message_id"]});
    socket.say(cancel.clone()).await;
    assert!(scene.freed().await < SOON, "the upstream was held");
    let end = socket.until("error").await;
    assert_eq!(end["error"]["code"], "cancelled");
    assert_eq!(end["message_id"], begun["message_id"]);
    let charge = scene.charge().await;
    assert_eq!(
        (&*charge.status, &*charge.outcome),
        ("cancelled", "partial")
    );
    assert!(charge.response_tokens > 0);
    // It was told once, and there is nothing left to stop.
    socket.say(cancel).await;
    assert_eq!(socket.error().await, "not_found");
    let path = format!("/chat/sessions/{session}/messages");
    let kept = scene.ada.get(&path).await.expect(200);
    assert_eq!(kept["data"][1]["status"], "partial");
    // The session goes on.
    socket
        .say(message(&session, &prompt(2, Ending::Complete)))
        .await;
    socket.until("chat_response").await;
    drop(socket);
    scene.end().await;
}

/// Before there is a word nobody knows the answer's id.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_stopped_before_its_first_word() {
    let scene = Scene::new().await;
    let mut socket = scene.socket().await;
    let session = scene.session().await;
    socket.say(named(&session, &silence(), "mine")).await;
    eventually(|| scene.upstream.open() == 1).await;
    socket
        .say(json!({"type": "cancel", "client_id": "mine"}))
        .await;
    assert!(scene.freed().await < SOON);
    let end = socket.hear().await;
    assert_eq!(end["error"]["code"], "cancelled");
    assert_eq!(end["client_id"], "mine");
    assert_eq!(scene.charge().await.status, "cancelled");
    // One that is stopped in the same breath was never asked for, or is settled like any other.
    socket.say(named(&session, &silence(), "again")).await;
    socket
        .say(json!({"type": "cancel", "client_id": "again"}))
        .await;
    assert_eq!(socket.error().await, "cancelled");
    scene.freed().await;
    drop(socket);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_closes_stops_what_it_waits_for() {
    let scene = Scene::new().await;
    for says_goodbye in [true, false] {
        let mut socket = scene.socket().await;
        let session = scene.session().await;
        socket
            .say(message(&session, &prompt(3, Ending::Hang)))
            .await;
        socket.until("chat_chunk").await;
        if says_goodbye {
            socket.close().await;
        } else {
            drop(socket);
        }
        assert!(scene.freed().await < SOON, "{says_goodbye}");
    }
    let charges = scene.charges(2).await;
    assert!(
        charges.iter().all(|one| one.status == "cancelled"),
        "{charges:?}"
    );
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_an_error_of_its_message() {
    let scene = Scene::new().await;
    let mut socket = scene.socket().await;
    let session = scene.session().await;
    socket
        .say(named(&session, &prompt(0, Ending::Status(500)), "a"))
        .await;
    let end = socket.hear().await;
    assert_eq!(
        (&end["error"]["code"], &end["client_id"]),
        (&json!("provider_error"), &json!("a"))
    );
    socket
        .say(named(&session, &prompt(3, Ending::Cut), "b"))
        .await;
    let (begun, end) = (
        socket.until("chat_chunk").await,
        socket.until("error").await,
    );
    assert_eq!(end["error"]["code"], "provider_error");
    assert_eq!(end["message_id"], begun["message_id"]);
    assert_eq!(end["client_id"], "b");
    let mut unknown = message(&session, "Hi");
    unknown["model"] = json!("nobody/none");
    socket.say(unknown).await;
    assert_eq!(socket.error().await, "model_not_found");
    let charges = scene.charges(2).await;
    assert!(
        charges.iter().all(|one| one.status == "error"),
        "{charges:?}"
    );
    drop(socket);
    scene.end().await;
}
