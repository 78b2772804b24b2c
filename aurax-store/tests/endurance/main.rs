//! Whether the books are right when things go wrong: processes that die, callers that leave,
//! budgets that many share, databases that are away. The load speaks to an upstream of the test's
//! own, and an audit joins what that noted, what clients noted and what is written.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod aborts;
mod budgets;
mod chore;
mod crash;
mod detectors;
mod outage;
mod place;
#[path = "../support/postgres.rs"]
mod postgres;
mod program;
mod retention;
mod rotation;
mod series;
