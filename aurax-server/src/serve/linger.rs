//! Connections that close while the other side still sends.
//!
//! A socket that is closed with bytes nobody has read is reset, and a reset takes the answer away
//! from a client that has not read it yet: it would see a broken connection where it was told that
//! its body is too large. So what is left of a short body is read, and the connection goes on; else
//! the client is told that it closes, the way out is closed first, and what comes in is thrown away
//! for a moment.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep, timeout};

/// The longest body that is read for nothing, in bytes: a connection costs more.
const SHORT: u64 = 64 << 10;
/// For how long it is waited for.
const MOMENT: Duration = Duration::from_millis(100);
/// For how long what still comes in is thrown away.
const LINGER: Duration = Duration::from_secs(5);
/// How much of it at a time.
const CHUNK: usize = 8 << 10;
/// How many chunks before others get their turn.
const CHUNKS: usize = 16;

/// Whether a connection closes with bytes that nobody has read.
#[derive(Debug, Clone, Default)]
pub(super) struct Unread(Arc<AtomicBool>);

impl Unread {
    /// It will.
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Where a request's body is put by whoever leaves it before its end.
#[derive(Debug, Clone, Default)]
pub(super) struct Left(Arc<Mutex<Option<Incoming>>>);

impl Left {
    /// The body of a request, which may be left.
    pub(super) fn by_then(&self, body: Incoming) -> Leaving {
        Leaving {
            inner: Some(body),
            left: self.clone(),
        }
    }

    /// Reads what is left of a short body, so that its connection can go on. Whether nothing is
    /// left then.
    pub(super) async fn is_read(&self) -> bool {
        let body = self.0.lock().ok().and_then(|mut left| left.take());
        let Some(body) = body else { return true };
        if body.size_hint().lower() > SHORT {
            return false;
        }
        let read = Limited::new(body, usize::try_from(SHORT).unwrap_or(usize::MAX)).collect();
        matches!(timeout(MOMENT, read).await, Ok(Ok(_)))
    }

    /// Whether something is left.
    pub(super) fn is_any(&self) -> bool {
        self.0.lock().is_ok_and(|left| left.is_some())
    }
}

/// A request's body that is put aside when it is left before its end.
#[derive(Debug)]
pub(super) struct Leaving {
    /// There until it is dropped.
    inner: Option<Incoming>,
    left: Left,
}

impl Body for Leaving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(inner) = &mut self.inner else {
            return Poll::Ready(None);
        };
        let frame = ready!(Pin::new(inner).poll_frame(context));
        if frame.is_none() {
            // One in chunks would not know that it has ended.
            self.inner = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        let body = self.inner.take().filter(|body| !body.is_end_stream());
        if let (Some(body), Ok(mut left)) = (body, self.left.0.lock()) {
            *left = Some(body);
        }
    }
}

/// A connection that, where a body was left unread, is closed in two steps.
#[derive(Debug)]
pub(super) struct Lingering<T> {
    inner: T,
    unread: Unread,
    is_shut: bool,
    /// Runs while what comes in is thrown away.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<T> Lingering<T> {
    pub(super) const fn new(inner: T, unread: Unread) -> Self {
        Self {
            inner,
            unread,
            is_shut: false,
            waiting: None,
        }
    }
}

impl<T: AsyncRead + Unpin> Lingering<T> {
    /// Reads to the end of what the other side sends.
    fn poll_rest(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut chunk = [0; CHUNK];
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(LINGER)));
        if waiting.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        for _ in 0..CHUNKS {
            let mut buffer = ReadBuf::new(&mut chunk);
            let read = ready!(Pin::new(&mut self.inner).poll_read(context, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                return Poll::Ready(());
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Lingering<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_shut {
            ready!(Pin::new(&mut self.inner).poll_shutdown(context))?;
            self.is_shut = true;
        }
        if self.unread.0.load(Ordering::Relaxed) {
            ready!(self.poll_rest(context));
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "the runtime's clock is the test's own"
)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use tokio::time::Instant;

    use super::*;

    fn unread() -> Unread {
        let unread = Unread::default();
        unread.set();
        unread
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_still_sent_is_taken_and_the_answer_read() {
        let (near, mut far) = duplex(8);
        let mut near = Lingering::new(near, unread());
        let closing = tokio::spawn(async move {
            near.write_all(b"no").await.unwrap();
            near.shutdown().await
        });
        far.write_all(&[0; 4_096]).await.unwrap();
        let mut answer = Vec::new();
        far.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, b"no");
        drop(far);
        closing.await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn who_never_ends_is_left() {
        let (near, mut far) = duplex(8);
        let mut near = Lingering::new(near, unread());
        let start = Instant::now();
        let sender = tokio::spawn(async move {
            while far.write_all(&[0; 8]).await.is_ok() {
                sleep(Duration::from_millis(100)).await;
            }
        });
        near.shutdown().await.unwrap();
        assert_eq!(start.elapsed(), LINGER);
        drop(near);
        sender.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn whose_body_was_read_is_not_waited_for() {
        let (near, _far) = duplex(8);
        let start = Instant::now();
        let mut near = Lingering::new(near, Unread::default());
        near.shutdown().await.unwrap();
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
}
