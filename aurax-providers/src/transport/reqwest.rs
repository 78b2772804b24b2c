//! The transport of programs: reqwest with rustls.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use ::reqwest::{Certificate, Client, ClientBuilder, Proxy, Response, Url};
use aurax_core::{Error, ErrorKind, Phase, Result, Secret, async_trait};
use bytes::Bytes;
use futures::StreamExt;
use http::{HeaderMap, Uri};
use tokio::sync::OnceCell;

use super::public::Guard;
use super::{ByteStream, Transport};

/// Common load balancers close idle connections after 60 s; a little less avoids the race.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(55);
const POOL_MAX_IDLE_PER_HOST: usize = 256;
const MAX_HEADERS: usize = 100;
const MAX_HEADER_BYTES: usize = 64 << 10;

/// What a [`ReqwestTransport`] can be told.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ReqwestOptions {
    /// How long finding the address, connecting and the TLS handshake may take together; 10 s.
    pub connect_timeout: Duration,
    /// The URL of an HTTP proxy for everything that is sent, with its password where it needs one;
    /// TLS goes through it in a tunnel. `None`, the default, is no proxy, whatever the environment
    /// says.
    pub proxy: Option<Arc<Secret>>,
    /// Root certificates to trust besides the system's, as PEM; each may hold several.
    pub root_certificates: Vec<Bytes>,
    /// Whether only the internet is sent to; false unless set. It is for addresses that users
    /// choose: see [`ReqwestOptions::with_public_only`].
    pub public_only: bool,
}

impl Default for ReqwestOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            proxy: None,
            root_certificates: Vec::new(),
            public_only: false,
        }
    }
}

impl ReqwestOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Limits the time to connect.
    #[must_use]
    pub const fn with_connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// Sends everything through the proxy at `url`, such as `http://user:password@proxy:3128`.
    #[must_use]
    pub fn with_proxy(mut self, url: impl Into<Secret>) -> Self {
        self.proxy = Some(Arc::new(url.into()));
        self
    }

    /// Trusts the root certificates in `pem`, too.
    #[must_use]
    pub fn with_root_certificates(mut self, pem: impl Into<Bytes>) -> Self {
        self.root_certificates.push(pem.into());
        self
    }

    /// Sends to the internet alone, for addresses that users choose: by `https`, without a user or
    /// password in the URL, and only where the host, and every address that its name stands for
    /// when it is connected to, is public. Loopback, private, link-local, shared and documentation
    /// addresses are not, in whatever form they are written. Anything else is refused before a
    /// connection is made, with `InvalidRequest`.
    ///
    /// A proxy would resolve names by itself: with one, nothing is sent, and the error is `Config`.
    #[must_use]
    pub const fn with_public_only(mut self) -> Self {
        self.public_only = true;
        self
    }
}

/// Sends requests with reqwest: rustls with aws-lc-rs, HTTP/1.1 or HTTP/2 as the server likes, one
/// pool of connections.
///
/// * It is built on first use, so making one does no I/O and cannot fail.
/// * It trusts the system's root certificates, or Mozilla's, which are compiled in, where the
///   system has none; [`ReqwestOptions::root_certificates`] come on top.
/// * It never retries, never follows a redirect, and never looks at proxy variables. Only a pooled
///   connection that turns out to be closed before anything was written is replaced unseen.
/// * A response may have 100 headers of 64 KiB in all.
/// * At most 256 connections a host are kept idle, each for at most 55 s.
/// * Connections belong to the tokio runtime they were opened on: a transport that is used on
///   several runtimes must not outlive the first.
pub struct ReqwestTransport {
    options: ReqwestOptions,
    guard: Option<Guard>,
    client: OnceCell<Client>,
    urls: Urls,
}

impl ReqwestTransport {
    /// A transport with default options.
    pub fn new() -> Self {
        Self::with_options(ReqwestOptions::default())
    }

    /// A transport with options.
    pub fn with_options(options: ReqwestOptions) -> Self {
        Self {
            guard: options.public_only.then(Guard::new),
            options,
            client: OnceCell::new(),
            urls: Urls::default(),
        }
    }

    /// One that a test's own guard watches.
    #[cfg(test)]
    pub(super) fn guarded(options: ReqwestOptions, guard: Guard) -> Self {
        Self {
            guard: Some(guard),
            ..Self::with_options(options)
        }
    }
}

impl Default for ReqwestTransport {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ReqwestTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReqwestTransport")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Transport for ReqwestTransport {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<ByteStream>> {
        let client = self
            .client
            .get_or_try_init(|| async { build(&self.options, self.guard.as_ref()) })
            .await
            .map_err(|e| e.with_phase(Phase::Connect))?;
        let (head, body) = request.into_parts();
        let url = self.urls.of(&head.uri)?;
        if let Some(guard) = &self.guard {
            guard.check(&url)?;
        }
        let mut request = ::reqwest::Request::new(head.method, url);
        *request.headers_mut() = head.headers;
        *request.body_mut() = Some(body.into());
        let response = client.execute(request).await.map_err(|e| {
            let host = head.uri.host().unwrap_or_default();
            unanswered(host, e)
        })?;
        answered(response)
    }
}

/// Addresses as reqwest wants them: a transport sends to few, again and again.
#[derive(Default)]
struct Urls(RwLock<HashMap<Uri, Url>>);

impl Urls {
    /// All are forgotten when there are more.
    const MOST: usize = 256;

