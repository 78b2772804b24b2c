//! The store as a whole: a database, and the doors into it.

#[cfg(feature = "sqlite")]
use std::path::Path;
use std::sync::{Arc, OnceLock};

use aurax_core::{Clock, Error, ErrorKind, Principal, Result, SystemClock};
use uuid::Uuid;

use crate::cursor::CursorKey;
use crate::db::{Database, Db, Durability};
use crate::ledger::{LedgerOptions, StoreLedger};
use crate::scope::{AdminScope, JobScope, UserScope};

/// Users, keys, sessions, history and the books, in SQLite or PostgreSQL. Cheap to clone.
///
/// Tables of tenants are reached through a scope alone: [`Store::user`] for one tenant,
/// [`Store::admin`] for operators and logins, [`Store::jobs`] for what runs by itself.
#[derive(Debug, Clone)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    db: Db,
    clock: Arc<dyn Clock>,
    cursors: CursorKey,
    /// This process, among those that share the database.
    replica: Uuid,
    ledger: OnceLock<StoreLedger>,
    migrated: Vec<&'static str>,
}

/// How a store in PostgreSQL is reached.
#[cfg(feature = "postgres")]
#[derive(Clone)]
#[non_exhaustive]
pub struct PostgresOptions {
    url: String,
    owner_url: Option<String>,
    read_url: Option<String>,
    backup_url: Option<String>,
    programs: Option<std::path::PathBuf>,
    connections: u32,
    durability: Durability,
}

#[cfg(feature = "postgres")]
impl PostgresOptions {
    /// A database by its address, `postgres://user:password@host:5432/database`.
    ///
    /// One address is enough: that of the database's owner, who also may make roles
    /// (`CREATEROLE`), or is a member of `aurax_app`, `aurax_jobs` and `aurax_ledger`, made before.
    /// Whoever logs in, tenants' rows are reached as one of these roles, which see them by their
    /// policies alone. A pooler may hand connections on after each transaction.
    ///
    /// The address also says how TLS is used, as libpq does: `sslmode` (`disable`, `prefer`,
    /// `require`, `verify-ca`, `verify-full`; `prefer` unless set) and `sslrootcert`, a file of
    /// authorities; `require` with one is `verify-ca`.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            owner_url: None,
            read_url: None,
            backup_url: None,
            programs: None,
            connections: 10,
            durability: Durability::Strict,
        }
    }

    /// Migrates as another login, which owns the tables; the one of the address unless set. That
    /// one then needs nothing but to be a member of `aurax_app`, `aurax_jobs` and `aurax_ledger`.
    #[must_use]
    pub fn with_owner_url(mut self, url: impl Into<String>) -> Self {
        self.owner_url = Some(url.into());
        self
    }

    /// Asks a replica for analyses (rows, sums and series of usage), which may be a little behind,
    /// and for nothing else. While it is away analyses fail within a second, with an error of kind
    /// `Store`: nobody takes its place, because they are kept away from the primary on purpose.
    /// Everything else goes on, and a store opens without it.
    #[must_use]
    pub fn with_read_url(mut self, url: impl Into<String>) -> Self {
        self.read_url = Some(url.into());
        self
    }

    /// Backs up as another login, which may read every row: a superuser, or one with `BYPASSRLS`
    /// and `pg_read_all_data`; the owner of the tables unless set. It is reached directly, not
    /// through a pooler. Where it asks for `verify-ca` or `verify-full`, it names the file of the
    /// authorities, too (`sslrootcert`): `pg_dump` knows none by itself.
    #[must_use]
    pub fn with_backup_url(mut self, url: impl Into<String>) -> Self {
        self.backup_url = Some(url.into());
        self
    }

    /// Says in which folder `pg_dump` and `pg_restore` are, which backups run; where the system
    /// looks for programs unless set.
    #[must_use]
    pub fn with_programs(mut self, folder: impl Into<std::path::PathBuf>) -> Self {
        self.programs = Some(folder.into());
        self
    }

    /// Says what the ledger waits for; strict unless set.
    #[must_use]
    pub const fn with_durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Opens at most so many connections, the ledger's aside; 10 unless set.
    #[must_use]
    pub const fn with_connections(mut self, connections: u32) -> Self {
        self.connections = connections;
        self
    }

    pub(crate) fn owner_url(&self) -> &str {
        self.owner_url.as_ref().unwrap_or(&self.url)
    }

    pub(crate) fn programs(&self) -> Option<&std::path::Path> {
        self.programs.as_deref()
    }

    /// The database, which is connected to when it is needed first.
    pub(crate) fn database(&self) -> Result<crate::db::postgres::PostgresDatabase> {
        use crate::db::postgres::PostgresDatabase;
        use crate::db::postgres::copy::PostgresSource;

        let backup_url = self.backup_url.as_deref().unwrap_or(self.owner_url());
        let source = PostgresSource::new(backup_url, self.programs())?;
        let read_url = self.read_url.as_deref();
        let database =
            PostgresDatabase::new(&self.url, read_url, self.connections, self.durability)?;
        Ok(database.with_source(source))
    }
}

