//! Which encoding a model reads text in.

/// A vocabulary with its pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Encoding {
    R50kBase,
    P50kBase,
    Cl100kBase,
    O200kBase,
    O200kHarmony,
}
