//! Passwords that operators set: read from standard input, or made here.

use std::io::{BufRead as _, BufReader, Read};

use aurax::{Error, ErrorKind, Secret};
use aws_lc_rs::rand;
use zeroize::Zeroizing;

use super::exit::{Done, Failure};
use crate::auth::Passwords;
use crate::config::Config;

/// Letters and digits that nobody takes for one another.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// How many of them: 100 bits.
const LENGTH: usize = 20;
/// The longest password that is read, in bytes.
const LONGEST: usize = 1_024;
/// How many stand together.
const GROUP: usize = 5;

/// A password, and whether it was made here and has to be shown.
pub(super) struct Password {
    secret: Secret,
    shown: Option<Zeroizing<String>>,
}

impl Password {
    /// The first line of standard input. It can be interrupted: the thread that waits for the line
    /// goes with the process.
    pub(super) async fn from_stdin(config: &Config) -> Done<Self> {
        let read = tokio::task::spawn_blocking(|| first_line(std::io::stdin().lock()));
        let secret = read.await.map_err(|error| {
            let message = "standard input was not read";
            Error::new(ErrorKind::Internal, message).with_source(error)
        })??;
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

/// The first line of a stream, without its end. What follows is not read.
fn first_line(stream: impl Read) -> Done<Secret> {
    // Room for all of it: a buffer that grows would leave copies behind.
    let mut line = Zeroizing::new(Vec::with_capacity(LONGEST + 3));
    let mut stream = BufReader::with_capacity(1, stream).take(LONGEST as u64 + 3);
    stream.read_until(b'\n', &mut line).map_err(|error| {
        Failure::config(format!("standard input cannot be read: {}", error.kind()))
    })?;
    let text = line.strip_suffix(b"\n").unwrap_or(&line);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    if text.len() > LONGEST {
        let message = format!("a password has at most {LONGEST} bytes");
        return Err(Failure::usage(message));
    }
    let text = std::str::from_utf8(text)
        .map_err(|_| Failure::usage("the password on standard input is not UTF-8"))?;
    Ok(Secret::new(text))
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
    fn a_password_is_the_first_line_and_nothing_is_read_after_it() {
        #[expect(clippy::disallowed_methods, reason = "the test reads it")]
        let read = |mut text: &[u8]| {
            let line = first_line(&mut text).map(|secret| secret.expose().to_owned());
            (line.ok(), text.len())
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(read(b"one two \nthree\n"), (some("one two "), 6));
        assert_eq!(read(b"one\r\n"), (some("one"), 0));
        assert_eq!(read(b"one"), (some("one"), 0));
        assert_eq!(read(b""), (some(""), 0));
        assert_eq!(read(b"\xff\n").0, None);
        let longest = "x".repeat(LONGEST);
        assert_eq!(
            read(format!("{longest}\r\nmore").as_bytes()).0,
            some(&longest)
        );
        assert_eq!(read(format!("{longest}x\n").as_bytes()).0, None);
    }

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
