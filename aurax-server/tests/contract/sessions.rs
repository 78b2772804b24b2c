//! Conversations.

use serde_json::json;

use crate::over_stores;
use crate::support::Server;

over_stores!(
    a_session_is_made_changed_and_deleted,
    a_message_is_answered_whole_and_as_events,
    a_change_is_made_whole_or_not_at_all,
    changes_at_once_are_not_mixed,
    what_was_said_is_found
);

async fn a_session_is_made_changed_and_deleted(server: Server) {
    let ada = server.user().await;
    let new = json!({"title": "Sky", "settings": {"model": "demo/echo", "temperature": 0.5}});
    let session = ada.post("/chat/sessions", &new).await.expect(201);
    assert_eq!(session["title"], "Sky");
    assert_eq!(session["settings"]["model"], "demo/echo");
    assert_eq!(session["settings"]["temperature"], 0.5);
    let path = format!("/chat/sessions/{}", session["id"].as_str().unwrap());
    assert_eq!(ada.get(&path).await.expect(200), session);

    let change = json!({"settings": {"temperature": null, "system": "Be brief."}});
    let changed = ada.put(&path, &change).await.expect(200);
    assert_eq!(changed["title"], "Sky");
    assert_eq!(changed["settings"]["model"], "demo/echo");
    assert_eq!(changed["settings"]["temperature"], json!(null));
    assert_eq!(changed["settings"]["system"], "Be brief.");
    let listed = ada.get("/chat/sessions").await.expect(200);
    assert_eq!(listed, json!({"data": [changed], "next_cursor": null}));

    let eve = server.user().await;
    for answer in [
        eve.get(&path).await,
        eve.delete(&path).await,
        eve.put(&path, &json!({})).await,
    ] {
        assert_eq!(answer.error(404), "not_found");
    }
    ada.delete(&path).await.expect(204);
    assert_eq!(ada.get(&path).await.error(404), "not_found");
    assert_eq!(ada.get("/chat/sessions/x").await.field(), "id");
    for (body, field) in [
        (json!({"title": ""}), "title"),
        (json!({"title": "a\nb"}), "title"),
        (
            json!({"settings": {"temperature": 3}}),
            "settings.temperature",
        ),
        (
            json!({"settings": {"max_output_tokens": 0}}),
            "settings.max_output_tokens",
        ),
        (
            json!({"settings": {"max_output_tokens": -1}}),
            "settings.max_output_tokens",
        ),
        (json!({"settings": {"model": ""}}), "settings.model"),
        (json!({"settings": {"colour": "red"}}), "settings.colour"),
        (json!({"user_id": "me"}), "user_id"),
    ] {
        assert_eq!(
            ada.post("/chat/sessions", &body).await.field(),
            field,
            "{body}"
        );
    }
    server.stop().await;
}

