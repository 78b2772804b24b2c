//! What runs by itself: each job idempotent, leased to one process at a time, in batches, and
//! resumed where it stopped.

mod lease;
mod partitions;
mod reprice;
mod retention;

pub use lease::{JobLease, JobState};
pub use partitions::Partitions;
pub use reprice::{Repriced, Repricing};
pub use retention::{Retention, Retired};
