//! What operators and programs ask of the server itself.

use axum::Json;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::Routes;
use crate::admit::Rule;
use crate::error::Failure;
use crate::state::State;

pub(super) fn add(routes: Routes) -> Routes {
    routes
        .add(Rule::public().probe(), routes!(livez))
        .add(Rule::public().probe(), routes!(readyz))
        .add(Rule::public(), routes!(jwks))
}

/// Whether it works.
#[derive(Debug, Serialize, ToSchema)]
struct Health {
    /// `ok`.
    status: &'static str,
}

const OK: Health = Health { status: "ok" };

/// Whether the process runs; it asks nothing of anybody else.
#[utoipa::path(
    get,
    path = "/livez",
    tag = "operations",
    responses((status = 200, description = "It runs.", body = Health))
)]
async fn livez() -> Json<Health> {
    Json(OK)
}

/// Whether the server takes requests: its database answers, and it is not going down.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "operations",
    responses(
        (status = 200, description = "It takes requests.", body = Health),
        (status = 503, description = "It takes none.", body = crate::error::ErrorBody),
    )
)]
async fn readyz(state: State) -> Result<Json<Health>, Failure> {
    if state.drain().is_announced() {
        return Err(Failure::shutting_down());
    }
    state.store().admin().plans().await?;
    Ok(Json(OK))
}

/// The public keys that access tokens are checked with (RFC 7517).
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    tag = "operations",
    responses((status = 200, description = "The keys.", body = std::collections::HashMap<String, Vec<std::collections::HashMap<String, serde_json::Value>>>))
)]
async fn jwks(state: State) -> (StatusCode, Json<jsonwebtoken::jwk::JwkSet>) {
    let keys = state.auth().tokens().public();
    (StatusCode::OK, Json(keys))
}
