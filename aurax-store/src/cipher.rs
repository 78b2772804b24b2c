//! AES-256-GCM with keys that are wiped from memory.

use std::fmt;

use aurax_core::{Error, ErrorKind, Result};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

/// Bytes of a key.
pub(crate) const KEY: usize = 32;

/// Bytes of a nonce.
pub(crate) const NONCE: usize = 12;

/// Bytes that prove a ciphertext, at its end.
pub(crate) const TAG: usize = 16;

/// The ciphertext, its nonce or what it is bound to is not what was sealed. Nothing tells which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused;

/// A key, in one place of the heap, wiped when dropped.
pub(crate) struct Key(Box<Zeroizing<[u8; KEY]>>);

impl Key {
    /// A key nobody has seen.
    pub(crate) fn random() -> Result<Self> {
        let mut key = Self::blank();
        fill(key.as_mut_slice())?;
        Ok(key)
    }

    /// The key of these bytes; `None` for any other number than [`KEY`].
    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        (bytes.len() == KEY).then(|| {
            let mut key = Self::blank();
            key.as_mut_slice().copy_from_slice(bytes);
            key
        })
    }

    /// Room for a key.
    pub(crate) fn blank() -> Self {
        Self(Box::new(Zeroizing::new([0; KEY])))
    }

    /// The room, to write a key into.
    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        self.0.as_mut_slice()
    }

    /// A copy to seal in its place.
    pub(crate) fn to_content(&self) -> Zeroizing<Vec<u8>> {
        let mut content = Zeroizing::new(Vec::with_capacity(KEY + TAG));
        content.extend_from_slice(self.as_bytes());
        content
    }

    pub(crate) fn as_bytes(&self) -> &[u8; KEY] {
        &self.0
    }

    /// The key made ready for use.
    pub(crate) fn cipher(&self) -> Result<Cipher> {
        UnboundKey::new(&AES_256_GCM, self.as_bytes())
            .map(|key| Cipher(LessSafeKey::new(key)))
            .map_err(|_| Error::new(ErrorKind::Internal, "AES-256-GCM takes no key"))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// A key made ready for use; the library wipes what it made of the key.
pub(crate) struct Cipher(LessSafeKey);

impl Cipher {
    /// Seals all of `content` in its place and appends the proof. No nonce may seal twice with one
    /// key.
    pub(crate) fn seal(
        &self,
        nonce: [u8; NONCE],
        bound_to: &[u8],
        content: &mut Vec<u8>,
    ) -> Result<()> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.0
            .seal_in_place_append_tag(nonce, Aad::from(bound_to), content)
            .map_err(|_| Error::new(ErrorKind::Internal, "AES-256-GCM seals nothing so long"))
    }

    /// Opens `sealed` into `content`, which is [`TAG`] bytes shorter.
    pub(crate) fn open(
        &self,
        nonce: [u8; NONCE],
        bound_to: &[u8],
        sealed: &[u8],
        content: &mut [u8],
    ) -> Result<(), Refused> {
        let (text, tag) = sealed.split_last_chunk::<TAG>().ok_or(Refused)?;
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.0
            .open_separate_gather(nonce, Aad::from(bound_to), text, tag, content)
            .map_err(|_| Refused)
    }
}

/// A nonce that a key has not sealed with before, but for one chance in 2^32 after 2^32 of them
/// (NIST SP 800-38D, 8.3).
pub(crate) fn random_nonce() -> Result<[u8; NONCE]> {
    let mut nonce = [0; NONCE];
    fill(&mut nonce)?;
    Ok(nonce)
}

/// Random bytes of the system's.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<()> {
    aws_lc_rs::rand::fill(bytes)
        .map_err(|_| Error::new(ErrorKind::Internal, "the system gives no random bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Test case 16 of "The Galois/Counter Mode of Operation" (McGrew and Viega).
    #[test]
    fn it_is_aes_256_gcm() {
        let bytes = |hex: &str| -> Vec<u8> {
            (0..hex.len())
                .step_by(2)
                .map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap())
                .collect()
        };
        let key = bytes("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
        let nonce: [u8; NONCE] = bytes("cafebabefacedbaddecaf888").try_into().unwrap();
        let bound_to = bytes("feedfacedeadbeeffeedfacedeadbeefabaddad2");
        let plain = bytes(
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
             1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
        );
        let cipher = Key::from_slice(&key).unwrap().cipher().unwrap();
        let mut content = plain.clone();
        cipher.seal(nonce, &bound_to, &mut content).unwrap();
        let expected = bytes(
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa\
             8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b",
        );
        assert_eq!(content, expected);
        let mut opened = vec![0; plain.len()];
        cipher
            .open(nonce, &bound_to, &content, &mut opened)
            .unwrap();
        assert_eq!(opened, plain);
    }

    #[test]
    fn a_key_is_32_bytes_and_never_shown() {
        assert!(Key::from_slice(&[7; 31]).is_none());
        assert!(Key::from_slice(&[7; 33]).is_none());
        let key = Key::from_slice(&[7; KEY]).unwrap();
        assert_eq!(format!("{key:?}"), "Key(…)");
        assert_ne!(
            Key::random().unwrap().as_bytes(),
            Key::random().unwrap().as_bytes()
        );
    }

    #[test]
    fn what_is_shorter_than_a_proof_is_refused() {
        let cipher = Key::random().unwrap().cipher().unwrap();
        assert_eq!(
            cipher.open([0; NONCE], b"", &[0; 15], &mut []),
            Err(Refused)
        );
        // Room of another length than the content's.
        let mut sealed = b"four".to_vec();
        cipher.seal([0; NONCE], b"", &mut sealed).unwrap();
        for room in [3, 5] {
            let mut content = vec![0; room];
            let opened = cipher.open([0; NONCE], b"", &sealed, &mut content);
            assert_eq!(opened, Err(Refused), "{room}");
        }
    }
}
