//! A provider that is known but not set up.

use aurax_core::{
    Call, Capability, Ctx, Error, ErrorKind, Phase, Provider, ProviderInfo, Reply, Result,
    async_trait,
};

use crate::preset::Preset;

/// Stands in for a vendor that lacks a setting, so that calls to it say which.
#[derive(Debug)]
pub struct Unavailable {
    info: ProviderInfo,
    reason: String,
}

impl Unavailable {
    /// The vendor of `preset`, which cannot be called because of `reason`.
    pub fn new(preset: &Preset, reason: &Error) -> Self {
        let mut info = ProviderInfo::new(preset.name, "none");
        info.aliases = preset.aliases.iter().copied().map(Into::into).collect();
        info.prices = preset.prices.map(Into::into);
        info.takes_bare_names = preset.takes_bare_names;
        info.has_credential = false;
        Self {
            info,
            reason: reason.message().to_owned(),
        }
    }
}

#[async_trait]
impl Provider for Unavailable {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn capability(&self) -> Capability {
        Capability::default()
    }

    /// Always fails.
    async fn call(&self, _: &Ctx, _: &Call) -> Result<Reply> {
        Err(Error::new(ErrorKind::Config, &*self.reason)
            .with_context("provider", &self.info.name)
            .with_phase(Phase::Encode))
    }
}
