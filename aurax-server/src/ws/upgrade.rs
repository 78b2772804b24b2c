//! From a request to a socket.

use aurax::store::Origin;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header};
use hyper::upgrade::OnUpgrade;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tracing::Instrument as _;
use utoipa::{PartialSchema as _, ToSchema};
use utoipa_axum::routes;

use super::incoming::{Auth, Cancel, ChatMessage, Ping};
use super::outgoing::{Rung, Told};
use super::socket::{Socket, There, check_may};
use super::wire::Wire;
use crate::admit::{Noun, Owned, Rule, bearer};
use crate::alerts::Notice;
use crate::chat::Frame;
use crate::config::Config;
use crate::edge::Seen;
use crate::error::{ErrorBody, Failure};
use crate::routes::{Documented, Routes};
use crate::serve::Held;
use crate::state::State;

/// The protocol that is spoken.
const PROTOCOL: &str = "aurax.v1";
/// What a token among the protocols begins with.
const BEARER: &str = "bearer.";
/// What frames name.
const FRAMES: &[Owned] = &[
    Owned::frame("chat_message.session_id", Noun::Session),
    Owned::frame("chat_message.settings.key_name", Noun::ProviderKeyName),
    Owned::frame("cancel.message_id", Noun::Message),
];

pub(crate) fn add(routes: Routes) -> Routes {
    let (mut schemas, paths, handler): Documented = routes!(open);
    macro_rules! describe {
        ($($frame:ty),*) => {
            $(
                schemas.push((<$frame as ToSchema>::name().into_owned(), <$frame>::schema()));
                <$frame as ToSchema>::schemas(&mut schemas);
            )*
        };
    }
    describe!(
        ChatMessage,
        Cancel,
        Auth,
        Ping,
        Frame,
        Told,
        Rung<'static, Notice>
    );
    routes.add(Rule::public().owning(FRAMES), (schemas, paths, handler))
}

/// Opens a WebSocket for live chat.
///
/// Whoever opens it shows a token of `/auth/login` or an access key in the header `Authorization`,
/// as the subprotocol `bearer.<token>` beside `aurax.v1`, or with a first frame
/// `{"type":"auth","token"}` within 5 s, which also renews it later and is answered
/// `{"type":"auth_ok","expires_at"}`; never in the address.
///
/// Frames are texts of JSON. Clients send `ChatMessage`, `Cancel`, `Auth` and `Ping`; they get the
/// frames of `Frame` (`chat_chunk`, `chat_response`, `error`) and `Told` (`auth_ok`, `going_away`,
/// `pong`), and that of `Rung` (`alert`) when an alert of theirs fires or is over. A session makes
/// one answer at a time and a socket eight; an answer counts among the requests that the server
/// takes at a time, and is refused as `overloaded` where there is no room. A message has 1 MiB at
/// most.
///
/// The socket closes with
///
/// * 1001 when the server goes down,
/// * 1002 for what is no WebSocket,
/// * 1007 for a text that is not UTF-8,
/// * 1008 after too many frames that cannot be taken, without a sign of life, and for one socket
///   more than a user may have,
/// * 1009 for a message that is too long,
/// * 1011 when the server fails,
/// * 1013 when whoever logs in by a frame cannot be looked up just now: try again,
/// * 4401 when the login is over, or did not come in time,
/// * 4403 for a key that may not chat.
///
/// Before 1008 for sockets and frames, 1011, 1013, 4401 and 4403 a frame `error` says why.
#[utoipa::path(
    get,
    path = "/ws",
    tag = "chat",
    params(
        ("upgrade" = Option<String>, Header, description = "`websocket`."),
        ("sec-websocket-protocol" = Option<String>, Header, description = "`aurax.v1`, and with it `bearer.<token>`."),
        ("origin" = Option<String>, Header, description = "The server's own, or one of its `cors_origins`."),
    ),
    responses(
        (status = 101, description = "The socket is open."),
        (status = 401, description = "The token or key is not valid.", body = ErrorBody),
        (status = 403, description = "The key may not chat, or the page is of another origin.", body = ErrorBody),
    )
)]
async fn open(state: State, seen: Seen, request: Request) -> Result<Response, Failure> {
    let (mut parts, _) = request.into_parts();
    let accept = check_upgrade(&parts)?;
    check_origin(&parts.headers, state.config())?;
    let offered = Offered::read(&parts.headers)?;
    if state.drain().over().is_cancelled() {
        return Err(Failure::shutting_down());
    }
    let there = match offered.token(&parts.headers)? {
        Some(token) => Some(entered(&state, token).await?),
        None => None,
    };
    let upgrade = parts.extensions.remove::<OnUpgrade>();
    let upgrade = upgrade.ok_or_else(|| no_upgrade("the connection cannot be upgraded"))?;
    let held = parts.extensions.remove::<Held>();
    let stall = state.config().timeouts.write_stall;
    let tasks = state.drain().tasks().clone();
    let talk = async move {
        let _held = held;
        match upgrade.await {
            Ok(upgraded) => {
                let wire = Wire::new(upgraded, stall, seen.cut.clone()).await;
                Socket::new(state, seen, there).run(wire).await;
            }
            Err(error) => tracing::debug!(%error, "a connection was not upgraded"),
        }
    };
    tasks.spawn(talk.in_current_span());
    Ok(switching(accept, offered.speaks))
}

