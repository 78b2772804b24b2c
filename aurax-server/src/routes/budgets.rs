//! Limits on what is spent. An access key sees them and cannot lift its own.

use aurax::store::BudgetScope;
use axum::Json as Reply;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;
use uuid::Uuid;

use super::Routes;
use crate::admit::{Noun, Owned, Rule};
use crate::auth::{Caller, Scope};
use crate::error::{ErrorBody, Failure};
use crate::extract::{Id, Json};
use crate::state::State;
use crate::view::{Budget, Exact, Kind, Listed, Period};

/// What a budget is named by in a path.
const OWN: &[Owned] = &[Owned::path("id", Noun::Budget)];
const SUBJECT: &[Owned] = &[Owned::body("subject", Noun::AccessKey)];

pub(super) fn add(routes: Routes) -> Routes {
    routes
        .add(Rule::user(Scope::Usage), routes!(list))
        .add(Rule::login().owning(SUBJECT), routes!(set))
        .add(Rule::login().owning(OWN), routes!(delete))
}

/// The caller's budgets, at most 100.
#[utoipa::path(
    get,
    path = "/api/budgets",
    tag = "budgets",
    responses((status = 200, description = "The budgets, in the order they were first set.", body = Listed<Budget>))
)]
async fn list(state: State, caller: Caller) -> Result<Reply<Listed<Budget>>, Failure> {
    let scope = caller.scope(state.store());
    let budgets = scope.budgets().await?.into_iter();
    let owned = budgets.map(|budget| (scope.user_id(), budget).into());
    Ok(Reply(Listed::all(owned.collect())))
}

/// What a budget limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Limited {
    /// Everything the user spends.
    User,
    /// What is spent with one access key.
    AccessKey,
    /// What is spent by calls with a label.
    Tag,
}

/// A budget to set.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewBudget {
    scope: Limited,
    /// The access key's id, or the label as `name=value`.
    #[serde(default)]
    #[schema(max_length = 300)]
    subject: Option<String>,
    period: Period,
    /// US dollars.
    limit: Exact,
    /// `hard` unless set.
    #[serde(default)]
    kind: Kind,
}

/// Sets the limit of a scope and period. What was spent stays; a budget counts from when it is
/// first set.
#[utoipa::path(
    put,
    path = "/api/budgets",
    tag = "budgets",
    request_body = NewBudget,
    responses(
        (status = 200, description = "The budget.", body = Budget),
        (status = 409, description = "There are as many budgets as there may be.", body = ErrorBody),
    )
)]
async fn set(
    state: State,
    caller: Caller,
    Json(new): Json<NewBudget>,
) -> Result<Reply<Budget>, Failure> {
    let user = caller.scope(state.store());
    let scope = match (new.scope, new.subject) {
        (Limited::User, None) => BudgetScope::User,
        (Limited::User, Some(_)) => {
            let message = "a budget of everything the user spends has no `subject`";
            return Err(Failure::invalid("subject", message));
        }
        (Limited::AccessKey, subject) => {
            let id = subject.and_then(|subject| Uuid::try_parse(&subject).ok());
            let id = id.ok_or_else(|| {
                Failure::invalid("subject", "`subject` is the access key's id, a UUID")
            })?;
            BudgetScope::AccessKey(user.access_keys().get(id).await?.id)
        }
        (Limited::Tag, subject) => {
            let message = "`subject` is the label, as name=value";
            BudgetScope::Tag(subject.ok_or_else(|| Failure::invalid("subject", message))?)
        }
    };
    let budget = user
        .set_budget(scope, new.period.into(), new.limit.0, new.kind.into())
        .await?;
    Ok(Reply((user.user_id(), budget).into()))
}

/// Lifts a limit.
#[utoipa::path(
    delete,
    path = "/api/budgets/{id}",
    tag = "budgets",
    params(("id" = Uuid, Path, description = "The budget.")),
    responses((status = 204, description = "It is gone."))
)]
async fn delete(state: State, caller: Caller, Id(id): Id) -> Result<StatusCode, Failure> {
    caller.scope(state.store()).delete_budget(id).await?;
    Ok(StatusCode::NO_CONTENT)
}
