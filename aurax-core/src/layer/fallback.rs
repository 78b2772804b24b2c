//! Asks another model when one fails.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Layer, forward_to_inner};
use crate::call::Call;
use crate::chat::Warning;
use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind, Result};
use crate::provider::Provider;
use crate::reply::Reply;

/// Goes through [`Ctx::fallback`] when a call fails before any content.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct FallbackLayer;

impl Layer for FallbackLayer {
    fn layer(&self, inner: Arc<dyn Provider>) -> Arc<dyn Provider> {
        Arc::new(Fallback { inner })
    }
}

#[derive(Debug)]
struct Fallback {
    inner: Arc<dyn Provider>,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Provider for Fallback {
    forward_to_inner!();

    async fn call(&self, ctx: &Ctx, call: &Call) -> Result<Reply> {
        let mut answer = self.inner.call(ctx, call).await;
        let mut failed = &call.model;
        let mut warnings = Vec::new();
        for model in ctx.fallback() {
            let Err(error) = &answer else { break };
            if !may_help(error) {
                break;
            }
            warnings.push(Warning::new(
                "model",
                format!("`{failed}` failed ({}); asked `{model}`", error.kind()),
            ));
            failed = model;
            answer = self.inner.call(ctx, &call.with_model(model.clone())).await;
        }
        let mut reply = answer?;
        reply.head_mut().warnings.splice(0..0, warnings);
        Ok(reply)
    }
}

/// Whether another model may do what this one could not. What is wrong with the request, with
/// the caller's time or with the ledger is wrong everywhere.
fn may_help(error: &Error) -> bool {
    error.context("limit") != Some("deadline")
        && !matches!(
            error.kind(),
            ErrorKind::InvalidRequest
                | ErrorKind::ContentFilter
                | ErrorKind::Cancelled
                | ErrorKind::Ledger
                | ErrorKind::Store
                | ErrorKind::SessionBusy
                | ErrorKind::Internal
        )
}
