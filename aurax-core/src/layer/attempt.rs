//! Announces every attempt to the ledger before it is made, and follows it to its end.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt as _};

use super::trace::record_target;
use super::{Layer, forward_to_inner};
use crate::call::Call;
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::ledger::AttemptRecorder;
use crate::provider::Provider;
use crate::reply::{Batch, Reply, truncated};

/// Records attempts with the guard that the meter put into the call's context; without one it
/// does nothing.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct AttemptLayer;

impl Layer for AttemptLayer {
    fn layer(&self, inner: Arc<dyn Provider>) -> Arc<dyn Provider> {
        Arc::new(Recorded { inner })
    }
}

#[derive(Debug)]
struct Recorded {
    inner: Arc<dyn Provider>,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Provider for Recorded {
    forward_to_inner!();

    async fn call(&self, ctx: &Ctx, call: &Call) -> Result<Reply> {
        record_target(ctx.span(), self.inner.info(), call.model.as_str());
        let Some(guard) = ctx.guard() else {
            return self.inner.call(ctx, call).await;
        };
        let mut recorder = guard.open(ctx, self.inner.info(), &call.model).await?;
        match self.inner.call(ctx, call).await {
            Ok(reply) => Ok(follow(reply, recorder)),
            Err(error) => {
                recorder.failed(&error);
                Err(error)
            }
        }
    }
}

fn follow(reply: Reply, mut recorder: AttemptRecorder) -> Reply {
    let (head, batches) = reply.into_parts();
    recorder.head(&head);
    let recorder = Some(recorder);
    Reply::new(head, Followed { batches, recorder })
}

/// A stream that tells the recorder what it sees.
///
/// The recorder goes as soon as the answer has ended, so the guard knows the attempt's end before
/// any outer layer does; else it goes with the stream.
struct Followed {
    batches: BoxStream<'static, Result<Batch>>,
    recorder: Option<AttemptRecorder>,
}

impl Followed {
    fn fail(&mut self, error: &Error) {
        if let Some(mut recorder) = self.recorder.take() {
            recorder.failed(error);
        }
    }

    fn observe(&mut self, batch: &Batch) {
        let Some(recorder) = &mut self.recorder else {
            return;
        };
        for event in &batch.events {
            recorder.event(event);
        }
        if recorder.is_complete() {
            self.recorder = None;
        }
    }
}

impl Stream for Followed {
    type Item = Result<Batch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let item = ready!(self.batches.poll_next_unpin(cx));
        Poll::Ready(match item {
            Some(Ok(batch)) => {
                self.observe(&batch);
                Some(Ok(batch))
            }
            Some(Err(error)) => {
                self.fail(&error);
                Some(Err(error))
            }
            None if self.recorder.is_some() => {
                let error = truncated();
                self.fail(&error);
                Some(Err(error))
            }
            None => None,
        })
    }
}
