//! The store of AURAX: users, keys, sessions, history and the ledger, in SQLite or PostgreSQL.

mod access_keys;
mod bounds;
mod catalogue;
mod cursor;
mod db;
#[cfg(feature = "redis")]
mod redis;
mod logins;
mod provider_keys;
mod scope;
mod sessions;
mod store;
mod token;
mod turn;
mod usage;
mod users;
mod words;

#[cfg(feature = "redis")]
pub use redis::{
    Decision, Full, Limit, LimitPolicy, LoginCache, LoginTtl, ModelLists, Redis, RedisCache,
    RedisLimits, RedisOptions, Remaining, SharedLimits, Taken,
};
pub use access_keys::{AccessKey, AccessKeyChange, AccessKeys, Edit, NewAccessKey};
pub use logins::{Login, RefreshToken, Renewal};
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
