//! Secrets at rest: sealed with a master key, bound to the one place they may be used at.

mod binding;
mod key_file;
mod keyring;
mod masked;
mod origin;
mod sealed;

use std::mem;

use aurax_core::{Error, ErrorKind, Result, Secret};
use zeroize::Zeroizing;

pub use binding::Binding;
pub use key_file::KeyFile;
pub use keyring::{KeyId, KeyRing};
pub(crate) use keyring::{WRAPPED, Wrapped};
pub use masked::Masked;
pub use origin::Origin;
pub use sealed::Sealed;

use crate::cipher::{Key, Refused, TAG, random_nonce};

/// What the master key seals a secret's own key for.
const KEY_OF_A_SECRET: &[u8] = b"aurax vault key";

/// What a secret's own key seals it for.
const SECRET: &[u8] = b"aurax vault secret";

/// Seals secrets, such as users' provider keys, and opens them again.
///
/// Each secret is sealed by a random key of its own (AES-256-GCM), which the current key of the
/// [`KeyRing`] seals in turn. Both are bound to a [`Binding`]: user, row, provider and origin. So a
/// sealed secret that was changed by a bit, copied into another row, or whose row was given another
/// base URL, does not open. The sealed form shows the length of the secret and nothing else.
///
/// It is cheap to clone.
///
/// ```
/// use aurax_core::{Principal, Secret};
/// use aurax_store::{Binding, KeyRing, Origin, Vault};
///
/// # fn main() -> aurax_core::Result<()> {
/// let vault = Vault::new(KeyRing::generate()?);
/// let row = uuid::Uuid::now_v7();
/// let binding = Binding::new(Principal::new("ada"), row, "openai");
/// let sealed = vault.seal(&Secret::new("sk-hush"), &binding)?;
/// assert_eq!(vault.open(&sealed, &binding)?.fingerprint(), Secret::new("sk-hush").fingerprint());
///
/// let elsewhere = binding.with_origin(Origin::parse("https://elsewhere.test")?);
/// assert!(vault.open(&sealed, &elsewhere).is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Vault {
    keys: KeyRing,
}

impl Vault {
    /// The longest secret that is sealed, in bytes.
    pub const MAX_SECRET: usize = 16 * 1024;

    /// A vault that seals with the current key of `keys` and opens with any of them.
    pub fn new(keys: KeyRing) -> Self {
        Self { keys }
    }

    /// The master keys.
    pub fn keys(&self) -> &KeyRing {
        &self.keys
    }

    /// What each secret that needs no [`Vault::rotate`] begins with: the format and the id of the
    /// current key. A job finds the others by comparing a column's first bytes with these.
    pub fn current_prefix(&self) -> [u8; Sealed::PREFIX] {
        sealed::prefix(self.keys.current())
    }

    /// Seals a secret for one place of use. Sealing it again gives other bytes.
    ///
    /// # Errors
    /// `InvalidRequest` for a blank secret and for one longer than [`Vault::MAX_SECRET`].
    pub fn seal(&self, secret: &Secret, binding: &Binding) -> Result<Sealed> {
        if secret.is_blank() {
            return Err(Error::new(ErrorKind::InvalidRequest, "the key is empty"));
        }
        let mut content = copy(secret)?;
        let own = Key::random()?;
        let nonce = random_nonce()?;
        own.cipher()?
            .seal(nonce, &binding.encode(SECRET), &mut content)?;
        let wrapped = self.keys.wrap(&own, &binding.encode(KEY_OF_A_SECRET))?;
        Ok(Sealed::join(&wrapped, &nonce, &content))
    }

    /// Opens a sealed secret at the place it was sealed for.
    ///
    /// # Errors
    /// - `Config` when the key ring lacks the key that sealed it; the message names the key and
    ///   where to add it.
    /// - `Internal` when the secret was damaged, or moved from the place it was sealed for.
    pub fn open(&self, sealed: &Sealed, binding: &Binding) -> Result<Secret> {
        let own = self.unwrap(sealed, binding)?;
        let (nonce, text) = sealed.secret();
        let mut content = Zeroizing::new(vec![0; text.len().saturating_sub(TAG)]);
        own.cipher()?
            .open(nonce, &binding.encode(SECRET), text, &mut content)
            .map_err(|Refused| damaged())?;
        String::from_utf8(mem::take(&mut *content))
            .map(Secret::new)
            .map_err(|error| {
                // The error would carry the bytes along.
                drop(Zeroizing::new(error.into_bytes()));
                damaged()
            })
    }

    /// Seals a secret's own key anew with the current master key, without opening the secret;
    /// `None` when it is sealed by that already. The earlier form still opens, as long as the key
    /// ring has the earlier key.
    ///
    /// # Errors
    /// Those of [`Vault::open`].
    pub fn rotate(&self, sealed: &Sealed, binding: &Binding) -> Result<Option<Sealed>> {
        if sealed.key_id() == self.keys.current() {
            return Ok(None);
        }
        let own = self.unwrap(sealed, binding)?;
        let wrapped = self.keys.wrap(&own, &binding.encode(KEY_OF_A_SECRET))?;
        let (nonce, text) = sealed.secret();
        Ok(Some(Sealed::join(&wrapped, &nonce, text)))
    }

    fn unwrap(&self, sealed: &Sealed, binding: &Binding) -> Result<Key> {
        self.keys
            .unwrap(&sealed.wrapped(), &binding.encode(KEY_OF_A_SECRET))?
            .map_err(|Refused| damaged())
    }
}

/// The secret's bytes, with room for the proof, so that sealing them moves nothing.
#[expect(
    clippy::disallowed_methods,
    reason = "what is exposed is sealed in its place"
)]
fn copy(secret: &Secret) -> Result<Zeroizing<Vec<u8>>> {
    let secret = secret.expose().as_bytes();
    if secret.len() > Vault::MAX_SECRET {
        let message = format!("the key is longer than {} bytes", Vault::MAX_SECRET);
        return Err(Error::new(ErrorKind::InvalidRequest, message));
    }
    let mut content = Zeroizing::new(Vec::with_capacity(secret.len().saturating_add(TAG)));
    content.extend_from_slice(secret);
    Ok(content)
}

fn damaged() -> Error {
    let message = "the stored key was damaged, or moved from the row, user, provider or base URL \
        it was sealed for: store the key again";
    Error::new(ErrorKind::Internal, message)
}
