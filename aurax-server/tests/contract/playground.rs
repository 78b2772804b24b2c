//! Requests to try models with, kept and made again.

use serde_json::{Value, json};

use crate::support::Kind;
use crate::{fields, over_kinds, with_upstream};

over_kinds!(
    a_request_is_answered_and_kept,
    a_request_is_made_again_of_another_model,
    a_failed_request_is_kept_without_an_answer,
    requests_of_others_are_absent,
);

const RUN: &str = "/api/playground/run";
const HISTORY: &str = "/api/playground/history";

async fn a_request_is_answered_and_kept(kind: Kind) {
    let Some((server, upstream)) = with_upstream(kind).await else {
        return;
    };
    let ada = server.user().await;
    let ask = json!({
        "model": "openai/gpt-4o-mini",
        "messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "What?"},
                     {"role": "user", "content": "The sky."}],
        "settings": {"system": "Be brief.", "temperature": 0.25, "max_output_tokens": 99},
    });
    let run = ada.post(RUN, &ask).await.expect(200);
    let expected = [
        "cost",
        "cost_decimal",
        "cost_source",
        "finish_reason",
        "id",
        "latency_ms",
        "model",
        "provider",
        "text",
        "tokens",
        "usage",
    ];
    assert_eq!(fields(&run), expected);
    assert_eq!(
        (&run["provider"], &run["model"]),
        (&json!("openai"), &json!("gpt-4o-mini"))
    );
    assert_eq!(
        (&run["text"], &run["finish_reason"]),
        (&json!("The sky is blue."), &json!("stop"))
    );
    assert_eq!(
        (&run["tokens"], &run["cost_decimal"]),
        (&json!(1_500), &json!("0.00045"))
    );
    assert_eq!(
        (&run["usage"]["input"], &run["usage"]["output"]),
        (&json!(1_000), &json!(500))
    );
    assert!(run["latency_ms"].is_u64());
    let asked = &upstream.asked("/v1/chat/completions")[0].body;
    let roles: Vec<_> = asked["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["role"].as_str().unwrap())
        .collect();
    assert_eq!(roles, ["system", "user", "assistant", "user"]);
    assert_eq!(asked["temperature"], 0.25);

    let prompt = json!({"prompt": "Hello"});
    let demo = ada.post(RUN, &prompt).await.expect(200);
    assert_eq!(demo["provider"], "demo", "the default model");
    let listed = ada.get(HISTORY).await.expect(200);
    let [second, first] = listed["data"].as_array().unwrap().as_slice() else {
        panic!("{listed}")
    };
    let expected = [
        "created_at",
        "id",
        "model",
        "provider",
        "request_payload",
        "response_payload",
        "user_id",
    ];
    assert_eq!(fields(first), expected);
    assert_eq!((&first["id"], &second["id"]), (&run["id"], &demo["id"]));
    assert_eq!(
        first["request_payload"]["messages"][2]["content"],
        "The sky."
    );
    assert_eq!(first["response_payload"]["text"], "The sky is blue.");
    let path = format!("{HISTORY}/{}", run["id"].as_str().unwrap());
    assert_eq!(&ada.get(&path).await.expect(200), first);
    let some = ada
        .get(&format!("{HISTORY}?provider=demo&limit=1"))
        .await
        .expect(200);
    assert_eq!(some["data"], json!([second]));
    ada.delete(&path).await.expect(204);
    assert_eq!(ada.get(&path).await.error(404), "not_found");
    assert_eq!(
        ada.get("/api/usage").await.expect(200)["data"]
            .as_array()
            .unwrap()
            .len(),
        2
    );

    for (body, field) in [
        (json!({}), "messages"),
        (json!({"prompt": ""}), "prompt"),
        (
            json!({"prompt": "a", "messages": [{"role": "user", "content": "a"}]}),
            "prompt",
        ),
        (
            json!({"messages": [{"role": "user", "content": ""}]}),
            "messages[0].content",
        ),
        (
            json!({"messages": [{"role": "tool", "content": "a"}]}),
            "messages[0].role",
        ),
        (
            json!({"messages": [{"role": "user", "content": "a", "parts": [{"type": "text", "text": "x"}]}]}),
            "messages[0].parts[0].type",
        ),
        (
            json!({"prompt": "a", "settings": {"temperature": 9}}),
            "settings.temperature",
        ),
        (json!({"prompt": "a", "stream": true}), "stream"),
    ] {
        assert_eq!(ada.post(RUN, &body).await.field(), field, "{body}");
    }
    assert_eq!(
        ada.get(&format!("{HISTORY}?limit=51")).await.field(),
        "limit"
    );
    let large = json!({"prompt": "a".repeat(1 << 20)});
    assert_eq!(ada.post(RUN, &large).await.error(413), "too_large");
    let unknown = json!({"prompt": "a", "model": "nobody/nothing"});
    assert_eq!(ada.post(RUN, &unknown).await.error(404), "model_not_found");
    server.stop().await;
}

