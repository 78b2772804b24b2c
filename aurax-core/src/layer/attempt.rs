//! Announces every attempt to the ledger before it is made, and follows it to its end.

use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt as _;

use super::trace::record_target;
use super::{Layer, forward_to_inner};
use crate::call::{Batch, Call, Ctx, Reply};
use crate::error::Result;
use crate::ledger::AttemptRecorder;
use crate::provider::Provider;

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
    // The recorder is dropped with the stream, or as soon as the stream has ended, so the guard
    // knows the attempt's end before any outer layer sees it.
    let mut recorder = Some(recorder);
    let followed = batches.map(move |batch| {
        match &batch {
            Ok(batch) => {
                if observe(recorder.as_mut(), batch) {
                    recorder = None;
                }
            }
            Err(error) => {
                if let Some(mut recorder) = recorder.take() {
                    recorder.failed(error);
                }
            }
        }
        batch
    });
    Reply::new(head, followed)
}

/// Shows a batch to the recorder; true when the answer is complete.
fn observe(recorder: Option<&mut AttemptRecorder>, batch: &Batch) -> bool {
    let Some(recorder) = recorder else {
        return false;
    };
    for event in &batch.events {
        recorder.event(event);
    }
    recorder.is_complete()
}
