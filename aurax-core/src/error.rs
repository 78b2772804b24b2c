//! What can go wrong, and what to do about it.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::chat::Response;
use crate::layer::QuotaState;

/// The result of everything that can fail here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong.
///
/// The kind says *what*; whether another try may help is a separate question ([`Error::retry`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The provider does not accept the API key.
    Auth,
    /// The key is known but may not do this.
    Permission,
    /// No such model at the provider, or none here by that name.
    ModelNotFound,
    /// No such thing other than a model.
    NotFound,
    /// The request can never succeed as it stands.
    InvalidRequest,
    /// The provider, wire or model cannot do what was asked.
    Unsupported,
    /// The input does not fit the model's context window.
    ContextLength,
    /// Too many requests or tokens in a short time.
    RateLimited,
    /// A balance, plan or spend limit is used up.
    Quota,
    /// The provider is up but has no capacity.
    Overloaded,
    /// A phase of the call took longer than it may.
    Timeout,
    /// The provider's safety system blocked input or output.
    ContentFilter,
    /// The request body is larger than the provider takes.
    TooLarge,
    /// The state at the provider does not allow this now.
    Conflict,
    /// The provider failed.
    Server,
    /// The connection failed.
    Network,
    /// The stream ended before its terminal frame.
    Truncated,
    /// The provider's reply cannot be read.
    Decode,
    /// The caller gave up.
    Cancelled,
    /// A key, variable or setting is missing or wrong.
    Config,
    /// The price book has no price for the model.
    Unpriced,
    /// The ledger cannot record the call.
    Ledger,
    /// A budget or the call's own limit has no room for what the call may cost.
    Budget,
    /// The session is answering something else.
    SessionBusy,
    /// The model asked for tools more often than it may.
    TooManySteps,
    /// The database cannot be reached, or is busy with something else.
    Store,
    /// An invariant of this engine is broken.
    Internal,
}

impl ErrorKind {
    /// The kind in snake case, as metrics, traces and JSON show it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Permission => "permission",
            Self::ModelNotFound => "model_not_found",
            Self::NotFound => "not_found",
            Self::InvalidRequest => "invalid_request",
            Self::Unsupported => "unsupported",
            Self::ContextLength => "context_length",
            Self::RateLimited => "rate_limited",
            Self::Quota => "quota",
            Self::Overloaded => "overloaded",
            Self::Timeout => "timeout",
            Self::ContentFilter => "content_filter",
            Self::TooLarge => "too_large",
            Self::Conflict => "conflict",
            Self::Server => "server",
            Self::Network => "network",
            Self::Truncated => "truncated",
            Self::Decode => "decode",
            Self::Cancelled => "cancelled",
            Self::Config => "config",
            Self::Unpriced => "unpriced",
            Self::Ledger => "ledger",
            Self::Budget => "budget",
            Self::SessionBusy => "session_busy",
            Self::TooManySteps => "too_many_steps",
            Self::Store => "store",
            Self::Internal => "internal",
        }
    }

    /// Whether errors of this kind usually pass by themselves.
    pub const fn usual_retry(self) -> Retry {
        match self {
            Self::RateLimited
            | Self::Overloaded
            | Self::Timeout
            | Self::Conflict
            | Self::Server
            | Self::Network
            | Self::SessionBusy
            | Self::Store
            | Self::Truncated => Retry::Transient,
            Self::Auth
            | Self::Permission
            | Self::ModelNotFound
            | Self::NotFound
            | Self::InvalidRequest
            | Self::Unsupported
            | Self::ContextLength
            | Self::Quota
            | Self::ContentFilter
            | Self::TooLarge
            | Self::Decode
            | Self::Cancelled
            | Self::Config
            | Self::Unpriced
            | Self::Ledger
            | Self::Budget
            | Self::TooManySteps
            | Self::Internal => Retry::Never,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether the same call may succeed later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Retry {
    /// It will fail again.
    Never,
    /// It may pass: another try is worth it, provided that no content was delivered yet.
    Transient,
}

/// How far a call's last attempt had come when it failed; decides whether the provider may bill
/// that attempt. [`Error::was_sent`] speaks of all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// Checking and encoding the request: nothing was sent.
    Encode,
    /// Resolving, connecting, TLS: nothing was sent.
    Connect,
    /// Sending the request: the provider may have it.
    Send,
    /// Waiting for the response's headers: the provider has the request.
    Headers,
    /// Reading the response.
    Body,
}

impl Phase {
    /// The phase in snake case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Encode => "encode",
            Self::Connect => "connect",
            Self::Send => "send",
            Self::Headers => "headers",
            Self::Body => "body",
        }
    }
}

/// What the provider itself said about a failure.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Upstream {
    /// HTTP status; `None` for an error inside a stream.
    pub status: Option<u16>,
    /// The provider's error type, such as `invalid_request_error`.
    pub error_type: Option<String>,
    /// The provider's error code; numbers are kept as their digits.
    pub code: Option<String>,
    /// The request parameter the provider names.
    pub param: Option<String>,
    /// The provider's message, redacted and cut to 4 KiB.
    pub message: String,
}

impl Upstream {
    /// A failure with the provider's message.
    pub fn new(status: Option<u16>, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            ..Self::default()
        }
    }
}

