//! A server on a socket of its own, over a store of its own, and a client that talks to it.
#![allow(
    dead_code,
    unused_imports,
    reason = "each test binary uses its own part"
)]

mod client;
mod place;
mod redis;
mod seen;
mod socket;

use std::net::SocketAddr;
use std::sync::Arc;

use aurax::limits::{MemoryLimits, SharedLimits};
use aurax::providers::transport::{ReqwestTransport, Transport};
use aurax::providers::{Demo, Options, presets, provider};
use aurax::store::{KeyRing, LedgerOptions, Redis, RedisLimits, Store, Vault};
use aurax::{Clock, Engine, EngineBuilder, ModelId, SystemClock};
use aurax_server::auth::SigningKeys;
use aurax_server::config::{Config, TlsFiles};
use aurax_server::{State, StateParts, router, serve};
use tokio::task::JoinHandle;

pub(crate) use client::{Answer, Client, PASSWORD, Streamed};
pub(crate) use place::{Kind, Place, optional, variable};
pub(crate) use redis::OwnRedis;
pub(crate) use socket::{Opening, Socket};

/// Between two looks at something that is about to be.
pub(crate) async fn moment() {
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
}

/// How a server is set up.
pub(crate) struct Setup {
    pub(crate) config: Config,
    pub(crate) engine: EngineBuilder,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) keys: SigningKeys,
    pub(crate) vault: Vault,
    /// What fetches the keys of other issuers.
    pub(crate) issuer_transport: Option<Arc<dyn Transport>>,
    pub(crate) limits: Arc<dyn SharedLimits>,
    pub(crate) tls: Option<TlsFiles>,
}

impl Setup {
    /// The defaults, with short waits, and the demo for a provider.
    pub(crate) fn new() -> Self {
        let mut config = Config::new();
        config.timeouts.drain_notice = std::time::Duration::ZERO;
        config.limits.ip_requests_per_minute = None;
        config.limits.ip_logins_per_minute = None;
        config.limits.account_logins_per_minute = None;
        config.limits.user_requests_per_minute = None;
        Self {
            config,
            engine: Engine::builder()
                .provider(Demo::new())
                .default_model(ModelId::parse("demo/echo").unwrap()),
            clock: Arc::new(SystemClock),
            keys: SigningKeys::generate().unwrap(),
            vault: Vault::new(KeyRing::generate().unwrap()),
            issuer_transport: None,
            limits: Arc::new(MemoryLimits::new()),
            tls: None,
        }
    }

    /// Adds the provider `openai`, with a key of the operator's, at another address.
    pub(crate) fn with_openai(mut self, base_url: &str) -> Self {
        let options = Options::new()
            .with_base_url(base_url)
            .with_api_key("sk-operator-canary");
        let preset = presets::all().iter().find(|preset| preset.name == "openai");
        let transport: Arc<dyn Transport> = Arc::new(ReqwestTransport::new());
        let openai = provider(preset.unwrap(), options, transport).unwrap();
        self.engine = self.engine.provider(openai);
        self
    }

    /// Counts in a Redis, with others.
    pub(crate) fn with_redis(mut self, redis: &Redis) -> Self {
        let limits = RedisLimits::new(redis.clone());
        self.engine = self.engine.shared_limits(RedisLimits::new(redis.clone()));
        self.limits = Arc::new(limits);
        self
    }

    pub(crate) fn configured(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }
}

/// A server that runs until it is stopped or dropped.
pub(crate) struct Server {
    pub(crate) state: State,
    pub(crate) store: Store,
    pub(crate) address: SocketAddr,
    place: Place,
    task: Option<JoinHandle<()>>,
    /// How many tasks run by themselves: as many as there were when nobody had asked for anything.
    idle: std::sync::OnceLock<usize>,
}

impl Server {
    /// One over a new store; `None`, with a line that says so, where there is no such server.
    pub(crate) async fn start(kind: Kind) -> Option<Self> {
        Self::with(kind, Setup::new()).await
    }

    pub(crate) async fn with(kind: Kind, setup: Setup) -> Option<Self> {
        let place = Place::open(kind).await?;
        let store = place.store().await;
        Some(Self::over(place, store, setup).await)
    }

    /// One over a store that is there.
    pub(crate) async fn over(place: Place, store: Store, setup: Setup) -> Self {
        let ledger = store.ledger(LedgerOptions::default()).unwrap();
        drop(ledger);
        let mut config = setup.config;
        let listener = serve::listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        config.listen = address;
        let engine = setup.engine.store(store.clone()).build().unwrap();
        let mut parts = StateParts::new(config, engine, store.clone(), setup.vault, setup.keys)
            .with_clock(setup.clock)
            .with_limits(setup.limits);
        if let Some(transport) = setup.issuer_transport {
            parts = parts.with_issuer_transport(transport);
        }
        let state = State::new(parts).unwrap();
        let router = seen::noted(router(state.clone()), &state);
        let tls = setup.tls.as_ref().map(serve::acceptor).transpose().unwrap();
        let task = tokio::spawn(serve::serve(listener, router, state.clone(), tls));
        Self {
            state,
            store,
            address,
            place,
            task: Some(task),
            idle: std::sync::OnceLock::new(),
        }
    }

    /// A client that nobody knows yet.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.address)
    }

    /// A client with an account of its own.
    pub(crate) async fn user(&self) -> Client {
        let name = aurax::store::NewProviderKey::new_id();
        self.client().get("/livez").await.expect(200);
        self.idle.get_or_init(|| self.state.drain().tasks().len());
        self.client().register(&format!("{name}@example.com")).await
    }

    /// Whether nothing runs but what runs by itself.
    pub(crate) fn is_idle(&self) -> bool {
        self.state.drain().tasks().len() <= self.idle.get().copied().unwrap_or_default()
    }

    /// The store's place, for another server over the same data.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Waits until it has gone down, once it was told to.
    pub(crate) fn ended(&mut self) -> impl Future<Output = ()> + use<> {
        let task = self.task.take();
        async move { task.unwrap().await.unwrap() }
    }

    /// Goes down in order, and leaves the data to others.
    pub(crate) async fn leave(mut self) {
        self.state.drain().announce();
        if let Some(task) = self.task.take() {
            task.await.unwrap();
        }
        self.store.close().await;
    }

    /// Goes down in order, and leaves nothing behind.
    pub(crate) async fn stop(mut self) {
        self.state.drain().announce();
        if let Some(task) = self.task.take() {
            task.await.unwrap();
        }
        self.place.clear(&self.store).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}
