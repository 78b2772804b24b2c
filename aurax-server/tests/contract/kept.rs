//! What is kept under a key once something was sent, and what is not.

use std::sync::Arc;

use aurax_server::auth::SigningKeys;
use futures::StreamExt as _;
use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _, SqliteConnection};
use tokio::sync::Semaphore;

use crate::scripted::{Act, Scripted};
use crate::support::{Answer, Client, Kind, Server, Setup, moment};
use crate::{over_kinds, with_upstream};

over_kinds!(
    a_failure_after_work_is_given_again,
    a_later_attempt_does_not_free_what_an_earlier_one_sent,
    what_was_never_sent_frees_the_key,
    a_panic_is_given_again,
    a_client_that_has_gone_is_answered,
    an_answer_goes_with_its_session,
);

/// A request to the script, as a chat of its own.
fn chat(streams: bool) -> Value {
    let messages = json!([{"role": "user", "content": "Hi"}]);
    json!({"model": "script/a", "messages": messages, "stream": streams})
}

const CHAT: &str = "/api/chat/completions";
/// The address that clients know all servers by.
const PUBLIC: &str = "http://aurax.test";

/// Whoever is logged in, with a key.
fn keyed(server: &Server, client: &Client, key: &str) -> Client {
    let client = server.client().with_token(client.token.as_deref().unwrap());
    client.with_header("idempotency-key", key)
}

async fn started(kind: Kind, acts: impl IntoIterator<Item = Act>) -> Option<(Server, Scripted)> {
    let script = Scripted::new(acts);
    let server = Server::with(kind, script.setup()).await?;
    Some((server, script))
}

/// What is answered the second time, which is what was answered the first time.
async fn given_again(client: &Client, path: &str, body: &Value) -> Answer {
    let first = client.post(path, body).await;
    assert_eq!(first.header("idempotency-replayed"), None);
    replayed(client, path, body, &first).await
}

async fn replayed(client: &Client, path: &str, body: &Value, first: &Answer) -> Answer {
    let second = client.post(path, body).await;
    assert_eq!(second.header("idempotency-replayed"), Some("true"));
    assert_eq!(second.status, first.status);
    let text = |answer: &Answer| String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(text(&second), text(first), "to the byte");
    assert_eq!(second.header("content-type"), first.header("content-type"));
    assert_eq!(second.header("retry-after"), first.header("retry-after"));
    second
}

/// The last event of a stream: its name and data.
fn last_event(answer: &Answer) -> (String, Value) {
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(text.ends_with("\n\n"), "{text}");
    let event = text.trim_end().rsplit("\n\n").next().unwrap().to_owned();
    let line = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
    let data = serde_json::from_str(line("data: ").unwrap()).unwrap();
    (line("event: ").unwrap_or_default().to_owned(), data)
}

async fn a_failure_after_work_is_given_again(kind: Kind) {
    let Some((server, upstream)) = with_upstream(kind).await else {
        return;
    };
    let ada = server.user().await;
    for (key, path) in [("whole", CHAT), ("of a session", "")] {
        let ada = keyed(&server, &ada, &key.replace(' ', "-"));
        let (path, body) = match path {
            "" => {
                let session = ada.post("/chat/sessions", &json!({})).await.expect(201);
                let path = format!(
                    "/chat/sessions/{}/messages",
                    session["id"].as_str().unwrap()
                );
                (path, json!({"content": "Hi", "model": "openai/failing"}))
            }
            path => {
                let mut body = chat(false);
                body["model"] = json!("openai/failing");
                (path.to_owned(), body)
            }
        };
        let asked = upstream.asked("/v1/chat/completions").len();
        let first = ada.post(&path, &body).await;
        assert_eq!(first.error(502), "provider_error");
        let tried = upstream.asked("/v1/chat/completions").len();
        assert!(tried > asked + 1, "it is tried again: {tried}");
        replayed(&ada, &path, &body, &first).await;
        assert_eq!(upstream.asked("/v1/chat/completions").len(), tried, "{key}");
    }
    server.stop().await;
}

async fn a_later_attempt_does_not_free_what_an_earlier_one_sent(kind: Kind) {
    let acts = [Act::Overloaded, Act::Unencodable];
    let acts = acts.iter().cycle().take(4).cloned();
    let Some((server, script)) = started(kind, acts).await else {
        return;
    };
    let ada = server.user().await;
    for (streams, calls) in [(false, 2), (true, 4)] {
        let ada = keyed(&server, &ada, &format!("k-{streams}"));
        let answer = given_again(&ada, CHAT, &chat(streams)).await;
        assert_eq!(answer.error(400), "unsupported");
        assert_eq!(script.calls(), calls);
    }
    server.stop().await;
}