/// The one error of the engine: a kind, a message that says what to do, and what is known besides.
///
/// It is one pointer wide. Its text holds no secret and no URL query.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    retry: Retry,
    retry_after: Option<Duration>,
    phase: Option<Phase>,
    sent: bool,
    request_id: Option<String>,
    upstream: Option<Upstream>,
    partial: Option<Response>,
    quota: Option<QuotaState>,
    context: Vec<(&'static str, String)>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of `kind`. The message is lower case, without a full stop, and says what to do.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            retry: kind.usual_retry(),
            retry_after: None,
            phase: None,
            sent: false,
            request_id: None,
            upstream: None,
            partial: None,
            quota: None,
            context: Vec::new(),
            source: None,
        }))
    }

    /// Overrules what the kind says about another try.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.0.retry = retry;
        self
    }

    /// Adds how long the provider asks to wait.
    #[must_use]
    pub fn with_retry_after(mut self, after: Option<Duration>) -> Self {
        self.0.retry_after = after;
        self
    }

    /// Adds how far the call had come, unless that is known already.
    #[must_use]
    pub fn with_phase(mut self, phase: Phase) -> Self {
        self.0.phase.get_or_insert(phase);
        self
    }

    /// Says that a provider has, or may have, had the request in an earlier attempt, or an earlier
    /// request of the same work, however far the one came that this is the end of.
    #[must_use]
    pub fn with_sent(mut self) -> Self {
        self.0.sent = true;
        self
    }

    /// Adds the provider's id of the request.
    #[must_use]
    pub fn with_request_id(mut self, id: Option<String>) -> Self {
        if id.is_some() {
            self.0.request_id = id;
        }
        self
    }

    /// Adds what the provider said.
    #[must_use]
    pub fn with_upstream(mut self, upstream: Upstream) -> Self {
        self.0.upstream = Some(upstream);
        self
    }

    /// Rewrites the message and every word of the provider's, its request id among them, to take
    /// something out of them.
    #[must_use]
    pub fn map_text(mut self, rewrite: impl Fn(&str) -> String) -> Self {
        self.0.message = rewrite(&self.0.message);
        if let Some(upstream) = &mut self.0.upstream {
            upstream.message = rewrite(&upstream.message);
            let words = [
                &mut upstream.error_type,
                &mut upstream.code,
                &mut upstream.param,
            ];
            for word in words.into_iter().flatten() {
                *word = rewrite(word);
            }
        }
        if let Some(id) = &mut self.0.request_id {
            *id = rewrite(id);
        }
        self
    }

    /// Adds what had arrived before the failure.
    #[must_use]
    pub fn with_partial(mut self, partial: Response) -> Self {
        self.0.partial = Some(partial);
        self
    }

    /// Adds what is left of the caller's quotas.
    #[must_use]
    pub fn with_quota(mut self, quota: Option<QuotaState>) -> Self {
        self.0.quota = quota;
        self
    }

    /// Adds a fact for whoever reads the error; never a secret.
    #[must_use]
    pub fn with_context(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.0.context.push((name, value.to_string()));
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The message without context.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Whether another try may help.
    pub fn retry(&self) -> Retry {
        self.0.retry
    }

    /// How long the provider asks to wait before another try.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// How far the call's last attempt had come, where that is known.
    pub fn phase(&self) -> Option<Phase> {
        self.0.phase
    }

    /// Whether a provider may have had the request, and may bill something for it: in the attempt
    /// that this is the end of, or in an earlier one, retries, fallbacks and the calls before this
    /// one in a session's answer included.
    ///
    /// What an engine's call fails with says false only where surely nothing was sent in any of
    /// them, so that the same work can be begun anew without being paid for twice.
    pub fn was_sent(&self) -> bool {
        self.0.sent || self.0.upstream.is_some() || self.0.phase > Some(Phase::Connect)
    }

    /// The provider's id of the failed request, for its support.
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// What the provider said, where it said something.
    pub fn upstream(&self) -> Option<&Upstream> {
        self.0.upstream.as_ref()
    }

    /// What had arrived before the failure, when a reply was being collected.
    pub fn partial(&self) -> Option<&Response> {
        self.0.partial.as_ref()
    }

    /// What is left of the caller's quotas, where the call came so far that they were asked: of the
    /// one that refused it, or as it was when the call began.
    pub fn quota(&self) -> Option<&QuotaState> {
        self.0.quota.as_ref()
    }

    /// A fact added with [`Error::with_context`].
    pub fn context(&self, name: &str) -> Option<&str> {
        self.0
            .context
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.as_str())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        for (i, (name, value)) in self.0.context.iter().enumerate() {
            write!(f, "{}{name}: {value}", if i == 0 { " (" } else { ", " })?;
        }
        if !self.0.context.is_empty() {
            f.write_str(")")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        let mut out = f.debug_struct("Error");
        out.field("kind", &inner.kind)
            .field("message", &inner.message)
            .field("retry", &inner.retry);
        if let Some(after) = inner.retry_after {
            out.field("retry_after", &after);
        }
        if let Some(phase) = inner.phase {
            out.field("phase", &phase);
        }
        if inner.sent {
            out.field("sent", &true);
        }
        if let Some(id) = &inner.request_id {
            out.field("request_id", id);
        }
        if let Some(upstream) = &inner.upstream {
            out.field("upstream", upstream);
        }
        if let Some(quota) = &inner.quota {
            out.field("quota", quota);
        }
        for (name, value) in &inner.context {
            out.field(name, value);
        }
        if let Some(source) = &inner.source {
            out.field("source", source);
        }
        out.finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}
