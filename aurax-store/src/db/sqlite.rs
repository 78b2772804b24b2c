//! SQLite: one connection that writes, several that read, in one file or in memory.

pub(crate) mod copy;
mod values;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aurax_core::{Error, ErrorKind, Result};
use futures::TryStreamExt as _;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{
    Arguments as _, AssertSqlSafe, Column as _, ConnectOptions as _, Connection as _, Row as _,
    Sqlite, SqlitePool,
};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::bulk::{Says, parts};
use super::error::{busy, closed, read};
use super::migration::{Applied, Migration, due, migrations};
use super::value::Cell;
use super::{
    Access, Arg, BulkInsert, Database, Dialect, Dictionary, Durability, Fields, Mode, Row,
    Statement, Transaction,
};
use copy::{SqliteSource, applied};
use values::{add, bind, cells};

use crate::backup::Source;
use crate::ledger::fault::{CrashPoint, reached};

const MIGRATIONS: &[Migration] =
    migrations!("sqlite": 1 "0001_tables", 2 "0002_kept_answers", 3 "0003_replicas");

/// How long a write waits for other writers, of this process and of others.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often a write looks whether the file is free, in microseconds. A busy process begins anew
/// soon after each commit: who looks rarely finds the file taken for as long as it is busy.
const POLL: std::ops::Range<u64> = 50..400;
/// How long migrations wait for another process to finish its own.
const MIGRATION_PATIENCE: Duration = Duration::from_secs(60);
/// Connections that read.
const READERS: u32 = 4;
/// Before this one, two connections could corrupt a write-ahead log:
/// <https://sqlite.org/wal.html#the_wal_reset_bug>.
const OLDEST: (u32, u32, u32) = (3, 51, 3);

/// A database in a file, or in memory.
#[derive(Debug)]
pub(crate) struct SqliteDatabase {
    options: SqliteConnectOptions,
    writer: Arc<Mutex<Writer>>,
    /// `None` in memory, where one connection does everything.
    readers: Option<SqlitePool>,
    dictionary: Arc<Dictionary>,
    path: Option<PathBuf>,
}

/// The one connection that writes.
#[derive(Debug)]
struct Writer {
    connection: Option<SqliteConnection>,
    /// A transaction was left open.
    is_dirty: bool,
    is_closed: bool,
}

impl SqliteDatabase {
    /// A database in memory, which goes with the value.
    pub(crate) async fn in_memory() -> Result<Self> {
        Self::connect(SqliteConnectOptions::new().in_memory(true), None).await
    }

    /// A database in a file, which is made, for its owner alone, where it is not there.
    pub(crate) async fn open(path: &Path, durability: Durability) -> Result<Self> {
        create(path)?;
        let synchronous = match durability {
            Durability::Strict => SqliteSynchronous::Full,
            Durability::Relaxed => SqliteSynchronous::Normal,
        };
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(synchronous)
            // A log that once grew is cut again.
            .pragma("journal_size_limit", "67108864");
        Self::connect(options, Some((path.to_owned(), durability))).await
    }

    async fn connect(
        options: SqliteConnectOptions,
        place: Option<(PathBuf, Durability)>,
    ) -> Result<Self> {
        let (path, durability) = place.unzip();
        let options = options
            .foreign_keys(true)
            .busy_timeout(Duration::ZERO)
            .statement_cache_capacity(256)
            .disable_statement_logging();
        let readers = path.as_ref().map(|_| {
            SqlitePoolOptions::new()
                .max_connections(READERS)
                .acquire_timeout(PATIENCE)
                .connect_lazy_with(options.clone().read_only(true))
        });
        let database = Self {
            options,
            writer: Arc::new(Mutex::new(Writer {
                connection: None,
                is_dirty: false,
                is_closed: false,
            })),
            readers,
            dictionary: Arc::new(Dictionary::new(Dialect::Sqlite)),
            path,
        };
        database.check(durability).await?;
        Ok(database)
    }

