//! How many tokens a text is.

#[cfg(feature = "tiktoken")]
mod bpe;
mod chat;
mod count;
mod counter;
mod encodings;
mod estimate;
mod image;
mod memo;
mod schema;
mod size;
mod tokenizer;

pub use count::{Count, CountSource};
pub use counter::TokenCounter;
pub(crate) use estimate::estimate_parts;
pub use estimate::{estimate_request, estimate_text};
pub(crate) use size::input_bound;
