//! From usage to money: the price book, its matching rules, and costs.

mod book_stub;
mod cost;
mod pricer;

pub use book_stub::PriceBook;
pub use cost::Cost;
pub use pricer::{Priced, Pricer, Sale, UnknownModel};
