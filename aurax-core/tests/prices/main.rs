//! The price book and its costs, through the public API.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod bills;
mod builtin;
mod golden;
mod laws;
mod lint;
mod models;
mod overlay;
mod pricer;
mod support;
