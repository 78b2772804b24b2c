//! PostgreSQL: pools of connections whose transactions take the role and the tenant they are for.

mod address;
pub(crate) mod copy;
mod programs;
mod values;

use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aurax_core::{Error, ErrorKind, Result};
use futures::TryStreamExt as _;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Column as _, ConnectOptions as _, PgPool, Postgres, Row as _};

use super::bulk::Says;
use super::error::{busy, read};
use super::migration::{Applied, Migration, due, migrations};
use super::statement::Compiled;
use super::{
    Access, Arg, BulkInsert, Database, Dialect, Dictionary, Durability, Fields, Mode, Row,
    Statement, Transaction,
};
use copy::PostgresSource;
use values::{bind, cells, columns};

use crate::backup::Source;
use crate::ledger::fault::{CrashPoint, reached};

const MIGRATIONS: &[Migration] = migrations!(
    "postgres": 1 "0001_tables", 2 "0002_roles", 3 "0003_partitions",
);

/// How long a transaction waits to begin: for a connection, and for the server's first word.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long one statement may take.
const STATEMENT: Duration = Duration::from_secs(5);
/// How long one statement over many rows may take.
const ANALYSIS: Duration = Duration::from_secs(60);
/// How long migrations may take, another process's included.
const MIGRATION: Duration = Duration::from_secs(600);
/// The oldest server that partitions, policies and roles are tested with.
const OLDEST: i64 = 150_000;
/// The name of the lock that migrations hold, for one at a time.
const MIGRATION_LOCK: i64 = 0x0061_7572_6178;

