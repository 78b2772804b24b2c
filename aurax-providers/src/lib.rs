//! Wires and presets of AURAX: every provider's request, stream, usage and error format.
//!
//! A wire is a folder of pure codecs, a vendor is data over a wire, and one provider does HTTP.

#![cfg_attr(
    not(all(
        feature = "openai",
        feature = "anthropic",
        feature = "gemini",
        feature = "ollama"
    )),
    allow(
        dead_code,
        unused_imports,
        reason = "each wire uses a part of what they share; with all of them nothing is idle"
    )
)]

#[cfg(feature = "anthropic")]
pub mod anthropic;
mod check;
mod client;
mod demo;
mod digest;
mod environment;
mod extra;
mod failure;
pub mod frame;
#[cfg(feature = "gemini")]
pub mod gemini;
mod headers;
#[cfg(feature = "testkit")]
pub mod hostile;
#[cfg(any(feature = "openai", feature = "anthropic"))]
pub mod inbound;
mod object;
#[cfg(feature = "ollama")]
pub mod ollama;
mod omissions;
#[cfg(feature = "openai")]
pub mod openai;
mod options;
mod parts;
mod percent;
mod preset;
pub mod presets;
mod raw;
mod redact;
mod refusals;
#[cfg(feature = "openai")]
pub mod responses;
mod rules;
#[cfg(any(feature = "openai", feature = "anthropic"))]
mod seal;
pub mod transport;
mod unavailable;
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
