//! Partitions: made ahead, dropped when they are empty and old.

use aurax_core::Result;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::catalogue::jobs as sql;
use crate::db::args;
use crate::scope::JobScope;

/// What was done about partitions; nothing in SQLite, which has none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Partitions {
    /// Partitions made ahead.
    pub made: u64,
    /// Partitions that were old and empty, and are gone.
    pub dropped: Vec<String>,
    /// Messages that no partition was made for: an alarm, because somebody's clock is wrong or
    /// this job did not run.
    pub stray_messages: u64,
    /// Usage rows that no partition was made for.
    pub stray_usage: u64,
}

impl JobScope {
    /// Makes the partitions of the next three periods, moves rows into them that came before they
    /// were made, and drops empty ones that end before the id `before`.
    ///
    /// # Errors
    /// `Store` when the database is away.
    ///
    /// # Cancel safety
    /// A dropped future leaves the rest to the next run.
    pub async fn partitions(&self, before: Uuid) -> Result<Partitions> {
        let at = self.store().now();
        let mut done = self
            .write(move |tx| {
                Box::pin(async move {
                    let made = tx.row(&sql::MAKE_PARTITIONS, &args! { at }).await?;
                    let strays = tx.row(&sql::STRAYS, &[]).await?;
                    let mut done = Partitions::default();
                    if let (Some(made), Some(strays)) = (made, strays) {
                        done.made = made.count("made")?;
                        done.stray_messages = strays.count("messages")?;
                        done.stray_usage = strays.count("usage")?;
                    }
                    Ok(done)
                })
            })
            .await?;
        if done.stray_messages > 0 || done.stray_usage > 0 {
            tracing::error!(
                messages = done.stray_messages,
                usage = done.stray_usage,
                "rows lie outside all partitions: check the clocks of all processes"
            );
        }
        let old = self.rows(&sql::OLD_PARTITIONS, args! { before }).await?;
        for row in &old {
            let name = row.text("name")?;
            let named = name.clone();
            let dropped = self
                .write(move |tx| {
                    Box::pin(
                        async move { tx.row(&sql::DROP_PARTITION, &args! { name: named }).await },
                    )
                })
                .await?;
            if let Some(row) = dropped
                && row.bool("dropped")?
            {
                done.dropped.push(name);
            }
        }
        Ok(done)
    }
}
