//! The price book and its costs, through the public API.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod cases;
mod golden;
mod laws;
mod lint;
mod support;
