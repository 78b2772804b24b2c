//! Nobody finds out anything about what belongs to somebody else: for every route, everything of
//! somebody's that it names, and everybody who may ask, another's id answers byte for byte like one
//! that does not exist. And what every route answers alike, from the same table of requests.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

#[path = "../support/mod.rs"]
mod support;

mod access;
mod alike;
mod asking;
mod frames;
mod matrix;
mod people;
mod requests;
mod seeds;
