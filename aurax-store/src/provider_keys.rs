//! Keys to providers. They are kept sealed; the store neither seals nor opens them.

use aurax_core::{Error, ErrorKind, Page, Paged, Result, Retry, new_id};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::bounds::{NAME, URL, at_most, named, refuse};
use crate::catalogue::api_keys as sql;
use crate::db::{Row, args};
use crate::ledger::fault::{CrashPoint, Sabotage, jobs_do, reached};
use crate::scope::{JobScope, UserScope};
use crate::store::not_found;
use crate::vault::KeyId;

/// The most keys of a user.
const MOST: u32 = 1_000;
/// The most bytes of a sealed key.
const SEALED: usize = 64 * 1024;

/// A provider key as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ProviderKey {
    /// Its id, a UUIDv7.
    pub id: Uuid,
    /// The provider it is for.
    pub provider: String,
    /// Its name, which no other key of the user for that provider has.
    pub key_name: String,
    /// Its last four characters, after dots.
    pub masked_key: String,
    /// What the same key is known by wherever it is kept; `None` for one too short to have any.
    pub fingerprint: Option<String>,
    /// The address it is bound to; `None` for the provider's own.
    pub base_url: Option<String>,
    /// Whether calls may use it.
    pub is_active: bool,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When the provider last accepted it.
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_validated: Option<OffsetDateTime>,
}

/// What seals a key, and what may be shown of it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SealedKey {
    /// The sealed bytes.
    pub sealed: Vec<u8>,
    /// Which master key seals them.
    pub kek_id: String,
    /// The key's last four characters.
    pub last_four: String,
    /// What the same key is known by wherever it is kept.
    pub fingerprint: Option<String>,
}

impl SealedKey {
    /// Bytes that the master key `kek_id` seals.
    pub fn new(sealed: Vec<u8>, kek_id: impl Into<String>, last_four: impl Into<String>) -> Self {
        Self {
            sealed,
            kek_id: kek_id.into(),
            last_four: last_four.into(),
            fingerprint: None,
        }
    }

    /// Says what the key is known by.
    #[must_use]
    pub fn with_fingerprint(mut self, fingerprint: impl Into<String>) -> Self {
        self.fingerprint = Some(fingerprint.into());
        self
    }

    fn check(&self) -> Result<()> {
        if self.sealed.is_empty() || self.sealed.len() > SEALED {
            return Err(refuse(
                "key",
                format!("a sealed key has 1 to {SEALED} bytes"),
            ));
        }
        at_most("kek_id", &self.kek_id, NAME)?;
        at_most("last_four", &self.last_four, 4)?;
        let fingerprint = self.fingerprint.as_deref().unwrap_or_default();
        at_most("fingerprint", fingerprint, NAME)
    }
}

/// The ciphertext stays out of logs.
impl std::fmt::Debug for SealedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealedKey")
            .field("kek_id", &self.kek_id)
            .finish_non_exhaustive()
    }
}

/// A key to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewProviderKey {
    /// Its id, which is part of the seal; a new one unless set.
    pub id: Uuid,
    /// The provider; at most 100 characters.
    pub provider: String,
    /// Its name; `default` unless set, at most 100 characters.
    pub key_name: String,
    /// The address it is bound to; the provider's own unless set.
    pub base_url: Option<String>,
    /// The key.
    pub key: SealedKey,
}

impl NewProviderKey {
    /// A key for a provider, named `default`.
    pub fn new(id: Uuid, provider: impl Into<String>, key: SealedKey) -> Self {
        Self {
            id,
            provider: provider.into(),
            key_name: "default".to_owned(),
            base_url: None,
            key,
        }
    }

    /// An id for a key that is yet to be sealed.
    pub fn new_id() -> Uuid {
        new_id()
    }

    /// Names it.
    #[must_use]
    pub fn with_key_name(mut self, name: impl Into<String>) -> Self {
        self.key_name = name.into();
        self
    }

    /// Binds it to an address.
    #[must_use]
    pub fn with_base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    fn check(&self) -> Result<()> {
        named("provider", &self.provider, NAME)?;
        named("key_name", &self.key_name, NAME)?;
        at_most(
            "base_url",
            self.base_url.as_deref().unwrap_or_default(),
            URL,
        )?;
        self.key.check()
    }
}

/// What to change of a key; what is `None` stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ProviderKeyChange {
    /// Whether calls may use it.
    pub is_active: Option<bool>,
    /// Its name.
    pub key_name: Option<String>,
    /// When the provider last accepted it.
    pub last_validated: Option<OffsetDateTime>,
}

