//! Thresholds, and what passed them.

use aurax::store::{AlertChange, Alerts, Edit, NewAlert};
use axum::Json as Reply;
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::Routes;
use super::paging::Paging;
use crate::admit::{Noun, Owned, Rule};
use crate::auth::{Caller, Scope};
use crate::error::{ErrorBody, Failure};
use crate::extract::{Id, Json, Params};
use crate::state::State;
use crate::view::{Alert, AlertEvent, Exact, Listed, Severity, edit};

/// What an alert is named by in a path.
const OWN: &[Owned] = &[Owned::path("id", Noun::Alert)];
const LIST: &[Owned] = &[Owned::query("cursor", Noun::Cursor)];

pub(super) fn add(routes: Routes) -> Routes {
    let user = Rule::user(Scope::Usage);
    routes
        .add(user.owning(LIST), routes!(list))
        .add(user, routes!(create))
        .add(user.owning(LIST), routes!(events))
        .add(user.owning(OWN), routes!(get))
        .add(user.owning(OWN), routes!(change))
        .add(user.owning(OWN), routes!(delete))
}

fn alerts(state: &State, caller: &Caller) -> Alerts {
    caller.scope(state.store()).alerts()
}

/// Where an alert may be delivered to.
fn check_webhook(url: &str) -> Result<(), Failure> {
    let wrong = || {
        let message = "`webhook_url` is an https address without a user name";
        Failure::invalid("webhook_url", message)
    };
    let uri: http::Uri = url.parse().map_err(|_| wrong())?;
    let authority = uri.authority().ok_or_else(wrong)?;
    if uri.scheme_str() != Some("https") || authority.as_str().contains('@') {
        return Err(wrong());
    }
    Ok(())
}

/// The caller's alerts.
#[utoipa::path(
    get,
    path = "/api/alerts",
    tag = "alerts",
    params(Paging),
    responses((status = 200, description = "The alerts, the latest made first.", body = Listed<Alert>))
)]
async fn list(
    state: State,
    caller: Caller,
    Params(paging): Params<Paging>,
) -> Result<Reply<Listed<Alert>>, Failure> {
    let page = paging.page()?;
    let listed = alerts(&state, &caller).list(&page).await?;
    Ok(Reply(Listed::of(listed)))
}

/// An alert to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AlertToMake {
    /// Its name, which no other alert of the caller's has.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// What is measured.
    #[schema(min_length = 1, max_length = 100)]
    metric: String,
    /// Where it fires, in the metric's unit.
    threshold: Exact,
    /// How far back is measured; five minutes unless set.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 2678400)]
    window_seconds: Option<u32>,
    /// How much it matters; a warning unless set.
    #[serde(default)]
    severity: Option<Severity>,
    /// Where it is delivered to, beside the list of events: an https address.
    #[serde(default)]
    #[schema(max_length = 2000)]
    webhook_url: Option<String>,
}

/// Makes an alert.
#[utoipa::path(
    post,
    path = "/api/alerts",
    tag = "alerts",
    request_body = AlertToMake,
    responses(
        (status = 201, description = "The alert.", body = Alert),
        (status = 409, description = "There is an alert of that name, or as many as there may be.", body = ErrorBody),
    )
)]
async fn create(
    state: State,
    caller: Caller,
    Json(wanted): Json<AlertToMake>,
) -> Result<(StatusCode, Reply<Alert>), Failure> {
    if let Some(url) = &wanted.webhook_url {
        check_webhook(url)?;
    }
    let mut new = NewAlert::new(wanted.name, wanted.metric, wanted.threshold.0.usd());
    new.window_seconds = wanted.window_seconds.unwrap_or(new.window_seconds);
    new.severity = wanted.severity.map_or(new.severity, Into::into);
    new.webhook_url = wanted.webhook_url;
    let alert = alerts(&state, &caller).add(new).await?;
    Ok((StatusCode::CREATED, Reply(alert.into())))
}

/// What fired.
#[utoipa::path(
    get,
    path = "/api/alerts/events",
    tag = "alerts",
    params(Paging),
    responses((status = 200, description = "What fired, the latest first.", body = Listed<AlertEvent>))
)]
async fn events(
    state: State,
    caller: Caller,
    Params(paging): Params<Paging>,
) -> Result<Reply<Listed<AlertEvent>>, Failure> {
    let page = paging.page()?;
    let listed = alerts(&state, &caller).events(&page).await?;
    Ok(Reply(Listed::of(listed)))
}

/// An alert.
#[utoipa::path(
    get,
    path = "/api/alerts/{id}",
    tag = "alerts",
    params(("id" = Uuid, Path, description = "The alert.")),
    responses((status = 200, description = "The alert.", body = Alert))
)]
async fn get(state: State, caller: Caller, Id(id): Id) -> Result<Reply<Alert>, Failure> {
    let alert = alerts(&state, &caller).get(id).await?;
    Ok(Reply(alert.into()))
}

/// What to change of an alert: a field that is absent stays, `null` clears it.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AlertPatch {
    #[serde(default)]
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    #[serde(default)]
    threshold: Option<Exact>,
    #[serde(default)]
    #[schema(minimum = 1, maximum = 2678400)]
    window_seconds: Option<u32>,
    #[serde(default)]
    severity: Option<Severity>,
    #[serde(default, deserialize_with = "edit")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    webhook_url: Edit<String>,
    /// Whether it is watched.
    #[serde(default)]
    is_active: Option<bool>,
}

/// Changes an alert.
#[utoipa::path(
    patch,
    path = "/api/alerts/{id}",
    tag = "alerts",
    params(("id" = Uuid, Path, description = "The alert.")),
    request_body = AlertPatch,
    responses(
        (status = 200, description = "The alert.", body = Alert),
        (status = 409, description = "There is an alert of that name.", body = ErrorBody),
    )
)]
async fn change(
    state: State,
    caller: Caller,
    Id(id): Id,
    Json(wanted): Json<AlertPatch>,
) -> Result<Reply<Alert>, Failure> {
    if let Edit::Set(url) = &wanted.webhook_url {
        check_webhook(url)?;
    }
    let mut change = AlertChange::default();
    change.name = wanted.name;
    change.threshold = wanted.threshold.map(|threshold| threshold.0.usd());
    change.window_seconds = wanted.window_seconds;
    change.severity = wanted.severity.map(Into::into);
    change.webhook_url = wanted.webhook_url;
    change.is_active = wanted.is_active;
    let alert = alerts(&state, &caller).change(id, change).await?;
    Ok(Reply(alert.into()))
}

/// Deletes an alert and what it fired.
#[utoipa::path(
    delete,
    path = "/api/alerts/{id}",
    tag = "alerts",
    params(("id" = Uuid, Path, description = "The alert.")),
    responses((status = 204, description = "It is gone."))
)]
async fn delete(state: State, caller: Caller, Id(id): Id) -> Result<StatusCode, Failure> {
    alerts(&state, &caller).delete(id).await?;
    Ok(StatusCode::NO_CONTENT)
}
