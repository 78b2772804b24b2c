//! A quick upstream for all clients alike: one process, canned answers, keep-alive.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const WHOLE: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"message":{"role":"assistant","content":"The capital of France is Paris, on the Seine.","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":24,"completion_tokens":11,"total_tokens":35,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},"service_tier":"default","system_fingerprint":"fp_1"}"#;

/// Pieces of a stream.
pub const PIECES: usize = 64;

fn stream() -> String {
    let chunk = |rest: &str| {
        format!(
            "data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"gpt-4o-mini-2024-07-18\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_1\",{rest}}}\n\n"
        )
    };
    let delta = |delta: &str, finish: &str| {
        chunk(&format!(
            r#""choices":[{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{finish}}}],"usage":null"#
        ))
    };
    let mut out = delta(r#"{"role":"assistant","content":""}"#, "null");
    for number in 0..PIECES {
        out.push_str(&delta(&format!(r#"{{"content":" word{number}"}}"#), "null"));
    }
    out.push_str(&delta("{}", r#""stop""#));
    out.push_str(&chunk(r#""choices":[],"usage":{"prompt_tokens":24,"completion_tokens":64,"total_tokens":88}"#));
    out.push_str("data: [DONE]\n\n");
    out
}

/// Serves until the process is killed, and says where on standard output.
pub async fn serve() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let whole = response("application/json", WHOLE);
    let stream = chunked("text/event-stream", &stream());
    loop {
        let (socket, _) = listener.accept().await?;
        let (whole, stream) = (whole.clone(), stream.clone());
        tokio::spawn(async move { connection(socket, &whole, &stream).await });
    }
}

fn response(kind: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}").into()
}

/// Every event is a chunk of its own, all sent at once.
fn chunked(kind: &str, body: &str) -> Vec<u8> {
    let mut out =
        format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n");
    for event in body.split_inclusive("\n\n") {
        out.push_str(&format!("{:x}\r\n{event}\r\n", event.len()));
    }
    out.push_str("0\r\n\r\n");
    out.into()
}

async fn connection(mut socket: TcpStream, whole: &[u8], stream: &[u8]) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut buffer = Vec::new();
    loop {
        let Some(end) = find(&buffer, b"\r\n\r\n") else {
            if socket.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
            continue;
        };
        let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
        let length: usize = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .and_then(|value| value.trim().parse().ok())
            .unwrap_or(0);
        let total = end + 4 + length;
        while buffer.len() < total {
            if socket.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        }
        let streams = find(&buffer[end..total], br#""stream":true"#).is_some();
        buffer.drain(..total);
        socket.write_all(if streams { stream } else { whole }).await?;
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}
