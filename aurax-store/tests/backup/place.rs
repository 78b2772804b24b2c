//! Stores, shelves and clocks of a test's own.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long a test waits for what must come.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

use aurax_core::{Clock, Principal, new_id};
use aurax_store::backup::{Backups, Progress, Shelf};
use aurax_store::{KeyRing, NewUser, PostgresOptions, Store};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use time::OffsetDateTime;

/// A folder of a test's own, removed when it ends.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let path = std::env::temp_dir().join(format!("aurax_{}", new_id().simple()));
        fs::create_dir(&path).unwrap();
        fs::create_dir(path.join("shelf")).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The file of a store in SQLite.
    pub(crate) fn database(&self) -> PathBuf {
        self.0.join("aurax.db")
    }

    pub(crate) fn shelf(&self) -> Shelf {
        Shelf::new(self.0.join("shelf"))
    }

    /// What is on the shelf, hidden files, too.
    pub(crate) fn on_shelf(&self) -> Vec<String> {
        names(&self.0.join("shelf"))
    }

    /// Files of databases that are not finished, or were to be removed.
    pub(crate) fn unfinished(&self) -> Vec<String> {
        let mut names = names(&self.0);
        names.retain(|name| name.starts_with('.'));
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

pub(crate) fn mode(path: &Path) -> u32 {
    std::os::unix::fs::MetadataExt::mode(&fs::metadata(path).unwrap()) & 0o777
}

pub(crate) fn keys() -> KeyRing {
    KeyRing::generate().unwrap()
}

/// A listener that keeps what it is told.
pub(crate) fn kept() -> (
    Arc<Mutex<Vec<Progress>>>,
    impl FnMut(Progress) + Send + 'static,
) {
    let seen: Arc<Mutex<Vec<Progress>>> = Arc::default();
    let listener = seen.clone();
    (seen, move |progress| {
        listener.lock().unwrap().push(progress);
    })
}

/// A store with somebody in it whom a backup must not show.
pub(crate) async fn small(folder: &Folder) -> (Store, Backups, KeyRing) {
    let store = Store::sqlite(folder.database()).await.unwrap();
    let backups = with_ada(&store, folder).await;
    (store, backups.0, backups.1)
}

pub(crate) const ADA: &str = "ada.hush.hush@example.test";

pub(crate) async fn with_ada(store: &Store, folder: &Folder) -> (Backups, KeyRing) {
    store.admin().add_user(NewUser::new(ADA)).await.unwrap();
    let keys = keys();
    let backups = Backups::new(store, folder.shelf(), keys.clone());
    (backups, keys)
}

/// Whether she is there.
pub(crate) async fn has_ada(store: &Store) -> bool {
    store.admin().login(ADA).await.unwrap().is_some()
}

#[expect(clippy::disallowed_methods, reason = "the tests' own configuration")]
pub(crate) fn variable(name: &str) -> Option<String> {
    let value = std::env::var(name).ok();
    assert!(
        value.is_some() || std::env::var_os("AURAX_REQUIRE_SERVICES").is_none(),
        "{name} is not set: run the tests with `make test`"
    );
    if value.is_none() {
        println!("1 skipped: {name} is not set");
    }
    value
}

/// Databases of a test's own on a server.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) admin: String,
    pub(crate) programs: PathBuf,
    made: Mutex<Vec<String>>,
    roles: Mutex<Vec<String>>,
}

impl Server {
    pub(crate) fn find() -> Option<Self> {
        Some(Self {
            admin: variable("AURAX_TEST_POSTGRES")?,
            programs: variable("AURAX_TEST_PG_BIN")?.into(),
            made: Mutex::default(),
            roles: Mutex::default(),
        })
    }

    /// The address of a new, empty database.
    pub(crate) async fn database(&self) -> String {
        let name = format!("aurax_{}", new_id().simple());
        self.run(&format!("CREATE DATABASE {name}")).await;
        self.made.lock().unwrap().push(name.clone());
        let (server, _) = self.admin.rsplit_once('/').unwrap();
        format!("{server}/{name}")
    }

    /// A store's database, whose programs are those of the server.
    pub(crate) fn options(&self, url: &str) -> PostgresOptions {
        PostgresOptions::new(url)
            .with_connections(4)
            .with_programs(&self.programs)
    }

    pub(crate) async fn run(&self, sql: &str) {
        run(&self.admin, sql).await;
    }

    /// A new role.
    pub(crate) async fn role(&self, what: &str) -> String {
        let name = format!("role_{}", new_id().simple());
        self.run(&format!("CREATE ROLE {name} {what}")).await;
        self.roles.lock().unwrap().push(name.clone());
        name
    }

    /// Drops every database and role that was made.
    pub(crate) async fn clear(self) {
        let made = std::mem::take(&mut *self.made.lock().unwrap());
        for name in made {
            self.run(&format!("DROP DATABASE {name} WITH (FORCE)"))
                .await;
        }
        let roles = std::mem::take(&mut *self.roles.lock().unwrap());
        for name in roles {
            self.run(&format!("DROP ROLE {name}")).await;
        }
    }
}

pub(crate) async fn run(url: &str, sql: &str) {
    let mut server = PgConnection::connect(url).await.unwrap();
    let sql = AssertSqlSafe(sql.to_owned());
    server.execute(sqlx::raw_sql(sql)).await.unwrap();
    server.close().await.unwrap();
}

/// The same address for another login.
pub(crate) fn login(url: &str, user: &str, password: &str) -> String {
    let (_, rest) = url.rsplit_once('@').unwrap();
    format!("postgres://{user}:{password}@{rest}")
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub(crate) struct Hands(Mutex<OffsetDateTime>);

impl Hands {
    pub(crate) fn new() -> Arc<Self> {
        let at = OffsetDateTime::from_unix_timestamp(1_785_873_495).unwrap();
        Arc::new(Self(Mutex::new(at)))
    }

    pub(crate) fn pass(&self, time: time::Duration) {
        *self.0.lock().unwrap() += time;
    }
}

impl Clock for Hands {
    fn now(&self) -> OffsetDateTime {
        *self.0.lock().unwrap()
    }

    #[expect(clippy::disallowed_methods, reason = "nothing here measures time")]
    fn monotonic(&self) -> tokio::time::Instant {
        tokio::time::Instant::now()
    }
}

pub(crate) fn principal() -> Principal {
    Principal::new("load")
}

/// Waits until something holds, and fails when it takes too long.
pub(crate) async fn until(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(limit, async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    assert!(waited.await.is_ok(), "still not: {what}");
}
