//! The store of AURAX: users, keys, sessions, history and the ledger, in SQLite or PostgreSQL.

#![cfg_attr(
    not(any(feature = "postgres", feature = "sqlite")),
    allow(
        dead_code,
        unused_imports,
        unused_macros,
        reason = "without a database nobody runs the statements"
    )
)]

mod access_keys;
mod account;
mod alerts;
pub mod backup;
mod bounds;
mod budgets;
mod catalogue;
mod cipher;
mod credentials;
mod cursor;
mod db;
mod durable;
mod erasure;
mod history;
mod idempotency;
mod identities;
mod installation;
#[cfg(all(test, feature = "sqlite", feature = "testkit"))]
mod isolation;
mod jobs;
#[cfg(feature = "testkit")]
mod kit;
mod ledger;
mod logins;
mod plans;
mod provider_keys;
#[cfg(feature = "redis")]
mod redis;
mod scope;
mod sessions;
mod store;
#[cfg(feature = "testkit")]
pub mod testkit;
mod token;
mod turn;
mod usage;
mod users;
mod vault;
mod watch;
mod words;

pub use access_keys::{AccessKey, AccessKeyChange, AccessKeys, Edit, NewAccessKey};
pub use account::AccountChange;
pub use alerts::{Alert, AlertChange, AlertEvent, Alerts, INSTALLATION, NewAlert, Severity};
pub use budgets::{Budget, BudgetLimit, BudgetPeriod, BudgetScope};
pub use credentials::Rotated;
pub use db::Durability;
pub use history::PastRequest;
pub use idempotency::{Claim, Claimed, IdempotencyKey, StoredReply};
pub use identities::Identity;
pub use installation::{PublicKey, UsedInvitation};
pub use jobs::{JobLease, JobState, Partitions, Repriced, Repricing, Retention, Retired};
pub use ledger::{LedgerOptions, SILENCE, StoreLedger, Swept};
pub use logins::{Login, RefreshToken, Renewal};
pub use plans::Plan;
pub use provider_keys::{
    NewProviderKey, ProviderKey, ProviderKeyChange, ProviderKeys, SealedKey, StoredKey,
};
#[cfg(feature = "redis")]
pub use redis::{LoginCache, LoginTtl, ModelLists, Redis, RedisCache, RedisLimits, RedisOptions};
pub use scope::{AdminScope, JobScope, UserScope};
#[cfg(feature = "postgres")]
pub use store::PostgresOptions;
pub use store::Store;
pub use usage::{
    Bucketing, Grouping, Percentiles, UsageFigures, UsageFilter, UsageGroup, UsagePoint, UsageRow,
    UsageStatus, Usages,
};
pub use users::{NewUser, Role, User, UserChange};
pub use vault::{Binding, KeyFile, KeyId, KeyRing, Masked, Origin, Sealed, Vault};
pub use watch::{MeasuredTime, WindowFigures};
