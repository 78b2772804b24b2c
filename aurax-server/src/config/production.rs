//! What production refuses, because somebody would be hurt by it.

use std::path::{Path, PathBuf};

use aurax::{Result, Secret};

use super::address::{Server, postgres_server, redis_server};
use super::draft::refuse;
use super::{Config, Database, Environment};

/// Checks a whole configuration. `secret_files` are files that hold secrets, and what names each.
pub(super) fn check(config: &Config, secret_files: &[(String, PathBuf)]) -> Result<()> {
    if config.environment != Environment::Production {
        return Ok(());
    }
    if config.tls.is_none() {
        if config.trusted_proxies.is_empty() {
            return Err(refused(
                "`tls.certificate` and `tls.key` are not set, and `trusted_proxies` names no proxy \
                 that terminates TLS",
            ));
        }
        if !config.is_https() {
            return Err(refused(
                "`public_url` is not the https address that clients use",
            ));
        }
    } else if !config.is_https() {
        return Err(refused(
            "`public_url` is no https address, but `tls` is set",
        ));
    }
    if config.model.as_ref().is_some_and(|model| is_demo(model)) {
        return Err(refused("`model` is the demo's, which answers nobody"));
    }
    database(config)?;
    for (name, path) in secret_files {
        private(name, path)?;
    }
    Ok(())
}

/// Whether a model is the built-in demo's.
pub(crate) fn is_demo(model: &str) -> bool {
    model == "demo" || model.starts_with("demo/")
}

fn refused(what: &str) -> aurax::Error {
    refuse(format!(
        "environment = \"production\" refuses to start: {what}"
    ))
}

fn database(config: &Config) -> Result<()> {
    if let Database::Postgres(settings) = &config.database {
        let addresses = [
            ("database.url", Some(&settings.url)),
            ("database.owner_url", settings.owner_url.as_ref()),
            ("database.read_url", settings.read_url.as_ref()),
            ("database.backup_url", settings.backup_url.as_ref()),
        ];
        for (name, url) in addresses {
            if let Some(url) = url {
                postgres(name, url)?;
            }
        }
    }
    let Some(url) = &config.redis else {
        return Ok(());
    };
    let server = redis_server(url);
    if !server.is_local && !server.is_encrypted {
        return Err(refused(
            "`redis.url` is of another machine without TLS: use rediss://",
        ));
    }
    if !server.is_local && !server.has_password {
        return Err(refused(
            "`redis.url` is of another machine and has no password",
        ));
    }
    strong("redis.url", &server)
}

fn postgres(name: &str, url: &Secret) -> Result<()> {
    let server = postgres_server(url);
    if !server.is_local && !server.is_encrypted {
        return Err(refused(&format!(
            "`{name}` is of another machine without TLS: add sslmode=require or verify-full"
        )));
    }
    strong(name, &server)
}

fn strong(name: &str, server: &Server) -> Result<()> {
    match server.is_weak && !server.is_local {
        true => Err(refused(&format!(
            "the password in `{name}` is short or common: take a random one of 16 characters"
        ))),
        false => Ok(()),
    }
}

/// Refuses a file of secrets that everybody on the machine may read.
#[cfg(unix)]
fn private(name: &str, path: &Path) -> Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let cannot = |_| refused(&format!("the file that {name} names cannot be looked at"));
    let mode = std::fs::metadata(path).map_err(cannot)?.mode() & 0o777;
    if mode & 0o007 == 0 {
        return Ok(());
    }
    Err(refused(&format!(
        "everybody on this machine may read or change the file of secrets that {name} names (mode \
         {mode:04o}): run chmod o-rwx on it"
    )))
}

#[cfg(not(unix))]
fn private(_: &str, _: &Path) -> Result<()> {
    Ok(())
}
