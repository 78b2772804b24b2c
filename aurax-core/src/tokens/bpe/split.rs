//! Splits a text into the pieces that tokens do not cross, as the patterns of the encodings do.
//!
//! The patterns are regular expressions with lookahead and backtracking, whose engine stops with an
//! error on very long runs. Here each is written out as one pass without backtracking; that the
//! pieces are the same is a differential test. Above each stands the pattern; where it is from,
//! `tokens/encodings.json` says.

use super::class::{CLASSES, Class, Classes};

/// Which pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pattern {
    /// Of `r50k_base` and `p50k_base`.
    Words,
    /// Of `cl100k_base`.
    Cl100k,
    /// Of `o200k_base` and `o200k_harmony`.
    O200k,
}

/// The pieces of a text, in order; together they are the text.
pub(super) struct Pieces<'a> {
    text: &'a str,
    classes: &'static Classes,
    pattern: Pattern,
    at: usize,
}

impl<'a> Pieces<'a> {
    pub(super) fn new(text: &'a str, pattern: Pattern) -> Self {
        Self {
            text,
            classes: &CLASSES,
            pattern,
            at: 0,
        }
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.at;
        let (first, next) = self.class(start)?;
        let end = match self.pattern {
            Pattern::Words => self.words(start, first, next),
            Pattern::Cl100k => self.cl100k(start, first, next),
            Pattern::O200k => self.o200k(start, first, next),
        };
        self.at = end;
        self.text.as_bytes().get(start..end)
    }
}

impl Pieces<'_> {
    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    /// The class of the character at `at`, and where the next one is; `None` at the end.
    fn class(&self, at: usize) -> Option<(Class, usize)> {
        let byte = self.byte(at)?;
        if byte.is_ascii() {
            return Some((ascii(byte), at + 1));
        }
        let c = self.text.get(at..)?.chars().next()?;
        Some((self.classes.of(c), at + c.len_utf8()))
    }

    /// The end of the run of characters that are `wanted`, from `at` on.
    fn run(&self, mut at: usize, wanted: impl Fn(Class) -> bool) -> usize {
        while let Some((class, next)) = self.class(at) {
            if !wanted(class) {
                break;
            }
            at = next;
        }
        at
    }

    /// `'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s`
    fn words(&self, start: usize, first: Class, next: usize) -> usize {
        if let Some(end) = self.contraction(start, Case::Lower) {
            return end;
        }
        let (class, from) = match self.byte(start) {
            Some(b' ') => self.class(next).unwrap_or((first, start)),
            _ => (first, next),
        };
        match class {
            class if class.is_letter() => self.run(from, Class::is_letter),
            Class::Number => self.run(from, |class| class == Class::Number),
            class if class.is_sign() => self.run(from, Class::is_sign),
            _ => self.white(start, LineEnds::AreSpace),
        }
    }

    /// `'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+|`
    /// ` ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s`
    fn cl100k(&self, start: usize, first: Class, next: usize) -> usize {
        if let Some(end) = self.contraction(start, Case::Any) {
            return end;
        }
        let second = self.class(next).map(|(class, _)| class);
        match first {
            Class::Number => self.number(next),
            Class::Upper | Class::Lower | Class::Caseless => self.run(next, Class::is_letter),
            Class::Space | Class::Sign | Class::Mark if second.is_some_and(Class::is_letter) => {
                self.run(next, Class::is_letter)
            }
            Class::Sign | Class::Mark => self.signs(next, |byte| matches!(byte, b'\r' | b'\n')),
            Class::Space
                if self.byte(start) == Some(b' ') && second.is_some_and(Class::is_sign) =>
            {
                self.signs(next, |byte| matches!(byte, b'\r' | b'\n'))
            }
            Class::Space | Class::Newline => self.white(start, LineEnds::EndUnlessLast),
        }
    }

    /// With `U` for `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`, `L` for `[\p{Ll}\p{Lm}\p{Lo}\p{M}]` and
    /// `C` for `(?i:'s|'t|'re|'ve|'m|'ll|'d)`:
    /// `[^\r\n\p{L}\p{N}]?U*L+C?|[^\r\n\p{L}\p{N}]?U+L*C?|\p{N}{1,3}|`
    /// ` ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
    fn o200k(&self, start: usize, first: Class, next: usize) -> usize {
        let slashes = |byte| matches!(byte, b'\r' | b'\n' | b'/');
        match first {
            Class::Number => self.number(next),
            Class::Upper | Class::Lower | Class::Caseless => self.word(start).unwrap_or(next),
            // A mark may stand before a word or begin it, and the first is tried first; then
            // comes a word that the mark ends, before one that is all upper case.
            Class::Mark => self
                .lower_word(next)
                .or_else(|| self.lower_word(start))
                .unwrap_or(next),
            Class::Sign => self.word(next).unwrap_or_else(|| self.signs(next, slashes)),
            Class::Space => self.word(next).unwrap_or_else(|| {
                let second = self.class(next).map(|(class, _)| class);
                match (self.byte(start), second) {
                    (Some(b' '), Some(Class::Sign)) => self.signs(next, slashes),
                    _ => self.white(start, LineEnds::End),
                }
            }),
            Class::Newline => self.white(start, LineEnds::End),
        }
    }

    /// `U*L+C?|U+L*C?`
    fn word(&self, start: usize) -> Option<usize> {
        let end = self.lower_word(start);
        end.or_else(|| {
            // No lower case follows, or there would have been a word.
            let upper = self.run(start, |class| class == Class::Upper);
            (upper > start).then(|| self.contracted(upper))
        })
    }

    /// `U*L+C?`
    ///
    /// What is in both classes goes to `U*` first; where nothing is left for `L+`, `U*` gives
    /// back up to the last character that is in both.
    fn lower_word(&self, start: usize) -> Option<usize> {
        let mut at = start;
        let mut last_in_both = None;
        while let Some((class, next)) = self.class(at) {
            match class {
                Class::Upper => {}
                Class::Caseless | Class::Mark => last_in_both = Some(next),
                Class::Lower => {
                    let is_lower =
                        |class| matches!(class, Class::Lower | Class::Caseless | Class::Mark);
                    return Some(self.contracted(self.run(next, is_lower)));
                }
                _ => break,
            }
            at = next;
        }
        last_in_both.map(|end| self.contracted(end))
    }

    fn contracted(&self, end: usize) -> usize {
        self.contraction(end, Case::Any).unwrap_or(end)
    }

    /// The end of `'s`, `'d`, `'m`, `'t`, `'ll`, `'ve` or `'re` at `at`.
    fn contraction(&self, at: usize, case: Case) -> Option<usize> {
        if self.byte(at)? != b'\'' {
            return None;
        }
        let letter = |at| {
            self.byte(at).map(|byte| match case {
                Case::Lower => byte,
                Case::Any => byte.to_ascii_lowercase(),
            })
        };
        match (letter(at + 1)?, letter(at + 2)) {
            (b's' | b'd' | b'm' | b't', _) => Some(at + 2),
            (b'l', Some(b'l')) | (b'v' | b'r', Some(b'e')) => Some(at + 3),
            // The long s is an s in another case.
            (0xc5, Some(0xbf)) if case == Case::Any => Some(at + 3),
            _ => None,
        }
    }

    /// The end of a number of at most three characters, of which the first ends at `next`.
    fn number(&self, next: usize) -> usize {
        let mut end = next;
        for _ in 0..2 {
            match self.class(end) {
                Some((Class::Number, next)) => end = next,
                _ => break,
            }
        }
        end
    }

    /// The end of a run of signs and then of `tail` bytes.
    fn signs(&self, from: usize, tail: impl Fn(u8) -> bool) -> usize {
        let mut end = self.run(from, Class::is_sign);
        while self.byte(end).is_some_and(&tail) {
            end += 1;
        }
        end
    }

    /// The end of a piece of white space: of the whole run, or up to its last line end, or so
    /// that one character is left for the word that follows.
    fn white(&self, start: usize, line_ends: LineEnds) -> usize {
        let mut at = start;
        let mut last_start = start;
        let mut last_line_end = None;
        while let Some((class, next)) = self.class(at) {
            if !class.is_white() {
                break;
            }
            if class == Class::Newline {
                last_line_end = Some(next);
            }
            last_start = at;
            at = next;
        }
        let is_last = at == self.text.len();
        match (line_ends, last_line_end) {
            (LineEnds::End, Some(end)) => end,
            (LineEnds::EndUnlessLast, Some(end)) if !is_last => end,
            _ if is_last || last_start == start => at,
            _ => last_start,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    Lower,
    Any,
}

/// What line ends do in a run of white space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LineEnds {
    /// Nothing that blanks do not.
    AreSpace,
    /// The last one ends the piece.
    End,
    /// The last one ends the piece, unless the run ends the text.
    EndUnlessLast,
}

