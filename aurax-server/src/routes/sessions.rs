//! Conversations.

#[cfg(test)]
mod tests;

use aurax::{
    Conversation, Message as Said, Page, Part, Reach, Request as Asked, Role, SendRequest,
    SessionChange, SessionSettings, Sessions,
};
use axum::Json as Reply;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;
use uuid::Uuid;

use super::Routes;
use super::paging::{self, Paging};
use crate::admit::{Noun, Owned, Rule};
use crate::auth::{Caller, Scope};
use crate::call::{self, Prepared};
use crate::chat::{self, Exchange};
use crate::edge::Seen;
use crate::error::{ErrorBody, Failure};
use crate::extract::{Id, Json, Params, object, optional_object};
use crate::state::State;
use crate::view::{Listed, Message, Session, Settings, SettingsChange};

/// Which messages come with a session.
const INCLUDED: Reach = Reach::turns(200).with_bytes(Page::BYTES);
/// The longest search.
const QUERY: usize = 500;
/// What a session is named by in a path.
const SESSION: &[Owned] = &[Owned::path("id", Noun::Session)];
const CHANGE: &[Owned] = &[
    Owned::path("id", Noun::Session),
    Owned::body("leaf_id", Noun::Message),
];
const SEND: &[Owned] = &[
    Owned::path("id", Noun::Session),
    Owned::body("settings.key_name", Noun::ProviderKeyName),
];
const LIST: &[Owned] = &[Owned::query("cursor", Noun::Cursor)];
const TURNS: &[Owned] = &[
    Owned::path("id", Noun::Session),
    Owned::query("cursor", Noun::Cursor),
];

pub(super) fn add(routes: Routes) -> Routes {
    let user = Rule::user(Scope::Sessions);
    routes
        .add(user.owning(LIST), routes!(list))
        .add(user, routes!(create))
        .add(user.owning(SESSION), routes!(get))
        .add(user.owning(CHANGE), routes!(change))
        .add(user.owning(SESSION), routes!(delete))
        .add(user.owning(TURNS), routes!(messages))
        .add(Rule::user(Scope::Chat).paid().owning(SEND), routes!(send))
        .add(user.owning(LIST), routes!(search))
}

fn sessions(state: &State, caller: &Caller) -> Result<Sessions, Failure> {
    Ok(state.engine().sessions(caller.principal())?)
}

async fn open(state: &State, caller: &Caller, id: Uuid) -> Result<Conversation, Failure> {
    Ok(sessions(state, caller)?.open(id).await?)
}

/// The caller's sessions.
#[utoipa::path(
    get,
    path = "/chat/sessions",
    tag = "sessions",
    params(Paging),
    responses((status = 200, description = "The sessions, the latest made first.", body = Listed<Session>))
)]
async fn list(
    state: State,
    caller: Caller,
    Params(paging): Params<Paging>,
) -> Result<Reply<Listed<Session>>, Failure> {
    let page = paging.page()?;
    let listed = sessions(&state, &caller)?.list(&page).await?;
    Ok(Reply(Listed::owned(caller.user().id, listed)))
}

/// A session to begin.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewSession {
    /// 1 to 200 characters.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 200)]
    title: Option<String>,
    #[serde(default, deserialize_with = "object")]
    settings: Settings,
}

/// Begins a session.
#[utoipa::path(
    post,
    path = "/chat/sessions",
    tag = "sessions",
    request_body = NewSession,
    responses((status = 201, description = "The session.", body = Session))
)]
async fn create(
    state: State,
    caller: Caller,
    Json(new): Json<NewSession>,
) -> Result<(StatusCode, Reply<Session>), Failure> {
    let settings = checked(new.settings.into())?;
    let title = new.title.as_deref().map(check_title).transpose()?;
    let chat = sessions(&state, &caller)?.create(settings).await?;
    let session = match title {
        Some(title) => chat.rename(title).await?,
        None => chat.record().await?,
    };
    Ok((
        StatusCode::CREATED,
        Reply((caller.user().id, session).into()),
    ))
}

