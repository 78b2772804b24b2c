//! The pages for people who read the API: the document, and Swagger UI, which is built in and loads
//! nothing from elsewhere.

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use http::{HeaderValue, header};
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::state::State;

/// What the pages may load: what the server itself has.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      frame-ancestors 'none'; base-uri 'none'";

/// `/openapi.json` and `/docs`.
pub(crate) fn pages(document: OpenApi) -> Router<State> {
    let config = Config::new(["/openapi.json"])
        .validator_url("none")
        .persist_authorization(false)
        .display_request_duration(true);
    let pages = SwaggerUi::new("/docs")
        .url("/openapi.json", document)
        .config(config);
    Router::from(pages).layer(from_fn(guard))
}

async fn guard(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let policy = HeaderValue::from_static(POLICY);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}
