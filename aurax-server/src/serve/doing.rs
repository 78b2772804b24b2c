//! What a connection is doing, and for how long it may.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::Version;
use http_body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;

use super::taking::Taking;

/// What a connection is doing. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Doing(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    phase: watch::Sender<Phase>,
    /// Several requests share the connection, and what arrives need not be one.
    is_shared: AtomicBool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The first request has not arrived.
    New,
    /// Part of another request has.
    Begun,
    /// So many requests are being answered.
    Answering(usize),
    /// Everything is answered.
    Kept,
}

/// For how long a connection may do nothing, or too little.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Until the first request has arrived.
    pub(super) first: Duration,
    /// From the first byte of another request until it has arrived.
    pub(super) head: Duration,
    /// Between two requests.
    pub(super) kept: Duration,
}

/// Why a connection has to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overdue {
    /// A request takes too long to arrive.
    Head,
    /// Nobody asks anything any more.
    Idle,
}

impl Patience {
    /// The same for everything.
    pub(super) const fn of(limit: Duration) -> Self {
        Self {
            first: limit,
            head: limit,
            kept: limit,
        }
    }
}

impl Doing {
    pub(super) fn new() -> Self {
        Self(Arc::new(Inner {
            phase: watch::Sender::new(Phase::New),
            is_shared: AtomicBool::new(false),
        }))
    }

    /// Something arrived.
    fn heard(&self) {
        // In HTTP/2 it may be a sign of life.
        if self.is_shared() {
            return;
        }
        self.0.phase.send_if_modified(|phase| {
            let is_next = *phase == Phase::Kept;
            if is_next {
                *phase = Phase::Begun;
            }
            is_next
        });
    }

    /// A request arrived, which goes on until the value goes.
    pub(super) fn asked(&self, version: Version) -> Asked {
        if version == Version::HTTP_2 {
            self.0.is_shared.store(true, Ordering::Relaxed);
        }
        self.0.phase.send_modify(|phase| {
            let open = match phase {
                Phase::Answering(open) => open.saturating_add(1),
                _ => 1,
            };
            *phase = Phase::Answering(open);
        });
        Asked(self.clone())
    }

    /// Whether several requests share the connection.
    pub(super) fn is_shared(&self) -> bool {
        self.0.is_shared.load(Ordering::Relaxed)
    }

    /// Waits until the connection has done nothing, or too little, for too long.
    ///
    /// # Cancel safety
    /// The time begins anew when it is asked again.
    pub(super) async fn overdue(&self, patience: Patience) -> Overdue {
        let mut seen = self.0.phase.subscribe();
        loop {
            let phase = *seen.borrow_and_update();
            let (limit, overdue) = match phase {
                Phase::New => (patience.first, Overdue::Head),
                Phase::Begun => (patience.head, Overdue::Head),
                Phase::Kept => (patience.kept, Overdue::Idle),
                Phase::Answering(_) => (Duration::MAX, Overdue::Idle),
            };
            // The sender is this value's own: it is there.
            if tokio::time::timeout(limit, seen.changed()).await.is_err() {
                return overdue;
            }
        }
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct Asked(Doing);

impl Drop for Asked {
    fn drop(&mut self) {
        self.0.0.phase.send_modify(|phase| {
            *phase = match phase {
                Phase::Answering(open) if *open > 1 => Phase::Answering(open.saturating_sub(1)),
                _ => Phase::Kept,
            };
        });
    }
}

/// A connection whose bytes are noticed as they arrive.
#[derive(Debug)]
pub(super) struct Heard<T> {
    inner: T,
    doing: Doing,
}

impl<T> Heard<T> {
    pub(super) const fn new(inner: T, doing: Doing) -> Self {
        Self { inner, doing }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Heard<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        if buffer.filled().len() > before {
            self.doing.heard();
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Heard<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

/// An answer's body: its request is answered when it has ended.
#[derive(Debug)]
pub(super) struct Answer<B> {
    body: B,
    _asked: Asked,
    taking: Option<Taking>,
}

impl<B> Answer<B> {
    pub(super) const fn new(body: B, asked: Asked, taking: Option<Taking>) -> Self {
        Self {
            body,
            _asked: asked,
            taking,
        }
    }
}

impl<B: Body + Unpin> Body for Answer<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        if let Some(taking) = &self.taking {
            taking.wants_more();
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(taking) = &self.taking {
            taking.offered();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, sleep};

    use super::*;

    const PATIENCE: Patience = Patience {
        first: Duration::from_secs(10),
        head: Duration::from_secs(10),
        kept: Duration::from_secs(75),
    };

    #[expect(clippy::disallowed_methods, reason = "the clock is paused")]
    fn now() -> Instant {
        Instant::now()
    }

    async fn overdue(doing: &Doing) -> (Overdue, u64) {
        let began = now();
        let overdue = doing.overdue(PATIENCE).await;
        (overdue, (now() - began).as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn each_phase_has_its_own_time() {
        let doing = Doing::new();
        doing.heard();
        assert_eq!(overdue(&doing).await, (Overdue::Head, 10));
        let asked = doing.asked(Version::HTTP_11);
        let waited = tokio::time::timeout(Duration::from_secs(3_600), doing.overdue(PATIENCE));
        waited.await.unwrap_err();
        drop(asked);
        assert_eq!(overdue(&doing).await, (Overdue::Idle, 75));
        doing.heard();
        assert_eq!(overdue(&doing).await, (Overdue::Head, 10));
    }

    /// One byte after another does not give a request more time.
    #[tokio::test(start_paused = true)]
    async fn a_drip_counts_from_its_first_byte() {
        let doing = Doing::new();
        drop(doing.asked(Version::HTTP_11));
        let drip = async {
            sleep(Duration::from_secs(70)).await;
            loop {
                doing.heard();
                sleep(Duration::from_secs(3)).await;
            }
        };
        tokio::select! {
            () = drip => {}
            overdue = overdue(&doing) => assert_eq!(overdue, (Overdue::Head, 80)),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn signs_of_life_of_http2_are_no_request() {
        let doing = Doing::new();
        let (first, second) = (doing.asked(Version::HTTP_2), doing.asked(Version::HTTP_2));
        drop(first);
        doing.heard();
        assert_eq!(doing.0.phase.borrow().clone(), Phase::Answering(1));
        drop(second);
        doing.heard();
        assert_eq!(overdue(&doing).await, (Overdue::Idle, 75));
    }
}
