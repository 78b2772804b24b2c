//! Counts tokens by the vocabularies of tiktoken-rs.
//!
//! tiktoken-rs is the reference and the source of the vocabularies. It is not what counts: its
//! splitter stops with a panic on a run of a million blanks, and its merges of long pieces take
//! as long as a second for a megabyte. A differential test holds the counts equal.

mod class;
mod merge;
mod split;
mod vocabulary;

use std::sync::OnceLock;

use merge::Merger;
use split::{Pattern, Pieces};
use tiktoken_rs::CoreBPE;
use vocabulary::Vocabulary;

use super::encodings::Encoding;

/// An encoding with its vocabulary.
pub(super) struct Tokenizer {
    vocabulary: Vocabulary,
    pattern: Pattern,
}

static P50K: OnceLock<Option<Tokenizer>> = OnceLock::new();
static R50K: OnceLock<Option<Tokenizer>> = OnceLock::new();
static CL100K: OnceLock<Option<Tokenizer>> = OnceLock::new();
static O200K: OnceLock<Option<Tokenizer>> = OnceLock::new();

/// Where the tokenizer of an encoding is kept. Encodings that differ in special tokens alone
/// share one: the words of a request are never special.
fn shelf(encoding: Encoding) -> &'static OnceLock<Option<Tokenizer>> {
    match encoding {
        Encoding::P50kBase => &P50K,
        Encoding::R50kBase => &R50K,
        Encoding::Cl100kBase => &CL100K,
        Encoding::O200kBase | Encoding::O200kHarmony => &O200K,
    }
}

/// Whether the vocabulary is in memory, so that counting a short text takes microseconds.
pub(super) fn is_loaded(encoding: Encoding) -> bool {
    shelf(encoding).get().is_some()
}

/// The tokenizer of an encoding, which the first call loads: a fifth of a second. `None` where
/// the reference cannot be read.
pub(super) fn tokenizer(encoding: Encoding) -> Option<&'static Tokenizer> {
    let load = || {
        let (reference, pattern): (fn() -> Result<CoreBPE, _>, Pattern) = match encoding {
            Encoding::P50kBase => (tiktoken_rs::p50k_base, Pattern::Words),
            Encoding::R50kBase => (tiktoken_rs::r50k_base, Pattern::Words),
            Encoding::Cl100kBase => (tiktoken_rs::cl100k_base, Pattern::Cl100k),
            Encoding::O200kBase | Encoding::O200kHarmony => {
                (tiktoken_rs::o200k_base, Pattern::O200k)
            }
        };
        let vocabulary = Vocabulary::new(&reference().ok()?)?;
        Some(Tokenizer {
            vocabulary,
            pattern,
        })
    };
    shelf(encoding).get_or_init(load).as_ref()
}

impl Tokenizer {
    /// How many tokens a text is. Linear in its length for all but contrived texts, for which it
    /// is a logarithm more.
    pub(super) fn count(&self, text: &str) -> u64 {
        let mut merger = Merger::default();
        Pieces::new(text, self.pattern)
            .map(|piece| merger.count(&self.vocabulary, piece))
            .fold(0, u64::saturating_add)
    }
}

#[cfg(test)]
mod tests;
