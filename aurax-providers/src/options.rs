//! From a preset to a provider.

use std::fmt;
use std::sync::Arc;

use aurax_core::{Error, ErrorKind, Result, Secret};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::client::{BaseUrl, HttpProvider};
use crate::environment::Environment;
use crate::preset::{Preset, Protocol};
use crate::rules::RuleBook;
use crate::transport::Transport;
use crate::wire::Wire;

/// What a preset leaves open.
#[derive(Default)]
#[non_exhaustive]
pub struct Options {
    /// The API key for calls that bring none of their own.
    pub api_key: Option<Secret>,
    /// Another base URL than the preset's.
    pub base_url: Option<String>,
    /// Another name than the preset's, for a second provider from the same preset; the preset's
    /// aliases are left to the first.
    pub name: Option<String>,
    /// Headers for every request; a value replaces the wire's own and is treated as a secret.
    pub headers: HeaderMap,
}

impl Options {
    /// Nothing but what the preset says.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the key and the base URL from the variables the preset names, the first of each that
    /// is set. A key may also be in a file that the variable with `_FILE` at its end names.
    ///
    /// # Errors
    /// `Config` for a variable that cannot be read or is no base URL; the error names it and never
    /// shows its value.
    pub fn from_environment(preset: &Preset, environment: &dyn Environment) -> Result<Self> {
        let mut options = Self::default();
        for name in preset.key_vars {
            options.api_key = environment.secret(name)?;
            if options.api_key.is_some() {
                break;
            }
        }
        for name in preset.base_url_vars {
            let given = environment.setting(name)?;
            options.base_url = given.map(|given| preset.protocol.base_url(&given).into_owned());
            if let Some(base_url) = &options.base_url {
                BaseUrl::parse(base_url, name)?;
                break;
            }
        }
        Ok(options)
    }

    /// Uses this key for calls that bring none of their own.
    #[must_use]
    pub fn with_api_key(mut self, key: impl Into<Secret>) -> Self {
        self.api_key = Some(key.into());
        self
    }

    /// Uses another base URL than the preset's.
    #[must_use]
    pub fn with_base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// Uses another name than the preset's.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Adds a header to every request.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, mut value: HeaderValue) -> Self {
        value.set_sensitive(true);
        self.headers.insert(name, value);
        self
    }
}

/// A base URL may hold a password until it was looked at.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("api_key", &self.api_key)
            .field("base_url", &self.base_url.as_ref().map(|_| "…"))
            .field("name", &self.name)
            .field("headers", &self.headers.keys())
            .finish()
    }
}

/// The provider a preset and its options describe. Nothing is sent or read.
///
/// # Errors
/// `Config` for a base URL that is missing or wrong, for a name no model name can begin with, or
/// for rules that cannot be read.
pub fn provider(
    preset: &Preset,
    options: Options,
    transport: Arc<dyn Transport>,
) -> Result<HttpProvider> {
    HttpProvider::from_preset(preset, wire(&preset.protocol), options, transport)
}

impl HttpProvider {
    /// The provider a preset and its options describe, over a wire of the caller's choice.
    ///
    /// # Errors
    /// As for [`provider`].
    pub fn from_preset(
        preset: &Preset,
        wire: Box<dyn Wire>,
        options: Options,
        transport: Arc<dyn Transport>,
    ) -> Result<Self> {
        let name = options.name.as_deref().unwrap_or(preset.name);
        if name.is_empty()
            || name.contains(|c: char| c == '/' || c.is_whitespace() || c.is_control())
        {
            let message =
                "Options::name is blank, or has a slash, white space or control characters";
            return Err(Error::new(ErrorKind::Config, message));
        }
        let base_url = match &options.base_url {
            Some(url) => BaseUrl::parse(&preset.protocol.base_url(url), "Options::base_url")?,
            None if preset.base_url.is_empty() => return Err(no_base_url(preset)),
            None => BaseUrl::parse(preset.base_url, "Preset::base_url")?,
        };
        let mut provider = Self::from_parts(name.into(), wire, base_url, transport)
            .with_auth(preset.auth.clone())
            .with_key_policy(preset.key);
        provider.info.prices = preset.prices.map(Into::into);
        provider.info.takes_bare_names = preset.takes_bare_names;
        provider.info.trace_name = preset.trace_name.into();
        if options.name.is_none() {
            provider.info.aliases = preset.aliases.iter().copied().map(Into::into).collect();
        }
        provider.key_vars = preset.key_vars;
        if let Some(key) = options.api_key {
            provider = provider.with_api_key(key);
        }
        if let Some(rules) = preset.rules {
            provider = provider.with_rules(RuleBook::parse(rules)?);
        }
        for (name, value) in &options.headers {
            provider = provider.with_header(name.clone(), value.clone());
        }
        Ok(provider)
    }
}

fn no_base_url(preset: &Preset) -> Error {
    let mut ways = preset.base_url_vars.to_vec();
    ways.push("Options::base_url");
    let message = format!("no base URL for {}: set {}", preset.name, ways.join(" or "));
    Error::new(ErrorKind::Config, message)
}

/// The codec of a protocol.
fn wire(protocol: &Protocol) -> Box<dyn Wire> {
    // Without a feature there is no protocol, which only the place itself shows.
    match *protocol {
        #[cfg(feature = "openai")]
        Protocol::OpenAi(ref quirks) => Box::new(crate::openai::OpenAi::new(quirks.clone())),
        #[cfg(feature = "openai")]
        Protocol::Responses(ref quirks) => {
            Box::new(crate::responses::Responses::new(quirks.clone()))
        }
        #[cfg(feature = "anthropic")]
        Protocol::Anthropic => Box::new(crate::anthropic::Anthropic::new()),
        #[cfg(feature = "gemini")]
        Protocol::Gemini => Box::new(crate::gemini::Gemini::new()),
        #[cfg(feature = "ollama")]
        Protocol::Ollama => Box::new(crate::ollama::Ollama::new()),
    }
}

#[cfg(test)]
#[cfg(feature = "anthropic")]
mod tests;
