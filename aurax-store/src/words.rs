//! Words, as a search knows them: both databases are given the same ones.

use std::collections::BTreeSet;

/// The most characters of a word; of a longer one its beginning is known.
const LONGEST: usize = 64;
/// The most bytes of one message's words: what comes after is not searched. PostgreSQL keeps less
/// than a mebibyte of them.
const MOST: usize = 100_000;
/// Characters around a match.
const SNIPPET: usize = 160;
/// Those of them before it.
const BEFORE: usize = SNIPPET / 4;

/// Where words are and what they are: runs of letters and digits, in lower case.
fn places(text: &str) -> impl Iterator<Item = (usize, String)> {
    let mut end = 0;
    std::iter::from_fn(move || {
        let rest = text.get(end..)?;
        let start = end + rest.find(char::is_alphanumeric)?;
        let word = text.get(start..)?;
        let length = word
            .find(|char: char| !char.is_alphanumeric())
            .unwrap_or(word.len());
        end = start + length;
        let word: String = word.get(..length)?.chars().take(LONGEST).collect();
        Some((start, word.to_lowercase()))
    })
    // What is a letter as a capital may not be one in lower case: marks above it.
    .flat_map(|(at, word)| {
        let parts = word.split(|char: char| !char.is_alphanumeric());
        let parts: Vec<String> = parts.filter(|p| !p.is_empty()).map(str::to_owned).collect();
        parts.into_iter().map(move |part| (at, part))
    })
}

/// The words of a text, each once, with spaces between them.
pub(crate) fn index(text: &str) -> String {
    let mut words = BTreeSet::new();
    let mut bytes = 0;
    for (_, word) in places(text) {
        if bytes + word.len() >= MOST {
            break;
        }
        let length = word.len() + 1;
        if words.insert(word) {
            bytes += length;
        }
    }
    words.into_iter().collect::<Vec<_>>().join(" ")
}

/// The words somebody looks for, each once.
pub(crate) fn wanted(query: &str) -> BTreeSet<String> {
    places(query).map(|(_, word)| word).collect()
}

/// Some of a text around the first of the words.
pub(crate) fn snippet(text: &str, wanted: &BTreeSet<String>) -> String {
    let found = places(text).find(|(_, word)| wanted.contains(word));
    let at = found.map_or(0, |(at, _)| at);
    let before = text.get(..at).unwrap_or_default();
    let start = start(before);
    let rest = text.get(start..).unwrap_or_default().trim_end();
    let shown = beginning(rest);
    let head = if start > 0 { "…" } else { "" };
    let tail = if shown.len() < rest.len() { "…" } else { "" };
    format!("{head}{shown}{tail}")
}

/// Where a snippet begins: a little before the match, between two words.
fn start(before: &str) -> usize {
    let Some((earliest, _)) = before.char_indices().rev().nth(BEFORE) else {
        return 0;
    };
    let near = before.get(earliest..).unwrap_or_default();
    let space = near.find(char::is_whitespace);
    let word = space.and_then(|space| {
        let rest = near.get(space..)?;
        Some(
            space
                + rest
                    .find(|char: char| !char.is_whitespace())
                    .unwrap_or(rest.len()),
        )
    });
    earliest + word.unwrap_or(near.len())
}

/// As much of a text as a snippet holds, cut between two words where there are two.
fn beginning(text: &str) -> &str {
    let Some((end, next)) = text.char_indices().nth(SNIPPET) else {
        return text;
    };
    let head = text.get(..end).unwrap_or(text);
    if next.is_whitespace() {
        return head.trim_end();
    }
    let words = head
        .rfind(char::is_whitespace)
        .and_then(|at| head.get(..at));
    words
        .map(str::trim_end)
        .filter(|words| !words.is_empty())
        .unwrap_or(head)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_word_is_a_run_of_letters_and_digits_in_lower_case() {
        assert_eq!(
            index("Straße 42: the THE x—y, don't!"),
            "42 don straße t the x y"
        );
        assert_eq!(index(" ,.—\0 "), "");
        assert_eq!(wanted("Über Über"), BTreeSet::from(["über".to_owned()]));
        assert_eq!(index("日本語 テスト"), "テスト 日本語");
    }

    #[test]
    fn words_and_their_number_have_a_maximum() {
        let long = "x".repeat(5_000);
        assert_eq!(index(&long).len(), LONGEST);
        assert_eq!(wanted(&long).first().unwrap().len(), LONGEST);
        let many: String = (0..100_000).map(|n| format!("word{n} ")).collect();
        assert!((90_000..=MOST).contains(&index(&many).len()));
    }

    #[test]
    fn a_snippet_is_around_the_match() {
        let text = format!("{} Needle, {}", "hay ".repeat(200), "straw ".repeat(200));
        let snippet = snippet(&text, &wanted("needle"));
        assert!(snippet.starts_with("…hay"), "{snippet}");
        assert!(snippet.contains("Needle,"), "{snippet}");
        assert!(snippet.ends_with("straw…"), "{snippet}");
    }

    #[test]
    fn a_short_text_is_its_own_snippet() {
        assert_eq!(snippet("a needle ", &wanted("needle")), "a needle");
        assert_eq!(snippet("nothing", &wanted("needle")), "nothing");
        assert_eq!(snippet("", &wanted("needle")), "");
    }

    proptest! {
        #[test]
        fn every_word_is_found_and_shown(text in "\\PC{0,400}") {
            let words = index(&text);
            for word in words.split(' ').filter(|word| !word.is_empty()) {
                prop_assert!(wanted(word).contains(word), "{word}");
                prop_assert!(word.chars().all(char::is_alphanumeric));
            }
            let shown = snippet(&text, &wanted(words.split(' ').next_back().unwrap()));
            prop_assert!(shown.chars().count() <= SNIPPET + 2);
        }
    }
}
