//! The server of AURAX: the documented REST API and WebSocket over one engine and one store.
//!
//! [`router`] is the API as an axum router, for programs that serve it themselves; the command
//! `aurax` serves it with everything around it. It stays thin: what is logic belongs to the engine
//! or the store.

mod admit;
pub mod alerts;
pub mod auth;
pub mod boot;
mod call;
mod chat;
pub mod cli;
pub mod config;
mod cors;
mod diff;
mod docs;
mod document;
mod drain;
mod edge;
mod error;
mod extract;
mod idempotency;
mod jobs;
mod limits;
mod models;
mod room;
mod routes;
pub mod serve;
mod state;
mod trace;
mod view;
mod ws;

use axum::Router;
use axum::middleware::from_fn_with_state;
use http::StatusCode;

use edge::Seen;

pub use admit::{Access, Noun, Owned, Place, Rule, Weight};
pub use drain::Drain;
pub use edge::Peer;
pub use error::{Code, ErrorBody, ErrorObject, Failure, KeyOwner};
pub use jobs::Job;
pub use routes::Route;
pub use state::{State, StateParts};
pub use ws::Sockets;

/// The documented API.
pub fn router(state: State) -> Router {
    let (router, document, _) = routes::all(state.clone()).into_parts();
    router
        .merge(docs::pages(document, state.clone()))
        .fallback(async |state: State, seen: Seen| {
            admit::refuse(&state, &seen, Failure::not_found("path")).await
        })
        .method_not_allowed_fallback(async |state: State, seen: Seen| {
            let message = "the path has no such method";
            let failure = Failure::new(
                StatusCode::METHOD_NOT_ALLOWED,
                Code::MethodNotAllowed,
                message,
            );
            admit::refuse(&state, &seen, failure).await
        })
        .layer(cors::layer(state.config()))
        .layer(from_fn_with_state(state.clone(), admit::preflight))
        .layer(from_fn_with_state(state.clone(), edge::pass))
        .with_state(state)
}

/// The OpenAPI 3.1 document of [`router`], as JSON.
///
/// # Errors
/// `Internal` when it cannot be written.
pub fn openapi(state: State) -> aurax::Result<String> {
    let routes = routes::all(state);
    if let [name, ..] = routes.clashes() {
        let message = format!("several schemas are named `{name}`");
        return Err(aurax::Error::new(aurax::ErrorKind::Internal, message));
    }
    let (_, document, _) = routes.into_parts();
    document.to_pretty_json().map_err(|error| {
        let message = "the OpenAPI document cannot be written";
        aurax::Error::new(aurax::ErrorKind::Internal, message).with_source(error)
    })
}

/// All routes with their rules, for tests that go over each of them.
pub fn routes(state: State) -> Vec<Route> {
    routes::all(state).into_parts().2
}
