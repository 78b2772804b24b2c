//! What a database gives to be backed up, and hands back.

use std::fmt::Debug;

use async_trait::async_trait;
use aurax_core::Result;
use time::OffsetDateTime;
use tokio::io::AsyncRead;

use super::{Manifest, Watch};

/// A database that can be copied as a whole, as it is at one moment, while it is written to.
#[async_trait]
pub(crate) trait Source: Debug + Send + Sync {
    /// Begins a copy. Whoever calls holds the job's lease: what an earlier copy left behind is
    /// cleared away.
    async fn open(&self, watch: &Watch) -> Result<Box<dyn Content>>;
}

/// The content of a backup. Dropping it ends what makes it and leaves nothing behind.
#[async_trait]
pub(crate) trait Content: Send {
    /// What it is a copy of, begun `at`.
    fn manifest(&self, at: OffsetDateTime) -> Manifest;

    /// Where it is read from, to its end.
    fn reader(&mut self) -> &mut (dyn AsyncRead + Send + Unpin);

    /// Says whether what was read is all of it. Nothing is worth keeping until then.
    async fn end(self: Box<Self>) -> Result<()>;
}
