//! What several processes share in Redis 6.2 or newer, or what speaks like it.
//!
//! Nothing durable lives there. Every use goes on without it, and says how:
//!
//! | use | without Redis |
//! |---|---|
//! | answers ([`RedisCache`]) | nothing is found, nothing is kept |
//! | logins ([`LoginCache`]) | nothing is found, nothing is kept |
//! | model lists ([`ModelLists`]) | this process's own memory |
//! | rate limits ([`RedisLimits`]) | this process's share of the limit |

mod address;
mod answers;
mod breaker;
mod connection;
mod error;
mod keys;
mod limits;
mod login;
mod models;
mod options;
mod shelf;

pub use answers::RedisCache;
pub use connection::Redis;
pub use limits::RedisLimits;
pub use login::LoginCache;
pub use models::ModelLists;
pub use options::{LoginTtl, RedisOptions};
