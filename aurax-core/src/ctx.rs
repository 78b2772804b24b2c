//! Everything a call carries besides the question.

mod timeouts;

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use uuid::Uuid;

pub use self::timeouts::Timeouts;
use crate::id::new_id;
use crate::layer::{CacheMode, QuotaPolicy};
use crate::ledger::RequestGuard;
use crate::model::ModelId;
use crate::money::Money;
use crate::secret::Secret;
use crate::session::{Leased, Step};

/// For whom a call is made: a user, an access key, a job.
///
/// Everything that is kept or limited is kept and limited by principal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Principal(Arc<str>);

impl Principal {
    /// A principal by its id.
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self(id.into())
    }

    /// The one principal of a program that serves nobody else.
    pub fn local() -> Self {
        Self::new("local")
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A caller's own key for one provider.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Credential {
    /// The key.
    pub key: Arc<Secret>,
    /// Where the key is used instead of the provider's configured address.
    pub base_url: Option<Arc<str>>,
}

impl Credential {
    /// A key for the provider's configured address.
    pub fn new(key: impl Into<Secret>) -> Self {
        Self {
            key: Arc::new(key.into()),
            base_url: None,
        }
    }

    /// Uses the key at another address.
    #[must_use]
    pub fn with_base_url(mut self, base_url: impl Into<Arc<str>>) -> Self {
        self.base_url = Some(base_url.into());
        self
    }
}

/// The id of a request, a UUIDv7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(Uuid);

impl RequestId {
    /// A new id.
    pub fn new() -> Self {
        Self(new_id())
    }

    /// The id as a UUID.
    pub const fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl From<Uuid> for RequestId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl Default for RequestId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Ready when a call's caller has given up; see [`Ctx::cancelled`].
#[derive(Debug)]
pub struct Cancelled(Option<Pin<Box<WaitForCancellationFutureOwned>>>);

impl Future for Cancelled {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.0 {
            Some(cancelled) => cancelled.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }
}

/// Everything a call carries besides the question. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ctx {
    // Shared: layers hand it on while they wait.
    said: Arc<Said>,
    guard: Option<Arc<RequestGuard>>,
    span: tracing::Span,
}

/// What the caller said.
#[derive(Debug, Clone)]
struct Said {
    request_id: RequestId,
    principal: Principal,
    deadline: Option<Instant>,
    timeouts: Option<Timeouts>,
    cancel: Option<CancellationToken>,
    tags: Arc<BTreeMap<String, String>>,
    credentials: BTreeMap<Arc<str>, Credential>,
    idempotency_key: Option<Arc<str>>,
    fallback: Vec<ModelId>,
    quota: Option<QuotaPolicy>,
    access_key_quota: Option<QuotaPolicy>,
    cache: Option<CacheMode>,
    raw: bool,
    access_key: Option<Uuid>,
    max_cost: Option<Money>,
    step: Option<Arc<Step>>,
    lease: Option<Arc<Leased>>,
}

impl Ctx {
    /// A call for `principal` with a new request id and nothing else.
    pub fn new(principal: Principal) -> Self {
        let said = Said {
            request_id: RequestId::new(),
            principal,
            deadline: None,
            timeouts: None,
            cancel: None,
            tags: Arc::default(),
            credentials: BTreeMap::new(),
            idempotency_key: None,
            fallback: Vec::new(),
            quota: None,
            access_key_quota: None,
            cache: None,
            raw: false,
            access_key: None,
            max_cost: None,
            step: None,
            lease: None,
        };
        Self {
            said: Arc::new(said),
            guard: None,
            span: tracing::Span::none(),
        }
    }

    fn said(&mut self) -> &mut Said {
        Arc::make_mut(&mut self.said)
    }

    /// A call of a program that serves nobody else.
    pub fn local() -> Self {
        Self::new(Principal::local())
    }

    /// Uses a request id made elsewhere.
    #[must_use]
    pub fn with_request_id(mut self, id: RequestId) -> Self {
        self.said().request_id = id;
        self
    }

