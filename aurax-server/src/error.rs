//! Every failure as a client sees it: a status, a code and what to do.

use std::collections::BTreeMap;
use std::time::Duration;

use aurax::{Clock, Error, ErrorKind, Phase, Retry};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::limits::RateState;

/// How long to wait where nobody knows better.
const SOON: Duration = Duration::from_secs(1);
/// How long to wait for a budget or a balance.
const LATER: Duration = Duration::from_secs(3_600);

/// What went wrong, in one word for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Code {
    /// The request can never succeed as it stands; `details.field` names what is wrong.
    InvalidRequest,
    /// The provider, wire or model cannot do what was asked.
    Unsupported,
    /// The conversation does not fit the model's context window.
    ContextLengthExceeded,
    /// A safety system blocked the question or the answer.
    ContentFiltered,
    /// The price book has no price for the model, which a budget needs.
    ModelUnpriced,
    /// Nobody is logged in: no token or key, or one that is not valid any more.
    Unauthorized,
    /// Whoever is logged in may not do this.
    Forbidden,
    /// There is no such thing, or it belongs to somebody else.
    NotFound,
    /// There is no such model.
    ModelNotFound,
    /// The path is known, the method is not.
    MethodNotAllowed,
    /// It contradicts what is there already.
    Conflict,
    /// There are as many as there may be.
    LimitReached,
    /// The session is answering something else.
    SessionBusy,
    /// A request with this Idempotency-Key is being answered.
    IdempotencyInFlight,
    /// The Idempotency-Key was used for another body.
    IdempotencyMismatch,
    /// The body is too large.
    TooLarge,
    /// The provider refuses the caller's key.
    ProviderKeyRefused,
    /// There is no key for the provider.
    ProviderKeyMissing,
    /// Too many requests or tokens; `Retry-After` says when to come back.
    RateLimited,
    /// A budget has no room for what the call may cost.
    BudgetExceeded,
    /// A balance or spend limit at the provider is used up.
    ProviderQuotaExceeded,
    /// The caller gave up.
    Cancelled,
    /// The provider failed, or what it said cannot be read.
    ProviderError,
    /// The provider took too long.
    ProviderTimeout,
    /// The provider has no capacity.
    ProviderOverloaded,
    /// The ledger cannot record the call, which therefore was not made or cannot be finished.
    LedgerUnavailable,
    /// The database is away.
    StoreUnavailable,
    /// The issuer of the token cannot be asked for its keys.
    IssuerUnavailable,
    /// The server has as much to do as it can.
    Overloaded,
    /// The server is going down.
    ShuttingDown,
    /// The server failed.
    Internal,
}

/// A failure, before it is written. It has no request id and time yet: those are added where the
/// answer leaves.
#[derive(Debug, Clone)]
pub struct Failure(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    status: StatusCode,
    code: Code,
    message: String,
    details: BTreeMap<String, Value>,
    is_retryable: bool,
    retry_after: Option<Duration>,
    /// Whether anything was, or may have been, sent to a provider.
    is_sent: bool,
    /// What is left of the limits that were asked.
    rates: Option<RateState>,
}

/// Whose key a call was made with, which decides whose fault its refusal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyOwner {
    /// The caller's own.
    Caller,
    /// The operator's.
    Operator,
}

