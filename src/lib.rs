#![doc = include_str!("../README.md")]

mod env;

pub use aurax_core::*;
/// The wires, presets and transports behind the built-in providers.
pub use aurax_providers as providers;
/// Users, keys, sessions, history and the ledger, in a database.
#[cfg(any(feature = "postgres", feature = "redis", feature = "sqlite"))]
pub use aurax_store as store;
pub use env::builder_from;
#[cfg(feature = "reqwest")]
pub use env::{builder_from_env, from_env};
