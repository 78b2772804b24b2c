//! The form of a secret at rest.

use std::fmt;

use aurax_core::{Error, ErrorKind, Result};

use super::damaged;
use super::keyring::{KeyId, WRAPPED, Wrapped};
use crate::cipher::{NONCE, TAG};

/// The form this version writes, and the only one it reads.
pub(super) const FORMAT: u8 = 1;

/// Where the secret's nonce begins.
const SECRET: usize = Sealed::PREFIX + WRAPPED;

/// A sealed secret, as a store keeps it. Only a [`Vault`](super::Vault) opens it.
///
/// Its bytes are: a format (1), the id of the master key (8), the secret's own key sealed by that
/// (nonce 12, key 32, proof 16), and the secret sealed by its own key (nonce 12, text, proof 16).
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Box<[u8]>);

impl Sealed {
    /// The bytes in front that tell format and master key:
    /// [`Vault::current_prefix`](super::Vault::current_prefix).
    pub const PREFIX: usize = 1 + KeyId::LEN;

    /// The longest form, in bytes.
    pub const MAX: usize = SECRET + NONCE + super::Vault::MAX_SECRET + TAG;

    /// Reads what [`Sealed::as_bytes`] gave. Only opening tells whether it is whole.
    ///
    /// # Errors
    /// `Unsupported` for a format of a later version, `Internal` for what is too short or too long.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Result<Self> {
        let bytes = bytes.into();
        match bytes.first() {
            Some(&FORMAT) if (SECRET + NONCE + TAG..=Self::MAX).contains(&bytes.len()) => {
                Ok(Self(bytes.into()))
            }
            None | Some(&FORMAT) => Err(damaged()),
            Some(format) => {
                let message = format!(
                    "the stored key has format {format}, and this version of AURAX reads format \
                    {FORMAT}: it was stored by a later version, or damaged"
                );
                Err(Error::new(ErrorKind::Unsupported, message))
            }
        }
    }

    /// The bytes to store.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The master key that sealed it.
    pub fn key_id(&self) -> KeyId {
        self.wrapped().by
    }

    pub(super) fn join(own: &Wrapped, nonce: &[u8; NONCE], text: &[u8]) -> Self {
        let bytes = [&prefix(own.by), &own.bytes[..], nonce, text].concat();
        Self(bytes.into())
    }

    /// The secret's own key, sealed.
    pub(super) fn wrapped(&self) -> Wrapped {
        Wrapped {
            by: KeyId::from_bytes(self.part(1)),
            bytes: self.part(Self::PREFIX),
        }
    }

    /// The secret, sealed: its nonce, and the text with its proof.
    pub(super) fn secret(&self) -> ([u8; NONCE], &[u8]) {
        let text = self.0.get(SECRET + NONCE..).unwrap_or_default();
        (self.part(SECRET), text)
    }

    /// The bytes from `start`, which are there: no shorter form is ever made.
    fn part<const N: usize>(&self, start: usize) -> [u8; N] {
        let part = self.0.get(start..).and_then(<[u8]>::first_chunk);
        part.copied().unwrap_or([0; N])
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealed")
            .field("key_id", &self.key_id())
            .field("bytes", &self.0.len())
            .finish()
    }
}

/// What the form begins with when `key` seals it.
pub(super) fn prefix(key: KeyId) -> [u8; Sealed::PREFIX] {
    let mut prefix = [FORMAT; Sealed::PREFIX];
    let id = key.as_bytes();
    prefix
        .iter_mut()
        .skip(1)
        .zip(id)
        .for_each(|(to, from)| *to = *from);
    prefix
}
