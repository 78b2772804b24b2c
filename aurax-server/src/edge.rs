//! Where requests come in and answers leave: ids, panics, errors in words, and what every answer
//! carries.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::panic::AssertUnwindSafe;

use aurax::{CancellationToken, RequestId};
use axum::extract::{FromRequestParts, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt as _;
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use tracing::Instrument as _;

use crate::config::Config;
use crate::error::Failure;
use crate::state::State;
use crate::trace;

/// The header of a request's id.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest id that is taken from a client.
const LONGEST_ID: usize = 128;

/// The peer of a connection, which whoever accepts it adds to its requests.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// What is known of a request before anybody looks at it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// The server's own id, under which calls are recorded.
    pub(crate) request_id: RequestId,
    /// The id the client sees: its own where it sent one.
    pub(crate) shown_id: String,
    /// Where it comes from, by the proxies that are believed.
    pub(crate) ip: IpAddr,
    /// Cuts off who does not take its answer.
    pub(crate) cut: CancellationToken,
}

/// What cuts off a request's answer, which whoever accepts its connection adds to it.
#[derive(Debug, Clone)]
pub(crate) struct Cut(pub(crate) CancellationToken);

impl FromRequestParts<State> for Seen {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, Failure> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| {
            tracing::error!("a request did not come in at the edge");
            Failure::internal()
        })
    }
}

/// Everything passes here, whether a route takes it or not.
pub(crate) async fn pass(
    axum::extract::State(state): axum::extract::State<State>,
    mut request: Request,
    next: Next,
) -> Response {
    let seen = see(&request, state.config());
    let span = trace::request(&request, &seen);
    request.extensions_mut().insert(seen.clone());
    let started = state.clock().monotonic();
    let answered = async {
        if !is_addressed(&request, state.config()) {
            let message = "the server is for this machine alone: ask it as localhost";
            return Failure::forbidden(message).into_response();
        }
        next.run(request).await
    };
    let answered = AssertUnwindSafe(answered.instrument(span.clone()));
    let answered = answered.catch_unwind().await;
    let mut response = answered.unwrap_or_else(|_| {
        tracing::error!(request_id = %seen.request_id, "a request ended in a panic");
        Failure::internal().into_response()
    });
    if let Some(failure) = response.extensions_mut().remove::<Failure>() {
        let mut written = failure.respond(&seen.shown_id, &**state.clock());
        // Limits were added to the empty answer.
        for (name, value) in response.headers() {
            if !written.headers().contains_key(name) && *name != header::CONTENT_LENGTH {
                written.headers_mut().append(name, value.clone());
            }
        }
        response = written;
    }
    finish(response.headers_mut(), &seen, state.config());
    let took = state.clock().monotonic().saturating_duration_since(started);
    span.in_scope(|| {
        tracing::info!(
            target: "aurax::access",
            request_id = %seen.request_id,
            status = response.status().as_u16(),
            duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            "request"
        );
    });
    trace::body(response, span)
}

fn see(request: &Request, config: &Config) -> Seen {
    let request_id = RequestId::new();
    let shown = request.headers().get(REQUEST_ID);
    let shown = shown.and_then(|id| id.to_str().ok()).filter(|id| is_id(id));
    let peer = request.extensions().get::<Peer>();
    let cut = request.extensions().get::<Cut>();
    let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |Peer(address)| {
        address.ip()
    });
    Seen {
        request_id,
        shown_id: shown.map_or_else(|| request_id.to_string(), str::to_owned),
        ip: client_ip(peer.to_canonical(), request.headers(), config),
        cut: cut.map(|Cut(cut)| cut.clone()).unwrap_or_default(),
    }
}

/// Whether a request is for a name of this server. One that serves its own machine alone has few: a
/// web page whose name leads there all of a sudden is not among them.
fn is_addressed(request: &Request, config: &Config) -> bool {
    if !config.is_loopback() {
        return true;
    }
    let named = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let authority = request.uri().authority().cloned();
    let authority = authority.or_else(|| named?.parse::<Authority>().ok());
    let Some(host) = authority.as_ref().map(Authority::host) else {
        // Programs of this machine may leave it out; browsers never do.
        return named.is_none();
    };
    let own = config.public_url().parse::<Uri>().ok();
    let own = own.as_ref().and_then(Uri::host);
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    own.is_some_and(|own| own.eq_ignore_ascii_case(host))
        || host.eq_ignore_ascii_case("localhost")
        || address.is_ok_and(|address| address.is_loopback())
}

