//! Errors: every shape vendors of this wire put them in, and what they mean for the call.

use aurax_core::{Error, ErrorKind, Phase, Upstream};
use http::HeaderMap;
use serde_json::value::RawValue;

use super::object::{Object, items};
use crate::headers;
use crate::redact::redact;

/// What a provider says of a failure.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    error_type: Option<String>,
    code: Option<String>,
    param: Option<String>,
    message: String,
}

/// Reads an error reply.
pub(super) fn reply(status: u16, headers: &HeaderMap, body: &[u8]) -> Error {
    let body = String::from_utf8_lossy(body);
    let said = read(&body).unwrap_or_else(|| Said {
        message: plain(&body),
        ..Said::default()
    });
    let error = build(Some(status), said);
    let wait = headers::retry_after(
        headers,
        error.upstream().map_or("", |upstream| &upstream.message),
        status == 429,
    );
    let retry = headers::should_retry(headers).unwrap_or(error.retry());
    error
        .with_retry(retry)
        .with_retry_after(wait)
        .with_request_id(request_id(headers))
        .with_phase(Phase::Headers)
}

/// Reads an error inside a stream, or in a body whose status is good.
pub(super) fn inside(body: &str) -> Error {
    let said = read(body).unwrap_or_else(|| Said {
        message: plain(body),
        ..Said::default()
    });
    let wait = headers::retry_after(&HeaderMap::new(), &said.message, false);
    build(None, said)
        .with_retry_after(wait)
        .with_phase(Phase::Body)
}

/// The id of a request, by the names vendors give it.
pub(super) fn request_id(headers: &HeaderMap) -> Option<String> {
    const NAMES: [&str; 5] = [
        "x-request-id",
        "request-id",
        "mistral-correlation-id",
        "apim-request-id",
        "x-ms-request-id",
    ];
    NAMES
        .iter()
        .find_map(|name| headers::text(headers, name))
        .map(str::to_owned)
}

/// Whether what came in place of an answer is an error: an object with an error in it, or an error
/// itself.
pub(super) fn is_error(object: &mut Object<'_>) -> bool {
    let nothing = ["false", "\"\"", "{}", "[]"];
    if let Some(error) = object.take("error") {
        return !nothing.contains(&error.get());
    }
    let is_answer = object.has("choices") || object.has("usage");
    let names_itself = object.text("object").as_deref() == Some("error");
    names_itself
        || (!is_answer
            && (object.has("detail")
                || object.has("message") && (object.has("code") || object.has("type"))))
}

/// Whether a list of errors came in place of an answer.
pub(super) fn is_list_of_errors(body: &str) -> bool {
    first_of_list(body).is_some()
}

fn first_of_list(body: &str) -> Option<&str> {
    let list: &RawValue = serde_json::from_str(body).ok()?;
    let first = *items(list).first()?;
    Object::of(first)
        .is_some_and(|mut object| is_error(&mut object))
        .then_some(first.get())
}

/// Reads the shapes errors come in:
///
/// * `{"error":{"message","type","code","param"}}`, the common one; `code` may be a number;
/// * `{"error":"text"}` (Venice, Ollama), with `code` beside it (xAI);
/// * `{"message","type","code"}` (Mistral, vLLM, Doubleword);
/// * `{"detail":"text"}` and `{"detail":[{"loc","msg"}]}` (Mistral, every FastAPI server);
/// * a list around one of these (Google).
fn read(body: &str) -> Option<Said> {
    let body = first_of_list(body).unwrap_or(body);
    let mut object = Object::parse(body).ok()?;
    if let Some(error) = object.take("error") {
        if let Some(error) = Object::of(error) {
            return Some(fields(error));
        }
        let message: String = serde_json::from_str(error.get()).ok()?;
        // xAI's code is a word for the status; what an official SDK shows of such a body is the
        // text alone.
        return Some(Said {
            message,
            ..Said::default()
        });
    }
    if let Some(detail) = object.take("detail") {
        return Some(Said {
            message: self::detail(detail),
            ..Said::default()
        });
    }
    let said = fields(object);
    (!said.message.is_empty()).then_some(said)
}

fn fields(mut error: Object<'_>) -> Said {
    Said {
        error_type: error.text("type"),
        code: error.word("code"),
        param: error.text("param"),
        message: error
            .text("message")
            .or_else(|| error.text("detail"))
            .unwrap_or_default(),
    }
}

/// A text, or the complaints of a validator: where, and what.
fn detail(detail: &RawValue) -> String {
    if let Ok(text) = serde_json::from_str(detail.get()) {
        return text;
    }
    let complaints: Vec<String> = items(detail)
        .into_iter()
        .filter_map(Object::of)
        .map(|mut complaint| {
            let place: Vec<String> = complaint
                .list("loc")
                .into_iter()
                .map(|step| step.get().trim_matches('"').to_owned())
                .collect();
            let message = complaint.text("msg").unwrap_or_default();
            format!("{}: {message}", place.join("."))
        })
        .collect();
    complaints.join("; ")
}

/// The text of a body that is not JSON; of a page in HTML its title says most.
fn plain(body: &str) -> String {
    let body = body.trim();
    if !body.starts_with('<') {
        return body.to_owned();
    }
    let lower = body.to_ascii_lowercase();
    let title = lower.find("<title>").zip(lower.find("</title>"));
    title
        .and_then(|(start, end)| body.get(start.checked_add(7)?..end))
        .map(|title| title.trim().to_owned())
        .unwrap_or_default()
}

