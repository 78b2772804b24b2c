//! Passwords that operators set: read from standard input, or made here.

use aurax::{Error, ErrorKind, Secret};
use aws_lc_rs::rand;
use zeroize::Zeroizing;

use super::exit::{Done, Failure};
use super::keys::secret;
use crate::auth::Passwords;
use crate::config::Config;

/// Letters and digits that nobody takes for one another.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// How many of them: 100 bits.
const LENGTH: usize = 20;
/// How many stand together.
const GROUP: usize = 5;

/// A password, and whether it was made here and has to be shown.
pub(super) struct Password {
    secret: Secret,
    shown: Option<Zeroizing<String>>,
}

impl Password {
    /// The first line of standard input.
    pub(super) fn from_stdin(config: &Config) -> Done<Self> {
        let secret = secret(std::io::stdin().lock(), "standard input")?;
        let shortest = config.auth.shortest_password;
        if length(&secret) < shortest {
            return Err(Failure::usage(format!(
                "a password has at least {shortest} characters"
            )));
        }
        Ok(Self {
            secret,
            shown: None,
        })
    }

    /// A random one, such as `k7mwp-2n4xr-v9cte-h3qbz`.
    pub(super) fn generated() -> Done<Self> {
        let mut bytes = Zeroizing::new([0_u8; LENGTH]);
        rand::fill(&mut *bytes)
            .map_err(|_| Error::new(ErrorKind::Internal, "the system gives no random bytes"))?;
        let mut text = Zeroizing::new(String::with_capacity(LENGTH + LENGTH / GROUP));
        for (i, byte) in bytes.iter().enumerate() {
            if i > 0 && i % GROUP == 0 {
                text.push('-');
            }
            // There are 32 letters, so each is as likely.
            let letter = LETTERS.get(usize::from(byte % 32)).copied().unwrap_or(b'x');
            text.push(char::from(letter));
        }
        Ok(Self {
            secret: Secret::new(text.as_str()),
            shown: Some(text),
        })
    }

    pub(super) async fn hash(self) -> Done<(Secret, Option<Zeroizing<String>>)> {
        let hash = Passwords::new()?.hash(self.secret).await?;
        Ok((hash, self.shown))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a password is measured before it is hashed"
)]
fn length(password: &Secret) -> usize {
    password.expose().chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_password_is_long_and_new() {
        let one = Password::generated().unwrap().shown.unwrap();
        let two = Password::generated().unwrap().shown.unwrap();
        assert_ne!(*one, *two);
        assert_eq!(one.len(), LENGTH + 3);
        let known = |c: char| c == '-' || LETTERS.contains(&u8::try_from(c).unwrap());
        assert!(one.chars().all(known), "{}", *one);
    }
}
