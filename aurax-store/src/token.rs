//! Random tokens that are shown once and known by their hash from then on.

use aurax_core::{Error, ErrorKind, Result, Secret};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The longest text that is looked up.
const LONGEST: usize = 512;

/// A token nobody else has.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) secret: Secret,
    pub(crate) hash: Vec<u8>,
    pub(crate) last_four: String,
}

impl Token {
    /// 256 random bits after a prefix that says what they are.
    pub(crate) fn new(prefix: &str) -> Result<Self> {
        let mut bytes = zeroize::Zeroizing::new([0; 32]);
        aws_lc_rs::rand::fill(bytes.as_mut())
            .map_err(|_| Error::new(ErrorKind::Internal, "the system gives no random bytes"))?;
        let secret = Secret::new(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(*bytes)));
        let text = expose(&secret);
        Ok(Self {
            hash: digest(&SHA256, text.as_bytes()).as_ref().to_vec(),
            last_four: text.get(text.len() - 4..).unwrap_or_default().to_owned(),
            secret,
        })
    }
}

/// What a token is kept under; `None` for a text that is none.
pub(crate) fn hash(secret: &Secret) -> Option<Vec<u8>> {
    let text = expose(secret);
    (text.len() <= LONGEST).then(|| digest(&SHA256, text.as_bytes()).as_ref().to_vec())
}

#[expect(
    clippy::disallowed_methods,
    reason = "a token is known by its hash, which is made here"
)]
fn expose(secret: &Secret) -> &str {
    secret.expose()
}
