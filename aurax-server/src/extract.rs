//! What a request says, read strictly: every refusal is a 400 that names the field.

mod json;

use axum::Form;
use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Query, RawPathParams, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use http::request::Parts;
use http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::admit::Rule;
use crate::error::{Code, Failure};
use crate::room::Stay;
use crate::state::State;

pub(crate) use json::{check as check_json, object, optional_object, parse as parse_json};

/// A JSON body. Unknown fields are refused by the type, everything else here: another content type,
/// a compressed body, one that is too large or too deep, and NUL.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<State> for Json<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &State) -> Result<Self, Failure> {
        expect_json(request.headers())?;
        let body = read_body(request, state).await?;
        parse_json(&body).map(Self)
    }
}

/// Refuses a body of another type.
pub(crate) fn expect_json(headers: &HeaderMap) -> Result<(), Failure> {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok());
    let essence = content_type.map(|value| value.split(';').next().unwrap_or_default().trim());
    match essence {
        Some(essence) if essence.eq_ignore_ascii_case("application/json") => Ok(()),
        _ => Err(Failure::invalid(
            "content-type",
            "the body is read as JSON: send `content-type: application/json`",
        )),
    }
}

/// The whole body, of at most what the route takes, within the time there is.
pub(crate) async fn read_body(request: Request, state: &State) -> Result<Bytes, Failure> {
    let headers = request.headers();
    let encoding = headers.get(header::CONTENT_ENCODING);
    if encoding.is_some_and(|encoding| encoding != "identity") {
        let message = "send the body without content-encoding";
        return Err(Failure::invalid("content-encoding", message));
    }
    let limits = &state.config().limits;
    let is_paid = request
        .extensions()
        .get::<Rule>()
        .is_some_and(Rule::is_paid);
    let limit = if is_paid {
        limits.paid_body
    } else {
        limits.body
    };
    let too_large = || {
        let message = format!("the body has more than {limit} bytes");
        Failure::new(StatusCode::PAYLOAD_TOO_LARGE, Code::TooLarge, message)
            .with_detail("limit", limit)
    };
    let length = headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let stay = request.extensions().get::<Stay>().cloned();
    let stay = stay.ok_or_else(|| {
        tracing::error!("a body is read for a request that was not admitted");
        Failure::internal()
    })?;
    let reading = async {
        let mut pieces = request.into_body().into_data_stream();
        let mut body = Pieces::default();
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|_| {
                Failure::invalid("body", "the body ended before its end, or cannot be read")
            })?;
            if body.len().saturating_add(piece.len()) > limit {
                return Err(too_large());
            }
            // What was not sent takes no room, whatever the headers say of it.
            stay.cover(body.len().saturating_add(piece.len()))?;
            body.push(piece);
        }
        Ok(body.into_bytes())
    };
    let in_time = tokio::time::timeout(state.config().timeouts.body, reading).await;
    in_time.unwrap_or_else(|_| Err(Failure::invalid("body", "the body took too long to arrive")))
}

/// A body as it arrives: in one piece it is not copied.
#[derive(Default)]
struct Pieces {
    first: Bytes,
    all: BytesMut,
}

impl Pieces {
    fn len(&self) -> usize {
        if self.all.is_empty() {
            self.first.len()
        } else {
            self.all.len()
        }
    }

    fn push(&mut self, piece: Bytes) {
        if self.all.is_empty() {
            if self.first.is_empty() {
                self.first = piece;
                return;
            }
            self.all.extend_from_slice(&self.first);
        }
        self.all.extend_from_slice(&piece);
    }

    fn into_bytes(self) -> Bytes {
        if self.all.is_empty() {
            self.first
        } else {
            self.all.freeze()
        }
    }
}

/// What stands behind the question mark.
#[derive(Debug)]
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<State> for Params<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, Failure> {
        parse_query(&parts.uri).map(Self)
    }
}

/// Refuses what stands behind the question mark of a route that reads nothing there.
pub(crate) async fn no_params(request: Request, next: Next) -> Response {
    match nothing_in(request.uri()) {
        Ok(()) => next.run(request).await,
        Err(failure) => failure.into_response(),
    }
}

fn nothing_in(uri: &http::Uri) -> Result<(), Failure> {
    let pairs: Vec<(String, String)> = parse_query(uri)?;
    match pairs.first() {
        None => Ok(()),
        Some((name, _)) => {
            // Addresses are written into logs of every proxy on the way: no token stands in one.
            let message = format!(
                "unknown field `{name}`: the address takes no parameters, and a token goes into \
                 the headers"
            );
            Err(Failure::invalid(name, message))
        }
    }
}

/// The one id in a path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Id(pub(crate) Uuid);

impl FromRequestParts<State> for Id {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Failure> {
        let found = RawPathParams::from_request_parts(parts, state).await;
        let found = found.map_err(|_| Failure::invalid("id", "the path is not UTF-8"))?;
        let (name, value) = found.iter().next().unwrap_or(("id", ""));
        // One spelling alone, so that no id has two names.
        let id = Uuid::try_parse(value).ok();
        let id = id.filter(|id| id.to_string() == value.to_ascii_lowercase());
        id.map(Self)
            .ok_or_else(|| Failure::invalid(name, "an id is a UUID, as it was given out"))
    }
}

/// Reads a form. A field that is there twice, unknown or missing is refused by its name.
pub(crate) async fn parse_form<T: DeserializeOwned>(body: Bytes) -> Result<T, Failure> {
    if let Some(name) = nul_in(&String::from_utf8_lossy(&body)) {
        return Err(Failure::invalid(&name, "a value has the character NUL"));
    }
    let form = "application/x-www-form-urlencoded";
    let request = http::Request::post("/").header(header::CONTENT_TYPE, form);
    let request = request.body(Body::from(body));
    let request = request.map_err(|_| Failure::invalid("body", "the body is no form"))?;
    let Form(value) = Form::from_request(request, &())
        .await
        .map_err(|rejection| refused(&rejection.body_text(), "body: "))?;
    Ok(value)
}

/// The name of the first pair whose value has a NUL.
fn nul_in(pairs: &str) -> Option<String> {
    let pair = pairs
        .split('&')
        .find(|pair| pair.contains("%00") || pair.contains('\0'))?;
    Some(pair.split('=').next().unwrap_or_default().to_owned())
}

/// A refusal of axum's, which ends with the path, and what is wrong there.
fn refused(text: &str, before: &str) -> Failure {
    let text = text.split_once(before).map_or(text, |(_, rest)| rest);
    let (path, message) = text.split_once(": ").unwrap_or(("", text));
    Failure::invalid(&json::field(path, message), message)
}

fn parse_query<T: DeserializeOwned>(uri: &http::Uri) -> Result<T, Failure> {
    if let Some(name) = nul_in(uri.query().unwrap_or_default()) {
        return Err(Failure::invalid(&name, "a value has the character NUL"));
    }
    Query::try_from_uri(uri)
        .map(|Query(params)| params)
        .map_err(|rejection| refused(&rejection.body_text(), "string: "))
}
