//! One connection, from its handshake to its end.

use std::sync::Arc;
use std::time::Duration;

use aurax::CancellationToken;
use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tower::ServiceExt as _;

use super::places::Place;
use super::stall::Stalling;
use crate::edge::Peer;
use crate::state::State;

/// The most headers of a request.
const HEADERS: usize = 100;
/// The most bytes of a request's headers.
const HEADER_BYTES: usize = 64 << 10;
/// The most requests at a time on one connection of HTTP/2.
const STREAMS: u32 = 128;
/// How many streams a client of HTTP/2 may reset before they are looked at.
const RESETS: usize = 64;

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
    builder: Builder<TokioExecutor>,
    tls: Option<TlsAcceptor>,
    handshake: Duration,
    write_stall: Duration,
    tasks: TaskTracker,
    /// Cancelled when connections end after what they are answering.
    finishing: CancellationToken,
    /// Cancelled when they end at once.
    abandoned: CancellationToken,
}

impl Connections {
    pub(super) fn new(router: Router, state: &State, tls: Option<TlsAcceptor>) -> Self {
        let timeouts = &state.config().timeouts;
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(timeouts.header)
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
        let stream = Stalling::new(stream, self.0.write_stall);
        let Some(tls) = &self.0.tls else {
            return self.talk(stream, peer, held).await;
        };
        match tokio::time::timeout(self.0.handshake, tls.accept(stream)).await {
            Ok(Ok(stream)) => self.talk(stream, peer, held).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        }
    }

    async fn talk(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        peer: Peer,
        held: Held,
    ) {
        let router = self.0.router.clone();
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(peer);
            request.extensions_mut().insert(held.clone());
            router.clone().oneshot(request)
        });
        let connection = self
            .0
            .builder
            .serve_connection_with_upgrades(TokioIo::new(stream), service);
        tokio::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.0.finishing.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
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
