//! What an address says about a connection.

use std::str::FromStr as _;

use aurax_core::{Error, ErrorKind, Result};
use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

/// How to connect to an address. `application_name` may be a part of it, and is `aurax` unless it
/// is.
///
/// # Errors
/// `Config` for one that cannot be read. It is not repeated, because it may hold a password.
pub(super) fn options(url: &str) -> Result<PgConnectOptions> {
    let mut options = PgConnectOptions::from_str(url).map_err(|_| {
        Error::new(
            ErrorKind::Config,
            "the address of the database cannot be read: write it as \
             postgres://user:password@host:5432/database",
        )
    })?;
    if options.get_application_name().is_none() {
        options = options.application_name("aurax");
    }
    are_readable(&options)?;
    // As libpq does: who names an authority wants it asked.
    // https://www.postgresql.org/docs/15/libpq-ssl.html#LIBPQ-SSL-SSLMODE-STATEMENTS
    if matches!(options.get_ssl_mode(), PgSslMode::Require) && names_authority(&options) {
        options = options.ssl_mode(PgSslMode::VerifyCa);
    }
    Ok(options
        // Poolers that hand a connection on after each transaction know neither named statements
        // nor this parameter.
        .statement_cache_capacity(0)
        .extra_float_digits(None)
        .disable_statement_logging())
}

fn names_authority(options: &PgConnectOptions) -> bool {
    let url = options.to_url_lossy();
    url.query_pairs().any(|(name, _)| name == "sslrootcert")
}

/// The driver would say of a file that is missing what it says of a server that is.
fn are_readable(options: &PgConnectOptions) -> Result<()> {
    for (name, file) in options.to_url_lossy().query_pairs() {
        // So the driver writes what is no certificate itself.
        let Some(file) = file.strip_prefix("file: ") else {
            continue;
        };
        if let Err(error) = std::fs::File::open(file) {
            return Err(Error::new(
                ErrorKind::Config,
                format!("the file that {name} names cannot be read: {error}"),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_cannot_be_read_is_not_repeated() {
        let error = options("postgres://ada:secret@:x/").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(!error.to_string().contains("secret"), "{error}");
    }

    #[test]
    fn who_names_an_authority_wants_it_asked() {
        let mode = |parameters: &str| {
            let url = format!("postgres://h/d?{parameters}");
            options(&url).unwrap().get_ssl_mode()
        };
        assert!(matches!(mode("sslmode=require"), PgSslMode::Require));
        let both = "sslmode=require&sslrootcert=/dev/null";
        assert!(matches!(mode(both), PgSslMode::VerifyCa));
        let full = "sslmode=verify-full&sslrootcert=/dev/null";
        assert!(matches!(mode(full), PgSslMode::VerifyFull));
    }

    #[test]
    fn a_file_that_is_missing_is_named() {
        let error = options("postgres://h/d?sslrootcert=/nowhere/ca.pem").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("sslrootcert"), "{error}");
    }

    #[test]
    fn an_application_has_the_name_of_its_address() {
        let name = |url: &str| {
            let options = options(url).unwrap();
            options.get_application_name().map(str::to_owned)
        };
        assert_eq!(name("postgres://h/d").as_deref(), Some("aurax"));
        let named = "postgres://h/d?application_name=reports";
        assert_eq!(name(named).as_deref(), Some("reports"));
    }
}