fn switching(accept: HeaderValue, speaks: bool) -> Response {
    let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    if speaks {
        let protocol = HeaderValue::from_static(PROTOCOL);
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    response
}

/// Whoever has this token, with a place for their socket.
pub(super) async fn entered(state: &State, token: &str) -> Result<There, Failure> {
    let caller = state.auth().caller(token).await?;
    check_may(&caller)?;
    let most = state.config().limits.sockets_per_user;
    let seat = state.sockets().sit(caller.user().id, most)?;
    Ok(There { caller, seat })
}

fn no_upgrade(message: &str) -> Failure {
    Failure::invalid("upgrade", message)
}

/// What a client gets back for its key.
fn check_upgrade(parts: &Parts) -> Result<HeaderValue, Failure> {
    let headers = &parts.headers;
    let asks = parts.version == Version::HTTP_11
        && words(headers, &header::CONNECTION).any(|word| word.eq_ignore_ascii_case("upgrade"))
        && words(headers, &header::UPGRADE).any(|word| word.eq_ignore_ascii_case("websocket"));
    if !asks {
        return Err(no_upgrade(
            "this is a WebSocket: ask over HTTP/1.1 with `Connection: Upgrade` and \
             `Upgrade: websocket`",
        ));
    }
    if words(headers, &header::SEC_WEBSOCKET_VERSION).ne(["13"]) {
        let message = "the version of the protocol is 13";
        return Err(Failure::invalid("sec-websocket-version", message));
    }
    let wrong = || {
        let message = "the key is 16 bytes in base64";
        Failure::invalid("sec-websocket-key", message)
    };
    let mut keys = headers.get_all(header::SEC_WEBSOCKET_KEY).iter();
    let (Some(key), None) = (keys.next(), keys.next()) else {
        return Err(wrong());
    };
    let bytes = BASE64_STANDARD
        .decode(key.as_bytes())
        .map_err(|_| wrong())?;
    if bytes.len() != 16 {
        return Err(wrong());
    }
    HeaderValue::from_str(&derive_accept_key(key.as_bytes())).map_err(|_| wrong())
}

/// The words of a header that holds a list.
fn words<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    let values = headers.get_all(name).iter();
    let words = values.flat_map(|value| value.to_str().unwrap_or_default().split(','));
    words.map(str::trim).filter(|word| !word.is_empty())
}

/// A page may talk to the server it is from, and those the operator lists may. Programs say no
/// origin.
fn check_origin(headers: &HeaderMap, config: &Config) -> Result<(), Failure> {
    let mut given = headers.get_all(header::ORIGIN).iter();
    let (first, more) = (given.next(), given.next());
    let Some(first) = first else {
        return Ok(());
    };
    let origin = first.to_str().ok().filter(|_| more.is_none());
    let origin = origin.and_then(|text| Origin::parse(text).ok());
    if origin.is_some_and(|origin| may_ask(&origin, headers, config)) {
        return Ok(());
    }
    let message = "a page of this origin may not open a WebSocket here: the operator adds it to \
                   `cors_origins`";
    Err(Failure::forbidden(message))
}

fn may_ask(origin: &Origin, headers: &HeaderMap, config: &Config) -> bool {
    let own = Origin::parse(&config.public_url());
    if own.is_ok_and(|own| own == *origin) || config.cors_origins.contains(origin) {
        return true;
    }
    // On loopback the server has several names. None of them can be made to mean another machine,
    // as a name of somebody's own can.
    let host = origin.as_str().strip_prefix("http://");
    let is_loopback = host.is_some_and(|host| {
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        matches!(name, "localhost" | "127.0.0.1" | "[::1]")
    });
    let asked = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    config.is_loopback() && is_loopback && asked == host
}

/// What a client offers to speak.
#[derive(Debug)]
struct Offered {
    speaks: bool,
    token: Option<String>,
}

impl Offered {
    fn read(headers: &HeaderMap) -> Result<Self, Failure> {
        let wrong = |message: &str| Failure::invalid("sec-websocket-protocol", message);
        let offered = words(headers, &header::SEC_WEBSOCKET_PROTOCOL);
        let (mut speaks, mut token, mut others) = (false, None, false);
        for word in offered {
            match word.strip_prefix(BEARER) {
                Some(own) if token.is_none() => token = Some(own.to_owned()),
                Some(_) => return Err(wrong("send one token or key, not several")),
                None if word == PROTOCOL => speaks = true,
                None => others = true,
            }
        }
        if !speaks && (others || token.is_some()) {
            return Err(wrong("the protocol here is `aurax.v1`"));
        }
        Ok(Self { speaks, token })
    }

    /// The token that came with the request, in one place or the other.
    fn token<'o>(&'o self, headers: &'o HeaderMap) -> Result<Option<&'o str>, Failure> {
        let has_header =
            headers.contains_key(header::AUTHORIZATION) || headers.contains_key("x-api-key");
        match (&self.token, has_header) {
            (Some(_), true) => Err(Failure::unauthorized("send one token or key, not several")),
            (Some(token), false) => Ok(Some(token)),
            (None, true) => bearer(headers).map(Some),
            (None, false) => Ok(None),
        }
    }
}
