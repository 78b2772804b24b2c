//! Requests to try models with, kept to be looked at and made again.

use std::time::Duration;

use aurax::{
    Call, Engine, Json as Text, Message as Said, Part, Provider as _, QuotaState, Request as Asked,
    Role, SessionSettings,
};
use axum::Json as Reply;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;
use uuid::Uuid;

use super::Routes;
use super::paging;
use super::sessions::checked;
use crate::admit::{Noun, Owned, Rule};
use crate::auth::{Caller, Scope};
use crate::call::{self, Prepared};
use crate::chat;
use crate::edge::Seen;
use crate::error::{Code, ErrorBody, Failure};
use crate::extract::{Id, Json, Params, object};
use crate::state::State;
use crate::view::{Diff, Listed, PastRequest, Priced, Run, Settings, Tokens, Told};

/// The most bytes of a request, so that a part of the history fits into memory.
const REQUEST: usize = 1 << 20;
/// The most requests of the history at a time.
const PAGE: u32 = 50;
/// What a request is named by in a path.
const PAST: &[Owned] = &[Owned::path("id", Noun::PastRequest)];
const LIST: &[Owned] = &[Owned::query("cursor", Noun::Cursor)];
const KEY: &[Owned] = &[Owned::body("settings.key_name", Noun::ProviderKeyName)];

pub(super) fn add(routes: Routes) -> Routes {
    let user = Rule::user(Scope::Chat);
    routes
        .add(user.paid().owning(KEY), routes!(run))
        .add(user.owning(LIST), routes!(history))
        .add(user.owning(PAST), routes!(past))
        .add(user.owning(PAST), routes!(forget))
        .add(user.paid().owning(PAST), routes!(replay))
}

/// Who says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Speaker {
    System,
    User,
    Assistant,
}

/// Something that was said.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Line {
    role: Speaker,
    /// The words.
    content: String,
    /// More than words: `image`, `document` or `audio`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<std::collections::HashMap<String, serde_json::Value>>)]
    parts: Vec<Part>,
}

/// Something to ask, as `prompt` or as `messages`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct NewRun {
    /// The provider, such as `openai`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100)]
    provider: Option<String>,
    /// The model, such as `gpt-4o-mini` or `openai/gpt-4o-mini`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200)]
    model: Option<String>,
    /// What a person says, in place of `messages`.
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<String>,
    /// The conversation, in place of `prompt`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    messages: Vec<Line>,
    #[serde(deserialize_with = "object")]
    settings: Settings,
}

impl NewRun {
    /// What is asked of a model, and the settings it is asked with.
    fn request(&self) -> Result<(Asked, SessionSettings), Failure> {
        let mut own: SessionSettings = self.settings.clone().into();
        own.provider = self.provider.clone().or(own.provider);
        own.model = self.model.clone().or(own.model);
        let own = checked(own)?;
        let messages = match (&self.prompt, self.messages.as_slice()) {
            (Some(prompt), []) if !prompt.is_empty() => vec![Said::user(prompt.as_str())],
            (Some(_), []) => return Err(Failure::invalid("prompt", "there is nothing to ask")),
            (None, lines) if !lines.is_empty() => {
                let lines = lines.iter().enumerate();
                lines
                    .map(|(at, line)| line.said(at))
                    .collect::<Result<_, _>>()?
            }
            (None, _) => {
                let message = "say what to ask: `prompt`, or `messages`";
                return Err(Failure::invalid("messages", message));
            }
            (Some(_), _) => {
                let message = "say either `prompt` or `messages`, not both";
                return Err(Failure::invalid("prompt", message));
            }
        };
        let mut request = Asked::new(messages);
        if let Some(system) = &own.system {
            request = request.with_system(system.as_str());
        }
        if let Some(temperature) = own.temperature {
            request = request.with_temperature(temperature);
        }
        request.max_output_tokens = own.max_output_tokens;
        Ok((request, own))
    }

    /// As it is kept.
    fn text(&self) -> Result<Text, Failure> {
        let text = Text::from_value(self)?;
        if text.as_str().len() > REQUEST {
            let message = format!("a request of the playground has at most {REQUEST} bytes");
            let status = StatusCode::PAYLOAD_TOO_LARGE;
            return Err(Failure::new(status, Code::TooLarge, message).with_detail("limit", REQUEST));
        }
        Ok(text)
    }
}

