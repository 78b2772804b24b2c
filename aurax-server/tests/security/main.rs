//! Who gets in, who does not any more, and what leaves: tokens that are forged, raced and ended,
//! and secrets that stay where they are.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

#[path = "../support/mod.rs"]
mod support;

mod canaries;
mod careless;
mod clock;
mod endings;
mod forge;
mod forged;
mod forger;
mod issuers;
mod renewals;
mod siblings;
