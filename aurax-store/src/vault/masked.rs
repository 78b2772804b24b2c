//! What may be shown of a stored secret.

use std::fmt;

use aurax_core::Secret;

/// Up to this many characters, fewer than the last four are shown.
const SHORT: usize = 8;

/// From this many characters on, nobody finds what is not shown by trying fingerprints.
const UNGUESSABLE: usize = 20;

/// All that ever comes back of a stored key: its last characters, and a fingerprint to tell keys
/// apart by.
///
/// It prints as `…abcd`. Of a key of eight characters or fewer it shows a quarter; a key of fewer
/// than twenty has no fingerprint, because someone who knows the last four could try the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Masked {
    last_four: Box<str>,
    fingerprint: Option<Box<str>>,
}

impl Masked {
    /// What may be shown of `secret`, white space around it left out.
    #[expect(
        clippy::disallowed_methods,
        reason = "four characters at most leave the secret"
    )]
    pub fn new(secret: &Secret) -> Self {
        let text = secret.expose().trim();
        let length = text.chars().count();
        let shown = if length > SHORT { 4 } else { length / 4 };
        let fingerprint = secret.fingerprint().to_string();
        Self {
            last_four: last(text, shown),
            fingerprint: (length >= UNGUESSABLE).then(|| fingerprint.into()),
        }
    }

    /// What [`Masked::last_four`] and [`Masked::fingerprint`] gave before they were stored.
    pub fn stored(last_four: &str, fingerprint: Option<&str>) -> Self {
        Self {
            last_four: last(last_four, 4),
            fingerprint: fingerprint.map(Into::into),
        }
    }

    /// The last four characters, fewer of a short key.
    pub fn last_four(&self) -> &str {
        &self.last_four
    }

    /// Half of a hash of the key, in hexadecimal: [`Secret::fingerprint`].
    pub fn fingerprint(&self) -> Option<&str> {
        self.fingerprint.as_deref()
    }
}

impl fmt::Display for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "…{}", self.last_four)
    }
}

/// The last `count` characters, with a question mark for each that would not print.
fn last(text: &str, count: usize) -> Box<str> {
    let skipped = text.chars().count().saturating_sub(count);
    text.chars()
        .skip(skipped)
        .map(|c| {
            if c.is_control() || c.is_whitespace() {
                '?'
            } else {
                c
            }
        })
        .collect::<String>()
        .into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_last_four_characters_are_shown() {
        let masked = Masked::new(&Secret::new(" sk-proj-0123456789abcdef\n"));
        assert_eq!(masked.to_string(), "…cdef");
        assert_eq!(masked.last_four(), "cdef");
        let expected = Secret::new("sk-proj-0123456789abcdef").fingerprint();
        assert_eq!(masked.fingerprint(), Some(&*expected.to_string()));
    }

    #[test]
    fn less_is_shown_of_a_short_key() {
        let table = [
            ("", "…"),
            ("abc", "…"),
            ("abcd", "…d"),
            ("abcdefgh", "…gh"),
            ("abcdefghi", "…fghi"),
        ];
        for (secret, shown) in table {
            let masked = Masked::new(&Secret::new(secret));
            assert_eq!(masked.to_string(), shown);
            assert_eq!(masked.fingerprint(), None);
        }
        let short = Masked::new(&Secret::new("x".repeat(UNGUESSABLE - 1)));
        assert_eq!(short.fingerprint(), None);
    }

    #[test]
    fn what_would_not_print_is_not_shown() {
        let masked = Masked::new(&Secret::new("0123456789\u{1b}[\u{7}é"));
        assert_eq!(masked.last_four(), "?[?é");
    }

    #[test]
    fn a_stored_mask_comes_back_and_shows_no_more() {
        let masked = Masked::new(&Secret::new("sk-0123456789abcdef0123"));
        let again = Masked::stored(masked.last_four(), masked.fingerprint());
        assert_eq!(again, masked);
        assert_eq!(Masked::stored("sk-whole-key", None).last_four(), "-key");
    }

    proptest! {
        #[test]
        fn the_whole_key_is_never_shown(secret in "\\PC{1,40}") {
            let text = secret.trim();
            prop_assume!(!text.is_empty());
            let masked = Masked::new(&Secret::new(secret.as_str()));
            let shown = masked.last_four().chars().count();
            prop_assert!(shown <= 4 && shown < text.chars().count());
        }
    }
}
