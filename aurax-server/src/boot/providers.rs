//! The environment with the configuration behind it: what the one does not say, the other may.

use std::path::PathBuf;

use aurax::Result;
use aurax::providers::{Environment, Preset, presets};

use crate::config::Config;

pub(super) const MODEL: &str = "AURAX_MODEL";
pub(super) const PRICES: &str = "AURAX_PRICES";

/// Variables, and where they lack one of a provider's, the configuration.
pub(super) struct Layered<'a> {
    pub(super) environment: &'a dyn Environment,
    pub(super) config: &'a Config,
    pub(super) model: Option<String>,
    pub(super) prices: Option<PathBuf>,
}

impl Layered<'_> {
    /// Whether any of the names is set in the environment itself.
    fn is_set(&self, names: &[&str]) -> Result<bool> {
        for name in names {
            if self.environment.setting(name)?.is_some()
                || self.environment.setting(&format!("{name}_FILE"))?.is_some()
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn configured(&self, preset: &Preset, name: &str) -> Result<Option<String>> {
        let Some(settings) = self.config.providers.get(preset.name) else {
            return Ok(None);
        };
        let key = preset.key_vars.first().map(|first| format!("{first}_FILE"));
        if key.as_deref() == Some(name) {
            let file = settings.api_key_file.as_ref();
            let file = file.map(|path| path.display().to_string());
            return Ok(file.filter(|_| matches!(self.is_set(preset.key_vars), Ok(false))));
        }
        if preset.base_url_vars.first() == Some(&name) && !self.is_set(preset.base_url_vars)? {
            return Ok(settings.base_url.clone());
        }
        Ok(None)
    }
}

impl Environment for Layered<'_> {
    fn variable(&self, name: &str) -> Result<Option<String>> {
        match name {
            MODEL => return Ok(self.model.clone()),
            PRICES => return Ok(self.prices.as_ref().map(|path| path.display().to_string())),
            _ => {}
        }
        let given = self.environment.variable(name)?;
        if given.as_ref().is_some_and(|value| !value.trim().is_empty()) {
            return Ok(given);
        }
        for preset in presets::all() {
            if let Some(value) = self.configured(preset, name)? {
                return Ok(Some(value));
            }
        }
        Ok(given)
    }
}
