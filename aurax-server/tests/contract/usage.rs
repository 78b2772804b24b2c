//! What calls used and cost.

use aurax::Principal;
use aurax::store::UsageRow;
use serde_json::{Value, json};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use crate::support::{Client, Kind, Server};
use crate::{fields, over_kinds, with_upstream};

over_kinds!(
    calls_are_listed_with_what_they_cost,
    calls_are_summed_and_grouped,
    calls_are_summed_over_time,
    calls_are_exported,
    a_long_export_is_whole,
    usage_of_others_is_absent,
);

const ROW: [&str; 27] = [
    "access_key_id",
    "attempts",
    "buckets",
    "cost_decimal",
    "cost_source",
    "cost_usd",
    "created_at",
    "error_kind",
    "error_message",
    "id",
    "is_cached",
    "message_id",
    "model",
    "price_version",
    "provider",
    "request_id",
    "request_tokens",
    "request_type",
    "response_time_ms",
    "response_tokens",
    "session_id",
    "status",
    "tags",
    "total_tokens",
    "ttft_ms",
    "usage_source",
    "user_id",
];

async fn chat(client: &Client, model: &str) {
    let ask = json!({"model": model, "messages": [{"role": "user", "content": "Hi"}]});
    client.post("/api/chat/completions", &ask).await;
}

async fn calls_are_listed_with_what_they_cost(kind: Kind) {
    let Some((server, _upstream)) = with_upstream(kind).await else {
        return;
    };
    let ada = server.user().await;
    let new = json!({"settings": {"model": "openai/gpt-4o-mini"}});
    let session = ada.post("/chat/sessions", &new).await.expect(201);
    let session = session["id"].as_str().unwrap();
    let path = format!("/chat/sessions/{session}/messages");
    let message = ada.post(&path, &json!({"content": "Hi"})).await.expect(201);
    let key = ada
        .post("/api/access-keys", &json!({"name": "a"}))
        .await
        .expect(201);
    let program = server.client().with_token(key["key"].as_str().unwrap());
    chat(&program, "openai/gpt-4o").await;
    chat(&ada, "openai/failing").await;
    chat(&ada, "demo/echo").await;

    let listed = ada.get("/api/usage").await.expect(200);
    let data = listed["data"].as_array().unwrap();
    assert_eq!((data.len(), &listed["next_cursor"]), (4, &Value::Null));
    let (demo, failed, keyed, row) = (&data[0], &data[1], &data[2], &data[3]);
    assert_eq!(fields(row), ROW);
    for (field, value) in [
        ("provider", json!("openai")),
        ("model", json!("gpt-4o-mini")),
        ("request_type", json!("chat")),
        ("request_tokens", json!(1_000)),
        ("response_tokens", json!(500)),
        ("total_tokens", json!(1_500)),
        ("cost_decimal", json!("0.00045")),
        ("cost_source", json!("exact")),
        ("usage_source", json!("provider")),
        ("status", json!("success")),
        ("session_id", json!(session)),
        ("message_id", message["id"].clone()),
        ("access_key_id", Value::Null),
        ("error_message", Value::Null),
        ("attempts", json!(1)),
        ("is_cached", json!(false)),
    ] {
        assert_eq!(row[field], value, "{field}");
    }
    assert_eq!(
        row["buckets"],
        json!({"input": 1_000, "output": 500, "request": 1})
    );
    assert!(row["response_time_ms"].is_u64() && row["created_at"].is_string());
    assert_eq!(keyed["access_key_id"], key["id"]);
    assert_eq!(
        (&failed["status"], &demo["cost_source"]),
        (&json!("error"), &json!("free"))
    );
    assert!(failed["error_message"].is_string());

    let count = async |query: &str| {
        let listed = ada.get(&format!("/api/usage?{query}")).await.expect(200);
        listed["data"].as_array().unwrap().len()
    };
    assert_eq!(count("provider=openai").await, 3);
    assert_eq!(count("model=gpt-4o").await, 1);
    assert_eq!(count("status=error").await, 1);
    assert_eq!(count(&format!("session_id={session}")).await, 1);
    assert_eq!(
        count(&format!("access_key_id={}", key["id"].as_str().unwrap())).await,
        1
    );
    assert_eq!(count("from=2000-01-01T00:00:00Z").await, 4);
    assert_eq!(count("to=2000-01-01T00:00:00Z").await, 0);
    let first = ada.get("/api/usage?limit=3").await.expect(200);
    let next = format!(
        "/api/usage?cursor={}",
        first["next_cursor"].as_str().unwrap()
    );
    assert_eq!(ada.get(&next).await.expect(200)["data"], json!([row]));
    for (query, field) in [
        ("from=now", "from"),
        ("from=2026-01-01T00:00:00Z&to=2026-01-01T00:00:00Z", "from"),
        ("status=fine", "status"),
        ("session_id=x", "session_id"),
        ("limit=201", "limit"),
        ("cursor=x", "cursor"),
        ("user_id=x", "user_id"),
        ("provider=a&provider=b", "provider"),
    ] {
        let answer = ada.get(&format!("/api/usage?{query}")).await;
        assert_eq!(answer.field(), field, "{query}");
    }
    server.stop().await;
}

