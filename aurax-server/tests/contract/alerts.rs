//! Thresholds, and what passed them.

use aurax::Decimal;
use serde_json::{Value, json};

use crate::support::Server;
use crate::{fields, over_stores};

over_stores!(
    an_alert_is_made_changed_and_deleted,
    what_fired_is_listed,
    alerts_of_others_are_absent,
);

fn path(alert: &Value) -> String {
    format!("/api/alerts/{}", alert["id"].as_str().unwrap())
}

async fn an_alert_is_made_changed_and_deleted(server: Server) {
    let ada = server.user().await;
    let new = json!({"name": "errors", "metric": "error_rate", "threshold": 5});
    let mut alert = ada.post("/api/alerts", &new).await.expect(201);
    let secret = alert.as_object_mut().unwrap().remove("webhook_secret");
    assert!(secret.unwrap().as_str().unwrap().starts_with("whsec_"));
    let expected = [
        "created_at",
        "id",
        "is_active",
        "metric",
        "name",
        "severity",
        "threshold",
        "threshold_decimal",
        "updated_at",
        "user_id",
        "webhook_url",
        "window_seconds",
    ];
    assert_eq!(fields(&alert), expected);
    assert_eq!(
        (&alert["threshold"], &alert["threshold_decimal"]),
        (&json!(5), &json!("5"))
    );
    assert_eq!(
        (&alert["window_seconds"], &alert["severity"]),
        (&json!(300), &json!("warning"))
    );
    assert_eq!(
        (&alert["is_active"], &alert["webhook_url"]),
        (&json!(true), &Value::Null)
    );
    assert_eq!(ada.get(&path(&alert)).await.expect(200), alert);
    assert_eq!(ada.post("/api/alerts", &new).await.error(409), "conflict");
    let listed = ada.get("/api/alerts").await.expect(200);
    assert_eq!(listed, json!({"data": [alert], "next_cursor": null}));

    let change = json!({
        "name": "spend", "threshold": "12.50", "window_seconds": 3600, "severity": "critical",
        "webhook_url": "https://hooks.example.com/a?b=c", "is_active": false,
    });
    let changed = ada.patch(&path(&alert), &change).await.expect(200);
    assert_eq!(
        (&changed["name"], &changed["metric"]),
        (&json!("spend"), &json!("error_rate"))
    );
    assert_eq!(changed["threshold_decimal"], "12.5");
    assert_eq!(
        (&changed["window_seconds"], &changed["severity"]),
        (&json!(3600), &json!("critical"))
    );
    assert_eq!(changed["webhook_url"], "https://hooks.example.com/a?b=c");
    assert_eq!(changed["is_active"], false);
    let cleared = ada
        .patch(&path(&alert), &json!({"webhook_url": null}))
        .await
        .expect(200);
    assert_eq!(cleared["webhook_url"], Value::Null);
    ada.delete(&path(&alert)).await.expect(204);
    assert_eq!(ada.get(&path(&alert)).await.error(404), "not_found");

    let with = |field: &str, value: Value| {
        let mut body = new.clone();
        body[field] = value;
        body
    };
    for (body, field) in [
        (json!({"metric": "error_rate", "threshold": 1}), "name"),
        (with("name", json!("")), "name"),
        (with("metric", json!("")), "metric"),
        (with("threshold", json!(-1)), "threshold"),
        (with("threshold", json!("x")), "threshold"),
        (with("window_seconds", json!(0)), "window_seconds"),
        (with("window_seconds", json!(2_678_401)), "window_seconds"),
        (with("severity", json!("fatal")), "severity"),
        (
            with("webhook_url", json!("http://hooks.example.com")),
            "webhook_url",
        ),
        (
            with("webhook_url", json!("https://me@hooks.example.com")),
            "webhook_url",
        ),
        (with("webhook_url", json!("hooks")), "webhook_url"),
        (with("user_id", json!("x")), "user_id"),
    ] {
        assert_eq!(
            ada.post("/api/alerts", &body).await.field(),
            field,
            "{body}"
        );
    }
    server.stop().await;
}

async fn what_fired_is_listed(server: Server) {
    let ada = server.user().await;
    let new = json!({"name": "errors", "metric": "error_rate", "threshold": 5});
    let alert = ada.post("/api/alerts", &new).await.expect(201);
    let events = ada.get("/api/alerts/events").await.expect(200);
    assert_eq!(events, json!({"data": [], "next_cursor": null}));
    let id = alert["id"].as_str().unwrap().parse().unwrap();
    let jobs = server.store.jobs();
    let value: Decimal = "7.25".parse().unwrap();
    let fired = jobs.fire_alert(id, value, "too many errors").await.unwrap();
    assert!(fired.is_some());
    let events = ada.get("/api/alerts/events").await.expect(200);
    let event = &events["data"][0];
    let expected = [
        "alert_id",
        "fired_at",
        "id",
        "message",
        "resolved_at",
        "user_id",
        "value",
        "value_decimal",
    ];
    assert_eq!(fields(event), expected);
    assert_eq!(
        (&event["alert_id"], &event["value"]),
        (&alert["id"], &json!(7.25))
    );
    assert_eq!(
        (&event["message"], &event["resolved_at"]),
        (&json!("too many errors"), &Value::Null)
    );
    jobs.resolve_alert(id).await.unwrap();
    let events = ada.get("/api/alerts/events?limit=1").await.expect(200);
    assert!(events["data"][0]["resolved_at"].is_string());
    let eve = server.user().await;
    assert_eq!(
        eve.get("/api/alerts/events").await.expect(200)["data"],
        json!([])
    );
    server.stop().await;
}

async fn alerts_of_others_are_absent(server: Server) {
    let (ada, eve) = (server.user().await, server.user().await);
    let new = json!({"name": "errors", "metric": "error_rate", "threshold": 5});
    let alert = ada.post("/api/alerts", &new).await.expect(201);
    for path in [path(&alert), format!("/api/alerts/{}", aurax::new_id())] {
        assert_eq!(eve.get(&path).await.error(404), "not_found");
        assert_eq!(
            eve.patch(&path, &json!({"name": "b"})).await.error(404),
            "not_found"
        );
        assert_eq!(eve.delete(&path).await.error(404), "not_found");
    }
    assert_eq!(eve.get("/api/alerts").await.expect(200)["data"], json!([]));
    server.stop().await;
}
