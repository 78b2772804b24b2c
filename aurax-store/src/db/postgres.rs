//! PostgreSQL: pools of connections whose transactions take the role and the tenant they are for.

mod address;
mod boot;
mod connect;
pub(crate) mod copy;
mod programs;
mod values;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aurax_core::{Error, ErrorKind, Result};
use futures::TryStreamExt as _;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Column as _, PgPool, Postgres, Row as _};
use tokio::sync::OnceCell;

use super::bulk::Says;
use super::error::{busy, overdue, read};
use super::migration::{Applied, Migration, due, migrations};
use super::statement::Compiled;
use super::{
    Access, Arg, BulkInsert, Database, Dialect, Dictionary, Durability, Fields, Mode, Row,
    Statement, Transaction,
};
use boot::Part;
use connect::options;
use copy::PostgresSource;
use values::{bind, cells, columns};

use crate::backup::Source;
use crate::ledger::fault::{CrashPoint, reached};

const MIGRATIONS: &[Migration] = migrations!(
    "postgres": 1 "0001_tables", 2 "0002_roles", 3 "0003_partitions", 4 "0004_kept_answers",
        5 "0005_replicas",
);

/// How long a transaction waits to begin: for a connection, and for the server's first word.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long one statement may take.
const STATEMENT: Duration = Duration::from_secs(5);
/// How long one statement over many rows may take.
const ANALYSIS: Duration = Duration::from_secs(60);
/// How long migrations may take, another process's included.
const MIGRATION: Duration = Duration::from_secs(600);
/// The name of the lock that migrations hold, for one at a time.
const MIGRATION_LOCK: i64 = 0x0061_7572_6178;

/// A database on a server.
#[derive(Debug)]
pub(crate) struct PostgresDatabase {
    /// Connections for everything but the ledger.
    pool: PgPool,
    /// The server for analyses, where there is one.
    reader: Option<Reader>,
    /// The ledger's own connection.
    ledger: PgPool,
    /// The lock that this process's ledger holds in each transaction.
    ledger_lock: i64,
    durability: Durability,
    dictionary: Arc<Dictionary>,
    source: Option<Arc<PostgresSource>>,
}

impl PostgresDatabase {
    /// Connects when it is needed first.
    ///
    /// # Errors
    /// `Config` for an address that cannot be read; it is not repeated, because it may hold a
    /// password.
    pub(crate) fn new(
        url: &str,
        read_url: Option<&str>,
        connections: u32,
        durability: Durability,
    ) -> Result<Self> {
        let options = options(url)?;
        let pool = |options: PgConnectOptions, connections| {
            PgPoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(PATIENCE)
                // A transaction's first statement finds out, and another connection is tried.
                .test_before_acquire(false)
                .connect_lazy_with(options)
        };
        let ledger = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(PATIENCE)
            .test_before_acquire(false)
            // A pool that retires connections would do so on the runtime that made it, not on
            // the ledger's own.
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_lazy_with(options.clone());
        let reader = match read_url {
            Some(url) => Some(Reader {
                pool: pool(self::options(url)?, connections),
                is_verified: OnceCell::new(),
            }),
            None => None,
        };
        Ok(Self {
            pool: pool(options, connections),
            reader,
            ledger,
            ledger_lock: fastrand::i64(..),
            durability,
            dictionary: Arc::new(Dictionary::new(Dialect::Postgres)),
            source: None,
        })
    }

