//! A whole store goes into an archive while it is written to, and comes back as it was.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod bad_input;
mod place;
mod postgres;
mod programs;
mod scene;
mod schedule;
#[path = "../support/postgres.rs"]
mod server;
mod sqlite;
mod tls;
