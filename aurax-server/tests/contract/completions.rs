//! Chats in the form of OpenAI's, with any provider.

use serde_json::{Value, json};

use crate::support::Kind;
use crate::upstream::BAD_KEY;
use crate::{fields, over_kinds, with_upstream};

over_kinds!(
    an_answer_comes_whole,
    an_answer_comes_in_chunks,
    a_broken_answer_ends_with_an_error,
    a_refusal_has_our_envelope,
);

fn ask(model: &str, stream: bool) -> Value {
    json!({
        "model": model,
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}],
        "stream": stream,
    })
}

const PATH: &str = "/api/chat/completions";

async fn an_answer_comes_whole(kind: Kind) {
    let Some((server, upstream)) = with_upstream(kind).await else {
        return;
    };
    let ada = server.user().await;
    let mut body = ask("openai/gpt-4o-mini", false);
    body["temperature"] = json!(0.5);
    body["tools"] =
        json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]);
    let answer = ada.post(PATH, &body).await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let answer = answer.expect(200);
    assert_eq!(answer["object"], "chat.completion");
    assert_eq!(answer["choices"][0]["message"]["role"], "assistant");
    assert_eq!(
        answer["choices"][0]["message"]["content"],
        "The sky is blue."
    );
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    assert_eq!(answer["usage"]["prompt_tokens"], 1_000);
    assert_eq!(answer["usage"]["total_tokens"], 1_500);
    let asked = upstream.asked("/v1/chat/completions");
    assert_eq!(asked[0].key, "sk-operator-canary");
    assert_eq!(asked[0].body["model"], "gpt-4o-mini");
    assert_eq!(asked[0].body["temperature"], 0.5);
    assert_eq!(asked[0].body["tools"][0]["function"]["name"], "f");

    let usage = ada.get("/api/usage").await.expect(200);
    assert_eq!(usage["data"][0]["cost_decimal"], "0.00045");
    assert_eq!(usage["data"][0]["session_id"], Value::Null);
    // Any provider answers in the same form.
    let demo = ada.post(PATH, &ask("demo/echo", false)).await.expect(200);
    assert_eq!(demo["object"], "chat.completion");
    let words = demo["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(words.starts_with("[demo]"), "{words}");
    server.stop().await;
}

/// The data of events, `[DONE]` among them.
fn data(body: &[u8]) -> Vec<String> {
    let text = String::from_utf8(body.to_vec()).unwrap();
    let lines = text.lines().filter_map(|line| line.strip_prefix("data: "));
    lines.map(str::to_owned).collect()
}

async fn an_answer_comes_in_chunks(kind: Kind) {
    let Some((server, _upstream)) = with_upstream(kind).await else {
        return;
    };
    let ada = server.user().await;
    for (model, expected) in [
        ("openai/gpt-4o-mini", "The sky is blue."),
        ("demo/echo", "[demo]"),
    ] {
        let mut body = ask(model, true);
        body["stream_options"] = json!({"include_usage": true});
        let answer = ada.post_stream(PATH, &body).await;
        assert_eq!(answer.headers["content-type"], "text/event-stream");
        assert_eq!(answer.headers["cache-control"], "no-cache, no-store");
        assert_eq!(answer.headers["x-accel-buffering"], "no");
        assert_eq!(answer.status.as_u16(), 200);
        let answer = answer.collect().await;
        let data = data(&answer.body);
        let (done, chunks) = data.split_last().unwrap();
        assert_eq!(done, "[DONE]");
        let chunks: Vec<Value> = chunks
            .iter()
            .map(|chunk| serde_json::from_str(chunk).unwrap())
            .collect();
        let mut words = String::new();
        for chunk in &chunks {
            assert_eq!(chunk["object"], "chat.completion.chunk");
            if let Some(delta) = chunk["choices"][0]["delta"]["content"].as_str() {
                words.push_str(delta);
            }
        }
        assert!(words.starts_with(expected), "{words}");
        assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
        let usage = &chunks.last().unwrap()["usage"];
        assert!(usage["total_tokens"].as_u64().unwrap() > 0, "{usage}");
        assert!(!String::from_utf8_lossy(&answer.body).contains("event: "));
    }
    let usage = ada.get("/api/usage?provider=openai").await.expect(200);
    assert_eq!(usage["data"][0]["status"], "success");
    assert_eq!(usage["data"][0]["cost_decimal"], "0.00045");
    assert!(usage["data"][0]["ttft_ms"].is_u64());
    server.stop().await;
}

