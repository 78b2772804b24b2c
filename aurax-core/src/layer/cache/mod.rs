//! Answers a call that was answered before without asking again.

mod entry;
mod key;
mod memory;
mod store;

use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt as _, Stream, StreamExt as _};

use self::entry::{Entry, Notes, is_repeatable};
pub use self::key::CacheKey;
use self::key::Target;
pub use self::memory::MemoryCache;
pub use self::store::CacheStore;
use super::lane::{Lane, address};
use super::{Layer, forward_to_inner};
use crate::call::Call;
use crate::ctx::Ctx;
use crate::error::Result;
use crate::ledger::HitRecorder;
use crate::model::ModelId;
use crate::provider::{Provider, ProviderInfo};
use crate::reply::{Batch, Delivery, Head, Reply, Watch};
use crate::secret::Secret;

/// How long a call waits for the store, each time.
const STORE_LIMIT: Duration = Duration::from_millis(50);

/// Whether a call may be answered from the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum CacheMode {
    /// It is neither looked up nor kept.
    #[default]
    Off,
    /// It is answered from the cache where that has the answer; else the answer is kept.
    Use,
    /// The provider is asked, and the answer kept in place of what was there.
    Refresh,
}

/// What is cached, and for how long.
///
/// An answer is kept for the principal it was given to, and never given to another. It is found
/// again by a call that says the same to the same model of the same provider, at the same address
/// and with the same key, streamed or whole, whatever its sampling: who turns the cache on wants
/// the answer of before.
///
/// Kept are complete answers that the model finished itself, or to wait for the caller's tools,
/// and embeddings. Never kept: an answer that was cut short, filtered, refused or empty; one from
/// a fallback, which nobody asked for; one to a call that offers a provider's own tools, has the
/// provider store it ([`Request::store`](crate::Request::store)) or wants the provider's own bytes
/// ([`Ctx::with_raw`]).
///
/// Calls that miss at the same time all ask the provider.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CachePolicy {
    /// What calls do that do not say ([`Ctx::with_cache`]); nothing.
    pub mode: CacheMode,
    /// How long an answer is kept; 1 h.
    pub ttl: Duration,
    /// How many bytes an answer may have, as stored; 256 KiB.
    pub max_entry_bytes: usize,
    secret: Arc<Secret>,
}

impl Default for CachePolicy {
    fn default() -> Self {
        Self {
            mode: CacheMode::Off,
            ttl: Duration::from_secs(60 * 60),
            max_entry_bytes: 256 << 10,
            secret: Arc::new(Secret::new("")),
        }
    }
}

impl CachePolicy {
    /// Says what calls do that do not say.
    #[must_use]
    pub const fn with_mode(mut self, mode: CacheMode) -> Self {
        self.mode = mode;
        self
    }

    /// Says how long an answer is kept.
    #[must_use]
    pub const fn with_ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// Says how large an answer may be.
    #[must_use]
    pub const fn with_max_entry_bytes(mut self, bytes: usize) -> Self {
        self.max_entry_bytes = bytes;
        self
    }

    /// Makes keys with a secret, so that who can read a shared store cannot find out what was
    /// asked by trying questions. Engines that share a store share the secret.
    #[must_use]
    pub fn with_secret(mut self, secret: impl Into<Secret>) -> Self {
        self.secret = Arc::new(secret.into());
        self
    }
}

/// Finds out where a model's name leads.
pub(crate) trait Resolve: Debug + Send + Sync + 'static {
    fn resolve(&self, model: &ModelId) -> Result<(&ProviderInfo, ModelId)>;
}

/// Answers from a store, and keeps answers in it.
#[derive(Debug, Clone)]
pub(crate) struct CacheLayer {
    store: Arc<dyn CacheStore>,
    policy: CachePolicy,
    routes: Arc<dyn Resolve>,
}

impl CacheLayer {
    pub(crate) fn new(
        store: Arc<dyn CacheStore>,
        policy: CachePolicy,
        routes: Arc<dyn Resolve>,
    ) -> Self {
        Self {
            store,
            policy,
            routes,
        }
    }

    /// The entry, unless the store has none, fails or is slow.
    async fn look_up(&self, ctx: &Ctx, key: &CacheKey) -> Option<Entry> {
        let found = tokio::time::timeout(STORE_LIMIT, self.store.get(key));
        match ctx.unless_cancelled(found).await? {
            Ok(Ok(found)) => Entry::read(&found?),
            Ok(Err(error)) => {
                tracing::warn!(parent: ctx.span(), %error, "the cache cannot be read");
                None
            }
            Err(_) => {
                tracing::warn!(parent: ctx.span(), "the cache is slow; going on without");
                None
            }
        }
    }

    /// Keeps what the reply says when it turns out to be worth it.
    fn keep(&self, ctx: &Ctx, key: CacheKey, call: &Call, reply: Reply) -> Reply {
        let (head, batches) = reply.into_parts();
        let notes = Notes::new(call.op.clone(), self.policy.max_entry_bytes, &head.warnings);
        let kept = Kept {
            batches,
            notes: Some(notes),
            layer: self.clone(),
            key,
            span: ctx.span().clone(),
            last: None,
        };
        Reply::new(head, kept)
    }

