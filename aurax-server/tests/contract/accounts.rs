//! Accounts and logins.

use serde_json::json;

use crate::over_stores;
use crate::support::Server;

over_stores!(
    an_account_is_made_and_logged_in_to,
    a_login_is_renewed_and_ended,
    bad_input_names_its_field
);

async fn an_account_is_made_and_logged_in_to(server: Server) {
    let client = server.client();
    let body = json!({"email": "Ada@Example.com", "password": "correct horse battery"});
    let user = client.post("/auth/register", &body).await.expect(201);
    assert_eq!(user["email"], "ada@example.com");
    assert_eq!(user["plan_type"], "free");
    assert_eq!(user["is_active"], true);
    for field in ["id", "role", "created_at", "updated_at"] {
        assert!(user[field].is_string(), "{user}");
    }
    assert!(user.get("hashed_password").is_none());
    assert_eq!(
        client.post("/auth/register", &body).await.error(409),
        "conflict"
    );

    let tokens = client.post("/auth/login", &body).await.expect(200);
    assert_eq!(tokens["token_type"], "bearer");
    assert_eq!(tokens["expires_in"], 900);
    let form = "grant_type=password&username=ada%40example.com&password=correct horse+battery";
    let form_type = Some("application/x-www-form-urlencoded");
    let again = client
        .send("POST", "/auth/login", form_type, form)
        .await
        .expect(200);
    assert_ne!(again["refresh_token"], tokens["refresh_token"]);

    let ada = client.with_token(tokens["access_token"].as_str().unwrap());
    assert_eq!(ada.get("/auth/me").await.expect(200), user);
    let logins = ada.get("/auth/sessions").await.expect(200);
    assert_eq!(logins["data"].as_array().unwrap().len(), 2);
    assert_eq!(logins["next_cursor"], json!(null));
    let current: Vec<_> = logins["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| &l["is_current"])
        .collect();
    assert_eq!(current, [false, true]);

    for (email, password) in [
        ("ada@example.com", "wrong horse battery"),
        ("eve@example.com", "correct horse battery"),
    ] {
        let body = json!({"email": email, "password": password});
        let refused = client.post("/auth/login", &body).await;
        assert_eq!(refused.error(401), "unauthorized");
        assert_eq!(
            refused.json()["error"]["message"],
            "the address or the password is wrong"
        );
    }
    assert_eq!(client.get("/auth/me").await.error(401), "unauthorized");
    ada.delete("/auth/me").await.expect(204);
    assert_eq!(ada.get("/auth/me").await.error(401), "unauthorized");
    assert_eq!(
        client.post("/auth/login", &body).await.error(401),
        "unauthorized"
    );
    server.stop().await;
}

async fn a_login_is_renewed_and_ended(server: Server) {
    let ada = server.user().await;
    let renew = json!({"refresh_token": ada.refresh.clone().unwrap()});
    let tokens = ada.post("/auth/refresh", &renew).await.expect(200);
    assert_ne!(tokens["refresh_token"], renew["refresh_token"]);
    let renewed = ada.with_token(tokens["access_token"].as_str().unwrap());
    renewed.get("/auth/me").await.expect(200);
    let unknown = json!({"refresh_token": "nonsense"});
    assert_eq!(
        ada.post("/auth/refresh", &unknown).await.error(401),
        "unauthorized"
    );

    renewed.delete("/auth/logout").await.expect(204);
    for client in [&ada, &renewed] {
        assert_eq!(client.get("/auth/me").await.error(401), "unauthorized");
        assert_eq!(
            client.delete("/auth/logout").await.error(401),
            "unauthorized"
        );
    }
    let last = json!({"refresh_token": tokens["refresh_token"]});
    assert_eq!(
        ada.post("/auth/refresh", &last).await.error(401),
        "unauthorized"
    );

    let one = server.client().login(ada.email.as_deref().unwrap()).await;
    let two = server.client().login(ada.email.as_deref().unwrap()).await;
    let logins = one.get("/auth/sessions?limit=1").await.expect(200);
    let cursor = logins["next_cursor"].as_str().unwrap();
    let other = logins["data"][0]["id"].as_str().unwrap();
    let rest = one
        .get(&format!("/auth/sessions?cursor={cursor}"))
        .await
        .expect(200);
    assert_eq!(rest["data"].as_array().unwrap().len(), 1);
    one.delete(&format!("/auth/sessions/{other}"))
        .await
        .expect(204);
    assert_eq!(two.get("/auth/me").await.error(401), "unauthorized");
    assert_eq!(
        one.delete(&format!("/auth/sessions/{other}"))
            .await
            .error(404),
        "not_found"
    );
    one.delete("/auth/sessions").await.expect(204);
    assert_eq!(one.get("/auth/me").await.error(401), "unauthorized");
    server.stop().await;
}

async fn bad_input_names_its_field(server: Server) {
    let client = server.client();
    for (body, field) in [
        (
            json!({"email": "ada", "password": "correct horse"}),
            "email",
        ),
        (
            json!({"email": "a b@c", "password": "correct horse"}),
            "email",
        ),
        (json!({"email": "a@b", "password": "short"}), "password"),
        (
            json!({"email": "a@b", "password": "x".repeat(1_025)}),
            "password",
        ),
        (json!({"email": 1, "password": "correct horse"}), "email"),
        (json!({"password": "correct horse"}), "email"),
        (
            json!({"email": "a@b", "password": "correct horse", "role": "admin"}),
            "role",
        ),
        (
            json!({"email": "a@b\u{0}", "password": "correct horse"}),
            "email",
        ),
    ] {
        assert_eq!(
            client.post("/auth/register", &body).await.field(),
            field,
            "{body}"
        );
    }
    let json = Some("application/json");
    for (content_type, body, field) in [
        (None, "{}", "content-type"),
        (Some("text/plain"), "{}", "content-type"),
        (json, "", "body"),
        (json, "{", "body"),
        (json, "[]", "body"),
        (json, "{}{}", "email"),
    ] {
        let answer = client
            .send("POST", "/auth/register", content_type, body)
            .await;
        assert_eq!(answer.field(), field, "{body}");
    }
    let form_type = Some("application/x-www-form-urlencoded");
    for (form, field) in [
        ("username=a@b", "password"),
        ("username=a@b&password=%00", "password"),
        ("username=a@b&password=x&role=admin", "role"),
        ("username=a@b&username=c@d&password=x", "username"),
        (
            "username=a@b&password=x&grant_type=client_credentials",
            "grant_type",
        ),
    ] {
        let answer = client.send("POST", "/auth/login", form_type, form).await;
        assert_eq!(answer.field(), field, "{form}");
    }
    let bytes = vec![b'"', 0xff, b'"'];
    let answer = client.send("POST", "/auth/register", json, bytes).await;
    assert_eq!(answer.field(), "body");
    let large = vec![b' '; (1 << 20) + 1];
    let answer = client.send("POST", "/auth/register", json, large).await;
    assert_eq!(answer.error(413), "too_large");
    let packed = client.clone().with_header("content-encoding", "gzip");
    let answer = packed.send("POST", "/auth/register", json, "{}").await;
    assert_eq!(answer.field(), "content-encoding");

    let ada = server.user().await;
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
        ("cursor=x", "cursor"),
        ("x=1", "x"),
        ("cursor=%00", "cursor"),
        ("limit=1&limit=2", "limit"),
    ] {
        let answer = ada.get(&format!("/auth/sessions?{query}")).await;
        assert_eq!(answer.field(), field, "{query}");
    }
    assert_eq!(ada.get("/nowhere").await.error(404), "not_found");
    assert_eq!(
        ada.post("/auth/me", &json!({})).await.error(405),
        "method_not_allowed"
    );
    server.stop().await;
}
