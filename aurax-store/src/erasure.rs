//! The end of an account.

use aurax_core::Result;

use crate::catalogue::{erasure as sql, users};
use crate::db::{Statement, args};
use crate::scope::UserScope;

/// Rows that one transaction deletes.
const BATCH: u32 = 500;

/// What there may be much of.
const MANY: [&Statement; 4] = [&sql::MESSAGES, &sql::HISTORY, &sql::SESSIONS, &sql::EVENTS];

/// What goes with the account itself.
const REST: [&Statement; 8] = [
    &sql::CLAIMS,
    &sql::TOKENS,
    &sql::IDENTITIES,
    &sql::PROVIDER_KEYS,
    &sql::ACCESS_KEYS,
    &sql::ALERTS,
    &sql::BUDGETS,
    &users::DELETE,
];

impl UserScope {
    /// Deletes the account, everything said in its sessions, its request history and all its keys.
    /// Usage and the books stay, under an id that names nobody any more.
    ///
    /// The account is closed first, then what there is much of goes, at most 500 rows in a
    /// transaction, and the account with the last one: when that is interrupted, it can be done
    /// again. A principal without an account loses what it has all the same.
    ///
    /// # Errors
    /// `Store` when it cannot be deleted.
    ///
    /// # Cancel safety
    /// A dropped future leaves the account closed and some of its rows; call it again.
    pub async fn delete_account(&self) -> Result<()> {
        let at = self.store().now();
        self.run(&sql::CLOSE, args! { at }).await?;
        for statement in MANY {
            let args = args! { most: BATCH };
            loop {
                let args = args.clone();
                let erased = self
                    .write(move |tx| Box::pin(async move { tx.run(statement, &args).await }))
                    .await?;
                if erased < u64::from(BATCH) {
                    break;
                }
            }
        }
        self.write(|tx| {
            Box::pin(async move {
                // Once more, for what was added meanwhile: sessions before what is said in them, so
                // that nothing more is.
                for statement in MANY.into_iter().rev().chain(REST) {
                    tx.run(statement, &args! { most: BATCH }).await?;
                }
                Ok(())
            })
        })
        .await?;
        tracing::info!(target: "aurax::audit", user_id = %self.user_id(), "account deleted");
        Ok(())
    }
}