    /// Ends the call at `deadline`, retries and fallbacks included.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Instant) -> Self {
        self.said().deadline = Some(deadline);
        self
    }

    /// Replaces the engine's timeouts.
    #[must_use]
    pub fn with_timeouts(mut self, timeouts: Timeouts) -> Self {
        self.said().timeouts = Some(timeouts);
        self
    }

    /// Ends the call when `cancel` is cancelled, with an error of kind `Cancelled`. Dropping the
    /// call's future or reply does the same without an error.
    #[must_use]
    pub fn with_cancel(mut self, cancel: CancellationToken) -> Self {
        self.said().cancel = Some(cancel);
        self
    }

    /// Adds a label that usage can be grouped and budgeted by.
    #[must_use]
    pub fn with_tag(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.said().tags).insert(name.into(), value.into());
        self
    }

    /// Uses this key at `provider` instead of the configured one. No other provider sees it.
    #[must_use]
    pub fn with_credential(
        mut self,
        provider: impl Into<Arc<str>>,
        credential: Credential,
    ) -> Self {
        self.said().credentials.insert(provider.into(), credential);
        self
    }

    /// Names the call so that a repeat of it is recognised.
    #[must_use]
    pub fn with_idempotency_key(mut self, key: impl Into<Arc<str>>) -> Self {
        self.said().idempotency_key = Some(key.into());
        self
    }

    /// Asks these models, in order, when the first fails before any content.
    #[must_use]
    pub fn with_fallback(mut self, models: impl IntoIterator<Item = ModelId>) -> Self {
        self.said().fallback = models.into_iter().collect();
        self
    }

    /// Holds the principal to this quota instead of the engine's.
    #[must_use]
    pub fn with_quota(mut self, quota: QuotaPolicy) -> Self {
        self.said().quota = Some(quota);
        self
    }

    /// Holds the access key the call came with ([`Ctx::with_access_key`]) to a quota of its own,
    /// beside its principal's: the call must fit both.
    #[must_use]
    pub fn with_access_key_quota(mut self, quota: QuotaPolicy) -> Self {
        self.said().access_key_quota = Some(quota);
        self
    }

    /// Says whether the call may be answered from the cache, where the engine has one.
    #[must_use]
    pub fn with_cache(mut self, mode: CacheMode) -> Self {
        self.said().cache = Some(mode);
        self
    }

    /// Asks for the provider's own bytes beside the events ([`Batch::raw`](crate::Batch::raw)).
    #[must_use]
    pub fn with_raw(mut self) -> Self {
        self.said().raw = true;
        self
    }

    /// Names the access key the call came with: its usage and budgets know it.
    #[must_use]
    pub fn with_access_key(mut self, id: Uuid) -> Self {
        self.said().access_key = Some(id);
        self
    }

    /// Refuses the call, before anything is sent, where it may cost more than this, all attempts
    /// together. Where it says no output limit, it gets one that keeps it within.
    #[must_use]
    pub fn with_max_cost(mut self, limit: Money) -> Self {
        self.said().max_cost = Some(limit);
        self
    }

    /// Makes the call a step of a session: the ledger keeps what is added and answered.
    ///
    /// Its answer is made for it: one from the cache would have no intent to add the question with,
    /// and would make another try of an answer the same one again.
    pub(crate) fn with_step(mut self, step: Arc<Step>, lease: Option<Arc<Leased>>) -> Self {
        let said = self.said();
        said.cache = Some(CacheMode::Off);
        said.step = Some(step);
        said.lease = lease;
        self
    }

    /// The same for another request of the same caller.
    pub(crate) fn again(&self) -> Self {
        let mut ctx = self.clone();
        let said = ctx.said();
        said.request_id = RequestId::new();
        // It names one request, which this is not.
        said.idempotency_key = None;
        ctx
    }

    pub(crate) fn with_guard(mut self, guard: Arc<RequestGuard>) -> Self {
        self.guard = Some(guard);
        self
    }

    pub(crate) fn with_span(mut self, span: tracing::Span) -> Self {
        self.span = span;
        self
    }

    /// The request's id.
    pub fn request_id(&self) -> RequestId {
        self.said.request_id
    }

    /// For whom the call is made.
    pub fn principal(&self) -> &Principal {
        &self.said.principal
    }

    /// When the call must have ended.
    pub fn deadline(&self) -> Option<Instant> {
        self.said.deadline
    }

    /// The call's own timeouts, where it has any.
    pub fn timeouts(&self) -> Option<&Timeouts> {
        self.said.timeouts.as_ref()
    }

    /// Tells when the caller has given up; `None` for a call that ends only by being dropped.
    pub fn cancel(&self) -> Option<&CancellationToken> {
        self.said.cancel.as_ref()
    }

    /// Whether the caller has given up.
    pub fn is_cancelled(&self) -> bool {
        self.said
            .cancel
            .as_ref()
            .is_some_and(CancellationToken::is_cancelled)
    }

    /// Becomes ready when the caller gives up, for a stream that outlives this context.
    pub fn cancelled(&self) -> Cancelled {
        let cancel = self.said.cancel.clone();
        Cancelled(cancel.map(|cancel| Box::pin(cancel.cancelled_owned())))
    }

    /// Does `work` unless the caller gives up before it is done.
    ///
    /// # Cancel safety
    /// That of `work`, which is dropped when the caller gives up.
    pub async fn unless_cancelled<F: Future + Send>(&self, work: F) -> Option<F::Output> {
        match &self.said.cancel {
            Some(cancel) => cancel.run_until_cancelled(work).await,
            None => Some(work.await),
        }
    }

    /// The call's labels.
    pub fn tags(&self) -> &BTreeMap<String, String> {
        &self.said.tags
    }

    pub(crate) fn shared_tags(&self) -> Arc<BTreeMap<String, String>> {
        self.said.tags.clone()
    }

    /// The call's own key for `provider`, where it has one.
    pub fn credential(&self, provider: &str) -> Option<&Credential> {
        self.said.credentials.get(provider)
    }

    pub(crate) fn has_credentials(&self) -> bool {
        !self.said.credentials.is_empty()
    }

    /// The call's name for recognising a repeat.
    pub fn idempotency_key(&self) -> Option<&str> {
        self.said.idempotency_key.as_deref()
    }

    /// The models to ask when the first fails.
    pub fn fallback(&self) -> &[ModelId] {
        &self.said.fallback
    }

    /// The quota of the call's principal, where the call brings one.
    pub fn quota(&self) -> Option<QuotaPolicy> {
        self.said.quota
    }

    /// The quota of the call's access key, where it has one.
    pub fn access_key_quota(&self) -> Option<QuotaPolicy> {
        self.said.access_key_quota
    }

    /// Whether the call may be answered from the cache, where it says so.
    pub fn cache(&self) -> Option<CacheMode> {
        self.said.cache
    }

    /// The access key the call came with.
    pub fn access_key(&self) -> Option<Uuid> {
        self.said.access_key
    }

    /// The most the call may cost.
    pub fn max_cost(&self) -> Option<Money> {
        self.said.max_cost
    }

    pub(crate) fn step(&self) -> Option<&Arc<Step>> {
        self.said.step.as_ref()
    }

    /// The run's hold of its session, which lasts until the last of its calls is settled.
    pub(crate) fn lease(&self) -> Option<Arc<Leased>> {
        self.said.lease.clone()
    }

    /// Whether the provider's own bytes are wanted.
    pub fn wants_raw(&self) -> bool {
        self.said.raw
    }

    /// The trace span the call belongs to.
    pub fn span(&self) -> &tracing::Span {
        &self.span
    }

    pub(crate) const fn guard(&self) -> Option<&Arc<RequestGuard>> {
        self.guard.as_ref()
    }
}