impl Failure {
    /// A failure; one that nobody need try again.
    pub fn new(status: StatusCode, code: Code, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            status,
            code,
            message: message.into(),
            details: BTreeMap::new(),
            is_retryable: false,
            retry_after: None,
            is_sent: false,
            rates: None,
        }))
    }

    /// The request can never succeed, because of this field.
    pub fn invalid(field: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Code::InvalidRequest, message)
            .with_detail("field", field)
    }

    /// Nobody is logged in.
    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, Code::Unauthorized, message)
    }

    /// Whoever is logged in may not do this.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, Code::Forbidden, message)
    }

    /// There is no such thing.
    pub fn not_found(what: &str) -> Self {
        let message = format!("there is no such {what}");
        Self::new(StatusCode::NOT_FOUND, Code::NotFound, message)
    }

    /// The server failed; why is logged, and not told.
    pub fn internal() -> Self {
        let message = "the server failed; the request id helps its operator to find out why";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, Code::Internal, message)
    }

    /// The server is going down.
    pub fn shutting_down() -> Self {
        let message = "the server is going down: try again, another one answers";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, Code::ShuttingDown, message)
            .with_retry_after(SOON)
    }

    /// Adds a fact for programs.
    #[must_use]
    pub fn with_detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.details.insert(name.to_owned(), value.into());
        self
    }

    /// Says that another try may help, after so long.
    #[must_use]
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.0.is_retryable = true;
        self.0.retry_after = Some(after);
        self
    }

    /// Adds what is left of the limits that were asked.
    #[must_use]
    pub(crate) fn with_rates(mut self, rates: RateState) -> Self {
        self.0.rates = Some(rates);
        self
    }

    pub(crate) fn rates(&self) -> Option<RateState> {
        self.0.rates
    }

    /// The status.
    pub const fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The code.
    pub const fn code(&self) -> Code {
        self.0.code
    }

    /// Says whether anything of the call was sent that this is the end of.
    #[must_use]
    pub(crate) fn after(mut self, error: &Error) -> Self {
        self.0.is_sent = error.was_sent();
        self
    }

    /// Whether nothing was done yet that must not be done twice: surely nothing was sent to a
    /// provider, in any attempt. Of what the server itself failed with nobody knows.
    pub(crate) fn is_before_work(&self) -> bool {
        !self.0.is_sent && self.0.status != StatusCode::INTERNAL_SERVER_ERROR
    }

    /// What went wrong with a call that was made with a key of `owner`.
    pub fn of_call(error: &Error, owner: KeyOwner) -> Self {
        let own = owner == KeyOwner::Caller;
        let answered = error.upstream().is_some() || error.phase() != Some(Phase::Encode);
        let (status, code) = match error.kind() {
            ErrorKind::Auth | ErrorKind::Permission if own => {
                (StatusCode::FAILED_DEPENDENCY, Code::ProviderKeyRefused)
            }
            ErrorKind::Auth | ErrorKind::Permission => {
                (StatusCode::BAD_GATEWAY, Code::ProviderError)
            }
            ErrorKind::Config => (StatusCode::FAILED_DEPENDENCY, Code::ProviderKeyMissing),
            ErrorKind::Overloaded if answered => {
                (StatusCode::SERVICE_UNAVAILABLE, Code::ProviderOverloaded)
            }
            ErrorKind::Quota if answered => {
                (StatusCode::TOO_MANY_REQUESTS, Code::ProviderQuotaExceeded)
            }
            // What a provider does not find is not the caller's: a file, an assistant.
            ErrorKind::Conflict | ErrorKind::NotFound if answered && error.upstream().is_some() => {
                (StatusCode::BAD_REQUEST, Code::InvalidRequest)
            }
            _ => return Self::from(error),
        };
        Self::of(error, status, code)
    }

    fn of(error: &Error, status: StatusCode, code: Code) -> Self {
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(error = ?error, "a request failed");
            return Self::internal();
        }
        let mut failure = Self::new(status, code, error.message());
        for name in ["field", "limit", "of", "provider", "model", "field_path"] {
            if let Some(value) = error.context(name) {
                failure = failure.with_detail(name, value);
            }
        }
        if let Some(upstream) = error.upstream() {
            failure = failure.with_detail("provider_status", upstream.status);
            if let Some(code) = &upstream.code {
                failure = failure.with_detail("provider_code", code.as_str());
            }
            if let Some(param) = &upstream.param {
                failure = failure.with_detail("provider_param", param.as_str());
            }
        }
        failure.0.rates = error.quota().map(RateState::from);
        failure.0.is_sent = error.was_sent();
        failure.0.is_retryable = error.retry() == Retry::Transient;
        failure.0.retry_after = error.retry_after().or(match status {
            StatusCode::TOO_MANY_REQUESTS if failure.0.is_retryable => Some(SOON),
            StatusCode::TOO_MANY_REQUESTS => Some(LATER),
            StatusCode::SERVICE_UNAVAILABLE => Some(SOON),
            _ => None,
        });
        failure
    }

    /// The object that REST, SSE and WebSocket all carry.
    pub fn body(&self, request_id: &str, now: OffsetDateTime) -> ErrorBody {
        ErrorBody {
            error: ErrorObject {
                code: self.0.code,
                message: self.0.message.clone(),
                details: (!self.0.details.is_empty()).then(|| self.0.details.clone()),
                timestamp: now,
                request_id: request_id.to_owned(),
                retryable: self.0.is_retryable,
            },
        }
    }

    /// The whole answer.
    pub(crate) fn respond(&self, request_id: &str, clock: &dyn Clock) -> Response {
        let body = self.body(request_id, clock.now());
        let json = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = (self.0.status, json).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        if let Some(after) = self.0.retry_after {
            // Rounded up: who comes back a moment early is refused again.
            let seconds = after.as_millis().div_ceil(1_000).max(1);
            if let Ok(value) = HeaderValue::from_str(&seconds.to_string()) {
                headers.insert(header::RETRY_AFTER, value);
            }
        }
        if self.0.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer realm=\"aurax\"");
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        let (status, code) = match error.kind() {
            ErrorKind::InvalidRequest => (StatusCode::BAD_REQUEST, Code::InvalidRequest),
            ErrorKind::Unsupported => (StatusCode::BAD_REQUEST, Code::Unsupported),
            ErrorKind::ContextLength => (StatusCode::BAD_REQUEST, Code::ContextLengthExceeded),
            ErrorKind::ContentFilter => (StatusCode::BAD_REQUEST, Code::ContentFiltered),
            ErrorKind::Unpriced => (StatusCode::BAD_REQUEST, Code::ModelUnpriced),
            ErrorKind::Auth => (StatusCode::UNAUTHORIZED, Code::Unauthorized),
            ErrorKind::Permission => (StatusCode::FORBIDDEN, Code::Forbidden),
            ErrorKind::NotFound => (StatusCode::NOT_FOUND, Code::NotFound),
            ErrorKind::ModelNotFound => (StatusCode::NOT_FOUND, Code::ModelNotFound),
            ErrorKind::Conflict => (StatusCode::CONFLICT, Code::Conflict),
            ErrorKind::Quota => (StatusCode::CONFLICT, Code::LimitReached),
            ErrorKind::SessionBusy => (StatusCode::CONFLICT, Code::SessionBusy),
            ErrorKind::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, Code::TooLarge),
            ErrorKind::RateLimited => (StatusCode::TOO_MANY_REQUESTS, Code::RateLimited),
            ErrorKind::Budget => (StatusCode::TOO_MANY_REQUESTS, Code::BudgetExceeded),
            ErrorKind::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, Code::Overloaded),
            ErrorKind::Timeout => (StatusCode::GATEWAY_TIMEOUT, Code::ProviderTimeout),
            ErrorKind::Server
            | ErrorKind::Network
            | ErrorKind::Truncated
            | ErrorKind::Decode
            | ErrorKind::TooManySteps => (StatusCode::BAD_GATEWAY, Code::ProviderError),
            ErrorKind::Ledger => (StatusCode::SERVICE_UNAVAILABLE, Code::LedgerUnavailable),
            ErrorKind::Store => (StatusCode::SERVICE_UNAVAILABLE, Code::StoreUnavailable),
            ErrorKind::Cancelled => (StatusCode::CONFLICT, Code::Cancelled),
            _ => (StatusCode::INTERNAL_SERVER_ERROR, Code::Internal),
        };
        Self::of(error, status, code)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::from(&error)
    }
}

