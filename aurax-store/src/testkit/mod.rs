//! Tools that find out whether the books are right: an upstream that does as it is told and notes
//! what it would bill, a load of clients that note what they saw, and an audit that joins both with
//! the books. Rules of the ledger can be broken on purpose, to see the audit notice.

mod audit;
mod books;
mod journal;
mod load;
mod plan;
mod rollups;
mod series;
mod upstream;

pub use audit::{Audit, Invariant, Moment, Verdict};
pub use books::{AttemptRow, Books, BudgetRow, ChargeRow, MessageRow, SettlementRow, add_budget};
pub use journal::Journal;
pub use load::{Load, Manner, Mix, Seen, Tally};
pub use plan::{Ending, Plan, Prompt};
pub use rollups::RollupRow;
pub use series::{TurnSeries, UsageSeries};
pub use upstream::{Fact, How, Upstream};

pub use crate::db::QueryPlan;
pub use crate::ledger::fault::{CrashPoint, Sabotage};
use crate::ledger::{LedgerOptions, fault};
use crate::store::Store;

/// Does something with a store, and says how the database found what it was asked for meanwhile.
pub async fn explained<T>(store: &Store, work: impl Future<Output = T>) -> (T, Vec<QueryPlan>) {
    let plans = store.db().plans();
    plans.collect();
    let done = work.await;
    (done, plans.take())
}

/// Options for a ledger that breaks a rule.
#[must_use]
pub const fn sabotaged(mut options: LedgerOptions, sabotage: Sabotage) -> LedgerOptions {
    options.faults = fault::Faults::of(sabotage);
    options
}

/// Lets the jobs of this process break a rule.
pub fn sabotage_jobs(sabotage: Sabotage) {
    fault::break_in_jobs(sabotage);
}

/// Dies here, if this is where [`crash_at`] wants it.
pub fn reached(point: CrashPoint) {
    fault::reached(point);
}

/// Lets this process die, as if by power, when it comes to `point` after having passed it so often.
pub fn crash_at(point: CrashPoint, passes: u32) {
    fault::arm(point, passes);
}
