//! How many tokens a text is, where nobody says.

mod estimate;

pub(crate) use estimate::estimate_parts;
pub use estimate::{estimate_request, estimate_text};