async fn a_request_is_made_again_of_another_model(kind: Kind) {
    let Some((server, upstream)) = with_upstream(kind).await else {
        return;
    };
    let ada = server.user().await;
    let ask = json!({"model": "gpt-4o-mini", "provider": "openai", "prompt": "Why?"});
    let run = ada.post(RUN, &ask).await.expect(200);
    let path = format!("{HISTORY}/{}/replay", run["id"].as_str().unwrap());
    let other = json!({"model": "openai/gpt-4o"});
    let replayed = ada.post(&path, &other).await.expect(200);
    assert_eq!(fields(&replayed), ["diff", "replayed_id", "run"]);
    assert_eq!(replayed["replayed_id"], run["id"]);
    let again = &replayed["run"];
    assert_eq!(
        (&again["model"], &again["text"]),
        (&json!("gpt-4o"), &json!("The sky is very grey."))
    );
    let diff = &replayed["diff"];
    assert_eq!(fields(diff), ["cost", "latency_ms", "text", "tokens"]);
    let text = json!([
        {"op": "equal", "text": "The sky is "},
        {"op": "delete", "text": "blue."},
        {"op": "insert", "text": "very grey."},
    ]);
    assert_eq!(diff["text"], text);
    // (1,000 · 2.50 + 500 · 10) / 1,000,000
    assert_eq!(diff["cost"]["before_decimal"], "0.00045");
    assert_eq!(diff["cost"]["after_decimal"], "0.0075");
    assert_eq!(diff["cost"]["difference_decimal"], "0.00705");
    assert_eq!(diff["cost"]["difference"], 0.00705);
    assert_eq!(diff["latency_ms"]["before"], run["latency_ms"]);
    assert_eq!(diff["latency_ms"]["after"], again["latency_ms"]);
    assert_eq!(diff["tokens"], json!({"before": 1_500, "after": 1_500}));

    let same = ada.post(&path, &json!({})).await.expect(200);
    assert_eq!(same["run"]["model"], "gpt-4o-mini");
    let text = json!([{"op": "equal", "text": "The sky is blue."}]);
    assert_eq!(same["diff"]["text"], text);
    assert_eq!(same["diff"]["cost"]["difference_decimal"], "0");
    let demo = ada
        .post(&path, &json!({"provider": "demo", "model": "echo"}))
        .await
        .expect(200);
    assert_eq!(demo["run"]["provider"], "demo");
    assert_eq!(demo["diff"]["cost"]["difference_decimal"], "-0.00045");
    assert_eq!(upstream.asked("/v1/chat/completions").len(), 3);
    let listed = ada.get(HISTORY).await.expect(200);
    assert_eq!(
        listed["data"].as_array().unwrap().len(),
        4,
        "what was made again is kept, too"
    );
    assert_eq!(
        ada.post(&path, &json!({"prompt": "x"})).await.field(),
        "prompt"
    );

    let scope = server
        .store
        .user(&aurax::Principal::new(ada.id.clone().unwrap()));
    let other = aurax::Json::parse("[1]").unwrap();
    let other = scope
        .add_to_history("openai", "gpt-4o", &other, None)
        .await
        .unwrap();
    let path = format!("{HISTORY}/{other}/replay");
    assert_eq!(ada.post(&path, &json!({})).await.error(409), "conflict");
    server.stop().await;
}

async fn a_failed_request_is_kept_without_an_answer(kind: Kind) {
    let Some((server, _upstream)) = with_upstream(kind).await else {
        return;
    };
    let ada = server.user().await;
    let ask = json!({"model": "openai/failing", "prompt": "Why?"});
    assert_eq!(ada.post(RUN, &ask).await.error(502), "provider_error");
    let listed = ada.get(HISTORY).await.expect(200);
    let past = &listed["data"][0];
    assert_eq!(
        (&past["model"], &past["response_payload"]),
        (&json!("failing"), &Value::Null)
    );
    let path = format!("{HISTORY}/{}/replay", past["id"].as_str().unwrap());
    let replayed = ada
        .post(&path, &json!({"model": "openai/gpt-4o-mini"}))
        .await
        .expect(200);
    let diff = &replayed["diff"];
    assert_eq!(
        diff["text"],
        json!([{"op": "insert", "text": "The sky is blue."}])
    );
    assert_eq!(diff["cost"]["before"], Value::Null);
    assert_eq!(diff["cost"]["difference"], Value::Null);
    assert_eq!(diff["tokens"], json!({"before": null, "after": 1_500}));
    server.stop().await;
}

async fn requests_of_others_are_absent(kind: Kind) {
    let Some((server, upstream)) = with_upstream(kind).await else {
        return;
    };
    let (ada, eve) = (server.user().await, server.user().await);
    let ask = json!({"model": "openai/gpt-4o-mini", "prompt": "Why?"});
    let run = ada.post(RUN, &ask).await.expect(200);
    for id in [run["id"].as_str().unwrap(), &aurax::new_id().to_string()] {
        let path = format!("{HISTORY}/{id}");
        assert_eq!(eve.get(&path).await.error(404), "not_found");
        assert_eq!(eve.delete(&path).await.error(404), "not_found");
        let again = eve.post(&format!("{path}/replay"), &json!({})).await;
        assert_eq!(again.error(404), "not_found");
    }
    assert_eq!(eve.get(HISTORY).await.expect(200)["data"], json!([]));
    assert_eq!(upstream.asked("/v1/chat/completions").len(), 1);
    server.stop().await;
}
