//! What the store relies on in a server, found out before anything is entrusted to it.
//!
//! Every check names what is wrong and how to mend it. Policies and grants are compared with what
//! the migrations made: what was changed behind their back is refused, however harmless it may be.

use aurax_core::{Error, ErrorKind, Result};

use super::Transacting;
use crate::db::Durability;
use crate::db::Row;

/// The oldest server that partitions, policies and roles are tested with.
const OLDEST: i64 = 150_000;

/// What a server is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Everything, and this is what the ledger waits for.
    Primary(Durability),
    /// The same, once a store is restored into it: there are no tables yet.
    Empty(Durability),
    /// Analyses alone.
    Reader,
}

/// Roles and settings: each column names what is wrong, and is NULL where nothing is.
const SERVER: &str = "
WITH role AS (
    SELECT name, pg_roles.oid FROM unnest(ARRAY['aurax_app', 'aurax_jobs', 'aurax_ledger']) AS name
    LEFT JOIN pg_roles ON rolname = name
)
SELECT
    (SELECT NULLIF(pg_encoding_to_char(encoding), 'UTF8')::text FROM pg_database
     WHERE datname = current_database()) AS encoding,
    NULLIF(current_setting('standard_conforming_strings'), 'on') AS strings,
    NULLIF(current_setting('row_security'), 'on') AS row_security,
    NULLIF(current_setting('default_transaction_read_only'), 'off') AS read_only,
    CASE current_setting('synchronous_commit') WHEN 'off' THEN 'off' END AS commits,
    NULLIF(current_setting('fsync'), 'on') AS fsync,
    (SELECT string_agg(name, ', ' ORDER BY name) FROM role WHERE oid IS NULL) AS no_roles,
    (SELECT string_agg(name, ', ' ORDER BY name) FROM role
     WHERE oid IS NOT NULL AND NOT pg_has_role(session_user, oid,
         CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END)) AS not_member,
    (SELECT string_agg(DISTINCT name, ', ') FROM role JOIN pg_roles strong
     ON (strong.rolsuper OR strong.rolbypassrls
         OR strong.rolname IN ('aurax_app', 'aurax_jobs', 'aurax_ledger') AND strong.rolname <> name)
     WHERE role.oid IS NOT NULL AND pg_has_role(role.oid, strong.oid, 'MEMBER')) AS strong_roles";

const SERVER_REFUSALS: &[(&str, &str)] = &[
    (
        "encoding",
        "the database does not keep its texts as UTF8: make it with ENCODING 'UTF8'",
    ),
    (
        "strings",
        "standard_conforming_strings is not on: ALTER DATABASE … SET standard_conforming_strings = on",
    ),
    (
        "row_security",
        "row_security is not on: ALTER ROLE … SET row_security = on",
    ),
    (
        "no_roles",
        "the database was migrated, and these roles are missing, as after a restore elsewhere: \
         CREATE ROLE … NOLOGIN, and restore their grants",
    ),
    (
        "not_member",
        "the login is no member of these roles: GRANT them to it",
    ),
    (
        "strong_roles",
        "these roles can pass row-level security by, themselves or as members of others: \
         ALTER ROLE … NOSUPERUSER NOBYPASSRLS, and REVOKE other roles from them",
    ),
];

/// Of a server that is written to.
const PRIMARY_REFUSALS: &[(&str, &str)] = &[(
    "read_only",
    "the database is read-only: connect to the primary, or set default_transaction_read_only = off",
)];

/// Of a server whose commits are waited for.
const STRICT_REFUSALS: &[(&str, &str)] = &[
    (
        "commits",
        "synchronous_commit is off, so that a crash of the server loses what was said to be \
         recorded: ALTER DATABASE … SET synchronous_commit = on, or choose relaxed durability",
    ),
    (
        "fsync",
        "fsync is off, so that a power cut loses what was said to be recorded: switch it on in \
         postgresql.conf, or choose relaxed durability",
    ),
];

