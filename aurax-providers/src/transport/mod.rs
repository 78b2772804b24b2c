//! How bytes reach a provider: an injected interface, so that codecs and tests need no network.

#[cfg(feature = "reqwest")]
mod public;
#[cfg(feature = "testkit")]
mod replay;
#[cfg(feature = "reqwest")]
mod reqwest;

use std::fmt::Debug;

use aurax_core::{Result, async_trait};
use bytes::Bytes;
use futures::stream::BoxStream;

#[cfg(feature = "reqwest")]
pub use self::public::public_url;
#[cfg(feature = "testkit")]
pub use self::replay::{Answer, Replay, Sent};
#[cfg(feature = "reqwest")]
pub use self::reqwest::{ReqwestOptions, ReqwestTransport};

/// A body as it arrives.
pub type ByteStream = BoxStream<'static, Result<Bytes>>;

/// Sends one HTTP request.
///
/// * One call is one request: no retries, no redirects.
/// * Any status is a success here; only a failure to exchange bytes is an error, and its
///   [`phase`](aurax_core::Error::phase) says how far the exchange had come.
/// * Headers and bodies pass unchanged; nothing is decompressed.
/// * Dropping the future or the body closes the exchange.
#[async_trait]
pub trait Transport: Debug + Send + Sync + 'static {
    /// Sends `request` and returns the response with its body still to come.
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<ByteStream>>;
}
