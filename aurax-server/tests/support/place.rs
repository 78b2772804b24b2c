//! A store of each kind, empty and of its own, for one test.

use std::path::PathBuf;

use aurax::store::{PostgresOptions, Store};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

/// Where a store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// In memory.
    Memory,
    /// In a file.
    File,
    /// In PostgreSQL.
    Postgres,
}

/// A store's place.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    Memory,
    Folder(PathBuf),
    Server { admin: String, url: String },
}

/// A variable that configures the tests.
#[expect(clippy::disallowed_methods, reason = "the tests' own configuration")]
pub(crate) fn optional(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The same of one that has to be there where `make test` runs.
pub(crate) fn variable(name: &str) -> Option<String> {
    let value = optional(name);
    assert!(
        value.is_some() || optional("AURAX_REQUIRE_SERVICES").is_none(),
        "{name} is not set: run the tests with `make test`"
    );
    value
}

impl Place {
    pub(crate) async fn open(kind: Kind) -> Option<Self> {
        let name = format!("aurax_{}", aurax::new_id().simple());
        Some(match kind {
            Kind::Memory => Self::Memory,
            Kind::File => {
                let folder = std::env::temp_dir().join(name);
                std::fs::create_dir(&folder).unwrap();
                Self::Folder(folder)
            }
            Kind::Postgres => {
                let Some(admin) = variable("AURAX_TEST_POSTGRES") else {
                    println!("1 skipped: AURAX_TEST_POSTGRES is not set");
                    return None;
                };
                Self::within(&admin).await
            }
        })
    }

    /// A new database in a server, by the address of another one there.
    pub(crate) async fn within(admin: &str) -> Self {
        let name = format!("aurax_{}", aurax::new_id().simple());
        let mut server = PgConnection::connect(admin).await.unwrap();
        let create = format!("CREATE DATABASE {name}");
        server.execute(AssertSqlSafe(create)).await.unwrap();
        let (server, _) = admin.rsplit_once('/').unwrap();
        let url = format!("{server}/{name}");
        let admin = admin.to_owned();
        Self::Server { admin, url }
    }

    /// The address of a database in a server.
    pub(crate) fn url(&self) -> Option<&str> {
        match self {
            Self::Server { url, .. } => Some(url),
            _ => None,
        }
    }

    /// The folder of a file.
    pub(crate) fn folder(&self) -> Option<&PathBuf> {
        match self {
            Self::Folder(folder) => Some(folder),
            _ => None,
        }
    }

    /// Opens the store, as each process that shares it would.
    pub(crate) async fn store(&self) -> Store {
        match self {
            Self::Memory => Store::in_memory().await.unwrap(),
            Self::Folder(folder) => Store::sqlite(folder.join("aurax.db")).await.unwrap(),
            Self::Server { url, .. } => {
                let options = PostgresOptions::new(url).with_connections(8);
                Store::postgres(&options).await.unwrap()
            }
        }
    }

    /// Leaves nothing behind.
    pub(crate) async fn clear(&self, store: &Store) {
        store.close().await;
        match self {
            Self::Memory => {}
            Self::Folder(folder) => std::fs::remove_dir_all(folder).unwrap(),
            Self::Server { admin, url } => {
                let (_, name) = url.rsplit_once('/').unwrap();
                let mut server = PgConnection::connect(admin).await.unwrap();
                let gone = format!("DROP DATABASE {name} WITH (FORCE)");
                server.execute(AssertSqlSafe(gone)).await.unwrap();
            }
        }
    }
}
