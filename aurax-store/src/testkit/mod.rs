//! Tools that find out whether the books are right.

mod books;

pub use books::{AttemptRow, Books, BudgetRow, ChargeRow, MessageRow, SettlementRow, add_budget};