async fn calls_are_summed_and_grouped(kind: Kind) {
    let Some((server, _upstream)) = with_upstream(kind).await else {
        return;
    };
    let ada = server.user().await;
    for model in ["openai/gpt-4o-mini", "openai/gpt-4o-mini", "openai/failing"] {
        chat(&ada, model).await;
    }
    let summary = ada.get("/api/usage/summary").await.expect(200);
    assert_eq!(fields(&summary), ["total"]);
    let total = &summary["total"];
    assert_eq!(
        (&total["requests"], &total["errors"]),
        (&json!(3), &json!(1))
    );
    assert_eq!(
        (&total["total_tokens"], &total["cost_decimal"]),
        (&json!(3_000), &json!("0.0009"))
    );
    let grouped = ada
        .get("/api/usage/summary?group_by=model")
        .await
        .expect(200);
    let groups = grouped["groups"].as_array().unwrap();
    assert_eq!(
        (&groups[0]["key"], &groups[0]["requests"]),
        (&json!("openai/gpt-4o-mini"), &json!(2))
    );
    assert_eq!(groups[0]["cost_per_1k_tokens_decimal"], "0.0003");
    assert_eq!(groups[0]["cost_decimal"], "0.0009");
    for by in ["provider", "session", "status", "access_key"] {
        let grouped = ada
            .get(&format!("/api/usage/summary?group_by={by}"))
            .await
            .expect(200);
        let requests = grouped["groups"]
            .as_array()
            .unwrap()
            .iter()
            .map(|group| group["requests"].as_u64().unwrap());
        assert_eq!(requests.sum::<u64>(), 3, "{by}");
    }
    let some = ada
        .get("/api/usage/summary?status=success")
        .await
        .expect(200);
    assert_eq!(some["total"]["requests"], 2);
    assert_eq!(
        ada.get("/api/usage/summary?group_by=mood").await.field(),
        "group_by"
    );
    assert_eq!(ada.get("/api/usage/summary?limit=1").await.field(), "limit");
    server.stop().await;
}

/// Calls of a user, each so long after the one before.
async fn used(server: &Server, user: &Client, at: OffsetDateTime, rows: i64, step: Duration) {
    let principal = Principal::new(user.id.clone().unwrap());
    let rows = (0..rows).map(|number| {
        let number = i32::try_from(number).unwrap();
        UsageRow::answered("openai", "gpt-4o-mini", at + step * number)
    });
    let rows: Vec<UsageRow> = rows.collect();
    server
        .store
        .jobs()
        .add_usage(&principal, &rows)
        .await
        .unwrap();
}

async fn calls_are_summed_over_time(kind: Kind) {
    let Some((server, _upstream)) = with_upstream(kind).await else {
        return;
    };
    let ada = server.user().await;
    let at = datetime!(2026-03-02 10:30 UTC);
    used(&server, &ada, at, 3, Duration::hours(1)).await;
    let between = "from=2026-03-01T00:00:00Z&to=2026-03-04T00:00:00Z";
    let series = async |bucket: &str| {
        let path = format!("/api/usage/series?bucket={bucket}&{between}");
        let series = ada.get(&path).await.expect(200);
        let points = series["data"].as_array().unwrap().iter();
        points
            .map(|point| {
                (
                    point["at"].as_str().unwrap().to_owned(),
                    point["requests"].as_u64().unwrap(),
                )
            })
            .collect::<Vec<_>>()
    };
    let point = |at: &str, requests| (at.to_owned(), requests);
    let hours = [
        point("2026-03-02T10:00:00Z", 1),
        point("2026-03-02T11:00:00Z", 1),
        point("2026-03-02T12:00:00Z", 1),
    ];
    assert_eq!(series("hour").await, hours);
    assert_eq!(series("day").await, [point("2026-03-02T00:00:00Z", 3)]);
    assert_eq!(series("week").await, [point("2026-03-02T00:00:00Z", 3)]);
    assert_eq!(series("month").await, [point("2026-03-01T00:00:00Z", 3)]);
    let long = "/api/usage/series?bucket=minute&from=2025-01-01T00:00:00Z&to=2026-01-01T00:00:00Z";
    assert_eq!(ada.get(long).await.field(), "bucket");
    assert_eq!(
        ada.get("/api/usage/series?bucket=year").await.field(),
        "bucket"
    );
    chat(&ada, "demo/echo").await;
    let latest = ada.get("/api/usage/series").await.expect(200);
    let point = &latest["data"][0];
    assert_eq!(point["requests"], 1, "the last thirty days");
    assert!(point["cost_decimal"].is_string() && point["response_time_p95_ms"].is_u64());
    server.stop().await;
}

