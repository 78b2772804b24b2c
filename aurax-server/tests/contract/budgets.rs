//! Limits on what is spent.

use serde_json::{Value, json};

use crate::support::Kind;
use crate::{fields, over_kinds, with_upstream};

over_kinds!(
    a_budget_is_set_counted_against_and_lifted,
    an_amount_is_read_from_its_digits,
    a_hard_budget_refuses,
    budgets_of_others_are_absent,
);

async fn a_budget_is_set_counted_against_and_lifted(kind: Kind) {
    let Some((server, _upstream)) = with_upstream(kind).await else {
        return;
    };
    let ada = server.user().await;
    assert_eq!(
        ada.get("/api/budgets").await.expect(200),
        json!({"data": [], "next_cursor": null})
    );
    let wanted = json!({"scope": "user", "period": "month", "limit": 10, "kind": "soft"});
    let budget = ada.put("/api/budgets", &wanted).await.expect(200);
    let expected = [
        "created_at",
        "id",
        "kind",
        "limit",
        "limit_decimal",
        "period",
        "reserved",
        "reserved_decimal",
        "scope",
        "spent",
        "spent_decimal",
        "subject",
        "unpriced",
        "updated_at",
        "user_id",
        "window_start",
    ];
    assert_eq!(fields(&budget), expected);
    assert_eq!(
        (&budget["scope"], &budget["subject"]),
        (&json!("user"), &Value::Null)
    );
    assert_eq!(
        (&budget["period"], &budget["kind"]),
        (&json!("month"), &json!("soft"))
    );
    assert_eq!(
        (&budget["limit"], &budget["limit_decimal"]),
        (&json!(10), &json!("10"))
    );
    assert_eq!(
        (&budget["spent"], &budget["spent_decimal"]),
        (&json!(0), &json!("0"))
    );

    let ask =
        json!({"model": "openai/gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]});
    ada.post("/api/chat/completions", &ask).await.expect(200);
    let again = json!({"scope": "user", "period": "month", "limit": "20.5"});
    let set = ada.put("/api/budgets", &again).await.expect(200);
    assert_eq!(set["id"], budget["id"]);
    assert_eq!(
        (&set["limit_decimal"], &set["kind"]),
        (&json!("20.5"), &json!("hard"))
    );
    assert_eq!(set["spent_decimal"], "0.00045");
    let tag = json!({"scope": "tag", "subject": "team=a", "period": "day", "limit": 1});
    let tag = ada.put("/api/budgets", &tag).await.expect(200);
    assert_eq!(
        (&tag["scope"], &tag["subject"]),
        (&json!("tag"), &json!("team=a"))
    );
    let listed = ada.get("/api/budgets").await.expect(200);
    assert_eq!(listed["data"].as_array().unwrap().len(), 2);
    let path = format!("/api/budgets/{}", budget["id"].as_str().unwrap());
    ada.delete(&path).await.expect(204);
    assert_eq!(ada.delete(&path).await.error(404), "not_found");
    for (body, field) in [
        (json!({"period": "day", "limit": 1}), "scope"),
        (
            json!({"scope": "world", "period": "day", "limit": 1}),
            "scope",
        ),
        (json!({"scope": "user", "limit": 1}), "period"),
        (
            json!({"scope": "user", "period": "year", "limit": 1}),
            "period",
        ),
        (json!({"scope": "user", "period": "day"}), "limit"),
        (
            json!({"scope": "user", "period": "day", "limit": -1}),
            "limit",
        ),
        (
            json!({"scope": "user", "period": "day", "limit": null}),
            "limit",
        ),
        (
            json!({"scope": "user", "period": "day", "limit": "much"}),
            "limit",
        ),
        (
            json!({"scope": "user", "period": "day", "limit": 1, "kind": "firm"}),
            "kind",
        ),
        (
            json!({"scope": "user", "period": "day", "limit": 1, "subject": "x"}),
            "subject",
        ),
        (
            json!({"scope": "tag", "period": "day", "limit": 1}),
            "subject",
        ),
        (
            json!({"scope": "tag", "period": "day", "limit": 1, "subject": "x"}),
            "subject",
        ),
        (
            json!({"scope": "access_key", "period": "day", "limit": 1}),
            "subject",
        ),
        (
            json!({"scope": "access_key", "period": "day", "limit": 1, "subject": "x"}),
            "subject",
        ),
        (
            json!({"scope": "user", "period": "day", "limit": 1, "spent": 0}),
            "spent",
        ),
    ] {
        assert_eq!(
            ada.put("/api/budgets", &body).await.field(),
            field,
            "{body}"
        );
    }
    server.stop().await;
}

async fn an_amount_is_read_from_its_digits(kind: Kind) {
    let Some((server, _upstream)) = with_upstream(kind).await else {
        return;
    };
    let ada = server.user().await;
    for (limit, expected) in [
        ("0.1", "0.1"),
        (
            "123456789.123456789012345678",
            "123456789.123456789012345678",
        ),
        ("\"0.000000000000000001\"", "0.000000000000000001"),
        ("1e-7", "0.0000001"),
    ] {
        let body = format!("{{\"scope\":\"user\",\"period\":\"total\",\"limit\":{limit}}}");
        let answer = ada
            .send("PUT", "/api/budgets", Some("application/json"), body)
            .await;
        assert_eq!(answer.expect(200)["limit_decimal"], expected);
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        assert!(text.contains(&format!("\"limit\":{expected},")), "{text}");
    }
    server.stop().await;
}

async fn a_hard_budget_refuses(kind: Kind) {
    let Some((server, upstream)) = with_upstream(kind).await else {
        return;
    };
    let ada = server.user().await;
    let body = json!({"scope": "user", "period": "day", "limit": 0});
    ada.put("/api/budgets", &body).await.expect(200);
    let ask =
        json!({"model": "openai/gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]});
    let refused = ada.post("/api/chat/completions", &ask).await;
    assert_eq!(refused.error(429), "budget_exceeded");
    assert!(refused.header("retry-after").is_some());
    assert_eq!(upstream.asked("/v1/chat/completions").len(), 0);
    server.stop().await;
}

async fn budgets_of_others_are_absent(kind: Kind) {
    let Some((server, _upstream)) = with_upstream(kind).await else {
        return;
    };
    let (ada, eve) = (server.user().await, server.user().await);
    let body = json!({"scope": "user", "period": "day", "limit": 1});
    let budget = ada.put("/api/budgets", &body).await.expect(200);
    let own = format!("/api/budgets/{}", budget["id"].as_str().unwrap());
    assert_eq!(eve.delete(&own).await.error(404), "not_found");
    let key = ada
        .post("/api/access-keys", &json!({"name": "a"}))
        .await
        .expect(201);
    for subject in [
        key["id"].as_str().unwrap().to_owned(),
        aurax::new_id().to_string(),
    ] {
        let body = json!({"scope": "access_key", "subject": subject, "period": "day", "limit": 1});
        assert_eq!(eve.put("/api/budgets", &body).await.error(404), "not_found");
    }
    assert_eq!(eve.get("/api/budgets").await.expect(200)["data"], json!([]));
    assert_eq!(
        ada.get("/api/budgets").await.expect(200)["data"],
        json!([budget])
    );
    server.stop().await;
}
