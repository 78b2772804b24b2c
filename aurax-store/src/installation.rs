//! What the processes of an installation agree on: the master key, the keys that sign access
//! tokens, and which invitations were used.

use aurax_core::{Error, ErrorKind, Result, Retry};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::bounds::named;
use crate::catalogue::{installation as sql, settings};
use crate::db::{Tx, args};
use crate::scope::JobScope;
use crate::vault::KeyId;

/// What the master key's id is kept under.
const MASTER_KEY: &str = "master_key";
/// The most signing keys of all processes that are read.
const MOST_KEYS: u32 = 256;
/// The longest id of a signing key, in characters.
const ID: usize = 200;
/// The longest public key, in characters.
const PUBLIC: usize = 8 * 1024;
/// The most rows that go in one transaction.
const PAGE: u32 = 500;

/// The public half of a key that signs access tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublicKey {
    /// Its id, which tokens name; at most 200 characters.
    pub id: String,
    /// The key, in whatever form its users agree on; at most 8,192 characters.
    pub public: String,
}

impl PublicKey {
    /// A key by its id.
    pub fn new(id: impl Into<String>, public: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            public: public.into(),
        }
    }
}

/// An invitation with which an account is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct UsedInvitation {
    /// Its id.
    pub id: Uuid,
    /// Until when it would be good.
    pub expires_at: OffsetDateTime,
}

impl UsedInvitation {
    /// An invitation by its id.
    pub const fn new(id: Uuid, expires_at: OffsetDateTime) -> Self {
        Self { id, expires_at }
    }

    /// Uses the invitation up, unless that was done before.
    pub(crate) async fn take(self, tx: &mut Tx) -> Result<()> {
        // Clocks of processes differ a little.
        let until = self.expires_at.saturating_add(Duration::HOUR);
        let args = args! { id: self.id, until };
        if tx.run(&sql::USE, &args).await? > 0 {
            return Ok(());
        }
        let message = "the invitation made an account before: ask for another one";
        Err(Error::new(ErrorKind::Permission, message).with_retry(Retry::Never))
    }
}

impl JobScope {
    /// The master key that this installation is known by; `None` before any was agreed on.
    ///
    /// # Errors
    /// `Store` when it cannot be read; `Internal` for a row that is no id.
    pub async fn master_key(&self) -> Result<Option<KeyId>> {
        let row = self.row(&settings::GET, args! { name: MASTER_KEY }).await?;
        row.map(|row| key_id(&row.bytes("value")?)).transpose()
    }

    /// Agrees on a master key: `own` where none was agreed on before. Of processes that ask at
    /// once all get the same answer.
    ///
    /// # Errors
    /// As [`JobScope::master_key`].
    ///
    /// # Cancel safety
    /// A dropped future may or may not have agreed on it.
    pub async fn agree_on_master_key(&self, own: KeyId) -> Result<KeyId> {
        let value = own.as_bytes().to_vec();
        let row = self
            .write(move |tx| {
                Box::pin(async move {
                    let args = args! { name: MASTER_KEY, value };
                    tx.run(&settings::ADD, &args).await?;
                    tx.row(&settings::GET, &args! { name: MASTER_KEY }).await
                })
            })
            .await?;
        row.map_or(Ok(own), |row| key_id(&row.bytes("value")?))
    }

    /// Makes this the master key that the installation is known by: from now on, processes start
    /// that have it.
    ///
    /// # Errors
    /// `Store` when it cannot be written.
    ///
    /// # Cancel safety
    /// A dropped future may or may not have done so.
    pub async fn set_master_key(&self, id: KeyId) -> Result<()> {
        let args = args! { name: MASTER_KEY, value: id.as_bytes().to_vec() };
        self.run(&sql::SET, args).await?;
        tracing::info!(target: "aurax::audit", master_key = %id, "the master key is another one");
        Ok(())
    }

    /// Lets every process accept what these keys sign, `until` then; again later keeps them for
    /// longer, and never for less.
    ///
    /// # Errors
    /// `InvalidRequest` for a key or an id that is empty or too long; `Store` when they cannot be
    /// written.
    ///
    /// # Cancel safety
    /// A dropped future has shared all of them or none.
    pub async fn share_signing_keys(
        &self,
        keys: &[PublicKey],
        until: OffsetDateTime,
    ) -> Result<()> {
        for key in keys {
            named("id", &key.id, ID)?;
            named("public", &key.public, PUBLIC)?;
        }
        let keys = keys.to_vec();
        self.write(move |tx| {
            Box::pin(async move {
                for key in keys {
                    let args = args! { id: key.id, public: key.public, until };
                    tx.run(&sql::SHARE, &args).await?;
                }
                Ok(())
            })
        })
        .await
    }

    /// The keys that all processes share now, 256 at most.
    ///
    /// # Errors
    /// `Store` when they cannot be read.
    pub async fn signing_keys(&self) -> Result<Vec<PublicKey>> {
        let args = args! { now: self.store().now(), most: MOST_KEYS };
        let rows = self.rows(&sql::KEYS, args).await?;
        rows.iter()
            .map(|row| Ok(PublicKey::new(row.text("id")?, row.text("public")?)))
            .collect()
    }

    /// Forgets a signing key at once, and says whether there was one. A process that still has it
    /// shares it again.
    ///
    /// # Errors
    /// `Store` when it cannot be deleted.
    ///
    /// # Cancel safety
    /// A dropped future may or may not have done so.
    pub async fn forget_signing_key(&self, id: &str) -> Result<bool> {
        let forgotten = self.run(&sql::FORGET_KEY, args! { id }).await? > 0;
        tracing::info!(target: "aurax::audit", key_id = id, forgotten, "a signing key is forgotten");
        Ok(forgotten)
    }

    /// Forgets signing keys that no process has shared lately, at most 500 of them, and says how
    /// many.
    ///
    /// # Errors
    /// `Store` when they cannot be deleted.
    pub async fn purge_signing_keys(&self) -> Result<u64> {
        let args = args! { now: self.store().now(), most: PAGE };
        self.run(&sql::PURGE_KEYS, args).await
    }

    /// Forgets invitations that are not good any more anyway, at most `most` of them and never
    /// more than 500, and says how many.
    ///
    /// # Errors
    /// `Store` when they cannot be deleted.
    pub async fn purge_invitations(&self, most: u32) -> Result<u64> {
        let args = args! { now: self.store().now(), most: most.min(PAGE) };
        self.run(&sql::PURGE_USED, args).await
    }
}

fn key_id(bytes: &[u8]) -> Result<KeyId> {
    bytes.try_into().map(KeyId::from_bytes).map_err(|_| {
        let message = "the id of the installation's master key is damaged";
        Error::new(ErrorKind::Internal, message)
    })
}
