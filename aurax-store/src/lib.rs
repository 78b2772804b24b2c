//! The store of AURAX: users, keys, sessions, history and the ledger, in SQLite or PostgreSQL.

mod catalogue;
mod cursor;
mod db;
mod scope;
mod store;
mod users;

pub use scope::{AdminScope, JobScope, UserScope};
#[cfg(feature = "postgres")]
pub use store::PostgresOptions;
pub use store::Store;
pub use users::{NewUser, Role, User, UserChange};
