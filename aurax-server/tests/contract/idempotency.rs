//! Requests that are sent twice.

use serde_json::{Value, json};

use crate::over_stores;
use crate::support::{Client, Server};

over_stores!(
    a_request_is_answered_once,
    a_stream_is_answered_once,
    what_never_began_is_not_kept,
    one_key_is_for_one_request
);

async fn session(client: &Client) -> String {
    let session = client.post("/chat/sessions", &json!({})).await.expect(201);
    format!(
        "/chat/sessions/{}/messages",
        session["id"].as_str().unwrap()
    )
}

async fn said(client: &Client, path: &str) -> usize {
    let history = client.get(path).await.expect(200);
    history["data"].as_array().unwrap().len()
}

async fn a_request_is_answered_once(server: Server) {
    let ada = server.user().await.with_header("idempotency-key", "k-1");
    let path = session(&ada).await;
    let body = json!({"content": "Once"});
    let first = ada.post(&path, &body).await;
    assert_eq!(first.header("idempotency-replayed"), None);
    let second = ada.post(&path, &body).await;
    assert_eq!(second.header("idempotency-replayed"), Some("true"));
    assert_eq!(first.expect(201), second.expect(201));
    assert_eq!(first.body, second.body, "to the byte");
    assert_eq!(second.header("content-type"), Some("application/json"));
    assert_eq!(said(&ada, &path).await, 2);
    server.stop().await;
}

async fn a_stream_is_answered_once(server: Server) {
    let ada = server.user().await.with_header("idempotency-key", "k-1");
    let path = session(&ada).await;
    let body = json!({"content": "Once", "stream": true});
    let first = ada.post_stream(&path, &body).await.collect().await;
    let second = ada.post_stream(&path, &body).await.collect().await;
    assert_eq!(second.header("idempotency-replayed"), Some("true"));
    assert_eq!(first.body, second.body);
    assert_eq!(second.header("content-type"), Some("text/event-stream"));
    assert!(String::from_utf8_lossy(&second.body).contains("chat_response"));

    // Whoever goes away in the middle finds the whole answer.
    let ada = server.client().with_token(ada.token.as_deref().unwrap());
    let ada = ada.with_header("idempotency-key", "k-2");
    let path = session(&ada).await;
    let stream = ada.post_stream(&path, &body).await;
    drop(stream);
    let found = loop {
        let found = ada.post(&path, &body).await;
        if found.status.as_u16() != 409 {
            break found;
        }
    };
    assert_eq!(found.header("idempotency-replayed"), Some("true"));
    assert!(String::from_utf8_lossy(&found.body).contains("chat_response"));
    assert_eq!(said(&ada, &path).await, 2);
    server.stop().await;
}

async fn what_never_began_is_not_kept(server: Server) {
    let ada = server.user().await.with_header("idempotency-key", "k-1");
    let path = session(&ada).await;
    let bad = json!({"content": ""});
    assert_eq!(ada.post(&path, &bad).await.field(), "content");
    let unknown = json!({"content": "x", "model": "nobody/nothing"});
    assert_eq!(
        ada.post(&path, &unknown).await.error(404),
        "model_not_found"
    );
    let good = ada.post(&path, &json!({"content": "x"})).await;
    assert_eq!(good.header("idempotency-replayed"), None);
    good.expect(201);
    for bad in ["", "a b", "é", &"x".repeat(256)] {
        let client = server.client().with_token(ada.token.as_deref().unwrap());
        let client = client.with_header("idempotency-key", bad);
        let answer = client.post(&path, &json!({"content": "x"})).await;
        assert_eq!(answer.field(), "idempotency-key", "{bad}");
    }
    server.stop().await;
}

async fn one_key_is_for_one_request(server: Server) {
    let ada = server.user().await.with_header("idempotency-key", "k-1");
    let (path, other) = (session(&ada).await, session(&ada).await);
    let body = json!({"content": "One"});
    ada.post(&path, &body).await.expect(201);
    let answer = ada.post(&path, &json!({"content": "Two"})).await;
    assert_eq!(answer.error(422), "idempotency_mismatch");
    assert_eq!(
        ada.post(&other, &body).await.error(422),
        "idempotency_mismatch"
    );
    // Another user's key of that name is another key.
    let eve = server.user().await.with_header("idempotency-key", "k-1");
    let hers = session(&eve).await;
    eve.post(&hers, &body).await.expect(201);

    let twin = json!({"content": "Twins"});
    let client = server.client().with_token(ada.token.as_deref().unwrap());
    let client = client.with_header("idempotency-key", "k-2");
    let answers: Vec<_> =
        futures::future::join_all((0..8).map(|_| client.post(&path, &twin))).await;
    let mut whole: Vec<Value> = Vec::new();
    for answer in &answers {
        if answer.status.as_u16() == 409 {
            assert_eq!(answer.error(409), "idempotency_in_flight");
            assert!(answer.header("retry-after").is_some());
        } else {
            whole.push(answer.expect(201));
        }
    }
    assert!(!whole.is_empty() && whole.iter().all(|one| *one == whole[0]));
    assert_eq!(said(&ada, &path).await, 4);
    server.stop().await;
}
