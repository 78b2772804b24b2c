//! Where a store is, in words that another process understands.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::path::PathBuf;
use std::time::Duration;

use aurax_core::new_id;
use aurax_store::{PostgresOptions, Store};
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

/// A store of its own for one test.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Place {
    /// For journals, and for the file of SQLite.
    pub(crate) folder: PathBuf,
    /// In PostgreSQL: the address of a superuser, and of the database.
    pub(crate) postgres: Option<(String, String)>,
    /// The folder of the file of SQLite, where it is another.
    pub(crate) database: Option<PathBuf>,
}

#[expect(clippy::disallowed_methods, reason = "the tests' own configuration")]
pub(crate) fn variable(name: &str) -> Option<String> {
    let value = std::env::var(name).ok();
    assert!(
        value.is_some() || std::env::var_os("AURAX_REQUIRE_SERVICES").is_none(),
        "{name} is not set: run the tests with `make test`"
    );
    value
}

/// So often in a test run of its own, where the quick one does it fewer times.
#[expect(clippy::disallowed_methods, reason = "the tests' own configuration")]
pub(crate) fn times(quick: usize, soak: usize) -> usize {
    if std::env::var_os("AURAX_SOAK").is_some() {
        soak
    } else {
        quick
    }
}

/// What chance begins with: `AURAX_SEED`, or anything. It is printed, to do the same again.
#[expect(clippy::disallowed_methods, reason = "the tests' own configuration")]
pub(crate) fn seed() -> u64 {
    let given = std::env::var("AURAX_SEED");
    let seed = given.map_or_else(|_| fastrand::u64(..1 << 32), |text| text.parse().unwrap());
    println!("AURAX_SEED={seed}");
    seed
}

impl Place {
    /// In a file.
    pub(crate) fn file() -> Self {
        let name = format!("aurax_{}", new_id().simple());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).unwrap();
        Self {
            folder,
            postgres: None,
            database: None,
        }
    }

    /// In PostgreSQL; `None`, with a line that says so, where there is none.
    pub(crate) async fn postgres() -> Option<Self> {
        let Some(admin) = variable("AURAX_TEST_POSTGRES") else {
            println!("1 skipped: AURAX_TEST_POSTGRES is not set");
            return None;
        };
        let mut place = Self::file();
        let name = place.folder.file_name().unwrap().to_str().unwrap();
        let mut server = PgConnection::connect(&admin).await.unwrap();
        let create = format!("CREATE DATABASE {name}");
        server.execute(AssertSqlSafe(create)).await.unwrap();
        let (server, _) = admin.rsplit_once('/').unwrap();
        let url = format!("{server}/{name}");
        place.postgres = Some((admin, url));
        Some(place)
    }

    pub(crate) async fn open(&self) -> Store {
        self.try_open().await.unwrap()
    }

    pub(crate) async fn try_open(&self) -> aurax_core::Result<Store> {
        match &self.postgres {
            None => {
                let folder = self.database.as_ref().unwrap_or(&self.folder);
                Store::sqlite(folder.join("aurax.db")).await
            }
            Some((_, url)) => {
                let options = PostgresOptions::new(url).with_connections(8);
                Store::postgres(&options).await
            }
        }
    }

    /// Lets PostgreSQL count its rows, as it does by itself some time after many were added.
    pub(crate) async fn analyse(&self) {
        if let Some((_, url)) = &self.postgres {
            let mut server = PgConnection::connect(url).await.unwrap();
            server.execute("ANALYZE").await.unwrap();
        }
    }

    /// What the upstream notes.
    pub(crate) fn upstream_journal(&self) -> PathBuf {
        self.folder.join("upstream.jsonl")
    }

    /// What clients note.
    pub(crate) fn client_journal(&self) -> PathBuf {
        self.folder.join("clients.jsonl")
    }

    /// Leaves nothing behind.
    pub(crate) async fn clear(&self, store: &Store) {
        store.close().await;
        if let Some((admin, url)) = &self.postgres {
            let (_, name) = url.rsplit_once('/').unwrap();
            let mut server = PgConnection::connect(admin).await.unwrap();
            let drop = format!("DROP DATABASE {name} WITH (FORCE)");
            server.execute(AssertSqlSafe(drop)).await.unwrap();
        }
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

/// Waits until something holds, and fails with what it was when it takes too long.
pub(crate) async fn until(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(limit, async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    assert!(waited.await.is_ok(), "after {limit:?} still not: {what}");
}
