//! Which web pages may read answers: those of the operator's list, and no others.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::config::Config;
use crate::{edge, limits};

/// How long a browser remembers what it was told.
const REMEMBERED: Duration = Duration::from_secs(600);

/// What pages may read of an answer's headers: all that says something, but for those that are
/// always readable.
const READ: [HeaderName; 11] = [
    header::CONTENT_DISPOSITION,
    header::RETRY_AFTER,
    header::WWW_AUTHENTICATE,
    HeaderName::from_static("idempotency-replayed"),
    edge::REQUEST_ID,
    limits::LIMIT,
    limits::REMAINING,
    limits::RESET,
    limits::LIMIT_TOKENS,
    limits::REMAINING_TOKENS,
    limits::RESET_TOKENS,
];

/// Pages of the listed origins may send what the API reads, and read what it says. Nothing is done
/// with cookies, so none are allowed.
pub(crate) fn layer(config: &Config) -> CorsLayer {
    let origins = config.cors_origins.iter();
    let origins = origins.filter_map(|origin| HeaderValue::from_str(origin.as_str()).ok());
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            HeaderName::from_static("idempotency-key"),
            HeaderName::from_static("x-api-key"),
            HeaderName::from_static("x-request-id"),
        ])
        .expose_headers(READ)
        .max_age(REMEMBERED)
}