/// A sealed key with whom and what it is for, which is what it is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredKey {
    /// Whose it is.
    pub user_id: Uuid,
    /// As it may be shown.
    pub shown: ProviderKey,
    /// The key.
    pub key: SealedKey,
}

impl StoredKey {
    fn read(row: &Row) -> Result<Self> {
        let key = SealedKey {
            sealed: row.bytes("encrypted_key")?,
            kek_id: row.text("kek_id")?,
            last_four: row.text("last_four")?,
            fingerprint: row.text_or_null("fingerprint")?,
        };
        let shown = ProviderKey {
            id: row.uuid("id")?,
            provider: row.text("provider")?,
            key_name: row.text("key_name")?,
            masked_key: format!("…{}", key.last_four),
            fingerprint: key.fingerprint.clone(),
            base_url: row.text_or_null("base_url")?,
            is_active: row.bool("is_active")?,
            created_at: row.time("created_at")?,
            last_validated: row.time_or_null("last_validated")?,
        };
        Ok(Self {
            user_id: row.uuid("user_id")?,
            shown,
            key,
        })
    }
}

/// A tenant's keys to providers.
#[derive(Debug, Clone)]
pub struct ProviderKeys(UserScope);

impl UserScope {
    /// The tenant's keys to providers.
    pub fn provider_keys(&self) -> ProviderKeys {
        ProviderKeys(self.clone())
    }
}

impl ProviderKeys {
    pub(crate) const fn user_id(&self) -> Uuid {
        self.0.user_id()
    }

    /// Keeps a key.
    ///
    /// # Errors
    /// `Conflict` where the user has one of that name for that provider; `Quota` at 1,000 keys;
    /// `InvalidRequest` for a field that is empty or too long; `Store` when it cannot be kept.
    pub async fn add(&self, new: NewProviderKey) -> Result<ProviderKey> {
        new.check()?;
        let at = self.0.store().now();
        let (id, name) = (new.id, new.key_name.clone());
        let row = self
            .0
            .write(move |tx| {
                Box::pin(async move {
                    let key = new.key;
                    let args = args! {
                        id, provider: new.provider, key_name: new.key_name,
                        encrypted_key: key.sealed, kek_id: key.kek_id, base_url: new.base_url,
                        last_four: key.last_four, fingerprint: key.fingerprint, at, most: MOST,
                    };
                    if tx.run(&sql::ADD, &args).await? == 0 {
                        return Err(Error::new(
                            ErrorKind::Quota,
                            format!("there are {MOST} provider keys already: delete some"),
                        ));
                    }
                    tx.row(&sql::GET, &args! { id }).await
                })
            })
            .await
            .map_err(|error| taken(error, &name))?;
        shown(row)
    }

    /// Replaces a key of the same name, provider and id by another, which is active and not yet
    /// validated.
    ///
    /// # Errors
    /// `NotFound` where there is none; `InvalidRequest` for a field that is too long; `Store` when
    /// it cannot be kept.
    pub async fn replace(
        &self,
        id: Uuid,
        base_url: Option<String>,
        key: SealedKey,
    ) -> Result<ProviderKey> {
        key.check()?;
        at_most("base_url", base_url.as_deref().unwrap_or_default(), URL)?;
        let row = self
            .0
            .write(move |tx| {
                Box::pin(async move {
                    let args = args! {
                        id, encrypted_key: key.sealed, kek_id: key.kek_id, base_url,
                        last_four: key.last_four, fingerprint: key.fingerprint,
                    };
                    tx.run(&sql::REPLACE, &args).await?;
                    tx.row(&sql::GET, &args! { id }).await
                })
            })
            .await?;
        shown(row)
    }

    /// A key as it may be shown.
    ///
    /// # Errors
    /// `NotFound` where there is none; `Store` when it cannot be read.
    pub async fn get(&self, id: Uuid) -> Result<ProviderKey> {
        Ok(self.sealed(id).await?.shown)
    }

    /// A key with its seal.
    ///
    /// # Errors
    /// `NotFound` where there is none; `Store` when it cannot be read.
    pub async fn sealed(&self, id: Uuid) -> Result<StoredKey> {
        let row = self.0.row(&sql::GET, args! { id }).await?;
        StoredKey::read(&row.ok_or_else(|| not_found("provider key"))?)
    }

    /// Keys, the latest made first; those of one provider where it is named.
    ///
    /// # Errors
    /// `InvalidRequest` for a cursor of another list; `Store` when they cannot be read.
    pub async fn list(&self, provider: Option<&str>, page: &Page) -> Result<Paged<ProviderKey>> {
        let name = format!("provider keys {}", provider.unwrap_or_default());
        let list = (&sql::LIST, args! { provider });
        let shown = |row: &Row| Ok(StoredKey::read(row)?.shown);
        self.0.page(&name, list, page, shown, |key| key.id).await
    }