const fn ascii(byte: u8) -> Class {
    match byte {
        b'A'..=b'Z' => Class::Upper,
        b'a'..=b'z' => Class::Lower,
        b'0'..=b'9' => Class::Number,
        b'\r' | b'\n' => Class::Newline,
        b' ' | b'\t' | 0x0b | 0x0c => Class::Space,
        _ => Class::Sign,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(pattern: Pattern, text: &str) -> Vec<&str> {
        Pieces::new(text, pattern)
            .map(|piece| std::str::from_utf8(piece).unwrap())
            .collect()
    }

    #[test]
    fn words_keep_the_blank_before_them_and_the_contraction_behind() {
        assert_eq!(
            pieces(Pattern::O200k, "I don't  know"),
            ["I", " don't", " ", " know"]
        );
        assert_eq!(
            pieces(Pattern::Cl100k, "I don't  know"),
            ["I", " don", "'t", " ", " know"]
        );
        assert_eq!(
            pieces(Pattern::Words, "it'S 1234"),
            ["it", "'", "S", " 1234"]
        );
    }

    #[test]
    fn case_ends_words_in_the_newer_pattern_only() {
        assert_eq!(
            pieces(Pattern::O200k, "fooBar HTTPServer"),
            ["foo", "Bar", " HTTPServer"]
        );
        assert_eq!(pieces(Pattern::O200k, "日本ABC"), ["日本", "ABC"]);
        assert_eq!(pieces(Pattern::Cl100k, "fooBar"), ["fooBar"]);
    }

    #[test]
    fn line_ends_close_white_space() {
        assert_eq!(
            pieces(Pattern::O200k, "a \n\n  b\n  "),
            ["a", " \n\n", " ", " b", "\n", "  "]
        );
        assert_eq!(
            pieces(Pattern::Cl100k, "a \n\n  b\n  "),
            ["a", " \n\n", " ", " b", "\n  "]
        );
    }

    #[test]
    fn numbers_are_cut_in_threes_and_slashes_stay_with_line_ends() {
        assert_eq!(
            pieces(Pattern::O200k, "12345!\n/x"),
            ["123", "45", "!\n/", "x"]
        );
        assert_eq!(
            pieces(Pattern::Cl100k, "12345!\n/x"),
            ["123", "45", "!\n", "/x"]
        );
    }
}
