//! Wires and presets of AURAX: every provider's request, stream, usage and error format.
//!
//! A wire is a folder of pure codecs, a vendor is data over a wire, and one provider does HTTP.

#[cfg(feature = "anthropic")]
pub mod anthropic;
#[cfg(any(feature = "openai", feature = "anthropic"))]
mod check;
mod client;
mod demo;
mod environment;
#[cfg(feature = "openai")]
mod extra;
#[cfg(any(feature = "openai", feature = "anthropic"))]
mod failure;
pub mod frame;
#[cfg(any(feature = "openai", feature = "anthropic"))]
mod headers;
#[cfg(any(feature = "openai", feature = "anthropic"))]
#[cfg_attr(
    not(all(feature = "openai", feature = "anthropic")),
    allow(dead_code, reason = "each wire uses a part of it")
)]
pub mod inbound;
#[cfg(any(feature = "openai", feature = "anthropic"))]
#[cfg_attr(
    not(all(feature = "openai", feature = "anthropic")),
    allow(dead_code, reason = "each wire uses a part of it")
)]
mod object;
#[cfg(any(feature = "openai", feature = "anthropic"))]
mod omissions;
#[cfg(feature = "openai")]
pub mod openai;
mod options;
mod preset;
pub mod presets;
#[cfg(any(feature = "openai", feature = "anthropic"))]
#[cfg_attr(
    not(all(feature = "openai", feature = "anthropic")),
    allow(dead_code, reason = "each wire uses a part of it")
)]
mod raw;
#[cfg(any(feature = "openai", feature = "anthropic"))]
mod redact;
mod rules;
#[cfg(any(feature = "openai", feature = "anthropic"))]
#[cfg_attr(
    not(all(feature = "openai", feature = "anthropic")),
    allow(dead_code, reason = "each wire uses a part of it")
)]
mod seal;
pub mod transport;
mod unavailable;
pub mod wire;

pub use client::HttpProvider;
pub use demo::Demo;
pub use environment::{Environment, ProcessEnvironment};
pub use options::{Options, provider};
pub use preset::{Auth, KeyPolicy, Preset, Protocol};
pub use rules::{ModelRules, RuleBook, Setting};
#[cfg(any(feature = "openai", feature = "anthropic"))]
pub use seal::Seal;
pub use unavailable::Unavailable;
