//! What an address of a database says about itself. Addresses hold passwords: nothing of them is
//! ever shown.

use std::net::IpAddr;
use std::path::PathBuf;

use aurax::Secret;

use super::given::Wrong;

/// Passwords that are tried first, and the shortest that is none of those.
const COMMON: [&str; 10] = [
    "password",
    "postgres",
    "changeme",
    "change-me",
    "password1",
    "aurax123",
    "12345678",
    "123456789",
    "1234567890",
    "secret123",
];
const SHORTEST: usize = 8;

/// Where a store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Location {
    /// A file.
    Sqlite(PathBuf),
    /// A server, which the same address names.
    Postgres,
}

/// What matters about a server's address.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Server {
    /// On this machine, or not reached over a network at all.
    pub(super) is_local: bool,
    /// Nobody on the way can read along.
    pub(super) is_encrypted: bool,
    /// There is a password in it.
    pub(super) has_password: bool,
    /// There is one, and it is found by trying.
    pub(super) is_weak: bool,
}

#[expect(
    clippy::disallowed_methods,
    reason = "an address is looked at before it is used; its password stays here"
)]
fn look(url: &Secret) -> &str {
    url.expose().trim()
}

/// Tells what kind of address one is.
pub(crate) fn location(url: &Secret) -> Result<Location, Wrong> {
    let form = "is neither sqlite:FILE nor postgres://user:password@host/database";
    let text = look(url);
    if is_postgres(text) {
        return Ok(Location::Postgres);
    }
    let file = text.strip_prefix("sqlite:").ok_or(form)?;
    let file = file.strip_prefix("//").unwrap_or(file);
    if file.is_empty() || file.starts_with(':') || file.contains(['?', '\0']) {
        return Err(form.to_owned());
    }
    Ok(Location::Sqlite(PathBuf::from(file)))
}

pub(super) fn postgres(url: &Secret) -> Result<(), Wrong> {
    match is_postgres(look(url)) {
        true => Ok(()),
        false => Err("is no address such as postgres://user:password@host/database".to_owned()),
    }
}

fn is_postgres(text: &str) -> bool {
    let scheme = text.split_once("://").map(|(scheme, _)| scheme);
    matches!(scheme, Some("postgres" | "postgresql"))
}

pub(super) fn redis(url: &Secret) -> Result<(), Wrong> {
    let text = look(url);
    let form = "is no address such as redis://:password@host:6379, or rediss://… for TLS";
    let place = text
        .strip_prefix("redis://")
        .or_else(|| text.strip_prefix("rediss://"));
    match place {
        Some(place) if !place.is_empty() && !place.starts_with('/') => Ok(()),
        _ => Err(form.to_owned()),
    }
}

/// What a PostgreSQL address says.
pub(super) fn postgres_server(url: &Secret) -> Server {
    let parts = Parts::of(look(url));
    let mode = parts.query(&["sslmode", "ssl-mode"]).unwrap_or_default();
    let host = parts.query(&["host", "hostaddr"]).unwrap_or(parts.host);
    let is_socket = host.is_empty() || host.starts_with('/') || host.starts_with("%2F");
    let password = parts.query(&["password"]).or(parts.password);
    Server {
        is_local: is_socket || is_loopback(host),
        is_encrypted: matches!(mode, "require" | "verify-ca" | "verify-full"),
        has_password: password.is_some(),
        is_weak: password.is_some_and(is_weak),
    }
}

/// What a Redis address says.
pub(super) fn redis_server(url: &Secret) -> Server {
    let text = look(url);
    let parts = Parts::of(text);
    Server {
        is_local: is_loopback(parts.host),
        is_encrypted: text.starts_with("rediss://"),
        has_password: parts.password.is_some(),
        is_weak: parts.password.is_some_and(is_weak),
    }
}

struct Parts<'a> {
    host: &'a str,
    password: Option<&'a str>,
    query: &'a str,
}

impl<'a> Parts<'a> {
    fn of(url: &'a str) -> Self {
        let (_, rest) = url.split_once("://").unwrap_or(("", url));
        let rest = rest.split('#').next().unwrap_or_default();
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let authority = place.split('/').next().unwrap_or_default();
        let (login, server) = authority.rsplit_once('@').unwrap_or(("", authority));
        let host = match server.strip_prefix('[') {
            Some(bracketed) => bracketed.split(']').next().unwrap_or_default(),
            None => server.split(':').next().unwrap_or_default(),
        };
        let password = login.split_once(':').map(|(_, password)| password);
        Self {
            host,
            password: password.filter(|password| !password.is_empty()),
            query,
        }
    }

    /// The last value of any of these names, which is the one that counts.
    fn query(&self, names: &[&str]) -> Option<&'a str> {
        let pairs = self
            .query
            .split('&')
            .filter_map(|pair| pair.split_once('='));
        let mut named = pairs.filter(|(name, _)| names.contains(name));
        named.next_back().map(|(_, value)| value)
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.parse::<IpAddr>().map(|address| address.to_canonical());
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

fn is_weak(password: &str) -> bool {
    // What is escaped is one character.
    let escapes = password.matches('%').count();
    let length = password
        .chars()
        .count()
        .saturating_sub(escapes.saturating_mul(2));
    length < SHORTEST || COMMON.contains(&password.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn postgres_at(url: &str) -> Server {
        postgres_server(&Secret::new(url))
    }

    #[test]
    fn a_server_elsewhere_is_told_from_one_here() {
        for local in [
            "postgres://u:p@localhost/db",
            "postgres://u@127.0.0.9:5433/db",
            "postgres://u@[::1]/db",
            "postgres:///db",
            "postgres://u@example.com/db?host=/run/postgresql",
            "postgres://u@%2Frun%2Fpostgresql/db",
        ] {
            assert!(postgres_at(local).is_local, "{local}");
        }
        for remote in [
            "postgres://u:p@db.example/db",
            "postgres://u:localhost@10.0.0.1/db",
            "postgres://localhost:p@db/db",
            "postgres://u@localhost/db?host=db.example",
            "postgres://u@localhost.example/db",
        ] {
            assert!(!postgres_at(remote).is_local, "{remote}");
        }
    }

    #[test]
    fn the_mode_that_counts_is_the_last() {
        let mode = |query: &str| postgres_at(&format!("postgres://u@db/db?{query}")).is_encrypted;
        assert!(mode("sslmode=require") && mode("a=b&sslmode=verify-full"));
        assert!(!mode("sslmode=prefer") && !mode("") && !mode("sslmode=require&sslmode=disable"));
    }

    #[test]
    fn a_weak_password_is_short_or_common() {
        let weak = |password: &str| postgres_at(&format!("postgres://u:{password}@db/db")).is_weak;
        assert!(weak("short") && weak("Postgres") && weak("%40%40%40"));
        assert!(!weak("quite-long-enough"));
        assert!(!postgres_at("postgres://u@db/db").has_password);
    }

    #[test]
    fn a_store_is_a_file_or_a_server() {
        let at = |url: &str| location(&Secret::new(url));
        assert_eq!(at("sqlite:a/b.db"), Ok(Location::Sqlite("a/b.db".into())));
        assert_eq!(
            at("sqlite:///a/b.db"),
            Ok(Location::Sqlite("/a/b.db".into()))
        );
        assert_eq!(at("postgresql://db/x"), Ok(Location::Postgres));
        for wrong in [
            "",
            "sqlite:",
            "sqlite::memory:",
            "mysql://db",
            "a.db",
            "postgres:db",
        ] {
            assert!(at(wrong).is_err(), "{wrong}");
        }
    }
}
