//! One call through the engine: what is asked, for whom, and what comes back.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, BoxStream, Stream, StreamExt};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::chat::{Event, Fold, Request, Response, Warning};
use crate::embed::EmbedRequest;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::ledger::RequestGuard;
use crate::model::ModelId;
use crate::secret::Secret;

/// What is asked of a model.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Op {
    /// A chat.
    Chat(Arc<Request>),
    /// Embeddings.
    Embed(Arc<EmbedRequest>),
}

impl Op {
    /// The operation's name, as traces and usage rows show it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Chat(_) => "chat",
            Self::Embed(_) => "embeddings",
        }
    }

    /// True when the answer should arrive as it is generated.
    pub fn is_stream(&self) -> bool {
        match self {
            Self::Chat(request) => request.stream,
            Self::Embed(_) => false,
        }
    }
}

/// A model and what is asked of it. Cheap to clone: the request is shared.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Call {
    /// The model.
    pub model: ModelId,
    /// What is asked.
    pub op: Op,
}

impl Call {
    /// Asks something of a model.
    pub const fn new(model: ModelId, op: Op) -> Self {
        Self { model, op }
    }

    /// A chat.
    pub fn chat(model: ModelId, request: impl Into<Request>) -> Self {
        Self::new(model, Op::Chat(Arc::new(request.into())))
    }

    /// Embeddings.
    pub fn embed(model: ModelId, request: EmbedRequest) -> Self {
        Self::new(model, Op::Embed(Arc::new(request)))
    }

    /// The same question to another model.
    #[must_use]
    pub fn with_model(&self, model: ModelId) -> Self {
        Self::new(model, self.op.clone())
    }
}

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
        Self(Uuid::now_v7())
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

/// How long each phase of a call may take. None is unlimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// From sending a streamed call to the response's headers, connecting included; 60 s.
    pub headers: Duration,
    /// The same for a call answered as a whole; 600 s.
    pub whole: Duration,
    /// From the headers to the first content of a stream; 300 s.
    pub first_content: Duration,
    /// Between two frames of a stream before the first content, when models think; 300 s.
    pub idle_before_content: Duration,
    /// Between two frames of a stream after the first content; 60 s.
    pub idle: Duration,
    /// One attempt from start to end; 600 s.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            headers: Duration::from_secs(60),
            whole: Duration::from_secs(600),
            first_content: Duration::from_secs(300),
            idle_before_content: Duration::from_secs(300),
            idle: Duration::from_secs(60),
            total: Duration::from_secs(600),
        }
    }
}

macro_rules! timeout_setters {
    ($($with:ident = $field:ident: $doc:literal,)*) => {
        impl Timeouts {
            $(#[doc = $doc]
            #[must_use]
            pub const fn $with(mut self, limit: Duration) -> Self {
                self.$field = limit;
                self
            })*
        }
    };
}
timeout_setters! {
    with_headers = headers: "Limits the wait for a stream's headers.",
    with_whole = whole: "Limits the wait for a whole answer.",
    with_first_content = first_content: "Limits the wait for a stream's first content.",
    with_idle_before_content = idle_before_content: "Limits silence before the first content.",
    with_idle = idle: "Limits silence after the first content.",
    with_total = total: "Limits one attempt as a whole.",
}

/// Everything a call carries besides the question. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ctx {
    request_id: RequestId,
    principal: Principal,
    deadline: Option<Instant>,
    timeouts: Option<Timeouts>,
    cancel: CancellationToken,
    tags: Arc<BTreeMap<String, String>>,
    credentials: Arc<BTreeMap<Arc<str>, Credential>>,
    idempotency_key: Option<Arc<str>>,
    fallback: Arc<[ModelId]>,
    raw: bool,
    guard: Option<Arc<RequestGuard>>,
    span: tracing::Span,
}

impl Ctx {
    /// A call for `principal` with a new request id and nothing else.
    pub fn new(principal: Principal) -> Self {
        Self {
            request_id: RequestId::new(),
            principal,
            deadline: None,
            timeouts: None,
            cancel: CancellationToken::new(),
            tags: Arc::default(),
            credentials: Arc::default(),
            idempotency_key: None,
            fallback: Arc::new([]),
            raw: false,
            guard: None,
            span: tracing::Span::none(),
        }
    }

