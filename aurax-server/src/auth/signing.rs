//! The keys that sign access tokens, in a file of their own.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use aurax::store::PublicKey;
use aurax::{Error, ErrorKind, Result, Secret};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::{Jwk, JwkSet, KeyOperations, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use zeroize::Zeroizing;

/// The longest file that is read, in bytes.
const MAX: u64 = 64 * 1024;
/// The most keys of a file.
const KEYS: usize = 8;
const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";

/// The RSA keys of a server: the first signs, all are accepted. A key's id is the SHA-256 of its
/// public part (RFC 7638).
///
/// In a file they are PKCS #8 in PEM, one after another; only its owner may read it (mode 0600).
/// To rotate, a new key goes to the front; an earlier one goes when no token it signed is good any
/// more, a quarter of an hour later; invitations that one signed end with it.
#[derive(Clone)]
pub struct SigningKeys {
    id: String,
    signer: EncodingKey,
    known: HashMap<String, DecodingKey>,
    public: JwkSet,
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKeys")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl SigningKeys {
    /// One new key, which is nowhere kept.
    ///
    /// # Errors
    /// `Internal` when none can be made.
    pub fn generate() -> Result<Self> {
        Self::parse(&new_key()?, "the new key")
    }

    /// Reads the keys of a file, which is made with a new key where it is not there.
    ///
    /// # Errors
    /// `Config` for a file that cannot be read, that others may read, or that holds anything but
    /// RSA keys of 2048 bits and more; the message names the file and never shows what is in it.
    pub fn open(path: &Path) -> Result<Self> {
        if !path.exists() {
            place(path, &new_key()?)?;
        }
        Self::read(path)
    }

    /// Reads the keys of a file.
    ///
    /// # Errors
    /// As of [`SigningKeys::open`].
    pub fn read(path: &Path) -> Result<Self> {
        Self::parse(&read(path)?, &path.display().to_string())
    }

    /// Reads keys from the text of a file. `place` says where it is from.
    ///
    /// # Errors
    /// `Config` for anything but RSA keys of 2048 bits and more.
    #[expect(
        clippy::disallowed_methods,
        reason = "the keys are read from the text, which goes nowhere else"
    )]
    pub fn parse_secret(text: &Secret, place: &str) -> Result<Self> {
        Self::parse(text.expose(), place)
    }

    /// Puts a new key in front of a file's keys: it signs from now on.
    ///
    /// # Errors
    /// As of [`SigningKeys::open`], and `Conflict` for a file of eight keys.
    pub fn rotate(path: &Path) -> Result<Self> {
        replace(path, |keys| {
            keys.insert(0, new_key()?);
            Ok(())
        })
    }

    /// Puts a new key behind a file's keys: it is accepted from now on, and signs when it is
    /// [promoted](Self::promote).
    ///
    /// # Errors
    /// As of [`SigningKeys::rotate`].
    pub fn add(path: &Path) -> Result<Self> {
        replace(path, |keys| {
            keys.push(new_key()?);
            Ok(())
        })
    }

    /// Puts the last of a file's keys in front.
    ///
    /// # Errors
    /// As of [`SigningKeys::open`].
    pub fn promote(path: &Path) -> Result<Self> {
        replace(path, |keys| {
            keys.rotate_right(1);
            Ok(())
        })
    }

    /// Reads keys from PEM. `place` says where they are.
    fn parse(pem: &str, place: &str) -> Result<Self> {
        let wrong = |what: &str| {
            let message = format!("{place} {what}");
            Error::new(ErrorKind::Config, message)
        };
        let mut keys = Vec::new();
        for block in blocks(pem) {
            let key = KeyPair::from_pkcs8(&STANDARD.decode(&*block).unwrap_or_default());
            // The library takes the PEM itself; that it is an RSA key is seen here.
            if key.is_err() {
                return Err(wrong("holds something that is no RSA key in PKCS #8"));
            }
            let key = EncodingKey::from_rsa_pem(pem_of(&block).as_bytes())
                .map_err(|_| wrong("holds a key that cannot be read"))?;
            keys.push(key);
        }
        let mut public = JwkSet { keys: Vec::new() };
        let mut known = HashMap::new();
        for key in &keys {
            let unusable = |_| wrong("holds a key that cannot be used");
            let mut jwk = Jwk::from_encoding_key(key, Algorithm::RS256).map_err(unusable)?;
            let id = jwk.thumbprint(ThumbprintHash::SHA256).map_err(unusable)?;
            jwk.common.key_id = Some(id.clone());
            jwk.common.public_key_use = Some(PublicKeyUse::Signature);
            jwk.common.key_operations = Some(vec![KeyOperations::Verify]);
            known.insert(id, DecodingKey::from_jwk(&jwk).map_err(unusable)?);
            public.keys.push(jwk);
        }
        let first = public
            .keys
            .first()
            .and_then(|jwk| jwk.common.key_id.clone());
        let (Some(id), Some(signer)) = (first, keys.into_iter().next()) else {
            return Err(wrong("holds no key: remove it, and a new one is made"));
        };
        Ok(Self {
            id,
            signer,
            known,
            public,
        })
    }

    /// The id of the key that signs.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(super) const fn signer(&self) -> &EncodingKey {
        &self.signer
    }

    pub(super) fn known(&self, id: &str) -> Option<&DecodingKey> {
        self.known.get(id)
    }

    pub(crate) fn has(&self, id: &str) -> bool {
        self.known.contains_key(id)
    }

    /// The public keys.
    pub const fn public(&self) -> &JwkSet {
        &self.public
    }

    /// The public keys as processes share them: each a JWK.
    pub(super) fn to_public(&self) -> Result<Vec<PublicKey>> {
        let keys = self.public.keys.iter().map(|jwk| {
            let id = jwk.common.key_id.clone().unwrap_or_default();
            let public = serde_json::to_string(jwk).map_err(|e| {
                Error::new(ErrorKind::Internal, "a public key is not written").with_source(e)
            })?;
            Ok(PublicKey::new(id, public))
        });
        keys.collect()
    }
}