    /// Says how it is backed up.
    pub(crate) fn with_source(mut self, source: PostgresSource) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// Takes every migration that is due, as the owner of the tables, and names them.
    ///
    /// # Errors
    /// As of [`due`]; `Config` where the role may not make tables and roles.
    pub(crate) async fn migrate(owner_url: &str) -> Result<Vec<&'static str>> {
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(STATEMENT)
            .connect_lazy_with(self::options(owner_url)?);
        let done = tokio::time::timeout(MIGRATION, migrate(&pool)).await;
        pool.close().await;
        done.unwrap_or_else(|_| Err(busy("migrations took too long")))
            .map_err(|error| match error.context("code") {
                Some("not_allowed") => may_not_migrate().with_source(error),
                _ => error,
            })
    }

    /// Checks what can be checked before the database holds anything.
    pub(crate) async fn verify_empty(&self) -> Result<()> {
        self.verify_part(Part::Empty(self.durability)).await
    }

    async fn verify_part(&self, part: Part) -> Result<()> {
        let mut tx = Transacting::begin_patiently(&self.pool, "BEGIN", STATEMENT).await?;
        boot::verify(&mut tx, part).await?;
        tx.end("ROLLBACK").await
    }

    /// Checks that the servers, the roles and the policies are what the store relies on. A server
    /// for analyses that is away is checked when it is asked first.
    pub(crate) async fn verify(&self) -> Result<()> {
        self.verify_part(Part::Primary(self.durability)).await?;
        let Some(reader) = &self.reader else {
            return Ok(());
        };
        match reader.pool().await {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::Config => Err(error),
            Err(error) => {
                tracing::warn!(%error, "analyses fail until their server can be asked");
                Ok(())
            }
        }
    }
}

/// A server for analyses alone. Nothing else waits for it, and nobody takes its place: analyses
/// are kept away from the other one on purpose.
#[derive(Debug)]
struct Reader {
    pool: PgPool,
    is_verified: OnceCell<()>,
}

impl Reader {
    /// Its connections, once it is known that its policies hold, too.
    async fn pool(&self) -> Result<&PgPool> {
        let verify = async {
            let mut tx = Transacting::begin(&self.pool, "BEGIN READ ONLY", STATEMENT).await?;
            boot::verify(&mut tx, Part::Reader).await?;
            tx.end("ROLLBACK").await
        };
        // Who comes while another finds out waits for no more than one of them.
        let verified = self.is_verified.get_or_try_init(|| verify);
        let verified = tokio::time::timeout(STATEMENT, verified).await;
        let verified = verified.unwrap_or_else(|_| Err(overdue()));
        verified.map_err(Self::named)?;
        Ok(&self.pool)
    }

    fn named(error: Error) -> Error {
        error.with_context("server", "the one for analyses")
    }
}

fn may_not_migrate() -> Error {
    Error::new(
        ErrorKind::Config,
        "the login may not make the tables and roles: let it own the database, and ALTER ROLE … \
         CREATEROLE, or have a superuser run CREATE ROLE aurax_app NOLOGIN; CREATE ROLE aurax_jobs \
         NOLOGIN; CREATE ROLE aurax_ledger NOLOGIN; GRANT aurax_app, aurax_jobs, aurax_ledger TO it",
    )
}

async fn migrate(pool: &PgPool) -> Result<Vec<&'static str>> {
    let mut tx = Transacting::begin_patiently(pool, "BEGIN", MIGRATION).await?;
    boot::verify_version(&mut tx).await?;
    tx.raw("SET LOCAL search_path = public, pg_temp").await?;
    tx.raw(&format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
        .await?;
    tx.raw(
        "CREATE TABLE IF NOT EXISTS schema_migrations (
             version bigint PRIMARY KEY, name text NOT NULL, checksum text NOT NULL)",
    )
    .await?;
    let rows = tx
        .all("SELECT version, checksum FROM schema_migrations ORDER BY version")
        .await?;
    let applied = rows
        .iter()
        .map(|row| {
            Ok(Applied {
                version: row.int("version")?,
                checksum: row.text("checksum")?,
            })
        })
        .collect::<Result<Vec<_>>>()?;
    let due = due(MIGRATIONS, &applied)?;
    let names = due.iter().map(|step| step.name).collect();
    for step in due {
        tx.raw(step.sql).await?;
        reached(CrashPoint::MidMigration);
        tx.raw(&format!(
            "INSERT INTO schema_migrations VALUES ({}, '{}', '{}')",
            step.version,
            step.name,
            step.checksum()
        ))
        .await?;
    }
    tx.end("COMMIT").await?;
    Ok(names)
}