    /// A call of a program that serves nobody else.
    pub fn local() -> Self {
        Self::new(Principal::local())
    }

    /// Uses a request id made elsewhere.
    #[must_use]
    pub const fn with_request_id(mut self, id: RequestId) -> Self {
        self.request_id = id;
        self
    }

    /// Ends the call at `deadline`, retries and fallbacks included.
    #[must_use]
    pub const fn with_deadline(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Replaces the engine's timeouts.
    #[must_use]
    pub const fn with_timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = Some(timeouts);
        self
    }

    /// Ends the call when `cancel` is cancelled, with an error of kind `Cancelled`. Dropping the
    /// call's future or reply does the same without an error.
    #[must_use]
    pub fn with_cancel(mut self, cancel: CancellationToken) -> Self {
        self.cancel = cancel;
        self
    }

    /// Adds a label that usage can be grouped and budgeted by.
    #[must_use]
    pub fn with_tag(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.tags).insert(name.into(), value.into());
        self
    }

    /// Uses this key at `provider` instead of the configured one. No other provider sees it.
    #[must_use]
    pub fn with_credential(
        mut self,
        provider: impl Into<Arc<str>>,
        credential: Credential,
    ) -> Self {
        Arc::make_mut(&mut self.credentials).insert(provider.into(), credential);
        self
    }

    /// Names the call so that a repeat of it is recognised.
    #[must_use]
    pub fn with_idempotency_key(mut self, key: impl Into<Arc<str>>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// Asks these models, in order, when the first fails before any content.
    #[must_use]
    pub fn with_fallback(mut self, models: impl IntoIterator<Item = ModelId>) -> Self {
        self.fallback = models.into_iter().collect();
        self
    }

    /// Asks for the provider's own bytes beside the events ([`Batch::raw`]).
    #[must_use]
    pub const fn with_raw(mut self) -> Self {
        self.raw = true;
        self
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
    pub const fn request_id(&self) -> RequestId {
        self.request_id
    }

    /// For whom the call is made.
    pub const fn principal(&self) -> &Principal {
        &self.principal
    }

    /// When the call must have ended.
    pub const fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// The call's own timeouts, where it has any.
    pub const fn timeouts(&self) -> Option<&Timeouts> {
        self.timeouts.as_ref()
    }

    /// Tells when the caller has given up.
    pub const fn cancel(&self) -> &CancellationToken {
        &self.cancel
    }

    /// The call's labels.
    pub fn tags(&self) -> &BTreeMap<String, String> {
        &self.tags
    }

    pub(crate) fn shared_tags(&self) -> Arc<BTreeMap<String, String>> {
        self.tags.clone()
    }

    /// The call's own key for `provider`, where it has one.
    pub fn credential(&self, provider: &str) -> Option<&Credential> {
        self.credentials.get(provider)
    }

    /// The call's name for recognising a repeat.
    pub fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }

    /// The models to ask when the first fails.
    pub fn fallback(&self) -> &[ModelId] {
        &self.fallback
    }

    /// Whether the provider's own bytes are wanted.
    pub const fn wants_raw(&self) -> bool {
        self.raw
    }

    /// The trace span the call belongs to.
    pub const fn span(&self) -> &tracing::Span {
        &self.span
    }

    pub(crate) const fn guard(&self) -> Option<&Arc<RequestGuard>> {
        self.guard.as_ref()
    }
}

/// Whether an answer comes in one piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// In one body.
    Whole,
    /// As it is generated.
    Streamed,
}

/// What a provider says about its limits on one kind of use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RateLimit {
    /// What is limited: `requests`, `tokens`, `input_tokens`, `output_tokens`.
    pub kind: String,
    /// How much a window allows.
    pub limit: Option<u64>,
    /// How much of it is left.
    pub remaining: Option<u64>,
    /// How long until the window starts again.
    pub reset: Option<Duration>,
}

impl RateLimit {
    /// A limit on `kind`, nothing else known.
    pub fn new(kind: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            limit: None,
            remaining: None,
            reset: None,
        }
    }
}

