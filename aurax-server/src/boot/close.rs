//! The end of a process: everything that was called is recorded, within a bounded time.

use std::time::Duration;

use aurax::store::Store;
use aurax::{Error, ErrorKind, Result};

use super::Boot;

/// How long the books may take to be finished.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

impl Boot {
    /// Waits until every call is recorded, for 30 s at most, and closes the store.
    ///
    /// # Errors
    /// `Ledger` when the books could not be finished in time, which says what becomes of them.
    ///
    /// # Cancel safety
    /// A dropped future leaves the store closing.
    pub async fn close(&self) -> Result<()> {
        self.close_within(PATIENCE).await
    }

    /// The same with another limit.
    ///
    /// # Errors
    /// As of [`Boot::close`].
    ///
    /// # Cancel safety
    /// As of [`Boot::close`].
    pub async fn close_within(&self, limit: Duration) -> Result<()> {
        let closed = async {
            self.engine.drained().await;
            self.store.close().await;
        };
        in_time(limit, closed).await
    }
}

/// The same for a store without an engine.
pub(crate) async fn close_store(store: &Store) -> Result<()> {
    in_time(PATIENCE, store.close()).await
}

async fn in_time(limit: Duration, closed: impl Future<Output = ()>) -> Result<()> {
    tokio::time::timeout(limit, closed).await.map_err(|_| {
        let message = format!(
            "the books could not be finished within {}: answers that ended meanwhile are not kept, \
             and calls that are open are settled as estimates by the next server that runs",
            crate::config::shown(limit)
        );
        Error::new(ErrorKind::Ledger, message)
    })
}
