//! The pages for people who read the API: the document, and Swagger UI, which is built in and loads
//! nothing from elsewhere.

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use http::{HeaderValue, header};
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::admit::{Rule, admit};
use crate::state::State;

/// What the pages may load: what the server itself has.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      frame-ancestors 'none'; base-uri 'none'";

/// `/openapi.json` and `/docs`, which are counted as any route for everybody.
pub(crate) fn pages(document: OpenApi, state: State) -> Router<State> {
    let config = Config::new(["/openapi.json"])
        .validator_url("none")
        .persist_authorization(false)
        .display_request_duration(true);
    let pages = SwaggerUi::new("/docs")
        .url("/openapi.json", document)
        .config(config);
    let admitted = move |request, next| admit(state.clone(), Rule::public(), request, next);
    Router::from(pages)
        .layer(from_fn(guard))
        .layer(from_fn(admitted))
}

async fn guard(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let policy = HeaderValue::from_static(POLICY);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}
