//! The store of AURAX: users, keys, sessions, history and the ledger, in SQLite or PostgreSQL.

#[cfg(feature = "redis")]
mod redis;

#[cfg(feature = "redis")]
pub use redis::{
    Decision, Full, Limit, LimitPolicy, LoginCache, LoginTtl, ModelLists, Redis, RedisCache,
    RedisLimits, RedisOptions, Remaining, SharedLimits, Taken,
};
