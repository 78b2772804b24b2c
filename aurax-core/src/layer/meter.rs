//! Gives every request one guard, and settles it before the caller sees the end.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{FutureExt as _, Stream, StreamExt as _};
use tokio::time::Timeout;

use super::disconnect::{DisconnectPolicies, Drain};
use super::{Layer, forward_to_inner};
use crate::call::Call;
use crate::chat::{End, Event};
use crate::clock::Clock;
use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::ledger::{Ack, GuardOwner, Ledger, Receipt, RequestGuard};
use crate::pricing::Pricer;
use crate::provider::Provider;
use crate::reply::{Batch, Reply, truncated};

/// How long the end of an answer waits for the ledger; the settlement goes on after that.
const COMMIT_LIMIT: Duration = Duration::from_secs(5);

/// Meters requests into a ledger.
#[derive(Debug, Clone)]
pub(crate) struct MeterLayer {
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    pricer: Arc<Pricer>,
    disconnect: DisconnectPolicies,
}

impl MeterLayer {
    pub(crate) const fn new(
        ledger: Arc<dyn Ledger>,
        clock: Arc<dyn Clock>,
        pricer: Arc<Pricer>,
        disconnect: DisconnectPolicies,
    ) -> Self {
        Self {
            ledger,
            clock,
            pricer,
            disconnect,
        }
    }
}

impl Layer for MeterLayer {
    fn layer(&self, inner: Arc<dyn Provider>) -> Arc<dyn Provider> {
        Arc::new(Metered {
            inner,
            meter: self.clone(),
        })
    }
}

#[derive(Debug)]
struct Metered {
    inner: Arc<dyn Provider>,
    meter: MeterLayer,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Provider for Metered {
    forward_to_inner!();

    async fn call(&self, ctx: &Ctx, call: &Call) -> Result<Reply> {
        let MeterLayer {
            ledger,
            clock,
            pricer,
            disconnect,
        } = self.meter.clone();
        let guard = RequestGuard::new(ledger, clock, pricer, ctx, call);
        // Declared before the call's future, so dropped after it: by then every attempt has told
        // the guard how it ended.
        let owner = GuardOwner::new(guard.clone());
        match self.inner.call(&ctx.clone().with_guard(guard), call).await {
            Ok(reply) => {
                let (head, batches) = reply.into_parts();
                let drain = disconnect.drain(&head);
                let running = Running { batches, owner };
                Ok(Reply::new(head, Settling::new(running, drain)))
            }
            Err(error) => {
                if let Some(ack) = owner.settle() {
                    // The provider's error matters more to the caller than the ledger's, which
                    // goes on trying by itself.
                    drop(tokio::time::timeout(COMMIT_LIMIT, ack).await);
                }
                Err(owner.told(error))
            }
        }
    }
}

/// A reply that settles its request before it ends, or when it is dropped.
struct Settling {
    /// `None` once it is left to be drained.
    running: Option<Running>,
    last: Option<Last>,
    ended: bool,
    drain: Option<Drain>,
}

/// An answer that is still to be settled.
struct Running {
    // Dropped in this order: attempts report to the guard before the owner settles.
    batches: BoxStream<'static, Result<Batch>>,
    owner: GuardOwner,
}

impl Running {
    /// Reads what is left of the answer, for nobody.
    async fn read_on(&mut self) {
        while let Some(Ok(batch)) = self.batches.next().await {
            if batch.ends() {
                break;
            }
        }
    }
}

impl Drop for Settling {
    fn drop(&mut self) {
        let is_over = self.ended || self.last.is_some();
        if let (false, Some(drain), Some(mut running)) =
            (is_over, self.drain.take(), self.running.take())
        {
            // Dropping the task, in time or not, settles with what it has read.
            drain.begin(async move { running.read_on().await });
        }
    }
}

/// What is held back until the settlement is durable.
struct Last {
    item: Result<Batch>,
    ack: Option<Pin<Box<Timeout<Ack>>>>,
}

impl Settling {
    const fn new(running: Running, drain: Option<Drain>) -> Self {
        Self {
            running: Some(running),
            last: None,
            ended: false,
            drain,
        }
    }

    fn told(&self, item: Result<Batch>) -> Result<Batch> {
        item.map_err(|error| match &self.running {
            Some(running) => running.owner.told(error),
            None => error,
        })
    }

    fn hold(&mut self, item: Result<Batch>) {
        let ack = self
            .running
            .as_ref()
            .and_then(|running| running.owner.settle())
            .map(|ack| Box::pin(tokio::time::timeout(COMMIT_LIMIT, ack)));
        self.last = Some(Last { item, ack });
    }
}

impl Stream for Settling {
    type Item = Result<Batch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(last) = &mut self.last {
                let settled = match &mut last.ack {
                    Some(ack) => Some(ready!(ack.poll_unpin(cx)).unwrap_or_else(|_| Err(late()))),
                    None => None,
                };
                self.ended = true;
                let item = self.last.take().map(|last| finish(last.item, settled));
                return Poll::Ready(item.map(|item| self.told(item)));
            }
            if self.ended {
                return Poll::Ready(None);
            }
            let Some(running) = &mut self.running else {
                return Poll::Ready(None);
            };
            match ready!(running.batches.poll_next_unpin(cx)) {
                Some(Ok(batch)) if !batch.ends() => return Poll::Ready(Some(Ok(batch))),
                Some(item) => self.hold(item),
                None => self.hold(Err(truncated())),
            }
        }
    }
}

fn late() -> Error {
    Error::new(
        ErrorKind::Ledger,
        "the call was answered but could not be recorded in time; its settlement goes on",
    )
    .with_phase(Phase::Body)
}

/// Puts the receipt into the end of a complete answer. A failed answer keeps its own error.
fn finish(item: Result<Batch>, settled: Option<Result<Receipt>>) -> Result<Batch> {
    let mut batch = item?;
    if let Some(receipt) = settled.transpose()? {
        let end = batch.events.iter_mut().find_map(|event| match event {
            Event::End(end) => Some(end),
            _ => None,
        });
        if let Some(end) = end {
            attach(end, receipt);
        }
    }
    Ok(batch)
}

fn attach(end: &mut End, receipt: Receipt) {
    if end.usage.is_none() {
        end.usage.clone_from(&receipt.usage);
    }
    end.receipt = Some(receipt);
}
