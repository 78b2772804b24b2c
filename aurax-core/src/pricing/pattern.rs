//! Patterns for model names: literal text with four signs.

use serde::Deserialize;

/// A name or a pattern of a model in the price book.
///
/// * `#` is one digit.
/// * `*` at the end is a version decoration, such as `-latest`, `-2026-11-21` or `:0`.
/// * `*` at the beginning is a route to the model, such as a region or a publisher; the book
///   lists the [`Routes`].
/// * `**` at either end is anything.
///
/// So a pattern never matches a longer name of another model: `-mini`, `-lite` and `-9` are
/// neither decorations nor routes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum NamePattern {
    Literal(String),
    Pattern(Pattern),
}

impl NamePattern {
    pub(crate) fn matches(&self, name: &str, routes: &Routes) -> bool {
        match self {
            Self::Literal(literal) => literal == name,
            Self::Pattern(pattern) => pattern.matches(name, routes),
        }
    }
}

impl TryFrom<String> for NamePattern {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let text = text.trim().to_lowercase();
        if text.is_empty() {
            return Err("a name is not blank");
        }
        if !text.contains(['*', '#']) {
            return Ok(Self::Literal(text));
        }
        Pattern::parse(&text).map(Self::Pattern)
    }
}

/// A name with at least one sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    before: Before,
    body: String,
    after: After,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Route,
    Anything,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    Nothing,
    Decoration,
    Anything,
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let (before, rest) = match (text.strip_prefix("**"), text.strip_prefix('*')) {
            (Some(rest), _) => (Before::Anything, rest),
            (None, Some(rest)) => (Before::Route, rest),
            (None, None) => (Before::Nothing, text),
        };
        let (after, body) = match (rest.strip_suffix("**"), rest.strip_suffix('*')) {
            (Some(body), _) => (After::Anything, body),
            (None, Some(body)) => (After::Decoration, body),
            (None, None) => (After::Nothing, rest),
        };
        if body.contains('*') {
            return Err("`*` stands at the beginning or the end of a pattern");
        }
        if body.is_empty() && before == Before::Route {
            return Err("a pattern has text beside its `*`; anything at all is `**`");
        }
        Ok(Self {
            before,
            body: body.to_owned(),
            after,
        })
    }

    /// How specific the pattern is: its characters that are not signs.
    pub(super) fn weight(&self) -> usize {
        self.body.bytes().filter(|byte| *byte != b'#').count()
    }

    /// Whether the pattern is nothing but its signs for anything.
    pub(super) fn is_anything(&self) -> bool {
        let takes_all = self.before == Before::Anything || self.after == After::Anything;
        takes_all && self.body.is_empty()
    }

    /// Whether `name`, in lower case, is one of the names.
    pub(super) fn matches(&self, name: &str, routes: &Routes) -> bool {
        let Some(last_start) = name.len().checked_sub(self.body.len()) else {
            return false;
        };
        let starts = match self.before {
            Before::Nothing => 0..=0,
            Before::Route | Before::Anything => 0..=last_start,
        };
        starts.into_iter().any(|start| {
            let Some((before, rest)) = name.split_at_checked(start) else {
                return false;
            };
            let Some((body, after)) = rest.split_at_checked(self.body.len()) else {
                return false;
            };
            self.body_matches(body)
                && (self.before != Before::Route || routes.lead(before))
                && match self.after {
                    After::Nothing => after.is_empty(),
                    After::Decoration => decorates(after, self.ends_in_separator()),
                    After::Anything => true,
                }
        })
    }

    fn body_matches(&self, text: &str) -> bool {
        let mut pairs = self.body.bytes().zip(text.bytes());
        pairs.all(|(sign, byte)| match sign {
            b'#' => byte.is_ascii_digit(),
            literal => literal == byte,
        })
    }

    fn ends_in_separator(&self) -> bool {
        self.body.ends_with(SEPARATORS)
    }
}

const SEPARATORS: [char; 4] = ['-', '@', ':', '.'];

const VERSION_WORDS: [&str; 7] = [
    "latest",
    "default",
    "preview",
    "exp",
    "experimental",
    "beta",
    "stable",
];

/// A separator and the text up to the next one.
#[derive(Clone, Copy)]
struct Segment<'a> {
    /// `None` where the pattern itself ended in the separator.
    separator: Option<char>,
    text: &'a str,
}

