//! AURAX's own keys, with which programs call it.

use serde_json::{Value, json};

use crate::support::{Client, Server};
use crate::{fields, over_stores};

over_stores!(
    a_key_is_made_shown_once_changed_and_deleted,
    a_key_does_what_its_scopes_say,
    a_key_has_a_budget,
    keys_of_others_are_absent,
);

async fn made(client: &Client, body: Value) -> Value {
    client.post("/api/access-keys", &body).await.expect(201)
}

fn path(key: &Value) -> String {
    format!("/api/access-keys/{}", key["id"].as_str().unwrap())
}

async fn a_key_is_made_shown_once_changed_and_deleted(server: Server) {
    let ada = server.user().await;
    let new = json!({
        "name": "ci", "scopes": ["chat", "usage"], "models": ["demo/*"],
        "requests_per_minute": 60, "tokens_per_minute": 1000,
        "expires_at": "2100-01-01T00:00:00Z",
    });
    let mut key = made(&ada, new).await;
    let expected = [
        "budgets",
        "created_at",
        "expires_at",
        "id",
        "is_active",
        "key",
        "last_used_at",
        "masked_key",
        "models",
        "name",
        "requests_per_minute",
        "scopes",
        "tokens_per_minute",
        "user_id",
    ];
    assert_eq!(fields(&key), expected);
    let secret = key.as_object_mut().unwrap().remove("key").unwrap();
    let secret = secret.as_str().unwrap();
    assert!(secret.starts_with("aurax_"), "{secret}");
    let last_four: String = secret.chars().skip(secret.len() - 4).collect();
    assert_eq!(key["masked_key"], format!("…{last_four}"));
    assert_eq!(key["scopes"], json!(["chat", "usage"]));
    assert_eq!(key["models"], json!(["demo/*"]));
    assert_eq!(
        (&key["requests_per_minute"], &key["tokens_per_minute"]),
        (&json!(60), &json!(1000))
    );
    assert_eq!(key["expires_at"], "2100-01-01T00:00:00Z");
    assert_eq!(key["budgets"], json!([]));
    assert_eq!(ada.get(&path(&key)).await.expect(200), key);
    let listed = ada.get("/api/access-keys").await.expect(200);
    assert_eq!(listed, json!({"data": [key], "next_cursor": null}));

    let change = json!({
        "name": "cd", "is_active": false, "scopes": [], "models": null,
        "requests_per_minute": null, "tokens_per_minute": 5, "expires_at": null,
    });
    let changed = ada.patch(&path(&key), &change).await.expect(200);
    for (field, value) in [
        ("name", json!("cd")),
        ("is_active", json!(false)),
        ("scopes", json!([])),
        ("models", Value::Null),
        ("requests_per_minute", Value::Null),
        ("tokens_per_minute", json!(5)),
        ("expires_at", Value::Null),
    ] {
        assert_eq!(changed[field], value, "{field}");
    }
    let same = ada.patch(&path(&key), &json!({})).await.expect(200);
    assert_eq!(same, changed);
    ada.delete(&path(&key)).await.expect(204);
    assert_eq!(ada.get(&path(&key)).await.error(404), "not_found");
    assert_eq!(ada.delete(&path(&key)).await.error(404), "not_found");

    for (body, field) in [
        (json!({}), "name"),
        (json!({"name": ""}), "name"),
        (json!({"name": "a", "scopes": ["root"]}), "scopes[0]"),
        (
            json!({"name": "a", "requests_per_minute": 0}),
            "requests_per_minute",
        ),
        (
            json!({"name": "a", "tokens_per_minute": -1}),
            "tokens_per_minute",
        ),
        (
            json!({"name": "a", "requests_per_minute": 2_147_483_648_u32}),
            "requests_per_minute",
        ),
        (
            json!({"name": "a", "expires_at": "2020-01-01T00:00:00Z"}),
            "expires_at",
        ),
        (json!({"name": "a", "expires_at": "soon"}), "expires_at"),
        (
            json!({"name": "a", "budget": {"limit": 1}}),
            "budget.period",
        ),
        (
            json!({"name": "a", "budget": {"limit": -1, "period": "day"}}),
            "budget.limit",
        ),
        (json!({"name": "a", "user_id": "x"}), "user_id"),
    ] {
        let answer = ada.post("/api/access-keys", &body).await;
        assert_eq!(answer.field(), field, "{body}");
    }
    let unknown = ada
        .post(
            "/api/access-keys",
            &json!({"name": "a", "scopes": ["root"]}),
        )
        .await;
    let message = unknown.json()["error"]["message"].to_string();
    for scope in ["chat", "sessions", "usage", "keys", "admin"] {
        assert!(message.contains(scope), "{message}");
    }
    server.stop().await;
}

