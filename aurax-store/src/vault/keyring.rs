//! Master keys: the one that seals, and the earlier ones that still open.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use aurax_core::{Error, ErrorKind, Result, Secret};
use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::key_file::text;
use crate::cipher::{KEY, Key, NONCE, Refused, TAG, random_nonce};

/// Bytes of a key that another key sealed: nonce, key, proof.
pub(crate) const WRAPPED: usize = NONCE + KEY + TAG;

/// What a master key is known by: part of a hash of it, in hexadecimal. It is no secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId([u8; Self::LEN]);

impl KeyId {
    /// Bytes of an id.
    pub const LEN: usize = 8;

    /// An id from its bytes.
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// The bytes, as sealed secrets and archives carry them.
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    fn of(key: &Key) -> Self {
        let mut hash = Context::new(&SHA256);
        hash.update(b"aurax master key\0");
        hash.update(key.as_bytes());
        let mut id = [0; Self::LEN];
        let hash = hash.finish();
        id.iter_mut()
            .zip(hash.as_ref())
            .for_each(|(to, from)| *to = *from);
        Self(id)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for KeyId {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for KeyId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

impl FromStr for KeyId {
    type Err = Error;

    /// Reads what [`KeyId`] prints.
    fn from_str(text: &str) -> Result<Self> {
        let digits = text.len() == Self::LEN * 2 && text.bytes().all(|b| b.is_ascii_hexdigit());
        match u64::from_str_radix(text, 16) {
            Ok(id) if digits => Ok(Self(id.to_be_bytes())),
            _ => {
                let message = "the id of a master key is 16 hexadecimal digits";
                Err(Error::new(ErrorKind::InvalidRequest, message))
            }
        }
    }
}

/// One master key.
pub(super) struct MasterKey {
    id: KeyId,
    key: Key,
}

impl MasterKey {
    pub(super) fn new(key: Key) -> Self {
        Self {
            id: KeyId::of(&key),
            key,
        }
    }

    pub(super) fn random() -> Result<Self> {
        Key::random().map(Self::new)
    }

    pub(super) fn id(&self) -> KeyId {
        self.id
    }

    pub(super) fn key(&self) -> &Key {
        &self.key
    }
}

/// A key that a master key sealed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wrapped {
    pub(crate) by: KeyId,
    pub(crate) bytes: [u8; WRAPPED],
}

/// Master keys by id: the current one seals, and earlier ones still open what they sealed.
///
/// It is cheap to clone, and prints as the ids alone.
#[derive(Clone)]
pub struct KeyRing {
    /// The current one first; never empty.
    keys: Arc<[MasterKey]>,
    current: KeyId,
    /// Where the keys come from, for errors: a file or a setting.
    place: Arc<str>,
}

impl KeyRing {
    /// The most keys a ring has.
    pub const MAX: usize = 16;

    /// A ring with one new key, which is kept nowhere: what it seals is lost with it.
    /// [`KeyFile::create`](super::KeyFile::create) makes one that lasts.
    ///
    /// # Errors
    /// `Internal` when the system gives no random bytes.
    pub fn generate() -> Result<Self> {
        Self::new(vec![MasterKey::random()?], "the key ring")
    }

    /// Reads the keys in the value of `setting`, which errors name: the text of a key file, or keys
    /// of 32 bytes in base64 with white space between them. The first one is the current one.
    ///
    /// # Errors
    /// `Config`, which names the line and never shows what is in it.
    #[expect(
        clippy::disallowed_methods,
        reason = "the value of a setting is read here"
    )]
    pub fn parse(keys: &Secret, setting: &str) -> Result<Self> {
        let keys = keys.expose();
        if text::has_header(keys) {
            Self::new(text::read(keys, setting)?, setting)
        } else {
            Self::new(text::read_bare(keys, setting)?, setting)
        }
    }

    /// A ring of distinct keys, which `place` provides.
    pub(super) fn new(keys: Vec<MasterKey>, place: &str) -> Result<Self> {
        let Some(first) = keys.first() else {
            let message = format!("{place} holds no key: make one with `openssl rand -base64 32`");
            return Err(Error::new(ErrorKind::Config, message));
        };
        if keys.len() > Self::MAX {
            let message = format!("{place} holds more than {} keys", Self::MAX);
            return Err(Error::new(ErrorKind::Config, message));
        }
        Ok(Self {
            current: first.id,
            keys: keys.into(),
            place: place.into(),
        })
    }

    /// The key that seals.
    pub fn current(&self) -> KeyId {
        self.current
    }