async fn what_was_never_sent_frees_the_key(kind: Kind) {
    let unreachable = std::iter::repeat_n(Act::Unreachable, 3);
    let acts = [Act::Unencodable].into_iter().chain(unreachable);
    let Some((server, script)) = started(kind, acts).await else {
        return;
    };
    let ada = keyed(&server, &server.user().await, "k");
    let refused = ada.post(CHAT, &chat(false)).await;
    assert_eq!(refused.error(400), "unsupported");
    let away = ada.post(CHAT, &chat(false)).await;
    assert_eq!(away.error(502), "provider_error");
    assert_eq!(away.header("idempotency-replayed"), None);
    let answer = ada.post(CHAT, &chat(false)).await;
    assert_eq!(answer.header("idempotency-replayed"), None);
    answer.expect(200);
    assert_eq!(script.calls(), 5);
    server.stop().await;
}

/// Nobody knows what was paid when the program fails.
async fn a_panic_is_given_again(kind: Kind) {
    let acts = [Act::Panics, Act::Panics, Act::PanicsLater];
    let Some((server, script)) = started(kind, acts).await else {
        return;
    };
    let ada = server.user().await;
    for (streams, calls) in [(false, 1), (true, 2)] {
        let ada = keyed(&server, &ada, &format!("k-{streams}"));
        let answer = given_again(&ada, CHAT, &chat(streams)).await;
        assert_eq!(answer.error(500), "internal");
        assert_eq!(script.calls(), calls);
    }
    let ada = keyed(&server, &ada, "later");
    let answer = given_again(&ada, CHAT, &chat(true)).await;
    assert_eq!(answer.status.as_u16(), 200);
    assert!(String::from_utf8_lossy(&answer.body).contains("a word"));
    let (name, data) = last_event(&answer);
    assert_eq!(
        (&*name, &data["error"]["code"]),
        ("error", &json!("internal"))
    );
    assert_eq!(script.calls(), 3);
    server.stop().await;
}

/// The answer to a request that is being answered, once it is.
async fn found(client: &Client, path: &str, body: &Value) -> Answer {
    let asking = async {
        loop {
            let found = client.post(path, body).await;
            if found.status.as_u16() != 409 {
                break found;
            }
            moment().await;
        }
    };
    let limit = std::time::Duration::from_secs(20);
    let found = tokio::time::timeout(limit, asking).await;
    let found = found.unwrap_or_else(|_| panic!("the key is refused still"));
    assert_eq!(found.header("idempotency-replayed"), Some("true"));
    found
}

async fn a_client_that_has_gone_is_answered(kind: Kind) {
    let gate = Arc::new(Semaphore::new(0));
    let acts = [Act::Waits(gate.clone()), Act::Waits(gate.clone())];
    let Some((server, script)) = started(kind, acts).await else {
        return;
    };
    let ada = server.user().await;
    for (streams, calls) in [(false, 1), (true, 2)] {
        let ada = keyed(&server, &ada, &format!("k-{streams}"));
        let (client, body) = (ada.clone(), chat(streams));
        let asking = tokio::spawn(async move { client.post(CHAT, &body).await });
        script.asked(calls).await;
        asking.abort();
        assert!(asking.await.unwrap_err().is_cancelled());
        gate.add_permits(1);
        let answer = found(&ada, CHAT, &chat(streams)).await;
        assert_eq!(answer.status.as_u16(), 200);
        assert!(String::from_utf8_lossy(&answer.body).contains("at last"));
        assert_eq!(script.calls(), calls);
    }
    server.stop().await;
}

/// A claim that nobody settles would refuse its key for as long as the process lives.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_while_its_key_is_claimed_is_answered() {
    let (server, script) = started(Kind::File, []).await.unwrap();
    let ada = keyed(&server, &server.user().await, "k");
    let file = server.place().folder().unwrap().join("aurax.db");
    let mut other = SqliteConnection::connect(file.to_str().unwrap())
        .await
        .unwrap();
    // The claim waits for whoever writes before it.
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    let client = ada.clone();
    let asking = tokio::spawn(async move { client.post(CHAT, &chat(false)).await });
    while server.is_idle() {
        moment().await;
    }
    asking.abort();
    assert!(asking.await.unwrap_err().is_cancelled());
    other.execute("ROLLBACK").await.unwrap();
    other.close().await.unwrap();
    found(&ada, CHAT, &chat(false)).await.expect(200);
    assert_eq!(script.calls(), 1);
    server.stop().await;
}

