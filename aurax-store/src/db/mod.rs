//! The seam to a database: transactions that run the catalogue's statements for somebody.
//!
//! Everything above it is written once; a database is one file below it.

mod bulk;
mod error;
mod migration;
#[cfg(feature = "testkit")]
mod plans;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;
mod statement;
mod value;

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use aurax_core::{Error, ErrorKind, Result};
use futures::future::BoxFuture;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::backup::Source;

pub(crate) use bulk::{BulkInsert, Fields, Kind};
pub(crate) use error::is_about_data;
#[cfg(feature = "testkit")]
pub(crate) use plans::Plans;
#[cfg(feature = "testkit")]
pub use plans::QueryPlan;
#[cfg(any(test, feature = "testkit"))]
pub(crate) use statement::Sabotage;
#[cfg(test)]
pub(crate) use statement::compile;
pub(crate) use statement::{Dialect, Dictionary, Statement};
pub(crate) use value::{Arg, Row, Value, args, split, to_micros};

/// For whom a transaction is made, which decides what it may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// One tenant.
    User(Uuid),
    /// What crosses tenants: operators, logins, jobs.
    Jobs,
    /// The ledger's writer.
    Ledger,
}

/// What the ledger waits for before it says that something is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// For the disk: what was said to be recorded is there after a power cut.
    #[default]
    Strict,
    /// For the database alone. A power cut or a crash of the machine may lose what was recorded
    /// in the last moments, calls that were paid for among it, and holds with them; a crash of
    /// this process or of the database server loses nothing more than strict does in SQLite, and
    /// up to a second in PostgreSQL.
    Relaxed,
}

/// What a transaction is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Reads a few rows.
    Read,
    /// Reads many rows; may be answered by a replica that is a little behind.
    Analyse,
    /// Writes.
    Write,
}

/// A database.
#[async_trait]
pub(crate) trait Database: Debug + Send + Sync + 'static {
    /// Begins a transaction.
    async fn begin(&self, access: Access, mode: Mode) -> Result<Box<dyn Transaction>>;

    /// The statements in its words.
    #[cfg(any(test, feature = "testkit"))]
    fn dictionary(&self) -> &Arc<Dictionary>;

    /// What backs it up; `None` where nothing of it outlives the program.
    fn source(&self) -> Option<Arc<dyn Source>>;

    /// Closes every connection, after what runs on them.
    async fn close(&self);
}

/// A transaction. Dropping it rolls it back.
#[async_trait]
pub(crate) trait Transaction: Send {
    /// Runs a statement and returns its rows.
    async fn rows(&mut self, statement: &Statement, args: &[Arg]) -> Result<Vec<Row>>;

    /// Runs a statement and returns how many rows it changed.
    async fn run(&mut self, statement: &Statement, args: &[Arg]) -> Result<u64>;

    /// Inserts rows, and returns how many of them were new.
    async fn insert(&mut self, insert: &BulkInsert, rows: &[Fields]) -> Result<u64>;

    /// Inserts rows, and returns the ids of those that were new.
    async fn insert_new(&mut self, insert: &BulkInsert, rows: &[Fields]) -> Result<Vec<Row>>;

    /// Makes everything durable. An error means that nobody knows whether it is.
    async fn commit(self: Box<Self>) -> Result<()>;

    /// Undoes everything.
    async fn rollback(self: Box<Self>) -> Result<()>;
}

/// A transaction, and the tenant it is for.
pub(crate) struct Tx {
    inner: Box<dyn Transaction>,
    user: Option<Uuid>,
    #[cfg(feature = "testkit")]
    plans: Arc<Plans>,
}

impl Tx {
    pub(crate) async fn rows(&mut self, statement: &Statement, args: &[Arg]) -> Result<Vec<Row>> {
        let args = self.args(statement, args)?;
        #[cfg(feature = "testkit")]
        self.plans.note(&mut *self.inner, statement, &args).await?;
        self.inner.rows(statement, &args).await
    }

    pub(crate) async fn commit(self) -> Result<()> {
        self.inner.commit().await
    }

    pub(crate) async fn rollback(self) -> Result<()> {
        self.inner.rollback().await
    }

    /// The one row there may be.
    pub(crate) async fn row(&mut self, statement: &Statement, args: &[Arg]) -> Result<Option<Row>> {
        Ok(self.rows(statement, args).await?.into_iter().next())
    }

    pub(crate) async fn run(&mut self, statement: &Statement, args: &[Arg]) -> Result<u64> {
        let args = self.args(statement, args)?;
        self.inner.run(statement, &args).await
    }

    /// Inserts rows, and returns how many of them were new. A NUL in a text, which no database
    /// keeps, is replaced: such rows hold what was said and paid for, and must not fail.
    pub(crate) async fn insert(&mut self, insert: &BulkInsert, rows: &[Fields]) -> Result<u64> {
        if rows.is_empty() {
            return Ok(0);
        }
        self.inner.insert(insert, &kept(rows)).await
    }

