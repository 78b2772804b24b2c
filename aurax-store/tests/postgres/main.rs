//! What is PostgreSQL's alone: its logins and roles, TLS, a server for analyses, poolers, and what
//! a store refuses to begin with.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod logins;
mod own;
#[path = "../endurance/place.rs"]
mod place;
mod pooler;
#[path = "../support/postgres.rs"]
mod postgres;
mod reader;
mod refusals;
#[path = "../support/mod.rs"]
mod support;
mod tls;