    fn of(&self, uri: &Uri) -> Result<Url> {
        let urls = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(url) = urls.get(uri) {
            return Ok(url.clone());
        }
        drop(urls);
        let url = Url::parse(&uri.to_string()).map_err(|e| {
            Error::new(ErrorKind::InvalidRequest, "the address cannot be sent to")
                .with_source(e)
                .with_phase(Phase::Encode)
        })?;
        let mut urls = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if urls.len() >= Self::MOST {
            urls.clear();
        }
        urls.insert(uri.clone(), url.clone());
        Ok(url)
    }
}

fn build(options: &ReqwestOptions, guard: Option<&Guard>) -> Result<Client> {
    let mut extra = Vec::new();
    for pem in &options.root_certificates {
        let certificates = Certificate::from_pem_bundle(pem)
            .map_err(|e| unusable("ReqwestOptions::root_certificates cannot be read", e))?;
        extra.extend(certificates);
    }
    let client = match client(options, guard)?.build() {
        Ok(client) if extra.is_empty() => Ok(client),
        Ok(_) => client(options, guard)?.tls_certs_merge(extra).build(),
        // What else may be wrong with the options shows again.
        Err(_without_system_roots) => {
            tracing::info!(
                "no root certificates in the system: Mozilla's, compiled in, are trusted"
            );
            let bundled = webpki_root_certs::TLS_SERVER_ROOT_CERTS;
            for certificate in bundled {
                let certificate = Certificate::from_der(certificate)
                    .map_err(|e| unusable("the bundled root certificates cannot be read", e))?;
                extra.push(certificate);
            }
            client(options, guard)?.tls_certs_only(extra).build()
        }
    };
    // Certificates are read when the client is built, and fail it.
    let what = if options.root_certificates.is_empty() {
        "the HTTP client cannot be built"
    } else {
        "the HTTP client cannot be built with ReqwestOptions::root_certificates"
    };
    client.map_err(|e| unusable(what, e))
}

fn client(options: &ReqwestOptions, guard: Option<&Guard>) -> Result<ClientBuilder> {
    let mut builder = Client::builder()
        .retry(::reqwest::retry::never())
        .redirect(::reqwest::redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .connect_timeout(options.connect_timeout)
        .tcp_nodelay(true)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .pool_max_idle_per_host(POOL_MAX_IDLE_PER_HOST)
        .http1_max_headers(MAX_HEADERS)
        .http2_max_header_list_size(u32::try_from(MAX_HEADER_BYTES).unwrap_or(u32::MAX));
    if let Some(guard) = guard {
        builder = builder.https_only(true).dns_resolver(guard.clone());
    }
    match &options.proxy {
        Some(_) if guard.is_some() => Err(Error::new(
            ErrorKind::Config,
            "ReqwestOptions::public_only goes without a proxy, which resolves names by itself",
        )),
        Some(url) => Ok(builder.proxy(proxy(url)?)),
        None => Ok(builder),
    }
}

/// Reqwest takes a proxy it has no support for and then connects without it, so that is refused
/// here.
#[expect(
    clippy::disallowed_methods,
    reason = "a proxy's URL may hold its password"
)]
fn proxy(url: &Secret) -> Result<Proxy> {
    const WHAT: &str = "ReqwestOptions::proxy is not the URL of an http or https proxy";
    match url.expose().split_once("://") {
        Some(("http" | "https", _)) => Proxy::all(url.expose()).map_err(|e| unusable(WHAT, e)),
        _ => Err(Error::new(ErrorKind::Config, WHAT)),
    }
}

fn answered(mut response: Response) -> Result<http::Response<ByteStream>> {
    let status = response.status();
    let version = response.version();
    let headers = std::mem::take(response.headers_mut());
    if headers.len() > MAX_HEADERS || header_bytes(&headers) > MAX_HEADER_BYTES {
        let message = format!(
            "the response has more than {MAX_HEADERS} headers or {} KiB of them",
            MAX_HEADER_BYTES >> 10
        );
        return Err(Error::new(ErrorKind::Decode, message).with_phase(Phase::Body));
    }
    let body: ByteStream = response
        .bytes_stream()
        .map(|chunk| chunk.map_err(broken))
        .boxed();
    let mut answer = http::Response::new(body);
    *answer.status_mut() = status;
    *answer.version_mut() = version;
    *answer.headers_mut() = headers;
    Ok(answer)
}

fn header_bytes(headers: &HeaderMap) -> usize {
    headers
        .iter()
        .map(|(name, value)| name.as_str().len().saturating_add(value.len()))
        .sum()
}

/// What went wrong before the response's headers were there.
///
/// Reqwest does not tell whether the request was still being written, so all that is known of a
/// connection that broke is that the provider may have the request.
fn unanswered(host: &str, error: ::reqwest::Error) -> Error {
    if let Some(refusal) = Guard::refusal(&error, host) {
        return refusal;
    }
    let kind = network(&error);
    let (phase, what) = if error.is_connect() {
        (Phase::Connect, "cannot connect to")
    } else {
        (Phase::Send, "no answer from")
    };
    failure(kind, &format!("{what} {host}"), error).with_phase(phase)
}

fn broken(error: ::reqwest::Error) -> Error {
    let kind = network(&error);
    failure(kind, "the connection broke while the reply was read", error).with_phase(Phase::Body)
}

fn network(error: &::reqwest::Error) -> ErrorKind {
    if error.is_timeout() {
        ErrorKind::Timeout
    } else {
        ErrorKind::Network
    }
}

fn unusable(what: &str, error: ::reqwest::Error) -> Error {
    failure(ErrorKind::Config, what, error)
}

/// The URL is left out: its query may hold what nobody should read.
fn failure(kind: ErrorKind, what: &str, error: ::reqwest::Error) -> Error {
    let error = error.without_url();
    let mut cause: &dyn StdError = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    Error::new(kind, format!("{what}: {cause}")).with_source(error)
}
