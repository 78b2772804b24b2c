//! The store and its keys.

use aurax::store::backup::KeySource;
use aurax::store::{KeyFile, KeyId, KeyRing, PostgresOptions, Store, Vault};
use aurax::{Clock as _, Error, ErrorKind, Result, Secret, SystemClock};

use super::data::{master_keys, signing_keys};
use crate::auth::SigningKeys;
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
/// made for a store without sealed keys. All processes of an installation have one master key: who
/// lacks it is refused, because others could not read what it seals.
///
/// # Errors
/// `Config` when the key file is missing although the installation has a master key, cannot be
/// read, or lacks that key; `Store` when the store cannot be asked.
pub async fn open_vault(config: &Config, store: &Store) -> Result<Vault> {
    let jobs = store.jobs();
    let agreed = jobs.master_key().await?;
    let known = match agreed {
        Some(agreed) => vec![agreed],
        // Of a store that was filled before its processes agreed on one.
        None => jobs.master_keys_in_use().await?,
    };
    let ring = match (configured(config)?, known.first()) {
        (Some(ring), _) => ring,
        (None, Some(first)) if !master_keys(config).exists() => {
            return Err(lacking(config, *first));
        }
        (None, _) => made(config)?,
    };
    let own = known.iter().copied().find(|known| ring.contains(*known));
    let agreed = match (agreed, own, known.first()) {
        (Some(agreed), ..) => agreed,
        (None, None, Some(first)) => *first,
        (None, own, _) => {
            let own = own.unwrap_or(ring.current());
            jobs.agree_on_master_key(own).await?
        }
    };
    if !ring.contains(agreed) {
        return Err(lacking(config, agreed));
    }
    Ok(Vault::new(ring))
}

/// The keys of this process alone, whatever others have: to make them the installation's.
///
/// # Errors
/// As of [`open_vault`].
pub(crate) fn own_keys(config: &Config) -> Result<KeyRing> {
    match configured(config)? {
        Some(ring) => Ok(ring),
        None => made(config),
    }
}

fn configured(config: &Config) -> Result<Option<KeyRing>> {
    let keys = config.master_keys.as_ref();
    keys.map(|keys| KeyRing::parse(keys, "AURAX_MASTER_KEY"))
        .transpose()
}

/// The keys of the file in the data folder, which is made where it is not there.
fn made(config: &Config) -> Result<KeyRing> {
    let file = KeyFile::new(master_keys(config));
    if file.path().exists() {
        return file.read();
    }
    match file.create(SystemClock.now()) {
        // Another process was quicker.
        Err(error) if error.kind() == ErrorKind::Conflict && file.path().exists() => file.read(),
        made => made,
    }
}

fn lacking(config: &Config, known: KeyId) -> Error {
    let path = master_keys(config);
    let place = path.display();
    let what = match (&config.master_keys, path.exists()) {
        (Some(_), _) => "AURAX_MASTER_KEY lacks it: add it there".to_owned(),
        (None, true) => format!(
            "{place} lacks it: replace that file by a copy of `master.keys` of the machine that \
             has it, or name one with AURAX_MASTER_KEY_FILE"
        ),
        (None, false) => format!(
            "{place} is not there: copy it from another machine of the installation, put it back \
             from where you keep its copy, or name one with AURAX_MASTER_KEY_FILE"
        ),
    };
    let message = format!(
        "the provider keys of this installation are sealed with master key {known}, and {what}; where \
         that key is lost for good and sealed nothing, `aurax keys rotate --only-seal` puts this \
         machine's in its place"
    );
    Error::new(ErrorKind::Config, message)
}

/// The keys that sign access tokens: the configured ones, else those of `signing.keys` in the data
/// folder, which is made.
///
/// # Errors
/// `Config` for a file that cannot be read, or holds anything else.
pub(crate) fn open_signing_keys(config: &Config) -> Result<SigningKeys> {
    match &config.auth.signing_keys {
        Some(keys) => SigningKeys::parse_secret(keys, "auth.signing_key"),
        None => SigningKeys::open(&signing_keys(config)),
    }
}

/// What seals backups: the file is read anew for each, so that a master key that was added since is
/// used.
pub fn backup_keys(config: &Config, vault: &Vault) -> KeySource {
    key_source(config, vault.keys())
}

/// Where the keys of this process are.
pub(crate) fn key_source(config: &Config, keys: &KeyRing) -> KeySource {
    match &config.master_keys {
        Some(_) => KeySource::Ring(keys.clone()),
        None => KeySource::File(KeyFile::new(master_keys(config))),
    }
}
