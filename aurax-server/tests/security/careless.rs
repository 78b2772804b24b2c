//! A provider that keeps nothing to itself.

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::canaries::{ANSWER, PROMPT};

/// A provider that shows whoever asks the key they came with, in every way a provider can fail.
async fn echo(mut socket: TcpStream) -> std::io::Result<()> {
    let mut asked = Vec::new();
    let (head, body) = loop {
        let mut bytes = [0; 4_096];
        let read = socket.read(&mut bytes).await?;
        if read == 0 {
            return Ok(());
        }
        asked.extend_from_slice(&bytes[..read]);
        let text = String::from_utf8_lossy(&asked).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = header(head, "content-length").and_then(|length| length.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                break (head.to_owned(), body.to_owned());
            }
        }
    };
    let key = header(&head, "authorization").unwrap_or_default();
    let (mode, _) = body.rsplit_once("-mode").unwrap_or_default();
    let mode = mode.rsplit([' ', '"']).next().unwrap_or_default();
    let error = json!({"error": {
        "message": format!("Incorrect API key provided: {key}. You said {PROMPT}."),
        "type": "invalid_request_error", "param": key, "code": "invalid_api_key", "key": key,
    }});
    let chunk = json!({"id": "c", "object": "chat.completion.chunk", "model": "gpt-4o-mini",
        "choices": [{"index": 0, "delta": {"role": "assistant", "content": ANSWER}}]});
    let end = json!({"id": "c", "object": "chat.completion.chunk", "model": "gpt-4o-mini",
        "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}});
    let whole = json!({"id": "c", "object": "chat.completion", "model": "gpt-4o-mini",
        "choices": [{"index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": ANSWER}}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}});
    let (status, kind, text) = match mode {
        "broken" => (200, "application/json", format!("{{\"oops\": \"{key}")),
        "html" => (502, "text/html", format!("<h1>{key}</h1>")),
        "cut" => (200, "text/event-stream", format!("data: {chunk}\n\n")),
        "late" => (
            200,
            "text/event-stream",
            format!("data: {chunk}\n\ndata: {error}\n\n"),
        ),
        status if status.parse::<u16>().is_ok() => (
            status.parse().unwrap(),
            "application/json",
            error.to_string(),
        ),
        _ if !body.contains("\"stream\":true") => (200, "application/json", whole.to_string()),
        _ => (
            200,
            "text/event-stream",
            format!("data: {chunk}\n\ndata: {end}\n\ndata: [DONE]\n\n"),
        ),
    };
    let length = text.len();
    let answer = format!(
        "HTTP/1.1 {status} Whatever\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\
         x-request-id: {key}\r\nx-echo: {key}\r\nwww-authenticate: {key}\r\n\
         connection: close\r\n\r\n{text}"
    );
    socket.write_all(answer.as_bytes()).await?;
    socket.shutdown().await
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// Its address.
pub(crate) async fn provider() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                if let Err(error) = echo(socket).await {
                    println!("{error}");
                }
            });
        }
    });
    format!("http://{address}/v1")
}
