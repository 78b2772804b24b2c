//! The store of AURAX: users, keys, sessions, history and the ledger, in SQLite or PostgreSQL.

pub mod backup;
mod cipher;
mod durable;
mod vault;

pub use vault::{Binding, KeyFile, KeyId, KeyRing, Masked, Origin, Sealed, Vault};