#[async_trait]
impl Database for PostgresDatabase {
    async fn begin(&self, access: Access, mode: Mode) -> Result<Box<dyn Transaction>> {
        let reader = self.reader.as_ref().filter(|_| mode == Mode::Analyse);
        let (pool, limit) = match (access, mode, reader) {
            (Access::Ledger, ..) => (&self.ledger, STATEMENT),
            (_, Mode::Analyse, Some(reader)) => (reader.pool().await?, ANALYSIS),
            (_, Mode::Analyse, None) => (&self.pool, ANALYSIS),
            (_, Mode::Read | Mode::Write, _) => (&self.pool, STATEMENT),
        };
        // What waits for a row goes on with what the row is then, whatever the server's default.
        let mut begin = "BEGIN ISOLATION LEVEL READ COMMITTED".to_owned();
        if mode != Mode::Write {
            begin.push_str(" READ ONLY");
        }
        begin.push_str(match access {
            Access::User(_) => "; SET LOCAL ROLE aurax_app",
            Access::Jobs => "; SET LOCAL ROLE aurax_jobs",
            Access::Ledger => "; SET LOCAL ROLE aurax_ledger",
        });
        if access == Access::Jobs {
            // Who waits to change a table keeps everybody else waiting who comes after, and a
            // backup reads every table for as long as it takes.
            begin.push_str(&format!(
                "; SET LOCAL lock_timeout = {}",
                PATIENCE.as_millis()
            ));
        }
        if access == Access::Ledger {
            // A commit that was given up may still be on its way: what comes after it waits until
            // it is through, or until the server gives it up.
            begin.push_str(&format!(
                "; SET LOCAL idle_in_transaction_session_timeout = {}; \
                 SELECT pg_advisory_xact_lock({})",
                STATEMENT.as_millis(),
                self.ledger_lock
            ));
        }
        if (access, self.durability) == (Access::Ledger, Durability::Relaxed) {
            begin.push_str("; SET LOCAL synchronous_commit = off");
        }
        if let Access::User(user) = access {
            // A UUID's own digits, which need no quoting.
            begin.push_str(&format!("; SET LOCAL app.user_id = '{user}'"));
        }
        let begun = Transacting::begin(pool, &begin, limit).await;
        let inner = match reader {
            Some(_) => begun.map_err(Reader::named)?,
            None => begun?,
        };
        Ok(Box::new(PostgresTransaction {
            inner,
            dictionary: self.dictionary.clone(),
        }))
    }

    #[cfg(any(test, feature = "testkit"))]
    fn dictionary(&self) -> &Arc<Dictionary> {
        &self.dictionary
    }

    fn source(&self) -> Option<Arc<dyn Source>> {
        let source = self.source.clone()?;
        Some(source)
    }

    async fn close(&self) {
        self.pool.close().await;
        self.ledger.close().await;
        if let Some(reader) = &self.reader {
            reader.pool.close().await;
        }
    }
}

/// A connection within a transaction.
struct Transacting {
    connection: PoolConnection<Postgres>,
    limit: Duration,
    is_over: bool,
}

impl Transacting {
    /// Begins on a connection that answers; those that turn out to be dead are closed.
    async fn begin(pool: &PgPool, begin: &str, limit: Duration) -> Result<Self> {
        Self::begin_within(PATIENCE, pool, begin, limit).await
    }

    /// Begins where no caller waits for an answer.
    async fn begin_patiently(pool: &PgPool, begin: &str, limit: Duration) -> Result<Self> {
        Self::begin_within(STATEMENT, pool, begin, limit).await
    }

    async fn begin_within(
        patience: Duration,
        pool: &PgPool,
        begin: &str,
        limit: Duration,
    ) -> Result<Self> {
        let begun = tokio::time::timeout(patience, async {
            loop {
                let mut this = Self {
                    connection: pool.acquire().await.map_err(read)?,
                    limit,
                    is_over: false,
                };
                match this.raw(begin).await {
                    Ok(()) => return Ok(this),
                    Err(error) if error.kind() == ErrorKind::Store && pool.size() > 0 => {
                        // Dropped, and with it closed. A server that is away refuses the next
                        // connection at once.
                        tracing::debug!(%error, "a connection was dead");
                    }
                    Err(error) => return Err(not_begun(error)),
                }
            }
        });
        begun.await.unwrap_or_else(|_| Err(overdue()))
    }

