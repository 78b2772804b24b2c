//! Live chat over WebSocket and as events: who may, what is said, and how it ends.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod auth;
mod clock;
mod drain;
mod events;
mod frames;
mod limits;
mod opening;
mod scene;
mod slow;