/// What a log line can hold without harm.
fn is_id(id: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    !id.is_empty() && id.len() <= LONGEST_ID && id.chars().all(is_plain)
}

/// The last address of the forwarding headers that no trusted proxy has; the peer itself unless it
/// is one.
fn client_ip(peer: IpAddr, headers: &HeaderMap, config: &Config) -> IpAddr {
    let is_trusted = |ip: IpAddr| config.trusted_proxies.iter().any(|net| net.contains(ip));
    let mut client = peer;
    let forwarded: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .flat_map(|value| value.to_str().unwrap_or_default().split(','))
        .collect();
    for hop in forwarded.iter().rev() {
        if !is_trusted(client) {
            break;
        }
        let hop = hop.trim();
        let address = hop.parse::<IpAddr>();
        let address = address.or_else(|_| hop.parse::<SocketAddr>().map(|socket| socket.ip()));
        // What nobody can read was not written by a proxy that is believed.
        let Ok(address) = address else { break };
        client = address.to_canonical();
    }
    client
}

fn finish(headers: &mut HeaderMap, seen: &Seen, config: &Config) {
    if let Ok(id) = HeaderValue::from_str(&seen.shown_id) {
        headers.insert(REQUEST_ID, id);
    }
    let set = |headers: &mut HeaderMap, name, value| {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    };
    set(headers, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(headers, header::REFERRER_POLICY, "no-referrer");
    set(headers, header::CACHE_CONTROL, "no-store");
    set(headers, header::X_FRAME_OPTIONS, "DENY");
    if config.is_https() {
        set(
            headers,
            header::STRICT_TRANSPORT_SECURITY,
            "max-age=31536000; includeSubDomains",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn forwarding_headers_count_from_trusted_peers_alone() {
        let mut config = Config::new();
        let mut headers = HeaderMap::new();
        let forwarded = HeaderValue::from_static("6.6.6.6, 1.2.3.4, 10.0.0.2");
        headers.insert("x-forwarded-for", forwarded);
        let seen = |config: &Config, peer| client_ip(ip(peer), &headers, config);
        assert_eq!(seen(&config, "10.0.0.1"), ip("10.0.0.1"));
        config.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
        assert_eq!(seen(&config, "10.0.0.1"), ip("1.2.3.4"));
        assert_eq!(seen(&config, "9.9.9.9"), ip("9.9.9.9"));
        config.trusted_proxies = vec!["0.0.0.0/0".parse().unwrap()];
        assert_eq!(seen(&config, "10.0.0.1"), ip("6.6.6.6"));
    }

    #[test]
    fn what_is_no_address_ends_the_way_back() {
        let mut config = Config::new();
        config.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
        let mut headers = HeaderMap::new();
        let forwarded = HeaderValue::from_static("1.2.3.4, <script>, 10.0.0.2:443");
        headers.insert("x-forwarded-for", forwarded);
        assert_eq!(client_ip(ip("10.0.0.1"), &headers, &config), ip("10.0.0.2"));
    }

    #[test]
    fn a_page_of_elsewhere_is_not_of_this_machine() {
        let mut config = Config::new();
        let asked = |host: &str, config: &Config| {
            let request = http::Request::get("/livez").header("host", host);
            is_addressed(&request.body(axum::body::Body::empty()).unwrap(), config)
        };
        for host in [
            "localhost",
            "LocalHost:8000",
            "127.0.0.1:8000",
            "127.1.2.3",
            "[::1]:8000",
        ] {
            assert!(asked(host, &config), "{host}");
        }
        for host in [
            "evil.example:8000",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "a b",
        ] {
            assert!(!asked(host, &config), "{host}");
        }
        config.public_url = Some("https://aurax.example.com".to_owned());
        assert!(asked("aurax.example.com", &config));
        config.listen = "0.0.0.0:8000".parse().unwrap();
        assert!(asked("evil.example", &config));
    }

    #[test]
    fn an_id_cannot_break_a_log_line() {
        assert!(is_id("req-1_2.3:4"));
        for bad in ["", "a b", "a\n", "é", "{}", &"x".repeat(129)] {
            assert!(!is_id(bad), "{bad}");
        }
    }
}
