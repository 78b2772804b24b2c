//! What ties the log lines of one request together: a span with its id, its method and its route.
//! Paths and queries stay out of it, since clients write what they like there.

use std::pin::Pin;
use std::task::{Context, Poll};

use aurax::RequestId;
use axum::body::{Body, Bytes};
use axum::extract::{MatchedPath, Request};
use axum::response::Response;
use http_body::{Body as _, Frame, SizeHint};
use tracing::Span;

use crate::edge::Seen;

/// The span of a request. It is there at every level, so that errors have it where nothing else is
/// logged.
pub(crate) fn request(request: &Request, seen: &Seen) -> Span {
    let route = request.extensions().get::<MatchedPath>();
    let request_id = seen.request_id.to_string();
    // What the client calls it, where that is something else.
    let shown_id = (seen.shown_id != request_id).then_some(&*seen.shown_id);
    tracing::error_span!(
        "request",
        request_id,
        shown_id,
        method = %request.method(),
        route = route.map(MatchedPath::as_str),
    )
}

/// The span of an answer on a WebSocket, which has an id of its own.
pub(crate) fn answer(id: RequestId) -> Span {
    tracing::error_span!(parent: None, "request", request_id = %id, method = "GET", route = "/ws")
}

/// An answer whose body is made in the span, too.
pub(crate) fn body(response: Response, span: Span) -> Response {
    response.map(|body| {
        if body.is_end_stream() {
            return body;
        }
        Body::new(Traced { body, span })
    })
}

#[derive(Debug)]
struct Traced {
    body: Body,
    span: Span,
}

impl http_body::Body for Traced {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        let _entered = this.span.enter();
        Pin::new(&mut this.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
