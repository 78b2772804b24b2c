//! Just enough HTTP/1.1 to be in full control of what is on the wire.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::{Bytes, BytesMut};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::Counts;
use super::dialect::Dialect;
use super::plan::{Plan, Step};
use super::scenario::Scenario;

/// The longest request that is read.
const MAX_REQUEST: usize = 64 << 20;

/// Serves until it is dropped.
pub(super) async fn accept(listener: TcpListener, counts: Arc<Counts>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(connection(stream, counts.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// A client that leaves ends its connection, which is no error of the upstream's.
async fn connection(mut stream: TcpStream, counts: Arc<Counts>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = BytesMut::new();
    while let Some((path, body)) = read_request(&mut stream, &mut buffer).await? {
        counts.requests.fetch_add(1, Ordering::Relaxed);
        let _answering = Answering::new(&counts);
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let keeps = match Dialect::of(&path, &body) {
            Some((dialect, model, streams)) => {
                let scenario = Scenario::find(&model).unwrap_or(Scenario::Plain);
                let plan = Plan::new(scenario, dialect, streams, &model);
                perform(&mut stream, plan).await?
            }
            None => {
                let head = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
                stream.write_all(head.as_bytes()).await?;
                true
            }
        };
        if !keeps {
            break;
        }
    }
    Ok(())
}

struct Answering<'a>(&'a Counts);

impl<'a> Answering<'a> {
    fn new(counts: &'a Counts) -> Self {
        counts.open.fetch_add(1, Ordering::Relaxed);
        Self(counts)
    }
}

impl Drop for Answering<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The path and body of the next request; `None` when the client is gone.
async fn read_request(
    stream: &mut TcpStream,
    buffer: &mut BytesMut,
) -> io::Result<Option<(String, Bytes)>> {
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if buffer.len() > MAX_REQUEST || stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&buffer.split_to(end)).into_owned();
    let mut lines = head.lines();
    let path = lines.next().and_then(|line| line.split(' ').nth(1));
    let path = path.unwrap_or_default().to_owned();
    let length = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse::<usize>().ok())
        .unwrap_or(0);
    if length > MAX_REQUEST {
        return Ok(None);
    }
    while buffer.len() < length {
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
    Ok(Some((path, buffer.split_to(length).freeze())))
}

/// Answers; false when the connection is to close.
async fn perform(stream: &mut TcpStream, plan: Plan) -> io::Result<bool> {
    if let Some(step) = plan.before {
        return take(stream, step).await;
    }
    let mut head = format!("HTTP/1.1 {} Hostile\r\n", plan.status);
    for (name, value) in &plan.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("transfer-encoding: chunked\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    for step in plan.body {
        if !take(stream, step).await? {
            return Ok(false);
        }
    }
    stream.write_all(b"0\r\n\r\n").await?;
    Ok(true)
}

/// Takes a step; false when the connection is to close.
async fn take(stream: &mut TcpStream, step: Step) -> io::Result<bool> {
    match step {
        Step::Send(bytes) => chunk(stream, &bytes).await?,
        Step::Repeat(bytes, pause) => loop {
            chunk(stream, &bytes).await?;
            if !wait(stream, pause).await {
                return Ok(false);
            }
        },
        Step::Drip(bytes, pause) => {
            for byte in bytes.chunks(1) {
                chunk(stream, byte).await?;
                if !pause.is_zero() && !wait(stream, pause).await {
                    return Ok(false);
                }
            }
        }
        Step::Hang => {
            gone(stream).await;
            return Ok(false);
        }
        Step::Cut => return Ok(false),
        Step::Reset => {
            stream.set_zero_linger()?;
            return Ok(false);
        }
    }
    Ok(true)
}

async fn chunk(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    let mut whole = format!("{:x}\r\n", bytes.len()).into_bytes();
    whole.extend_from_slice(bytes);
    whole.extend_from_slice(b"\r\n");
    stream.write_all(&whole).await
}

/// Waits; false when the client leaves meanwhile.
async fn wait(stream: &mut TcpStream, pause: std::time::Duration) -> bool {
    tokio::select! {
        () = tokio::time::sleep(pause) => true,
        () = gone(stream) => false,
    }
}

/// Waits until the client closes its side; what it sends meanwhile is not read as a request.
async fn gone(stream: &mut TcpStream) {
    let mut scratch = [0; 1024];
    while let Ok(read) = stream.read(&mut scratch).await
        && read > 0
    {}
}
