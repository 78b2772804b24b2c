//! The bytes in front, and the manifest.

use aurax_core::{Error, ErrorKind, Result};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::{Manifest, PREFIX, Part, damaged, io_failed, nonce, truncated};
use crate::cipher::{Cipher, Key, Refused, TAG, fill};
use crate::vault::{KeyId, KeyRing, WRAPPED, Wrapped};

const MAGIC: &[u8; 8] = b"AURAXBAK";

/// The version this one writes, and the only one it reads.
const VERSION: u8 = 1;

/// Bytes that the sealed key is bound to.
const BOUND: usize = MAGIC.len() + 1 + KeyId::LEN + PREFIX + 4;

/// The longest manifest, in bytes.
const MAX_MANIFEST: usize = 64 * 1024;

/// What the master key seals an archive's key for.
const KEY_OF_AN_ARCHIVE: &[u8] = b"aurax backup key";

/// What opens the parts of an archive.
pub(super) struct Opened {
    pub(super) cipher: Cipher,
    pub(super) prefix: [u8; PREFIX],
    pub(super) manifest: Manifest,
}

/// Header and manifest as bytes, and what seals the chunks that follow.
pub(super) fn begin(keys: &KeyRing, manifest: &Manifest) -> Result<(Vec<u8>, Opened)> {
    let mut content = serde_json::to_vec(manifest).map_err(|error| {
        let message = "the manifest of a backup has no JSON";
        Error::new(ErrorKind::Internal, message).with_source(error)
    })?;
    let length = match u32::try_from(content.len()) {
        Ok(length) if content.len() <= MAX_MANIFEST => length,
        _ => {
            let message = "the manifest of a backup is longer than 64 KiB";
            return Err(Error::new(ErrorKind::InvalidRequest, message));
        }
    };
    let mut prefix = [0; PREFIX];
    fill(&mut prefix)?;
    let mut bytes = Vec::with_capacity(BOUND + WRAPPED + content.len() + TAG);
    bytes.extend(MAGIC);
    bytes.push(VERSION);
    bytes.extend(keys.current().as_bytes());
    bytes.extend(prefix);
    bytes.extend(length.to_be_bytes());
    let key = Key::random()?;
    let wrapped = keys.wrap(&key, &bound(&bytes))?;
    bytes.extend(wrapped.bytes);
    let cipher = key.cipher()?;
    cipher.seal(nonce(prefix, 0, Part::Manifest), b"", &mut content)?;
    bytes.extend(&content);
    let opened = Opened {
        cipher,
        prefix,
        manifest: manifest.clone(),
    };
    Ok((bytes, opened))
}

/// Reads header and manifest.
pub(super) async fn open<R: AsyncRead + Unpin>(from: &mut R, keys: &KeyRing) -> Result<Opened> {
    let header = Header::read(from).await?;
    let wrapped = Wrapped {
        by: header.key_id,
        bytes: part(from).await?,
    };
    let key = keys
        .unwrap(&wrapped, &bound(&header.bytes))?
        .map_err(|Refused| damaged("the archive is damaged in its header"))?;
    let cipher = key.cipher()?;
    let mut sealed = vec![0; header.manifest.saturating_add(TAG)];
    exactly(from, &mut sealed).await?;
    let mut content = vec![0; header.manifest];
    cipher
        .open(
            nonce(header.prefix, 0, Part::Manifest),
            b"",
            &sealed,
            &mut content,
        )
        .map_err(|Refused| damaged("the archive is damaged in its manifest"))?;
    let manifest = serde_json::from_slice(&content).map_err(|error| {
        let message = "this version of AURAX cannot read what the archive says it holds: a later \
            version wrote it";
        Error::new(ErrorKind::Unsupported, message).with_source(error)
    })?;
    Ok(Opened {
        cipher,
        prefix: header.prefix,
        manifest,
    })
}

/// The master key that an archive needs, without opening it. Nothing proves it before
/// [`ArchiveReader::open`](super::ArchiveReader::open) does.
///
/// # Errors
/// `Decode` for what is no archive, `Unsupported` for a later version of the format, `Truncated`
/// for one that ends in its header, `Internal` when it cannot be read.
///
/// # Cancel safety
/// What was read of `from` before the future was dropped is lost.
pub async fn key_of<R: AsyncRead + Unpin>(from: &mut R) -> Result<KeyId> {
    Header::read(from).await.map(|header| header.key_id)
}

struct Header {
    bytes: Vec<u8>,
    key_id: KeyId,
    prefix: [u8; PREFIX],
    /// Bytes of the manifest, without its proof.
    manifest: usize,
}

impl Header {
    async fn read<R: AsyncRead + Unpin>(from: &mut R) -> Result<Self> {
        let magic: [u8; MAGIC.len()] = part(from).await?;
        if magic != *MAGIC {
            return Err(damaged("this is no archive of AURAX"));
        }
        let [version] = part(from).await?;
        if version != VERSION {
            let message = format!(
                "the archive has format {version}, and this version of AURAX reads format \
                {VERSION}: a later version wrote it, or it is damaged"
            );
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        let key_id: [u8; KeyId::LEN] = part(from).await?;
        let prefix: [u8; PREFIX] = part(from).await?;
        let length: [u8; 4] = part(from).await?;
        let manifest = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if manifest > MAX_MANIFEST {
            return Err(damaged("the archive is damaged in its header"));
        }
        Ok(Self {
            bytes: [&magic[..], &[version], &key_id, &prefix, &length].concat(),
            key_id: KeyId::from_bytes(key_id),
            prefix,
            manifest,
        })
    }
}

fn bound(header: &[u8]) -> Vec<u8> {
    [KEY_OF_AN_ARCHIVE, header].concat()
}

async fn part<R: AsyncRead + Unpin, const N: usize>(from: &mut R) -> Result<[u8; N]> {
    let mut part = [0; N];
    exactly(from, &mut part).await?;
    Ok(part)
}

async fn exactly<R: AsyncRead + Unpin>(from: &mut R, part: &mut [u8]) -> Result<()> {
    match from.read_exact(part).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            Err(truncated("the archive ends before its content begins"))
        }
        Err(error) => Err(io_failed("read the archive", error)),
    }
}
