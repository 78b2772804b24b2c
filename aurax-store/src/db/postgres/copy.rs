//! Dumps of a whole database, and a database out of a dump.

use std::path::Path;

use async_trait::async_trait;
use aurax_core::{Error, ErrorKind, Result};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use time::OffsetDateTime;
use tokio::io::AsyncRead;
use tokio::process::ChildStdout;

use super::address::Address;
use super::programs::{Pipes, Program, Programs};
use super::{Database as _, MIGRATIONS, PATIENCE, PostgresDatabase, STATEMENT, Transacting};
use crate::backup::{ArchiveReader, Content, Manifest, Source, StoreKind, Watch};
use crate::store::PostgresOptions;

const DUMP: &str = "pg_dump";
const RESTORE: &str = "pg_restore";

/// The last migration this program knows.
pub(crate) fn newest() -> i64 {
    MIGRATIONS.last().map_or(0, |step| step.version)
}

/// A database to be backed up.
#[derive(Debug, Clone)]
pub(crate) struct PostgresSource {
    address: Address,
    programs: Programs,
}

impl PostgresSource {
    /// # Errors
    /// `Config` for an address that cannot be read.
    pub(crate) fn new(url: &str, programs: Option<&Path>) -> Result<Self> {
        Ok(Self {
            address: Address::parse(url)?,
            programs: Programs::new(programs),
        })
    }

    /// Checks that the whole of the database can be read, and says its last migration.
    async fn check(&self) -> Result<i64> {
        let program = self.programs.version(DUMP).await?;
        let pool = pool(&self.address);
        let facts = facts(&pool).await;
        pool.close().await;
        let facts = facts?;
        fits(DUMP, program, facts.server)?;
        if !facts.passes_by {
            let message = format!(
                "the role of the backup's address may not read every row: ALTER ROLE {} BYPASSRLS, \
                 or name another login with PostgresOptions::with_backup_url",
                facts.role
            );
            return Err(Error::new(ErrorKind::Config, message));
        }
        if let Some(names) = facts.unreadable {
            let message = format!(
                "the role of the backup's address may not read these tables: GRANT \
                 pg_read_all_data TO {} ({names})",
                facts.role
            );
            return Err(Error::new(ErrorKind::Config, message));
        }
        Ok(facts.schema_version)
    }
}

#[async_trait]
impl Source for PostgresSource {
    async fn open(&self, _: &Watch) -> Result<Box<dyn Content>> {
        let schema_version = self.check().await?;
        // Waits for nobody who changes a table for longer than others would wait for it.
        let arguments = [
            "--format=custom",
            "--no-password",
            "--lock-wait-timeout=10s",
        ];
        let mut program = self
            .programs
            .start(DUMP, &arguments, &self.address, Pipes::Output)?;
        let output = program.child.stdout.take();
        let output = output
            .ok_or_else(|| Error::new(ErrorKind::Internal, format!("{DUMP} has no output")))?;
        Ok(Box::new(Dump {
            program,
            output,
            schema_version,
        }))
    }
}

/// What `pg_dump` writes.
struct Dump {
    program: Program,
    output: ChildStdout,
    schema_version: i64,
}

#[async_trait]
impl Content for Dump {
    fn manifest(&self, at: OffsetDateTime) -> Manifest {
        Manifest::new(StoreKind::Postgres, self.schema_version, at)
    }

    fn reader(&mut self) -> &mut (dyn AsyncRead + Send + Unpin) {
        &mut self.output
    }

    async fn end(self: Box<Self>) -> Result<()> {
        self.program.end().await
    }
}

/// An empty database to be filled.
#[derive(Debug)]
pub(crate) struct Target {
    owner: Address,
    programs: Programs,
}

impl Target {
    /// Checks that the database is empty, and makes the roles that a dump takes for granted.
    ///
    /// # Errors
    /// `Conflict` when it is not empty; `Config` when `pg_restore` is missing or the roles are not
    /// what the store relies on.
    pub(crate) async fn prepare(options: &PostgresOptions) -> Result<Self> {
        let this = Self {
            owner: Address::parse(options.owner_url())?,
            programs: Programs::new(options.programs()),
        };
        this.programs.version(RESTORE).await?;
        let pool = pool(&this.owner);
        let prepared = prepare(&pool).await;
        pool.close().await;
        prepared?;
        let database = options.database()?;
        let verified = database.verify_empty().await;
        database.close().await;
        verified?;
        Ok(this)
    }

    /// Restores all of the content in one transaction, and says how many bytes it was.
    pub(crate) async fn fill<R>(&self, content: &mut ArchiveReader<R>) -> Result<u64>
    where
        R: AsyncRead + Unpin,
    {
        let arguments = [
            "--format=custom",
            "--no-password",
            "--exit-on-error",
            "--single-transaction",
            // The owner here may have another name than there.
            "--no-owner",
        ];
        let mut program = self
            .programs
            .start(RESTORE, &arguments, &self.owner, Pipes::Input)?;
        let input = program.child.stdin.take();
        let mut input = input
            .ok_or_else(|| Error::new(ErrorKind::Internal, format!("{RESTORE} has no input")))?;
        match content.copy_to(&mut input).await {
            Ok(copied) => {
                drop(input);
                program.end().await?;
                Ok(copied)
            }
            Err(error) => {
                // It reads no end of what has none, and commits nothing: it is gone before its
                // input. Where it has failed by itself, that is the reason.
                let ended = tokio::time::timeout(PATIENCE, program.end()).await;
                drop(input);
                match ended {
                    Ok(Err(failed)) if error.kind() == ErrorKind::Internal => Err(failed),
                    _ => Err(error),
                }
            }
        }
    }

