//! A configuration while it is read: what belongs together may come from several places.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aurax::{Error, ErrorKind, Result, Secret};

use super::address::{Location, location};
use super::{BackupSettings, Config, Database, PostgresSettings, TlsFiles};

/// What was read so far.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) config: Config,
    pub(super) data: Option<PathBuf>,
    pub(super) database: Addresses,
    pub(super) tls_certificate: Option<PathBuf>,
    pub(super) tls_key: Option<PathBuf>,
    pub(super) backup_folder: Option<PathBuf>,
    pub(super) backup_every: Option<Duration>,
    pub(super) backup_keep: Option<usize>,
    /// Files that hold secrets, and the field that names each.
    pub(super) secret_files: Vec<(String, PathBuf)>,
}

/// Where the database is.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    pub(super) url: Option<Arc<Secret>>,
    pub(super) owner_url: Option<Arc<Secret>>,
    pub(super) read_url: Option<Arc<Secret>>,
    pub(super) backup_url: Option<Arc<Secret>>,
    pub(super) connections: Option<u32>,
}

pub(super) fn refuse(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, message)
}

impl Draft {
    /// The configuration, once everything is read that there is.
    ///
    /// # Errors
    /// `Config` where settings that belong together do not fit.
    pub(super) fn finish(self) -> Result<(Config, Vec<(String, PathBuf)>)> {
        let mut config = self.config;
        if let Some(data) = self.data {
            config.data = data;
        }
        config.database = self.database.finish(&config)?;
        config.tls = match (self.tls_certificate, self.tls_key) {
            (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key }),
            (None, None) => None,
            (Some(_), None) => {
                return Err(refuse("`tls.key` is missing: `tls.certificate` is set"));
            }
            (None, Some(_)) => {
                return Err(refuse("`tls.certificate` is missing: `tls.key` is set"));
            }
        };
        config.backup = backup(self.backup_folder, self.backup_every, self.backup_keep)?;
        if config.timeouts.pong <= config.timeouts.ping {
            return Err(refuse(
                "`timeouts.pong` is not longer than `timeouts.ping`: no WebSocket would live",
            ));
        }
        let limits = &config.limits;
        if limits.bodies < limits.paid_body.max(limits.body) {
            return Err(refuse(
                "`limits.bodies` is less than `limits.paid_body` or `limits.body`: no body of that \
                 size would be taken",
            ));
        }
        Ok((config, self.secret_files))
    }
}

fn backup(
    folder: Option<PathBuf>,
    every: Option<Duration>,
    keep: Option<usize>,
) -> Result<Option<BackupSettings>> {
    let Some(folder) = folder else {
        return match every.is_some() || keep.is_some() {
            true => Err(refuse(
                "`backup.folder` is missing: other settings of backups are set",
            )),
            false => Ok(None),
        };
    };
    let mut settings = BackupSettings::new(folder);
    settings.every = every.unwrap_or(settings.every);
    settings.keep = keep.unwrap_or(settings.keep);
    Ok(Some(settings))
}

impl Addresses {
    fn finish(self, config: &Config) -> Result<Database> {
        let more = [
            ("database.owner_url", &self.owner_url),
            ("database.read_url", &self.read_url),
            ("database.backup_url", &self.backup_url),
        ];
        let file = match self
            .url
            .as_deref()
            .map(location)
            .transpose()
            .map_err(refuse)?
        {
            Some(Location::Sqlite(path)) => Some(path),
            Some(Location::Postgres) => None,
            None => Some(config.data.join("aurax.db")),
        };
        if let (Some(_), Some((name, _))) = (&file, more.iter().find(|(_, url)| url.is_some())) {
            let message = format!("`{name}` is set, but `database.url` is not PostgreSQL's");
            return Err(refuse(message));
        }
        let url = match (file, self.url) {
            (None, Some(url)) => url,
            (file, _) => return Ok(Database::Sqlite(file.unwrap_or_default())),
        };
        let mut settings = PostgresSettings {
            url,
            ..PostgresSettings::new("")
        };
        settings.owner_url = self.owner_url;
        settings.read_url = self.read_url;
        settings.backup_url = self.backup_url;
        settings.connections = self.connections.unwrap_or(settings.connections);
        Ok(Database::Postgres(settings))
    }
}