/// A database on a server.
#[derive(Debug)]
pub(crate) struct PostgresDatabase {
    /// Connections for everything but the ledger.
    pool: PgPool,
    /// Connections for analyses, where there is a replica to ask.
    analyses: Option<PgPool>,
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
        let analyses = match read_url {
            Some(url) => Some(pool(self::options(url)?, connections)),
            None => None,
        };
        Ok(Self {
            pool: pool(options, connections),
            analyses,
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

    /// Takes every migration that is due, as the owner of the tables.
    ///
    /// # Errors
    /// As of [`due`]; `Config` where the role may not make tables and roles.
    pub(crate) async fn migrate(owner_url: &str) -> Result<()> {
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(Duration::from_secs(5))
            .connect_lazy_with(options(owner_url)?);
        let done = tokio::time::timeout(MIGRATION, migrate(&pool)).await;
        pool.close().await;
        done.unwrap_or_else(|_| Err(busy("migrations took too long")))
    }

    /// Checks that the server, the roles and the policies are what the store relies on.
    pub(crate) async fn verify(&self) -> Result<()> {
        let mut tx = Transacting::begin(&self.pool, "BEGIN", STATEMENT).await?;
        let facts = tx
            .ask(
                "SELECT current_setting('server_version_num')::bigint AS version,
                    (SELECT string_agg(relname, ', ' ORDER BY relname) FROM pg_class
                     JOIN pg_namespace ON pg_namespace.oid = relnamespace
                     WHERE nspname = 'public' AND relkind IN ('r', 'p')
                       AND (relname ~ '^(messages|usage_logs)(_|$)' OR EXISTS (
                           SELECT FROM pg_attribute WHERE attrelid = pg_class.oid AND attname = 'user_id'))
                       AND NOT (relrowsecurity AND relforcerowsecurity)) AS open_tables,
                    (SELECT string_agg(DISTINCT relname, ', ') FROM pg_class
                     JOIN pg_namespace ON pg_namespace.oid = relnamespace,
                     unnest(ARRAY['aurax_app', 'aurax_jobs', 'aurax_ledger']) AS role
                     WHERE nspname = 'public' AND relkind IN ('r', 'p')
                       AND (has_table_privilege(role, pg_class.oid, 'TRUNCATE')
                         OR (relispartition AND has_any_column_privilege(role, pg_class.oid, 'SELECT'))))
                       AS open_grants,
                    (SELECT string_agg(rolname, ', ') FROM pg_roles
                     WHERE rolname IN ('aurax_app', 'aurax_jobs', 'aurax_ledger')
                       AND (rolsuper OR rolbypassrls)) AS strong_roles,
                    (SELECT string_agg(name, ', ') FROM
                     unnest(ARRAY['aurax_app', 'aurax_jobs', 'aurax_ledger']) AS name
                     WHERE NOT pg_has_role(current_user, name, 'MEMBER')) AS missing_roles,
                    (SELECT string_agg(proname, ', ') FROM pg_proc
                     JOIN pg_namespace ON pg_namespace.oid = pronamespace
                     WHERE nspname = 'public' AND proname = 'aurax_search'
                       AND pg_get_userbyid(proowner) <> 'aurax_jobs') AS stray_functions",
            )
            .await?;
        tx.end("ROLLBACK").await?;
        if facts.int("version")? < OLDEST {
            return Err(refuse("PostgreSQL is older than 15: upgrade it", None));
        }
        for (column, message) in [
            (
                "missing_roles",
                "the login is no member of these roles: GRANT them to it",
            ),
            (
                "strong_roles",
                "these roles pass row-level security by: ALTER ROLE … NOSUPERUSER NOBYPASSRLS",
            ),
            (
                "open_tables",
                "row-level security is not forced on these tables: ALTER TABLE … FORCE ROW LEVEL SECURITY",
            ),
            (
                "open_grants",
                "these tables are open to a role that must not reach them: REVOKE",
            ),
            (
                "stray_functions",
                "these functions find nothing as whom they run: ALTER FUNCTION … OWNER TO aurax_jobs",
            ),
        ] {
            if let Some(names) = facts.text_or_null(column)? {
                return Err(refuse(message, Some(names)));
            }
        }
        Ok(())
    }
}

fn refuse(message: &str, names: Option<String>) -> Error {
    let message = match names {
        Some(names) => format!("{message} ({names})"),
        None => message.to_owned(),
    };
    Error::new(ErrorKind::Config, message)
}

fn options(url: &str) -> Result<PgConnectOptions> {
    let options = PgConnectOptions::from_str(url).map_err(|_| {
        Error::new(
            ErrorKind::Config,
            "the address of the database cannot be read: write it as \
             postgres://user:password@host:5432/database",
        )
    })?;
    Ok(options
        // Poolers that hand a connection on after each transaction know neither named statements
        // nor this parameter.
        .statement_cache_capacity(0)
        .extra_float_digits(None)
        .application_name("aurax")
        .disable_statement_logging())
}

async fn migrate(pool: &PgPool) -> Result<()> {
    let mut tx = Transacting::begin(pool, "BEGIN", MIGRATION).await?;
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
    for step in due(MIGRATIONS, &applied)? {
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
    tx.end("COMMIT").await
}

#[async_trait]
impl Database for PostgresDatabase {
    async fn begin(&self, access: Access, mode: Mode) -> Result<Box<dyn Transaction>> {
        let (pool, limit) = match (access, mode, &self.analyses) {
            (Access::Ledger, ..) => (&self.ledger, STATEMENT),
            (_, Mode::Analyse, Some(analyses)) => (analyses, ANALYSIS),
            (_, Mode::Analyse, None) => (&self.pool, ANALYSIS),
            (_, Mode::Read | Mode::Write, _) => (&self.pool, STATEMENT),
        };
        let mut begin = match mode {
            Mode::Write => "BEGIN".to_owned(),
            Mode::Read | Mode::Analyse => "BEGIN READ ONLY".to_owned(),
        };
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
        let inner = Transacting::begin(pool, &begin, limit).await?;
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
        if let Some(analyses) = &self.analyses {
            analyses.close().await;
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
        let begun = tokio::time::timeout(PATIENCE, async {
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
                    Err(error) => return Err(error),
                }
            }
        });
        begun
            .await
            .unwrap_or_else(|_| Err(busy("it does not answer")))
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
