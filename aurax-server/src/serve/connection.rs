//! One connection, from its handshake to its end.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use aurax::CancellationToken;
use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, Version, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tower::ServiceExt as _;

use super::doing::{Answer, Doing, Heard, Overdue, Patience};
use super::linger::{Left, Lingering, Unread};
use super::places::Place;
use super::stall::Stalling;
use super::taking::{Answering, Taking};
use crate::edge::{Cut, Peer};
use crate::state::State;

/// The most headers of a request.
const HEADERS: usize = 100;
/// The most bytes of a request's headers.
const HEADER_BYTES: usize = 64 << 10;
/// The most requests at a time on one connection of HTTP/2.
const STREAMS: u32 = 128;
/// How many streams a client of HTTP/2 may reset before they are looked at.
const RESETS: usize = 64;
/// The longest that a client which has just asked is waited for when the server goes down.
const GRACE: Duration = Duration::from_millis(500);

/// A connection's place, and its part in what the server waits for when it goes down. Whoever goes
/// on with the connection when HTTP is over, as a WebSocket does, keeps it.
#[derive(Clone)]
pub(crate) struct Held(
    #[expect(dead_code, reason = "it is kept, not read")] Arc<(Place, TaskTrackerToken)>,
);

/// Serves connections, each in a task of its own.
#[derive(Clone)]
pub(super) struct Connections(Arc<Inner>);

struct Inner {
    router: Router,
    builder: Builder<Answering>,
    tls: Option<TlsAcceptor>,
    handshake: Duration,
    write_stall: Duration,
    patience: Patience,
    /// For how long a client that has just asked is waited for when the server goes down.
    grace: Duration,
    /// Cancelled when clients are asked to go elsewhere.
    announced: CancellationToken,
    tasks: TaskTracker,
    /// Cancelled when connections end after what they are answering.
    finishing: CancellationToken,
    /// Cancelled when they end at once.
    abandoned: CancellationToken,
}

impl Connections {
    pub(super) fn new(router: Router, state: &State, tls: Option<TlsAcceptor>) -> Self {
        let timeouts = &state.config().timeouts;
        let mut builder = Builder::new(Answering::new(timeouts.write_stall));
        builder
            .http1()
            .timer(TokioTimer::new())
            // It would run between requests, too; see `doing`.
            .header_read_timeout(None)
            .max_headers(HEADERS)
            .max_buf_size(HEADER_BYTES)
            .half_close(false);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(u32::try_from(HEADER_BYTES).unwrap_or(u32::MAX))
            .max_pending_accept_reset_streams(RESETS)
            .max_local_error_reset_streams(RESETS)
            .keep_alive_interval(timeouts.ping)
            .keep_alive_timeout(timeouts.pong);
        Self(Arc::new(Inner {
            router,
            builder,
            tls,
            handshake: timeouts.header,
            patience: Patience {
                kept: timeouts.keep_alive,
                ..Patience::of(timeouts.header)
            },
            grace: timeouts.drain_notice.min(GRACE),
            announced: state.drain().announced().clone(),
            write_stall: timeouts.write_stall,
            tasks: TaskTracker::new(),
            finishing: CancellationToken::new(),
            abandoned: CancellationToken::new(),
        }))
    }

    /// Serves a connection until it ends.
    pub(super) fn serve(&self, stream: TcpStream, peer: Peer, place: Place) {
        let connections = self.clone();
        let held = Held(Arc::new((place, self.0.tasks.token())));
        self.0.tasks.spawn(async move {
            let abandoned = connections.0.abandoned.clone();
            let served = connections.run(stream, peer, held);
            abandoned.run_until_cancelled(served).await;
        });
    }

    async fn run(&self, stream: TcpStream, peer: Peer, held: Held) {
        let unread = Unread::default();
        let stream = Lingering::new(stream, unread.clone());
        let stream = Stalling::new(stream, self.0.write_stall);
        let Some(tls) = &self.0.tls else {
            return self.talk(stream, unread, peer, held).await;
        };
        match tokio::time::timeout(self.0.handshake, tls.accept(stream)).await {
            Ok(Ok(stream)) => self.talk(stream, unread, peer, held).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        }
    }

    async fn talk(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        unread: Unread,
        peer: Peer,
        held: Held,
    ) {
        let doing = Doing::new();
        let (router, announced) = (self.0.router.clone(), self.0.announced.clone());
        let noted = doing.clone();
        let cut = CancellationToken::new();
        let own_cut = cut.clone();
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let version = request.version();
            let asked = noted.asked(version);
            let (left, unread) = (Left::default(), unread.clone());
            // Who waits to be asked for the body is not asked for what nobody wants.
            let is_waiting = request.headers().contains_key(header::EXPECT);
            let mut request = request.map(|body| match version {
                // Where one of many requests is left, the connection goes on.
                Version::HTTP_2 => Body::new(body),
                _ => Body::new(left.by_then(body)),
            });
            request.extensions_mut().insert(peer);
            request.extensions_mut().insert(held.clone());
            let (router, announced, cut) = (router.clone(), announced.clone(), own_cut.clone());
            async move {
                let taking = Taking::own();
                // Of HTTP/2 one answer is cut off, and of HTTP/1 the connection.
                let cut = taking.as_ref().map_or(cut, |taking| taking.cut().clone());
                request.extensions_mut().insert(Cut(cut));
                let mut response = router.oneshot(request).await?;
                let is_read = !left.is_any() || (!is_waiting && left.is_read().await);
                if !is_read {
                    unread.set();
                }
                if announced.is_cancelled() || !is_read {
                    ask_to_leave(version, &mut response);
                }
                Ok::<_, Infallible>(response.map(|body| Answer::new(body, asked, taking)))
            }
        });
        let io = TokioIo::new(Heard::new(stream, doing.clone()));
        let connection = self.0.builder.serve_connection_with_upgrades(io, service);
        tokio::pin!(connection);
        let (mut patience, mut is_finishing, mut is_leaving) = (self.0.patience, false, false);
        let ended = loop {
            tokio::select! {
                ended = connection.as_mut() => break ended,
                () = cut.cancelled() => return,
                overdue = doing.overdue(patience) => {
                    if is_leaving || (overdue == Overdue::Head && !is_finishing) {
                        return tracing::debug!(?overdue, "a client took too long");
                    }
                    // What arrives just now is still answered.
                    connection.as_mut().graceful_shutdown();
                    (is_leaving, patience) = (true, Patience::of(patience.head));
                }
                () = self.0.finishing.cancelled(), if !is_finishing => {
                    is_finishing = true;
                    (patience.first, patience.kept) = (self.0.grace, self.0.grace);
                    // HTTP/2 says which requests are answered. In HTTP/1 who has just asked would
                    // not know, and is waited for.
                    if doing.is_shared() {
                        connection.as_mut().graceful_shutdown();
                        is_leaving = true;
                    }
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(error = &*error, "a connection broke");
        }
    }

    /// Ends connections after what they are answering.
    pub(super) fn finish(&self) {
        self.0.finishing.cancel();
        self.0.tasks.close();
    }

    /// Waits until all have ended.
    pub(super) async fn ended(&self) {
        self.0.tasks.wait().await;
    }

    /// Ends them at once.
    pub(super) fn abandon(&self) {
        self.0.abandoned.cancel();
    }
}

/// Lets a client of HTTP/1 take its next request elsewhere.
fn ask_to_leave(version: Version, response: &mut Response) {
    let is_upgrade = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    if version < Version::HTTP_2 && !is_upgrade {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
}
