//! Frames in and out of one connection, each with its limits.

use std::time::Duration;

use aurax::CancellationToken;
use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::error::Elapsed;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame, Utf8Bytes};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

/// The longest message of a client.
pub(super) const LONGEST: usize = 1 << 20;
/// What is read at once; it is allocated for each socket.
const READ: usize = 4 << 10;
/// What is written at once.
const WRITE: usize = 16 << 10;
/// Longer texts go out in pieces, so that none of them waits in memory twice.
const PIECE: usize = 64 << 10;
/// What may wait to be written: a piece, what is written at once, and answers to pings.
const WAITING: usize = 2 * PIECE;
/// How long the other side may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(2);

/// What came in.
#[derive(Debug)]
pub(super) enum Incoming {
    /// A text.
    Text(Utf8Bytes),
    /// Something that is no text.
    Binary,
    /// A ping, or the answer to one.
    Sign,
    /// It broke the rules of the protocol: the socket closes with this.
    Wrong(u16, &'static str),
    /// The other side has gone.
    Gone,
}

/// The other side has gone, or reads nothing any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gone;

/// A socket's connection.
#[derive(Debug)]
pub(super) struct Wire {
    stream: WebSocketStream<TokioIo<Upgraded>>,
    stall: Duration,
    /// Cancelled when the client does not take in time that an answer is over.
    cut: CancellationToken,
    /// Nothing that came in can be read any more.
    is_broken: bool,
}

impl Wire {
    /// The server's side of a connection that was upgraded. Whoever takes nothing of what is
    /// written for `stall` is given up.
    pub(super) async fn new(upgraded: Upgraded, stall: Duration, cut: CancellationToken) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ)
            .write_buffer_size(WRITE)
            .max_write_buffer_size(WAITING)
            .max_message_size(Some(LONGEST))
            .max_frame_size(Some(LONGEST));
        let io = TokioIo::new(upgraded);
        Self {
            stream: WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await,
            stall,
            cut,
            is_broken: false,
        }
    }

    /// What comes in next.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub(super) async fn read(&mut self) -> Incoming {
        match self.stream.next().await {
            Some(Ok(Message::Text(text))) => Incoming::Text(text),
            Some(Ok(Message::Binary(_) | Message::Frame(_))) => Incoming::Binary,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Incoming::Sign,
            Some(Ok(Message::Close(_))) | None => Incoming::Gone,
            Some(Err(error)) => {
                self.is_broken = true;
                tracing::debug!(%error, "a socket broke");
                match error {
                    Error::Capacity(_) => Incoming::Wrong(
                        CloseCode::Size.into(),
                        "a message has more than 1048576 bytes",
                    ),
                    Error::Utf8(_) => Incoming::Wrong(
                        CloseCode::Invalid.into(),
                        "a text that is not UTF-8",
                    ),
                    Error::Protocol(
                        tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
                    )
                    | Error::Io(_) => Incoming::Gone,
                    _ => Incoming::Wrong(
                        CloseCode::Protocol.into(),
                        "what came is no WebSocket",
                    ),
                }
            }
        }
    }

    /// Sends texts, all together.
    pub(super) async fn send(
        &mut self,
        texts: impl IntoIterator<Item = Bytes>,
    ) -> Result<(), Gone> {
        for text in texts {
            self.feed(text).await?;
        }
        self.flush().await
    }

    async fn feed(&mut self, mut rest: Bytes) -> Result<(), Gone> {
        let mut kind = Data::Text;
        loop {
            let piece = rest.split_to(rest.len().min(PIECE));
            let is_last = rest.is_empty();
            let frame = Frame::message(piece, OpCode::Data(kind), is_last);
            self.put(Message::Frame(frame)).await?;
            if is_last {
                return Ok(());
            }
            // Each piece leaves before the next one comes.
            self.flush().await?;
            kind = Data::Continue;
        }
    }

    /// Asks whether the other side is there.
    pub(super) async fn ping(&mut self) -> Result<(), Gone> {
        self.put(Message::Ping(Bytes::new())).await?;
        self.flush().await
    }

    async fn put(&mut self, message: Message) -> Result<(), Gone> {
        let sent = tokio::time::timeout(self.stall, self.stream.feed(message));
        done(self.cut.run_until_cancelled(sent).await)
    }

    async fn flush(&mut self) -> Result<(), Gone> {
        let sent = tokio::time::timeout(self.stall, self.stream.flush());
        done(self.cut.run_until_cancelled(sent).await)
    }

    /// Says goodbye to who has said it, where they can still hear it.
    pub(super) async fn end(mut self) {
        if let Ok(Err(error)) = tokio::time::timeout(GOODBYE, self.stream.flush()).await {
            tracing::debug!(%error, "a client left without a word");
        }
    }

    /// Closes with a code and a reason, and gives the other side a moment to hear it.
    pub(super) async fn close(mut self, code: u16, reason: &'static str) {
        let closing = async {
            let frame = CloseFrame {
                code: code.into(),
                reason: Utf8Bytes::from_static(reason),
            };
            if self.stream.close(Some(frame)).await.is_err() {
                return;
            }
            if self.is_broken {
                return self.linger().await;
            }
            while let Some(Ok(_)) = self.stream.next().await {}
        };
        if tokio::time::timeout(GOODBYE, closing).await.is_err() {
            tracing::debug!("a client does not say goodbye");
        }
    }

    /// Reads on without looking: a connection that is closed over unread bytes is reset, and the
    /// other side never learns why.
    async fn linger(&mut self) {
        let io = self.stream.get_mut();
        if io.shutdown().await.is_err() {
            return;
        }
        let mut scratch = [0; READ];
        while let Ok(read) = io.read(&mut scratch).await
            && read > 0
        {}
    }
}

fn done(sent: Option<Result<Result<(), Error>, Elapsed>>) -> Result<(), Gone> {
    match sent {
        Some(Ok(Ok(()))) => Ok(()),
        Some(Ok(Err(error))) => {
            tracing::debug!(%error, "a socket takes nothing any more");
            Err(Gone)
        }
        Some(Err(_)) | None => {
            tracing::debug!("a socket's client reads nothing any more");
            Err(Gone)
        }
    }
}