    /// The key a call uses: the one of that name, else `default`, else the newest; only active
    /// ones. `None` where there is none.
    ///
    /// # Errors
    /// `Store` when it cannot be read.
    pub async fn resolve(
        &self,
        provider: &str,
        key_name: Option<&str>,
    ) -> Result<Option<StoredKey>> {
        let args = args! { provider, key_name };
        let row = self.0.row(&sql::RESOLVE, args).await?;
        row.as_ref().map(StoredKey::read).transpose()
    }

    /// Changes a key's name, or whether it is active, or when it was last accepted.
    ///
    /// # Errors
    /// `NotFound` where there is none; `Conflict` where another key has that name; `Store` when it
    /// cannot be written.
    pub async fn change(&self, id: Uuid, change: ProviderKeyChange) -> Result<ProviderKey> {
        if let Some(name) = &change.key_name {
            named("key_name", name, NAME)?;
        }
        let name = change.key_name.clone().unwrap_or_default();
        let row = self
            .0
            .write(move |tx| {
                Box::pin(async move {
                    let args = args! {
                        id, is_active: change.is_active, key_name: change.key_name,
                        last_validated: change.last_validated,
                    };
                    tx.run(&sql::CHANGE, &args).await?;
                    tx.row(&sql::GET, &args! { id }).await
                })
            })
            .await
            .map_err(|error| taken(error, &name))?;
        shown(row)
    }

    /// Forgets a key.
    ///
    /// # Errors
    /// `NotFound` where there is none; `Store` when it cannot be deleted.
    pub async fn delete(&self, id: Uuid) -> Result<()> {
        let deleted = self.0.run(&sql::DELETE, args! { id }).await?;
        if deleted == 0 {
            return Err(not_found("provider key"));
        }
        Ok(())
    }

    /// Forgets every key for a provider, and says how many there were.
    ///
    /// # Errors
    /// `Store` when they cannot be deleted.
    pub async fn delete_all(&self, provider: &str) -> Result<u64> {
        let args = args! { provider };
        self.0.run(&sql::DELETE_OF_PROVIDER, args).await
    }
}

fn shown(row: Option<Row>) -> Result<ProviderKey> {
    let row = row.ok_or_else(|| not_found("provider key"))?;
    Ok(StoredKey::read(&row)?.shown)
}

fn taken(error: Error, name: &str) -> Error {
    match error.kind() {
        ErrorKind::Conflict => Error::new(
            ErrorKind::Conflict,
            format!("there is a key named `{name}` for this provider: delete it, or name another"),
        )
        .with_retry(Retry::Never)
        .with_context("field", "key_name"),
        _ => error,
    }
}

impl JobScope {
    /// Keys of every tenant that a master key other than `kek_id` seals, at most 500 of them, in
    /// the order of their ids, after `after`.
    ///
    /// # Errors
    /// `Store` when they cannot be read.
    pub async fn keys_to_reseal(
        &self,
        kek_id: &str,
        after: Option<Uuid>,
        most: u32,
    ) -> Result<Vec<StoredKey>> {
        let args = args! { kek_id, after, most: most.min(500) };
        let rows = self.rows(&sql::OTHERS, args).await?;
        rows.iter().map(StoredKey::read).collect()
    }

    /// Seals a key anew, unless it was changed since it was read: false.
    ///
    /// # Errors
    /// `Store` when it cannot be written.
    pub async fn reseal(&self, id: Uuid, from: Vec<u8>, to: Vec<u8>, kek_id: &str) -> Result<bool> {
        let args = args! { id, from, to, kek_id };
        let changed = self
            .write(move |tx| {
                Box::pin(async move {
                    let changed = tx.run(&sql::RESEAL, &args).await?;
                    reached(CrashPoint::MidRotation);
                    Ok(changed)
                })
            })
            .await?;
        Ok(changed > 0)
    }

    /// The master keys that seal provider keys of any tenant. [`crate::KeyFile::drop_unused`] must
    /// keep those, and those of the backups: [`Shelf::master_keys`](crate::backup::Shelf::master_keys).
    /// Where processes that do not know the current master key yet add keys, ask again
    /// when there are none any more.
    ///
    /// # Errors
    /// `Store` when they cannot be read.
    pub async fn master_keys_in_use(&self) -> Result<Vec<KeyId>> {
        if jobs_do(Sabotage::RetireKeyEarly) {
            return Ok(Vec::new());
        }
        let rows = self.rows(&sql::MASTER_KEYS, args! {}).await?;
        rows.iter().map(|row| row.text("kek_id")?.parse()).collect()
    }
}