#[cfg(feature = "postgres")]
impl std::fmt::Debug for PostgresOptions {
    /// Addresses hold passwords.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresOptions")
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// A store in memory, which goes with the value.
    ///
    /// # Errors
    /// `Store` when it cannot be made.
    #[cfg(feature = "sqlite")]
    pub async fn in_memory() -> Result<Self> {
        let database = crate::db::sqlite::SqliteDatabase::in_memory().await?;
        let migrated = database.migrate().await?;
        Self::over(Arc::new(database), migrated).await
    }

    /// A store in a file, which is made where it is not there, and migrated.
    ///
    /// # Errors
    /// `Store` when the file cannot be opened or is no database; `Config` when a newer program
    /// has migrated it or the disk cannot keep it durable.
    #[cfg(feature = "sqlite")]
    pub async fn sqlite(path: impl AsRef<Path> + Send) -> Result<Self> {
        Self::sqlite_with(path, Durability::Strict).await
    }

    /// A store in a file, which waits for the disk or does not.
    ///
    /// # Errors
    /// As of [`Store::sqlite`].
    #[cfg(feature = "sqlite")]
    pub async fn sqlite_with(
        path: impl AsRef<Path> + Send,
        durability: Durability,
    ) -> Result<Self> {
        use crate::db::sqlite::SqliteDatabase;

        let database = SqliteDatabase::open(path.as_ref(), durability).await?;
        let migrated = database.migrate().await?;
        Self::over(Arc::new(database), migrated).await
    }

    /// A store in PostgreSQL, migrated and checked.
    ///
    /// # Errors
    /// `Store` when the server cannot be reached; `Config` when its address, version, TLS, roles,
    /// settings, policies or grants are not what the store relies on, or a newer program has
    /// migrated it: the error names what it is, and what to do. `synchronous_commit` and `fsync`
    /// have to be on unless durability is relaxed.
    #[cfg(feature = "postgres")]
    pub async fn postgres(options: &PostgresOptions) -> Result<Self> {
        use crate::db::postgres::PostgresDatabase;

        let migrated = PostgresDatabase::migrate(options.owner_url()).await?;
        let database = options.database()?;
        database.verify().await?;
        Self::over(Arc::new(database), migrated).await
    }

    async fn over(database: Arc<dyn Database>, migrated: Vec<&'static str>) -> Result<Self> {
        let db = Db::new(database);
        let cursors = CursorKey::of(&db).await?;
        Ok(Self(Arc::new(Inner {
            db,
            clock: Arc::new(SystemClock),
            cursors,
            replica: aurax_core::new_id(),
            ledger: OnceLock::new(),
            migrated,
        })))
    }

    /// The migrations that were due when the store was opened, and were made then, in order; none
    /// for one that was up to date.
    pub fn migrated(&self) -> &[&'static str] {
        &self.0.migrated
    }

    /// A secret for `purpose`, the same in every process that opens this database and in no other
    /// installation; it lasts as long as the database.
    pub fn derived_key(&self, purpose: &str) -> zeroize::Zeroizing<[u8; 32]> {
        self.0.cursors.derive(purpose)
    }

