//! Wires and presets of AURAX: every provider's request, stream, usage and error format.
//!
//! A wire is a folder of pure codecs, a vendor is data over a wire, and one provider does HTTP.

#[cfg(feature = "anthropic")]
pub mod anthropic;
pub mod frame;
mod headers;
mod omissions;
#[cfg(feature = "openai")]
pub mod openai;
mod preset;
pub mod presets;
mod redact;
mod rules;
pub mod transport;
pub mod wire;

pub use preset::{Auth, KeyPolicy, Preset, Protocol};
pub use rules::{ModelRules, RuleBook, Setting};
