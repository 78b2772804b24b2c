//! Puts an engine together.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::Engine;
use super::router::{Router, Target};
use crate::clock::{Clock, SystemClock};
use crate::ctx::Timeouts;
use crate::error::{Error, ErrorKind, Result};
use crate::layer::{
    AttemptLayer, BreakerLayer, BreakerPolicy, CacheLayer, CachePolicy, CacheStore,
    ConcurrencyLayer, ConcurrencyPolicy, Disconnect, DisconnectPolicies, FallbackLayer, Layer,
    MeterLayer, QuotaLayer, QuotaPolicy, RateLayer, RatePolicy, RetryLayer, RetryPolicy,
    TimeoutLayer, TraceLayer,
};
use crate::ledger::{Ledger, MemoryLedger};
use crate::limits::SharedLimits;
use crate::model::ModelId;
use crate::pricing::{PriceBook, Pricer, UnknownModel};
use crate::provider::Provider;
use crate::session::{Runs, SessionStore};
use crate::tokens::TokenCounter;

/// Puts an [`Engine`] together; everything has a default but the providers.
#[derive(Debug)]
pub struct EngineBuilder {
    providers: Vec<Arc<dyn Provider>>,
    order: Vec<String>,
    default_model: Option<ModelId>,
    layers: Vec<Arc<dyn Layer>>,
    ledger: Option<Arc<dyn Ledger>>,
    store: Option<Arc<dyn SessionStore>>,
    title_model: Option<ModelId>,
    disconnect: DisconnectPolicies,
    clock: Arc<dyn Clock>,
    prices: Option<Arc<PriceBook>>,
    unknown_model: UnknownModel,
    retry: RetryPolicy,
    timeouts: Timeouts,
    quota: QuotaPolicy,
    shared_limits: Option<Arc<dyn SharedLimits>>,
    cache: Option<(Arc<dyn CacheStore>, CachePolicy)>,
    breaker: BreakerPolicy,
    rates: HashMap<String, RatePolicy>,
    concurrency: HashMap<String, ConcurrencyPolicy>,
}

impl EngineBuilder {
    pub(super) fn new() -> Self {
        Self {
            providers: Vec::new(),
            order: Vec::new(),
            default_model: None,
            layers: Vec::new(),
            ledger: None,
            store: None,
            title_model: None,
            disconnect: DisconnectPolicies::default(),
            clock: Arc::new(SystemClock),
            prices: None,
            unknown_model: UnknownModel::default(),
            retry: RetryPolicy::default(),
            timeouts: Timeouts::default(),
            quota: QuotaPolicy::none(),
            shared_limits: None,
            cache: None,
            breaker: BreakerPolicy::default(),
            rates: HashMap::new(),
            concurrency: HashMap::new(),
        }
    }

    /// Adds a provider under the name in its [`Provider::info`].
    #[must_use]
    pub fn provider(self, provider: impl Provider) -> Self {
        self.shared_provider(Arc::new(provider))
    }

    /// Adds a provider that is shared with others.
    #[must_use]
    pub fn shared_provider(mut self, provider: Arc<dyn Provider>) -> Self {
        self.providers.push(provider);
        self
    }

    /// Leaves out the provider of that name, if it was added before; the default model as well, if
    /// it is that provider's.
    #[must_use]
    pub fn without_provider(mut self, name: &str) -> Self {
        self.providers.retain(|known| &*known.info().name != name);
        let under = |model: &ModelId| model.as_str().split('/').next() == Some(name);
        self.default_model = self.default_model.filter(|model| !under(model));
        self
    }

