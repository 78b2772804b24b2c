//! Providers' words, fit to be shown and logged.

/// The most bytes of a provider's message that are kept.
const MAX_BYTES: usize = 4096;

/// Texts keys begin with, at the length from which a word is taken for one.
const PREFIXES: [(&str, usize); 9] = [
    ("AIza", 20),
    ("sk-", 12),
    ("gsk_", 12),
    ("xai-", 16),
    ("pplx-", 16),
    ("csk-", 16),
    ("fw_", 16),
    ("tgp_", 16),
    ("key-", 24),
];

/// A provider's words without what looks like a key, cut to 4 KiB.
///
/// Keys that are masked already (`sk-inval****key`) stay as they are.
pub(crate) fn redact(words: &str) -> String {
    let words = words
        .get(..boundary(words, MAX_BYTES.saturating_mul(2)))
        .unwrap_or_default();
    let mut out = String::with_capacity(words.len().min(MAX_BYTES));
    let mut after_bearer = false;
    for piece in words.split_inclusive(is_border) {
        let word = piece.trim_end_matches(is_border);
        let border = piece.get(word.len()..).unwrap_or_default();
        match key_start(word) {
            _ if word.is_empty() => {}
            _ if after_bearer => out.push_str("[key]"),
            Some(at) => {
                out.push_str(word.get(..at).unwrap_or_default());
                out.push_str("[key]");
            }
            None => out.push_str(word),
        }
        out.push_str(border);
        after_bearer = match word {
            "" => after_bearer,
            word => word.eq_ignore_ascii_case("bearer"),
        };
    }
    out.truncate(boundary(&out, MAX_BYTES));
    out
}

fn is_border(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '"' | '\'' | '`' | ',' | ';' | '(' | ')' | '<' | '>' | '=' | ':'
        )
}

/// Where a key begins in a word; `None` where there is none.
fn key_start(word: &str) -> Option<usize> {
    if word.contains('*') {
        return None;
    }
    PREFIXES.iter().find_map(|(prefix, length)| {
        let at = word.find(prefix)?;
        let before = word.get(..at)?.chars().next_back();
        let stands_alone = before.is_none_or(|c| !c.is_alphanumeric());
        (stands_alone && word.len().saturating_sub(at) >= *length).then_some(at)
    })
}

/// The last border of characters at or below `limit`.
fn boundary(text: &str, limit: usize) -> usize {
    (0..=limit.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_taken_out() {
        let table = [
            (
                "Incorrect key: sk-proj-abcdef123456.",
                "Incorrect key: [key]",
            ),
            ("key=sk-abcdefghijklmnop, sorry", "key=[key], sorry"),
            (
                "Authorization: Bearer abc.def was refused",
                "Authorization: Bearer [key] was refused",
            ),
            ("'gsk_0123456789abcdef'", "'[key]'"),
            (
                "API key AIzaSyA0123456789abcdefghij expired",
                "API key [key] expired",
            ),
            ("sk-inval**************-key", "sk-inval**************-key"),
            (
                "a risk-averse ask-first task",
                "a risk-averse ask-first task",
            ),
            ("sk-1", "sk-1"),
        ];
        for (words, expected) in table {
            assert_eq!(redact(words), expected);
        }
    }

    #[test]
    fn long_words_are_cut_between_characters() {
        let words = "é".repeat(10_000);
        let cut = redact(&words);
        assert_eq!(cut.len(), MAX_BYTES);
    }
}
