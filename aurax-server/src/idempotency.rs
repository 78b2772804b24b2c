//! Requests that are answered once, however often they are sent: `Idempotency-Key` on every route
//! that costs money.

use std::time::Duration;

use aurax::CancellationToken;
use aurax::store::{Claim, Claimed, IdempotencyKey, StoredReply, UserScope};
use aws_lc_rs::digest::{Context, SHA256};
use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use futures::stream;
use http::{HeaderName, HeaderValue, StatusCode, header};
use tokio::sync::{mpsc, oneshot};
use tracing::Instrument as _;

use crate::auth::Caller;
use crate::edge::Seen;
use crate::error::{Code, Failure};
use crate::extract::read_body;
use crate::state::State;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that an answer was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Headers that are given again.
const KEPT: [HeaderName; 4] = [
    header::CONTENT_TYPE,
    header::CACHE_CONTROL,
    header::RETRY_AFTER,
    HeaderName::from_static("x-accel-buffering"),
];
/// The largest answer that is kept.
const LARGEST: usize = 64 << 20;
/// How long a client waits for its answer to be kept.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long is waited before the store is asked again.
const PAUSES: [Duration; 9] = [
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_secs(60),
    Duration::from_secs(120),
];
/// Pieces of a stream that wait for its client.
const AHEAD: usize = 16;

/// Answers a request once. Without the header it is answered as ever.
///
/// A request with one goes on to its end, and is kept, even when its client is gone: who sends it
/// again gets the answer that was paid for.
pub(crate) async fn once(
    state: &State,
    caller: &Caller,
    seen: &Seen,
    request: Request,
    next: Next,
) -> Result<Response, Failure> {
    let mut given = request.headers().get_all(KEY).iter();
    let Some(key) = given.next() else {
        return Ok(next.run(request).await);
    };
    let name = "idempotency-key";
    let key = key.to_str().ok().filter(|_| given.next().is_none());
    let message = "send one key of 1 to 255 visible ASCII characters";
    let key = key
        .ok_or_else(|| Failure::invalid(name, message))?
        .to_owned();
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or_else(String::new, |path| path.as_str().to_owned());
    let (head, body) = request.into_parts();
    let mut hash = Context::new(&SHA256);
    let path = head.uri.path_and_query();
    hash.update(path.map_or("", |path| path.as_str()).as_bytes());
    hash.update(b"\0");
    let whole = Request::from_parts(head.clone(), body);
    let body = read_body(whole, state).await?;
    hash.update(&body);
    let key = IdempotencyKey::new(route, key, hash.finish().as_ref())
        .map_err(|_| Failure::invalid(name, message))?;
    let scope = caller.scope(state.store());
    match scope.claim(key).await? {
        Claim::Begun(claimed) => {
            let request = Request::from_parts(head, Body::from(body));
            Ok(begun(state, seen, scope, claimed, request, next).await)
        }
        Claim::Answered(reply) => Ok(again(reply)),
        Claim::Mismatch => {
            let message = "the key was used for another request: use a new one";
            Err(Failure::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                Code::IdempotencyMismatch,
                message,
            ))
        }
        _ => {
            let message = "a request with this key is being answered: send it again later";
            let failure = Failure::new(StatusCode::CONFLICT, Code::IdempotencyInFlight, message);
            Err(failure.with_retry_after(Duration::from_secs(1)))
        }
    }
}

/// Answers in a task of its own, which does not end with its client.
async fn begun(
    state: &State,
    seen: &Seen,
    scope: UserScope,
    claimed: Claimed,
    request: Request,
    next: Next,
) -> Response {
    let (answer, answered) = oneshot::channel();
    let record = Record {
        scope,
        claimed,
        request_id: seen.shown_id.clone(),
        over: state.drain().over().clone(),
    };
    let (state_of_task, id) = (state.clone(), seen.shown_id.clone());
    let task = async move {
        let response = next.run(request).await;
        record.keep(&state_of_task, response, answer).await;
    };
    state.drain().tasks().spawn(task.in_current_span());
    // Where the task ends in a panic the claim stays until somebody takes it over.
    answered
        .await
        .unwrap_or_else(|_| Failure::internal().respond(&id, &**state.clock()))
}

/// Where an answer is kept.
struct Record {
    scope: UserScope,
    claimed: Claimed,
    request_id: String,
    /// Cancelled when the server has gone down.
    over: CancellationToken,
}