    /// Reads back what the connection was told.
    async fn check(&self, durability: Option<Durability>) -> Result<()> {
        let mut writer = self.writer().await?;
        let connection = writer.connection.as_mut().ok_or_else(closed)?;
        let version = pragma(connection, "SELECT sqlite_version()").await?;
        let mut numbers = version.split('.').map(|part| part.parse().unwrap_or(0));
        let mut next = || numbers.next().unwrap_or(0);
        if (next(), next(), next()) < OLDEST {
            return Err(Error::new(
                ErrorKind::Config,
                format!("SQLite {version} can corrupt its log: build with the bundled one"),
            ));
        }
        let (expected, enough) = match durability {
            None => ("memory", None),
            Some(Durability::Strict) => ("wal", Some("2")),
            Some(Durability::Relaxed) => ("wal", Some("1")),
        };
        let mode = pragma(connection, "PRAGMA journal_mode").await?;
        let level = pragma(connection, "PRAGMA synchronous").await?;
        if mode != expected || enough.is_some_and(|enough| enough != level) {
            return Err(Error::new(
                ErrorKind::Config,
                format!(
                    "the database file cannot be made durable (journal_mode {mode}, synchronous \
                     {level}): put it on a local disk"
                ),
            ));
        }
        Ok(())
    }

    /// Takes every migration that is due, and names them.
    pub(crate) async fn migrate(&self) -> Result<Vec<&'static str>> {
        // SQLite has no lock that outlives a transaction: a file beside it keeps two programs
        // that start at once from migrating both.
        let _lock = match &self.path {
            Some(path) => Some(lock(&path.with_extension("lock")).await?),
            None => None,
        };
        let mut tx = self.begin_write(MIGRATION_PATIENCE).await?;
        let connection = tx.connection()?;
        sqlx::raw_sql(
            "CREATE TABLE IF NOT EXISTS schema_migrations (
                 version integer NOT NULL PRIMARY KEY, name text NOT NULL, checksum text NOT NULL
             ) STRICT",
        )
        .execute(&mut *connection)
        .await
        .map_err(read)?;
        let applied = applied(connection).await?;
        let due = due(MIGRATIONS, &applied)?;
        let names = due.iter().map(|step| step.name).collect();
        for step in due {
            sqlx::raw_sql(step.sql)
                .execute(&mut *connection)
                .await
                .map_err(read)?;
            reached(CrashPoint::MidMigration);
            sqlx::query(
                "INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)",
            )
            .bind(step.version)
            .bind(step.name)
            .bind(step.checksum())
            .execute(&mut *connection)
            .await
            .map_err(read)?;
        }
        Box::new(tx).commit().await?;
        Ok(names)
    }

    /// The connection that writes, without a transaction.
    async fn writer(&self) -> Result<OwnedMutexGuard<Writer>> {
        let mut writer = self.writer.clone().lock_owned().await;
        if writer.is_closed {
            return Err(closed());
        }
        if writer.is_dirty
            && let Some(connection) = &mut writer.connection
            // It fails where the transaction is gone already.
            && let Err(error) = sqlx::raw_sql("ROLLBACK").execute(connection).await
        {
            tracing::debug!(%error, "nothing to roll back");
        }
        writer.is_dirty = false;
        if writer.connection.is_none() {
            writer.connection = Some(self.options.connect().await.map_err(read)?);
        }
        Ok(writer)
    }

    async fn begin_write(&self, patience: Duration) -> Result<SqliteTransaction> {
        let begun = tokio::time::timeout(patience, async {
            let mut writer = self.writer().await?;
            loop {
                // Who stops waiting here does not know whether it begins after all.
                writer.is_dirty = true;
                let connection = writer.connection.as_mut().ok_or_else(closed)?;
                let begun = sqlx::raw_sql("BEGIN IMMEDIATE").execute(connection).await;
                writer.is_dirty = false;
                match begun {
                    Ok(_) => return Ok(self.transaction(Held::Writer(writer))),
                    Err(error) if is_busy(&error) => {
                        tokio::time::sleep(Duration::from_micros(fastrand::u64(POLL))).await;
                    }
                    Err(error) => return Err(read(error)),
                }
            }
        });
        begun
            .await
            .unwrap_or_else(|_| Err(busy("another writer keeps it")))
    }

    fn transaction(&self, held: Held) -> SqliteTransaction {
        SqliteTransaction {
            held,
            dictionary: self.dictionary.clone(),
            is_durable: self.path.is_some(),
            is_over: false,
        }
    }

    async fn begin_read(&self, readers: &SqlitePool) -> Result<SqliteTransaction> {
        let mut reader = readers.acquire().await.map_err(read)?;
        sqlx::raw_sql("BEGIN")
            .execute(&mut *reader)
            .await
            .map_err(read)?;
        Ok(self.transaction(Held::Reader(reader)))
    }
}

