//! Chats in the form of OpenAI's, with any provider.

use std::sync::Arc;

use aurax::Op;
use aurax::providers::inbound::Inbound;
use aurax::providers::openai::ChatInbound;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use http::header;
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::routes;

use super::Routes;
use crate::admit::Rule;
use crate::auth::{Caller, Scope};
use crate::call::{self, Prepared};
use crate::chat::{Relayed, relay, relay_whole};
use crate::edge::Seen;
use crate::error::Failure;
use crate::extract::{check_json, expect_json, read_body};
use crate::state::State;

pub(super) fn add(routes: Routes) -> Routes {
    routes.add(Rule::user(Scope::Chat).paid(), routes!(complete))
}

/// A request of OpenAI's chat completions.
#[derive(Debug)]
struct ChatCompletionRequest;

impl PartialSchema for ChatCompletionRequest {
    fn schema() -> RefOr<Schema> {
        let text = || ObjectBuilder::new().schema_type(Type::String);
        let message = ObjectBuilder::new()
            .schema_type(Type::Object)
            .property("role", text())
            .required("role");
        ObjectBuilder::new()
            .schema_type(Type::Object)
            .description(Some(
                "As of <https://platform.openai.com/docs/api-reference/chat>; `model` may begin \
                 with any provider's name.",
            ))
            .property("model", text().max_length(Some(256)).min_length(Some(1)))
            .property(
                "messages",
                utoipa::openapi::ArrayBuilder::new().items(message),
            )
            .property("stream", ObjectBuilder::new().schema_type(Type::Boolean))
            .required("model")
            .required("messages")
            .additional_properties(Some(AdditionalProperties::FreeForm(true)))
            .into()
    }
}

impl ToSchema for ChatCompletionRequest {
    fn name() -> std::borrow::Cow<'static, str> {
        "ChatCompletionRequest".into()
    }
}

/// Asks any provider's model in the form of OpenAI's chat completions, and answers in it: whole, or
/// as chunks (`"stream": true`) with `[DONE]` at the end. Fields that only some providers know are
/// handed on. Failures have the form they have everywhere here; in a stream one is an event named
/// `error`, after which nothing comes.
#[utoipa::path(
    post,
    path = "/api/chat/completions",
    tag = "completions",
    params(
        ("idempotency-key" = Option<String>, Header, description = "Names the request, so that it is answered once however often it is sent."),
    ),
    request_body = ChatCompletionRequest,
    responses(
        (status = 200, description = "The answer, or its chunks.", content(
            (std::collections::HashMap<String, serde_json::Value> = "application/json"),
            (String = "text/event-stream"),
        )),
    )
)]
async fn complete(
    state: State,
    caller: Caller,
    seen: Seen,
    request: Request,
) -> Result<Response, Failure> {
    expect_json(request.headers())?;
    let body = read_body(request, &state).await?;
    check_json(&body)?;
    let inbound = ChatInbound::new().with_seal(state.seal().clone());
    answer(state, caller, seen, Arc::new(inbound), &body).await
}

/// Answers a call that came in some protocol in the same.
async fn answer(
    state: State,
    caller: Caller,
    seen: Seen,
    inbound: Arc<dyn Inbound>,
    body: &[u8],
) -> Result<Response, Failure> {
    let incoming = inbound.read(body).map_err(|error| refused(&error))?;
    let model = incoming.call.model.as_str();
    let Prepared { ctx, owner } = call::prepare(&state, &caller, &seen, model, None).await?;
    let streams = matches!(&incoming.call.op, Op::Chat(request) if request.stream);
    let relayed = Relayed {
        inbound,
        incoming,
        ctx,
        owner,
    };
    if streams {
        return relay(state, caller, seen, relayed).await;
    }
    let (body, quota) = relay_whole(&state, &caller, &seen, relayed).await?;
    let mut response = ([(header::CONTENT_TYPE, "application/json")], body).into_response();
    if let Some(quota) = quota {
        response.extensions_mut().insert(quota);
    }
    Ok(response)
}

/// A request that is not of the protocol; the field is named as everywhere here.
fn refused(error: &aurax::Error) -> Failure {
    let failure = Failure::from(error);
    // What is wrong with all of it has no name.
    let field = error.context("param").filter(|name| !name.is_empty());
    failure.with_detail("field", field.unwrap_or("body"))
}
