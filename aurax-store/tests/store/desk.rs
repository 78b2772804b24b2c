//! A store of each kind, empty and of its own, for one test.

use std::future::Future;
use std::path::PathBuf;

use aurax_core::new_id;
use aurax_store::{PostgresOptions, Store};
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
    /// In PostgreSQL, through PgBouncer, which hands connections on after each transaction.
    PgBouncer,
}

/// A store, and how to open it again.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) store: Store,
    pub(crate) kind: Kind,
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    Memory,
    Folder(PathBuf),
    Server {
        options: PostgresOptions,
        admin: String,
        database: String,
    },
}

#[expect(clippy::disallowed_methods, reason = "the tests' own configuration")]
fn variable(name: &str) -> Option<String> {
    let value = std::env::var(name).ok();
    assert!(
        value.is_some() || std::env::var_os("AURAX_REQUIRE_SERVICES").is_none(),
        "{name} is not set: run the tests with `make test`"
    );
    value
}

/// The address of another database on the same server.
fn at(url: &str, database: &str) -> String {
    let (server, rest) = url.rsplit_once('/').unwrap();
    let parameters = rest.split_once('?').map_or("", |(_, text)| text);
    let separator = if parameters.is_empty() { "" } else { "?" };
    format!("{server}/{database}{separator}{parameters}")
}

impl Desk {
    /// A new store; `None`, with a line that says so, where its server is not there.
    pub(crate) async fn open(kind: Kind) -> Option<Self> {
        let name = format!("aurax_{}", new_id().simple());
        let place = match kind {
            Kind::Memory => Place::Memory,
            Kind::File => {
                let folder = std::env::temp_dir().join(&name);
                std::fs::create_dir(&folder).unwrap();
                Place::Folder(folder)
            }
            Kind::Postgres | Kind::PgBouncer => {
                let Some(admin) = variable("AURAX_TEST_POSTGRES") else {
                    println!("1 skipped: AURAX_TEST_POSTGRES is not set");
                    return None;
                };
                let url = match kind {
                    Kind::PgBouncer => variable("AURAX_TEST_PGBOUNCER")?,
                    _ => admin.clone(),
                };
                let mut server = PgConnection::connect(&admin).await.unwrap();
                let create = format!("CREATE DATABASE {name}");
                server.execute(AssertSqlSafe(create)).await.unwrap();
                let options = PostgresOptions::new(at(&url, &name))
                    .with_owner_url(at(&admin, &name))
                    .with_connections(8);
                Place::Server {
                    options,
                    admin,
                    database: name,
                }
            }
        };
        let store = place.open().await;
        Some(Self { store, kind, place })
    }

    /// Another store on the same data, as another process would open it; in memory there is none.
    pub(crate) async fn another(&self) -> Option<Store> {
        match &self.place {
            Place::Memory => None,
            place => Some(place.open().await),
        }
    }

    /// Opens the same data again, as the next start of a program would; `None` in memory.
    pub(crate) async fn reopen(&self) -> Option<aurax_core::Result<Store>> {
        Some(match &self.place {
            Place::Memory => return None,
            Place::Folder(folder) => Store::sqlite(folder.join("aurax.db")).await,
            Place::Server { options, .. } => Store::postgres(options).await,
        })
    }

    /// Changes the data behind the store's back.
    pub(crate) async fn tamper(&self, sql: &str) {
        if let Place::Folder(folder) = &self.place {
            let options = sqlx::sqlite::SqliteConnectOptions::new();
            let options = options.filename(folder.join("aurax.db"));
            let mut file = sqlx::SqliteConnection::connect_with(&options)
                .await
                .unwrap();
            file.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
            file.close().await.unwrap();
        } else if let Some(mut server) = self.server().await {
            server.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
        }
    }

    /// A connection of the server's owner to the store's database; `None` in SQLite.
    pub(crate) async fn server(&self) -> Option<PgConnection> {
        let Place::Server {
            admin, database, ..
        } = &self.place
        else {
            return None;
        };
        Some(PgConnection::connect(&at(admin, database)).await.unwrap())
    }

    pub(crate) async fn clear(self) {
        self.store.close().await;
        match self.place {
            Place::Memory => {}
            Place::Folder(folder) => std::fs::remove_dir_all(folder).unwrap(),
            Place::Server {
                admin, database, ..
            } => {
                let mut server = PgConnection::connect(&admin).await.unwrap();
                let drop = format!("DROP DATABASE {database} WITH (FORCE)");
                server.execute(AssertSqlSafe(drop)).await.unwrap();
            }
        }
    }
}

impl Place {
    async fn open(&self) -> Store {
        match self {
            Self::Memory => Store::in_memory().await.unwrap(),
            Self::Folder(folder) => Store::sqlite(folder.join("aurax.db")).await.unwrap(),
            Self::Server { options, .. } => Store::postgres(options).await.unwrap(),
        }
    }
}

/// Runs one case on a store of this kind.
pub(crate) async fn run<F: Future<Output = Desk>>(kind: Kind, case: impl FnOnce(Desk) -> F) {
    if let Some(desk) = Desk::open(kind).await {
        case(desk).await.clear().await;
    }
}

/// Makes a test of each case on each kind of store.
macro_rules! on_every_store {
    ($($module:ident: $($case:ident),* $(,)?;)*) => {
        $crate::desk::on_every_store! { @kind memory Memory; $($module: $($case),*;)* }
        $crate::desk::on_every_store! { @kind file File; $($module: $($case),*;)* }
        $crate::desk::on_every_store! { @kind postgres Postgres; $($module: $($case),*;)* }
        $crate::desk::on_every_store! { @kind pgbouncer PgBouncer; $($module: $($case),*;)* }
    };
    (@kind $name:ident $kind:ident; $($module:ident: $($case:ident),*;)*) => {
        mod $name {
            $(mod $module {
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    use $crate::desk::{Kind, run};
                    run(Kind::$kind, $crate::$module::$case).await;
                })*
            })*
        }
    };
}
pub(crate) use on_every_store;

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub(crate) struct Hands(std::sync::Mutex<time::OffsetDateTime>);

impl Hands {
    pub(crate) fn new() -> std::sync::Arc<Self> {
        let at = time::OffsetDateTime::from_unix_timestamp(1_785_873_495).unwrap();
        Self::at_time(at)
    }

    pub(crate) fn at_time(at: time::OffsetDateTime) -> std::sync::Arc<Self> {
        std::sync::Arc::new(Self(std::sync::Mutex::new(at)))
    }

    pub(crate) fn at(&self) -> time::OffsetDateTime {
        *self.0.lock().unwrap()
    }

    pub(crate) fn pass(&self, time: time::Duration) {
        *self.0.lock().unwrap() += time;
    }
}

impl aurax_core::Clock for Hands {
    fn now(&self) -> time::OffsetDateTime {
        self.at()
    }

    #[expect(clippy::disallowed_methods, reason = "nothing here measures time")]
    fn monotonic(&self) -> tokio::time::Instant {
        tokio::time::Instant::now()
    }
}
