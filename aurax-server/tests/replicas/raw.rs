//! A client that sends bytes, and sees what becomes of its connection.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use aurax::{Clock as _, SystemClock};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

/// A connection of HTTP/1.1.
pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
    buffer: Vec<u8>,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Told {
    /// Whether the server wants no more on this connection.
    pub(crate) fn is_last(&self) -> bool {
        self.head.contains("connection: close")
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, what)
}

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> io::Result<Self> {
        Ok(Self {
            stream: TcpStream::connect(address).await?,
            buffer: Vec::new(),
        })
    }

    /// One for which little is kept by the system.
    pub(crate) async fn small(address: SocketAddr) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(4 << 10)?;
        Ok(Self {
            stream: socket.connect(address).await?,
            buffer: Vec::new(),
        })
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref()).await
    }

    /// Sends a request, and waits for its whole answer.
    pub(crate) async fn ask(&mut self, request: &str) -> io::Result<Told> {
        self.send(request).await?;
        self.answer().await
    }

    /// The next answer, whole.
    pub(crate) async fn answer(&mut self) -> io::Result<Told> {
        let end = loop {
            if let Some(at) = find(&self.buffer, b"\r\n\r\n") {
                break at + 4;
            }
            self.more("no answer").await?;
        };
        let head = self.take(end);
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let body = if head.contains("transfer-encoding: chunked") {
            self.chunks().await?
        } else {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                (name == "content-length").then(|| value.trim().parse().unwrap())
            });
            self.exactly(length.unwrap_or(0)).await?
        };
        Ok(Told { status, head, body })
    }

    async fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let end = loop {
                if let Some(at) = find(&self.buffer, b"\r\n") {
                    break at + 2;
                }
                self.more("no chunk").await?;
            };
            let line = String::from_utf8(self.take(end)).unwrap();
            let length = usize::from_str_radix(line.trim(), 16).unwrap();
            let chunk = self.exactly(length + 2).await?;
            if length == 0 {
                return Ok(body);
            }
            body.extend_from_slice(&chunk[..length]);
        }
    }

    async fn exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.buffer.len() < length {
            self.more("no whole body").await?;
        }
        Ok(self.take(length))
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        self.buffer.drain(..length).collect()
    }

    async fn more(&mut self, missing: &str) -> io::Result<()> {
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(broken(missing)),
            _ => Ok(()),
        }
    }

    /// Waits until the server closes the connection, and says how long that took, and what came
    /// before.
    pub(crate) async fn closed(&mut self) -> (Duration, Vec<u8>) {
        let begun = SystemClock.monotonic();
        let limit = Duration::from_secs(20);
        let closed = tokio::time::timeout(limit, async { while self.more("").await.is_ok() {} });
        closed.await.unwrap();
        (
            SystemClock.monotonic() - begun,
            std::mem::take(&mut self.buffer),
        )
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// A request with a token and a body of JSON.
pub(crate) fn post(path: &str, token: &str, body: &serde_json::Value) -> String {
    let body = body.to_string();
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A request without a body.
pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n")
}
