//! Wires and presets of AURAX: every provider's request, stream, usage and error format.
//!
//! A wire is a folder of pure codecs, a vendor is data over a wire, and one provider does HTTP.

#[cfg(feature = "anthropic")]
pub mod anthropic;
#[cfg(any(
    feature = "openai",
    feature = "anthropic",
    feature = "gemini",
    feature = "ollama"
))]
mod check;
mod client;
mod demo;
#[cfg(any(
    feature = "openai",
    feature = "anthropic",
    feature = "gemini",
    feature = "ollama"
))]
mod digest;
mod environment;
#[cfg(any(feature = "openai", feature = "gemini", feature = "ollama"))]
mod extra;
#[cfg(any(
    feature = "openai",
    feature = "anthropic",
    feature = "gemini",
    feature = "ollama"
))]
mod failure;
pub mod frame;
#[cfg(feature = "gemini")]
pub mod gemini;
#[cfg(any(
    feature = "openai",
    feature = "anthropic",
    feature = "gemini",
    feature = "ollama"
))]
mod headers;
#[cfg(feature = "testkit")]
pub mod hostile;
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
#[cfg(feature = "ollama")]
pub mod ollama;
#[cfg(any(
    feature = "openai",
    feature = "anthropic",
    feature = "gemini",
    feature = "ollama"
))]
mod omissions;
#[cfg(feature = "openai")]
pub mod openai;
mod options;
#[cfg(any(
    feature = "openai",
    feature = "anthropic",
    feature = "gemini",
    feature = "ollama"
))]
#[cfg_attr(
    not(any(feature = "anthropic", feature = "gemini", feature = "ollama")),
    allow(dead_code, reason = "each wire uses a part of it")
)]
mod parts;
#[cfg(any(feature = "anthropic", feature = "gemini"))]
mod percent;
mod preset;
pub mod presets;
#[cfg(any(
    feature = "openai",
    feature = "anthropic",
    feature = "gemini",
    feature = "ollama"
))]
#[cfg_attr(
    not(all(feature = "openai", feature = "anthropic")),
    allow(dead_code, reason = "each wire uses a part of it")
)]
mod raw;
#[cfg(any(
    feature = "openai",
    feature = "anthropic",
    feature = "gemini",
    feature = "ollama"
))]
mod redact;
#[cfg(any(
    feature = "openai",
    feature = "anthropic",
    feature = "gemini",
    feature = "ollama"
))]
#[cfg_attr(
    not(all(feature = "openai", feature = "anthropic", feature = "gemini")),
    allow(dead_code, reason = "each wire uses a part of it")
)]
mod refusals;
#[cfg(feature = "openai")]
pub mod responses;
mod rules;
#[cfg(any(feature = "openai", feature = "anthropic"))]
#[cfg_attr(
    not(all(feature = "openai", feature = "anthropic")),
    allow(dead_code, reason = "each wire uses a part of it")
)]
mod seal;
pub mod transport;
mod unavailable;
#[cfg(any(feature = "openai", feature = "gemini", feature = "ollama"))]
mod vectors;
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
