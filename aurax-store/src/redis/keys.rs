//! Names of keys: the installation's prefix, a version, the use, and a hash of what it stands for.

use aurax_core::Secret;
use aws_lc_rs::hmac;

/// Changes with the meaning of names or values: what older versions stored is not found any more.
const VERSION: &str = "v1";

/// What is hashed into a name.
pub(super) type Hash = [u8; 32];

#[derive(Debug, Clone)]
pub(super) struct Keys {
    prefix: String,
    hash: hmac::Key,
}

impl Keys {
    #[expect(
        clippy::disallowed_methods,
        reason = "the secret becomes the key of a hash, which does not print it"
    )]
    pub(super) fn new(prefix: &str, secret: &Secret) -> Self {
        Self {
            prefix: format!("{prefix}{VERSION}:"),
            hash: hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes()),
        }
    }

    /// HMAC-SHA-256 of fields, such that no two lists of fields give the same bytes.
    pub(super) fn hash(&self, fields: &[&[u8]]) -> Hash {
        let mut context = hmac::Context::with_key(&self.hash);
        for field in fields {
            context.update(&u64::try_from(field.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(field);
        }
        let tag = context.sign();
        let mut hash = Hash::default();
        hash.iter_mut()
            .zip(tag.as_ref())
            .for_each(|(to, from)| *to = *from);
        hash
    }

    /// `prefix` `v1:` `usage` `:` and the hash in hex.
    pub(super) fn name(&self, usage: &str, hash: &Hash) -> String {
        use std::fmt::Write as _;
        let mut name = format!("{}{usage}:", self.prefix);
        for byte in hash {
            // Writing to a string does not fail.
            write!(name, "{byte:02x}").ok();
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_a_prefix_and_a_version_and_hides_what_it_stands_for() {
        let keys = Keys::new("shop:", &Secret::new(""));
        let name = keys.name("login", &keys.hash(&[b"ann@example.com"]));
        assert!(name.starts_with("shop:v1:login:"), "{name}");
        assert_eq!(name.len(), "shop:v1:login:".len() + 64);
        assert!(!name.contains("ann"));
    }

    #[test]
    fn fields_and_secrets_are_told_apart() {
        let keys = Keys::new("a:", &Secret::new("one"));
        assert_ne!(keys.hash(&[b"ab", b"c"]), keys.hash(&[b"a", b"bc"]));
        let other = Keys::new("a:", &Secret::new("two"));
        assert_ne!(keys.hash(&[b"ab"]), other.hash(&[b"ab"]));
        assert!(!format!("{keys:?}").contains("one"));
    }
}
