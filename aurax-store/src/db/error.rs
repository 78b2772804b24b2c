//! What a database's errors mean.
#[cfg(feature = "sqlite")]
pub(super) use known::closed;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(crate) use known::is_about_data;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(super) use known::{busy, read};
#[cfg(feature = "postgres")]
pub(super) use known::{out_of_range, overdue};

/// Without a database nothing is refused.
#[cfg(not(any(feature = "postgres", feature = "sqlite")))]
pub(crate) const fn is_about_data(_: &aurax_core::Error) -> bool {
    false
}

#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod known {
    use std::time::Duration;

    use aurax_core::{Error, ErrorKind, Retry};
    use sqlx::error::DatabaseError;

    /// How soon to try again what the database could not do.
    const SOON: Duration = Duration::from_secs(1);

    /// The store is occupied by somebody else for too long.
    pub(in crate::db) fn busy(what: &str) -> Error {
        Error::new(
            ErrorKind::Store,
            format!("the database is busy: {what}; try again"),
        )
        .with_context("code", "store_busy")
        .with_retry_after(Some(SOON))
    }

    /// The store was closed.
    pub(in crate::db) fn closed() -> Error {
        Error::new(ErrorKind::Store, "the store is closed").with_retry(Retry::Never)
    }

    /// What an error of the driver means to the caller. Texts of the database stay in the source.
    pub(in crate::db) fn read(error: sqlx::Error) -> Error {
        match &error {
            sqlx::Error::Database(database) => said(&**database).with_source(error),
            sqlx::Error::PoolTimedOut => overdue().with_source(error),
            sqlx::Error::PoolClosed => closed().with_source(error),
            sqlx::Error::Tls(reason) => no_tls(reason).with_source(error),
            // So rustls says what it does not like about a certificate.
            sqlx::Error::Io(io) if io.kind() == std::io::ErrorKind::InvalidData => {
                no_tls(io).with_source(error)
            }
            sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed => unreachable().with_source(error),
            sqlx::Error::Configuration(_) => Error::new(
                ErrorKind::Config,
                "the address of the database cannot be used: check its parameters",
            )
            .with_source(error),
            sqlx::Error::Protocol(_) | sqlx::Error::BeginFailed => unreachable().with_source(error),
            _ => Error::new(ErrorKind::Internal, "the database refused a statement")
                .with_source(error),
        }
    }

    /// Whether a database refuses what it was given: trying again changes nothing. Everything else
    /// that goes wrong there may pass.
    pub(crate) fn is_about_data(error: &Error) -> bool {
        let source = std::error::Error::source(error);
        match source.and_then(|source| source.downcast_ref()) {
            Some(sqlx::Error::Database(database)) => {
                let code = database.code();
                let code = code.as_deref().unwrap_or_default();
                // Data and integrity: class 22 and 23 of PostgreSQL; TOOBIG, CONSTRAINT and
                // MISMATCH of SQLite, and what it says of sums.
                let is_primary = |code: i32| matches!(code & 0xff, 18..=20);
                match code.len() {
                    5 => code.starts_with("22") || code.starts_with("23"),
                    _ => {
                        code.parse().is_ok_and(is_primary)
                            || database.message() == "integer overflow"
                    }
                }
            }
            Some(sqlx::Error::Encode(_) | sqlx::Error::Decode(_)) => true,
            Some(sqlx::Error::ColumnDecode { .. }) => true,
            Some(_) => false,
            // Said before the database was asked.
            None => matches!(
                error.kind(),
                ErrorKind::Internal | ErrorKind::InvalidRequest | ErrorKind::Conflict
            ),
        }
    }

    fn unreachable() -> Error {
        Error::new(
            ErrorKind::Store,
            "the database cannot be reached: check that it runs and that its address is right",
        )
        .with_retry_after(Some(SOON))
    }

    /// A pool does not say why it waited: for a server that does not answer, or for its other users.
    pub(in crate::db) fn overdue() -> Error {
        Error::new(
            ErrorKind::Store,
            "the database does not answer, or all connections to it are in use: check that it \
             runs and that its address is right, or try again",
        )
        .with_context("code", "store_busy")
        .with_retry_after(Some(SOON))
    }

    fn no_tls(reason: &dyn std::fmt::Display) -> Error {
        Error::new(
            ErrorKind::Config,
            format!(
                "TLS with the database failed ({reason}): check sslmode, sslrootcert and the \
                 host's name in its address"
            ),
        )
    }

    /// A sum is beyond what is counted with.
    pub(in crate::db) fn out_of_range() -> Error {
        Error::new(ErrorKind::Internal, "an amount or count is out of range")
            .with_context("code", "out_of_range")
    }

    fn said(error: &dyn DatabaseError) -> Error {
        if error.is_unique_violation() {
            let error = Error::new(ErrorKind::Conflict, "it exists already");
            return error.with_retry(Retry::Never);
        }
        if error.is_foreign_key_violation() {
            return Error::new(
                ErrorKind::InvalidRequest,
                "it names something that does not exist",
            );
        }
        // SQLite has no code of its own for it: https://sqlite.org/lang_aggfunc.html#sumunc
        if error.message() == "integer overflow" {
            return out_of_range();
        }
        // PgBouncer has one code for all it says: https://www.pgbouncer.org/features.html
        if error.message().contains("statement pooling mode") {
            return Error::new(
                ErrorKind::Config,
                "the pooler before the database has no transactions: set its pool_mode to \
                 transaction or session",
            );
        }
        let code = error.code();
        let code = code.as_deref().unwrap_or_default();
        meaning(code).unwrap_or_else(|| {
            Error::new(
                ErrorKind::Internal,
                format!("the database refused a statement (code {code})"),
            )
        })
    }

    #[cfg(feature = "sqlite")]
    fn meaning_in_sqlite(code: &str) -> Option<Error> {
        // Extended codes hold the primary one in their low byte: https://sqlite.org/rescode.html
        let full = |what: &str| Error::new(ErrorKind::Store, what.to_owned());
        let code: i32 = code.parse().ok()?;
        Some(match code & 0xff {
            5 | 6 => busy("another process writes to it"),
            8 => full("the database file is read-only: make it and its folder writable"),
            10 => full("the database file cannot be read or written: check its disk"),
            13 => full("the disk of the database is full: make room"),
            14 => full("the database file cannot be opened: check its path and permissions"),
            11 | 26 => full("the database file is damaged, or is no database: restore a backup")
                .with_retry(Retry::Never),
            _ => return None,
        })
    }

    #[cfg(feature = "postgres")]
    fn meaning_in_postgres(code: &str) -> Option<Error> {
        // https://www.postgresql.org/docs/15/errcodes-appendix.html
        let store = |what: &str| Error::new(ErrorKind::Store, what.to_owned());
        Some(match (code.get(..2)?, code) {
            (_, "53100") => store("the disk of the database is full: make room"),
            (_, "40001" | "40P01" | "55P03") => busy("somebody else changed the same rows"),
            (_, "57014") => store("the database took too long and gave up"),
            (_, "25006") => store("the database is read-only: connect to the primary"),
            ("08" | "25" | "57" | "53" | "58" | "XX", _) => unreachable(),
            (_, "28000") => Error::new(
                ErrorKind::Config,
                "the server of the database lets this user in only another way (pg_hba.conf): \
                 check the user and the name of the database, and sslmode, which may have to be \
                 require",
            ),
            ("28" | "3D", _) => Error::new(
                ErrorKind::Config,
                "the database refuses the login: check user, password and database name",
            ),
            (_, "42501") => Error::new(
                ErrorKind::Config,
                "the database role may not do this: run the migrations as the owner",
            )
            .with_context("code", "not_allowed"),
            (_, "22P05" | "22021") => Error::new(
                ErrorKind::InvalidRequest,
                "a text holds a character that cannot be kept, such as NUL: remove it",
            ),
            (_, "22003") => out_of_range(),
            _ => return None,
        })
    }

    fn meaning(code: &str) -> Option<Error> {
        // Codes of PostgreSQL have five characters, those of SQLite are numbers up to 9999.
        #[cfg(feature = "postgres")]
        if code.len() == 5 {
            return meaning_in_postgres(code);
        }
        #[cfg(feature = "sqlite")]
        if code.len() < 5 {
            return meaning_in_sqlite(code);
        }
        None
    }
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use sqlx::{Connection as _, SqliteConnection};

    use super::{is_about_data, known};

    #[tokio::test]
    async fn what_may_pass_is_not_about_data() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let mut is_data = async |sql: &'static str| {
            let done = sqlx::raw_sql(sql).execute(&mut connection).await;
            done.map_err(known::read).err().map(|e| is_about_data(&e))
        };
        let table = "CREATE TABLE t (n integer NOT NULL CHECK (n > 0)) STRICT";
        assert_eq!(is_data(table).await, None);
        assert_eq!(is_data("INSERT INTO t VALUES (0)").await, Some(true));
        assert_eq!(is_data("INSERT INTO t VALUES (NULL)").await, Some(true));
        assert_eq!(is_data("INSERT INTO t VALUES ('x')").await, Some(true));
        // Migrations of another program may be under way.
        assert_eq!(is_data("INSERT INTO u VALUES (1)").await, Some(false));
        assert!(!is_about_data(&known::busy("somebody else writes")));
        let refused = aurax_core::Error::new(aurax_core::ErrorKind::InvalidRequest, "no");
        assert!(is_about_data(&refused));
    }
}
