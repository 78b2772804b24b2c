//! Values that never print.

use std::fmt;

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// An API key or another secret.
///
/// It prints as `Secret(…)`, cannot be serialised or cloned (share it behind an `Arc`) and is
/// wiped from memory when dropped. Only code that hands it to a provider may call
/// [`Secret::expose`]; a lint keeps other callers out.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a secret in.
    pub fn new(value: impl Into<String>) -> Self {
        Self(Zeroizing::new(value.into()))
    }

    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// True for an empty or blank value, which no provider accepts.
    pub fn is_blank(&self) -> bool {
        self.0.trim().is_empty()
    }

    /// A name for the secret that does not give it away; the same for the same secret.
    pub fn fingerprint(&self) -> Fingerprint {
        let hash = Sha256::new()
            .chain_update(b"aurax fingerprint\0")
            .chain_update(self.0.trim())
            .finalize();
        let mut short = [0; 16];
        short.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        Fingerprint(short)
    }

    /// HMAC-SHA-256 of a message with the secret as its key (RFC 2104). `message` is called with
    /// the hash to write into.
    pub(crate) fn authenticate(&self, message: impl FnOnce(&mut Sha256)) -> [u8; 32] {
        const BLOCK: usize = 64;
        let mut key = Zeroizing::new([0; BLOCK]);
        let long: Zeroizing<[u8; 32]>;
        let bytes = if self.0.len() > BLOCK {
            long = Zeroizing::new(Sha256::digest(self.0.as_bytes()).into());
            long.as_slice()
        } else {
            self.0.as_bytes()
        };
        key.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        let mut inner = Sha256::new();
        inner.update(key.map(|byte| byte ^ 0x36));
        message(&mut inner);
        Sha256::new()
            .chain_update(key.map(|byte| byte ^ 0x5c))
            .chain_update(inner.finalize())
            .finalize()
            .into()
    }
}

/// What a [`Secret`] is known by where it may not be seen: half of its SHA-256. Limits and caches
/// tell keys apart by it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 16]);

impl Fingerprint {
    /// The bytes of the hash.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl From<&str> for Secret {
    fn from(value: &str) -> Self {
        Self::new(value)
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self::new(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn a_fingerprint_tells_secrets_apart_and_does_not_show_them() {
        let one = Secret::new("sk-hush-one").fingerprint();
        assert_eq!(one, Secret::new(" sk-hush-one\n").fingerprint());
        assert_ne!(one, Secret::new("sk-hush-two").fingerprint());
        assert_eq!(one.to_string().len(), 32);
        assert!(!format!("{one:?} {one}").contains("hush"));
    }

    /// Test cases 2 and 6 of RFC 4231: a short key, and one longer than a block.
    #[test]
    fn the_authentication_code_is_hmac_sha_256() {
        let short = Secret::new("Jefe").authenticate(|hash| {
            hash.update(b"what do ya want ");
            hash.update(b"for nothing?");
        });
        assert_eq!(
            hex(&short),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        let long = Secret::new("k".repeat(131));
        let hashed = Sha256::digest("k".repeat(131));
        let message = |hash: &mut Sha256| hash.update(b"message");
        // No text is the key of case 6, so its rule is checked: a long key stands for its hash.
        let mut inner = Sha256::new();
        let mut block = [0_u8; 64];
        block
            .iter_mut()
            .zip(hashed)
            .for_each(|(to, from)| *to = from);
        inner.update(block.map(|byte| byte ^ 0x36));
        message(&mut inner);
        let outer = Sha256::new()
            .chain_update(block.map(|byte| byte ^ 0x5c))
            .chain_update(inner.finalize())
            .finalize();
        assert_eq!(hex(&long.authenticate(message)), hex(&outer));
    }
}
