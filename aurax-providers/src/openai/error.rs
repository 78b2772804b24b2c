//! Errors: every shape vendors of this wire put them in, and what they mean for the call.

use aurax_core::{Error, Phase, Upstream};
use http::{HeaderMap, HeaderName};
use serde_json::value::RawValue;

use super::kind::kind;
use crate::failure;
use crate::headers;
use crate::object::{Object, items};

/// What a provider says of a failure.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) error_type: Option<String>,
    pub(super) code: Option<String>,
    param: Option<String>,
    pub(super) message: String,
}

/// Reads an error reply.
pub(crate) fn reply(status: u16, headers: &HeaderMap, body: &[u8]) -> Error {
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
pub(crate) fn inside(body: &str) -> Error {
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
pub(crate) fn request_id(headers: &HeaderMap) -> Option<String> {
    const NAMES: [HeaderName; 5] = [
        HeaderName::from_static("x-request-id"),
        HeaderName::from_static("request-id"),
        HeaderName::from_static("mistral-correlation-id"),
        HeaderName::from_static("apim-request-id"),
        HeaderName::from_static("x-ms-request-id"),
    ];
    NAMES
        .iter()
        .find_map(|name| headers::text(headers, name))
        .map(str::to_owned)
}

/// Whether what came in place of an answer is an error: an object with an error in it, or an error
/// itself.
pub(crate) fn is_error(object: &mut Object<'_>) -> bool {
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
    // A frame of the responses API names itself `error` where others say what kind.
    let error_type = error.text("type").filter(|name| name != "error");
    Said {
        error_type,
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
    let mut upstream = Upstream::new(status, said.message);
    upstream.error_type = said.error_type;
    upstream.code = said.code;
    upstream.param = said.param;
    failure::error(kind, upstream)
}