/// What is known of an answer before it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Head {
    /// The wire it comes over.
    pub wire: &'static str,
    /// The configured provider that answers.
    pub provider: Arc<str>,
    /// The model that was asked, as the provider takes it.
    pub model: ModelId,
    /// The provider's id of the request, for its support.
    pub request_id: Option<String>,
    /// What the provider says about its limits.
    pub rate_limits: Vec<RateLimit>,
    /// Response headers worth keeping; never one that carries a secret.
    pub headers: Vec<(String, String)>,
    /// Whether the answer comes in one piece.
    pub delivery: Delivery,
    /// What was changed or left out when the request was encoded.
    pub warnings: Vec<Warning>,
}

impl Head {
    /// The head of an answer over `wire`.
    pub fn new(
        wire: &'static str,
        provider: impl Into<Arc<str>>,
        model: ModelId,
        delivery: Delivery,
    ) -> Self {
        Self {
            wire,
            provider: provider.into(),
            model,
            request_id: None,
            rate_limits: Vec::new(),
            headers: Vec::new(),
            delivery,
            warnings: Vec::new(),
        }
    }
}

/// All frames of an answer that were ready at once.
///
/// A batch without events is a sign of life.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Batch {
    /// What the frames say.
    pub events: Vec<Event>,
    /// The frames themselves, where [`Ctx::with_raw`] asked for them.
    pub raw: Option<Bytes>,
}

impl Batch {
    /// Frames that say this.
    pub const fn new(events: Vec<Event>) -> Self {
        Self { events, raw: None }
    }

    /// Adds the frames themselves.
    #[must_use]
    pub fn with_raw(mut self, raw: Bytes) -> Self {
        self.raw = Some(raw);
        self
    }
}

/// An answer: its head, and its events as they come.
///
/// It owns the connection. The stream ends after the batch with the [`Event::End`], or with an
/// error.
///
/// # Cancel safety
/// Dropping a reply, at any point, closes the connection and settles the call with what had
/// arrived.
pub struct Reply {
    head: Head,
    batches: BoxStream<'static, Result<Batch>>,
}

impl Reply {
    /// An answer with its events still to come.
    pub fn new(head: Head, batches: impl Stream<Item = Result<Batch>> + Send + 'static) -> Self {
        Self {
            head,
            batches: batches.boxed(),
        }
    }

    /// What is known before the answer is read.
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// Splits the answer for a layer that wraps the stream.
    pub fn into_parts(self) -> (Head, BoxStream<'static, Result<Batch>>) {
        (self.head, self.batches)
    }

    /// Reads on until the first content, or the end, has arrived; nothing is lost.
    ///
    /// Until then another try can replace the answer unseen.
    ///
    /// # Errors
    /// The stream's own error, when it fails before that; `Truncated` when it stops before that.
    ///
    /// # Cancel safety
    /// Dropping the future stops the call, which is settled with what had arrived.
    pub async fn first_content(mut self) -> Result<Self> {
        let mut seen = Vec::new();
        loop {
            let batch = self.batches.next().await.ok_or_else(truncated)??;
            let done = batch
                .events
                .iter()
                .any(|event| event.is_content() || matches!(event, Event::End(_)));
            seen.push(Ok(batch));
            if done {
                break;
            }
        }
        self.batches = stream::iter(seen).chain(self.batches).boxed();
        Ok(self)
    }

    /// Reads the whole answer.
    ///
    /// # Errors
    /// The stream's own error, with what had arrived in [`Error::partial`]; `Truncated` when the
    /// stream stops without an end.
    ///
    /// # Cancel safety
    /// Dropping the future stops the call, which is settled with what had arrived.
    pub async fn collect(mut self) -> Result<Response> {
        let mut fold = Fold::from_head(&self.head);
        while let Some(batch) = self.batches.next().await {
            let batch = match batch {
                Ok(batch) => batch,
                Err(error) => return Err(error.with_partial(fold.finish())),
            };
            for event in &batch.events {
                fold.push(event);
                if matches!(event, Event::End(_)) {
                    return Ok(fold.finish());
                }
            }
        }
        Err(truncated().with_partial(fold.finish()))
    }
}

pub(crate) fn truncated() -> Error {
    Error::new(
        ErrorKind::Truncated,
        "the reply stopped before its end; what had arrived may be incomplete",
    )
    .with_phase(Phase::Body)
}

impl Stream for Reply {
    type Item = Result<Batch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.batches.poll_next_unpin(cx)
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("head", &self.head)
            .finish_non_exhaustive()
    }
}
