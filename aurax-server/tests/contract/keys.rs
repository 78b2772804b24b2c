//! Keys to providers: they go in, are masked, and never come out.

use serde_json::{Value, json};

use crate::support::{Client, Kind, Server, Setup};
use crate::upstream::{BAD_KEY, Upstream};
use crate::{fields, over_kinds, with_upstream};

over_kinds!(
    a_key_is_kept_masked_changed_and_deleted,
    a_key_is_kept_by_its_providers_route,
    a_provider_says_whether_it_takes_a_key,
    a_key_goes_to_listed_addresses_alone,
    keys_of_others_are_absent,
);

const CANARY: &str = "sk-canary-0123456789-wxyz";

async fn kept(client: &Client, body: Value) -> Value {
    client.post("/api/keys", &body).await.expect(201)
}

fn path(key: &Value) -> String {
    format!("/api/keys/{}", key["id"].as_str().unwrap())
}

async fn a_key_is_kept_masked_changed_and_deleted(kind: Kind) {
    let Some((server, _upstream)) = with_upstream(kind).await else {
        return;
    };
    let ada = server.user().await;
    let key = kept(&ada, json!({"provider": "openai", "key": CANARY})).await;
    let expected = [
        "base_url",
        "created_at",
        "id",
        "is_active",
        "key_name",
        "last_validated",
        "masked_key",
        "provider",
        "user_id",
    ];
    assert_eq!(fields(&key), expected);
    assert_eq!(
        (&key["provider"], &key["key_name"]),
        (&json!("openai"), &json!("default"))
    );
    assert_eq!(key["masked_key"], "…wxyz");
    assert_eq!(
        (&key["is_active"], &key["last_validated"]),
        (&json!(true), &Value::Null)
    );
    assert_eq!(ada.get(&path(&key)).await.expect(200), key);

    let again = json!({"provider": "openai", "key": CANARY});
    assert_eq!(ada.post("/api/keys", &again).await.error(409), "conflict");
    let work = json!({"provider": "openai", "key": CANARY, "key_name": "work"});
    let work = kept(&ada, work).await;
    let listed = ada.get("/api/keys").await.expect(200);
    assert_eq!(listed, json!({"data": [work, key], "next_cursor": null}));
    let demo = ada.get("/api/keys?provider=demo").await.expect(200);
    assert_eq!(demo["data"], json!([]));
    let first = ada.get("/api/keys?limit=1").await.expect(200);
    assert_eq!(first["data"], json!([work]));
    let next = format!(
        "/api/keys?cursor={}",
        first["next_cursor"].as_str().unwrap()
    );
    assert_eq!(ada.get(&next).await.expect(200)["data"], json!([key]));

    let off = ada
        .patch(&path(&key), &json!({"is_active": false}))
        .await
        .expect(200);
    assert_eq!(
        (&off["is_active"], &off["masked_key"]),
        (&json!(false), &json!("…wxyz"))
    );
    let taken = ada.patch(&path(&key), &json!({"key_name": "work"})).await;
    assert_eq!(taken.error(409), "conflict");
    let other = json!({"key": "sk-canary-another-9876", "key_name": "home"});
    let other = ada.patch(&path(&key), &other).await.expect(200);
    assert_eq!(
        (&other["masked_key"], &other["key_name"]),
        (&json!("…9876"), &json!("home"))
    );
    assert_eq!(other["is_active"], true);
    let off = json!({"key": "sk-canary-another-5555", "is_active": false});
    let off = ada.patch(&path(&key), &off).await.expect(200);
    assert_eq!(
        (&off["masked_key"], &off["is_active"]),
        (&json!("…5555"), &json!(false))
    );

    ada.delete(&path(&key)).await.expect(204);
    assert_eq!(ada.delete(&path(&key)).await.error(404), "not_found");
    assert_eq!(ada.get(&path(&key)).await.error(404), "not_found");
    for (body, field) in [
        (json!({"provider": "openai"}), "key"),
        (json!({"provider": "openai", "key": ""}), "key"),
        (json!({"provider": "openai", "key": "a b"}), "key"),
        (json!({"provider": "openai", "key": "sk\nx"}), "key"),
        (json!({"provider": "openai", "key": 1}), "key"),
        (
            json!({"provider": "openai", "key": "k", "key_name": ""}),
            "key_name",
        ),
        (
            json!({"provider": "openai", "key": "k", "user_id": "x"}),
            "user_id",
        ),
        (json!({"key": "k"}), "provider"),
    ] {
        assert_eq!(ada.post("/api/keys", &body).await.field(), field, "{body}");
    }
    let unknown = json!({"provider": "nobody", "key": "k"});
    assert_eq!(
        ada.post("/api/keys", &unknown).await.error(404),
        "not_found"
    );
    assert_eq!(ada.get("/api/keys/x").await.field(), "id");
    assert_eq!(ada.get("/api/keys?limit=0").await.field(), "limit");
    assert_eq!(ada.get("/api/keys?cursor=x").await.field(), "cursor");
    assert_eq!(
        server.client().get("/api/keys").await.error(401),
        "unauthorized"
    );
    server.stop().await;
}

