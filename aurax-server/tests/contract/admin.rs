//! What operators do with accounts, and what callers do with their own.

use aurax::store::{Role, UserChange};
use serde_json::{Value, json};

use crate::support::{Client, PASSWORD, Server};
use crate::{fields, over_stores};

over_stores!(
    operators_list_and_change_accounts,
    the_last_operator_stays,
    an_account_changes_its_address_and_password,
);

/// An operator, however many there were.
pub(crate) async fn operator(server: &Server) -> Client {
    let client = server.user().await;
    let mut change = UserChange::default();
    change.role = Some(Role::Admin);
    let id = client.id.as_ref().unwrap().parse().unwrap();
    server.store.admin().change_user(id, change).await.unwrap();
    server.state.auth().forget(id);
    client
}

fn path(client: &Client) -> String {
    format!("/admin/users/{}", client.id.as_ref().unwrap())
}

async fn operators_list_and_change_accounts(server: Server) {
    let root = operator(&server).await;
    let ada = server.user().await;
    let eve = server.user().await;
    let listed = root.get("/admin/users?limit=2").await.expect(200);
    assert_eq!(listed["data"].as_array().unwrap().len(), 2);
    assert_eq!(listed["data"][0]["id"], eve.id.clone().unwrap());
    let cursor = listed["next_cursor"].as_str().unwrap();
    let rest = root
        .get(&format!("/admin/users?cursor={cursor}"))
        .await
        .expect(200);
    assert_eq!(rest["data"][0]["id"], root.id.clone().unwrap());
    let user = root.get(&path(&ada)).await.expect(200);
    assert_eq!(user, listed["data"][1]);
    let expected = [
        "created_at",
        "email",
        "id",
        "is_active",
        "plan_type",
        "role",
        "updated_at",
    ];
    assert_eq!(fields(&user), expected);

    let changed = root
        .patch(&path(&ada), &json!({"plan_type": "pro"}))
        .await
        .expect(200);
    assert_eq!(
        (&changed["plan_type"], &changed["role"]),
        (&json!("pro"), &json!("user"))
    );
    assert_eq!(ada.get("/auth/me").await.expect(200)["plan_type"], "pro");
    let closed = root
        .patch(&path(&ada), &json!({"is_active": false}))
        .await
        .expect(200);
    assert_eq!(closed["is_active"], false);
    assert_eq!(ada.get("/auth/me").await.error(401), "unauthorized");
    let again = json!({"refresh_token": ada.refresh.clone().unwrap()});
    assert_eq!(
        ada.post("/auth/refresh", &again).await.error(401),
        "unauthorized"
    );
    let login = json!({"email": ada.email.clone().unwrap(), "password": PASSWORD});
    assert_eq!(
        ada.post("/auth/login", &login).await.error(401),
        "unauthorized"
    );
    root.patch(&path(&ada), &json!({"is_active": true}))
        .await
        .expect(200);
    // Its logins have ended for good.
    assert_eq!(ada.get("/auth/me").await.error(401), "unauthorized");
    ada.post("/auth/login", &login).await.expect(200);

    let plans = root.get("/admin/plans").await.expect(200);
    let free = plans["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|plan| plan["name"] == "free")
        .unwrap();
    let expected = [
        "message_days",
        "name",
        "requests_per_minute",
        "tokens_per_minute",
    ];
    assert_eq!(fields(free), expected);
    assert_eq!(
        (&free["message_days"], &plans["next_cursor"]),
        (&json!(90), &Value::Null)
    );

    for (body, field) in [
        (json!({"plan_type": "platinum"}), "plan_type"),
        (json!({"role": "root"}), "role"),
        (json!({"email": "x@y.z"}), "email"),
    ] {
        assert_eq!(
            root.patch(&path(&eve), &body).await.field(),
            field,
            "{body}"
        );
    }
    let nobody = format!("/admin/users/{}", aurax::new_id());
    assert_eq!(root.get(&nobody).await.error(404), "not_found");
    assert_eq!(
        root.patch(&nobody, &json!({"is_active": false}))
            .await
            .error(404),
        "not_found"
    );
    for answer in [
        eve.get("/admin/users").await,
        eve.get(&path(&eve)).await,
        eve.patch(&path(&eve), &json!({"role": "admin"})).await,
        eve.get("/admin/plans").await,
    ] {
        assert_eq!(answer.error(403), "forbidden");
    }
    server.stop().await;
}

async fn the_last_operator_stays(server: Server) {
    // Whoever registers first on loopback may be an operator already.
    let root = operator(&server).await;
    let other = operator(&server).await;
    root.patch(&path(&other), &json!({"role": "user"}))
        .await
        .expect(200);
    for change in [json!({"role": "user"}), json!({"is_active": false})] {
        assert_eq!(
            root.patch(&path(&root), &change).await.error(409),
            "conflict",
            "{change}"
        );
    }
    root.patch(&path(&root), &json!({"plan_type": "pro"}))
        .await
        .expect(200);
    root.patch(&path(&other), &json!({"role": "admin"}))
        .await
        .expect(200);
    root.patch(&path(&root), &json!({"role": "user"}))
        .await
        .expect(200);
    assert_eq!(root.get("/admin/users").await.error(403), "forbidden");
    assert_eq!(
        other
            .patch(&path(&other), &json!({"is_active": false}))
            .await
            .error(409),
        "conflict"
    );
    // Of two who end each other's rights at once, one keeps theirs.
    let third = operator(&server).await;
    let demoted = json!({"role": "user"});
    let (paths, one, two) = ([path(&other), path(&third)], &other, &third);
    let (a, b) = tokio::join!(
        one.patch(&paths[1], &demoted),
        two.patch(&paths[0], &demoted)
    );
    let mut statuses = [a.status.as_u16(), b.status.as_u16()];
    statuses.sort_unstable();
    assert!(
        statuses == [200, 403] || statuses == [200, 409],
        "{statuses:?}"
    );
    server.stop().await;
}

async fn an_account_changes_its_address_and_password(server: Server) {
    let ada = server.user().await;
    let eve = server.user().await;
    let elsewhere = server.client().login(ada.email.as_ref().unwrap()).await;
    let change = json!({"current_password": PASSWORD, "email": "Ada@Example.com"});
    let user = ada.patch("/auth/me", &change).await.expect(200);
    assert_eq!(user["email"], "ada@example.com");
    assert_eq!(ada.get("/auth/me").await.expect(200), user);
    let taken = json!({"current_password": PASSWORD, "email": eve.email.clone().unwrap()});
    assert_eq!(ada.patch("/auth/me", &taken).await.error(409), "conflict");

    let change = json!({"current_password": PASSWORD, "password": "another long one"});
    ada.patch("/auth/me", &change).await.expect(200);
    ada.get("/auth/me").await.expect(200);
    assert_eq!(elsewhere.get("/auth/me").await.error(401), "unauthorized");
    let wrong = ada.patch("/auth/me", &change).await;
    assert_eq!(wrong.error(403), "forbidden");
    assert_eq!(
        wrong.json()["error"]["details"]["field"],
        "current_password"
    );
    let login = json!({"email": "ada@example.com", "password": PASSWORD});
    assert_eq!(
        ada.post("/auth/login", &login).await.error(401),
        "unauthorized"
    );
    let login = json!({"email": "ada@example.com", "password": "another long one"});
    ada.post("/auth/login", &login).await.expect(200);
    for (body, field) in [
        (json!({}), "current_password"),
        (json!({"current_password": PASSWORD, "email": "x"}), "email"),
        (
            json!({"current_password": PASSWORD, "password": "short"}),
            "password",
        ),
        (
            json!({"current_password": PASSWORD, "role": "admin"}),
            "role",
        ),
        (
            json!({"current_password": PASSWORD, "plan_type": "pro"}),
            "plan_type",
        ),
    ] {
        assert_eq!(ada.patch("/auth/me", &body).await.field(), field, "{body}");
    }
    assert_eq!(
        server.client().patch("/auth/me", &change).await.error(401),
        "unauthorized"
    );
    server.stop().await;
}