async fn a_key_does_what_its_scopes_say(server: Server) {
    let ada = server.user().await;
    let new = json!({"name": "reader", "scopes": ["keys"]});
    let key = made(&ada, new).await;
    let reader = server.client().with_token(key["key"].as_str().unwrap());
    let listed = reader.get("/api/access-keys").await.expect(200);
    assert!(listed["data"][0].get("key").is_none());
    assert_eq!(listed["data"][0]["id"], key["id"]);
    reader.get(&path(&key)).await.expect(200);
    // A key makes, changes and lifts nothing of what holds it.
    for answer in [
        reader.post("/api/access-keys", &json!({"name": "b"})).await,
        reader.patch(&path(&key), &json!({"scopes": []})).await,
        reader.delete(&path(&key)).await,
        reader.get("/api/usage").await,
        reader
            .put(
                "/api/budgets",
                &json!({"scope": "user", "period": "day", "limit": 1}),
            )
            .await,
        reader.get("/admin/users").await,
    ] {
        assert_eq!(answer.error(403), "forbidden");
    }
    // A change is felt at once.
    ada.patch(&path(&key), &json!({"is_active": false}))
        .await
        .expect(200);
    assert_eq!(
        reader.get("/api/access-keys").await.error(401),
        "unauthorized"
    );
    ada.patch(&path(&key), &json!({"is_active": true}))
        .await
        .expect(200);
    reader.get("/api/access-keys").await.expect(200);
    ada.delete(&path(&key)).await.expect(204);
    assert_eq!(
        reader.get("/api/access-keys").await.error(401),
        "unauthorized"
    );
    server.stop().await;
}

async fn a_key_has_a_budget(server: Server) {
    let ada = server.user().await;
    let new = json!({"name": "ci", "budget": {"limit": "0.10", "period": "month"}});
    let key = made(&ada, new).await;
    let [budget] = key["budgets"].as_array().unwrap().as_slice() else {
        panic!("{key}")
    };
    assert_eq!(
        (&budget["scope"], &budget["subject"]),
        (&json!("access_key"), &key["id"])
    );
    assert_eq!(
        (&budget["period"], &budget["kind"]),
        (&json!("month"), &json!("hard"))
    );
    assert_eq!(budget["limit_decimal"], "0.1");
    assert_eq!(
        ada.get("/api/budgets").await.expect(200)["data"],
        json!([budget])
    );

    let change = json!({"budget": {"limit": 2.5, "period": "month", "kind": "soft"}});
    let changed = ada.patch(&path(&key), &change).await.expect(200);
    assert_eq!(changed["budgets"][0]["limit_decimal"], "2.5");
    assert_eq!(changed["budgets"][0]["kind"], "soft");
    let lifted = ada
        .patch(&path(&key), &json!({"budget": null}))
        .await
        .expect(200);
    assert_eq!(lifted["budgets"], json!([]));
    let change = json!({"budget": {"limit": 1, "period": "day"}});
    ada.patch(&path(&key), &change).await.expect(200);
    ada.delete(&path(&key)).await.expect(204);
    assert_eq!(ada.get("/api/budgets").await.expect(200)["data"], json!([]));
    server.stop().await;
}

async fn keys_of_others_are_absent(server: Server) {
    let (ada, eve) = (server.user().await, server.user().await);
    let key = made(&ada, json!({"name": "a"})).await;
    for path in [path(&key), format!("/api/access-keys/{}", aurax::new_id())] {
        assert_eq!(eve.get(&path).await.error(404), "not_found");
        assert_eq!(
            eve.patch(&path, &json!({"name": "b"})).await.error(404),
            "not_found"
        );
        assert_eq!(eve.delete(&path).await.error(404), "not_found");
    }
    assert_eq!(
        eve.get("/api/access-keys").await.expect(200)["data"],
        json!([])
    );
    server.stop().await;
}
