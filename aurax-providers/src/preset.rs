//! A vendor as data.

use std::borrow::Cow;

use http::HeaderName;

/// A vendor: where it is, how it wants its key, which wire it speaks and where it deviates.
///
/// Names, variables and addresses are facts from the vendor's documentation; each deviation is a
/// documented field of its wire's quirks.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Preset {
    /// The name model names begin with.
    pub name: &'static str,
    /// Other names for it.
    pub aliases: &'static [&'static str],
    /// The base URL, which paths are appended to.
    pub base_url: &'static str,
    /// Variables that may hold another base URL, the first that is set wins.
    pub base_url_vars: &'static [&'static str],
    /// Variables that may hold the key, the first that is set wins.
    pub key_vars: &'static [&'static str],
    /// Whether it answers without a key.
    pub key: KeyPolicy,
    /// How it wants the key.
    pub auth: Auth,
    /// Its key in the price book; `None` where nothing is known about prices.
    pub prices: Option<&'static str>,
    /// Its name in traces.
    pub trace_name: &'static str,
    /// Whether models named without a provider may lead here
    /// ([`ProviderInfo::takes_bare_names`](aurax_core::ProviderInfo)): not for a second way to the
    /// same models.
    pub takes_bare_names: bool,
    /// A small model of its own for a program that names none; `None` where there is no such thing.
    pub default_model: Option<&'static str>,
    /// What models take and refuse, as JSON; `None` for no rules.
    pub rules: Option<&'static str>,
    /// The wire it speaks and where it deviates from it.
    pub protocol: Protocol,
}

/// Whether a vendor answers without a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPolicy {
    /// It refuses calls without one.
    Required,
    /// It runs on the user's own machine and usually has none.
    Optional,
}

/// How a vendor wants its key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Auth {
    /// `Authorization: Bearer …`.
    Bearer,
    /// A header of its own.
    Header(HeaderName),
}

/// The wire a vendor speaks, and where it deviates from it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Protocol {
    /// OpenAI chat completions.
    #[cfg(feature = "openai")]
    OpenAi(crate::openai::Quirks),
    /// OpenAI responses.
    #[cfg(feature = "openai")]
    Responses(crate::responses::Quirks),
    /// Anthropic messages.
    #[cfg(feature = "anthropic")]
    Anthropic,
    /// Gemini.
    #[cfg(feature = "gemini")]
    Gemini,
    /// Ollama's own.
    #[cfg(feature = "ollama")]
    Ollama,
}

impl Protocol {
    /// An address a user gave, as a URL: some clients of a protocol take less than that.
    pub(crate) fn base_url<'a>(&self, given: &'a str) -> Cow<'a, str> {
        #[cfg(feature = "ollama")]
        if matches!(self, Self::Ollama) {
            return Cow::Owned(crate::ollama::base_url(given));
        }
        Cow::Borrowed(given)
    }
}