fn check_title(title: &str) -> Result<&str, Failure> {
    let trimmed = title.trim();
    if trimmed.is_empty() || trimmed.chars().count() > 200 || trimmed.chars().any(char::is_control)
    {
        let message = "a title has 1 to 200 characters and no control characters";
        return Err(Failure::invalid("title", message));
    }
    Ok(title)
}

/// Settings that can be kept and asked with.
pub(super) fn checked(settings: SessionSettings) -> Result<SessionSettings, Failure> {
    let within = |field: &str, text: &Option<String>, most: usize| match text {
        Some(text) if text.trim().is_empty() || text.chars().count() > most => {
            let message = format!("`{field}` has 1 to {most} characters");
            Err(Failure::invalid(&format!("settings.{field}"), message))
        }
        _ => Ok(()),
    };
    within("provider", &settings.provider, 100)?;
    within("model", &settings.model, 200)?;
    within("key_name", &settings.key_name, 100)?;
    within("system", &settings.system, 100_000)?;
    if settings
        .temperature
        .is_some_and(|value| !(0.0..=2.0).contains(&value))
    {
        let message = "`temperature` is between 0 and 2";
        return Err(Failure::invalid("settings.temperature", message));
    }
    let most = i32::MAX.unsigned_abs();
    if settings
        .max_output_tokens
        .is_some_and(|tokens| !(1..=most).contains(&tokens))
    {
        let message = format!("`max_output_tokens` is between 1 and {most}");
        return Err(Failure::invalid("settings.max_output_tokens", message));
    }
    Ok(settings)
}

/// What comes with a session.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Include {
    /// `messages`: the latest of the branch in use, 200 or 8 MiB of them at most.
    #[serde(default)]
    include: Option<Included>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Included {
    Messages,
}

/// A session.
#[utoipa::path(
    get,
    path = "/chat/sessions/{id}",
    tag = "sessions",
    params(("id" = Uuid, Path, description = "The session."), Include),
    responses((status = 200, description = "The session.", body = Session))
)]
async fn get(
    state: State,
    caller: Caller,
    Id(id): Id,
    Params(wanted): Params<Include>,
) -> Result<Reply<Session>, Failure> {
    let chat = open(&state, &caller, id).await?;
    let session = Session::from((caller.user().id, chat.record().await?));
    Ok(Reply(match wanted.include {
        Some(Included::Messages) => session.with_messages(chat.history(INCLUDED).await?),
        None => session,
    }))
}

/// What to change of a session: a field that is absent stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SessionPatch {
    /// 1 to 200 characters.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 200)]
    title: Option<String>,
    #[serde(default, deserialize_with = "optional_object")]
    settings: Option<SettingsChange>,
    /// Goes on from another message.
    #[serde(default)]
    leaf_id: Option<Uuid>,
}

/// Changes a session: all that is named, or nothing.
#[utoipa::path(
    put,
    path = "/chat/sessions/{id}",
    tag = "sessions",
    params(("id" = Uuid, Path, description = "The session.")),
    request_body = SessionPatch,
    responses(
        (status = 200, description = "The session.", body = Session),
        (status = 409, description = "The session is answering something.", body = ErrorBody),
    )
)]
async fn change(
    state: State,
    caller: Caller,
    Id(id): Id,
    Json(wanted): Json<SessionPatch>,
) -> Result<Reply<Session>, Failure> {
    let title = wanted.title.as_deref().map(check_title).transpose()?;
    let chat = open(&state, &caller, id).await?;
    let changed = chat.update(|session| {
        let mut change = SessionChange::default();
        change.title = title.map(str::to_owned);
        change.leaf = wanted.leaf_id;
        if let Some(wanted) = &wanted.settings {
            let mut settings = session.settings.clone();
            wanted.apply(&mut settings);
            change.settings = Some(checked(settings)?);
        }
        Ok::<_, Failure>(change)
    });
    Ok(Reply((caller.user().id, changed.await?).into()))
}

