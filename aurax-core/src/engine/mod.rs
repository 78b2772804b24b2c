//! Providers, policy and prices put together: what programs and servers talk to.

mod builder;
mod quote;
mod router;

use std::sync::Arc;

use async_trait::async_trait;

pub use builder::EngineBuilder;
pub use quote::{Fits, Quote};
use router::Router;

use crate::call::Call;
use crate::chat::{Request, Response};
use crate::clock::Clock;
use crate::ctx::{Ctx, Principal, Timeouts};
use crate::embed::EmbedRequest;
use crate::error::{Error, ErrorKind, Phase, Result};
#[cfg(doc)]
use crate::layer::Disconnect;
use crate::layer::DisconnectPolicies;
use crate::ledger::Ledger;
use crate::model::{ModelId, ModelInfo};
use crate::pricing::{Cost, PriceBook, Pricer, Sale};
use crate::provider::{Capability, Catalog, Provider, ProviderExt, ProviderInfo};
use crate::reply::Reply;
use crate::session::{self, Runs, SessionSettings, SessionStore, Sessions};
use crate::tokens::TokenCounter;
use crate::usage::Usage;

/// One engine over many providers. Cheap to clone; all clones share providers, limits and ledger.
///
/// A call passes trace, meter, quota, cache and fallback, is routed by its model's name, and at
/// its provider passes retry, breaker, rate, concurrency, attempt and timeout. Every call that reaches a provider is settled exactly once
/// in the ledger, however it ends.
///
/// ```
/// # use aurax_core::{Engine, Error};
/// let engine = Engine::builder().build()?;
/// assert!(engine.providers().next().is_none());
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Engine {
    stack: Arc<dyn Provider>,
    router: Arc<Router>,
    default_model: Option<ModelId>,
    pricer: Arc<Pricer>,
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    tokens: Arc<TokenCounter>,
    disconnect: DisconnectPolicies,
    store: Option<Arc<dyn SessionStore>>,
    runs: Runs,
    title_model: Option<ModelId>,
    timeouts: Timeouts,
}

impl Engine {
    /// An engine to be put together.
    pub fn builder() -> EngineBuilder {
        EngineBuilder::new()
    }

    /// The configured providers, in the order they were added.
    pub fn providers(&self) -> impl Iterator<Item = &ProviderInfo> {
        self.router.providers().map(|provider| provider.info())
    }

    /// The limits of calls that bring no timeouts of their own.
    pub const fn timeouts(&self) -> &Timeouts {
        &self.timeouts
    }

    /// A configured provider by its name or an alias, for its [`Provider::catalog`]; calls made on
    /// it pass no layer and are not recorded.
    ///
    /// # Errors
    /// `NotFound` for another name; the message lists near ones.
    pub fn provider(&self, name: &str) -> Result<Arc<dyn Provider>> {
        self.router.provider(name)
    }

    /// Where a model's name leads: the provider, and the name the provider takes.
    ///
    /// # Errors
    /// `ModelNotFound` when the name leads nowhere or to several providers; the message lists them
    /// or near names.
    pub fn resolve(&self, model: &str) -> Result<(ProviderInfo, ModelId)> {
        let (provider, model) = self.router.resolve(&ModelId::parse(model)?)?;
        Ok((provider.info().clone(), model))
    }

