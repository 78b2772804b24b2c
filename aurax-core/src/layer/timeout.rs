//! Limits every phase of an attempt.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{FutureExt as _, Stream, StreamExt as _};
use tokio::time::{Instant, Sleep};

use super::retry::cancelled;
use super::{Layer, forward_to_inner};
use crate::call::Call;
use crate::chat::Event;
use crate::clock::Clock;
use crate::ctx::{Cancelled, Ctx, Timeouts};
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::provider::Provider;
use crate::reply::{Batch, Delivery, Reply};

/// Ends attempts that take too long: [`Timeouts`] by phase, and the call's deadline.
#[derive(Debug, Clone)]
pub(crate) struct TimeoutLayer {
    defaults: Timeouts,
    clock: Arc<dyn Clock>,
}

impl TimeoutLayer {
    pub(crate) fn new(defaults: Timeouts, clock: Arc<dyn Clock>) -> Self {
        Self { defaults, clock }
    }
}

impl Layer for TimeoutLayer {
    fn layer(&self, inner: Arc<dyn Provider>) -> Arc<dyn Provider> {
        Arc::new(Timed {
            inner,
            policy: self.clone(),
        })
    }
}

#[derive(Debug)]
struct Timed {
    inner: Arc<dyn Provider>,
    policy: TimeoutLayer,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Provider for Timed {
    forward_to_inner!();

    async fn call(&self, ctx: &Ctx, call: &Call) -> Result<Reply> {
        let limits = *ctx.timeouts().unwrap_or(&self.policy.defaults);
        let start = self.policy.clock.monotonic();
        let headers = if call.op.is_stream() {
            Limit::new("headers", start, limits.headers)
        } else {
            Limit::new("whole", start, limits.whole)
        };
        let total = Limit::new("total", start, limits.total);
        let deadline = ctx.deadline().map(|at| Limit {
            phase: "deadline",
            at,
        });
        if let Some(deadline) = deadline.filter(|deadline| deadline.at <= start) {
            return Err(deadline.error(Phase::Encode));
        }
        let end = deadline.map_or(total, |deadline| total.sooner(deadline));
        let first = headers.sooner(end);
        let answered = tokio::time::timeout_at(first.at, self.inner.call(ctx, call));
        let reply = ctx
            .unless_cancelled(answered)
            .await
            .ok_or_else(|| cancelled().with_phase(Phase::Headers))?
            .unwrap_or_else(|_| Err(first.error(Phase::Headers)))?;
        let (head, batches) = reply.into_parts();
        let now = self.policy.clock.monotonic();
        let (first_content, silence) = match head.delivery {
            Delivery::Streamed => (
                Limit::new("first_content", now, limits.first_content),
                Some(limits),
            ),
            // A whole answer is one wait, which goes on from the headers to the end of the body.
            Delivery::Whole => (Limit::new("whole", start, limits.whole), None),
        };
        let timed = TimedStream {
            batches,
            first_content: Some(first_content),
            silence,
            end,
            cancelled: ctx.cancelled(),
            clock: self.policy.clock.clone(),
            sleep: None,
            over: false,
        };
        Ok(Reply::new(head, timed))
    }
}

/// When a phase must have ended.
#[derive(Debug, Clone, Copy)]
struct Limit {
    phase: &'static str,
    at: Instant,
}

impl Limit {
    fn new(phase: &'static str, start: Instant, limit: Duration) -> Self {
        // A limit too far away for the clock is one that never comes within a process's life.
        let never = Duration::from_secs(60 * 60 * 24 * 365);
        let at = start.checked_add(limit.min(never)).unwrap_or(start);
        Self { phase, at }
    }

    fn sooner(self, other: Self) -> Self {
        if other.at < self.at { other } else { self }
    }

    fn error(self, phase: Phase) -> Error {
        let error = Error::new(
            ErrorKind::Timeout,
            format!("the provider took longer than the `{}` limit", self.phase),
        )
        .with_context("limit", self.phase)
        .with_phase(phase);
        if self.phase == "deadline" {
            error.with_retry(crate::error::Retry::Never)
        } else {
            error
        }
    }
}

struct TimedStream {
    batches: BoxStream<'static, Result<Batch>>,
    /// `None` once content has arrived.
    first_content: Option<Limit>,
    /// The limits on silence between frames, for a stream.
    silence: Option<Timeouts>,
    end: Limit,
    cancelled: Cancelled,
    clock: Arc<dyn Clock>,
    /// Runs while the stream is silent.
    sleep: Option<(Limit, Pin<Box<Sleep>>)>,
    over: bool,
}

impl TimedStream {
    /// The limit that comes first while nothing arrives.
    fn next_limit(&self) -> Limit {
        let now = self.clock.monotonic();
        let silence = self.silence.map(|limits| match self.first_content {
            Some(_) => Limit::new("idle_before_content", now, limits.idle_before_content),
            None => Limit::new("idle", now, limits.idle),
        });
        [silence, self.first_content]
            .into_iter()
            .flatten()
            .fold(self.end, Limit::sooner)
    }
}

impl TimedStream {
    /// Ends with an error and closes the connection now, not when the caller gets around to it.
    fn stop(&mut self, error: Error) -> Poll<Option<Result<Batch>>> {
        self.over = true;
        self.batches = futures::stream::empty().boxed();
        Poll::Ready(Some(Err(error)))
    }
}

impl Stream for TimedStream {
    type Item = Result<Batch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.over {
            return Poll::Ready(None);
        }
        if self.cancelled.poll_unpin(cx).is_ready() {
            return self.stop(cancelled().with_phase(Phase::Body));
        }
        match self.batches.poll_next_unpin(cx) {
            Poll::Ready(item) => {
                self.sleep = None;
                match &item {
                    Some(Ok(batch)) => {
                        // A stream that is always ready must end in time as well.
                        if self.clock.monotonic() >= self.end.at && !batch.ends() {
                            let late = self.end.error(Phase::Body);
                            return self.stop(late);
                        }
                        if batch.events.iter().any(Event::is_content) {
                            self.first_content = None;
                        }
                    }
                    Some(Err(_)) | None => self.over = true,
                }
                Poll::Ready(item)
            }
            Poll::Pending => {
                let limit = match &self.sleep {
                    Some((limit, _)) => *limit,
                    None => self.next_limit(),
                };
                let (_, sleep) = self
                    .sleep
                    .get_or_insert_with(|| (limit, Box::pin(tokio::time::sleep_until(limit.at))));
                if sleep.poll_unpin(cx).is_pending() {
                    return Poll::Pending;
                }
                self.stop(limit.error(Phase::Body))
            }
        }
    }
}
