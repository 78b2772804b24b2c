//! What all requests share.

use std::sync::Arc;

use aurax::limits::{MemoryLimits, SharedLimits};
use aurax::providers::Seal;
use aurax::providers::transport::{ReqwestOptions, ReqwestTransport, Transport};
use aurax::store::{ModelLists, Store, Vault};
use aurax::{Clock, Engine, Result, Secret, SystemClock};
use axum::extract::FromRequestParts;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::request::Parts;

use crate::alerts::{AlertOptions, Alerts};
use crate::auth::{AccessTokens, Authenticator, Issuers, Passwords, SigningKeys};
use crate::config::Config;
use crate::drain::Drain;
use crate::models::KnownModels;
use crate::room::Room;
use crate::ws::Sockets;

/// What all requests share. Cheap to clone.
#[derive(Debug, Clone)]
pub struct State(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Config,
    engine: Engine,
    store: Store,
    vault: Vault,
    auth: Authenticator,
    passwords: Passwords,
    clock: Arc<dyn Clock>,
    limits: Arc<dyn SharedLimits>,
    alerts: Alerts,
    drain: Drain,
    sockets: Sockets,
    models: KnownModels,
    room: Room,
    seal: Seal,
}

/// What a [`State`] is made of.
#[derive(Debug)]
#[non_exhaustive]
pub struct StateParts {
    /// What the operator chose.
    pub config: Config,
    /// The engine, which records in `store`.
    pub engine: Engine,
    /// Where everything is kept.
    pub store: Store,
    /// What seals users' provider keys.
    pub vault: Vault,
    /// What signs access tokens.
    pub keys: SigningKeys,
    /// What time it is; the machine's unless set.
    pub clock: Arc<dyn Clock>,
    /// Where lists of models are kept for all processes; in this one unless set.
    pub model_lists: Option<ModelLists>,
    /// What counts requests; this process alone unless set.
    pub limits: Arc<dyn SharedLimits>,
    /// What fetches the keys of other issuers; the network unless set.
    pub issuer_transport: Arc<dyn Transport>,
    /// What delivers webhooks, to addresses that users chose: to the internet alone unless set.
    pub webhooks: Arc<dyn Transport>,
    /// How alerts are watched.
    pub alerts: AlertOptions,
}

impl StateParts {
    /// The parts, by the machine's clock.
    pub fn new(
        config: Config,
        engine: Engine,
        store: Store,
        vault: Vault,
        keys: SigningKeys,
    ) -> Self {
        Self {
            config,
            engine,
            store,
            vault,
            keys,
            clock: Arc::new(SystemClock),
            model_lists: None,
            limits: Arc::new(MemoryLimits::new()),
            issuer_transport: Arc::new(ReqwestTransport::new()),
            webhooks: Arc::new(ReqwestTransport::with_options(
                ReqwestOptions::new().with_public_only(),
            )),
            alerts: AlertOptions::new(),
        }
    }

    /// Delivers webhooks with this.
    #[must_use]
    pub fn with_webhooks(mut self, transport: Arc<dyn Transport>) -> Self {
        self.webhooks = transport;
        self
    }

    /// Watches alerts so.
    #[must_use]
    pub fn with_alerts(mut self, options: AlertOptions) -> Self {
        self.alerts = options;
        self
    }

    /// Counts requests here, with other processes.
    #[must_use]
    pub fn with_limits(mut self, limits: Arc<dyn SharedLimits>) -> Self {
        self.limits = limits;
        self
    }

    /// Fetches the keys of other issuers with this.
    #[must_use]
    pub fn with_issuer_transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.issuer_transport = transport;
        self
    }

    /// Reads time here.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Keeps lists of models here.
    #[must_use]
    pub fn with_model_lists(mut self, lists: ModelLists) -> Self {
        self.model_lists = Some(lists);
        self
    }
}

impl State {
    /// Puts the parts together.
    ///
    /// # Errors
    /// `Internal` when the system gives no random bytes; `Config` for an issuer of tokens that cannot
    /// be asked for its keys.
    pub fn new(parts: StateParts) -> Result<Self> {
        let StateParts {
            config,
            engine,
            store,
            vault,
            keys,
            clock,
            model_lists,
            limits,
            issuer_transport,
            webhooks,
            alerts,
        } = parts;
        let ttl = config.auth.access_token_ttl;
        let tokens = AccessTokens::new(keys, config.public_url(), ttl, clock.clone());
        let remembered = config.timeouts.login_cache;
        let issuers = Issuers::new(
            &config.auth.issuers,
            tokens.issuer(),
            config.registration(),
            &issuer_transport,
            &clock,
        )?;
        let auth = Authenticator::new(store.clone(), tokens, issuers, remembered, clock.clone());
        let secret = Secret::new(URL_SAFE_NO_PAD.encode(*store.derived_key("webhooks")));
        Ok(Self(Arc::new(Inner {
            alerts: Alerts::new(store.clone(), webhooks, &secret, alerts),
            passwords: Passwords::new()?,
            models: KnownModels::new(model_lists, clock.clone()),
            room: Room::new(&config.limits),
            seal: Seal::new(&*store.derived_key("signatures")),
            config,
            engine,
            store,
            vault,
            auth,
            clock,
            limits,
            drain: Drain::new(),
            sockets: Sockets::new(),
        })))
    }

    /// What the operator chose.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// Where everything is kept.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// What seals users' provider keys.
    pub fn vault(&self) -> &Vault {
        &self.0.vault
    }

    /// What finds out who calls.
    pub fn auth(&self) -> &Authenticator {
        &self.0.auth
    }

    /// What hashes passwords.
    pub fn passwords(&self) -> &Passwords {
        &self.0.passwords
    }

    /// What time it is.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    /// Which models providers have.
    pub(crate) fn models(&self) -> &KnownModels {
        &self.0.models
    }

    /// How much is taken at a time.
    pub(crate) fn room(&self) -> &Room {
        &self.0.room
    }

    /// What seals the signatures of models that pass through clients.
    pub(crate) fn seal(&self) -> &Seal {
        &self.0.seal
    }

    /// What watches alerts.
    pub fn alerts(&self) -> &Alerts {
        &self.0.alerts
    }

    /// What counts requests.
    pub fn limits(&self) -> &Arc<dyn SharedLimits> {
        &self.0.limits
    }

    /// How the server goes down.
    pub fn drain(&self) -> &Drain {
        &self.0.drain
    }

    /// The WebSockets that are open, and who is at them.
    pub fn sockets(&self) -> &Sockets {
        &self.0.sockets
    }
}

impl FromRequestParts<Self> for State {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(_: &mut Parts, state: &Self) -> Result<Self, Self::Rejection> {
        Ok(state.clone())
    }
}
