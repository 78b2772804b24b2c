//! How sockets go down with the server.

use std::time::Duration;

use aurax_store::testkit::Ending;
use serde_json::json;

use crate::scene::{Scene, message, prompt};
use crate::support::Opening;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_being_answered_ends_before_the_server_does() {
    let scene = Scene::new().await;
    let (mut socket, mut idle) = (scene.socket().await, scene.socket().await);
    let session = scene.session().await;
    socket
        .say(message(&session, &prompt(20, Ending::Complete)))
        .await;
    socket.until("chat_chunk").await;
    scene.server.state.drain().announce();
    assert_eq!(idle.hear().await, json!({"type": "going_away"}));
    assert_eq!(idle.closed().await, (Vec::new(), 1001));
    socket.until("going_away").await;
    let other = scene.server.state.clone();
    socket.say(message(&session, "Hi")).await;
    let refused = socket.until("error").await;
    assert_eq!(refused["error"]["code"], "shutting_down");
    socket.until("chat_response").await;
    assert_eq!(socket.closed().await, (Vec::new(), 1001));
    assert!(!other.drain().over().is_cancelled(), "it was cut off");
    assert_eq!(scene.charge().await.status, "success");
    scene.end().await;
}

/// While the server still takes requests, sockets are served, too.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_says_it_goes_down_still_answers_for_a_moment() {
    let scene = Scene::with(|config| config.timeouts.drain_notice = Duration::from_secs(5)).await;
    let mut socket = scene.socket().await;
    let session = scene.session().await;
    scene.server.state.drain().announce();
    let token = scene.ada.token.clone().unwrap();
    let opening = Opening::new(scene.server.address).bearer(&token);
    let mut late = opening.opened().await;
    for socket in [&mut socket, &mut late] {
        assert_eq!(socket.hear().await, json!({"type": "going_away"}));
    }
    socket
        .say(message(&session, &prompt(2, Ending::Complete)))
        .await;
    socket.until("chat_response").await;
    assert_eq!(late.closed().await.1, 1001);
    assert_eq!(socket.closed().await.1, 1001);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_too_long_is_cut_off_with_an_error() {
    let scene = Scene::with(|config| config.timeouts.drain = Duration::from_millis(300)).await;
    let mut socket = scene.socket().await;
    let session = scene.session().await;
    socket
        .say(message(&session, &prompt(3, Ending::Hang)))
        .await;
    let begun = socket.until("chat_chunk").await;
    scene.server.state.drain().announce();
    socket.until("going_away").await;
    let (said, code) = socket.closed().await;
    let end = said.last().unwrap();
    assert_eq!(end["error"]["code"], "shutting_down");
    assert_eq!(end["error"]["retryable"], true);
    assert_eq!((&end["message_id"], code), (&begun["message_id"], 1001));
    let charge = scene.charge().await;
    assert_eq!(charge.status, "cancelled");
    scene.end().await;
}