async fn a_broken_answer_ends_with_an_error(kind: Kind) {
    let Some((server, _upstream)) = with_upstream(kind).await else {
        return;
    };
    let ada = server.user().await;
    let answer = ada.post_stream(PATH, &ask("openai/broken", true)).await;
    assert_eq!(answer.status.as_u16(), 200);
    let events = answer.events().await;
    let (last, before) = events.split_last().unwrap();
    assert!(before.iter().all(|(name, _)| name.is_empty()));
    let words: String = before
        .iter()
        .filter_map(|(_, data)| data["choices"][0]["delta"]["content"].as_str())
        .collect();
    assert_eq!(words, "The sky ");
    assert_eq!(last.0, "error");
    let error = &last.1["error"];
    assert_eq!(error["code"], "provider_error");
    assert_eq!(fields(&last.1), ["error"]);
    for field in ["message", "timestamp", "request_id"] {
        assert!(error[field].is_string(), "{error}");
    }
    let usage = ada.get("/api/usage").await.expect(200);
    assert_eq!(usage["data"][0]["status"], "error");
    server.stop().await;
}

async fn a_refusal_has_our_envelope(kind: Kind) {
    let Some((server, upstream)) = with_upstream(kind).await else {
        return;
    };
    let ada = server.user().await;
    for stream in [false, true] {
        let missing = ada.post(PATH, &ask("nobody/nothing", stream)).await;
        assert_eq!(missing.error(404), "model_not_found");
        let failed = ada.post(PATH, &ask("openai/failing", stream)).await;
        assert_eq!(failed.error(502), "provider_error");
        assert_eq!(failed.header("content-type"), Some("application/json"));
        assert_eq!(failed.json()["error"]["details"]["provider_status"], 500);
    }
    let before = upstream.asked("/v1/chat/completions").len();
    for (body, field) in [
        (json!({"messages": []}), "model"),
        (json!({"model": "demo/echo"}), "messages"),
        (json!({"model": 1, "messages": []}), "model"),
        (json!({"model": "demo/echo", "messages": "x"}), "messages"),
        (
            json!({"model": "demo/echo", "messages": [{"role": "nobody", "content": "x"}]}),
            "messages[0].role",
        ),
        (
            json!({"model": "demo/echo", "messages": [{"role": "user", "content": "a\u{0}b"}]}),
            "messages[0].content",
        ),
    ] {
        assert_eq!(ada.post(PATH, &body).await.field(), field, "{body}");
    }
    let text = ada.send("POST", PATH, Some("text/plain"), "{}").await;
    assert_eq!(text.field(), "content-type");
    let broken = ada.send("POST", PATH, Some("application/json"), "{").await;
    assert_eq!(broken.error(400), "invalid_request");
    assert_eq!(upstream.asked("/v1/chat/completions").len(), before);
    assert_eq!(
        server
            .client()
            .post(PATH, &ask("demo/echo", false))
            .await
            .error(401),
        "unauthorized"
    );

    ada.post("/providers/openai/keys", &json!({"key": BAD_KEY}))
        .await
        .expect(201);
    for stream in [false, true] {
        let refused = ada.post(PATH, &ask("openai/gpt-4o-mini", stream)).await;
        assert_eq!(refused.error(424), "provider_key_refused");
        assert!(!String::from_utf8_lossy(&refused.body).contains(BAD_KEY));
    }
    server.stop().await;
}
