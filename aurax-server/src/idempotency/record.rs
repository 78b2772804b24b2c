//! How the answer of a claimed key is given and kept.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use aurax::store::{Claimed, StoredReply, UserScope};
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _, stream};
use http::response::Parts;
use http::{HeaderName, StatusCode, header};
use http_body::Body as _;
use tokio::sync::{mpsc, oneshot};

use super::shown;
use crate::error::{Code, Failure};
use crate::state::State;

/// Headers that are given again.
const KEPT: [HeaderName; 4] = [
    header::CONTENT_TYPE,
    header::CACHE_CONTROL,
    header::RETRY_AFTER,
    HeaderName::from_static("x-accel-buffering"),
];
/// The largest answer that is kept: the store takes 64 MiB, an event at its end included.
const LARGEST: usize = (64 << 20) - (64 << 10);
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

/// Who waits for an answer, as long as there is somebody.
pub(super) type Client = oneshot::Sender<Result<Response, Failure>>;
/// Who reads a stream, as long as there is somebody.
type Reader = Option<mpsc::Sender<Result<Bytes, axum::Error>>>;

/// Where an answer is kept.
pub(super) struct Record {
    state: State,
    scope: UserScope,
    claimed: Claimed,
    request_id: String,
}

impl Record {
    pub(super) const fn new(
        state: State,
        scope: UserScope,
        claimed: Claimed,
        request_id: String,
    ) -> Self {
        Self {
            state,
            scope,
            claimed,
            request_id,
        }
    }

    /// Answers, keeps the answer, and gives it to the client while there is one.
    pub(super) async fn answer(self, request: Request, next: Next, client: Client) {
        let answered = AssertUnwindSafe(next.run(request)).catch_unwind().await;
        let mut response = answered.unwrap_or_else(|_| {
            tracing::error!(shown_id = %self.request_id, "a request ended in a panic");
            Failure::internal().into_response()
        });
        if let Some(failure) = response.extensions_mut().remove::<Failure>() {
            if failure.is_before_work() {
                response.extensions_mut().insert(failure);
                let give = || drop(client.send(Ok(response)));
                return first(self.release(), give).await;
            }
            response = failure.respond(&self.request_id, &**self.state.clock());
        }
        let is_stream = response
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|value| value == "text/event-stream");
        let (head, body) = response.into_parts();
        if is_stream {
            self.stream(head, body, client).await;
        } else {
            self.whole(head, body, client).await;
        }
    }

    async fn stream(&self, head: Parts, body: Body, client: Client) {
        let mut reply = reply_of(&head);
        let (pieces, mut waiting) = mpsc::channel(AHEAD);
        let waiting = stream::poll_fn(move |context| waiting.poll_recv(context));
        let shown = Response::from_parts(head, Body::from_stream(waiting));
        let mut reader = client.send(Ok(shown)).is_ok().then_some(pieces);
        reply.body = self.follow(body, &mut reader).await;
        // The stream ends when it is kept: whoever asks again at once finds it.
        first(self.finish(reply), || drop(reader)).await;
    }

    async fn whole(&self, head: Parts, body: Body, client: Client) {
        let mut reply = reply_of(&head);
        if body.size_hint().lower() > LARGEST as u64 {
            let kept = self.finish(self.failed(&too_long()));
            let response = Response::from_parts(head, body);
            return first(kept, || drop(client.send(Ok(response)))).await;
        }
        let read = AssertUnwindSafe(axum::body::to_bytes(body, LARGEST)).catch_unwind();
        let response = match read.await {
            Ok(Ok(bytes)) => {
                reply.body = bytes.to_vec();
                Response::from_parts(head, Body::from(bytes))
            }
            broken => {
                tracing::error!(shown_id = %self.request_id, ?broken, "an answer cannot be read");
                reply = self.failed(&Failure::internal());
                shown(reply.clone())
            }
        };
        first(self.finish(reply), || drop(client.send(Ok(response)))).await;
    }

    /// Reads a stream to its end, and hands it on for as long as somebody takes it; what is kept of
    /// it has its end, or one that says why it has not.
    async fn follow(&self, body: Body, reader: &mut Reader) -> Vec<u8> {
        let (mut kept, mut is_full) = (Vec::new(), false);
        let mut pieces = AssertUnwindSafe(body.into_data_stream()).catch_unwind();
        while let Some(piece) = pieces.next().await {
            let (piece, is_broken) = match piece {
                Ok(Ok(piece)) => (piece, false),
                broken => {
                    tracing::error!(shown_id = %self.request_id, ?broken, "a stream broke");
                    (self.event(&Failure::internal()), true)
                }
            };
            // A stream that is kept has no holes: one that is too long is kept as far as it fits.
            is_full |= kept.len().saturating_add(piece.len()) > LARGEST;
            if !is_full {
                kept.extend_from_slice(&piece);
            }
            if let Some(taking) = reader
                && taking.send(Ok(piece)).await.is_err()
            {
                *reader = None;
            }
            if is_broken {
                break;
            }
        }
        if is_full {
            kept.extend_from_slice(&self.event(&too_long()));
        }
        kept
    }

    /// A failure as the last event of a stream.
    fn event(&self, failure: &Failure) -> Bytes {
        let body = failure.body(&self.request_id, self.state.clock().now());
        let json = serde_json::to_string(&body).unwrap_or_default();
        format!("event: error\ndata: {json}\n\n").into()
    }

    /// A failure as it is kept.
    fn failed(&self, failure: &Failure) -> StoredReply {
        let body = failure.body(&self.request_id, self.state.clock().now());
        let json = serde_json::to_vec(&body).unwrap_or_default();
        let content_type = ("content-type".to_owned(), "application/json".to_owned());
        StoredReply::new(failure.status().as_u16(), vec![content_type], json)
    }

    async fn finish(&self, reply: StoredReply) {
        let kept = self.persist(|| self.scope.finish_claim(&self.claimed, reply.clone()));
        if kept.await == Some(false) {
            tracing::warn!("an answer came when its claim was taken over, or its session deleted");
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
        let over = self.state.drain().over();
        for pause in PAUSES {
            match work().await {
                Ok(done) => return Some(done),
                Err(error) if error.retry() == aurax::Retry::Never => {
                    tracing::error!(%error, "an answer was not kept");
                    return None;
                }
                Err(error) => tracing::warn!(%error, "an answer is not kept yet"),
            }
            over.run_until_cancelled(tokio::time::sleep(pause)).await?;
        }
        tracing::error!("an answer was not kept: its key is refused until this process ends");
        None
    }
}

/// Gives the answer when the store has it, so that whoever asks again at once finds it; but where
/// the store is away the client does not wait with it.
async fn first(stored: impl Future<Output = ()>, give: impl FnOnce()) {
    let mut stored = std::pin::pin!(stored);
    let in_time = tokio::time::timeout(PATIENCE, stored.as_mut()).await;
    give();
    if in_time.is_err() {
        stored.await;
    }
}

/// What is kept of an answer, but for its body.
fn reply_of(head: &Parts) -> StoredReply {
    let headers = KEPT
        .iter()
        .filter_map(|name| {
            let value = head.headers.get(name)?.to_str().ok()?;
            Some((name.as_str().to_owned(), value.to_owned()))
        })
        .collect();
    StoredReply::new(head.status.as_u16(), headers, Vec::new())
}

/// In place of an answer, or of its end.
fn too_long() -> Failure {
    let message = "the answer is too long to be kept under its key, and was given once: a session \
                   has all of it, and another key asks anew";
    Failure::new(StatusCode::PAYLOAD_TOO_LARGE, Code::TooLarge, message)
}