#[async_trait]
impl Database for SqliteDatabase {
    async fn begin(&self, _: Access, mode: Mode) -> Result<Box<dyn Transaction>> {
        let tx = match (&self.readers, mode) {
            (Some(readers), Mode::Read | Mode::Analyse) => self.begin_read(readers).await?,
            _ => self.begin_write(PATIENCE).await?,
        };
        Ok(Box::new(tx))
    }

    #[cfg(any(test, feature = "testkit"))]
    fn dictionary(&self) -> &Arc<Dictionary> {
        &self.dictionary
    }

    fn source(&self) -> Option<Arc<dyn Source>> {
        let path = self.path.clone()?;
        Some(Arc::new(SqliteSource::new(path, self.options.clone())))
    }

    async fn close(&self) {
        if let Some(readers) = &self.readers {
            readers.close().await;
        }
        let mut writer = self.writer.lock().await;
        writer.is_closed = true;
        if let Some(connection) = writer.connection.take()
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "the database was not closed cleanly");
        }
    }
}

/// The connection a transaction runs on.
enum Held {
    Writer(OwnedMutexGuard<Writer>),
    Reader(PoolConnection<Sqlite>),
}

struct SqliteTransaction {
    held: Held,
    dictionary: Arc<Dictionary>,
    is_durable: bool,
    is_over: bool,
}

impl SqliteTransaction {
    fn connection(&mut self) -> Result<&mut SqliteConnection> {
        match &mut self.held {
            Held::Writer(writer) => writer.connection.as_mut().ok_or_else(closed),
            Held::Reader(reader) => Ok(reader),
        }
    }

    async fn fetch(&mut self, sql: Arc<str>, bound: SqliteArguments) -> Result<Vec<Row>> {
        let connection = self.connection()?;
        let query = sqlx::query_with::<Sqlite, _>(AssertSqlSafe(sql), bound);
        let mut found = query.fetch(connection);
        let mut rows = Vec::new();
        let mut names: Option<Arc<[String]>> = None;
        while let Some(row) = found.try_next().await.map_err(read)? {
            let names = names.get_or_insert_with(|| {
                row.columns()
                    .iter()
                    .map(|column| column.name().to_owned())
                    .collect()
            });
            rows.push(Row::new(names.clone(), cells(&row)?));
        }
        Ok(rows)
    }

    async fn execute(&mut self, sql: Arc<str>, bound: SqliteArguments) -> Result<u64> {
        let connection = self.connection()?;
        let query = sqlx::query_with::<Sqlite, _>(AssertSqlSafe(sql), bound);
        let done = query.execute(connection).await.map_err(read)?;
        Ok(done.rows_affected())
    }

    /// The statement that inserts rows, and its values.
    fn bulk(
        &self,
        insert: &BulkInsert,
        rows: &[Fields],
        says: Says,
    ) -> Result<(Arc<str>, SqliteArguments)> {
        let mut bound = SqliteArguments::default();
        // Amounts take two places.
        bound.reserve(rows.len() * insert.columns.len() * 2, 0);
        for row in rows {
            for value in insert.values(row) {
                let (name, value) = value?;
                add(&mut bound, name, value)?;
            }
        }
        let write = || insert.sqlite(rows.len(), says);
        let sql = self.dictionary.insert(insert, rows.len(), says, write)?;
        Ok((sql, bound))
    }

