//! The tokenizers of this build: those of tiktoken-rs, or none.

use super::encodings::Encoding;

/// Counts a text; `None` where this build has no vocabulary for the encoding.
#[cfg(feature = "tiktoken")]
pub(super) fn count(encoding: Encoding, text: &str) -> Option<u64> {
    super::bpe::tokenizer(encoding).map(|tokenizer| tokenizer.count(text))
}

/// Loads the vocabulary; `None` where this build has none.
#[cfg(feature = "tiktoken")]
pub(super) fn load(encoding: Encoding) -> Option<()> {
    super::bpe::tokenizer(encoding).map(|_| ())
}

/// Whether counting need not load anything first.
#[cfg(feature = "tiktoken")]
pub(super) fn is_loaded(encoding: Encoding) -> bool {
    super::bpe::is_loaded(encoding)
}

#[cfg(not(feature = "tiktoken"))]
pub(super) const fn count(_: Encoding, _: &str) -> Option<u64> {
    None
}

#[cfg(not(feature = "tiktoken"))]
pub(super) const fn load(_: Encoding) -> Option<()> {
    None
}

#[cfg(not(feature = "tiktoken"))]
pub(super) const fn is_loaded(_: Encoding) -> bool {
    true
}
