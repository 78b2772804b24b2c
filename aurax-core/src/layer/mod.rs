//! Policy between a caller and a provider: one layer, one concern, one file.

mod allowance;
mod attempt;
mod breaker;
mod cache;
mod concurrency;
mod disconnect;
mod fallback;
mod keyed;
mod lane;
mod meter;
mod queue;
mod quota;
mod rate;
mod retry;
mod timeout;
mod trace;
mod window;

use std::fmt::Debug;
use std::sync::Arc;

pub(crate) use attempt::AttemptLayer;
pub(crate) use breaker::BreakerLayer;
pub use breaker::BreakerPolicy;
pub use cache::{CacheKey, CacheMode, CachePolicy, CacheStore, MemoryCache};
pub(crate) use cache::{CacheLayer, Resolve};
pub(crate) use concurrency::ConcurrencyLayer;
pub use concurrency::ConcurrencyPolicy;
pub use disconnect::Disconnect;
pub(crate) use disconnect::DisconnectPolicies;
pub(crate) use fallback::FallbackLayer;
pub(crate) use meter::MeterLayer;
pub(crate) use quota::QuotaLayer;
pub use quota::{QuotaLeft, QuotaOf, QuotaPolicy, QuotaState};
pub(crate) use rate::RateLayer;
pub use rate::RatePolicy;
pub(crate) use retry::RetryLayer;
pub use retry::RetryPolicy;
pub(crate) use timeout::TimeoutLayer;
pub(crate) use trace::TraceLayer;

use crate::provider::Provider;

/// Wraps a provider into another one that adds a policy.
///
/// * State that outlives a call belongs to the layer, so that two providers made by one layer
///   share it.
/// * The wrapper forwards everything it does not change, the catalog included.
pub trait Layer: Debug + Send + Sync + 'static {
    /// Puts the policy around `inner`.
    fn layer(&self, inner: Arc<dyn Provider>) -> Arc<dyn Provider>;
}

/// Forwards what a layer's provider does not change.
macro_rules! forward_to_inner {
    () => {
        fn info(&self) -> &crate::provider::ProviderInfo {
            self.inner.info()
        }

        fn capability(&self) -> crate::provider::Capability {
            self.inner.capability()
        }

        fn catalog(&self) -> &dyn crate::provider::Catalog {
            self.inner.catalog()
        }
    };
}
pub(crate) use forward_to_inner;