impl Segment<'_> {
    /// Whether the segment is a version by itself.
    fn is_version(self) -> bool {
        match self.separator {
            Some('[') => self.is_window(),
            Some(':') => self.is_revision() || self.is_word(),
            _ => self.is_word(),
        }
    }

    /// `latest`, `v1`, `001`, `0613`, `20250929`.
    fn is_word(self) -> bool {
        VERSION_WORDS.contains(&self.text)
            || self.text.strip_prefix('v').is_some_and(is_number)
            || is_digits(self.text, 3)
            || is_digits(self.text, 4)
            || (is_digits(self.text, 8) && self.text.starts_with("20"))
    }

    /// `:0`, `:128k`.
    fn is_revision(self) -> bool {
        is_number(self.text.strip_suffix('k').unwrap_or(self.text))
    }

    /// `[1m]`.
    fn is_window(self) -> bool {
        self.text
            .strip_suffix("k]")
            .or_else(|| self.text.strip_suffix("m]"))
            .is_some_and(is_number)
    }

    /// Whether the segment and the `next` one are a month and a day, or a month and a year. With
    /// a year before them, which is a word, they are a date.
    fn is_dated_by(self, next: Segment<'_>) -> bool {
        self.separator != Some('[')
            && is_digits(self.text, 2)
            && self.text.starts_with(['0', '1'])
            && next.separator == Some('-')
            && (is_digits(next.text, 2) && next.text.starts_with(['0', '1', '2', '3'])
                || is_digits(next.text, 4) && next.text.starts_with("20"))
    }
}

fn is_digits(text: &str, count: usize) -> bool {
    text.len() == count && is_number(text)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether `text` only says which version of a model is meant.
fn decorates(text: &str, after_separator: bool) -> bool {
    if text.is_empty() {
        return true;
    }
    let Some(segments) = segments(text, after_separator) else {
        return false;
    };
    // From the end: whether what follows this segment, and what follows the next, decorates.
    let (mut rest, mut rest_after_next) = (true, false);
    let mut next = None;
    for segment in segments.into_iter().rev() {
        let decorates = segment.is_version() && rest
            || next.is_some_and(|next| segment.is_dated_by(next)) && rest_after_next;
        (rest, rest_after_next) = (decorates, rest);
        next = Some(segment);
    }
    rest
}

/// Cuts `text` before each separator; `None` where it does not begin with one but has to.
fn segments(text: &str, after_separator: bool) -> Option<Vec<Segment<'_>>> {
    let is_separator = |c: char| SEPARATORS.contains(&c) || c == '[';
    let mut segments = Vec::new();
    let mut rest = text;
    if after_separator {
        let (first, later) =
            rest.split_at_checked(rest.find(is_separator).unwrap_or(rest.len()))?;
        segments.push(Segment {
            separator: None,
            text: first,
        });
        rest = later;
    }
    while let Some(separator) = rest.chars().next() {
        let inner = rest.strip_prefix(is_separator)?;
        let (text, later) =
            inner.split_at_checked(inner.find(is_separator).unwrap_or(inner.len()))?;
        segments.push(Segment {
            separator: Some(separator),
            text,
        });
        rest = later;
    }
    Some(segments)
}

/// What may stand before a model's name on its way through clouds and regions.
///
/// As data, a list of steps; each step is a list of prefixes of which at most one is there. In a
/// prefix `*` is a run of letters, digits, `-` and `_`, which may be empty.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct Routes(Vec<Vec<String>>);

impl Routes {
    /// Whether `text` is a route from its beginning to its end.
    fn lead(&self, text: &str) -> bool {
        fn follow(steps: &[Vec<String>], text: &str) -> bool {
            match steps.split_first() {
                None => text.is_empty(),
                Some((step, later)) => {
                    follow(later, text)
                        || step
                            .iter()
                            .filter_map(|prefix| strip(prefix, text))
                            .any(|rest| follow(later, rest))
                }
            }
        }
        follow(&self.0, text)
    }
}

/// Takes `prefix`, with its runs, off the beginning of `text`.
fn strip<'a>(prefix: &str, text: &'a str) -> Option<&'a str> {
    let mut pieces = prefix.split('*');
    let mut rest = text.strip_prefix(pieces.next()?)?;
    for piece in pieces {
        let in_run = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        rest = rest.trim_start_matches(in_run).strip_prefix(piece)?;
    }
    Some(rest)
}
