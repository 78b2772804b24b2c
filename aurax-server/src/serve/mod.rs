//! Sockets: the accept loop, TLS, and going down in order.
//!
//! The loop is the server's own: every phase of a connection has a limit in time, and every
//! connection a place among a limited number.

mod connection;
mod doing;
mod linger;
mod places;
mod stall;
mod taking;
mod tls;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use aurax::{Error, ErrorKind, Result};
use axum::Router;
use futures::FutureExt as _;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::TlsAcceptor;

pub use tls::acceptor;

use crate::edge::Peer;
use crate::jobs;
use crate::state::State;
use connection::Connections;
pub(crate) use connection::Held;
use places::Places;

/// How long the loop waits when the process has no file descriptors left.
const BREATH: Duration = Duration::from_millis(50);
/// How many bytes the system keeps for a client that has not read them, about. It would take
/// megabytes, until it is seen that somebody reads nothing.
const SEND_BUFFER: u32 = 256 << 10;
/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1_024;
/// How long tasks get to end when everything else has.
const LAST: Duration = Duration::from_secs(5);

/// A listener on the configured address.
///
/// # Errors
/// `Config` when the address cannot be listened on; the message names it.
#[expect(
    clippy::unused_async,
    reason = "sockets belong to a runtime, which callers show by waiting"
)]
pub async fn listen(address: SocketAddr) -> Result<TcpListener> {
    bind(address).map_err(|error| {
        let message = format!("cannot listen on {address}: {error}; choose another `listen`");
        Error::new(ErrorKind::Config, message).with_source(error)
    })
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    // Connections inherit it.
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves the API until [`Drain::announce`](crate::Drain::announce) is called, and then goes down
/// in order: `/readyz` says so; after a moment nothing new is accepted; what goes on has its time to
/// end; then it is cut off with an error.
///
/// # Cancel safety
/// A dropped future accepts nothing more, and leaves connections to end by themselves: end the
/// [`Drain`](crate::Drain) to cut them off.
pub async fn serve(listener: TcpListener, router: Router, state: State, tls: Option<TlsAcceptor>) {
    jobs::start(&state);
    let connections = Connections::new(router, &state, tls);
    let limits = &state.config().limits;
    let places = Places::new(limits.connections, limits.connections_per_ip);
    let drain = state.drain().clone();
    let timeouts = state.config().timeouts.clone();
    let closing = async {
        drain.announced().cancelled().await;
        let notice = tokio::time::sleep(timeouts.drain_notice);
        drain.over().run_until_cancelled(notice).await;
    };
    tokio::pin!(closing);
    loop {
        tokio::select! {
            biased;
            () = &mut closing => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => admit(&connections, &places, &state, stream, peer),
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(BREATH).await;
                }
            },
        }
    }
    // Who is connected already was not refused.
    while let Some(Ok((stream, peer))) = listener.accept().now_or_never() {
        admit(&connections, &places, &state, stream, peer);
    }
    drop(listener);
    connections.finish();
    drain.tasks().close();
    // What goes on without its client is waited for, too.
    let ended = async { tokio::join!(connections.ended(), drain.tasks().wait()) };
    let in_time = tokio::time::timeout(timeouts.drain, ended);
    if !matches!(drain.over().run_until_cancelled(in_time).await, Some(Ok(_))) {
        tracing::warn!("requests go on although their time is over: they are cut off");
    }
    drain.end();
    if tokio::time::timeout(LAST, connections.ended())
        .await
        .is_err()
    {
        connections.abandon();
    }
    if tokio::time::timeout(LAST, drain.tasks().wait())
        .await
        .is_err()
    {
        tracing::warn!("tasks go on although the server has gone down");
    }
}

fn admit(
    connections: &Connections,
    places: &Places,
    state: &State,
    stream: TcpStream,
    peer: SocketAddr,
) {
    let address = peer.ip().to_canonical();
    let proxies = &state.config().trusted_proxies;
    let place = match proxies.iter().any(|network| network.contains(address)) {
        // It brings everybody.
        true => places.take_for_proxy(address),
        false => places.take(address),
    };
    let Some(place) = place else {
        // Nothing is said to who has too many: saying it costs what there is too little of.
        tracing::debug!(%peer, "a connection more than there may be");
        return;
    };
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection waits before it sends");
    }
    connections.serve(stream, Peer(peer), place);
}
