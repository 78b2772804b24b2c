//! Signatures of one provider, carried through a protocol of another.

use std::fmt;

use aurax_core::{Origin, Signature};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// What a sealed signature begins with: no provider's own does.
const PREFIX: &str = "aurax1.";

/// What the public half seals for.
pub(crate) const THOUGHTS: &str = "thinking";

/// Octets of the proof in front of the content.
const PROOF: usize = 32;

/// Wraps signatures, together with who made them, into texts that clients of any protocol carry
/// back and forth, and unwraps those that come back unchanged.
///
/// The text is `aurax1.` and, in base64 for URLs, an HMAC-SHA256 and what it proves: the signature,
/// who made it and what it is for, so that one cannot be passed off as another. The content is not
/// hidden: a provider's signature is opaque already. It is cheap to clone.
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

    /// The text that stands for a signature of thoughts.
    pub fn wrap(&self, signature: &Signature) -> String {
        self.wrap_for(signature, THOUGHTS)
    }

    /// The signature of thoughts a text stands for; `None` for any text this seal did not make, and
    /// for what it sealed for something else.
    pub fn unwrap(&self, text: &str) -> Option<Signature> {
        let (signature, purpose) = self.open(text)?;
        (purpose == THOUGHTS).then_some(signature)
    }

    /// The text that stands for a signature, which is for nothing but `purpose`.
    pub(crate) fn wrap_for(&self, signature: &Signature, purpose: &str) -> String {
        let origin = signature.origin.as_ref();
        let content = serde_json::json!([
            origin.map(|origin| &*origin.provider),
            origin.map(|origin| &*origin.model),
            signature.data,
            purpose,
        ])
        .to_string();
        let mut bytes = self.proof(content.as_bytes()).to_vec();
        bytes.extend_from_slice(content.as_bytes());
        let mut text = PREFIX.to_owned();
        URL_SAFE_NO_PAD.encode_string(&bytes, &mut text);
        text
    }

    /// The signature a text stands for, and what it is for; `None` for any text this seal did not
    /// make.
    pub(crate) fn open(&self, text: &str) -> Option<(Signature, String)> {
        let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
        let (proof, content) = bytes.split_at_checked(PROOF)?;
        let mut mac = self.mac.clone();
        mac.update(PREFIX.as_bytes());
        mac.update(content);
        mac.verify_slice(proof).ok()?;
        let content: (Option<String>, Option<String>, String, String) =
            serde_json::from_slice(content).ok()?;
        let (provider, model, data, purpose) = content;
        let origin = provider
            .zip(model)
            .map(|(provider, model)| Origin::new(provider, model));
        Some((Signature::new(data, origin), purpose))
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
    fn what_was_sealed_for_something_else_is_no_signature_of_thoughts() {
        let seal = Seal::new(b"key");
        let text = seal.wrap_for(&signature(), "redacted");
        assert_eq!(seal.unwrap(&text), None);
        assert_eq!(seal.open(&text), Some((signature(), "redacted".to_owned())));
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