impl Line {
    fn said(&self, at: usize) -> Result<Said, Failure> {
        let mut parts = Vec::with_capacity(self.parts.len().saturating_add(1));
        if !self.content.is_empty() {
            parts.push(Part::from(self.content.as_str()));
        }
        for (number, part) in self.parts.iter().enumerate() {
            if !matches!(part, Part::Image(_) | Part::Document(_) | Part::Audio(_)) {
                let field = format!("messages[{at}].parts[{number}].type");
                let message = format!("nobody says a part of type `{}` here", part.kind());
                return Err(Failure::invalid(&field, message));
            }
            parts.push(part.clone());
        }
        if parts.is_empty() {
            let field = format!("messages[{at}].content");
            return Err(Failure::invalid(&field, "the message says nothing"));
        }
        let role = match self.role {
            Speaker::System => Role::System,
            Speaker::User => Role::User,
            Speaker::Assistant => Role::Assistant,
        };
        Ok(Said::new(role, parts))
    }
}

/// Asks, waits for the whole answer, and keeps both.
async fn ask(
    state: &State,
    caller: &Caller,
    seen: &Seen,
    asked: &NewRun,
) -> Result<(Run, Option<QuotaState>), Failure> {
    let (request, own) = asked.request()?;
    let text = asked.text()?;
    let engine = state.engine();
    let model = engine.model_for(&own, &SessionSettings::default())?;
    let (provider, id) = engine.resolve(model.as_str())?;
    let key_name = own.key_name.as_deref();
    let Prepared { ctx, owner } =
        call::prepare(state, caller, seen, model.as_str(), key_name).await?;
    let call = Call::chat(model, request);
    let started = state.clock().monotonic();
    let answered = answer(engine, &ctx, &call).await;
    let took = state.clock().monotonic().saturating_duration_since(started);
    let told = answered.as_ref().map(|(response, _)| told(response, took));
    let kept = match &told {
        Ok(told) => Some(Text::from_value(told).map_err(aurax::Error::with_sent)?),
        Err(_) => None,
    };
    let (provider, model) = (&*provider.name, id.as_str());
    let scope = caller.scope(state.store());
    let place = scope.add_to_history(provider, model, &text, kept.as_ref());
    // An answer that was paid for is given, whether it can be kept or not.
    let place = place.await.inspect_err(|error| {
        tracing::error!(request_id = %seen.request_id, %error, "a request is not kept");
    });
    let told = told.map_err(|error| chat::failed(state, error, owner))?;
    let (receipt, quota) = match &answered {
        Ok((response, quota)) => (response.receipt.as_ref(), *quota),
        Err(_) => (None, None),
    };
    if let Some(receipt) = receipt {
        chat::sent(caller, None, receipt, took);
    }
    let run = Run {
        id: place.ok(),
        provider: provider.to_owned(),
        model: model.to_owned(),
        told,
    };
    Ok((run, quota))
}

fn respond(body: impl Serialize, quota: Option<QuotaState>) -> Response {
    let mut response = Reply(body).into_response();
    if let Some(quota) = quota {
        response.extensions_mut().insert(quota);
    }
    response
}

async fn answer(
    engine: &Engine,
    ctx: &aurax::Ctx,
    call: &Call,
) -> aurax::Result<(aurax::Response, Option<QuotaState>)> {
    let reply = engine.call(ctx, call).await?;
    let quota = reply.head().quota;
    Ok((reply.collect().await?, quota))
}

fn told(response: &aurax::Response, took: Duration) -> Told {
    let receipt = response.receipt.as_ref();
    let usage = receipt.and_then(|receipt| receipt.usage.as_deref());
    let usage = usage.or(response.usage.as_deref()).map(Tokens::of);
    let priced = Priced(receipt.map(|receipt| receipt.cost));
    let thinking = response.thinking();
    Told {
        text: response.text(),
        thinking: (!thinking.is_empty()).then_some(thinking),
        finish_reason: response.finish_reason(),
        tokens: usage.map(|usage| usage.total),
        usage,
        cost: priced.amount(),
        cost_decimal: priced.text(),
        cost_source: priced.source(),
        latency_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
    }
}

/// Asks a model, and keeps the request with its answer, or without one where the call failed.
#[utoipa::path(
    post,
    path = "/api/playground/run",
    tag = "playground",
    params(
        ("idempotency-key" = Option<String>, Header, description = "Names the request, so that it is answered once however often it is sent."),
    ),
    request_body = NewRun,
    responses((status = 200, description = "The answer.", body = Run))
)]
async fn run(
    state: State,
    caller: Caller,
    seen: Seen,
    Json(asked): Json<NewRun>,
) -> Result<Response, Failure> {
    let (run, quota) = ask(&state, &caller, &seen, &asked).await?;
    Ok(respond(run, quota))
}

