//! A client of the API over real sockets.

use std::net::SocketAddr;
use std::sync::Arc;

use aurax::providers::transport::{ByteStream, ReqwestTransport, Transport};
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use http::{HeaderMap, Method, Request, StatusCode};
use serde_json::{Value, json};

/// A password that is long enough.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// A client, with a token where it is logged in.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    transport: Arc<ReqwestTransport>,
    base: String,
    pub(crate) token: Option<String>,
    pub(crate) refresh: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) id: Option<String>,
    headers: Vec<(String, String)>,
}

/// A whole answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// An answer that is still on its way.
pub(crate) struct Streamed {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: ByteStream,
}

impl Answer {
    /// The body as JSON; `null` for an empty one.
    pub(crate) fn json(&self) -> Value {
        if self.body.is_empty() {
            return Value::Null;
        }
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// The body as JSON, of an answer of this status.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status.as_u16(), status, "{text}");
        self.json()
    }

    /// The code of an error of this status.
    #[track_caller]
    pub(crate) fn error(&self, status: u16) -> String {
        let body = self.expect(status);
        let error = &body["error"];
        assert!(error["message"].is_string(), "{body}");
        assert!(error["request_id"].is_string(), "{body}");
        assert!(error["timestamp"].is_string(), "{body}");
        assert!(error["retryable"].is_boolean(), "{body}");
        error["code"].as_str().unwrap().to_owned()
    }

    /// The field that a refusal names.
    #[track_caller]
    pub(crate) fn field(&self) -> String {
        assert_eq!(self.error(400), "invalid_request");
        let body = self.json();
        body["error"]["details"]["field"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Streamed {
    pub(crate) async fn collect(mut self) -> Answer {
        let mut body = BytesMut::new();
        while let Some(bytes) = self.body.next().await {
            body.extend_from_slice(&bytes.unwrap());
        }
        Answer {
            status: self.status,
            headers: self.headers,
            body: body.freeze(),
        }
    }

    /// The events: their names and data.
    pub(crate) async fn events(self) -> Vec<(String, Value)> {
        let answer = self.collect().await;
        assert_eq!(answer.header("content-type"), Some("text/event-stream"));
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        text.split("\n\n")
            .filter(|block| block.contains("data: "))
            .map(|block| {
                let line = |name: &str| {
                    let found = block.lines().find_map(|line| line.strip_prefix(name));
                    found.unwrap_or_default()
                };
                let data = serde_json::from_str(line("data: ")).unwrap();
                (line("event: ").to_owned(), data)
            })
            .collect()
    }
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self {
            transport: Arc::new(ReqwestTransport::new()),
            base: format!("http://{address}"),
            token: None,
            refresh: None,
            email: None,
            id: None,
            headers: Vec::new(),
        }
    }

    /// The same with a header on every request.
    pub(crate) fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with another token or key.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self {
            token: Some(token.to_owned()),
            ..self.clone()
        }
    }

    /// Makes an account and logs in.
    pub(crate) async fn register(self, email: &str) -> Self {
        let body = json!({"email": email, "password": PASSWORD});
        let user = self.post("/auth/register", &body).await.expect(201);
        let mut client = self.login(email).await;
        client.id = Some(user["id"].as_str().unwrap().to_owned());
        client
    }

    pub(crate) async fn login(mut self, email: &str) -> Self {
        let body = json!({"email": email, "password": PASSWORD});
        let tokens = self.post("/auth/login", &body).await.expect(200);
        self.token = Some(tokens["access_token"].as_str().unwrap().to_owned());
        self.refresh = Some(tokens["refresh_token"].as_str().unwrap().to_owned());
        self.email = Some(email.to_owned());
        self
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None, Bytes::new()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, None, Bytes::new()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.json("POST", path, body).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.json("PUT", path, body).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.json("PATCH", path, body).await
    }

    async fn json(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.send(method, path, Some("application/json"), body.to_string())
            .await
    }

    /// Sends anything and waits for the whole answer.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        content_type: Option<&str>,
        body: impl Into<Bytes>,
    ) -> Answer {
        let streamed = self.stream(method, path, content_type, body).await;
        streamed.collect().await
    }

    /// Posts JSON and gives the answer as it comes.
    pub(crate) async fn post_stream(&self, path: &str, body: &Value) -> Streamed {
        let json = Some("application/json");
        self.stream("POST", path, json, body.to_string()).await
    }

    pub(crate) async fn stream(
        &self,
        method: &str,
        path: &str,
        content_type: Option<&str>,
        body: impl Into<Bytes>,
    ) -> Streamed {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base));
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(body.into()).unwrap();
        let response = self.transport.send(request).await.unwrap();
        let (head, body) = response.into_parts();
        Streamed {
            status: head.status,
            headers: head.headers,
            body,
        }
    }
}
