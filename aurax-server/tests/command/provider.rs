//! Providers on loopback: one that speaks OpenAI's chat completions, and an Ollama.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// The key that it takes.
pub(crate) const KEY: &str = "sk-canary-0123456789abcdefghij";

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) key: Option<String>,
    pub(crate) body: Value,
}

/// A server, on a thread that ends with the process.
pub(crate) struct Provider {
    address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Provider {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let noted = noted.clone();
                std::thread::spawn(move || serve(stream.unwrap(), &noted));
            }
        });
        Self { address, asked }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// As OpenAI's.
    pub(crate) fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn last(&self) -> Asked {
        self.asked().pop().unwrap()
    }
}

fn serve(mut stream: TcpStream, noted: &Mutex<Vec<Asked>>) {
    let Some(asked) = read(&stream) else {
        return;
    };
    noted.lock().unwrap().push(asked.clone());
    let answer = match asked.path.as_str() {
        "/api/tags" => whole(
            200,
            &json!({"models": [
            {"name": "nomic-embed-text:latest"}, {"name": "llama3.2:1b"}]}),
        ),
        "/api/chat" => ollama(),
        _ if asked.key.as_deref() != Some(KEY) => whole(
            401,
            &json!({"error": {"message": "Incorrect API key provided", "type": "invalid_request_error",
                "code": "invalid_api_key"}}),
        ),
        "/v1/models" => whole(
            200,
            &json!({"object": "list", "data": [
            {"id": "gpt-4o-mini", "object": "model", "created": 1, "owned_by": "openai"}]}),
        ),
        _ => streamed(&asked.body),
    };
    drop(stream.write_all(answer.as_bytes()));
    if asked.body["model"] == "gpt-4o" {
        // It goes on until the client hangs up.
        drop(stream.read(&mut [0]));
    }
}

fn read(stream: &TcpStream) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let (mut length, mut key) = (0, None);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim().split_once(':') else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap(),
            "authorization" => key = value.trim().strip_prefix("Bearer ").map(str::to_owned),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = serde_json::from_slice(&body).unwrap_or_default();
    Some(Asked { path, key, body })
}

fn whole(status: u16, body: &Value) -> String {
    let body = body.to_string();
    format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{body}",
        body.len()
    )
}

/// How many messages there were; twelve tokens in, thirty out. `gpt-4o` never comes to an end.
fn streamed(asked: &Value) -> String {
    let messages = asked["messages"].as_array().map_or(0, Vec::len);
    let model = asked["model"].as_str().unwrap_or_default();
    let chunk = |delta: Value, finish: Value, usage: Value| {
        let chunk = json!({"id": "c", "object": "chat.completion.chunk", "created": 1,
            "model": model, "usage": usage,
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
        format!("data: {chunk}\n\n")
    };
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    let words = format!("{messages} messages");
    let mut text = format!(
        "{head}{}",
        chunk(
            json!({"role": "assistant", "content": words}),
            Value::Null,
            Value::Null
        )
    );
    if model != "gpt-4o" {
        let usage = json!({"prompt_tokens": 12, "completion_tokens": 30, "total_tokens": 42});
        text.push_str(&chunk(json!({}), json!("stop"), usage));
        text.push_str("data: [DONE]\n\n");
    }
    text
}

fn ollama() -> String {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\nconnection: close\r\n\r\n";
    let word = json!({"model": "llama3.2:1b", "created_at": "2026-11-22T00:00:00Z",
        "message": {"role": "assistant", "content": "from the llama"}, "done": false});
    let end = json!({"model": "llama3.2:1b", "created_at": "2026-11-22T00:00:00Z",
        "message": {"role": "assistant", "content": ""}, "done": true, "done_reason": "stop",
        "prompt_eval_count": 5, "eval_count": 3});
    format!("{head}{word}\n{end}\n")
}