/// Names of the store's tables, those of tenants first.
const TABLES: &str = "
WITH tenant AS (
    SELECT name FROM unnest(ARRAY['access_keys', 'alert_events', 'alerts', 'api_keys', 'attempts', 'budgets',
        'chat_sessions', 'idempotency_records', 'identities', 'messages', 'refresh_tokens', 'request_history', 'settlements',
        'usage_logs', 'usage_rollups', 'users']) AS name
), shared AS (
    SELECT name FROM unnest(ARRAY['job_leases', 'plans', 'replicas', 'schema_migrations', 'settings', 'signing_keys',
        'used_invitations']) AS name
)
SELECT string_agg(name, ', ' ORDER BY name) AS absent FROM (TABLE tenant UNION ALL TABLE shared) AS own
WHERE to_regclass(quote_ident(name)) IS NULL
   OR to_regclass(quote_ident(name)) IS DISTINCT FROM to_regclass('public.' || quote_ident(name))";

/// What is open that has to be closed. A policy's expression is compared as the server writes it.
const DOORS: &str = "
WITH role AS (
    SELECT oid, rolname FROM pg_roles WHERE rolname IN ('aurax_app', 'aurax_jobs', 'aurax_ledger')
), own AS (
    SELECT c.oid, c.relname, c.relispartition, c.relowner, c.relrowsecurity AND c.relforcerowsecurity AS is_forced,
        CASE root.relname WHEN 'users' THEN '(id = aurax_user())' ELSE '(user_id = aurax_user())' END AS of_tenant
    FROM pg_class c JOIN pg_class root ON root.oid = COALESCE(pg_partition_root(c.oid)::oid, c.oid)
    WHERE root.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
      AND root.relname NOT IN ('job_leases', 'plans', 'replicas', 'schema_migrations', 'settings', 'signing_keys',
          'used_invitations')
      AND (root.relname = 'users' OR EXISTS (
          SELECT FROM pg_attribute WHERE attrelid = root.oid AND attname = 'user_id' AND NOT attisdropped))
), policy AS (
    SELECT own.oid AS of, own.relname, own.relispartition, own.of_tenant, polroles, polname, polcmd,
        COALESCE(pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)) AS sees,
        COALESCE(pg_get_expr(polwithcheck, polrelid), pg_get_expr(polqual, polrelid)) AS writes
    FROM pg_policy JOIN own ON own.oid = polrelid WHERE polpermissive
)
SELECT
    (SELECT string_agg(relname, ', ' ORDER BY relname) FROM own WHERE NOT is_forced) AS open_tables,
    (SELECT string_agg(DISTINCT relname, ', ') FROM own JOIN role ON pg_has_role(role.oid, relowner, 'MEMBER'))
        AS owned,
    (SELECT string_agg(DISTINCT polname || ' on ' || relname, ', ') FROM policy
     WHERE relispartition
        OR (EXISTS (SELECT FROM role, unnest(polroles) AS applies
                    WHERE rolname = 'aurax_app' AND (applies = 0 OR pg_has_role(role.oid, applies, 'MEMBER')))
            AND (sees IS DISTINCT FROM of_tenant OR writes IS DISTINCT FROM of_tenant))) AS open_policies,
    (SELECT string_agg(DISTINCT relname || ' for ' || rolname, ', ')
     FROM own, role, (VALUES ('SELECT', 'r'), ('INSERT', 'a'), ('UPDATE', 'w')) AS need (privilege, command)
     WHERE NOT relispartition AND has_any_column_privilege(role.oid, own.oid, privilege)
       AND NOT EXISTS (SELECT FROM policy WHERE policy.of = own.oid AND role.oid = ANY (polroles)
                       AND polcmd IN ('*', command::\"char\"))) AS no_policies,
    (SELECT string_agg(DISTINCT relname, ', ') FROM own, role
     WHERE has_table_privilege(role.oid, own.oid, 'TRUNCATE')
        OR (relname = 'settlements' AND (has_table_privilege(role.oid, own.oid, 'DELETE')
            OR has_any_column_privilege(role.oid, own.oid, 'UPDATE')))
        OR (relispartition AND (has_table_privilege(role.oid, own.oid, 'DELETE, TRIGGER')
            OR has_any_column_privilege(role.oid, own.oid, 'SELECT, INSERT, UPDATE, REFERENCES')))) AS open_grants,
    (SELECT string_agg(rolname, ', ') FROM role WHERE has_schema_privilege(role.oid, 'public', 'CREATE'))
        AS open_schema,
    (SELECT string_agg(proname, ', ') FROM pg_proc
     WHERE pronamespace = 'public'::regnamespace AND proname = 'aurax_search'
       AND pg_get_userbyid(proowner) <> 'aurax_jobs') AS stray_functions";

const DOOR_REFUSALS: &[(&str, &str)] = &[
    (
        "open_tables",
        "row-level security is not forced on these tables: \
         ALTER TABLE … ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
    ),
    (
        "owned",
        "a role that must not owns these tables, or is a member of their owner: \
         ALTER TABLE … OWNER TO the login that migrates, and REVOKE that login from aurax_app, \
         aurax_jobs and aurax_ledger",
    ),
    (
        "open_policies",
        "these policies let tenants see more than their own rows: DROP POLICY",
    ),
    (
        "no_policies",
        "these tables have lost the policy of a role: make it as the migrations do",
    ),
    (
        "open_grants",
        "these tables are open to a role that must not reach them: REVOKE",
    ),
    (
        "open_schema",
        "these roles may make functions in the schema public, which others would run: \
         REVOKE CREATE ON SCHEMA public FROM PUBLIC, and from them",
    ),
    (
        "stray_functions",
        "these functions find nothing as whom they run: ALTER FUNCTION … OWNER TO aurax_jobs",
    ),
];

/// Refuses a server that is too old to be migrated.
pub(super) async fn verify_version(tx: &mut Transacting) -> Result<()> {
    let row = tx
        .ask("SELECT current_setting('server_version_num')::bigint AS version")
        .await?;
    is_recent(row.int("version")?)
}

fn is_recent(version: i64) -> Result<()> {
    if version < OLDEST {
        let (has, needs) = (version / 10_000, OLDEST / 10_000);
        return Err(Error::new(
            ErrorKind::Config,
            format!("PostgreSQL {has} is older than {needs}: upgrade the server"),
        ));
    }
    Ok(())
}

/// Checks the roles, the settings, the policies and the grants.
///
/// # Errors
/// `Config` that names what is wrong; `Store` where it cannot be found out, and where a reader is
/// so far behind that it has no tables yet.
pub(super) async fn verify(tx: &mut Transacting, part: Part) -> Result<()> {
    verify_version(tx).await?;
    let server = tx.ask(SERVER).await?;
    refuse_any(&server, SERVER_REFUSALS)?;
    if let Part::Primary(durability) | Part::Empty(durability) = part {
        refuse_any(&server, PRIMARY_REFUSALS)?;
        if durability == Durability::Strict {
            refuse_any(&server, STRICT_REFUSALS)?;
        }
    }
    if let Part::Empty(_) = part {
        return Ok(());
    }
    if let Some(names) = tx.ask(TABLES).await?.text_or_null("absent")? {
        return Err(match part {
            Part::Primary(_) | Part::Empty(_) => refusal(
                "these tables are not in the schema public, or are hidden by others of their \
                 name: run the migrations, and let search_path begin with public",
                &names,
            ),
            Part::Reader => Error::new(
                ErrorKind::Store,
                format!("the server for analyses has not got these tables yet ({names})"),
            ),
        });
    }
    refuse_any(&tx.ask(DOORS).await?, DOOR_REFUSALS)
}

fn refuse_any(facts: &Row, refusals: &[(&str, &str)]) -> Result<()> {
    for (column, message) in refusals {
        if let Some(names) = facts.text_or_null(column)? {
            return Err(refusal(message, &names));
        }
    }
    Ok(())
}

fn refusal(message: &str, names: &str) -> Error {
    Error::new(ErrorKind::Config, format!("{message} ({names})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::postgres::MIGRATIONS;

    #[test]
    fn a_server_older_than_15_is_refused() {
        for version in [90_624, 140_011, 149_999] {
            let error = is_recent(version).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains("older than 15"), "{error}");
        }
        assert!(is_recent(150_000).is_ok() && is_recent(180_001).is_ok());
    }

    /// A table that a migration makes is one that the checks know.
    #[test]
    fn every_table_is_checked() {
        let mut made = vec!["schema_migrations"];
        for line in MIGRATIONS.iter().flat_map(|step| step.sql.lines()) {
            let name = line.strip_prefix("CREATE TABLE ");
            let Some(name) = name.and_then(|rest| rest.split(' ').next()) else {
                continue;
            };
            if !line.contains("PARTITION OF") {
                made.push(name);
            }
        }
        let known = |name: &&str| TABLES.contains(&format!("'{name}'"));
        let unknown: Vec<_> = made.iter().filter(|name| !known(name)).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
        assert_eq!(made.len(), TABLES.matches('\'').count() / 2 - 1 - 1);
    }
}
