//! Thresholds, and what passed them.

use aurax::store::{AlertChange, Alerts, Edit, NewAlert};
use axum::Json as Reply;
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::routes;
use uuid::Uuid;

use super::Routes;
use super::paging::Paging;
use crate::admit::{Noun, Owned, Rule};
use crate::alerts::{Watched, check_change, check_new};
use crate::auth::{Caller, Scope};
use crate::error::{ErrorBody, Failure};
use crate::extract::{Id, Json, Params};
use crate::state::State;
use crate::view::{Alert, AlertEvent, Exact, Listed, Severity, UserMetric, edit};

/// What an alert is named by in a path.
const OWN: &[Owned] = &[Owned::path("id", Noun::Alert)];
const OF_INSTALLATION: &[Owned] = &[Owned::path("id", Noun::InstallationAlert)];
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
        .add(Rule::admin().owning(LIST), routes!(of_installation))
        .add(Rule::admin().owning(LIST), routes!(events_of_installation))
        .add(
            Rule::admin().owning(OF_INSTALLATION),
            routes!(change_of_installation),
        )
}

fn alerts(state: &State, caller: &Caller) -> Alerts {
    caller.scope(state.store()).alerts()
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
    #[schema(value_type = UserMetric)]
    metric: String,
    /// Where it fires, in the metric's unit.
    threshold: Exact,
    /// How far back is measured, in seconds; five minutes unless set.
    #[serde(default)]
    #[schema(minimum = 60, maximum = 2678400)]
    window_seconds: Option<u32>,
    /// How much it matters; a warning unless set.
    #[serde(default)]
    severity: Option<Severity>,
    /// Where it is delivered to, beside the list of events: an https address.
    #[serde(default)]
    #[schema(max_length = 2000)]
    webhook_url: Option<String>,
}

/// Makes an alert. What its webhooks are signed with (Standard Webhooks) is in this answer alone.
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
    let mut new = NewAlert::new(wanted.name, wanted.metric, wanted.threshold.0.usd());
    new.window_seconds = wanted.window_seconds.unwrap_or(new.window_seconds);
    new.severity = wanted.severity.map_or(new.severity, Into::into);
    new.webhook_url = wanted.webhook_url;
    check_new(&new, Watched::User)?;
    let alert = alerts(&state, &caller).add(new).await?;
    let secret = state.alerts().webhook_secret(alert.id);
    Ok((StatusCode::CREATED, Reply(Alert::made(alert, &secret))))
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
    Ok(Reply(Listed::owned(caller.user().id, listed)))
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
    #[schema(minimum = 60, maximum = 2678400)]
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
    apply(&alerts(&state, &caller), id, wanted).await
}

async fn apply(alerts: &Alerts, id: Uuid, wanted: AlertPatch) -> Result<Reply<Alert>, Failure> {
    let mut change = AlertChange::default();
    change.name = wanted.name;
    change.threshold = wanted.threshold.map(|threshold| threshold.0.usd());
    change.window_seconds = wanted.window_seconds;
    change.severity = wanted.severity.map(Into::into);
    change.webhook_url = wanted.webhook_url;
    change.is_active = wanted.is_active;
    check_change(&alerts.get(id).await?, &change)?;
    let alert = alerts.change(id, change).await?;
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

/// What is watched for the installation: the rules that are there from the beginning.
#[utoipa::path(
    get,
    path = "/admin/alerts",
    tag = "operators",
    params(Paging),
    responses((status = 200, description = "The alerts, the latest made first.", body = Listed<Alert>))
)]
async fn of_installation(
    state: State,
    Params(paging): Params<Paging>,
) -> Result<Reply<Listed<Alert>>, Failure> {
    let page = paging.page()?;
    let listed = state.store().admin().alerts().list(&page).await?;
    Ok(Reply(Listed::of(listed)))
}

/// What fired for the installation.
#[utoipa::path(
    get,
    path = "/admin/alerts/events",
    tag = "operators",
    params(Paging),
    responses((status = 200, description = "What fired, the latest first.", body = Listed<AlertEvent>))
)]
async fn events_of_installation(
    state: State,
    Params(paging): Params<Paging>,
) -> Result<Reply<Listed<AlertEvent>>, Failure> {
    let page = paging.page()?;
    let listed = state.store().admin().alerts().events(&page).await?;
    Ok(Reply(Listed::of(listed)))
}

/// Changes what is watched for the installation, such as to switch a rule off.
#[utoipa::path(
    patch,
    path = "/admin/alerts/{id}",
    tag = "operators",
    params(("id" = Uuid, Path, description = "The alert.")),
    request_body = AlertPatch,
    responses(
        (status = 200, description = "The alert.", body = Alert),
        (status = 404, description = "There is no such alert.", body = ErrorBody),
        (status = 409, description = "There is an alert of that name.", body = ErrorBody),
    )
)]
async fn change_of_installation(
    state: State,
    Id(id): Id,
    Json(wanted): Json<AlertPatch>,
) -> Result<Reply<Alert>, Failure> {
    apply(&state.store().admin().alerts(), id, wanted).await
}
