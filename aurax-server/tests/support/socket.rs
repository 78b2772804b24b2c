//! A WebSocket client over a real socket.

use std::net::SocketAddr;
use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use http::{HeaderName, HeaderValue};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::client::Response;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::Client;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// How a socket is opened.
#[derive(Debug, Clone)]
pub(crate) struct Opening {
    address: SocketAddr,
    path: String,
    headers: Vec<(String, String)>,
}

impl Opening {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            path: "/ws".to_owned(),
            headers: Vec::new(),
        }
    }

    pub(crate) fn path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn protocols(self, protocols: &str) -> Self {
        self.header("sec-websocket-protocol", protocols)
    }

    /// Opens it, unless the server takes no more connections.
    pub(crate) async fn attempt(&self) -> Option<Socket> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let opened = tokio_tungstenite::client_async(self.request(), stream).await;
        opened.ok().map(|(stream, _)| Socket { stream })
    }

    fn request(&self) -> http::Request<()> {
        let url = format!("ws://{}{}", self.address, self.path);
        let mut request = url.into_client_request().unwrap();
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            let value = HeaderValue::from_str(value).unwrap();
            request.headers_mut().append(name, value);
        }
        request
    }

    /// Opens it, or says the status and the body of the refusal.
    pub(crate) async fn open(&self) -> Result<(Socket, Response), (u16, Value)> {
        let request = self.request();
        let stream = TcpStream::connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        match tokio_tungstenite::client_async(request, stream).await {
            Ok((stream, response)) => Ok((Socket { stream }, response)),
            Err(Error::Http(response)) => {
                let status = response.status().as_u16();
                let body = response.into_body().unwrap_or_default();
                Err((status, serde_json::from_slice(&body).unwrap_or_default()))
            }
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) async fn opened(&self) -> Socket {
        self.open().await.unwrap().0
    }
}

/// A client's side of a socket.
pub(crate) struct Socket {
    stream: WebSocketStream<TcpStream>,
}

impl Socket {
    /// One of a client that is logged in.
    pub(crate) async fn of(client: &Client, address: SocketAddr) -> Self {
        let token = client.token.clone().unwrap();
        Opening::new(address).bearer(&token).opened().await
    }

    /// The connection itself.
    pub(crate) fn raw(&mut self) -> &mut TcpStream {
        self.stream.get_mut()
    }

    pub(crate) async fn say(&mut self, frame: Value) {
        self.text(&frame.to_string()).await;
    }

    pub(crate) async fn text(&mut self, text: &str) {
        self.put(Message::text(text)).await.unwrap();
    }

    /// Sends anything; it fails when the server hears no more.
    pub(crate) async fn put(&mut self, message: Message) -> Result<(), Error> {
        self.stream.send(message).await
    }

    /// Says something in a session.
    pub(crate) async fn chat(&mut self, session: &str, model: &str, content: &str) {
        let frame = json!({
            "type": "chat_message", "session_id": session, "model": model, "content": content,
        });
        self.say(frame).await;
    }

    /// What the server says next; a panic when it closes.
    pub(crate) async fn hear(&mut self) -> Value {
        match self.next().await {
            Ok(frame) => frame,
            Err(code) => panic!("the socket closed with {code:?}"),
        }
    }

    /// The next frame, or the code the socket closed with: 1006 where there was none.
    pub(crate) async fn next(&mut self) -> Result<Value, u16> {
        let next = async {
            loop {
                match self.stream.next().await {
                    Some(Ok(Message::Text(text))) => {
                        break Ok(serde_json::from_str(text.as_str()).unwrap());
                    }
                    Some(Ok(Message::Close(Some(frame)))) => break Err(frame.code.into()),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    Some(Ok(other)) => panic!("{other:?}"),
                    Some(Err(_)) | None => break Err(1006),
                }
            }
        };
        tokio::time::timeout(PATIENCE, next).await.unwrap()
    }

    /// The next frame of a type, whatever comes before.
    pub(crate) async fn until(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.hear().await;
            if frame["type"] == kind {
                return frame;
            }
        }
    }

    /// The code of an error that comes next.
    pub(crate) async fn error(&mut self) -> String {
        let frame = self.hear().await;
        assert_eq!(frame["type"], "error", "{frame}");
        for field in ["message", "request_id", "timestamp"] {
            assert!(frame["error"][field].is_string(), "{frame}");
        }
        assert!(frame["error"]["retryable"].is_boolean(), "{frame}");
        frame["error"]["code"].as_str().unwrap().to_owned()
    }

    /// The code the socket closes with, and what was said before.
    pub(crate) async fn closed(&mut self) -> (Vec<Value>, u16) {
        let mut said = Vec::new();
        loop {
            match self.next().await {
                Ok(frame) => said.push(frame),
                Err(code) => return (said, code),
            }
        }
    }

    /// Whether the socket still answers.
    pub(crate) async fn lives(&mut self) {
        self.say(json!({"type": "ping"})).await;
        assert_eq!(self.hear().await, json!({"type": "pong"}));
    }

    pub(crate) async fn close(mut self) {
        if self.stream.close(None).await.is_ok() {
            while let Some(Ok(_)) = self.stream.next().await {}
        }
    }
}
