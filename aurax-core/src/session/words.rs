//! What a search looks for.

use std::collections::HashSet;

/// Characters around a match.
const SNIPPET: usize = 160;

/// The words of a text, in lower case: runs of letters and digits.
pub(super) fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}

/// Some words of the text around the first of `wanted`, where it has them all.
pub(super) fn find(text: &str, wanted: &HashSet<String>) -> Option<String> {
    let said: HashSet<String> = words(text).collect();
    if wanted.is_empty() || !wanted.is_subset(&said) {
        return None;
    }
    Some(snippet(text, wanted))
}

fn snippet(text: &str, wanted: &HashSet<String>) -> String {
    let at = text
        .split(|c: char| !c.is_alphanumeric())
        .scan(0_usize, |end, word| {
            let start = *end;
            let rest = text.get(start.saturating_add(word.len())..).unwrap_or("");
            let sign = rest.chars().next().map_or(0, char::len_utf8);
            *end = start.saturating_add(word.len()).saturating_add(sign);
            Some((start, word))
        })
        .find(|(_, word)| wanted.contains(&word.to_lowercase()))
        .map_or(0, |(start, _)| start);
    let before = text.get(..at).unwrap_or("");
    let start = before
        .char_indices()
        .rev()
        .take(SNIPPET / 4)
        .filter(|(_, c)| c.is_whitespace())
        .last()
        .map_or(at, |(start, c)| start.saturating_add(c.len_utf8()));
    let start = if before.chars().count() <= SNIPPET / 4 {
        0
    } else {
        start
    };
    let rest = text.get(start..).unwrap_or("");
    let cut = cut(rest, SNIPPET);
    let (head, tail) = (
        if start > 0 { "…" } else { "" },
        if cut.len() < rest.trim_end().len() {
            "…"
        } else {
            ""
        },
    );
    format!("{head}{cut}{tail}")
}

/// The first words of a text, at most so many characters; within a word only where it is longer
/// than that by itself.
pub(super) fn cut(text: &str, most: usize) -> &str {
    let text = text.trim_end();
    let Some((end, next)) = text.char_indices().nth(most) else {
        return text;
    };
    let head = text.get(..end).unwrap_or(text);
    if next.is_whitespace() {
        return head.trim_end();
    }
    match head.rfind(char::is_whitespace) {
        Some(space) if !head.get(..space).unwrap_or("").trim().is_empty() => {
            head.get(..space).unwrap_or(head).trim_end()
        }
        _ => head,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(query: &str) -> HashSet<String> {
        words(query).collect()
    }

    #[test]
    fn all_words_count_and_capitals_do_not() {
        let text = "The Quick brown fox, Straße 42.";
        assert!(find(text, &set("QUICK fox")).is_some());
        assert!(find(text, &set("straße 42")).is_some());
        assert!(find(text, &set("quick dog")).is_none());
        assert!(find(text, &set("bro")).is_none(), "half a word is none");
        assert!(find(text, &set("  ,. ")).is_none());
    }

    #[test]
    fn a_snippet_is_around_the_match() {
        let text = format!("{} needle {}", "hay ".repeat(200), "straw ".repeat(200));
        let snippet = find(&text, &set("needle")).unwrap();
        assert!(snippet.contains("needle"), "{snippet}");
        assert!(snippet.starts_with("…hay"), "{snippet}");
        assert!(snippet.ends_with("straw…"), "{snippet}");
        assert!(snippet.chars().count() <= SNIPPET + 2);
        assert_eq!(find("a needle", &set("needle")).unwrap(), "a needle");
    }

    #[test]
    fn a_cut_is_between_words() {
        assert_eq!(cut("one two three", 8), "one two");
        assert_eq!(cut("one two three", 7), "one two");
        assert_eq!(cut("one two three", 6), "one");
        assert_eq!(cut("one two", 80), "one two");
        assert_eq!(cut("äöüäöü", 3), "äöü");
        assert_eq!(cut("", 3), "");
    }
}
