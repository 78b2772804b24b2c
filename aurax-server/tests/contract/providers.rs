//! Providers, their models, and what calls to them used.

use serde_json::{Value, json};

use crate::support::{Kind, Server, Setup};
use crate::upstream::{BAD_KEY, Upstream};
use crate::{fields, over_kinds, with_upstream};

over_kinds!(
    providers_say_whether_the_caller_can_ask_them,
    models_come_with_what_is_known_of_them,
    a_providers_list_needs_a_key_it_takes,
    providers_are_compared,
);

async fn providers_say_whether_the_caller_can_ask_them(kind: Kind) {
    let Some((server, _upstream)) = with_upstream(kind).await else {
        return;
    };
    let ada = server.user().await;
    let listed = ada.get("/providers").await.expect(200);
    let data = listed["data"].as_array().unwrap();
    assert_eq!(listed["next_cursor"], Value::Null);
    let named = |name: &str| data.iter().find(|one| one["name"] == name).unwrap().clone();
    let (demo, openai) = (named("demo"), named("openai"));
    let expected = [
        "aliases",
        "capabilities",
        "has_keys",
        "is_configured",
        "name",
        "wire",
    ];
    assert_eq!(fields(&openai), expected);
    assert_eq!(
        (&demo["is_configured"], &demo["has_keys"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(
        (&openai["is_configured"], &openai["has_keys"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(openai["wire"], "openai.chat");
    let can = &openai["capabilities"];
    assert_eq!(
        (&can["chat"], &can["tools"], &can["embed"]),
        (&json!(true), &json!(true), &json!(true))
    );
    let key = json!({"key": "sk-canary-1234"});
    ada.post("/providers/openai/keys", &key).await.expect(201);
    let listed = ada.get("/providers").await.expect(200);
    let openai = listed["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["name"] == "openai");
    assert_eq!(openai.unwrap()["has_keys"], true);
    assert_eq!(
        server.client().get("/providers").await.error(401),
        "unauthorized"
    );
    server.stop().await;
}

async fn models_come_with_what_is_known_of_them(kind: Kind) {
    let Some((server, upstream)) = with_upstream(kind).await else {
        return;
    };
    let ada = server.user().await;
    let listed = ada.get("/providers/openai/models").await.expect(200);
    let data = listed["data"].as_array().unwrap();
    let [mini, unheard] = data.as_slice() else {
        panic!("{listed}")
    };
    let expected = [
        "context_window",
        "display_name",
        "features",
        "id",
        "lifecycle",
        "max_input_tokens",
        "max_output_tokens",
        "prices",
        "provider",
        "retires",
    ];
    assert_eq!(fields(mini), expected);
    assert_eq!(
        (&mini["id"], &mini["provider"]),
        (&json!("gpt-4o-mini"), &json!("openai"))
    );
    assert_eq!(mini["context_window"], 128_000);
    assert_eq!(mini["prices"]["input"], "0.15");
    assert_eq!(mini["prices"]["output"], "0.6");
    assert_eq!(mini["prices"]["cache_read"], "0.075");
    assert_eq!(
        (&unheard["id"], &unheard["prices"]),
        (&json!("unheard-of"), &Value::Null)
    );
    assert_eq!(unheard["context_window"], Value::Null);

    let again = ada.get("/providers/openai/models").await.expect(200);
    assert_eq!(again, listed);
    assert_eq!(upstream.asked("/v1/models").len(), 1, "it is remembered");
    // Another key may see other models.
    let key = json!({"key": "sk-canary-1234"});
    ada.post("/providers/openai/keys", &key).await.expect(201);
    ada.get("/providers/openai/models").await.expect(200);
    let asked = upstream.asked("/v1/models");
    assert_eq!((asked.len(), asked[1].key.as_str()), (2, "sk-canary-1234"));

    let demo = ada.get("/providers/demo/models").await.expect(200);
    assert_eq!(demo["next_cursor"], Value::Null);
    let nobody = ada.get("/providers/nobody/models").await;
    assert_eq!(nobody.error(404), "not_found");
    server.stop().await;
}

async fn a_providers_list_needs_a_key_it_takes(kind: Kind) {
    let upstream = Upstream::start().await;
    let setup = Setup::new()
        .with_openai(&upstream.base_url())
        .configured(|config| config.shared_keys.plans = Some(vec!["pro".to_owned()]));
    let Some(server) = Server::with(kind, setup).await else {
        return;
    };
    let ada = server.user().await;
    let listed = ada.get("/providers").await.expect(200);
    let openai = listed["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["name"] == "openai");
    assert_eq!(
        openai.unwrap()["is_configured"],
        false,
        "the operator's key is not shared"
    );
    let missing = ada.get("/providers/openai/models").await;
    assert_eq!(missing.error(424), "provider_key_missing");
    let key = json!({"key": BAD_KEY});
    ada.post("/providers/openai/keys", &key).await.expect(201);
    let refused = ada.get("/providers/openai/models").await;
    assert_eq!(refused.error(424), "provider_key_refused");
    let text = String::from_utf8_lossy(&refused.body).into_owned();
    assert!(!text.contains(BAD_KEY), "{text}");
    server.stop().await;
}

async fn providers_are_compared(kind: Kind) {
    let Some((server, _upstream)) = with_upstream(kind).await else {
        return;
    };
    let ada = server.user().await;
    assert_eq!(
        ada.get("/providers/usage").await.expect(200)["data"],
        json!([])
    );
    for model in [
        "openai/gpt-4o-mini",
        "openai/gpt-4o-mini",
        "openai/failing",
        "demo/echo",
    ] {
        let ask = json!({"model": model, "messages": [{"role": "user", "content": "Hi"}]});
        let answer = ada.post("/api/chat/completions", &ask).await;
        assert_eq!(answer.status == 200, model != "openai/failing");
    }
    let usage = ada.get("/providers/usage").await.expect(200);
    let [openai, demo] = usage["data"].as_array().unwrap().as_slice() else {
        panic!("{usage}")
    };
    let expected = [
        "cost_decimal",
        "cost_per_1k_tokens",
        "cost_per_1k_tokens_decimal",
        "cost_usd",
        "errors",
        "provider",
        "request_tokens",
        "requests",
        "response_time_p50_ms",
        "response_time_p95_ms",
        "response_tokens",
        "total_tokens",
        "ttft_p50_ms",
        "ttft_p95_ms",
        "unpriced",
    ];
    assert_eq!(fields(openai), expected);
    assert_eq!(
        (&openai["provider"], &demo["provider"]),
        (&json!("openai"), &json!("demo"))
    );
    assert_eq!(
        (&openai["requests"], &openai["errors"]),
        (&json!(3), &json!(1))
    );
    assert_eq!(openai["total_tokens"], 3_000);
    // 2 · (1,000 · 0.15 + 500 · 0.60) / 1,000,000
    assert_eq!(openai["cost_decimal"], "0.0009");
    let eve = server.user().await;
    assert_eq!(
        eve.get("/providers/usage").await.expect(200)["data"],
        json!([])
    );
    let future = ada.get("/providers/usage?from=2100-01-01T00:00:00Z").await;
    assert_eq!(future.expect(200)["data"], json!([]));
    let turned = "/providers/usage?from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z";
    assert_eq!(ada.get(turned).await.field(), "from");
    assert_eq!(
        ada.get("/providers/usage?from=yesterday").await.field(),
        "from"
    );
    assert_eq!(ada.get("/providers/usage?model=x").await.field(), "model");
    server.stop().await;
}