    /// Runs SQL without values, as many statements as there are.
    async fn raw(&mut self, sql: &str) -> Result<()> {
        let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut *self.connection);
        in_time(self.limit, done).await.map(drop)
    }

    async fn all(&mut self, sql: &'static str) -> Result<Vec<Row>> {
        let compiled = Compiled {
            sql: sql.into(),
            binds: Vec::new(),
        };
        self.rows(&compiled, &[]).await
    }

    async fn ask(&mut self, sql: &'static str) -> Result<Row> {
        let rows = self.all(sql).await?;
        let row = rows.into_iter().next();
        row.ok_or_else(|| Error::new(ErrorKind::Internal, "the database answered nothing"))
    }

    async fn rows(&mut self, compiled: &Compiled, args: &[Arg]) -> Result<Vec<Row>> {
        self.fetch(compiled.sql.clone(), bind(compiled, args)?)
            .await
    }

    async fn fetch(&mut self, sql: Arc<str>, bound: PgArguments) -> Result<Vec<Row>> {
        let query = sqlx::query_with::<Postgres, _>(AssertSqlSafe(sql), bound).persistent(false);
        let mut found = query.fetch(&mut *self.connection);
        let read_all = async {
            let mut rows = Vec::new();
            let mut names: Option<Arc<[String]>> = None;
            while let Some(row) = found.try_next().await? {
                let names = names.get_or_insert_with(|| {
                    row.columns()
                        .iter()
                        .map(|column| column.name().to_owned())
                        .collect()
                });
                rows.push((names.clone(), row));
            }
            Ok(rows)
        };
        let rows = in_time(self.limit, read_all).await?;
        rows.into_iter()
            .map(|(names, row)| Ok(Row::new(names, cells(&row)?)))
            .collect()
    }

    async fn execute(&mut self, sql: Arc<str>, bound: PgArguments) -> Result<u64> {
        let query = sqlx::query_with::<Postgres, _>(AssertSqlSafe(sql), bound).persistent(false);
        let done = query.execute(&mut *self.connection);
        Ok(in_time(self.limit, done).await?.rows_affected())
    }

    async fn end(mut self, how: &'static str) -> Result<()> {
        self.raw(how).await?;
        self.is_over = true;
        Ok(())
    }
}

/// Nothing was said yet that the database could refuse for what it is.
fn not_begun(error: Error) -> Error {
    if error.kind() != ErrorKind::Internal {
        return error;
    }
    Error::new(ErrorKind::Store, "the database begins no transaction").with_source(error)
}

impl Drop for Transacting {
    fn drop(&mut self) {
        if !self.is_over {
            // Nobody knows what state it is in. Closing rolls back.
            self.connection.close_on_drop();
        }
    }
}

async fn in_time<T>(
    limit: Duration,
    work: impl Future<Output = std::result::Result<T, sqlx::Error>>,
) -> Result<T> {
    match tokio::time::timeout(limit, work).await {
        Ok(done) => done.map_err(read),
        Err(_) => Err(busy("it does not answer")),
    }
}

struct PostgresTransaction {
    inner: Transacting,
    dictionary: Arc<Dictionary>,
}

impl PostgresTransaction {
    fn bulk(&self, insert: &BulkInsert, says: Says) -> Result<Arc<str>> {
        let write = || insert.postgres(says);
        // One statement takes however many rows there are.
        self.dictionary.insert(insert, 0, says, write)
    }
}

#[async_trait]
impl Transaction for PostgresTransaction {
    async fn rows(&mut self, statement: &Statement, args: &[Arg]) -> Result<Vec<Row>> {
        let compiled = self.dictionary.get(statement)?;
        self.inner.rows(&compiled, args).await
    }

    async fn run(&mut self, statement: &Statement, args: &[Arg]) -> Result<u64> {
        let compiled = self.dictionary.get(statement)?;
        let bound = bind(&compiled, args)?;
        self.inner.execute(compiled.sql.clone(), bound).await
    }

    async fn insert(&mut self, insert: &BulkInsert, rows: &[Fields]) -> Result<u64> {
        let sql = self.bulk(insert, Says::Count)?;
        self.inner.execute(sql, columns(insert, rows)?).await
    }

    async fn insert_new(&mut self, insert: &BulkInsert, rows: &[Fields]) -> Result<Vec<Row>> {
        let sql = self.bulk(insert, Says::Ids)?;
        self.inner.fetch(sql, columns(insert, rows)?).await
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        self.inner.end("COMMIT").await
    }

    async fn rollback(self: Box<Self>) -> Result<()> {
        self.inner.end("ROLLBACK").await
    }
}
