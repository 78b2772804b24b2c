//! What an archive holds.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::vault::KeyId;

/// The kind of store that a backup was made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StoreKind {
    /// A SQLite database: the content is its file.
    Sqlite,
    /// A PostgreSQL database: the content is what `pg_dump` wrote.
    Postgres,
}

impl fmt::Display for StoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        })
    }
}

/// What an archive holds, sealed in front of its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Manifest {
    /// The kind of store.
    pub store: StoreKind,
    /// The last migration of the store's schema.
    pub schema_version: i64,
    /// When the backup was begun.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// The version of AURAX that wrote it.
    pub aurax_version: String,
    /// Bytes of the content, where they were known beforehand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The master keys that seal provider keys in it, which a restored store needs as well as the
    /// one that seals the archive.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub master_keys: Vec<KeyId>,
}

impl Manifest {
    /// A backup by this version of AURAX, of a size that is not known.
    pub fn new(store: StoreKind, schema_version: i64, created_at: OffsetDateTime) -> Self {
        Self {
            store,
            schema_version,
            created_at,
            aurax_version: env!("CARGO_PKG_VERSION").to_owned(),
            size: None,
            master_keys: Vec::new(),
        }
    }

    /// Says which master keys the content needs.
    #[must_use]
    pub fn with_master_keys(mut self, keys: Vec<KeyId>) -> Self {
        self.master_keys = keys;
        self
    }

    /// Says how many bytes the content has. An archive of another size is never finished.
    #[must_use]
    pub fn with_size(mut self, size: u64) -> Self {
        self.size = Some(size);
        self
    }
}