    /// All keys, the current one first.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> + '_ {
        self.keys.iter().map(MasterKey::id)
    }

    /// True when the ring opens what this key sealed.
    pub fn contains(&self, id: KeyId) -> bool {
        self.ids().any(|key| key == id)
    }

    /// Seals a key with the current one.
    pub(crate) fn wrap(&self, key: &Key, bound_to: &[u8]) -> Result<Wrapped> {
        let nonce = random_nonce()?;
        let mut content = key.to_content();
        let master = self.find(self.current)?;
        master
            .cipher()?
            .seal(nonce, &bound(bound_to, self.current), &mut content)?;
        let mut bytes = [0; WRAPPED];
        let sealed = nonce.iter().chain(content.iter());
        bytes
            .iter_mut()
            .zip(sealed)
            .for_each(|(to, from)| *to = *from);
        Ok(Wrapped {
            by: self.current,
            bytes,
        })
    }

    /// Opens a key.
    ///
    /// # Errors
    /// `Config` when the ring lacks the key that sealed it; `Refused` when it does not open.
    pub(crate) fn unwrap(
        &self,
        wrapped: &Wrapped,
        bound_to: &[u8],
    ) -> Result<std::result::Result<Key, Refused>> {
        let master = self.find(wrapped.by)?.cipher()?;
        let Some((nonce, sealed)) = wrapped.bytes.split_first_chunk::<NONCE>() else {
            return Ok(Err(Refused));
        };
        let mut key = Key::blank();
        let opened = master.open(
            *nonce,
            &bound(bound_to, wrapped.by),
            sealed,
            key.as_mut_slice(),
        );
        Ok(opened.map(|()| key))
    }

    fn find(&self, id: KeyId) -> Result<&Key> {
        let key = self.keys.iter().find(|key| key.id == id);
        key.map(MasterKey::key).ok_or_else(|| {
            let message = format!(
                "master key {id} is needed to open what it sealed: add it to {}, after the current \
                one",
                self.place
            );
            Error::new(ErrorKind::Config, message).with_context("key_id", id)
        })
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing")
            .field("keys", &self.ids().collect::<Vec<_>>())
            .field("place", &self.place)
            .finish()
    }
}

/// A sealed key is bound to the id of its master key besides what the caller binds it to.
fn bound(to: &[u8], by: KeyId) -> Vec<u8> {
    [by.as_bytes(), to].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cipher::fill;

    fn base64(key: &[u8]) -> String {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(key)
    }

    fn random() -> String {
        let mut key = [0; KEY];
        fill(&mut key).unwrap();
        base64(&key)
    }

    #[test]
    fn an_id_is_the_same_wherever_the_key_is() {
        let parse = |text: String| KeyRing::parse(&Secret::new(text), "X").unwrap();
        let (one, two) = (random(), random());
        let ring = parse(format!("{one}\n{two}"));
        assert_eq!(ring.ids().count(), 2);
        assert_eq!(ring.current(), parse(one).current());
        assert!(ring.contains(parse(two).current()));
        assert!(!ring.contains(KeyRing::generate().unwrap().current()));
        // SHA-256 of the prefix and 32 zeros, by another program.
        let zeros = parse(base64(&[0; KEY])).current();
        assert_eq!(zeros.to_string(), ZEROS);
        assert_eq!(ZEROS.parse::<KeyId>().unwrap(), zeros);
    }

    const ZEROS: &str = "ea44b7ee1cea1421";

    #[test]
    fn an_id_is_16_digits() {
        for text in [
            "",
            "0123456789abcde",
            "0123456789abcdef0",
            "+123456789abcdef",
            "x",
        ] {
            assert!(text.parse::<KeyId>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_setting_is_named_and_its_value_is_not_shown() {
        let key = random();
        let seventeen = (0..17).map(|_| random()).collect::<Vec<_>>();
        for (value, says) in [
            (String::new(), "X holds no key: make one with"),
            ("hush".into(), "X: key 1 is not 32 bytes in base64"),
            (format!("{key} hush"), "X: key 2 is not 32 bytes in base64"),
            (base64(b"hush"), "X: key 1 is not 32 bytes in base64"),
            (format!("{key} {key}"), "X: key 2 is there twice"),
            (seventeen.join(" "), "X holds more than 16 keys"),
        ] {
            let error = KeyRing::parse(&Secret::new(value), "X").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.message().starts_with(says), "{error}");
            assert!(!format!("{error:?}").contains("hush"), "{error:?}");
            assert!(!format!("{error:?}").contains(&key), "{error:?}");
        }
    }

    #[test]
    fn a_ring_prints_as_its_ids() {
        let key = random();
        let ring = KeyRing::parse(&Secret::new(key.as_str()), "X").unwrap();
        let shown = format!("{ring:?}");
        assert!(shown.contains(&ring.current().to_string()));
        assert!(!shown.contains(&key));
    }

    #[test]
    fn a_wrapped_key_is_bound_to_its_purpose_and_its_master_key() {
        let ring = KeyRing::generate().unwrap();
        let key = Key::random().unwrap();
        let wrapped = ring.wrap(&key, b"one").unwrap();
        let opened = ring.unwrap(&wrapped, b"one").unwrap().unwrap();
        assert_eq!(opened.as_bytes(), key.as_bytes());
        assert!(ring.unwrap(&wrapped, b"two").unwrap().is_err());
        let again = ring.wrap(&key, b"one").unwrap();
        assert_ne!(again.bytes, wrapped.bytes, "a nonce was used twice");
    }
}