async fn an_answer_goes_with_its_session(kind: Kind) {
    let Some((server, script)) = started(kind, []).await else {
        return;
    };
    let ada = server.user().await;
    for streams in [false, true] {
        let ada = keyed(&server, &ada, &format!("k-{streams}"));
        let session = ada.post("/chat/sessions", &json!({})).await.expect(201);
        let session = format!("/chat/sessions/{}", session["id"].as_str().unwrap());
        let path = format!("{session}/messages");
        let body = json!({"content": "Hi", "model": "script/a", "stream": streams});
        given_again(&ada, &path, &body).await;
        ada.delete(&session).await.expect(204);
        let gone = ada.post(&path, &body).await;
        assert_eq!(gone.error(404), "not_found");
        assert_eq!(gone.header("idempotency-replayed"), None);
    }
    assert_eq!(script.calls(), 2);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_long_to_be_kept_is_given_once() {
    // Each character has six bytes in JSON.
    let long = "\u{1}".repeat(11 << 20);
    let pieces = vec!["\u{1}".repeat(1 << 20); 11];
    let acts = [Act::Says(vec![long]), Act::Says(pieces)];
    let (server, script) = started(Kind::Memory, acts).await.unwrap();
    let ada = server.user().await;

    let client = keyed(&server, &ada, "whole");
    let first = client.post(CHAT, &chat(false)).await;
    assert_eq!(first.status.as_u16(), 200);
    assert!(first.body.len() > 64 << 20, "{}", first.body.len());
    let second = client.post(CHAT, &chat(false)).await;
    assert_eq!(second.error(413), "too_large");
    assert_eq!(second.header("idempotency-replayed"), Some("true"));
    assert_eq!(second.header("content-type"), Some("application/json"));

    let client = keyed(&server, &ada, "stream");
    let first = client.post(CHAT, &chat(true)).await;
    assert!(first.body.len() > 64 << 20, "{}", first.body.len());
    assert!(first.body.ends_with(b"data: [DONE]\n\n"));
    let second = client.post(CHAT, &chat(true)).await;
    assert_eq!(second.header("idempotency-replayed"), Some("true"));
    let (name, data) = last_event(&second);
    assert_eq!(
        (&*name, &data["error"]["code"]),
        ("error", &json!("too_large"))
    );
    assert_eq!(script.calls(), 2);
    server.stop().await;
}

/// Another server over what one has left behind.
async fn after(one: Server, setup: Setup) -> Server {
    let place = one.place().clone();
    one.leave().await;
    let store = place.store().await;
    Server::over(place, store, setup).await
}

async fn what_is_cut_off_is_given_again(kind: Kind) {
    let keys = SigningKeys::generate().unwrap();
    let of = |script: &Scripted| {
        let setup = script.setup();
        // Tokens are good at every server of that address.
        let mut setup = setup.configured(|config| config.public_url = Some(PUBLIC.to_owned()));
        setup.keys = keys.clone();
        setup
    };
    let script = Scripted::new([Act::Hangs, Act::Hangs]);
    let Some(one) = Server::with(kind, of(&script)).await else {
        return;
    };
    let ada = one.user().await;
    let whole = keyed(&one, &ada, "whole");
    let whole = tokio::spawn(async move { whole.post(CHAT, &chat(false)).await });
    script.asked(1).await;
    let mut stream = keyed(&one, &ada, "stream")
        .post_stream(CHAT, &chat(true))
        .await;
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("a word") {
        seen.extend_from_slice(&stream.body.next().await.unwrap().unwrap());
    }
    one.state.drain().end();
    let whole = whole.await.unwrap();
    assert_eq!(whole.error(503), "shutting_down");
    let mut stream = stream.collect().await;
    stream.body = [&*seen, &*stream.body].concat().into();
    let (name, data) = last_event(&stream);
    let cut = ("error", &json!("shutting_down"));
    assert_eq!((&*name, &data["error"]["code"]), cut);

    let later = Scripted::new([]);
    let two = after(one, of(&later)).await;
    let client = keyed(&two, &ada, "whole");
    replayed(&client, CHAT, &chat(false), &whole).await;
    let client = keyed(&two, &ada, "stream");
    let again = replayed(&client, CHAT, &chat(true), &stream).await;
    let (name, data) = last_event(&again);
    assert_eq!((&*name, &data["error"]["code"]), cut);
    assert_eq!((script.calls(), later.calls()), (2, 0));
    // Another key asks anew.
    let anew = keyed(&two, &ada, "anew").post(CHAT, &chat(true)).await;
    assert!(anew.body.ends_with(b"data: [DONE]\n\n"));
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_cut_off_is_given_again_from_a_file() {
    what_is_cut_off_is_given_again(Kind::File).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_cut_off_is_given_again_from_postgres() {
    what_is_cut_off_is_given_again(Kind::Postgres).await;
}
