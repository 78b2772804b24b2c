//! An answer as server-sent events.

use std::convert::Infallible;

use axum::body::Body;
use axum::response::Response;
use bytes::{BufMut as _, Bytes, BytesMut};
use futures::stream;
use http::{HeaderValue, StatusCode, header};

use super::{Exchange, Frame, Live, Moment};
use crate::auth::Caller;
use crate::edge::Seen;
use crate::error::Failure;
use crate::state::State;

/// A sign of life, which clients pass over.
const PING: &[u8] = b": ping\n\n";

/// Says it, and gives the answer as events. The status waits for the first content, but not for
/// ever: a failure after it is the last event.
pub(crate) async fn events(
    state: State,
    caller: Caller,
    seen: Seen,
    exchange: Exchange,
) -> Result<Response, Failure> {
    let timeouts = state.config().timeouts.clone();
    let mut live = Live::new(state, caller, seen, exchange, None);
    live.begin(timeouts.header_commit).await?;
    let (heartbeat, quota) = (timeouts.heartbeat, live.quota());
    let frames = stream::unfold((live, 0_u64), move |(mut live, mut sent)| async move {
        let moment = live.next(heartbeat).await?;
        let bytes = match moment {
            Moment::Silence => Bytes::from_static(PING),
            Moment::Frames(frames) => write(&frames, &mut sent),
        };
        Some((Ok::<_, Infallible>(bytes), (live, sent)))
    });
    let mut response = respond(Body::from_stream(frames));
    if let Some(quota) = quota {
        response.extensions_mut().insert(quota);
    }
    Ok(response)
}

/// An answer of events.
pub(crate) fn respond(body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-cache, no-store"),
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Frames as events with ids from 1.
fn write(frames: &[Frame], sent: &mut u64) -> Bytes {
    let mut out = BytesMut::new();
    for frame in frames {
        *sent = sent.saturating_add(1);
        out.put_slice(format!("id: {sent}\nevent: {}\ndata: ", frame.name()).as_bytes());
        match serde_json::to_vec(frame) {
            // JSON has no line breaks, so one line of data holds it.
            Ok(json) => out.put_slice(&json),
            Err(error) => tracing::error!(%error, "an event cannot be written"),
        }
        out.put_slice(b"\n\n");
    }
    out.freeze()
}
