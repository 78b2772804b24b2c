//! How many tokens a text is.

#[cfg(feature = "tiktoken")]
mod bpe;
mod encodings;
mod estimate;

pub(crate) use estimate::estimate_parts;
pub use estimate::{estimate_request, estimate_text};
