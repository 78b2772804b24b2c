//! A provider on loopback that speaks OpenAI's chat completions, does with each request what its
//! prompt says, and notes what it was asked, what it sent and what it would bill.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aurax_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use uuid::Uuid;

use super::journal::Journal;
use super::plan::{Ending, Plan, Prompt};

/// The longest request that is read.
const MOST: usize = 1 << 20;

/// What an upstream notes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fact {
    /// A request arrived.
    Asked {
        /// Which.
        request: Uuid,
        /// Which of its attempts, from 1.
        attempt: usize,
        /// Whether a stream was asked for.
        streams: bool,
    },
    /// An answer ended.
    Ended {
        /// Of which request.
        request: Uuid,
        /// Of which attempt.
        attempt: usize,
        /// How.
        how: How,
        /// Input tokens to be billed.
        input: u64,
        /// Output tokens to be billed: those that were sent.
        output: u64,
    },
}

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum How {
    /// With everything that was planned.
    Complete,
    /// With an error status, which costs nothing.
    Failed,
    /// By the upstream's own hand, before its end.
    Cut,
    /// The client hung up.
    HungUp,
}

/// The upstream. It serves until it is dropped.
#[derive(Debug)]
pub struct Upstream {
    url: String,
    path: PathBuf,
    shared: Arc<Shared>,
    server: AbortHandle,
}

#[derive(Debug)]
struct Shared {
    journal: Journal,
    attempts: Mutex<HashMap<Uuid, usize>>,
    open: AtomicUsize,
}

impl Upstream {
    /// Serves on a free port of 127.0.0.1, on the runtime it is called on, and notes facts in
    /// `journal`.
    ///
    /// # Errors
    /// `Internal` when there is no port, or the journal cannot be opened.
    pub async fn start(journal: impl AsRef<Path>) -> Result<Self> {
        let no_port = |e: io::Error| {
            Error::new(ErrorKind::Internal, "the upstream cannot listen").with_source(e)
        };
        let path = journal.as_ref().to_owned();
        let shared = Arc::new(Shared {
            journal: Journal::open(&path)?,
            attempts: Mutex::default(),
            open: AtomicUsize::new(0),
        });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(no_port)?;
        let address = listener.local_addr().map_err(no_port)?;
        let server = tokio::spawn(accept(listener, shared.clone())).abort_handle();
        Ok(Self {
            url: format!("http://{address}/v1"),
            path,
            shared,
            server,
        })
    }

    /// The base URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How many requests it answers right now.
    pub fn open(&self) -> usize {
        self.shared.open.load(Ordering::SeqCst)
    }