/// Deletes a session with everything that was said in it. What it cost stays on record.
#[utoipa::path(
    delete,
    path = "/chat/sessions/{id}",
    tag = "sessions",
    params(("id" = Uuid, Path, description = "The session.")),
    responses((status = 204, description = "It is gone."))
)]
async fn delete(state: State, caller: Caller, Id(id): Id) -> Result<StatusCode, Failure> {
    sessions(&state, &caller)?.delete(id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What was said in a session, of every branch.
#[utoipa::path(
    get,
    path = "/chat/sessions/{id}/messages",
    tag = "sessions",
    params(("id" = Uuid, Path, description = "The session."), Paging),
    responses((status = 200, description = "The messages, in the order they were made. A part ends before its `limit` where they have more than 8 MiB.", body = Listed<Message>))
)]
async fn messages(
    state: State,
    caller: Caller,
    Id(id): Id,
    Params(paging): Params<Paging>,
) -> Result<Reply<Listed<Message>>, Failure> {
    let page = paging.page()?;
    let turns = open(&state, &caller, id).await?.turns(&page).await?;
    Ok(Reply(Listed::owned(caller.user().id, turns)))
}

/// Something to say in a session.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewMessage {
    /// The words.
    pub(crate) content: String,
    /// The provider, instead of the session's.
    #[serde(default)]
    #[schema(max_length = 100)]
    pub(crate) provider: Option<String>,
    /// The model, instead of the session's.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub(crate) model: Option<String>,
    /// More than words: `image`, `document`, `audio`, or `tool_result` alone.
    #[serde(default)]
    #[schema(value_type = Option<Vec<std::collections::HashMap<String, serde_json::Value>>>)]
    pub(crate) parts: Option<Vec<Part>>,
    /// Settings instead of the session's, for this message.
    #[serde(default, deserialize_with = "optional_object")]
    pub(crate) settings: Option<Settings>,
    /// Whether the answer comes as events, while it is made.
    #[serde(default)]
    pub(crate) stream: bool,
}

/// An event of an answer that comes as events.
#[derive(Debug, Serialize, ToSchema)]
struct StreamEvent {
    /// Its number, from 1.
    id: String,
    /// `chat_chunk`, `chat_response` or `error`.
    event: String,
    /// The object of that type, as JSON.
    data: String,
}

/// Says something, and gives the answer: whole, or as events (`"stream": true`) whose data are the
/// objects of the WebSocket.
#[utoipa::path(
    post,
    path = "/chat/sessions/{id}/messages",
    tag = "sessions",
    params(
        ("id" = Uuid, Path, description = "The session."),
        ("idempotency-key" = Option<String>, Header, description = "Names the request, so that it is answered once however often it is sent."),
    ),
    request_body = NewMessage,
    responses(
        (status = 200, description = "The answer as events.", content_type = "text/event-stream", body = StreamEvent),
        (status = 201, description = "The answer.", body = Message),
    )
)]
async fn send(
    state: State,
    caller: Caller,
    seen: Seen,
    Id(id): Id,
    Json(new): Json<NewMessage>,
) -> Result<Response, Failure> {
    let streams = new.stream;
    let exchange = say(&state, &caller, &seen, id, new).await?;
    if streams {
        return Ok(chat::events(state, caller, seen, exchange)
            .await?
            .into_response());
    }
    let (message, quota) = chat::whole(&state, &caller, exchange).await?;
    let mut response = (StatusCode::CREATED, Reply(message)).into_response();
    if let Some(quota) = quota {
        response.extensions_mut().insert(quota);
    }
    Ok(response)
}

