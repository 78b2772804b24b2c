//! OpenAI chat completions, and every vendor that speaks it.

/// Where a vendor deviates from OpenAI's own chat completions; each is a fact about what it
/// accepts or sends.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Quirks {}
