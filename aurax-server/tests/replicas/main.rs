//! Servers that share a database and a Redis, and what becomes of clients when one of them, or what
//! they share, goes away.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

#[path = "../support/mod.rs"]
mod support;

mod drain;
mod http2;
mod killed;
mod place;
#[path = "../../../aurax-store/tests/support/postgres.rs"]
mod postgres;
mod postgres_away;
mod process;
mod raw;
mod redis_away;
mod revoked;
mod scene;
mod shared;
mod slow;
