//! Failures as errors: words that all wires share.

use aurax_core::{Error, ErrorKind, Phase, Upstream};

use crate::redact::redact;

/// Words and codes of an input that is too long, of all vendors.
pub(crate) const TOO_LONG: &[&str] = &[
    "context_length_exceeded",
    "exceed_context_size_error",
    "maximum context length is",
    "prompt is too long",
    "exceed context limit",
    "exceeds the maximum number of tokens allowed",
    "exceeds the available context size",
    "longer than the model's context length",
    "longer than the context length",
    "exceeds the context length",
    "input tokens exceed the configured limit",
    "maximum input length is",
    "too large for model with",
    "while limit is",
];

/// Words of a safety system.
pub(crate) const FILTERED: &[&str] = &["blocked by content filtering policy"];

/// Whether `text`, in lower case, has one of these words.
pub(crate) fn says(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| text.contains(word))
}

/// What the provider said, as an error of `kind`; secrets in its message are taken out.
pub(crate) fn error(kind: ErrorKind, mut upstream: Upstream) -> Error {
    upstream.message = redact(&upstream.message);
    let meaning = meaning(kind);
    let message = match (upstream.message.is_empty(), upstream.status) {
        (false, _) => format!("{meaning}: {}", upstream.message),
        (true, Some(status)) => format!("{meaning}: status {status} without a message"),
        (true, None) => meaning.to_owned(),
    };
    Error::new(kind, message).with_upstream(upstream)
}

/// A kind in words, for the message of an error.
const fn meaning(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Auth => "the provider does not accept the API key",
        ErrorKind::Permission => "the key may not do this",
        ErrorKind::ModelNotFound => "the provider has no such model",
        ErrorKind::NotFound => "the provider has no such thing; check the base URL",
        ErrorKind::ContextLength => "the input does not fit the context window",
        ErrorKind::RateLimited => "the provider's rate limit is reached",
        ErrorKind::Quota => "the balance or limit of spending at the provider is used up",
        ErrorKind::Overloaded => "the provider has no capacity",
        ErrorKind::Timeout => "the provider took too long",
        ErrorKind::ContentFilter => "the provider's filter blocked the call",
        ErrorKind::TooLarge => "the request is larger than the provider takes",
        ErrorKind::Conflict => "the state at the provider does not allow this now",
        ErrorKind::InvalidRequest => "the provider refuses the request",
        ErrorKind::Cancelled => "the provider says the call was given up",
        _ => "the provider failed",
    }
}

/// What a status says where nothing else does.
pub(crate) const fn by_status(status: u16) -> ErrorKind {
    match status {
        401 => ErrorKind::Auth,
        402 => ErrorKind::Quota,
        403 => ErrorKind::Permission,
        404 => ErrorKind::NotFound,
        // 524 is a proxy's word for an origin that took too long.
        408 | 504 | 524 => ErrorKind::Timeout,
        409 => ErrorKind::Conflict,
        413 => ErrorKind::TooLarge,
        429 => ErrorKind::RateLimited,
        499 => ErrorKind::Cancelled,
        // 529 is Anthropic's word, which gateways repeat.
        503 | 529 => ErrorKind::Overloaded,
        400..=499 => ErrorKind::InvalidRequest,
        _ => ErrorKind::Server,
    }
}

/// The text of an error that is not JSON, such as a proxy's page; markup says nothing.
pub(crate) fn plain(body: &str) -> String {
    let body = body.trim();
    if body.starts_with('<') {
        String::new()
    } else {
        body.to_owned()
    }
}

/// A reply whose bytes end before it does.
pub(crate) fn truncated() -> Error {
    Error::new(
        ErrorKind::Truncated,
        "the reply stopped before its end; what had arrived may be incomplete",
    )
    .with_phase(Phase::Body)
}

/// A reply that another protocol may know.
pub(crate) fn unreadable() -> Error {
    Error::new(
        ErrorKind::Decode,
        "the provider's reply is not an answer of this protocol",
    )
    .with_phase(Phase::Body)
}
