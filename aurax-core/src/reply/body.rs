//! The stream of an answer, and those who follow it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::vec;

use futures::stream::{BoxStream, Stream, StreamExt as _};

use super::{Batch, truncated};
use crate::error::{Error, Result};

/// Something that lasts as long as an answer and may look at it. It is dropped when the answer has
/// ended, failed or been dropped, whichever is first.
pub(crate) trait Watch: Send + 'static {
    /// Something arrived.
    fn batch(&mut self, _: &Batch) {}

    /// The answer broke off.
    fn failed(&mut self, _: &Error) {}
}

/// A stream of batches that ends with the answer's end, or with an error.
pub(super) struct Body {
    // Dropped in this order: the connection is closed before watchers give up what they hold.
    source: BoxStream<'static, Result<Batch>>,
    /// What was read ahead; watchers have seen it.
    ahead: vec::IntoIter<Batch>,
    /// The innermost first.
    watchers: Vec<Box<dyn Watch>>,
    /// Nothing is left to wait for.
    over: bool,
}

impl Body {
    pub(super) fn new(source: BoxStream<'static, Result<Batch>>) -> Self {
        Self {
            source,
            ahead: Vec::new().into_iter(),
            watchers: Vec::new(),
            over: false,
        }
    }

    /// Adds a watcher; it sees all that is still to be delivered, read ahead or not.
    pub(super) fn watched(mut self, watcher: Box<dyn Watch>) -> Self {
        if self.ahead.len() > 0 || self.over {
            self = Self::new(self.boxed());
        }
        if self.watchers.is_empty() {
            // As many as the engine's own layers add.
            self.watchers.reserve_exact(4);
        }
        self.watchers.push(watcher);
        self
    }

    /// Delivers these batches once more.
    pub(super) fn put_back(&mut self, batches: Vec<Batch>) {
        self.ahead = batches.into_iter();
    }

    pub(super) fn into_stream(self) -> BoxStream<'static, Result<Batch>> {
        if self.watchers.is_empty() && self.ahead.len() == 0 {
            self.source
        } else {
            self.boxed()
        }
    }

    /// Tells the watchers, and lets them go when the answer is over.
    fn tell(&mut self, item: &Result<Batch>) {
        for watcher in &mut self.watchers {
            match item {
                Ok(batch) => watcher.batch(batch),
                Err(error) => watcher.failed(error),
            }
        }
        self.over = item.as_ref().map_or(true, Batch::ends);
        if self.over {
            self.watchers.clear();
        }
    }
}

impl Stream for Body {
    type Item = Result<Batch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(batch) = self.ahead.next() {
            return Poll::Ready(Some(Ok(batch)));
        }
        let item = ready!(self.source.poll_next_unpin(cx));
        if self.over {
            // A provider's stream may have more to say of its own, but not of the answer.
            return Poll::Ready(item);
        }
        let item = item.unwrap_or_else(|| Err(truncated()));
        self.tell(&item);
        Poll::Ready(Some(item))
    }
}