    /// Gives functions to the roles whose policies they rely on, then migrates and checks the
    /// store as when it is opened.
    pub(crate) async fn check(&self, options: &PostgresOptions) -> Result<()> {
        let pool = pool(&self.owner);
        let given = give(&pool).await;
        pool.close().await;
        given?;
        PostgresDatabase::migrate(options.owner_url()).await?;
        let database = options.database()?;
        let verified = database.verify().await;
        database.close().await;
        verified
    }
}

fn pool(address: &Address) -> PgPool {
    PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(STATEMENT)
        .connect_lazy_with(address.options().clone())
}

/// What matters of a server and a login to it.
struct Facts {
    server: u64,
    role: String,
    /// Whether row-level security is nothing to it.
    passes_by: bool,
    unreadable: Option<String>,
    schema_version: i64,
}

async fn facts(pool: &PgPool) -> Result<Facts> {
    let mut tx = Transacting::begin_patiently(pool, "BEGIN READ ONLY", STATEMENT).await?;
    let row = tx
        .ask(
            "SELECT current_setting('server_version_num')::bigint / 10000 AS server,
                quote_ident(current_user) AS role,
                (SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user) AS passes_by,
                (SELECT string_agg(relname, ', ' ORDER BY relname) FROM pg_class
                 JOIN pg_namespace ON pg_namespace.oid = relnamespace
                 WHERE nspname = 'public' AND relkind IN ('r', 'p')
                   AND NOT has_table_privilege(pg_class.oid, 'SELECT')) AS unreadable,
                to_regclass('public.schema_migrations') IS NOT NULL AS is_store",
        )
        .await?;
    let server = u64::try_from(row.int("server")?).unwrap_or(0);
    let unreadable = row.text_or_null("unreadable")?;
    let schema_version = match row.bool("is_store")? && unreadable.is_none() {
        true => {
            let row = tx
                .ask("SELECT COALESCE(MAX(version), 0) AS version FROM public.schema_migrations")
                .await?;
            row.int("version")?
        }
        false => 0,
    };
    tx.end("ROLLBACK").await?;
    Ok(Facts {
        server,
        role: row.text("role")?,
        passes_by: row.bool("passes_by")?,
        unreadable,
        schema_version,
    })
}

/// A program reads servers of its own version and older ones:
/// <https://www.postgresql.org/docs/current/app-pgdump.html#PGDUMP-NOTES>.
fn fits(name: &str, program: u64, server: u64) -> Result<()> {
    if program >= server {
        return Ok(());
    }
    let message = format!(
        "{name} is of PostgreSQL {program} and the server of {server}: install the client programs \
         of {server}, or name their folder with PostgresOptions::with_programs"
    );
    Err(Error::new(ErrorKind::Config, message))
}

/// What a dump does not hold: roles belong to the whole server.
const ROLES: &str = "DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['aurax_app', 'aurax_jobs', 'aurax_ledger'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN NOBYPASSRLS', name);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;
            END;
        END IF;
        -- Since 16, who makes a role is its member and may not become it yet.
        IF NOT pg_has_role(current_user, name, CASE WHEN current_setting('server_version_num')::int >= 160000
                                               THEN 'SET' ELSE 'MEMBER' END) THEN
            EXECUTE format('GRANT %I TO %I', name, current_user);
        END IF;
    END LOOP;
END
$$";

async fn prepare(pool: &PgPool) -> Result<()> {
    let mut tx = Transacting::begin_patiently(pool, "BEGIN", STATEMENT).await?;
    let row = tx
        .ask(
            "SELECT string_agg(name, ', ' ORDER BY name) AS found FROM (
                 SELECT relname AS name, relnamespace AS namespace, oid FROM pg_class
                 UNION ALL SELECT proname, pronamespace, oid FROM pg_proc
             ) AS thing
             WHERE namespace NOT IN (SELECT oid FROM pg_namespace
                                     WHERE nspname ~ '^pg_' OR nspname = 'information_schema')
               AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = thing.oid AND deptype = 'e')",
        )
        .await?;
    if let Some(found) = row.text_or_null("found")? {
        let shown: String = found.chars().take(100).collect();
        let message = format!(
            "the database is not empty ({shown}): a restore overwrites nothing; make a new one"
        );
        return Err(Error::new(ErrorKind::Conflict, message));
    }
    tx.raw(ROLES).await?;
    tx.end("COMMIT").await
}

/// As the migration does that makes it. The one who restores owns everything else.
const GIVE: &str = "DO $$
BEGIN
    IF to_regprocedure('public.aurax_search(text, uuid, bigint)') IS NOT NULL THEN
        GRANT CREATE ON SCHEMA public TO aurax_jobs;
        ALTER FUNCTION public.aurax_search(text, uuid, bigint) OWNER TO aurax_jobs;
        REVOKE CREATE ON SCHEMA public FROM aurax_jobs;
    END IF;
END
$$";

async fn give(pool: &PgPool) -> Result<()> {
    let mut tx = Transacting::begin_patiently(pool, "BEGIN", STATEMENT).await?;
    tx.raw(GIVE).await?;
    tx.end("COMMIT").await
}
