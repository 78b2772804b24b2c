//! The store of AURAX: users, keys, sessions, history and the ledger, in SQLite or PostgreSQL.

mod bounds;
mod catalogue;
mod cursor;
mod db;
#[cfg(feature = "redis")]
mod redis;
mod scope;
mod sessions;
mod store;
mod turn;
mod users;
mod words;

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
