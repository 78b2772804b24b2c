//! The documented routes: each maps HTTP to the engine or the store, and back.
//!
//! A route is registered with its rule, so none is without an answer to who may use it, and with
//! what of somebody's it names, so that a test can ask for it as somebody else.

mod access_keys;
mod account;
mod admin;
mod alerts;
mod auth;
mod budgets;
mod completions;
mod export;
mod operations;
mod paging;
mod playground;
mod provider_keys;
mod providers;
pub(crate) mod sessions;
mod usage;

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::MethodRouter;
use utoipa::openapi::path::Paths;
use utoipa::openapi::{OpenApi, RefOr, Schema};

use crate::admit::{Rule, Weight, admit, stay};
use crate::document;
use crate::extract::no_params;
use crate::state::State;

/// What `utoipa_axum::routes!` makes of one handler.
pub(crate) type Documented = (Vec<(String, RefOr<Schema>)>, Paths, MethodRouter<State>);

/// A route, as the tests that go over all of them see it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Route {
    /// The method, in upper case.
    pub method: &'static str,
    /// The path, with `{names}`.
    pub path: String,
    /// What holds for it.
    pub rule: Rule,
}

/// Routes that were put together: the router, the document and the list of them.
pub(crate) struct Routes {
    state: State,
    router: Router<State>,
    document: OpenApi,
    list: Vec<Route>,
    /// Names that several schemas have.
    clashes: Vec<String>,
}

impl Routes {
    fn new(state: State) -> Self {
        Self {
            state,
            router: Router::new(),
            document: document::new(),
            list: Vec::new(),
            clashes: Vec::new(),
        }
    }

    /// Adds one handler under a rule.
    #[must_use]
    pub(crate) fn add(mut self, rule: Rule, (schemas, paths, handler): Documented) -> Self {
        let known = &mut self.document.components.get_or_insert_default().schemas;
        for (name, schema) in schemas {
            // Two types of one name would be one in the document, and one of them wrong.
            let clashes = known.get(&name).is_some_and(|known| *known != schema);
            if clashes && !self.clashes.contains(&name) {
                self.clashes.push(name.clone());
            }
            known.insert(name, schema);
        }
        for (path, mut item) in paths.paths {
            let mut reads_params = false;
            for (method, operation) in document::operations(&mut item) {
                document::finish(operation, rule);
                reads_params |= document::reads_params(operation);
                self.list.push(Route {
                    method,
                    path: path.clone(),
                    rule,
                });
            }
            let (state, admitted) = (self.state.clone(), rule);
            let layer = from_fn(move |request, next| admit(state.clone(), admitted, request, next));
            let mut handler = handler.clone();
            // Who writes for the vendors' own routes says there what the vendors read.
            if !reads_params && rule.weight != Weight::Probe && !path.starts_with("/v1/") {
                handler = handler.route_layer(from_fn(no_params));
            }
            let handler = handler.route_layer(from_fn(stay)).route_layer(layer);
            self.router = self.router.route(&path, handler);
            let known = self.document.paths.paths.entry(path).or_default();
            known.merge_operations(item);
        }
        self
    }

    /// Names that several schemas have, of which one alone is in the document.
    pub(crate) fn clashes(&self) -> &[String] {
        &self.clashes
    }

    pub(crate) fn into_parts(self) -> (Router<State>, OpenApi, Vec<Route>) {
        (self.router, self.document, self.list)
    }
}

/// All routes.
pub(crate) fn all(state: State) -> Routes {
    let routes = Routes::new(state);
    let routes = operations::add(routes);
    let routes = auth::add(routes);
    let routes = account::add(routes);
    let routes = sessions::add(routes);
    let routes = providers::add(routes);
    let routes = provider_keys::add(routes);
    let routes = access_keys::add(routes);
    let routes = completions::add(routes);
    let routes = playground::add(routes);
    let routes = usage::add(routes);
    let routes = export::add(routes);
    let routes = budgets::add(routes);
    let routes = alerts::add(routes);
    let routes = admin::add(routes);
    crate::ws::add(routes)
}