fn build(status: Option<u16>, said: Said) -> Error {
    let kind = kind(status, &said);
    let words = redact(&said.message);
    let message = match (words.is_empty(), status) {
        (false, _) => format!("{}: {words}", meaning(kind)),
        (true, Some(status)) => format!("{}: status {status} without a message", meaning(kind)),
        (true, None) => meaning(kind).to_owned(),
    };
    let mut upstream = Upstream::new(status, words);
    upstream.error_type = said.error_type;
    upstream.code = said.code;
    upstream.param = said.param;
    Error::new(kind, message).with_upstream(upstream)
}

/// What went wrong: by words that say more than the status, then by the status.
fn kind(status: Option<u16>, said: &Said) -> ErrorKind {
    // Inside a stream the code may be the status the upstream gave.
    let status = status.or_else(|| {
        let code: u16 = said.code.as_deref()?.parse().ok()?;
        (400..=599).contains(&code).then_some(code)
    });
    let text = said.message.to_ascii_lowercase();
    let words = [said.code.as_deref(), said.error_type.as_deref()];
    let is = |known: &[&str]| words.iter().flatten().any(|word| known.contains(word));
    let says = |known: &[&str]| known.iter().any(|words| text.contains(words));

    let is_client = matches!(status, None | Some(400 | 413 | 422 | 500));
    if is_client && (is(TOO_LONG) || says(TOO_LONG)) && !is(&["string_above_max_length"]) {
        return ErrorKind::ContextLength;
    }
    if is(BLOCKED) || says(BLOCKED_WORDS) {
        return ErrorKind::ContentFilter;
    }
    if is(&["invalid_api_key"]) || (status != Some(429) && says(BAD_KEY)) {
        return ErrorKind::Auth;
    }
    if is(SPENT) || (matches!(status, Some(400 | 403 | 429) | None) && says(SPENT_WORDS)) {
        return ErrorKind::Quota;
    }
    let about_model = is(&["model_not_found", "invalid_model"]) || says(NO_MODEL);
    let by_name = status == Some(404) && text.contains("model");
    if matches!(status, None | Some(400 | 404)) && about_model || by_name {
        return ErrorKind::ModelNotFound;
    }
    if matches!(status, Some(500..=502)) && says(CLIENT_MISTAKE) {
        return ErrorKind::InvalidRequest;
    }
    match status {
        Some(status) => by_status(status),
        None => words
            .iter()
            .flatten()
            .find_map(|word| by_word(word))
            .unwrap_or(ErrorKind::Server),
    }
}

const fn by_status(status: u16) -> ErrorKind {
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
        // Groq: the flex tier has no capacity (https://console.groq.com/docs/errors).
        498 => ErrorKind::Server,
        503 | 529 => ErrorKind::Overloaded,
        400..=499 => ErrorKind::InvalidRequest,
        _ => ErrorKind::Server,
    }
}

/// Types and codes of errors that come without a status.
fn by_word(word: &str) -> Option<ErrorKind> {
    Some(match word {
        "invalid_request_error" | "invalid_request" | "BadRequestError" => {
            ErrorKind::InvalidRequest
        }
        "authentication_error" => ErrorKind::Auth,
        "permission_error" | "permission_denied" => ErrorKind::Permission,
        "not_found_error" => ErrorKind::NotFound,
        "rate_limit_exceeded" | "rate_limit_error" | "requests" | "tokens" => {
            ErrorKind::RateLimited
        }
        "overloaded" | "overloaded_error" | "service_unavailable" => ErrorKind::Overloaded,
        "timeout" | "timeout_error" | "request_timeout" => ErrorKind::Timeout,
        _ => return None,
    })
}

/// Words and codes of an input that is too long, of all vendors.
const TOO_LONG: &[&str] = &[
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

/// Codes of a safety system.
const BLOCKED: &[&str] = &[
    "content_policy_violation",
    "content_filter",
    "invalid_prompt",
    "ResponsibleAIPolicyViolation",
];
const BLOCKED_WORDS: &[&str] = &["blocked by content filtering policy"];

/// Words of a key that is not accepted: xAI and Gemini say so with a status of 400.
const BAD_KEY: &[&str] = &[
    "incorrect api key",
    "invalid api key",
    "api key not valid",
    "api_key_invalid",
];

/// Codes and words of a balance or limit of spending that is used up: waiting does not help.
const SPENT: &[&str] = &["insufficient_quota", "billing_hard_limit_reached"];
const SPENT_WORDS: &[&str] = &[
    "credit balance is too low",
    "exceeded your current quota",
    "insufficient balance",
    "insufficient credit",
];

/// Words of a model nobody knows.
const NO_MODEL: &[&str] = &[
    "is not a valid model id",
    "model not found",
    "invalid model:",
    "supported api model names are",
];

/// Words of local servers (llama.cpp, Ollama) that report the client's mistakes as their own
/// (<https://github.com/ggml-org/llama.cpp/tree/master/tools/server>).
const CLIENT_MISTAKE: &[&str] = &[
    "does not support",
    "not supported",
    "--jinja",
    "batch size",
    "cannot use both",
    "cannot make get request",
    "failed to parse",
    "failed to load image",
    "json schema",
    "grammar",
];

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