/// Changes the keys of a file, each of which is PEM.
fn replace(
    path: &Path,
    change: impl FnOnce(&mut Vec<Zeroizing<String>>) -> Result<()>,
) -> Result<SigningKeys> {
    let earlier = read(path)?;
    let place = path.display().to_string();
    SigningKeys::parse(&earlier, &place)?;
    let mut keys = blocks(&earlier).map(|block| pem_of(&block)).collect();
    change(&mut keys)?;
    if keys.len() > KEYS {
        let message = format!("{place} holds {KEYS} keys: remove the last ones");
        return Err(Error::new(ErrorKind::Conflict, message));
    }
    let mut all = Zeroizing::new(String::new());
    keys.iter().for_each(|key| all.push_str(key));
    let changed = SigningKeys::parse(&all, &place)?;
    let draft = path.with_extension("new");
    create(&draft, &all)?;
    fs::rename(&draft, path).map_err(|e| cannot("replace", path, e))?;
    Ok(changed)
}

/// A key as a file holds it.
fn pem_of(text: &str) -> Zeroizing<String> {
    let mut pem = Zeroizing::new(format!("{BEGIN}\n"));
    let mut rest = text;
    while !rest.is_empty() {
        let (line, more) = rest.split_at_checked(64).unwrap_or((rest, ""));
        pem.push_str(line);
        pem.push('\n');
        rest = more;
    }
    pem.push_str(END);
    pem.push('\n');
    pem
}

/// What is between the lines of each key, without white space.
fn blocks(pem: &str) -> impl Iterator<Item = Zeroizing<String>> + '_ {
    pem.split(BEGIN).skip(1).map(|rest| {
        let body = rest.split(END).next().unwrap_or_default();
        Zeroizing::new(body.split_whitespace().collect())
    })
}

fn new_key() -> Result<Zeroizing<String>> {
    let failed = |_| Error::new(ErrorKind::Internal, "no signing key can be made");
    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(failed)?;
    let der: Pkcs8V1Der<'_> = pair.as_der().map_err(failed)?;
    let text = Zeroizing::new(STANDARD.encode(der.as_ref()));
    Ok(pem_of(&text))
}

fn read(path: &Path) -> Result<Zeroizing<String>> {
    let file = fs::File::open(path).map_err(|e| cannot("read", path, e))?;
    let facts = file.metadata().map_err(|e| cannot("read", path, e))?;
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::MetadataExt::mode(&facts) & 0o777;
        if mode & 0o077 != 0 {
            let place = path.display();
            let message = format!(
                "others than its owner may read or change {place} (mode {mode:04o}): run `chmod \
                 600 {place}`"
            );
            return Err(Error::new(ErrorKind::Config, message));
        }
    }
    if !facts.is_file() || facts.len() > MAX {
        let message = format!("{} is no file of signing keys", path.display());
        return Err(Error::new(ErrorKind::Config, message));
    }
    let mut text = Zeroizing::new(String::new());
    file.take(MAX)
        .read_to_string(&mut text)
        .map_err(|e| cannot("read", path, e))?;
    Ok(text)
}

/// Makes a file that is there whole or not at all; one that another process has made meanwhile
/// stays.
fn place(path: &Path, text: &str) -> Result<()> {
    let name = format!("{}.new", aurax::new_id().simple());
    let draft = path.with_extension(name);
    create(&draft, text)?;
    let placed = fs::hard_link(&draft, path);
    fs::remove_file(&draft).map_err(|e| cannot("tidy up beside", path, e))?;
    match placed {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(cannot("make", path, error))
        }
        _ => Ok(()),
    }
}

fn create(path: &Path, text: &str) -> Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(|e| cannot("make", path, e))?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(|e| cannot("write", path, e))
}

fn cannot(what: &str, path: &Path, error: io::Error) -> Error {
    let message = format!("cannot {what} the file of signing keys {}", path.display());
    Error::new(ErrorKind::Config, message).with_source(error)
}
