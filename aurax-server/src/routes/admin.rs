//! What operators do with accounts.

use aurax::store::{Role, UserChange};
use axum::Json as Reply;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::Routes;
use super::paging::Paging;
use crate::admit::{Noun, Owned, Rule};
use crate::error::{ErrorBody, Failure};
use crate::extract::{Id, Json, Params};
use crate::state::State;
use crate::view::{Listed, Plan, User};

/// What an account is named by in a path.
const LIST: &[Owned] = &[Owned::query("cursor", Noun::Cursor)];
const ACCOUNT: &[Owned] = &[Owned::path("id", Noun::Account)];

pub(super) fn add(routes: Routes) -> Routes {
    routes
        .add(Rule::admin().owning(LIST), routes!(users))
        .add(Rule::admin().owning(ACCOUNT), routes!(user))
        .add(Rule::admin().owning(ACCOUNT), routes!(change))
        .add(Rule::admin(), routes!(plans))
}

/// All accounts.
#[utoipa::path(
    get,
    path = "/admin/users",
    tag = "admin",
    params(Paging),
    responses((status = 200, description = "The accounts, the latest made first.", body = Listed<User>))
)]
async fn users(
    state: State,
    Params(paging): Params<Paging>,
) -> Result<Reply<Listed<User>>, Failure> {
    let page = paging.page()?;
    let users = state.store().admin().users(&page).await?;
    Ok(Reply(Listed::of(users)))
}

/// An account.
#[utoipa::path(
    get,
    path = "/admin/users/{id}",
    tag = "admin",
    params(("id" = Uuid, Path, description = "The account.")),
    responses((status = 200, description = "The account.", body = User))
)]
async fn user(state: State, Id(id): Id) -> Result<Reply<User>, Failure> {
    let user = state.store().admin().account(id).await?;
    let user = user.ok_or_else(|| Failure::not_found("user"))?;
    Ok(Reply(user.into()))
}

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Role)]
enum NewRole {
    User,
    /// Also runs the installation.
    Admin,
}

/// What to change of an account: a field that is absent stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct UserPatch {
    /// One of `/admin/plans`.
    #[schema(min_length = 1, max_length = 100)]
    plan_type: Option<String>,
    /// Whether the account is open. All logins of one that is closed end.
    is_active: Option<bool>,
    role: Option<NewRole>,
}

/// Changes an account.
#[utoipa::path(
    patch,
    path = "/admin/users/{id}",
    tag = "admin",
    params(("id" = Uuid, Path, description = "The account.")),
    request_body = UserPatch,
    responses(
        (status = 200, description = "The account.", body = User),
        (status = 409, description = "Nobody else runs the installation.", body = ErrorBody),
    )
)]
async fn change(
    state: State,
    Id(id): Id,
    Json(wanted): Json<UserPatch>,
) -> Result<Reply<User>, Failure> {
    let mut change = UserChange::default();
    change.plan_type = wanted.plan_type;
    change.is_active = wanted.is_active;
    change.role = wanted.role.map(|role| match role {
        NewRole::User => Role::User,
        NewRole::Admin => Role::Admin,
    });
    let user = state.store().admin().change_user(id, change).await;
    state.auth().forget(id);
    Ok(Reply(user?.into()))
}

/// The plans that accounts may have.
#[utoipa::path(
    get,
    path = "/admin/plans",
    tag = "admin",
    responses((status = 200, description = "The plans, by name.", body = Listed<Plan>))
)]
async fn plans(state: State) -> Result<Reply<Listed<Plan>>, Failure> {
    let plans = state.store().admin().plans().await?;
    Ok(Reply(Listed::all(
        plans.into_iter().map(Into::into).collect(),
    )))
}