    /// What it noted so far.
    ///
    /// # Errors
    /// `Internal` when the journal cannot be read.
    pub fn facts(&self) -> Result<Vec<Fact>> {
        Journal::read(&self.path)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(connection(stream, shared.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Serves one connection until either side closes it. A client that leaves is no error.
async fn connection(mut stream: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::new();
    while let Some(body) = read_request(&mut stream, &mut buffer).await? {
        let Some(asked) = Asked::read(&body) else {
            let head = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(head.as_bytes()).await?;
            continue;
        };
        let mut answer = Answer::begin(&shared, &asked);
        let how = answer.perform(&mut stream, &asked).await;
        answer.how = how.as_ref().copied().unwrap_or(How::HungUp);
        drop(answer);
        if !matches!(how, Ok(How::Complete | How::Failed)) {
            break;
        }
    }
    Ok(())
}

/// The body of the next request; `None` when the client is gone.
async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Option<Vec<u8>>> {
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if buffer.len() > MOST || stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    let head: Vec<u8> = buffer.drain(..end).collect();
    let head = String::from_utf8_lossy(&head);
    let length = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse::<usize>().ok())
        .unwrap_or(0);
    while buffer.len() < length {
        if length > MOST || stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
    Ok(Some(buffer.drain(..length).collect()))
}

/// A request as the upstream sees it.
struct Asked {
    prompt: Prompt,
    model: String,
    streams: bool,
    /// What the prompt costs: a token for every four bytes, and ten for the rest.
    input: u64,
    limit: u64,
}

impl Asked {
    fn read(body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let messages = body.get("messages")?.as_array()?;
        let text = |message: &Value| match message.get("content") {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Array(parts)) => {
                let texts = parts.iter().filter_map(|part| part.get("text")?.as_str());
                texts.collect()
            }
            _ => String::new(),
        };
        let bytes: usize = messages.iter().map(|message| text(message).len()).sum();
        let prompt = messages.iter().rev().find_map(|message| {
            let is_user = message.get("role")?.as_str()? == "user";
            is_user.then(|| Prompt::read(&text(message)))?
        })?;
        let limit = ["max_completion_tokens", "max_tokens"]
            .iter()
            .find_map(|name| body.get(name)?.as_u64());
        Some(Self {
            prompt,
            model: body.get("model")?.as_str()?.to_owned(),
            streams: body.get("stream").and_then(Value::as_bool) == Some(true),
            input: u64::try_from(bytes / 4 + 10).unwrap_or(u64::MAX),
            limit: limit.unwrap_or(u64::MAX),
        })
    }
}

/// One answer. Whatever becomes of it is noted.
struct Answer<'a> {
    shared: &'a Shared,
    request: Uuid,
    attempt: usize,
    input: u64,
    sent: u64,
    how: How,
}

impl<'a> Answer<'a> {
    fn begin(shared: &'a Shared, asked: &Asked) -> Self {
        let request = asked.prompt.request;
        let mut attempts = shared
            .attempts
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let attempt = attempts.entry(request).or_default();
        *attempt += 1;
        let attempt = *attempt;
        drop(attempts);
        shared.open.fetch_add(1, Ordering::SeqCst);
        shared.journal.note(&Fact::Asked {
            request,
            attempt,
            streams: asked.streams,
        });
        Self {
            shared,
            request,
            attempt,
            input: asked.input,
            sent: 0,
            how: How::HungUp,
        }
    }

    /// Does what is planned; an error is a client that hung up.
    async fn perform(&mut self, stream: &mut TcpStream, asked: &Asked) -> io::Result<How> {
        let plan = asked.prompt.plan(self.attempt);
        pause(stream, Duration::from_millis(plan.hold_ms)).await?;
        if let Ending::Status(status) = plan.ending {
            let body = json!({"error": {"message": "as planned", "type": "server_error"}});
            write_whole(stream, status, &body).await?;
            return Ok(How::Failed);
        }
        let tokens = plan.tokens.min(asked.limit);
        let finish = if tokens < plan.tokens {
            "length"
        } else {
            "stop"
        };
        if asked.streams {
            self.stream(stream, asked, &plan, tokens, finish).await
        } else {
            self.whole(stream, asked, &plan, tokens, finish).await
        }
    }

    fn usage(&self) -> Value {
        json!({
            "prompt_tokens": self.input,
            "completion_tokens": self.sent,
            "total_tokens": self.input + self.sent,
        })
    }

    async fn whole(
        &mut self,
        stream: &mut TcpStream,
        asked: &Asked,
        plan: &Plan,
        tokens: u64,
        finish: &str,
    ) -> io::Result<How> {
        let mut text = String::new();
        for token in 0..tokens {
            pause(stream, Duration::from_micros(plan.pace_us)).await?;
            text.push_str(&word(token));
            self.sent += 1;
        }
        match plan.ending {
            Ending::Cut => return Ok(How::Cut),
            Ending::Hang => return gone(stream).await,
            Ending::Complete | Ending::Status(_) => {}
        }
        let body = json!({
            "id": format!("chatcmpl-{}-{}", self.request.simple(), self.attempt),
            "object": "chat.completion", "created": 1, "model": asked.model,
            "choices": [{"index": 0, "finish_reason": finish,
                "message": {"role": "assistant", "content": text}}],
            "usage": self.usage(),
        });
        write_whole(stream, 200, &body).await?;
        Ok(How::Complete)
    }

    async fn stream(
        &mut self,
        stream: &mut TcpStream,
        asked: &Asked,
        plan: &Plan,
        tokens: u64,
        finish: &str,
    ) -> io::Result<How> {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
                    transfer-encoding: chunked\r\n\r\n";
        stream.write_all(head.as_bytes()).await?;
        let id = format!("chatcmpl-{}-{}", self.request.simple(), self.attempt);
        let frame = |choices: Value, usage: Value| {
            json!({
                "id": id, "object": "chat.completion.chunk", "created": 1, "model": asked.model,
                "choices": choices, "usage": usage,
            })
        };
        let choice = |delta: Value, finish: Value| json!([{"index": 0, "delta": delta, "finish_reason": finish}]);
        for token in 0..tokens {
            pause(stream, Duration::from_micros(plan.pace_us)).await?;
            let delta = json!({"role": "assistant", "content": word(token)});
            // Counted first: what the client may have seen is billed.
            self.sent += 1;
            write_frame(stream, &frame(choice(delta, Value::Null), Value::Null)).await?;
        }
        match plan.ending {
            Ending::Cut => return Ok(How::Cut),
            Ending::Hang => return gone(stream).await,
            Ending::Complete | Ending::Status(_) => {}
        }
        write_frame(
            stream,
            &frame(choice(json!({}), finish.into()), Value::Null),
        )
        .await?;
        write_frame(stream, &frame(json!([]), self.usage())).await?;
        write_chunk(stream, b"data: [DONE]\n\n").await?;
        stream.write_all(b"0\r\n\r\n").await?;
        Ok(How::Complete)
    }
}

impl Drop for Answer<'_> {
    fn drop(&mut self) {
        let bills = self.how != How::Failed;
        self.shared.journal.note(&Fact::Ended {
            request: self.request,
            attempt: self.attempt,
            how: self.how,
            input: if bills { self.input } else { 0 },
            output: self.sent,
        });
        self.shared.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// One token.
fn word(number: u64) -> String {
    format!("w{} ", number % 10)
}

fn hung_up() -> io::Error {
    io::ErrorKind::ConnectionAborted.into()
}

/// Waits, unless the client hangs up.
async fn pause(stream: &mut TcpStream, pause: Duration) -> io::Result<()> {
    if pause.is_zero() {
        return Ok(());
    }
    tokio::select! {
        () = tokio::time::sleep(pause) => Ok(()),
        left = gone(stream) => left.map(drop),
    }
}

/// Waits until the client hangs up, which is an error.
async fn gone(stream: &mut TcpStream) -> io::Result<How> {
    let mut byte = [0];
    // Nobody sends anything while an answer is on its way: one byte is as odd as the end.
    stream.read_exact(&mut byte).await?;
    Err(hung_up())
}

async fn write_whole(stream: &mut TcpStream, status: u16, body: &Value) -> io::Result<()> {
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 {status} Planned\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await
}

async fn write_frame(stream: &mut TcpStream, frame: &Value) -> io::Result<()> {
    write_chunk(stream, format!("data: {frame}\n\n").as_bytes()).await
}

async fn write_chunk(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
    chunk.extend_from_slice(bytes);
    chunk.extend_from_slice(b"\r\n");
    stream.write_all(&chunk).await
}