/// What is about to be said in a session.
pub(crate) async fn say(
    state: &State,
    caller: &Caller,
    seen: &Seen,
    id: Uuid,
    new: NewMessage,
) -> Result<Exchange, Failure> {
    let mut own: SessionSettings = new.settings.unwrap_or_default().into();
    own.provider = new.provider.or(own.provider);
    own.model = new.model.or(own.model);
    let own = checked(own)?;
    let message = said(new.content, new.parts.unwrap_or_default())?;
    let chat = open(state, caller, id).await?;
    let kept = chat.record().await?.settings;
    let model = state.engine().model_for(&own, &kept)?;
    let (provider, model) = state.engine().resolve(model.as_str())?;
    // What is checked is what is asked, whatever becomes of the session's settings meanwhile.
    let model = format!("{}/{}", provider.name, model.as_str());
    let key_name = own.key_name.as_deref().or(kept.key_name.as_deref());
    let Prepared { ctx, owner } = call::prepare(state, caller, seen, &model, key_name).await?;
    let mut own = own.clone();
    own.provider = None;
    own.model = Some(model);
    let cancel = ctx.cancel().cloned().unwrap_or_default();
    let send: SendRequest = chat
        .send(message)
        .settings(own)
        .request(Asked::default())
        .ctx(ctx);
    Ok(Exchange {
        session_id: id,
        send,
        owner,
        cancel,
    })
}

/// What a person says: words, then the rest.
fn said(content: String, parts: Vec<Part>) -> Result<Said, Failure> {
    let results = parts
        .iter()
        .filter(|part| matches!(part, Part::ToolResult(_)))
        .count();
    if results > 0 {
        if results < parts.len() || !content.is_empty() {
            let message = "results of tools come alone, with an empty `content`";
            return Err(Failure::invalid("parts", message));
        }
        return Ok(Said::new(Role::Tool, parts));
    }
    for (at, part) in parts.iter().enumerate() {
        let is_said = matches!(
            part,
            Part::Text(_) | Part::Image(_) | Part::Document(_) | Part::Audio(_)
        );
        if !is_said {
            let message = format!("a person does not say a part of type `{}`", part.kind());
            return Err(Failure::invalid(&format!("parts[{at}].type"), message));
        }
    }
    let mut all = Vec::with_capacity(parts.len().saturating_add(1));
    if !content.is_empty() {
        all.push(Part::from(content));
    }
    all.extend(parts);
    if all.is_empty() {
        return Err(Failure::invalid("content", "there is nothing to say"));
    }
    Ok(Said::new(Role::User, all))
}

/// What to look for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Search {
    /// Words, all of which a message says.
    #[param(min_length = 1, max_length = 500)]
    q: String,
    /// The most items; 50 unless set.
    #[param(minimum = 1, maximum = 200)]
    #[serde(default)]
    limit: Option<u32>,
    /// Where to go on: `next_cursor` of the part before.
    #[serde(default)]
    cursor: Option<String>,
}

/// A message that was found.
#[derive(Debug, Serialize, ToSchema)]
struct FoundMessage {
    /// The message.
    message: Message,
    /// The words around what was found.
    snippet: String,
}

/// Messages of any session of the caller's that say all words of `q`.
#[utoipa::path(
    get,
    path = "/chat/search",
    tag = "sessions",
    params(Search),
    responses((status = 200, description = "The messages, the latest first. A part ends before its `limit` where they have more than 8 MiB.", body = Listed<FoundMessage>))
)]
async fn search(
    state: State,
    caller: Caller,
    Params(wanted): Params<Search>,
) -> Result<Reply<Listed<FoundMessage>>, Failure> {
    if wanted.q.trim().is_empty() || wanted.q.chars().count() > QUERY {
        let message = format!("a search has 1 to {QUERY} characters");
        return Err(Failure::invalid("q", message));
    }
    let page: Page = paging::page(wanted.limit, wanted.cursor)?;
    let found = sessions(&state, &caller)?.search(&wanted.q, &page).await?;
    let user = caller.user().id;
    let found = found.map(|found| FoundMessage {
        message: (user, found.turn).into(),
        snippet: found.snippet,
    });
    Ok(Reply(Listed {
        data: found.data,
        next_cursor: found.next_cursor,
    }))
}
