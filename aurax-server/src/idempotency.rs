//! Requests that are answered once, however often they are sent: `Idempotency-Key` on every route
//! that costs money.
//!
//! A key stands for one request, and for 24 hours for its answer.
//!
//! * It is claimed, and its request answered, in a task of its own, which the drain waits for. A
//!   client that goes away ends neither: who sends the request again gets the answer that was paid
//!   for.
//! * It is free again only where surely nothing was sent to a provider, in any attempt
//!   ([`Error::was_sent`](aurax::Error::was_sent)).
//! * Once anything was sent, whatever came of it is the answer, failures too. So is the 500 of a
//!   request that ended in a panic, of which nobody knows how far it had come; a stream that was cut
//!   off, even because this server went down, for its first part was paid for; and a 413 in place
//!   of an answer that is too long to be kept, which its first client got whole. Who wants it anew
//!   sends it under a new key.
//! * A stream that is given again ends like the one that was kept: with its last event, or with the
//!   `error` that the client saw, and never as if it had been whole.
//! * An answer of a session goes with the session.

mod record;

use std::time::Duration;

use aurax::store::{Claim, IdempotencyKey, StoredReply, UserScope};
use aws_lc_rs::digest::{Context, SHA256};
use axum::body::Body;
use axum::extract::{FromRequestParts as _, MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tokio::sync::oneshot;
use tracing::Instrument as _;

use self::record::{Client, Record};
use crate::admit::{Noun, Owned, Rule};
use crate::auth::Caller;
use crate::edge::Seen;
use crate::error::{Code, Failure};
use crate::extract::{Id, read_body};
use crate::state::State;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that an answer was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// What a route of a session names.
const SESSION: Owned = Owned::path("id", Noun::Session);

/// Answers a request once. Without the header it is answered as ever.
pub(crate) async fn once(
    state: &State,
    caller: &Caller,
    seen: &Seen,
    request: Request,
    next: Next,
) -> Result<Response, Failure> {
    let Some(name) = named(request.headers())? else {
        return Ok(next.run(request).await);
    };
    let (key, request) = read(state, name, request).await?;
    let (client, answered) = oneshot::channel();
    let asked = Asked {
        state: state.clone(),
        scope: caller.scope(state.store()),
        request_id: seen.shown_id.clone(),
        next,
    };
    // Nothing is waited for between the claim and the task: whoever goes away, goes before both or
    // after both.
    let tasks = state.drain().tasks();
    tasks.spawn(asked.answer(key, request, client).in_current_span());
    answered.await.unwrap_or_else(|_| Err(Failure::internal()))
}

/// The key that a request gives itself.
fn named(headers: &HeaderMap) -> Result<Option<String>, Failure> {
    let mut given = headers.get_all(KEY).iter();
    let Some(key) = given.next() else {
        return Ok(None);
    };
    let key = key.to_str().ok().filter(|_| given.next().is_none());
    key.map(|key| Some(key.to_owned())).ok_or_else(malformed)
}

fn malformed() -> Failure {
    let message = "send one key of 1 to 255 visible ASCII characters";
    Failure::invalid("idempotency-key", message)
}

/// Reads a request to its end: what it is told from others by, and the request itself.
async fn read(
    state: &State,
    name: String,
    request: Request,
) -> Result<(IdempotencyKey, Request), Failure> {
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or_else(String::new, |path| path.as_str().to_owned());
    let (mut head, body) = request.into_parts();
    let rule = head.extensions.get::<Rule>();
    let session = match rule.is_some_and(|rule| rule.owned.contains(&SESSION)) {
        true => Some(Id::from_request_parts(&mut head, state).await?.0),
        false => None,
    };
    let mut hash = Context::new(&SHA256);
    let path = head.uri.path_and_query();
    hash.update(path.map_or("", |path| path.as_str()).as_bytes());
    hash.update(b"\0");
    let whole = Request::from_parts(head.clone(), body);
    let body = read_body(whole, state).await?;
    hash.update(&body);
    let hash = hash.finish();
    let mut key = IdempotencyKey::new(route, name, hash.as_ref()).map_err(|_| malformed())?;
    if let Some(id) = session {
        key = key.with_session(id);
    }
    Ok((key, Request::from_parts(head, Body::from(body))))
}

/// A request that may have been sent before.
struct Asked {
    state: State,
    scope: UserScope,
    request_id: String,
    next: Next,
}

impl Asked {
    /// Claims the key, and answers what it is good for. It does not end with the client.
    async fn answer(self, key: IdempotencyKey, request: Request, client: Client) {
        let claim = self.scope.claim(key).await;
        let answer = match claim {
            Ok(Claim::Begun(claimed)) => {
                let record = Record::new(self.state, self.scope, claimed, self.request_id);
                return record.answer(request, self.next, client).await;
            }
            Ok(Claim::Answered(reply)) => Ok(again(reply)),
            Ok(Claim::Mismatch) => {
                let message = "the key was used for another request: use a new one";
                let (status, code) = (StatusCode::UNPROCESSABLE_ENTITY, Code::IdempotencyMismatch);
                Err(Failure::new(status, code, message))
            }
            Ok(_) => {
                let message = "a request with this key is being answered: send it again later";
                let failure =
                    Failure::new(StatusCode::CONFLICT, Code::IdempotencyInFlight, message);
                Err(failure.with_retry_after(Duration::from_secs(1)))
            }
            Err(error) => Err(Failure::from(error)),
        };
        drop(client.send(answer));
    }
}

/// An answer that was given before.
fn again(reply: StoredReply) -> Response {
    let mut response = shown(reply);
    let headers = response.headers_mut();
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

/// An answer as it was kept.
fn shown(reply: StoredReply) -> Response {
    let mut response = Response::new(Body::from(reply.body));
    *response.status_mut() =
        StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    for (name, value) in reply.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    response
}
