//! An address of a database as PostgreSQL's own programs are told it: in their environment, which
//! unlike arguments others on the machine cannot read.

use std::fmt;

use aurax_core::{Error, ErrorKind, Result};
use sqlx::postgres::PgConnectOptions;
use tokio::process::Command;
use zeroize::Zeroizing;

use super::connect::options;
use super::programs::ssl_mode;

/// An address, and what of it the driver does not tell.
#[derive(Clone)]
pub(super) struct Address {
    options: PgConnectOptions,
    /// `None` where the environment or a password file has it, as the programs then find, too.
    password: Option<Zeroizing<String>>,
    /// Names of settings of TLS, and files.
    tls: Vec<(&'static str, String)>,
}

impl Address {
    /// # Errors
    /// `Config` for an address that cannot be read.
    pub(super) fn parse(url: &str) -> Result<Self> {
        let mut this = Self {
            options: options(url)?,
            password: None,
            tls: Vec::new(),
        };
        let (_, rest) = url.split_once("://").unwrap_or_default();
        let rest = rest.split('#').next().unwrap_or_default();
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let authority = place.split('/').next().unwrap_or_default();
        let login = authority.rsplit_once('@').map(|(login, _)| login);
        if let Some((_, password)) = login.and_then(|login| login.split_once(':')) {
            this.password = Some(decoded(password, Plus::Stays)?);
        }
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            // The names that the driver reads.
            let setting = match decoded(name, Plus::IsSpace)?.as_str() {
                "password" => {
                    this.password = Some(decoded(value, Plus::IsSpace)?);
                    continue;
                }
                "sslrootcert" | "ssl-root-cert" | "ssl-ca" => "PGSSLROOTCERT",
                "sslcert" | "ssl-cert" => "PGSSLCERT",
                "sslkey" | "ssl-key" => "PGSSLKEY",
                _ => continue,
            };
            let value = decoded(value, Plus::IsSpace)?;
            if value.contains("-----BEGIN") {
                let message = "the address of the database holds a key or a certificate itself: \
                               name a file of it";
                return Err(Error::new(ErrorKind::Config, message));
            }
            this.tls.push((setting, value.to_string()));
        }
        Ok(this)
    }

    pub(super) fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// The argument that names the database. A connection that died is noticed within two minutes.
    pub(super) fn database(&self) -> String {
        let name = self.options.get_database();
        let name = name.unwrap_or_else(|| self.options.get_username());
        let quoted = name.replace('\\', "\\\\").replace('\'', "\\'");
        format!(
            "--dbname=dbname='{quoted}' keepalives_idle=60 keepalives_interval=10 \
             keepalives_count=6"
        )
    }

    /// Puts everything else into a program's environment.
    pub(super) fn tell(&self, command: &mut Command) {
        let options = &self.options;
        for name in ["PGHOSTADDR", "PGSERVICE", "PGDATABASE"] {
            command.env_remove(name);
        }
        match options.get_socket() {
            Some(socket) => command.env("PGHOST", socket),
            // The brackets of an IPv6 address belong to URLs.
            None => command.env("PGHOST", options.get_host().trim_matches(['[', ']'])),
        };
        command
            .env("PGPORT", options.get_port().to_string())
            .env("PGUSER", options.get_username())
            .env("PGSSLMODE", ssl_mode(options))
            .env("PGAPPNAME", "aurax backup")
            .env("PGCONNECT_TIMEOUT", "10");
        if let Some(more) = options.get_options() {
            command.env("PGOPTIONS", more);
        }
        if let Some(password) = &self.password {
            command.env("PGPASSWORD", password.as_str());
        }
        command.envs(self.tls.iter().map(|(name, value)| (name, value)));
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address")
            .field("host", &self.options.get_host())
            .field("database", &self.options.get_database())
            .finish_non_exhaustive()
    }
}

/// What a `+` means: a space, in a query alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plus {
    Stays,
    IsSpace,
}

