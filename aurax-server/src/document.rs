//! The OpenAPI document: what handlers say of themselves, and what their rules add.

use utoipa::OpenApi as _;
use utoipa::openapi::path::{Operation, ParameterIn, PathItem};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, Flow, HttpAuthScheme, HttpBuilder, OAuth2, Password, Scopes,
    SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr};

use crate::admit::{Access, Owned, Place, Rule, Weight};
use crate::error::{Code, ErrorBody, ErrorObject};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "AURAX",
        description = "One engine for talking to many LLM providers: chats and streams, exact costs, \
                       accounts, limits and budgets."
    ),
    components(schemas(ErrorBody, ErrorObject, Code))
)]
struct Base;

const TOKEN: &str = "token";
const PASSWORD: &str = "password";
const KEY: &str = "access_key";

/// A document without paths.
pub(crate) fn new() -> OpenApi {
    let mut document = Base::openapi();
    env!("CARGO_PKG_VERSION").clone_into(&mut document.info.version);
    let components = document.components.get_or_insert_default();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("An access token of `/auth/login`, or an access key."));
    let password = Flow::Password(Password::with_refresh_url(
        "/auth/login",
        Scopes::new(),
        "/auth/refresh",
    ));
    let key = ApiKeyValue::with_description("x-api-key", "An access key.");
    components.add_security_scheme(TOKEN, SecurityScheme::Http(bearer.build()));
    components.add_security_scheme(PASSWORD, SecurityScheme::OAuth2(OAuth2::new([password])));
    components.add_security_scheme(KEY, SecurityScheme::ApiKey(ApiKey::Header(key)));
    document
}

/// The operations of a path, with the names of their methods.
pub(crate) fn operations(item: &mut PathItem) -> Vec<(&'static str, &mut Operation)> {
    [
        ("GET", &mut item.get),
        ("POST", &mut item.post),
        ("PUT", &mut item.put),
        ("PATCH", &mut item.patch),
        ("DELETE", &mut item.delete),
    ]
    .into_iter()
    .filter_map(|(name, operation)| Some((name, operation.as_mut()?)))
    .collect()
}

/// Whether an operation reads anything behind the question mark.
pub(crate) fn reads_params(operation: &Operation) -> bool {
    let parameters = operation.parameters.iter().flatten();
    parameters.into_iter().any(|parameter| match parameter {
        RefOr::T(parameter) => parameter.parameter_in == ParameterIn::Query,
        RefOr::Ref(_) => true,
    })
}

/// Adds what a rule says: who may call, and what every such route may answer.
pub(crate) fn finish(operation: &mut Operation, rule: Rule) {
    let none: [&str; 0] = [];
    let mut add = |status: &str, what: &str| {
        let responses = &mut operation.responses.responses;
        responses
            .entry(status.to_owned())
            .or_insert_with(|| failure(what).into());
    };
    add("500", "The server failed.");
    if rule.weight != Weight::Probe {
        add(
            "400",
            "The request is not valid; `error.details.field` names what is wrong.",
        );
        add(
            "429",
            "Too many requests; `Retry-After` says when to come back.",
        );
        add(
            "503",
            "The database or the ledger is away, or the server has too much to do.",
        );
    }
    if rule.access != Access::Public {
        add("401", "Nobody is logged in.");
        add("403", "Whoever is logged in may not do this.");
    }
    // What a query names only narrows what is listed, and a cursor of somebody else's is none.
    let is_named = |owned: &Owned| matches!(owned.place, Place::Path | Place::Body);
    if rule.owned.iter().any(is_named) {
        add(
            "404",
            "There is no such thing, or it belongs to somebody else.",
        );
    }
    if rule.weight == Weight::Paid {
        add(
            "404",
            "There is no such thing or model, or it belongs to somebody else.",
        );
        add("409", "It is being answered already.");
        add("413", "The body is too large.");
        add("422", "The Idempotency-Key was used for another body.");
        add(
            "424",
            "The provider refuses the caller's key, or there is none.",
        );
        add("502", "The provider failed.");
        add("504", "The provider took too long.");
    }
    if operation.request_body.is_some() {
        add("413", "The body is too large.");
    }
    operation.security = match rule.access {
        Access::Public => None,
        Access::Login => Some(vec![
            SecurityRequirement::new(TOKEN, none),
            SecurityRequirement::new(PASSWORD, none),
        ]),
        Access::User(_) | Access::Admin => Some(vec![
            SecurityRequirement::new(TOKEN, none),
            SecurityRequirement::new(PASSWORD, none),
            SecurityRequirement::new(KEY, none),
        ]),
    };
}

fn failure(what: &str) -> Response {
    let body = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("ErrorBody")))
        .build();
    ResponseBuilder::new()
        .description(what)
        .content("application/json", body)
        .build()
}