async fn a_message_is_answered_whole_and_as_events(server: Server) {
    let ada = server.user().await;
    let session = ada.post("/chat/sessions", &json!({})).await.expect(201);
    let id = session["id"].as_str().unwrap();
    let path = format!("/chat/sessions/{id}/messages");
    let message = ada
        .post(&path, &json!({"content": "Hello there"}))
        .await
        .expect(201);
    assert_eq!(message["role"], "assistant");
    assert_eq!(message["session_id"], id);
    let own = json!(ada.id);
    assert_eq!((&message["user_id"], &session["user_id"]), (&own, &own));
    assert_eq!(message["status"], "complete");
    assert_eq!(
        (&message["seq"], &message["provider"]),
        (&json!(2), &json!("demo"))
    );
    assert!(
        message["content"].as_str().unwrap().contains("Hello there"),
        "{message}"
    );
    assert!(message["tokens"].as_u64().unwrap() > 0, "{message}");
    assert_eq!(
        (&message["cost"], &message["cost_decimal"]),
        (&json!(0), &json!("0"))
    );

    let streamed = json!({"content": "Again", "stream": true});
    let events = ada.post_stream(&path, &streamed).await;
    assert_eq!(events.status.as_u16(), 200);
    let events = events.events().await;
    let (last, chunks) = events.split_last().unwrap();
    assert_eq!(
        (&*last.0, &last.1["type"]),
        ("chat_response", &json!("chat_response"))
    );
    let mut words = String::new();
    for (name, chunk) in chunks {
        assert_eq!(
            (&**name, &chunk["type"]),
            ("chat_chunk", &json!("chat_chunk"))
        );
        assert_eq!(chunk["message_id"], last.1["message_id"]);
        words.push_str(chunk["delta"].as_str().unwrap());
    }
    assert!(chunks.len() > 1);
    assert_eq!(last.1["content"], words.as_str());

    let history = ada.get(&path).await.expect(200);
    let roles: Vec<_> = history["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["role"].clone())
        .collect();
    assert_eq!(roles, ["user", "assistant", "user", "assistant"]);
    assert_eq!(history["data"][1], message);
    assert_eq!(history["data"][3]["id"], last.1["message_id"]);
    let with = ada
        .get(&format!("/chat/sessions/{id}?include=messages"))
        .await
        .expect(200);
    assert_eq!(with["messages"], history["data"]);

    for (body, field) in [
        (json!({}), "content"),
        (json!({"content": ""}), "content"),
        (json!({"content": "x", "stream": "yes"}), "stream"),
        (json!({"content": "x", "cost": 0}), "cost"),
        (
            json!({"content": "x", "parts": [{"type": "thinking", "text": "x"}]}),
            "parts[0].type",
        ),
        (
            json!({"content": "x", "parts": [{"type": "nonsense"}]}),
            "parts[0]",
        ),
    ] {
        assert_eq!(ada.post(&path, &body).await.field(), field, "{body}");
    }
    let unknown = json!({"content": "x", "model": "nobody/nothing"});
    assert_eq!(
        ada.post(&path, &unknown).await.error(404),
        "model_not_found"
    );
    server.stop().await;
}

async fn what_was_said_is_found(server: Server) {
    let (ada, eve) = (server.user().await, server.user().await);
    for client in [&ada, &eve] {
        let session = client.post("/chat/sessions", &json!({})).await.expect(201);
        let path = format!(
            "/chat/sessions/{}/messages",
            session["id"].as_str().unwrap()
        );
        client
            .post(&path, &json!({"content": "quokka"}))
            .await
            .expect(201);
    }
    let found = ada.get("/chat/search?q=quokka").await.expect(200);
    let found = found["data"].as_array().unwrap();
    assert_eq!(
        found.len(),
        2,
        "the question and its echo, of one of the two"
    );
    assert!(
        found
            .iter()
            .all(|hit| hit["snippet"].as_str().unwrap().contains("quokka"))
    );
    assert_eq!(ada.get("/chat/search?q=").await.field(), "q");
    assert_eq!(ada.get("/chat/search").await.field(), "q");
    server.stop().await;
}

async fn a_change_is_made_whole_or_not_at_all(server: Server) {
    let ada = server.user().await;
    let new = json!({"title": "Sky", "settings": {"model": "demo/echo"}});
    let session = ada.post("/chat/sessions", &new).await.expect(201);
    let path = format!("/chat/sessions/{}", session["id"].as_str().unwrap());
    let change = json!({
        "title": "Sea", "settings": {"system": "Be brief."}, "leaf_id": aurax::new_id(),
    });
    assert_eq!(ada.put(&path, &change).await.error(404), "not_found");
    assert_eq!(ada.get(&path).await.expect(200), session);
    let change = json!({"title": "Sea", "settings": {"temperature": 9}});
    assert_eq!(
        ada.put(&path, &change).await.field(),
        "settings.temperature"
    );
    assert_eq!(ada.get(&path).await.expect(200), session);
    server.stop().await;
}

/// What one of them sets and the other does not stays, and what both set comes from one of them.
async fn changes_at_once_are_not_mixed(server: Server) {
    let ada = server.user().await;
    for _ in 0..8 {
        let session = ada.post("/chat/sessions", &json!({})).await.expect(201);
        let path = format!("/chat/sessions/{}", session["id"].as_str().unwrap());
        let one = json!({"title": "one", "settings": {"system": "one", "temperature": 0.1}});
        let two = json!({"title": "two", "settings": {"system": "two", "max_output_tokens": 7}});
        let (first, second) = futures::join!(ada.put(&path, &one), ada.put(&path, &two));
        first.expect(200);
        second.expect(200);
        let kept = ada.get(&path).await.expect(200);
        let settings = &kept["settings"];
        assert_eq!(kept["title"], settings["system"], "{kept}");
        assert_eq!(
            (&settings["temperature"], &settings["max_output_tokens"]),
            (&json!(0.1), &json!(7)),
            "{kept}"
        );
    }
    server.stop().await;
}
