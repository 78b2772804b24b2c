//! Whether the lines of one request can be told from those of others.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use aurax::{Call, Capability, Ctx, Error, ErrorKind, Provider, ProviderInfo, Reply};
use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{Answer, Client, Kind, Server, Setup, Socket, moment};

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Log {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    fn lines(&self, message: &str) -> Vec<Value> {
        let text = self.text();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        lines
            .filter(|line: &Value| line["message"] == message)
            .collect()
    }
}

/// A provider that fails as none should.
#[derive(Debug)]
struct Failing(ProviderInfo);

#[async_trait]
impl Provider for Failing {
    fn info(&self) -> &ProviderInfo {
        &self.0
    }

    fn capability(&self) -> Capability {
        aurax::providers::Demo::new().capability()
    }

    async fn call(&self, _: &Ctx, _: &Call) -> aurax::Result<Reply> {
        Err(Error::new(ErrorKind::Internal, "a bug"))
    }
}

/// What the spans of a line say.
fn span(line: &Value) -> BTreeMap<&str, &str> {
    let spans = line["spans"].as_array().unwrap_or_else(|| panic!("{line}"));
    let spans = spans.iter().filter(|span| span["name"] == "request");
    let said: Vec<_> = spans.collect();
    assert_eq!(said.len(), 1, "{line}");
    let fields = said[0].as_object().unwrap();
    fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
        .collect()
}

async fn send(client: &Client, path: &str, model: &str, stream: bool) -> Answer {
    let body = json!({"content": "Hi", "model": model, "stream": stream});
    client.post(path, &body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lines_of_a_request_say_which_one_it_is() {
    let log = Log::default();
    // As the command logs.
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_writer(log.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let mut setup = Setup::new();
    let failing = ProviderInfo::new("failing", "demo");
    setup.engine = setup.engine.provider(Failing(failing));
    let server = Server::with(Kind::Memory, setup).await.unwrap();
    let ada = server.user().await;
    let session = ada.post("/chat/sessions", &json!({})).await.expect(201);
    let session = session["id"].as_str().unwrap();
    let route = "/chat/sessions/{id}/messages";
    let path = route.replace("{id}", session);
    let keyed = ada.clone().with_header("idempotency-key", "one");

    let mut ids = Vec::new();
    for (client, stream) in [(&ada, false), (&ada, true), (&keyed, false)] {
        let answer = send(client, &path, "demo/echo", stream).await;
        assert!(answer.status.is_success());
        ids.push(answer.header("x-request-id").unwrap().to_owned());
    }
    for (at, line) in log.lines("chat_message_sent").iter().enumerate() {
        let said = span(line);
        assert_eq!(said["request_id"], ids[at]);
        assert_eq!((said["method"], said["route"]), ("POST", route));
        assert_eq!(line["request_id"], said["request_id"]);
    }
    assert_eq!(log.lines("chat_message_sent").len(), 3);

    // Who fails is told the id that the log has, whatever they call it themselves.
    let named = ada.clone().with_header("x-request-id", "mine");
    for (client, stream) in [(&ada, false), (&ada, true), (&named, false)] {
        let answer = send(client, &path, "failing/x", stream).await;
        assert_eq!(answer.error(500), "internal");
        ids.push(answer.header("x-request-id").unwrap().to_owned());
    }
    let failed = log.lines("a request failed");
    assert_eq!(failed.len(), 3, "{}", log.text());
    for (line, id) in failed.iter().zip(&ids[3..]) {
        let said = span(line);
        let shown = said.get("shown_id").copied().unwrap_or(said["request_id"]);
        assert_eq!(shown, id);
        assert_eq!((said["method"], said["route"]), ("POST", route));
    }

    // Each answer on a WebSocket has an id of its own.
    let mut socket = Socket::of(&ada, server.address).await;
    socket.chat(session, "demo/echo", "Hi").await;
    socket.until("chat_response").await;
    socket.chat(session, "failing/x", "Hi").await;
    let broken = socket.until("error").await;
    let lines = [
        log.lines("chat_message_sent"),
        log.lines("a request failed"),
    ];
    let [sent, failed] = lines.map(|lines| lines.last().cloned().unwrap());
    assert_eq!(
        (span(&sent)["route"], span(&failed)["route"]),
        ("/ws", "/ws")
    );
    assert_eq!(
        span(&sent)["request_id"],
        sent["request_id"].as_str().unwrap()
    );
    assert_eq!(
        span(&failed)["request_id"],
        broken["error"]["request_id"].as_str().unwrap()
    );

    // Queries and paths are the client's words.
    let secret = "sk-in-the-wrong-place";
    ada.get(&format!("/auth/me?key={secret}")).await.expect(400);
    ada.get(&format!("/{secret}")).await.expect(404);
    let path = format!("/api/keys/{secret}");
    ada.get(&path).await.expect(400);
    while log
        .lines("request")
        .iter()
        .filter(|line| line["status"] == 400)
        .count()
        < 2
    {
        moment().await;
    }
    let access = log.lines("request");
    let told = access.iter().find(|line| line["status"] == 404).unwrap();
    assert!(!span(told).contains_key("route"), "{told}");
    let told = access.iter().rfind(|line| line["status"] == 400).unwrap();
    assert_eq!(span(told)["route"], "/api/keys/{id}");
    assert!(!log.text().contains(secret));
    assert!(!log.text().contains(ada.token.as_deref().unwrap()));
    server.stop().await;
}