    /// The model to ask when the caller names none.
    ///
    /// # Errors
    /// `Config` when the engine was built without one.
    pub fn default_model(&self) -> Result<&str> {
        self.default_model
            .as_ref()
            .map(ModelId::as_str)
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::Config,
                    "no model is named and the engine has no default model",
                )
                .with_phase(Phase::Encode)
            })
    }

    /// The model that a send asks, by its own settings ([`SendRequest::settings`]) and those of its
    /// session: the send's model, else the session's, else the default one, at the provider that is
    /// named with it. [`Engine::resolve`] says whose it is.
    ///
    /// # Errors
    /// `Config` where none is named and the engine has no default model; `InvalidRequest` for a name
    /// that is none.
    ///
    /// [`SendRequest::settings`]: crate::SendRequest::settings
    pub fn model_for(&self, send: &SessionSettings, session: &SessionSettings) -> Result<ModelId> {
        session::model_for(self, send, session)
    }

    /// What the price book knows about a model; `None` when it does not know it.
    ///
    /// # Errors
    /// As [`Engine::resolve`].
    pub fn model_info(&self, model: &str) -> Result<Option<ModelInfo>> {
        let (provider, model) = self.resolve(model)?;
        Ok(provider
            .prices
            .as_deref()
            .and_then(|prices| self.prices().model_info(prices, model.as_str())))
    }

    /// What `usage` of a model costs now.
    ///
    /// # Errors
    /// As [`Engine::resolve`].
    pub fn cost(&self, model: &str, usage: &Usage) -> Result<Cost> {
        let (provider, model) = self.resolve(model)?;
        let now = self.clock.now();
        let sale = Sale {
            provider: provider.prices.as_deref(),
            asked: model.as_str(),
            answered_by: None,
            usage,
            started_at: now,
            ended_at: now,
        };
        Ok(self.pricer.price(&sale).cost)
    }

    /// The price book.
    pub fn prices(&self) -> &Arc<PriceBook> {
        self.pricer.book()
    }

    /// Where calls are recorded.
    pub const fn ledger(&self) -> &Arc<dyn Ledger> {
        &self.ledger
    }

    /// The conversations of `principal`.
    ///
    /// # Errors
    /// `Config` when the engine was built with a ledger that keeps none.
    pub fn sessions(&self, principal: Principal) -> Result<Sessions> {
        let store = self.store.clone().ok_or_else(|| {
            Error::new(
                ErrorKind::Config,
                "the engine's ledger keeps no sessions: build it with EngineBuilder::store",
            )
            .with_phase(Phase::Encode)
        })?;
        Ok(Sessions::new(self.clone(), store, principal))
    }

    pub(crate) const fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    pub(crate) const fn runs(&self) -> &Runs {
        &self.runs
    }

    pub(crate) const fn title_model(&self) -> Option<&ModelId> {
        self.title_model.as_ref()
    }

    /// Waits until every answer that is read on without its caller ([`Disconnect::Drain`]) has
    /// ended and been handed to the ledger. Further ones are hung up on while this waits.
    ///
    /// # Cancel safety
    /// Dropping the future is harmless.
    pub async fn drained(&self) {
        self.disconnect.drained().await;
    }

    /// Asks and waits for the whole answer; the same as [`ProviderExt::chat`].
    ///
    /// # Errors
    /// What the call fails with; a partial answer is in [`Error::partial`].
    ///
    /// # Cancel safety
    /// Dropping the future stops the call, which is settled with what had arrived.
    pub async fn chat(&self, model: &str, request: impl Into<Request> + Send) -> Result<Response> {
        ProviderExt::chat(self, model, request).await
    }

    /// Asks and returns the answer as it is generated; the same as [`ProviderExt::stream`].
    ///
    /// # Errors
    /// What the call fails with before it answers.
    ///
    /// # Cancel safety
    /// Dropping the future or the reply stops the call, which is settled with what had arrived.
    pub async fn stream(&self, model: &str, request: impl Into<Request> + Send) -> Result<Reply> {
        ProviderExt::stream(self, model, request).await
    }

    /// Turns texts into vectors; the same as [`ProviderExt::embed`].
    ///
    /// # Errors
    /// What the call fails with.
    ///
    /// # Cancel safety
    /// Dropping the future stops the call, which is settled with what had arrived.
    pub async fn embed(
        &self,
        model: &str,
        request: impl Into<EmbedRequest> + Send,
    ) -> Result<Response> {
        ProviderExt::embed(self, model, request).await
    }
}

#[async_trait]
impl Provider for Engine {
    fn info(&self) -> &ProviderInfo {
        self.stack.info()
    }

    fn capability(&self) -> Capability {
        self.stack.capability()
    }

    async fn call(&self, ctx: &Ctx, call: &Call) -> Result<Reply> {
        self.stack.call(ctx, call).await
    }

    fn catalog(&self) -> &dyn Catalog {
        &*self.router
    }
}