/// Text without its percent signs.
fn decoded(text: &str, plus: Plus) -> Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text.as_bytes();
    while let Some((first, later)) = rest.split_first() {
        rest = later;
        let digits = later.get(..2).and_then(|two| str::from_utf8(two).ok());
        let digits = digits.filter(|two| two.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let byte = digits.and_then(|two| u8::from_str_radix(two, 16).ok());
        match (first, byte) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = later.get(2..).unwrap_or_default();
            }
            (b'+', _) if plus == Plus::IsSpace => bytes.push(b' '),
            (first, _) => bytes.push(*first),
        }
    }
    match str::from_utf8(&bytes) {
        Ok(text) if !text.contains('\0') => Ok(Zeroizing::new(text.to_owned())),
        _ => Err(Error::new(
            ErrorKind::Config,
            "the address of the database holds what is no text",
        )),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use std::collections::HashMap;
    use std::ffi::OsStr;

    use super::*;

    fn told(url: &str) -> (HashMap<String, Option<String>>, Vec<String>) {
        let address = Address::parse(url).unwrap();
        let mut command = Command::new("pg_dump");
        command.arg(address.database());
        address.tell(&mut command);
        let text = |text: &OsStr| text.to_str().unwrap().to_owned();
        let command = command.as_std();
        (
            command
                .get_envs()
                .map(|(name, value)| (text(name), value.map(text)))
                .collect(),
            command.get_args().map(text).collect(),
        )
    }

    #[test]
    fn an_address_becomes_an_environment_and_no_argument_has_the_password() {
        // Files that cannot be read are refused.
        let folder = std::env::temp_dir().join(format!("aurax address {}", aurax_core::new_id()));
        std::fs::create_dir(&folder).unwrap();
        let file = |name: &str| {
            let path = folder.join(name);
            std::fs::write(&path, "").unwrap();
            path.to_str().unwrap().to_owned()
        };
        let (authority, certificate, key) = (file("ca.pem"), file("c.pem"), file("k ey.pem"));
        let url = &format!(
            "postgres://ad%40a:pa%3Ass%2B+1@db.test:5433/the%20store?sslmode=verify-full\
             &sslrootcert={}&ssl-cert={}&sslkey={}&options=-c%20work_mem%3D64MB",
            authority.replace('/', "%2F").replace(' ', "%20"),
            certificate.replace(' ', "%20"),
            key.replace(' ', "+"),
        );
        let (environment, arguments) = told(url);
        let of = |name: &str| environment[name].as_deref();
        assert_eq!(of("PGHOST"), Some("db.test"));
        assert_eq!(of("PGPORT"), Some("5433"));
        assert_eq!(of("PGUSER"), Some("ad@a"));
        assert_eq!(of("PGPASSWORD"), Some("pa:ss++1"));
        assert_eq!(of("PGSSLMODE"), Some("verify-full"));
        assert_eq!(of("PGSSLROOTCERT"), Some(&*authority));
        assert_eq!(of("PGSSLCERT"), Some(&*certificate));
        assert_eq!(of("PGSSLKEY"), Some(&*key));
        assert_eq!(of("PGOPTIONS"), Some("-c work_mem=64MB"));
        assert_eq!(of("PGHOSTADDR"), None);
        assert!(arguments[0].starts_with("--dbname=dbname='the store' "));
        assert!(!format!("{arguments:?}").contains("pa:ss"));
        assert!(!format!("{:?}", Address::parse(url).unwrap()).contains("pa:ss"));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn an_address_may_leave_out_or_say_twice() {
        let (environment, _) = told("postgres://ada@[::1]/store");
        assert_eq!(environment["PGHOST"].as_deref(), Some("::1"));
        assert_eq!(environment.get("PGPASSWORD"), None);
        let (environment, _) = told("postgres://ada:one@db.test/store?password=two");
        assert_eq!(environment["PGPASSWORD"].as_deref(), Some("two"));
        let (environment, _) = told("postgres:///store?host=/run/postgresql&user=ada");
        assert_eq!(environment["PGHOST"].as_deref(), Some("/run/postgresql"));
        assert_eq!(environment["PGUSER"].as_deref(), Some("ada"));
        let (_, arguments) = told("postgres://db.test/a'b%5Cc");
        assert!(arguments[0].starts_with(r"--dbname=dbname='a\'b\\c' "));
    }

    #[test]
    fn an_address_that_is_none_is_not_repeated() {
        for url in [
            "",
            "postgres://ada@db.test/store?sslkey=-----BEGIN%20PRIVATE%20KEY-----hush",
            "hush",
            "postgres://ada:hu%FFsh@db.test/store",
        ] {
            let error = Address::parse(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(!error.to_string().contains("hu"), "{error}");
        }
    }
}