async fn calls_are_exported(kind: Kind) {
    let Some((server, _upstream)) = with_upstream(kind).await else {
        return;
    };
    let ada = server.user().await;
    chat(&ada, "openai/gpt-4o-mini").await;
    chat(&ada, "openai/failing").await;
    let mut row = UsageRow::answered("openai", "=cmd()", datetime!(2026-01-01 0:00 UTC));
    row.error_message = Some("said \"no\",\nand left".to_owned());
    let principal = Principal::new(ada.id.clone().unwrap());
    server
        .store
        .jobs()
        .add_usage(&principal, &[row])
        .await
        .unwrap();

    let jsonl = ada.get("/api/usage/export?format=jsonl").await;
    assert_eq!(jsonl.header("content-type"), Some("application/x-ndjson"));
    let disposition = jsonl.header("content-disposition").unwrap();
    assert_eq!(disposition, "attachment; filename=\"aurax-usage.jsonl\"");
    let text = String::from_utf8(jsonl.body.to_vec()).unwrap();
    let rows: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let listed = ada.get("/api/usage").await.expect(200);
    assert_eq!(Value::from(rows), listed["data"]);
    assert!(text.contains("\"cost_usd\":0.00045,"), "{text}");

    let csv = ada.get("/api/usage/export?format=csv").await;
    assert_eq!(
        csv.header("content-type"),
        Some("text/csv; charset=utf-8; header=present")
    );
    let disposition = csv.header("content-disposition").unwrap();
    assert_eq!(disposition, "attachment; filename=\"aurax-usage.csv\"");
    let text = String::from_utf8(csv.body.to_vec()).unwrap();
    let records = records(&text);
    assert_eq!(records.len(), 4);
    let column = |name: &str| records[0].iter().position(|field| field == name).unwrap();
    assert!(
        records
            .iter()
            .all(|record| record.len() == records[0].len())
    );
    assert_eq!(records[2][column("cost_usd")], "0.00045");
    assert_eq!(records[2][column("input")], "1000");
    assert_eq!(records[1][column("status")], "error");
    assert_eq!(records[3][column("model")], "'=cmd()");
    assert_eq!(
        records[3][column("error_message")],
        "said \"no\",\nand left"
    );
    let default = ada.get("/api/usage/export?provider=nobody").await;
    let text = String::from_utf8(default.body.to_vec()).unwrap();
    assert_eq!(text.lines().count(), 1, "the names alone");
    assert_eq!(
        ada.get("/api/usage/export?format=xml").await.field(),
        "format"
    );
    assert_eq!(ada.get("/api/usage/export?limit=1").await.field(), "limit");
    server.stop().await;
}

/// Reads comma-separated values as RFC 4180 says.
fn records(text: &str) -> Vec<Vec<String>> {
    let (mut records, mut record, mut field) = (Vec::new(), Vec::new(), String::new());
    let mut is_quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if is_quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => record.push(std::mem::take(&mut field)),
            '\r' if !is_quoted => assert_eq!(chars.peek(), Some(&'\n')),
            '\n' if !is_quoted => {
                record.push(std::mem::take(&mut field));
                records.push(std::mem::take(&mut record));
            }
            c => field.push(c),
        }
    }
    assert!(!is_quoted && field.is_empty() && record.is_empty());
    records
}

async fn a_long_export_is_whole(kind: Kind) {
    let Some((server, _upstream)) = with_upstream(kind).await else {
        return;
    };
    let ada = server.user().await;
    let at = datetime!(2026-03-02 10:30 UTC);
    used(&server, &ada, at, 450, Duration::seconds(1)).await;
    let csv = ada.get("/api/usage/export").await;
    let text = String::from_utf8(csv.body.to_vec()).unwrap();
    let records = records(&text);
    assert_eq!(records.len(), 451);
    let ids: std::collections::HashSet<&String> = records.iter().map(|record| &record[0]).collect();
    assert_eq!(ids.len(), 451);
    let some = "/api/usage/export?format=jsonl&from=2026-03-02T10:30:00Z&to=2026-03-02T10:35:00Z";
    let some = ada.get(some).await;
    let lines = some.body.iter().filter(|byte| **byte == b'\n').count();
    assert_eq!(lines, 300);
    server.stop().await;
}

async fn usage_of_others_is_absent(kind: Kind) {
    let Some((server, _upstream)) = with_upstream(kind).await else {
        return;
    };
    let (ada, eve) = (server.user().await, server.user().await);
    let session = ada.post("/chat/sessions", &json!({})).await.expect(201);
    let session = session["id"].as_str().unwrap();
    let path = format!("/chat/sessions/{session}/messages");
    ada.post(&path, &json!({"content": "Hi"})).await.expect(201);
    for id in [session, &aurax::new_id().to_string()] {
        let query = format!("session_id={id}");
        let listed = eve.get(&format!("/api/usage?{query}")).await;
        assert_eq!(listed.expect(200)["data"], json!([]));
        let summary = eve.get(&format!("/api/usage/summary?{query}")).await;
        assert_eq!(summary.expect(200)["total"]["requests"], 0);
        let series = eve.get(&format!("/api/usage/series?{query}")).await;
        assert_eq!(series.expect(200)["data"], json!([]));
        let export = eve
            .get(&format!("/api/usage/export?format=jsonl&{query}"))
            .await;
        assert!(export.body.is_empty());
    }
    let first = ada.get("/api/usage").await.expect(200);
    assert_eq!(first["data"].as_array().unwrap().len(), 1);
    server.stop().await;
}
