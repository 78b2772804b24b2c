//! Every route and status, with the fields of the contract.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

#[path = "../security/clock.rs"]
#[allow(dead_code, reason = "each test binary uses its own part")]
mod clock;
#[path = "../support/mod.rs"]
mod support;

mod access_keys;
mod accounts;
mod admin;
mod alerts;
mod budgets;
mod completions;
mod document;
mod edge;
mod idempotency;
mod jobs;
mod kept;
mod keys;
mod limits;
mod load;
mod logs;
mod playground;
mod providers;
mod scripted;
mod sessions;
mod statuses;
mod upstream;
mod usage;

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

/// Runs a test that starts its own server over each kind of store.
macro_rules! over_kinds {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        mod memory {
            $($(#[$doc])* #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(crate::support::Kind::Memory).await;
            })*
        }
        mod postgres {
            $($(#[$doc])* #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(crate::support::Kind::Postgres).await;
            })*
        }
    };
}
pub(crate) use over_kinds;

/// A server in front of a provider that answers with known tokens; `None` where the store's server
/// is not there.
pub(crate) async fn with_upstream(
    kind: support::Kind,
) -> Option<(support::Server, upstream::Upstream)> {
    let upstream = upstream::Upstream::start().await;
    let setup = support::Setup::new().with_openai(&upstream.base_url());
    let server = support::Server::with(kind, setup).await?;
    Some((server, upstream))
}

/// The names of an object's fields, in order.
pub(crate) fn fields(value: &serde_json::Value) -> Vec<&str> {
    let object = value.as_object().unwrap_or_else(|| panic!("{value}"));
    let mut names: Vec<&str> = object.keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}
