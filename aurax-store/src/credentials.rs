//! Provider keys and the vault together: keys go in as secrets and come out as credentials.

use aurax_core::{Credential, Error, ErrorKind, Principal, Result, Secret};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ledger::fault::{CrashPoint, Sabotage, jobs_do, reached};
use crate::provider_keys::{NewProviderKey, ProviderKey, ProviderKeys, SealedKey, StoredKey};
use crate::scope::JobScope;
use crate::vault::{Binding, Masked, Origin, Sealed, Vault};

/// Keys that are sealed anew before progress is noted.
const PAGE: u32 = 100;

/// What a key is bound to: whose it is, which row, for which provider and which address.
fn binding(user: Uuid, row: Uuid, provider: &str, base_url: Option<&str>) -> Result<Binding> {
    let binding = Binding::new(Principal::new(user.to_string()), row, provider);
    Ok(match base_url {
        Some(url) => binding.with_origin(Origin::parse(url)?),
        None => binding,
    })
}

fn seal(vault: &Vault, secret: &Secret, binding: &Binding) -> Result<SealedKey> {
    let masked = Masked::new(secret);
    let sealed = vault.seal(secret, binding)?;
    let key = SealedKey::new(
        sealed.as_bytes().to_vec(),
        sealed.key_id().to_string(),
        masked.last_four(),
    );
    Ok(match masked.fingerprint() {
        Some(fingerprint) => key.with_fingerprint(fingerprint),
        None => key,
    })
}

impl StoredKey {
    fn binding(&self) -> Result<Binding> {
        let shown = &self.shown;
        binding(
            self.user_id,
            shown.id,
            &shown.provider,
            shown.base_url.as_deref(),
        )
    }

    fn open(&self, vault: &Vault) -> Result<Credential> {
        let sealed = Sealed::from_bytes(self.key.sealed.clone())?;
        let credential = Credential::new(vault.open(&sealed, &self.binding()?)?);
        Ok(match &self.shown.base_url {
            Some(url) => credential.with_base_url(url.as_str()),
            None => credential,
        })
    }
}

impl ProviderKeys {
    /// Seals a key and keeps it. From then on only its last four characters and its fingerprint
    /// come back.
    ///
    /// # Errors
    /// `Conflict` where the user has one of that name for that provider; `InvalidRequest` for an
    /// empty key, an address that is none, or a field that is too long; `Store` when it cannot be
    /// kept.
    pub async fn seal(
        &self,
        vault: &Vault,
        provider: &str,
        key_name: &str,
        base_url: Option<&str>,
        key: &Secret,
    ) -> Result<ProviderKey> {
        let id = NewProviderKey::new_id();
        let binding = binding(self.user_id(), id, provider, base_url)?;
        let sealed = seal(vault, key, &binding)?;
        let mut new = NewProviderKey::new(id, provider, sealed).with_key_name(key_name);
        if let Some(url) = base_url {
            new = new.with_base_url(url);
        }
        self.add(new).await
    }

    /// Seals another key in the place of one, for an address of its own.
    ///
    /// # Errors
    /// `NotFound` where there is none to replace; as [`ProviderKeys::seal`] otherwise.
    pub async fn seal_again(
        &self,
        vault: &Vault,
        id: Uuid,
        base_url: Option<&str>,
        key: &Secret,
    ) -> Result<ProviderKey> {
        let provider = self.get(id).await?.provider;
        let binding = binding(self.user_id(), id, &provider, base_url)?;
        let sealed = seal(vault, key, &binding)?;
        self.replace(id, base_url.map(str::to_owned), sealed).await
    }

    /// The credential a call uses: the key of that name, else the one named `default`, else the
    /// newest active one. `None` where there is none.
    ///
    /// # Errors
    /// `Config` when the key ring lacks the master key that sealed it; `Internal` when it was
    /// damaged, or moved from where it was sealed for; `Store` when it cannot be read.
    pub async fn credential(
        &self,
        vault: &Vault,
        provider: &str,
        key_name: Option<&str>,
    ) -> Result<Option<Credential>> {
        let stored = self.resolve(provider, key_name).await?;
        stored.map(|stored| stored.open(vault)).transpose()
    }

    /// A key as it may be shown, and the credential a call would use with it, whether it is active
    /// or not.
    ///
    /// # Errors
    /// `NotFound` where there is none; as [`ProviderKeys::credential`] otherwise.
    pub async fn opened(&self, vault: &Vault, id: Uuid) -> Result<(ProviderKey, Credential)> {
        let stored = self.sealed(id).await?;
        let credential = stored.open(vault)?;
        Ok((stored.shown, credential))
    }
}

/// What a rotation did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Rotated {
    /// Keys that the current master key seals now.
    pub keys: u64,
    /// Keys that could not be opened, and stay as they are.
    pub failed: Vec<Uuid>,
}

impl JobScope {
    /// Seals every provider key with the current master key. It goes key by key, and a key is
    /// replaced only where it is still what was read: stopped at any point, every key opens, and
    /// the next run goes on. Where all of them open with it at last, the installation is known by
    /// that master key, and processes that lack it start no more.
    ///
    /// # Errors
    /// `Store` when the database is away.
    ///
    /// # Cancel safety
    /// A dropped future leaves the rest to the next run.
    pub async fn rotate_keys(
        &self,
        vault: &Vault,
        mut watch: impl FnMut(&Rotated) + Send,
    ) -> Result<Rotated> {
        let current = vault.keys().current().to_string();
        let mut rotated = Rotated::default();
        let mut after = None;
        loop {
            let page = self.keys_to_reseal(&current, after, PAGE).await?;
            let Some(last) = page.last() else {
                if rotated.failed.is_empty() {
                    self.set_master_key(vault.keys().current()).await?;
                }
                return Ok(rotated);
            };
            after = Some(last.shown.id);
            for stored in page {
                match anew(vault, &stored) {
                    Ok(sealed) => {
                        let (id, from) = (stored.shown.id, stored.key.sealed);
                        let to = if jobs_do(Sabotage::ClaimRotated) {
                            from.clone()
                        } else {
                            sealed.as_bytes().to_vec()
                        };
                        let done = self.reseal(id, from, to, &current).await?;
                        reached(CrashPoint::AfterRotation);
                        rotated.keys = rotated.keys.saturating_add(u64::from(done));
                    }
                    Err(error) => {
                        tracing::error!(key_id = %stored.shown.id, %error, "a key was not rotated");
                        rotated.failed.push(stored.shown.id);
                    }
                }
            }
            watch(&rotated);
        }
    }
}

fn anew(vault: &Vault, stored: &StoredKey) -> Result<Sealed> {
    let sealed = Sealed::from_bytes(stored.key.sealed.clone())?;
    let anew = vault.rotate(&sealed, &stored.binding()?)?;
    anew.ok_or_else(|| {
        Error::new(
            ErrorKind::Internal,
            "the row names another master key than the one that sealed it",
        )
    })
}
