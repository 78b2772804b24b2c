//! The engine.

use std::path::PathBuf;
use std::sync::Arc;

use aurax::providers::transport::Transport;
use aurax::providers::{self, HttpProvider, Options, presets};
use aurax::store::{Redis, RedisCache, RedisLimits, RedisOptions, Store};
use aurax::{CachePolicy, Engine, EngineBuilder, MemoryCache, ModelId, Result};

use super::data::installed_prices;
use super::ollama::first_model;
use super::providers::{Layered, PRICES};
use super::store::exposed;
use crate::config::{Config, Environment};

/// The provider that needs no key and says nothing of its own.
const DEMO: &str = "demo";

/// An engine that is all but built.
pub(super) struct Plan {
    builder: EngineBuilder,
    /// Whom to ask for a model, where nobody says which.
    ollama: Option<HttpProvider>,
}

impl Plan {
    /// Reads what the environment says of providers. Nothing is sent.
    pub(super) fn new(
        config: &Config,
        environment: &dyn providers::Environment,
        transport: &Arc<dyn Transport>,
    ) -> Result<Self> {
        let (prices, is_installed) = prices(config);
        let layered = Layered {
            environment,
            config,
            model: config.model.clone(),
            prices: prices.clone(),
        };
        let mut builder = aurax::builder_from(&layered, transport).map_err(|error| {
            match (&prices, is_installed) {
                (Some(path), true) => error.map_text(|text| {
                    let named = format!("{} is a file", path.display());
                    text.replace(&format!("{PRICES} names a file"), &named)
                }),
                _ => error,
            }
        })?;
        if config.environment == Environment::Production {
            builder = builder.without_provider(DEMO);
        }
        let ollama = match config.model.is_none() && !has_key(&layered)? {
            true => ollama(&layered, transport)?,
            false => None,
        };
        Ok(Self { builder, ollama })
    }

    pub(super) async fn build(self, store: &Store, redis: Option<&Redis>) -> Result<Engine> {
        let mut builder = self.builder.store(store.clone());
        if let Some(ollama) = &self.ollama
            && let Some(model) = first_model(ollama).await
        {
            builder = builder.default_model(ModelId::parse(&format!("ollama/{model}"))?);
        }
        // What calls do not ask for is never taken from a cache.
        let policy = CachePolicy::default();
        match redis {
            Some(redis) => builder
                .shared_limits(RedisLimits::new(redis.clone()))
                .cache(RedisCache::new(redis.clone()), policy),
            None => builder.cache(MemoryCache::default(), policy),
        }
        .build()
    }
}

/// The file of prices, and whether it is the installed one.
fn prices(config: &Config) -> (Option<PathBuf>, bool) {
    if config.prices.is_some() {
        return (config.prices.clone(), false);
    }
    let installed = installed_prices(config);
    (installed.exists().then_some(installed), true)
}

/// Whether a provider has a key and a model of its own to ask.
fn has_key(environment: &Layered<'_>) -> Result<bool> {
    for preset in presets::all() {
        let options = Options::from_environment(preset, environment)?;
        if options.api_key.is_some() && preset.default_model.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn ollama(
    environment: &Layered<'_>,
    transport: &Arc<dyn Transport>,
) -> Result<Option<HttpProvider>> {
    let Some(preset) = presets::find("ollama") else {
        return Ok(None);
    };
    let options = Options::from_environment(preset, environment)?;
    providers::provider(preset, options, transport.clone()).map(Some)
}

/// What replicas share, where there is a Redis. Nothing is sent.
pub(super) fn redis(config: &Config) -> Result<Option<Redis>> {
    let Some(url) = &config.redis else {
        return Ok(None);
    };
    let settings = &config.redis_settings;
    let mut options = RedisOptions::new()
        .with_prefix(settings.prefix.clone())
        .with_replicas(settings.replicas);
    if let Some(file) = &settings.ca_file {
        options = options.with_ca_file(file);
    }
    Redis::new(exposed(url), options).map(Some)
}
