//! The same answers as events: when the status goes out, what is said in silence, and how it ends.

use std::time::Duration;

use aurax::RequestId;
use aurax_store::testkit::{Ending, Plan, Prompt};
use bytes::BytesMut;
use futures::StreamExt as _;
use serde_json::{Value, json};

use crate::scene::{Scene, eventually, prompt, silence};
use crate::support::{Answer, Streamed};

/// What is sent to be answered as events.
async fn ask(scene: &Scene, content: &str) -> Streamed {
    let path = format!("/chat/sessions/{}/messages", scene.session().await);
    let body = json!({"content": content, "model": "openai/gpt-4o-mini", "stream": true});
    scene.ada.post_stream(&path, &body).await
}

/// A prompt whose answer begins after so long.
fn late(hold: Duration, ending: Ending) -> String {
    let plan = Plan::answer(3).with_hold(hold).with_ending(ending);
    Prompt::new(RequestId::new(), [plan]).text()
}

/// Reads until something was said.
async fn read_until(answer: &mut Streamed, said: &str) -> String {
    let mut text = BytesMut::new();
    let reading = async {
        while !String::from_utf8_lossy(&text).contains(said) {
            let more = answer.body.next().await;
            text.extend_from_slice(&more.unwrap().unwrap());
        }
        String::from_utf8_lossy(&text).into_owned()
    };
    let read = tokio::time::timeout(Duration::from_secs(20), reading).await;
    read.unwrap()
}

/// The last event of an answer, whose ids count from 1 and whose end is whole.
fn last(answer: &Answer) -> (String, Value) {
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    assert!(text.ends_with("\n\n"), "{text}");
    let events: Vec<_> = text
        .split("\n\n")
        .filter(|one| one.contains("data: "))
        .collect();
    for (number, event) in (1..).zip(&events) {
        assert!(
            event.starts_with(&format!("id: {number}\nevent: ")),
            "{event}"
        );
    }
    let (head, data) = events.last().unwrap().split_once("\ndata: ").unwrap();
    let (_, name) = head.split_once("event: ").unwrap();
    (name.to_owned(), serde_json::from_str(data).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_waits_for_content_but_not_for_ever() {
    let scene = Scene::with(|config| {
        config.timeouts.header_commit = Duration::from_millis(300);
        config.timeouts.heartbeat = Duration::from_millis(200);
    })
    .await;
    let answer = ask(&scene, &late(Duration::from_secs(2), Ending::Complete)).await;
    assert_eq!(answer.status.as_u16(), 200);
    for (name, value) in [
        ("content-type", "text/event-stream"),
        ("cache-control", "no-cache, no-store"),
        ("x-accel-buffering", "no"),
    ] {
        assert_eq!(answer.headers[name], value);
    }
    assert!(answer.headers.get("content-encoding").is_none());
    let answer = answer.collect().await;
    assert!(answer.body.starts_with(b": ping\n\n"), "{:?}", answer.body);
    assert_eq!(last(&answer).0, "chat_response");

    // What fails after the status was sent is the last event.
    let answer = ask(&scene, &late(Duration::from_secs(2), Ending::Status(500))).await;
    assert_eq!(answer.status.as_u16(), 200);
    let (name, frame) = last(&answer.collect().await);
    assert_eq!(
        (&*name, &frame["error"]["code"]),
        ("error", &json!("provider_error"))
    );
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_before_any_content_has_a_status_of_its_own() {
    let scene = Scene::new().await;
    let refused = ask(&scene, &prompt(0, Ending::Status(500))).await;
    assert_eq!(refused.status.as_u16(), 502);
    assert_eq!(refused.collect().await.error(502), "provider_error");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_stops_the_call() {
    let scene = Scene::with(|config| {
        config.timeouts.header_commit = Duration::from_millis(300);
    })
    .await;
    for content in [prompt(3, Ending::Hang), silence()] {
        let answer = ask(&scene, &content).await;
        eventually(|| scene.upstream.open() == 1).await;
        drop(answer);
        assert!(scene.freed().await < Duration::from_secs(1), "{content}");
    }
    let charges = scene.charges(2).await;
    assert!(
        charges.iter().all(|one| one.status == "cancelled"),
        "{charges:?}"
    );
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_logs_out_is_told_and_cut_off() {
    let scene = Scene::with(|config| config.timeouts.login_cache = Duration::from_secs(1)).await;
    let mut answer = ask(&scene, &prompt(3, Ending::Hang)).await;
    read_until(&mut answer, "chat_chunk").await;
    scene.ada.delete("/auth/logout").await.expect(204);
    let rest = read_until(&mut answer, "event: error").await;
    assert!(rest.contains(r#""code":"unauthorized""#), "{rest}");
    assert!(
        answer.body.next().await.is_none(),
        "something follows the end"
    );
    scene.freed().await;
    assert_eq!(scene.charge().await.status, "cancelled");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_down_cuts_off_with_an_error() {
    let scene = Scene::with(|config| config.timeouts.drain = Duration::from_millis(300)).await;
    let mut answer = ask(&scene, &prompt(3, Ending::Hang)).await;
    read_until(&mut answer, "chat_chunk").await;
    scene.server.state.drain().announce();
    let rest = read_until(&mut answer, "event: error").await;
    assert!(rest.contains(r#""code":"shutting_down""#), "{rest}");
    assert!(
        answer.body.next().await.is_none(),
        "something follows the end"
    );
    assert_eq!(scene.charge().await.status, "cancelled");
    scene.end().await;
}

/// Nothing that a stream broke off with is a clean end.
#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_is_lost_is_an_error() {
    let scene = Scene::new().await;
    let answer = ask(&scene, &prompt(3, Ending::Cut)).await.collect().await;
    let (name, frame) = last(&answer);
    assert_eq!(
        (&*name, &frame["error"]["code"]),
        ("error", &json!("provider_error"))
    );
    assert!(frame["message_id"].is_string());
    assert_eq!(scene.charge().await.status, "error");
    scene.end().await;
}
