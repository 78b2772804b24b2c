//! From usage to money: the price book, its matching rules, and costs.
#![deny(clippy::arithmetic_side_effects, clippy::float_arithmetic)]

mod bill;
mod book;
mod charge;
mod cost;
mod error;
mod exact;
mod file;
mod info;
mod listing;
mod name;
mod near;
mod pattern;
mod pricer;
mod rate;
mod schedule;
mod shelf;
mod unit;
mod worst;

pub use bill::{Bill, Flag, Line};
pub use book::{PriceBook, Resolved};
pub use cost::Cost;
pub use error::PriceError;
pub use listing::Matched;
pub(crate) use pattern::{NamePattern, Routes};
pub use pricer::{Priced, Pricer, Sale, UnknownModel};
pub(crate) use worst::Bounds;

#[cfg(test)]
mod tests;
