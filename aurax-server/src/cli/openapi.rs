//! `aurax openapi`.

use aurax::providers::Demo;
use aurax::store::{KeyRing, Store, Vault};
use aurax::{Engine, Result};
use clap::Args;

use super::exit::Done;
use super::shell::Shell;
use crate::auth::SigningKeys;
use crate::config::Config;
use crate::{State, StateParts};

/// Print the OpenAPI document.
#[derive(Debug, Args)]
#[command(after_long_help = "Example:
  aurax openapi > openapi.json

It is OpenAPI 3.1, the same as the server's /openapi.json. Nothing is opened for it.")]
pub(super) struct Openapi {}

impl Openapi {
    pub(super) async fn run(self, shell: &Shell) -> Done {
        shell.out.line(crate::openapi(state().await?)?)
    }
}

/// The document follows from the routes, which want a state: one in memory.
async fn state() -> Result<State> {
    let store = Store::in_memory().await?;
    let engine = Engine::builder()
        .provider(Demo::new())
        .store(store.clone())
        .build()?;
    let (vault, keys) = (Vault::new(KeyRing::generate()?), SigningKeys::generate()?);
    State::new(StateParts::new(Config::new(), engine, store, vault, keys))
}
