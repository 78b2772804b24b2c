//! The layers between a caller and a provider, through the whole engine.

#![allow(clippy::disallowed_methods, reason = "the runtime's clock is paused")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod breaker;
mod cache;
mod cache_events;
mod concurrency;
mod desk;
mod order;
mod quota;
mod quota_keys;
mod rate;
#[path = "../support/mod.rs"]
mod support;
