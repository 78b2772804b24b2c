//! Every route and status, with the fields of the contract.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

#[path = "../support/mod.rs"]
mod support;

mod accounts;
mod document;
mod idempotency;
mod limits;
mod sessions;

/// Runs a test over each kind of store.
macro_rules! over_stores {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        mod memory {
            $($(#[$doc])* #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                let server = crate::support::Server::start(crate::support::Kind::Memory).await;
                super::$name(server.unwrap()).await;
            })*
        }
        mod postgres {
            $($(#[$doc])* #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                let server = crate::support::Server::start(crate::support::Kind::Postgres).await;
                if let Some(server) = server {
                    super::$name(server).await;
                }
            })*
        }
    };
}
pub(crate) use over_stores;
