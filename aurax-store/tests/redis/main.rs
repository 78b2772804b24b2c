//! What is shared in Redis, against real ones: `tools/test/services run -- cargo nextest run -p aurax-store`.
#![cfg(feature = "redis")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may panic, and measures how long a call takes"
)]

mod access;
mod answers;
mod away;
mod connection;
mod limits;
mod quota;
mod support;
mod values;
