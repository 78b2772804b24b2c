//! Signatures of one provider, carried through a protocol of another.

use std::fmt;

use aurax_core::{Origin, Signature};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// What a sealed signature begins with: no provider's own does.
const PREFIX: &str = "aurax1.";

/// Octets of the proof in front of the content.
const PROOF: usize = 32;

/// Wraps signatures, together with who made them, into texts that clients of any protocol carry
/// back and forth, and unwraps those that come back unchanged.
///
/// The text is `aurax1.` and, in base64 for URLs, an HMAC-SHA256 and what it proves. The content is
/// not hidden: a provider's signature is opaque already. It is cheap to clone.
///
/// [`Seal::default`] uses a key that everybody knows: it tells a damaged text, not a forged one.
///
/// ```
/// use aurax_core::{Origin, Signature};
/// use aurax_providers::Seal;
///
/// let seal = Seal::new(b"a secret of the server's");
/// let signature = Signature::new("EqQB", Some(Origin::new("anthropic", "claude-opus-4-8")));
/// let text = seal.wrap(&signature);
/// assert_eq!(seal.unwrap(&text), Some(signature));
/// assert_eq!(Seal::new(b"another").unwrap(&text), None);
/// ```
#[derive(Clone)]
pub struct Seal {
    mac: Hmac<Sha256>,
}

impl Seal {
    /// A seal with a key of any length; the replicas of a server share one.
    pub fn new(key: &[u8]) -> Self {
        let mut block = [0; 64];
        for (slot, octet) in block.iter_mut().zip(Sha256::digest(key)) {
            *slot = octet;
        }
        Self {
            mac: Hmac::new(&block.into()),
        }
    }

    /// The text that stands for a signature.
    pub fn wrap(&self, signature: &Signature) -> String {
        let origin = signature.origin.as_ref();
        let content = serde_json::json!([
            origin.map(|origin| &*origin.provider),
            origin.map(|origin| &*origin.model),
            signature.data,
        ])
        .to_string();
        let mut bytes = self.proof(content.as_bytes()).to_vec();
        bytes.extend_from_slice(content.as_bytes());
        let mut text = PREFIX.to_owned();
        URL_SAFE_NO_PAD.encode_string(&bytes, &mut text);
        text
    }

    /// The signature a text stands for; `None` for any text this seal did not make.
    pub fn unwrap(&self, text: &str) -> Option<Signature> {
        let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
        let (proof, content) = bytes.split_at_checked(PROOF)?;
        let mut mac = self.mac.clone();
        mac.update(PREFIX.as_bytes());
        mac.update(content);
        mac.verify_slice(proof).ok()?;
        let (provider, model, data): (Option<String>, Option<String>, String) =
            serde_json::from_slice(content).ok()?;
        let origin = provider
            .zip(model)
            .map(|(provider, model)| Origin::new(provider, model));
        Some(Signature::new(data, origin))
    }

    /// True for a text that some seal made, whichever its key.
    pub fn is_sealed(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    fn proof(&self, content: &[u8]) -> [u8; PROOF] {
        let mut mac = self.mac.clone();
        mac.update(PREFIX.as_bytes());
        mac.update(content);
        mac.finalize().into_bytes().into()
    }
}

impl Default for Seal {
    fn default() -> Self {
        Self::new(b"")
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature() -> Signature {
        Signature::new("Eq/+=\"\u{e9}", Some(Origin::new("anthropic", "claude/x")))
    }

    #[test]
    fn what_was_wrapped_comes_back() {
        let seal = Seal::new(&[7; 100]);
        for signature in [signature(), Signature::new("", None)] {
            let text = seal.wrap(&signature);
            assert!(Seal::is_sealed(&text));
            assert!(
                text.bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
            );
            assert_eq!(seal.unwrap(&text), Some(signature));
        }
    }

    #[test]
    fn a_text_changed_anywhere_is_refused() {
        let seal = Seal::new(b"key");
        let text = seal.wrap(&signature());
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(seal.unwrap(&changed), None, "{changed}");
            assert_eq!(seal.unwrap(&text[..at]), None);
        }
    }

    #[test]
    fn only_the_same_key_opens_it() {
        let text = Seal::new(b"one").wrap(&signature());
        assert_eq!(Seal::new(b"two").unwrap(&text), None);
        assert_eq!(Seal::default().unwrap(&text), None);
        assert_eq!(Seal::new(b"one").unwrap(&text), Some(signature()));
    }

    #[test]
    fn foreign_texts_are_none() {
        let seal = Seal::default();
        for text in ["", "aurax1.", "aurax1.AAAA", "gAAAAABo", "aurax1.%%%"] {
            assert_eq!(seal.unwrap(text), None);
        }
    }

    #[test]
    fn the_key_is_not_shown() {
        assert_eq!(format!("{:?}", Seal::new(b"secret")), "Seal");
    }
}