/// The answer is empty until it leaves: the edge writes it, with the request's id.
impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.0.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// An error as REST, SSE and WebSocket show it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ErrorObject,
}

/// What went wrong.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ErrorObject {
    /// In one word.
    pub code: Code,
    /// In words, and what to do.
    pub message: String,
    /// Facts for programs, such as `field`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<BTreeMap<String, Value>>,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub timestamp: OffsetDateTime,
    /// The request's id, which the server's log has, too.
    pub request_id: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
}

#[cfg(test)]
mod tests {
    use aurax::Upstream;

    use super::*;

    #[test]
    fn a_key_is_freed_only_where_surely_nothing_was_sent() {
        let error = |kind, phase| Error::new(kind, "it failed").with_phase(phase);
        let upstream = Upstream::new(Some(429), "slow down");
        let table = [
            (error(ErrorKind::InvalidRequest, Phase::Encode), true),
            (error(ErrorKind::RateLimited, Phase::Encode), true),
            (error(ErrorKind::Ledger, Phase::Encode), true),
            (error(ErrorKind::Network, Phase::Connect), true),
            (Error::new(ErrorKind::Store, "away"), true),
            (error(ErrorKind::Network, Phase::Send), false),
            (error(ErrorKind::Timeout, Phase::Headers), false),
            (error(ErrorKind::Truncated, Phase::Body), false),
            (
                Error::new(ErrorKind::RateLimited, "full").with_upstream(upstream),
                false,
            ),
            // The answers before the last call were paid for.
            (
                error(ErrorKind::TooManySteps, Phase::Encode).with_sent(),
                false,
            ),
            (
                error(ErrorKind::Unsupported, Phase::Encode).with_sent(),
                false,
            ),
            (Error::new(ErrorKind::Cancelled, "over").with_sent(), false),
            // Whatever that was, nobody knows how far it had come.
            (error(ErrorKind::Internal, Phase::Encode), false),
        ];
        for (error, is_free) in table {
            let failures = [
                Failure::from(&error),
                Failure::of_call(&error, KeyOwner::Caller),
                Failure::of_call(&error, KeyOwner::Operator),
            ];
            for failure in failures {
                assert_eq!(failure.is_before_work(), is_free, "{error:?}");
            }
            let is_internal = error.kind() == ErrorKind::Internal;
            let down = Failure::shutting_down().after(&error);
            assert_eq!(down.is_before_work(), is_free || is_internal, "{error:?}");
        }
        assert!(!Failure::internal().is_before_work());
    }
}