    /// Says which provider takes a model's bare name when several know it: the first of these.
    #[must_use]
    pub fn provider_order<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.order = names.into_iter().map(Into::into).collect();
        self
    }

    /// Names the model to ask when the caller names none.
    #[must_use]
    pub fn default_model(mut self, model: ModelId) -> Self {
        self.default_model = Some(model);
        self
    }

    /// Adds a layer of the program's own around everything but the trace; the first is outermost.
    #[must_use]
    pub fn layer(mut self, layer: impl Layer) -> Self {
        self.layers.push(Arc::new(layer));
        self
    }

    /// Records calls here; a [`MemoryLedger`] unless set. The engine then has no sessions:
    /// [`EngineBuilder::store`] is for both.
    #[must_use]
    pub fn ledger(mut self, ledger: impl Ledger) -> Self {
        self.ledger = Some(Arc::new(ledger));
        self.store = None;
        self
    }

    /// Records calls and keeps sessions here; a [`MemoryLedger`] unless set.
    #[must_use]
    pub fn store(mut self, store: impl Ledger + SessionStore) -> Self {
        let store = Arc::new(store);
        self.ledger = Some(store.clone());
        self.store = Some(store);
        self
    }

    /// Asks this model for the titles of sessions, a cheap one; unless set, a title is the first
    /// words of the first message.
    #[must_use]
    pub fn title_model(mut self, model: ModelId) -> Self {
        self.title_model = Some(model);
        self
    }

    /// Says what becomes of an answer whose reply is dropped before its end;
    /// [`Disconnect::Cancel`] unless set.
    #[must_use]
    pub fn on_disconnect(mut self, policy: Disconnect) -> Self {
        self.disconnect.set(policy);
        self
    }

    /// The same for the answers of one provider.
    #[must_use]
    pub fn on_disconnect_from(mut self, provider: impl Into<String>, policy: Disconnect) -> Self {
        self.disconnect.set_for(provider.into(), policy);
        self
    }

    /// Reads time here; the machine's clock unless set.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Prices calls from this book; the built-in one unless set.
    #[must_use]
    pub fn prices(mut self, prices: Arc<PriceBook>) -> Self {
        self.prices = Some(prices);
        self
    }

    /// Says what to do with models without a price.
    #[must_use]
    pub fn unknown_model(mut self, policy: UnknownModel) -> Self {
        self.unknown_model = policy;
        self
    }

    /// Says how often and how soon to try again.
    #[must_use]
    pub const fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Limits the phases of calls that bring no timeouts of their own.
    #[must_use]
    pub const fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Holds each principal to this quota, unless a call brings another ([`Ctx::with_quota`]);
    /// none unless set.
    ///
    /// [`Ctx::with_quota`]: crate::Ctx::with_quota
    #[must_use]
    pub const fn quota(mut self, policy: QuotaPolicy) -> Self {
        self.quota = policy;
        self
    }

    /// Counts what principals and access keys use by the minute together with other processes, for
    /// the quotas of this engine and of its calls, by keys that begin with `quota/` and
    /// `key-quota/`; each process counts for itself unless set. Requests at a time are counted by
    /// each process in any case.
    ///
    /// What a call used is put in place of what it took after it has ended, without anybody waiting
    /// for it. An error of the counters is the call's, which then is not sent anywhere.
    #[must_use]
    pub fn shared_limits(mut self, limits: impl SharedLimits) -> Self {
        self.shared_limits = Some(Arc::new(limits));
        self
    }

    /// Caches answers in `store`, for the calls that say so ([`Ctx::with_cache`]) or for all
    /// ([`CachePolicy::with_mode`]); nothing is cached unless set.
    ///
    /// [`Ctx::with_cache`]: crate::Ctx::with_cache
    #[must_use]
    pub fn cache(mut self, store: impl CacheStore, policy: CachePolicy) -> Self {
        self.cache = Some((Arc::new(store), policy));
        self
    }

    /// Says when a provider that fails is left alone; on unless it is [`BreakerPolicy::never`].
    #[must_use]
    pub const fn breaker(mut self, policy: BreakerPolicy) -> Self {
        self.breaker = policy;
        self
    }

    /// Says how fast to ask `provider` with each key; as fast as it allows unless set.
    #[must_use]
    pub fn rate(mut self, provider: impl Into<String>, policy: RatePolicy) -> Self {
        self.rates.insert(provider.into(), policy);
        self
    }

    /// Says how many attempts may be in flight at `provider` with each key; 10,000 unless set.
    #[must_use]
    pub fn concurrency(mut self, provider: impl Into<String>, policy: ConcurrencyPolicy) -> Self {
        self.concurrency.insert(provider.into(), policy);
        self
    }

    /// The engine.
    ///
    /// # Errors
    /// `Config` when two providers share a name, or the order or a policy names one that does not
    /// exist.
    pub fn build(self) -> Result<Engine> {
        self.check_names()?;
        let (ledger, store) = self.ledger.map_or_else(
            || {
                let memory = Arc::new(MemoryLedger::new());
                (memory.clone() as Arc<dyn Ledger>, Some(memory as _))
            },
            |ledger| (ledger, self.store),
        );
        let disconnect = self.disconnect.by_name(&self.providers);
        let pricer = Pricer::new(self.prices.unwrap_or_else(PriceBook::builtin))
            .with_unknown_model(self.unknown_model)?;
        let pricer = Arc::new(pricer);
        let clock = self.clock;
        let timeout = TimeoutLayer::new(self.timeouts, clock.clone());
        let targets = self.providers.into_iter().map(|provider| {
            // A budget of its own: one provider's outage does not spend another's retries.
            let retry = RetryLayer::new(self.retry, clock.clone());
            let breaker = BreakerLayer::new(self.breaker, clock.clone());
            let rate = RateLayer::new(of(&self.rates, &*provider), clock.clone());
            let concurrency =
                ConcurrencyLayer::new(of(&self.concurrency, &*provider), clock.clone());
            // Innermost first. Whatever waits does so outside the attempt.
            let mut stack = timeout.layer(provider.clone());
            stack = AttemptLayer.layer(stack);
            stack = concurrency.layer(stack);
            stack = rate.layer(stack);
            stack = breaker.layer(stack);
            stack = retry.layer(stack);
            Target { provider, stack }
        });
        let router = Arc::new(Router::new(targets.collect(), self.order, pricer.clone()));
        let mut stack: Arc<dyn Provider> = router.clone();
        stack = FallbackLayer.layer(stack);
        if let Some((store, policy)) = self.cache {
            stack = CacheLayer::new(store, policy, router.clone()).layer(stack);
        }
        stack = QuotaLayer::new(self.quota, self.shared_limits, clock.clone()).layer(stack);
        stack = MeterLayer::new(
            ledger.clone(),
            clock.clone(),
            pricer.clone(),
            disconnect.clone(),
        )
        .layer(stack);
        for layer in self.layers.iter().rev() {
            stack = layer.layer(stack);
        }
        stack = TraceLayer::new(clock.clone()).layer(stack);
        Ok(Engine {
            stack,
            router,
            default_model: self.default_model,
            pricer,
            ledger,
            clock,
            tokens: Arc::new(TokenCounter::new()),
            disconnect,
            store,
            runs: Runs::default(),
            title_model: self.title_model,
            timeouts: self.timeouts,
        })
    }

    fn check_names(&self) -> Result<()> {
        let mut names = HashSet::new();
        for provider in &self.providers {
            let info = provider.info();
            for name in std::iter::once(&info.name).chain(&info.aliases) {
                if !names.insert(name.as_ref()) {
                    return Err(Error::new(
                        ErrorKind::Config,
                        format!("two providers are called `{name}`; give one another name"),
                    ));
                }
            }
        }
        let named = [
            ("the provider order", self.order.iter().collect::<Vec<_>>()),
            ("a rate policy", self.rates.keys().collect()),
            ("a concurrency policy", self.concurrency.keys().collect()),
            ("a disconnect policy", self.disconnect.providers().collect()),
        ];
        for (what, mentioned) in named {
            if let Some(name) = mentioned.iter().find(|name| !names.contains(name.as_str())) {
                return Err(Error::new(
                    ErrorKind::Config,
                    format!("{what} names `{name}`, which is not configured"),
                ));
            }
        }
        Ok(())
    }
}

/// A provider's policy, by its name or an alias.
fn of<P: Copy + Default>(policies: &HashMap<String, P>, provider: &dyn Provider) -> P {
    let info = provider.info();
    std::iter::once(&info.name)
        .chain(&info.aliases)
        .find_map(|name| policies.get(name.as_ref()))
        .copied()
        .unwrap_or_default()
}
