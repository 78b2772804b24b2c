//! A response's body to the batches of a reply.

use std::pin::Pin;
use std::task::{Context, Poll};

use aurax_core::{Batch, Cancelled, Ctx, Error, Event, Phase, Result};
use futures::{FutureExt, Stream, StreamExt};

use super::exchange::{About, cancelled};
use super::reader::Reader;
use crate::transport::ByteStream;

/// Chunks that go into one batch when they are all there: enough to catch up, few enough for the
/// other tasks of the thread.
const MAX_CHUNKS: usize = 32;

/// Reads the body and yields what is ready, together: it never waits for more.
///
/// Everything that made it fail after events of the same batch waits until those are delivered.
pub(super) struct Batches {
    /// `None` once the bytes ended or are no longer wanted; dropping it closes the exchange.
    body: Option<ByteStream>,
    reader: Reader,
    cancelled: Cancelled,
    failure: Option<Error>,
    about: About,
}

impl Batches {
    pub(super) fn new(body: ByteStream, reader: Reader, ctx: &Ctx, about: About) -> Self {
        Self {
            body: Some(body),
            reader,
            cancelled: ctx.cancelled(),
            failure: None,
            about,
        }
    }

    /// Takes the chunks that are ready.
    fn poll_events(&mut self, cx: &mut Context<'_>, events: &mut Vec<Event>) -> Poll<Result<()>> {
        for taken in 0..MAX_CHUNKS {
            let Some(body) = &mut self.body else { break };
            match body.poll_next_unpin(cx) {
                Poll::Ready(Some(Ok(chunk))) => self.reader.push(chunk, events)?,
                Poll::Ready(Some(Err(broken))) => {
                    // What broke behind the last frame that matters did not break the answer.
                    self.body = None;
                    self.reader.finish(events).map_err(|_| broken)?;
                }
                Poll::Ready(None) => {
                    self.body = None;
                    self.reader.finish(events)?;
                }
                Poll::Pending if taken == 0 => return Poll::Pending,
                Poll::Pending => break,
            }
            if self.reader.is_done() {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Reads what is ready behind the last event: a body that was read to its end leaves its
    /// connection to the next call.
    fn drain(&mut self, cx: &mut Context<'_>) {
        for _ in 0..MAX_CHUNKS {
            match self.body.as_mut().map(|body| body.poll_next_unpin(cx)) {
                Some(Poll::Ready(Some(Ok(_)))) => {}
                Some(Poll::Pending) => return,
                Some(Poll::Ready(Some(Err(_)) | None)) | None => break,
            }
        }
        self.body = None;
    }

    fn fail(&mut self, error: Error) -> Poll<Option<Result<Batch>>> {
        self.body = None;
        let error = error.with_phase(Phase::Body);
        Poll::Ready(Some(Err(self.about.complete(error))))
    }
}

impl Stream for Batches {
    type Item = Result<Batch>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if let Some(error) = this.failure.take() {
            return this.fail(error);
        }
        if this.reader.is_done() {
            this.drain(cx);
            this.body = None;
        }
        if this.body.is_none() {
            return Poll::Ready(None);
        }
        if this.cancelled.poll_unpin(cx).is_ready() {
            return this.fail(cancelled());
        }
        let mut events = Vec::new();
        let Poll::Ready(result) = this.poll_events(cx, &mut events) else {
            return Poll::Pending;
        };
        if let Err(error) = result {
            this.body = None;
            if events.is_empty() {
                return this.fail(error);
            }
            this.failure = Some(error);
        } else if this.reader.is_done() {
            this.drain(cx);
        }
        let batch = Batch::new(events);
        Poll::Ready(Some(Ok(match this.reader.take_raw() {
            Some(raw) => batch.with_raw(raw),
            None => batch,
        })))
    }
}
