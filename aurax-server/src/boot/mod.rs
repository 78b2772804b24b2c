//! A process from its configuration: the store, the keys, what replicas share, and the engine.

mod close;
mod data;
mod engine;
mod ollama;
mod providers;
mod store;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use aurax::providers::Environment;
use aurax::providers::transport::Transport;
use aurax::store::backup::KeySource;
use aurax::store::{LedgerOptions, ModelLists, Redis, Store, Vault};
use aurax::{Engine, Result};

use crate::config::Config;

pub(crate) use close::close_store;
pub(crate) use data::signing_keys;
pub use data::{folder, installed_prices};
pub use store::{backup_keys, open_store, open_vault, postgres_options};
pub(crate) use store::{key_source, open_signing_keys, own_keys};

/// Everything a process works with.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Boot {
    /// What the operator chose.
    pub config: Arc<Config>,
    /// Where everything is kept.
    pub store: Store,
    /// What seals provider keys.
    pub vault: Vault,
    /// What seals backups.
    pub keys: KeySource,
    /// What replicas share, where there is a Redis.
    pub redis: Option<Redis>,
    /// Lists of models, where there is a Redis.
    pub models: Option<ModelLists>,
    /// The engine, over the store.
    pub engine: Engine,
    /// What the engine sends with.
    pub transport: Arc<dyn Transport>,
}

impl Boot {
    /// Makes the data folder where it is missing, opens the store, which is migrated, the keys and
    /// Redis, and puts the engine together.
    ///
    /// Providers and their keys come from their usual variables, then from the configuration. The
    /// model that is asked where none is named is the configuration's, else a small one of the
    /// first provider with a key, else the first that an Ollama lists within 300 ms, else
    /// `demo/echo`; in production the demo is not there.
    ///
    /// # Errors
    /// `Config` for what the operator has to put right; `Store` when the database cannot be
    /// opened.
    ///
    /// # Cancel safety
    /// A dropped future leaves at most what was made: the folder, the store and the key file.
    pub async fn open(
        config: Config,
        environment: &dyn Environment,
        transport: Arc<dyn Transport>,
    ) -> Result<Self> {
        folder(&config.data)?;
        let plan = engine::Plan::new(&config, environment, &transport)?;
        let redis = engine::redis(&config)?;
        let store = open_store(&config).await?;
        let vault = open_vault(&config, &store).await?;
        let options = LedgerOptions::default().with_in_flight(config.limits.in_flight);
        store.ledger(options)?;
        let engine = plan.build(&store, redis.as_ref()).await?;
        Ok(Self {
            keys: backup_keys(&config, &vault),
            models: redis.clone().map(ModelLists::new),
            config: Arc::new(config),
            store,
            vault,
            redis,
            engine,
            transport,
        })
    }
}