impl Record {
    /// Keeps an answer, and gives it to the client while there is one.
    async fn keep(self, state: &State, mut response: Response, client: oneshot::Sender<Response>) {
        if let Some(failure) = response.extensions_mut().remove::<Failure>() {
            if failure.is_before_work() {
                self.release().await;
                response.extensions_mut().insert(failure);
                drop(client.send(response));
                return;
            }
            response = failure.respond(&self.request_id, &**state.clock());
        }
        let is_stream = response
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|value| value == "text/event-stream");
        let (head, body) = response.into_parts();
        let headers = KEPT
            .iter()
            .filter_map(|name| {
                let value = head.headers.get(name)?.to_str().ok()?;
                Some((name.as_str().to_owned(), value.to_owned()))
            })
            .collect();
        let mut reply = StoredReply::new(head.status.as_u16(), headers, Vec::new());
        if is_stream {
            let (pieces, mut waiting) = mpsc::channel::<Result<Bytes, axum::Error>>(AHEAD);
            let waiting = stream::poll_fn(move |context| waiting.poll_recv(context));
            let shown = Response::from_parts(head, Body::from_stream(waiting));
            let mut pieces = client.send(shown).is_ok().then_some(pieces);
            let (kept, is_whole) = follow(body, &mut pieces).await;
            reply.body = kept.to_vec();
            if !is_whole {
                reply.body.extend(self.cut_off(state));
            }
            self.finish(reply).await;
            return;
        }
        match axum::body::to_bytes(body, LARGEST).await {
            Ok(bytes) => {
                reply.body = bytes.to_vec();
                let mut kept = std::pin::pin!(self.finish(reply));
                // Whoever asks again at once finds it, unless the store is away.
                let in_time = tokio::time::timeout(PATIENCE, kept.as_mut()).await;
                drop(client.send(Response::from_parts(head, Body::from(bytes))));
                if in_time.is_err() {
                    kept.await;
                }
            }
            Err(error) => {
                tracing::error!(%error, "an answer is too large to be kept");
                self.release().await;
            }
        }
    }

    /// The last event of a stream that could not be kept whole.
    fn cut_off(&self, state: &State) -> Vec<u8> {
        let message = "the answer is longer than what is kept of it: its message has all of it";
        let failure = Failure::new(StatusCode::PAYLOAD_TOO_LARGE, Code::TooLarge, message);
        let body = failure.body(&self.request_id, state.clock().now());
        let json = serde_json::to_string(&body).unwrap_or_default();
        format!("event: error\ndata: {json}\n\n").into_bytes()
    }

    async fn finish(&self, reply: StoredReply) {
        let kept = self.persist(|| self.scope.finish_claim(&self.claimed, reply.clone()));
        if kept.await == Some(false) {
            tracing::warn!("an answer came when its claim was taken over");
        }
    }

    async fn release(&self) {
        self.persist(|| self.scope.release_claim(&self.claimed))
            .await;
    }

    /// Does it as soon as the store can, unless the server goes down before: a claim that stays
    /// would refuse its key for as long as this process lives.
    async fn persist<T, F: Future<Output = aurax::Result<T>>>(
        &self,
        work: impl Fn() -> F,
    ) -> Option<T> {
        for pause in PAUSES {
            match work().await {
                Ok(done) => return Some(done),
                Err(error) if error.retry() == aurax::Retry::Never => {
                    tracing::error!(%error, "an answer was not kept");
                    return None;
                }
                Err(error) => tracing::warn!(%error, "an answer is not kept yet"),
            }
            let over = self
                .over
                .run_until_cancelled(tokio::time::sleep(pause))
                .await;
            over?;
        }
        tracing::error!("an answer was not kept: its key is refused until this process ends");
        None
    }
}

/// Reads a stream to its end, and hands it on for as long as somebody takes it.
async fn follow(
    body: Body,
    client: &mut Option<mpsc::Sender<Result<Bytes, axum::Error>>>,
) -> (BytesMut, bool) {
    let (mut kept, mut is_full) = (BytesMut::new(), false);
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        let piece = match piece {
            Ok(piece) => piece,
            Err(error) => {
                tracing::error!(%error, "a stream broke");
                is_full = true;
                break;
            }
        };
        // A stream that is kept has no holes: one that is too long is kept as far as it fits.
        is_full |= kept.len().saturating_add(piece.len()) > LARGEST;
        if !is_full {
            kept.extend_from_slice(&piece);
        }
        if let Some(taking) = client
            && taking.send(Ok(piece)).await.is_err()
        {
            *client = None;
        }
    }
    (kept, !is_full)
}

fn again(reply: StoredReply) -> Response {
    let mut response = Response::new(Body::from(reply.body));
    *response.status_mut() =
        StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    for (name, value) in reply.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    response
}