    /// Inserts rows as [`Tx::insert`] does, and returns the ids of those that were new. To hear of
    /// each row costs as much as the row: where all are new as a rule, their number is enough.
    pub(crate) async fn insert_new(
        &mut self,
        insert: &BulkInsert,
        rows: &[Fields],
    ) -> Result<HashSet<Uuid>> {
        if rows.is_empty() {
            return Ok(HashSet::new());
        }
        let new = self.inner.insert_new(insert, &kept(rows)).await?;
        new.iter().map(|row| row.uuid("id")).collect()
    }

    /// Adds the tenant, and refuses what no database keeps.
    fn args(&self, statement: &Statement, args: &[Arg]) -> Result<Vec<Arg>> {
        for (name, value) in args {
            if matches!(value, Value::Text(Some(text)) if text.contains('\0')) {
                return Err(Error::new(
                    ErrorKind::InvalidRequest,
                    format!("`{name}` holds a NUL character, which cannot be kept: remove it"),
                )
                .with_context("field", *name));
            }
        }
        let mut args = args.to_vec();
        if let Some(user) = self.user {
            args.push(("user", user.into()));
        } else if statement.text.contains(":user") && !args.iter().any(|(name, _)| *name == "user")
        {
            return Err(Error::new(
                ErrorKind::Internal,
                format!("the statement {} needs a tenant", statement.name),
            ));
        }
        Ok(args)
    }
}

/// The rows as a database keeps them.
fn kept(rows: &[Fields]) -> Cow<'_, [Fields]> {
    let has_nul =
        |(_, value): &Arg| matches!(value, Value::Text(Some(text)) if text.contains('\0'));
    if rows.iter().flatten().any(has_nul) {
        Cow::Owned(rows.iter().map(without_nul).collect())
    } else {
        Cow::Borrowed(rows)
    }
}

fn without_nul(row: &Fields) -> Fields {
    let clean = |value: &Value| match value {
        Value::Text(Some(text)) => Value::from(text.replace('\0', "\u{fffd}")),
        other => other.clone(),
    };
    row.iter()
        .map(|(name, value)| (*name, clean(value)))
        .collect()
}

/// A database, and the work that goes on in it.
#[derive(Debug, Clone)]
pub(crate) struct Db {
    database: Arc<dyn Database>,
    work: TaskTracker,
    #[cfg(feature = "testkit")]
    plans: Arc<Plans>,
}

impl Db {
    pub(crate) fn new(database: Arc<dyn Database>) -> Self {
        Self {
            database,
            work: TaskTracker::new(),
            #[cfg(feature = "testkit")]
            plans: Arc::default(),
        }
    }

    /// How the database finds what it is asked for.
    #[cfg(feature = "testkit")]
    pub(crate) fn plans(&self) -> &Plans {
        &self.plans
    }

    #[cfg(any(test, feature = "testkit"))]
    pub(crate) fn database(&self) -> &Arc<dyn Database> {
        &self.database
    }

    /// What backs it up; `None` where nothing of it outlives the program.
    pub(crate) fn source(&self) -> Option<Arc<dyn Source>> {
        self.database.source()
    }

    /// Begins a transaction for who brings its own way of running it to its end.
    pub(crate) async fn begin(&self, access: Access, mode: Mode) -> Result<Tx> {
        let inner = self.database.begin(access, mode).await?;
        let user = match access {
            Access::User(user) => Some(user),
            Access::Jobs | Access::Ledger => None,
        };
        Ok(Tx {
            inner,
            user,
            #[cfg(feature = "testkit")]
            plans: self.plans.clone(),
        })
    }

    /// Reads within one transaction, which runs to its end even when the future is dropped, so
    /// that its connection can be used again.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        access: Access,
        mode: Mode,
        work: impl for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
    ) -> Result<T> {
        let db = self.clone();
        let task = self.work.spawn(async move {
            let mut tx = db.begin(access, mode).await?;
            let answer = work(&mut tx).await;
            tx.inner.rollback().await?;
            answer
        });
        task.await.unwrap_or_else(|e| Err(broke_off(e)))
    }

    /// Writes within one transaction, which runs to its end even when the future is dropped.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        access: Access,
        work: impl for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
    ) -> Result<T> {
        let db = self.clone();
        let task = self.work.spawn(async move {
            let mut tx = db.begin(access, Mode::Write).await?;
            match work(&mut tx).await {
                Ok(answer) => {
                    tx.inner.commit().await?;
                    Ok(answer)
                }
                Err(error) => {
                    if let Err(undo) = tx.inner.rollback().await {
                        tracing::warn!(error = %undo, "a transaction was not rolled back cleanly");
                    }
                    Err(error)
                }
            }
        });
        task.await.unwrap_or_else(|e| Err(broke_off(e)))
    }

    /// Waits for what goes on and closes every connection.
    pub(crate) async fn close(&self) {
        self.work.close();
        self.work.wait().await;
        self.database.close().await;
    }
}

fn broke_off(error: tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Internal, "a transaction broke off").with_source(error)
}
