//! Error replies: what the provider said, and the kind the wire contract gives to it.

use aurax_core::{Error, ErrorKind};
use serde_json::{Map, Value};

use super::tally::Findings;

/// Compares an error with what the SDK raised.
pub(crate) fn compare(expected: &Map<String, Value>, got: &Error, findings: &mut Findings) {
    let text = |field: &str| expected.get(field).and_then(digits_or_text);
    let status = expected.get("status").and_then(Value::as_u64);
    let message = text("message").unwrap_or_default();
    let Some(upstream) = got.upstream() else {
        findings.differ("error", expected, got);
        return;
    };
    // An error inside a stream has no status of its own: the reply's was 200.
    if let Some(status) = status.filter(|status| *status >= 400) {
        findings.equal(
            "error.status",
            &Some(status),
            &upstream.status.map(u64::from),
        );
    }
    findings.equal("error.type", &text("type"), &upstream.error_type);
    findings.equal("error.code", &text("code"), &upstream.code);
    findings.equal("error.param", &text("param"), &upstream.param);
    if expected.contains_key("message") {
        findings.equal("error.message", &message, &upstream.message);
    }
    let failure = Failure {
        status: status.unwrap_or_default(),
        words: [text("type"), text("code")],
        message: message.to_lowercase(),
    };
    let kinds = failure.kinds();
    if !kinds.contains(&got.kind()) {
        findings.differ("error.kind", &kinds, &got.kind());
    }
}

/// Codes are strings, numbers or null on the wire.
fn digits_or_text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// Texts by which providers say that the input is too long.
const TOO_LONG: [&str; 14] = [
    "maximum context length is",
    "context_length_exceeded",
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
    "exceed_context_size_error",
];

/// Texts by which local servers say that the request was wrong, under a status that says otherwise.
const CLIENT_MISTAKES: [&str; 3] = ["does not support images", "--jinja", "batch size"];

/// What the SDK reports of a failure.
struct Failure {
    status: u64,
    /// Type and code.
    words: [Option<String>; 2],
    message: String,
}

impl Failure {
    fn is(&self, words: &[&str]) -> bool {
        self.words
            .iter()
            .flatten()
            .any(|word| words.contains(&word.as_str()))
    }

    fn says(&self, texts: &[&str]) -> bool {
        texts.iter().any(|text| self.message.contains(text))
    }

    /// The kinds the wire contract allows: one, or two where it leaves the choice.
    fn kinds(&self) -> Vec<ErrorKind> {
        use ErrorKind::{
            Auth, Cancelled, Conflict, ContentFilter, ContextLength, InvalidRequest, ModelNotFound,
            NotFound, Overloaded, Permission, Quota, RateLimited, Server, Timeout, TooLarge,
        };
        let too_long = self.says(&TOO_LONG) || self.is(&TOO_LONG);
        let one = match self.status {
            400 | 413 | 422 | 500 if too_long && !self.is(&["string_above_max_length"]) => {
                ContextLength
            }
            400 if self.is(&[
                "content_policy_violation",
                "content_filter",
                "invalid_prompt",
            ]) || self.says(&["blocked by content filtering policy"]) =>
            {
                ContentFilter
            }
            400 if self.is(&["model_not_found", "invalid_model"])
                || self.says(&["is not a valid model id", "model not found:"]) =>
            {
                ModelNotFound
            }
            400 if self.says(&["supported api model names are"]) => {
                return vec![InvalidRequest, ModelNotFound];
            }
            400 if self.says(&["credit balance is too low"]) => Quota,
            400 if self.says(&["incorrect api key", "api key not valid"])
                || self.is(&["API_KEY_INVALID"]) =>
            {
                Auth
            }
            400 | 422 => InvalidRequest,
            401 => Auth,
            402 => Quota,
            403 => Permission,
            404 if self.is(&["model_not_found"]) || self.says(&["model"]) => ModelNotFound,
            404 => NotFound,
            408 | 504 => Timeout,
            409 => Conflict,
            413 => TooLarge,
            429 if self.is(&["insufficient_quota", "billing_hard_limit_reached"]) => Quota,
            429 => RateLimited,
            499 => Cancelled,
            503 | 529 => Overloaded,
            500 if self.says(&CLIENT_MISTAKES) => InvalidRequest,
            // Which other texts of local servers give the client's mistakes away is left to the
            // wire.
            500 => return vec![Server, InvalidRequest],
            _ => Server,
        };
        vec![one]
    }
}
