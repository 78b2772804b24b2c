//! The server of AURAX: the documented REST API and WebSocket over one engine and one store.
//!
//! [`router`] is the API as an axum router, for programs that serve it themselves; the command
//! `aurax` serves it with everything around it. It stays thin: what is logic belongs to the engine
//! or the store.

mod admit;
pub mod auth;
mod call;
mod chat;
pub mod config;
mod diff;
mod document;
mod drain;
mod edge;
mod error;
mod extract;
mod idempotency;
mod models;
mod routes;
pub mod serve;
mod state;
mod view;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse as _;
use http::StatusCode;

pub use admit::{Access, Noun, Owned, Place, Rule, Weight};
pub use drain::Drain;
pub use edge::Peer;
pub use error::{Code, ErrorBody, ErrorObject, Failure, KeyOwner};
pub use routes::Route;
pub use state::{State, StateParts};

/// The documented API.
pub fn router(state: State) -> Router {
    let (router, document, _) = routes::all(state.clone()).into_parts();
    let json = document.to_json().unwrap_or_default();
    router
        .route(
            "/openapi.json",
            axum::routing::get(async move || ([("content-type", "application/json")], json)),
        )
        .fallback(async || Failure::not_found("path"))
        .method_not_allowed_fallback(async || {
            let message = "the path has no such method";
            Failure::new(
                StatusCode::METHOD_NOT_ALLOWED,
                Code::MethodNotAllowed,
                message,
            )
            .into_response()
        })
        .layer(from_fn_with_state(state.clone(), edge::pass))
        .with_state(state)
}

/// All routes with their rules, for tests that go over each of them.
pub fn routes(state: State) -> Vec<Route> {
    routes::all(state).into_parts().2
}