/// Which requests.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Those to one provider.
    #[param(max_length = 100)]
    #[serde(default)]
    provider: Option<String>,
    /// The most items; 20 unless set.
    #[param(minimum = 1, maximum = 50)]
    #[serde(default)]
    limit: Option<u32>,
    /// Where to go on: `next_cursor` of the part before.
    #[serde(default)]
    cursor: Option<String>,
}

/// The caller's requests and their answers.
#[utoipa::path(
    get,
    path = "/api/playground/history",
    tag = "playground",
    params(Wanted),
    responses((status = 200, description = "The requests, the latest first. A part ends before its `limit` where they have more than 8 MiB.", body = Listed<PastRequest>))
)]
async fn history(
    state: State,
    caller: Caller,
    Params(wanted): Params<Wanted>,
) -> Result<Reply<Listed<PastRequest>>, Failure> {
    let limit = wanted.limit.unwrap_or(20);
    if limit > PAGE {
        let message = format!("the history gives 1 to {PAGE} items at a time");
        return Err(Failure::invalid("limit", message));
    }
    let page = paging::page(Some(limit), wanted.cursor)?;
    let provider = wanted.provider.as_deref();
    paging::short("provider", provider, 100)?;
    let scope = caller.scope(state.store());
    let listed = scope.history(provider, &page).await?;
    Ok(Reply(Listed::owned(scope.user_id(), listed)))
}

/// A request and its answer.
#[utoipa::path(
    get,
    path = "/api/playground/history/{id}",
    tag = "playground",
    params(("id" = Uuid, Path, description = "The request.")),
    responses((status = 200, description = "The request.", body = PastRequest))
)]
async fn past(state: State, caller: Caller, Id(id): Id) -> Result<Reply<PastRequest>, Failure> {
    let past = caller.scope(state.store()).past_request(id).await?;
    Ok(Reply((caller.user().id, past).into()))
}

/// Forgets a request and its answer. What it cost stays on record.
#[utoipa::path(
    delete,
    path = "/api/playground/history/{id}",
    tag = "playground",
    params(("id" = Uuid, Path, description = "The request.")),
    responses((status = 204, description = "It is gone."))
)]
async fn forget(state: State, caller: Caller, Id(id): Id) -> Result<StatusCode, Failure> {
    caller.scope(state.store()).forget_request(id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What to ask again.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct Again {
    /// Another provider.
    #[schema(max_length = 100)]
    provider: Option<String>,
    /// Another model, such as `gpt-4o-mini` or `openai/gpt-4o-mini`.
    #[schema(max_length = 200)]
    model: Option<String>,
}

/// An answer, and what it has otherwise than the earlier one.
#[derive(Debug, Serialize, ToSchema)]
struct Replayed {
    /// The earlier request.
    replayed_id: Uuid,
    /// The later answer, which is kept as well.
    run: Run,
    diff: Diff,
}

/// Makes a request again, of the same model or another one, and compares the answers.
#[utoipa::path(
    post,
    path = "/api/playground/history/{id}/replay",
    tag = "playground",
    params(
        ("id" = Uuid, Path, description = "The request."),
        ("idempotency-key" = Option<String>, Header, description = "Names the request, so that it is answered once however often it is sent."),
    ),
    request_body = Again,
    responses(
        (status = 200, description = "The later answer, and what differs.", body = Replayed),
        (status = 409, description = "The request cannot be made again, or is being answered already.", body = ErrorBody),
    )
)]
async fn replay(
    state: State,
    caller: Caller,
    seen: Seen,
    Id(id): Id,
    Json(again): Json<Again>,
) -> Result<Response, Failure> {
    let past = caller.scope(state.store()).past_request(id).await?;
    let mut asked: NewRun = past.request_payload.to().map_err(|_| {
        let message = "the request was not made here and cannot be made again";
        Failure::new(StatusCode::CONFLICT, Code::Conflict, message)
    })?;
    // The model that was asked, whatever is asked by default now; another model may be at another
    // provider.
    asked.settings.provider = None;
    asked.provider = match (again.provider, &again.model) {
        (None, None) => Some(past.provider),
        (provider, _) => provider,
    };
    asked.model = again.model.or(Some(past.model));
    let (run, quota) = ask(&state, &caller, &seen, &asked).await?;
    let diff = Diff::between(past.response_payload.as_ref(), &run.told);
    let replayed = Replayed {
        replayed_id: id,
        run,
        diff,
    };
    Ok(respond(replayed, quota))
}
