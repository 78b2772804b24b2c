//! What failures mean, whichever vendor reports them.

use aurax_core::ErrorKind;

use super::error::Said;
use crate::failure::{FILTERED, TOO_LONG, by_status, says};

/// What went wrong: by words that say more than the status, then by the status.
pub(super) fn kind(status: Option<u16>, said: &Said) -> ErrorKind {
    // Inside a stream the code may be the status the upstream gave.
    let status = status.or_else(|| {
        let code: u16 = said.code.as_deref()?.parse().ok()?;
        (400..=599).contains(&code).then_some(code)
    });
    let text = said.message.to_ascii_lowercase();
    let words = [said.code.as_deref(), said.error_type.as_deref()];
    let is = |known: &[&str]| words.iter().flatten().any(|word| known.contains(word));
    let says = |known: &[&str]| says(&text, known);

    let is_client = matches!(status, None | Some(400 | 413 | 422 | 500));
    if is_client && (is(TOO_LONG) || says(TOO_LONG)) && !is(&["string_above_max_length"]) {
        return ErrorKind::ContextLength;
    }
    let violates = |word: &&str| word.ends_with("_policy_violation");
    if is(BLOCKED) || words.iter().flatten().any(violates) || says(FILTERED) {
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
        // Groq: the flex tier has no capacity (https://console.groq.com/docs/errors).
        Some(498) => ErrorKind::Server,
        Some(status) => by_status(status),
        None => words
            .iter()
            .flatten()
            .find_map(|word| by_word(word))
            .unwrap_or(ErrorKind::Server),
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
        "timeout" | "timeout_error" | "request_timeout" | "vector_store_timeout" => {
            ErrorKind::Timeout
        }
        // Pictures the responses API cannot use: `image_too_large`, `invalid_image_format`, …
        _ if word.contains("image_") || word.starts_with("invalid_") => ErrorKind::InvalidRequest,
        _ => return None,
    })
}

/// Codes of a safety system.
const BLOCKED: &[&str] = &[
    "content_policy_violation",
    "content_filter",
    "invalid_prompt",
    "ResponsibleAIPolicyViolation",
    "bio_policy",
];

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
