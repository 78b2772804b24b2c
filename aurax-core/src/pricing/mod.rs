//! From usage to money: the price book, its matching rules, and costs.

mod cost;
mod pricer;

pub use cost::Cost;
pub use pricer::{Priced, Pricer, Sale};
