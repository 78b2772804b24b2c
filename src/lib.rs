#![doc = include_str!("../README.md")]

mod env;

pub use aurax_core::*;
/// The wires, presets and transports behind the built-in providers.
pub use aurax_providers as providers;
pub use env::builder_from;
#[cfg(feature = "reqwest")]
pub use env::{builder_from_env, from_env};