async fn a_key_is_kept_by_its_providers_route(kind: Kind) {
    let Some((server, upstream)) = with_upstream(kind).await else {
        return;
    };
    let ada = server.user().await;
    let body = json!({"key": CANARY});
    let key = ada.post("/providers/openai/keys", &body).await.expect(201);
    assert_eq!(
        (&key["provider"], &key["key_name"]),
        (&json!("openai"), &json!("default"))
    );
    let again = ada.post("/providers/openai/keys", &body).await;
    assert_eq!(again.error(409), "conflict");
    let named = json!({"key": "sk-canary-named-7777", "key_name": "work"});
    ada.post("/providers/openai/keys", &named).await.expect(201);

    let session =
        json!({"model": "openai/gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]});
    ada.post("/api/chat/completions", &session)
        .await
        .expect(200);
    let asked = upstream.asked("/v1/chat/completions");
    assert_eq!(
        asked[0].key, CANARY,
        "the caller's own key, not the operator's"
    );

    let unknown = ada.post("/providers/nobody/keys", &body).await;
    assert_eq!(unknown.error(404), "not_found");
    assert_eq!(
        ada.post("/providers/openai/keys", &json!({})).await.field(),
        "key"
    );
    ada.delete("/providers/openai/keys").await.expect(204);
    assert_eq!(ada.get("/api/keys").await.expect(200)["data"], json!([]));
    ada.delete("/providers/openai/keys").await.expect(204);
    assert_eq!(
        ada.delete("/providers/nobody/keys").await.error(404),
        "not_found"
    );
    server.stop().await;
}

async fn a_provider_says_whether_it_takes_a_key(kind: Kind) {
    let Some((server, _upstream)) = with_upstream(kind).await else {
        return;
    };
    let ada = server.user().await;
    let good = kept(&ada, json!({"provider": "openai", "key": CANARY})).await;
    let check = |key: &Value| format!("{}/validate", path(key));
    let answer = ada.post(&check(&good), &json!({})).await.expect(200);
    assert_eq!(fields(&answer), ["last_validated", "status"]);
    assert_eq!(answer["status"], "valid");
    let shown = ada.get(&path(&good)).await.expect(200);
    assert_eq!(shown["last_validated"], answer["last_validated"]);
    assert!(shown["last_validated"].is_string());

    let bad = json!({"provider": "openai", "key": BAD_KEY, "key_name": "bad"});
    let bad = kept(&ada, bad).await;
    let answer = ada.post(&check(&bad), &json!({})).await.expect(200);
    assert_eq!(answer, json!({"status": "invalid", "last_validated": null}));
    let demo = kept(&ada, json!({"provider": "demo", "key": CANARY})).await;
    let answer = ada.post(&check(&demo), &json!({})).await.expect(200);
    assert_eq!(answer, json!({"status": "unknown", "last_validated": null}));
    server.stop().await;
}

async fn a_key_goes_to_listed_addresses_alone(kind: Kind) {
    let (own, listed, unlisted) = (
        Upstream::start().await,
        Upstream::start().await,
        Upstream::start().await,
    );
    let origin = aurax::store::Origin::parse(&listed.base_url()).unwrap();
    let setup = Setup::new()
        .with_openai(&own.base_url())
        .configured(|config| config.base_urls = vec![origin]);
    let Some(server) = Server::with(kind, setup).await else {
        return;
    };
    let ada = server.user().await;
    let new = |name: &str, url: &str| json!({"provider": "openai", "key": CANARY, "key_name": name, "base_url": url});
    for url in [
        &unlisted.base_url(),
        "http://169.254.169.254/v1",
        "https://evil.example",
        "file:///etc/passwd",
        "http://user@127.0.0.1/",
        "x",
    ] {
        let answer = ada.post("/api/keys", &new("a", url)).await;
        assert_eq!(answer.field(), "base_url", "{url}");
    }
    let key = kept(&ada, new("a", &listed.base_url())).await;
    assert_eq!(key["base_url"], listed.base_url());
    let check = format!("{}/validate", path(&key));
    let answer = ada.post(&check, &json!({})).await.expect(200);
    assert_eq!(answer["status"], "valid");
    assert_eq!(
        (
            listed.asked("/v1/models").len(),
            own.asked("/v1/models").len()
        ),
        (1, 0)
    );

    let key = kept(&ada, new("b", &own.base_url())).await;
    let check = format!("{}/validate", path(&key));
    ada.post(&check, &json!({})).await.expect(200);
    assert_eq!(
        own.asked("/v1/models").len(),
        1,
        "the provider's own address"
    );
    server.stop().await;
}

async fn keys_of_others_are_absent(kind: Kind) {
    let Some((server, _upstream)) = with_upstream(kind).await else {
        return;
    };
    let (ada, eve) = (server.user().await, server.user().await);
    let key = kept(&ada, json!({"provider": "openai", "key": CANARY})).await;
    let (own, none) = (path(&key), format!("/api/keys/{}", aurax::new_id()));
    for path in [&own, &none] {
        assert_eq!(eve.get(path).await.error(404), "not_found");
        assert_eq!(eve.delete(path).await.error(404), "not_found");
        let patch = eve.patch(path, &json!({"key": "sk-eve"})).await;
        assert_eq!(patch.error(404), "not_found");
        let check = eve.post(&format!("{path}/validate"), &json!({})).await;
        assert_eq!(check.error(404), "not_found");
    }
    assert_eq!(eve.get("/api/keys").await.expect(200)["data"], json!([]));
    assert_eq!(ada.get(&own).await.expect(200), key);
    server.stop().await;
}
