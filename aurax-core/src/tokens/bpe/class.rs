//! Which of the classes that the patterns of tokenizers tell apart a character belongs to.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex_syntax::hir::{Class as HirClass, HirKind};

/// Characters by Unicode's general category, as far as the patterns tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Class {
    /// Upper or title case: `Lu`, `Lt`.
    Upper,
    /// Lower case: `Ll`.
    Lower,
    /// Letters without case: `Lm`, `Lo`.
    Caseless,
    /// Marks: `M`.
    Mark,
    /// Numbers: `N`.
    Number,
    /// White space that ends no line.
    Space,
    /// `\r` and `\n`.
    Newline,
    /// Signs and everything else.
    Sign,
}

impl Class {
    /// `\p{L}`.
    pub(super) const fn is_letter(self) -> bool {
        matches!(self, Self::Upper | Self::Lower | Self::Caseless)
    }

    /// `\s`.
    pub(super) const fn is_white(self) -> bool {
        matches!(self, Self::Space | Self::Newline)
    }

    /// `[^\s\p{L}\p{N}]`.
    pub(super) const fn is_sign(self) -> bool {
        matches!(self, Self::Sign | Self::Mark)
    }
}

/// Characters in a block.
const BLOCK: usize = 256;
/// Blocks of all code points.
const BLOCKS: usize = 0x11_0000 / BLOCK;

/// The class of every code point.
pub(super) struct Classes {
    /// For each block of code points, which of `blocks` describes it.
    index: Vec<u16>,
    /// The different blocks.
    blocks: Vec<[Class; BLOCK]>,
}

/// From the tables of the same crate that the reference matches with, so both know the same
/// version of Unicode. Made once.
pub(super) static CLASSES: LazyLock<Classes> = LazyLock::new(Classes::new);

impl Classes {
    fn new() -> Self {
        let mut all = vec![Class::Sign; BLOCK * BLOCKS];
        for (pattern, class) in [
            (r"[\p{Lu}\p{Lt}]", Class::Upper),
            (r"\p{Ll}", Class::Lower),
            (r"[\p{Lm}\p{Lo}]", Class::Caseless),
            (r"\p{M}", Class::Mark),
            (r"\p{N}", Class::Number),
            (r"\s", Class::Space),
            (r"[\r\n]", Class::Newline),
        ] {
            for (first, last) in ranges(pattern) {
                if let Some(range) = all.get_mut(first..=last) {
                    range.fill(class);
                }
            }
        }
        let mut blocks = Vec::new();
        let mut seen = HashMap::new();
        let (chunks, _) = all.as_chunks::<BLOCK>();
        let index = chunks.iter().map(|block| {
            *seen.entry(*block).or_insert_with(|| {
                blocks.push(*block);
                u16::try_from(blocks.len() - 1).unwrap_or_default()
            })
        });
        let index = index.collect();
        Self { index, blocks }
    }

    pub(super) fn of(&self, c: char) -> Class {
        let code = c as usize;
        let block = self.index.get(code / BLOCK).map_or(0, |i| usize::from(*i));
        self.blocks
            .get(block)
            .and_then(|block| block.get(code % BLOCK))
            .map_or(Class::Sign, |class| *class)
    }
}

/// The code points that a class of a regular expression has, first and last of each range.
fn ranges(pattern: &str) -> Vec<(usize, usize)> {
    let Ok(hir) = regex_syntax::parse(pattern) else {
        return Vec::new();
    };
    match hir.kind() {
        HirKind::Class(HirClass::Unicode(class)) => class
            .ranges()
            .iter()
            .map(|range| (range.start() as usize, range.end() as usize))
            .collect(),
        HirKind::Class(HirClass::Bytes(class)) => class
            .ranges()
            .iter()
            .map(|range| (usize::from(range.start()), usize::from(range.end())))
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_of_every_class_are_told_apart() {
        for (c, class) in [
            ('A', Class::Upper),
            ('ǅ', Class::Upper),
            ('a', Class::Lower),
            ('ß', Class::Lower),
            ('字', Class::Caseless),
            ('ʰ', Class::Caseless),
            ('\u{301}', Class::Mark),
            ('7', Class::Number),
            ('Ⅷ', Class::Number),
            (' ', Class::Space),
            ('\u{3000}', Class::Space),
            ('\u{b}', Class::Space),
            ('\n', Class::Newline),
            ('\r', Class::Newline),
            ('!', Class::Sign),
            ('\0', Class::Sign),
            ('😀', Class::Sign),
            ('\u{10ffff}', Class::Sign),
        ] {
            assert_eq!(CLASSES.of(c), class, "{c:?}");
        }
    }
}
