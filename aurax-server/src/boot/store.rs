//! The store and its keys.

use aurax::store::backup::KeySource;
use aurax::store::{KeyFile, KeyRing, PostgresOptions, Store, Vault};
use aurax::{Clock as _, Error, ErrorKind, Result, Secret, SystemClock};

use super::data::master_keys;
use crate::config::{Config, Database, PostgresSettings};

/// Opens the store that a configuration names, and migrates it.
///
/// # Errors
/// `Config` and `Store`, as of [`Store::sqlite`] and [`Store::postgres`].
pub async fn open_store(config: &Config) -> Result<Store> {
    match &config.database {
        Database::Sqlite(path) => Store::sqlite_with(path, config.durability).await,
        Database::Postgres(settings) => {
            let options = postgres_options(settings).with_durability(config.durability);
            Store::postgres(&options).await
        }
    }
}

/// How PostgreSQL is reached.
pub fn postgres_options(settings: &PostgresSettings) -> PostgresOptions {
    let mut options =
        PostgresOptions::new(exposed(&settings.url)).with_connections(settings.connections);
    if let Some(url) = &settings.owner_url {
        options = options.with_owner_url(exposed(url));
    }
    if let Some(url) = &settings.read_url {
        options = options.with_read_url(exposed(url));
    }
    if let Some(url) = &settings.backup_url {
        options = options.with_backup_url(exposed(url));
    }
    options
}

#[expect(
    clippy::disallowed_methods,
    reason = "the store connects with the address"
)]
pub(super) fn exposed(url: &Secret) -> &str {
    url.expose().trim()
}

/// The vault: with the configured keys, else those of `master.keys` in the data folder, which is
/// made for a store without sealed keys.
///
/// # Errors
/// `Config` when the key file is missing although the store has keys that it sealed, or cannot be
/// read; `Store` when the store cannot be asked.
pub async fn open_vault(config: &Config, store: &Store) -> Result<Vault> {
    if let Some(keys) = &config.master_keys {
        return KeyRing::parse(keys, "AURAX_MASTER_KEY").map(Vault::new);
    }
    let path = master_keys(config);
    let file = KeyFile::new(&path);
    if path.exists() {
        return file.read().map(Vault::new);
    }
    if let Some(missing) = store.jobs().master_keys_in_use().await?.first() {
        let message = format!(
            "the store has provider keys that master key {missing} seals, and {} is not there: put \
             it back from where you keep its copy",
            path.display()
        );
        return Err(Error::new(ErrorKind::Config, message));
    }
    match file.create(SystemClock.now()) {
        // Another process was quicker.
        Err(error) if error.kind() == ErrorKind::Conflict && path.exists() => file.read(),
        made => made,
    }
    .map(Vault::new)
}

/// What seals backups: the file is read anew for each, so that a master key that was added since is
/// used.
pub fn backup_keys(config: &Config, vault: &Vault) -> KeySource {
    match &config.master_keys {
        Some(_) => KeySource::Ring(vault.keys().clone()),
        None => KeySource::File(KeyFile::new(master_keys(config))),
    }
}
