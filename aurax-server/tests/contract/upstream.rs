//! A provider on loopback that speaks OpenAI's protocol, as far as these tests ask it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

/// A key that the provider refuses.
pub(crate) const BAD_KEY: &str = "sk-refused-canary";

/// A key to which the provider says nothing.
pub(crate) const SILENT_KEY: &str = "sk-silent-canary";
/// A key with which the provider fails.
pub(crate) const FAILING_KEY: &str = "sk-failing-canary";

/// A provider that answers by the model it is asked for:
///
/// * `gpt-4o-mini`: 1,000 tokens in, 500 out, "The sky is blue."
/// * `gpt-4o`: the same tokens, "The sky is very grey."
/// * `broken`: a stream that stops after its first words.
/// * `silent`: nothing ever.
/// * `failing`: 500.
#[derive(Debug, Clone)]
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) key: String,
    pub(crate) body: Value,
}

impl Upstream {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = Self {
            address: listener.local_addr().unwrap(),
            asked: Arc::default(),
        };
        let router = Router::new().fallback(answer).with_state(upstream.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        upstream
    }

    pub(crate) fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// What was asked at a path so far.
    pub(crate) fn asked(&self, path: &str) -> Vec<Asked> {
        let asked = self.asked.lock().unwrap();
        asked
            .iter()
            .filter(|asked| asked.path == path)
            .cloned()
            .collect()
    }
}

async fn answer(State(upstream): State<Upstream>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let key = key(request.headers());
    let body = axum::body::to_bytes(request.into_body(), 1 << 24)
        .await
        .unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let asked = Asked {
        path: path.clone(),
        key: key.clone(),
        body: body.clone(),
    };
    upstream.asked.lock().unwrap().push(asked);
    if key == BAD_KEY {
        let error =
            json!({"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}});
        return (StatusCode::UNAUTHORIZED, axum::Json(error)).into_response();
    }
    match key.as_str() {
        SILENT_KEY => std::future::pending().await,
        FAILING_KEY => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        _ => {}
    }
    match path.as_str() {
        "/v1/models" => axum::Json(json!({"object": "list", "data": [
            {"id": "gpt-4o-mini", "object": "model", "created": 1_721_172_741, "owned_by": "system"},
            {"id": "unheard-of", "object": "model", "created": 1, "owned_by": "me"},
        ]}))
        .into_response(),
        "/v1/chat/completions" => chat(&body).await,
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn key(headers: &HeaderMap) -> String {
    let header = headers
        .get("authorization")
        .map(|value| value.to_str().unwrap());
    let header = header.unwrap_or_default();
    header.trim_start_matches("Bearer ").to_owned()
}

fn words(model: &str) -> [&'static str; 4] {
    match model {
        "gpt-4o" => ["The sky ", "is ", "very ", "grey."],
        _ => ["The ", "sky ", "is ", "blue."],
    }
}

async fn chat(body: &Value) -> Response {
    let model = body["model"].as_str().unwrap();
    let usage = json!({"prompt_tokens": 1_000, "completion_tokens": 500, "total_tokens": 1_500});
    let is_stream = body["stream"] == json!(true);
    match model {
        "failing" => {
            let error = json!({"error": {"message": "The server had an error"}});
            return (StatusCode::INTERNAL_SERVER_ERROR, axum::Json(error)).into_response();
        }
        "silent" => std::future::pending::<()>().await,
        _ => {}
    }
    if !is_stream {
        return axum::Json(json!({
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1_721_172_741,
            "model": model, "usage": usage,
            "choices": [{"index": 0, "finish_reason": "stop",
                "message": {"role": "assistant", "content": words(model).concat()}}],
        }))
        .into_response();
    }
    let chunk = |delta: Value, finish: Value, usage: Value| {
        let chunk = json!({
            "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_721_172_741,
            "model": model, "usage": usage,
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        });
        Bytes::from(format!("data: {chunk}\n\n"))
    };
    let mut chunks: Vec<Bytes> = words(model)
        .into_iter()
        .map(|word| chunk(json!({"content": word}), Value::Null, Value::Null))
        .collect();
    if model == "broken" {
        chunks.truncate(2);
    } else {
        chunks.push(chunk(json!({}), json!("stop"), Value::Null));
        let last = json!({
            "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_721_172_741,
            "model": model, "usage": usage, "choices": [],
        });
        chunks.push(Bytes::from(format!("data: {last}\n\ndata: [DONE]\n\n")));
    }
    let chunks = stream::iter(chunks).then(|chunk| async move {
        // Each is written by itself.
        tokio::task::yield_now().await;
        Ok::<_, Infallible>(chunk)
    });
    let body = Body::from_stream(chunks);
    ([("content-type", "text/event-stream")], body).into_response()
}
