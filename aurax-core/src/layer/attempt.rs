//! Announces every attempt to the ledger before it is made, and follows it to its end.

use std::sync::Arc;

use async_trait::async_trait;

use super::trace::record_target;
use super::{Layer, forward_to_inner};
use crate::call::Call;
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::ledger::AttemptRecorder;
use crate::provider::Provider;
use crate::reply::{Batch, Reply, Watch};

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
        let mut recorder = guard.open(ctx, self.inner.info(), call).await?;
        let limited = recorder.output_limit().map(|limit| call.limited(limit));
        let call = limited.as_ref().unwrap_or(call);
        match self.inner.call(ctx, call).await {
            Ok(reply) => {
                recorder.head(reply.head());
                Ok(reply.watched(recorder))
            }
            Err(error) => {
                recorder.fail(&error);
                Err(error)
            }
        }
    }
}

/// Goes as soon as the answer has ended, so the guard knows the attempt's end before any outer
/// layer does.
impl Watch for AttemptRecorder {
    fn batch(&mut self, batch: &Batch) {
        for event in &batch.events {
            self.event(event);
        }
    }

    fn failed(&mut self, error: &Error) {
        self.fail(error);
    }
}
