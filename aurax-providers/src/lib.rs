//! Wires and presets of AURAX: every provider's request, stream, usage and error format.
//!
//! A wire is a folder of pure codecs, a vendor is data over a wire, and one provider does HTTP.

#[cfg(feature = "anthropic")]
pub mod anthropic;
mod check;
mod demo;
pub mod frame;
mod omissions;
#[cfg(feature = "openai")]
pub mod openai;
mod preset;
mod raw;
mod rules;
pub mod transport;
pub mod wire;

pub use demo::Demo;
pub use preset::{Auth, KeyPolicy, Preset, Protocol};
pub use rules::{ModelRules, RuleBook, Setting};