    fn put(&self, key: CacheKey, value: Bytes, span: tracing::Span) -> BoxFuture<'static, ()> {
        let (store, ttl) = (self.store.clone(), self.policy.ttl);
        async move {
            match tokio::time::timeout(STORE_LIMIT, store.put(&key, value, ttl)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::warn!(parent: &span, %error, "an answer could not be cached");
                }
                Err(_) => {
                    tracing::warn!(parent: &span, "the cache is slow; an answer may not be cached");
                }
            }
        }
        .boxed()
    }
}

impl Layer for CacheLayer {
    fn layer(&self, inner: Arc<dyn Provider>) -> Arc<dyn Provider> {
        Arc::new(Cached {
            inner,
            layer: self.clone(),
        })
    }
}

#[derive(Debug)]
struct Cached {
    inner: Arc<dyn Provider>,
    layer: CacheLayer,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Provider for Cached {
    forward_to_inner!();

    async fn call(&self, ctx: &Ctx, call: &Call) -> Result<Reply> {
        let mode = ctx.cache().unwrap_or(self.layer.policy.mode);
        if mode == CacheMode::Off || ctx.wants_raw() || !is_repeatable(call) {
            return self.inner.call(ctx, call).await;
        }
        // A name that leads nowhere is for the router to complain about.
        let Ok((provider, model)) = self.layer.routes.resolve(&call.model) else {
            return self.inner.call(ctx, call).await;
        };
        let lane = Lane::of(provider, ctx);
        let target = Target {
            provider,
            lane: &lane,
            address: address(provider, ctx),
            model: &model,
        };
        let secret = &self.layer.policy.secret;
        let Ok(key) = CacheKey::new(ctx.principal(), target, &call.op, secret) else {
            return self.inner.call(ctx, call).await;
        };
        if mode == CacheMode::Use
            && let Some(entry) = self.layer.look_up(ctx, &key).await
        {
            return replay(ctx, call, provider, model, entry).await;
        }
        let reply = self.inner.call(ctx, call).await?;
        let head = reply.head();
        if head.provider == provider.name && head.model == model {
            Ok(self.layer.keep(ctx, key, call, reply))
        } else {
            Ok(reply)
        }
    }
}

/// Gives an answer anew, in the way the call wants it.
async fn replay(
    ctx: &Ctx,
    call: &Call,
    provider: &ProviderInfo,
    model: ModelId,
    entry: Entry,
) -> Result<Reply> {
    ctx.span().record("aurax.cache", "hit");
    super::trace::record_target(ctx.span(), provider, model.as_str());
    let delivery = if call.op.is_stream() {
        Delivery::Streamed
    } else {
        Delivery::Whole
    };
    let mut head = Head::new(provider.wire, provider.name.clone(), model, delivery);
    head.cached = true;
    head.warnings = entry.warnings;
    let batches = entry.batches.into_iter();
    let batches: Vec<Result<Batch>> = match delivery {
        Delivery::Streamed => batches
            .map(|events| Ok(Batch::new(events.to_vec())))
            .collect(),
        Delivery::Whole => {
            let events = batches.flat_map(|events| events.to_vec()).collect();
            vec![Ok(Batch::new(events))]
        }
    };
    let recorder = match ctx.guard() {
        Some(guard) => Some(guard.hit(ctx, &head).await?),
        None => None,
    };
    let reply = Reply::new(head, stream::iter(batches));
    Ok(reply.watched(Hit(recorder)))
}

/// Tells the ledger how much of a cached answer was delivered.
struct Hit(Option<HitRecorder>);

impl Watch for Hit {
    fn batch(&mut self, batch: &Batch) {
        if let Some(recorder) = &mut self.0 {
            batch.events.iter().for_each(|event| recorder.event(event));
        }
    }
}

/// An answer that is written down as it passes. Its end waits until it is kept, but not for long.
struct Kept {
    batches: BoxStream<'static, Result<Batch>>,
    notes: Option<Notes>,
    layer: CacheLayer,
    key: CacheKey,
    span: tracing::Span,
    last: Option<(Batch, BoxFuture<'static, ()>)>,
}

impl Stream for Kept {
    type Item = Result<Batch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some((_, put)) = &mut self.last {
            ready!(put.poll_unpin(cx));
            return Poll::Ready(self.last.take().map(|(batch, _)| Ok(batch)));
        }
        let item = ready!(self.batches.poll_next_unpin(cx));
        let Some(Ok(batch)) = &item else {
            self.notes = None;
            return Poll::Ready(item);
        };
        let value = self.notes.as_mut().and_then(|notes| notes.add(batch));
        if batch.ends() {
            self.notes = None;
        }
        match (item, value) {
            (Some(Ok(batch)), Some(value)) => {
                let put = self.layer.put(self.key, value, self.span.clone());
                self.last = Some((batch, put));
                self.poll_next(cx)
            }
            (item, _) => Poll::Ready(item),
        }
    }
}
