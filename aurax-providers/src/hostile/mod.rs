//! An upstream on loopback that misbehaves on request.
//!
//! It speaks every protocol this crate has a wire for, over real sockets, and tells by the model's
//! name what is to go wrong: the model `cut` of any provider that points here is an answer whose
//! connection closes halfway. What is tested needs no hooks, so the same scenarios run through
//! the engine, a server in front of it, or a binding.

mod dialect;
mod plan;
mod scenario;
mod script;
mod serve;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use dialect::Dialect;
pub use scenario::Scenario;

/// An upstream on loopback whose answers go wrong as the model's name says.
///
/// A name that is no [`Scenario`] is answered as [`Scenario::Plain`]. Dropping it closes the
/// listener and every connection.
#[derive(Debug)]
pub struct HostileUpstream {
    address: SocketAddr,
    counts: Arc<Counts>,
    serving: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Counts {
    requests: AtomicU64,
    open: AtomicU64,
}

impl HostileUpstream {
    /// What every plain answer says.
    pub const WORDS: [&'static str; 3] = plan::WORDS;

    /// Listens on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start() -> io::Result<Self> {
        Self::listen(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// Listens at `address`.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn listen(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let counts = Arc::new(Counts::default());
        let serving = tokio::spawn(serve::accept(listener, counts.clone()));
        Ok(Self {
            address,
            counts,
            serving,
        })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL for a provider of that protocol.
    pub fn base_url(&self, dialect: Dialect) -> String {
        format!("http://{}{}", self.address, dialect.base_path())
    }

    /// Requests that were read so far.
    pub fn requests(&self) -> u64 {
        self.counts.requests.load(Ordering::Relaxed)
    }

    /// Requests that are being answered now.
    pub fn open(&self) -> u64 {
        self.counts.open.load(Ordering::Relaxed)
    }
}

impl Drop for HostileUpstream {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