    /// What belongs to one principal.
    pub fn user(&self, principal: &Principal) -> UserScope {
        UserScope::new(self.clone(), user_id(principal))
    }

    /// What operators do, and what comes before anybody is logged in. Everything that changes
    /// something is logged as an event of target `aurax::audit`.
    pub fn admin(&self) -> AdminScope {
        AdminScope::new(self.clone())
    }

    /// What runs by itself.
    pub fn jobs(&self) -> JobScope {
        JobScope::new(self.clone())
    }

    /// Where calls are recorded. The writer starts when it is asked for first, with these options;
    /// later ones change nothing.
    ///
    /// # Errors
    /// `Internal` when the system gives no thread.
    pub fn ledger(&self, options: LedgerOptions) -> Result<StoreLedger> {
        if let Some(ledger) = self.0.ledger.get() {
            return Ok(ledger.clone());
        }
        let ledger = StoreLedger::start(self, options)?;
        Ok(self.0.ledger.get_or_init(|| ledger).clone())
    }

    /// Waits for what goes on, calls in flight included, and closes every connection.
    ///
    /// # Cancel safety
    /// A dropped future leaves the store closing.
    pub async fn close(&self) {
        if let Some(ledger) = self.0.ledger.get() {
            ledger.close().await;
        }
        self.0.db.close().await;
    }

    /// Leaves one of the tenant's predicates, the first of which is 0, out of one statement, and
    /// puts it back into the others, to see a test fail. One that does not exist is refused: false.
    #[cfg(feature = "testkit")]
    pub fn sabotage(&self, statement: &str, which: usize) -> bool {
        let found = crate::catalogue::all()
            .find(|known| known.name == statement && which < known.predicates())
            .map(|known| known.name);
        if let Some(name) = found {
            let dictionary = self.0.db.database().dictionary();
            dictionary.sabotage(crate::db::Sabotage::One(name, which));
        }
        found.is_some()
    }

    /// Leaves the tenant's predicate out of every statement, to see the database's own policies
    /// hold.
    #[cfg(feature = "testkit")]
    pub fn sabotage_all(&self) {
        let dictionary = self.0.db.database().dictionary();
        dictionary.sabotage(crate::db::Sabotage::All);
    }

    /// The same store by another clock, for tests of what expires.
    #[cfg(feature = "testkit")]
    #[must_use]
    pub fn with_clock(&self, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Inner {
            db: self.0.db.clone(),
            clock,
            cursors: self.0.cursors.clone(),
            replica: self.0.replica,
            ledger: OnceLock::new(),
            migrated: self.0.migrated.clone(),
        }))
    }

    /// The same store as another process of that id would have it, for tests of what processes
    /// share.
    #[cfg(feature = "testkit")]
    #[must_use]
    pub fn with_replica(&self, replica: Uuid) -> Self {
        Self(Arc::new(Inner {
            db: self.0.db.clone(),
            clock: self.0.clock.clone(),
            cursors: self.0.cursors.clone(),
            replica,
            ledger: OnceLock::new(),
            migrated: self.0.migrated.clone(),
        }))
    }

    pub(crate) fn db(&self) -> &Db {
        &self.0.db
    }

    /// Where the store's times come from.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    pub(crate) fn now(&self) -> time::OffsetDateTime {
        self.0.clock.now()
    }

    pub(crate) fn cursors(&self) -> &CursorKey {
        &self.0.cursors
    }

    pub(crate) fn replica(&self) -> Uuid {
        self.0.replica
    }
}

/// The tenant a principal stands for: the user's own id, or, for a name that a program gave
/// itself, an id that follows from it.
pub(crate) fn user_id(principal: &Principal) -> Uuid {
    principal.as_str().parse().unwrap_or_else(|_| {
        let name = format!("aurax principal\0{}", principal.as_str());
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, name.as_bytes());
        let mut bytes = [0; 16];
        bytes
            .iter_mut()
            .zip(digest.as_ref())
            .for_each(|(to, from)| *to = *from);
        // Version 8, so that it is never the id of a user, which is of version 7.
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    })
}

/// The error for what is not there, or belongs to somebody else: nobody can tell which.
pub(crate) fn not_found(what: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no such {what}"))
}