    async fn end(mut self: Box<Self>, how: &'static str) -> Result<()> {
        let ended = sqlx::raw_sql(how).execute(self.connection()?).await;
        self.is_over = true;
        let Err(error) = ended else {
            return Ok(());
        };
        match &mut self.held {
            // After a commit that failed nobody knows what the file holds: the next connection
            // reads it anew.
            Held::Writer(writer) if self.is_durable => drop(writer.connection.take()),
            Held::Writer(writer) => writer.is_dirty = true,
            Held::Reader(reader) => reader.close_on_drop(),
        }
        Err(read(error))
    }
}

impl Drop for SqliteTransaction {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        match &mut self.held {
            // Closing rolls back, and lets other processes write.
            Held::Writer(writer) if self.is_durable => drop(writer.connection.take()),
            Held::Writer(writer) => writer.is_dirty = true,
            Held::Reader(reader) => reader.close_on_drop(),
        }
    }
}

#[async_trait]
impl Transaction for SqliteTransaction {
    async fn rows(&mut self, statement: &Statement, args: &[Arg]) -> Result<Vec<Row>> {
        let compiled = self.dictionary.get(statement)?;
        let bound = bind(&compiled, args)?;
        self.fetch(compiled.sql.clone(), bound).await
    }

    async fn insert(&mut self, insert: &BulkInsert, rows: &[Fields]) -> Result<u64> {
        let mut new = 0_u64;
        for part in parts(rows) {
            let (sql, bound) = self.bulk(insert, part, Says::Count)?;
            new = new.saturating_add(self.execute(sql, bound).await?);
        }
        Ok(new)
    }

    async fn insert_new(&mut self, insert: &BulkInsert, rows: &[Fields]) -> Result<Vec<Row>> {
        let mut new = Vec::new();
        for part in parts(rows) {
            let (sql, bound) = self.bulk(insert, part, Says::Ids)?;
            new.extend(self.fetch(sql, bound).await?);
        }
        Ok(new)
    }

    async fn run(&mut self, statement: &Statement, args: &[Arg]) -> Result<u64> {
        let compiled = self.dictionary.get(statement)?;
        let bound = bind(&compiled, args)?;
        self.execute(compiled.sql.clone(), bound).await
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        self.end("COMMIT").await
    }

    async fn rollback(self: Box<Self>) -> Result<()> {
        self.end("ROLLBACK").await
    }
}

fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    let code = code.and_then(|code| code.parse::<i32>().ok());
    // SQLITE_BUSY and SQLITE_LOCKED, with what extends them.
    code.is_some_and(|code| matches!(code & 0xff, 5 | 6))
}

async fn pragma(connection: &mut SqliteConnection, question: &'static str) -> Result<String> {
    let row = sqlx::query(question)
        .fetch_one(connection)
        .await
        .map_err(read)?;
    match cells(&row)?.into_iter().next() {
        Some(Cell::Text(text)) => Ok(text),
        Some(Cell::Int(int)) => Ok(int.to_string()),
        _ => Ok(String::new()),
    }
}

/// Makes the file for its owner alone; one that is there is left as it is.
fn create(path: &Path) -> Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => {
            let message = format!("the database file {} cannot be made", path.display());
            Err(Error::new(ErrorKind::Store, message).with_source(error))
        }
    }
}

/// Takes the lock file, which is free again when it is closed, however the program ends.
async fn lock(path: &Path) -> Result<std::fs::File> {
    let failed = |error: std::io::Error| {
        let message = format!("the lock file {} cannot be taken", path.display());
        Error::new(ErrorKind::Store, message).with_source(error)
    };
    let file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(failed)?;
    let taken = tokio::time::timeout(MIGRATION_PATIENCE, async {
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(()),
                Err(std::fs::TryLockError::WouldBlock) => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(std::fs::TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
    });
    taken
        .await
        .unwrap_or_else(|_| Err(busy("another program migrates it")))?;
    Ok(file)
}
