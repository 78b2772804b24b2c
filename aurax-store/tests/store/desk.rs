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
    /// In PostgreSQL, by two logins: one owns the database, the other is a member of the roles and
    /// nothing else.
    Postgres,
    /// In PostgreSQL, by one address, that of the database's owner, and through PgBouncer, which
    /// hands connections on after each transaction.
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

/// The same address for another login, which needs no password here.
fn by(url: &str, login: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (_, server) = rest.split_once('@').unwrap();
    format!("{scheme}://{login}@{server}")
}

/// The logins of a database: who owns it, and who is a member of the store's roles alone.
fn logins(database: &str) -> (String, String) {
    (format!("{database}_owner"), format!("{database}_login"))
}

/// What an administrator does for those who may make no roles: the database, its owner, and the
/// store's roles, which other tests may just make, too.
async fn provide(server: &mut PgConnection, database: &str) {
    let (owner, login) = logins(database);
    let roles = format!(
        "CREATE ROLE {owner} LOGIN; CREATE ROLE {login} LOGIN;
         DO $$
         DECLARE name text;
         BEGIN
             FOREACH name IN ARRAY ARRAY['aurax_app', 'aurax_jobs', 'aurax_ledger'] LOOP
                 BEGIN
                     EXECUTE format('CREATE ROLE %I NOLOGIN', name);
                 EXCEPTION WHEN duplicate_object OR unique_violation THEN
                     NULL;
                 END;
                 EXECUTE format('GRANT %I TO {owner}, {login}', name);
             END LOOP;
         END
         $$"
    );
    let roles = sqlx::raw_sql(AssertSqlSafe(roles)).execute(&mut *server);
    roles.await.unwrap();
    let create = format!("CREATE DATABASE {database} OWNER {owner}");
    server.execute(AssertSqlSafe(create)).await.unwrap();
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
                provide(&mut server, &name).await;
                let (owner, login) = logins(&name);
                let owner_url = at(&by(&url, &owner), &name);
                let options = match kind {
                    Kind::PgBouncer => PostgresOptions::new(owner_url),
                    _ => {
                        PostgresOptions::new(at(&by(&url, &login), &name)).with_owner_url(owner_url)
                    }
                };
                let options = options.with_connections(8);
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
                let (owner, login) = logins(&database);
                for what in [
                    format!("DROP DATABASE {database} WITH (FORCE)"),
                    format!("DROP ROLE {owner}, {login}"),
                ] {
                    server.execute(AssertSqlSafe(what)).await.unwrap();
                }
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
