//! The store of AURAX: users, keys, sessions, history and the ledger, in SQLite or PostgreSQL.

pub mod backup;
mod catalogue;
mod cipher;
mod cursor;
mod db;
mod durable;
mod ledger;
#[cfg(feature = "redis")]
mod redis;
mod scope;
mod store;
#[cfg(feature = "testkit")]
pub mod testkit;
mod users;
mod vault;

pub use ledger::{LedgerOptions, SILENCE, StoreLedger, Swept};
#[cfg(feature = "redis")]
pub use redis::{
    Decision, Full, Limit, LimitPolicy, LoginCache, LoginTtl, ModelLists, Redis, RedisCache,
    RedisLimits, RedisOptions, Remaining, SharedLimits, Taken,
};
pub use scope::{AdminScope, JobScope, UserScope};
#[cfg(feature = "postgres")]
pub use store::PostgresOptions;
pub use store::Store;
pub use users::{NewUser, Role, User, UserChange};
pub use vault::{Binding, KeyFile, KeyId, KeyRing, Masked, Origin, Sealed, Vault};
