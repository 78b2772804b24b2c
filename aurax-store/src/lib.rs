//! The store of AURAX: users, keys, sessions, history and the ledger, in SQLite or PostgreSQL.

mod access_keys;
mod alerts;
mod bounds;
mod budgets;
mod catalogue;
mod cursor;
mod db;
mod erasure;
mod history;
mod idempotency;
#[cfg(all(test, feature = "sqlite", feature = "testkit"))]
mod isolation;
#[cfg(feature = "testkit")]
mod kit;
mod logins;
mod plans;
mod provider_keys;
mod scope;
mod sessions;
mod store;
mod token;
mod turn;
mod usage;
mod users;
mod words;

pub use access_keys::{AccessKey, AccessKeyChange, AccessKeys, Edit, NewAccessKey};
pub use alerts::{Alert, AlertChange, AlertEvent, Alerts, NewAlert, Severity};
pub use budgets::{Budget, BudgetLimit, BudgetPeriod, BudgetScope};
pub use history::PastRequest;
pub use idempotency::{Claim, Claimed, IdempotencyKey, StoredReply};
pub use logins::{Login, RefreshToken, Renewal};
pub use plans::Plan;
pub use provider_keys::{
    NewProviderKey, ProviderKey, ProviderKeyChange, ProviderKeys, SealedKey, StoredKey,
};
pub use scope::{AdminScope, JobScope, UserScope};
#[cfg(feature = "postgres")]
pub use store::PostgresOptions;
pub use store::Store;
pub use usage::{
    Bucketing, Grouping, Percentiles, UsageFigures, UsageFilter, UsageGroup, UsagePoint, UsageRow,
    UsageStatus, Usages,
};
pub use users::{NewUser, Role, User, UserChange};
