//! Providers, their models, and what calls to them used.

use serde_json::{Value, json};

use crate::support::{Kind, Server, Setup};
use crate::upstream::{BAD_KEY, Upstream};
use crate::{fields, over_kinds, with_upstream};

over_kinds!(
    providers_say_whether_the_caller_can_ask_them,
    models_come_with_what_is_known_of_them,
    a_providers_list_needs_a_key_it_takes,
    a_named_key_is_used_or_none,
    a_key_with_a_list_sees_its_models,
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

/// A key that is named and not there is not replaced by the operator's, whoever names it.
async fn a_named_key_is_used_or_none(kind: Kind) {
    let Some((server, upstream)) = with_upstream(kind).await else {
        return;
    };
    let ada = server.user().await;
    let settings = json!({"model": "openai/gpt-4o-mini", "key_name": "work"});
    let by_session = json!({"settings": settings});
    let session = ada.post("/chat/sessions", &by_session).await.expect(201);
    let path = format!(
        "/chat/sessions/{}/messages",
        session["id"].as_str().unwrap()
    );
    let plain = ada.post("/chat/sessions", &json!({})).await.expect(201);
    let plain = format!("/chat/sessions/{}/messages", plain["id"].as_str().unwrap());
    let say = json!({"content": "Hi"});
    let named = json!({"content": "Hi", "settings": settings});
    let play = json!({"prompt": "Hi", "settings": settings});
    let other = json!({"key": "sk-canary-default-1111"});
    ada.post("/providers/openai/keys", &other).await.expect(201);
    let refused = |answer: crate::support::Answer| {
        assert_eq!(answer.error(424), "provider_key_missing");
        let mut error = answer.json()["error"].clone();
        error["request_id"] = Value::Null;
        error["timestamp"] = Value::Null;
        error
    };
    let of_session = refused(ada.post(&path, &say).await);
    assert_eq!(
        of_session["details"],
        json!({"provider": "openai", "key_name": "work"})
    );
    assert_eq!(refused(ada.post(&plain, &named).await), of_session);
    assert_eq!(
        refused(ada.post("/api/playground/run", &play).await),
        of_session
    );
    assert_eq!(upstream.asked("/v1/chat/completions").len(), 0);
    // One that is switched off is as good as none; one that is there is used.
    let work = json!({"key": "sk-canary-work-2222", "key_name": "work"});
    let key = ada.post("/providers/openai/keys", &work).await.expect(201);
    ada.post(&path, &say).await.expect(201);
    let asked = upstream.asked("/v1/chat/completions");
    assert_eq!(
        (asked.len(), asked[0].key.as_str()),
        (1, "sk-canary-work-2222")
    );
    let of_key = format!("/api/keys/{}", key["id"].as_str().unwrap());
    let off = json!({"is_active": false});
    ada.patch(&of_key, &off).await.expect(200);
    assert_eq!(refused(ada.post(&path, &say).await), of_session);
    // The demo needs no key, whatever the session says.
    let demo = json!({"content": "Hi", "model": "demo/echo"});
    ada.post(&path, &demo).await.expect(201);
    server.stop().await;
}

/// An access key with a list of models sees those.
async fn a_key_with_a_list_sees_its_models(kind: Kind) {
    let Some((server, _upstream)) = with_upstream(kind).await else {
        return;
    };
    let ada = server.user().await;
    let all = ada.get("/providers/openai/models").await.expect(200);
    assert!(all["data"].as_array().unwrap().len() > 1);
    for (models, seen) in [
        (
            json!(["openai/gpt-4o-mini", "demo/echo"]),
            Some("gpt-4o-mini"),
        ),
        (json!(["gpt-4o-mini"]), Some("gpt-4o-mini")),
        (json!(["demo/*"]), None),
    ] {
        let new = json!({"name": aurax::new_id(), "models": models});
        let key = ada.post("/api/access-keys", &new).await.expect(201);
        let program = ada.with_token(key["key"].as_str().unwrap());
        let listed = program.get("/providers/openai/models").await.expect(200);
        let data = listed["data"].as_array().unwrap().iter();
        let ids: Vec<_> = data.map(|model| model["id"].as_str()).collect();
        assert_eq!(ids, Vec::from_iter(seen.map(Some)), "{models}");
    }
    let new = json!({"name": "all", "models": ["openai/*"]});
    let key = ada.post("/api/access-keys", &new).await.expect(201);
    let program = ada.with_token(key["key"].as_str().unwrap());
    assert_eq!(
        program.get("/providers/openai/models").await.expect(200),
        all
    );
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
