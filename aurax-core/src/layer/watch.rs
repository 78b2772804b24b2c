//! Following a reply to its end.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::stream::BoxStream;
use futures::{Stream, StreamExt as _};

use crate::chat::Event;
use crate::error::{Error, Result};
use crate::reply::{Batch, Reply};

/// Something that lasts as long as a reply and may look at it. It is dropped when the reply has
/// ended, failed or been dropped, whichever is first.
pub(super) trait Watch: Send + Unpin + 'static {
    /// Something arrived.
    fn batch(&mut self, _: &Batch) {}

    /// The reply broke off.
    fn failed(&mut self, _: &Error) {}
}

/// Lets `watcher` follow the reply.
pub(super) fn watch(reply: Reply, watcher: impl Watch) -> Reply {
    let (head, batches) = reply.into_parts();
    let watcher = Some(watcher);
    Reply::new(head, Watched { batches, watcher })
}

pub(super) fn ends(batch: &Batch) -> bool {
    batch
        .events
        .iter()
        .any(|event| matches!(event, Event::End(_)))
}

struct Watched<W> {
    // Dropped in this order: the connection is closed before its place is given away.
    batches: BoxStream<'static, Result<Batch>>,
    watcher: Option<W>,
}

impl<W: Watch> Stream for Watched<W> {
    type Item = Result<Batch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let item = ready!(self.batches.poll_next_unpin(cx));
        let over = match (&item, &mut self.watcher) {
            (Some(Ok(batch)), Some(watcher)) => {
                watcher.batch(batch);
                ends(batch)
            }
            (Some(Err(error)), Some(watcher)) => {
                watcher.failed(error);
                true
            }
            _ => true,
        };
        if over {
            self.watcher = None;
        }
        Poll::Ready(item)
    }
}
