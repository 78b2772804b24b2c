//! AURAX's own keys, with which programs call it. A key cannot make keys: that takes a login.

use aurax::Secret;
use aurax::store::{
    self, AccessKeyChange, BudgetLimit, BudgetPeriod, BudgetScope, Edit, UserScope,
};
use axum::Json as Reply;
use http::StatusCode;
use serde::Deserialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;
use uuid::Uuid;

use super::Routes;
use super::paging::Paging;
use crate::admit::{Noun, Owned, Rule};
use crate::auth::{Caller, Scope};
use crate::error::{ErrorBody, Failure};
use crate::extract::{Id, Json, Params, optional_object};
use crate::state::State;
use crate::view::{AccessKey, Exact, Kind, Listed, NewKey, Period, edit};

/// What a key is named by in a path.
const OWN: &[Owned] = &[Owned::path("id", Noun::AccessKey)];
const LIST: &[Owned] = &[Owned::query("cursor", Noun::Cursor)];

pub(super) fn add(routes: Routes) -> Routes {
    let user = Rule::user(Scope::Keys);
    routes
        .add(user.owning(LIST), routes!(list))
        .add(Rule::login(), routes!(create))
        .add(user.owning(OWN), routes!(get))
        .add(Rule::login().owning(OWN), routes!(change))
        .add(Rule::login().owning(OWN), routes!(delete))
}

/// The caller's access keys.
#[utoipa::path(
    get,
    path = "/api/access-keys",
    tag = "access keys",
    params(Paging),
    responses((status = 200, description = "The keys, the latest made first.", body = Listed<AccessKey>))
)]
async fn list(
    state: State,
    caller: Caller,
    Params(paging): Params<Paging>,
) -> Result<Reply<Listed<AccessKey>>, Failure> {
    let page = paging.page()?;
    let scope = caller.scope(state.store());
    let listed = scope.access_keys().list(&page).await?;
    let (user, budgets) = (scope.user_id(), scope.budgets().await?);
    Ok(Reply(Listed::of(listed.map(|key| {
        AccessKey::from((user, key)).with_budgets(&budgets)
    }))))
}

/// What may be spent with a key.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct KeyBudget {
    /// US dollars.
    limit: Exact,
    period: Period,
    /// `hard` unless set.
    #[serde(default)]
    kind: Kind,
}

impl KeyBudget {
    async fn set(self, scope: &UserScope, key: Uuid) -> Result<(), Failure> {
        let (period, kind): (BudgetPeriod, BudgetLimit) = (self.period.into(), self.kind.into());
        let subject = BudgetScope::AccessKey(key);
        scope
            .set_budget(subject, period, self.limit.0, kind)
            .await?;
        Ok(())
    }
}

/// A time (RFC 3339).
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(transparent)]
struct At(#[serde(with = "time::serde::rfc3339")] OffsetDateTime);

impl At {
    fn ahead(self, state: &State) -> Result<OffsetDateTime, Failure> {
        if self.0 <= state.clock().now() {
            let message = "`expires_at` is in the future";
            return Err(Failure::invalid("expires_at", message));
        }
        Ok(self.0)
    }
}

/// A limit that lets something through.
fn limit(field: &str, limit: Option<u32>) -> Result<Option<u32>, Failure> {
    if limit == Some(0) {
        return Err(Failure::invalid(field, format!("`{field}` is at least 1")));
    }
    Ok(limit)
}

fn names(scopes: &[Scope]) -> Vec<String> {
    scopes
        .iter()
        .map(|scope| scope.as_str().to_owned())
        .collect()
}

/// A key to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewAccessKey {
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// What it may be used for; everything its user may do unless set.
    #[serde(default)]
    #[schema(max_items = 5)]
    scopes: Vec<Scope>,
    /// The models it may use, each as `provider/model`, `provider/*` or a model's name at any
    /// provider; all unless set.
    #[serde(default)]
    #[schema(max_items = 200)]
    models: Option<Vec<String>>,
    /// The user's own limit unless set.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 2147483647)]
    requests_per_minute: Option<u32>,
    /// The user's own limit unless set.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 2147483647)]
    tokens_per_minute: Option<u32>,
    /// What may be spent with it; what its user may unless set.
    #[serde(default, deserialize_with = "optional_object")]
    budget: Option<KeyBudget>,
    /// When it stops working; never unless set.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<At>,
}

/// Makes a key. The key itself is in this answer alone.
#[utoipa::path(
    post,
    path = "/api/access-keys",
    tag = "access keys",
    request_body = NewAccessKey,
    responses(
        (status = 201, description = "The key.", body = NewKey),
        (status = 409, description = "There are as many keys or budgets as there may be.", body = ErrorBody),
    )
)]
async fn create(
    state: State,
    caller: Caller,
    Json(wanted): Json<NewAccessKey>,
) -> Result<(StatusCode, Reply<NewKey>), Failure> {
    let mut new = store::NewAccessKey::new(wanted.name);
    new.scopes = names(&wanted.scopes);
    new.models = wanted.models;
    new.requests_per_minute = limit("requests_per_minute", wanted.requests_per_minute)?;
    new.tokens_per_minute = limit("tokens_per_minute", wanted.tokens_per_minute)?;
    new.expires_at = wanted.expires_at.map(|at| at.ahead(&state)).transpose()?;
    let scope = caller.scope(state.store());
    let (key, secret) = scope.access_keys().add(new).await?;
    if let Some(budget) = wanted.budget
        && let Err(failure) = budget.set(&scope, key.id).await
    {
        // Nobody knows the key: without its limit it must not be there.
        scope.access_keys().delete(key.id).await?;
        return Err(failure);
    }
    let budgets = scope.budgets().await?;
    let made = NewKey {
        key: expose(&secret),
        made: AccessKey::from((scope.user_id(), key)).with_budgets(&budgets),
    };
    Ok((StatusCode::CREATED, Reply(made)))
}

#[expect(clippy::disallowed_methods, reason = "a key is handed out once, here")]
fn expose(secret: &Secret) -> String {
    secret.expose().to_owned()
}

async fn shown(scope: &UserScope, key: store::AccessKey) -> Result<Reply<AccessKey>, Failure> {
    let budgets = scope.budgets().await?;
    let key = AccessKey::from((scope.user_id(), key));
    Ok(Reply(key.with_budgets(&budgets)))
}

/// An access key.
#[utoipa::path(
    get,
    path = "/api/access-keys/{id}",
    tag = "access keys",
    params(("id" = Uuid, Path, description = "The key.")),
    responses((status = 200, description = "The key.", body = AccessKey))
)]
async fn get(state: State, caller: Caller, Id(id): Id) -> Result<Reply<AccessKey>, Failure> {
    let scope = caller.scope(state.store());
    let key = scope.access_keys().get(id).await?;
    shown(&scope, key).await
}

/// What to change of a key: a field that is absent stays, `null` clears it.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AccessKeyPatch {
    #[serde(default)]
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    /// Whether it may be used.
    #[serde(default)]
    is_active: Option<bool>,
    /// What it may be used for; empty for everything its user may do.
    #[serde(default)]
    #[schema(max_items = 5)]
    scopes: Option<Vec<Scope>>,
    /// The models it may use; `null` for all.
    #[serde(default, deserialize_with = "edit")]
    #[schema(value_type = Option<Vec<String>>, max_items = 200)]
    models: Edit<Vec<String>>,
    /// `null` for the user's own limit.
    #[serde(default, deserialize_with = "edit")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 2147483647)]
    requests_per_minute: Edit<u32>,
    /// `null` for the user's own limit.
    #[serde(default, deserialize_with = "edit")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 2147483647)]
    tokens_per_minute: Edit<u32>,
    /// Sets what may be spent with it in a period; `null` lifts the limits of all periods.
    #[serde(default, deserialize_with = "edit")]
    #[schema(value_type = Option<KeyBudget>)]
    budget: Edit<KeyBudget>,
    /// `null` for never.
    #[serde(default, deserialize_with = "edit")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Edit<At>,
}

impl AccessKeyPatch {
    fn change(&self, state: &State) -> Result<AccessKeyChange, Failure> {
        let checked = |field, wanted: &Edit<u32>| {
            if let Edit::Set(count) = wanted {
                limit(field, Some(*count))?;
            }
            Ok::<_, Failure>(wanted.clone())
        };
        let mut change = AccessKeyChange::default();
        change.name.clone_from(&self.name);
        change.is_active = self.is_active;
        change.scopes = self.scopes.as_deref().map(names);
        change.models = self.models.clone();
        change.requests_per_minute = checked("requests_per_minute", &self.requests_per_minute)?;
        change.tokens_per_minute = checked("tokens_per_minute", &self.tokens_per_minute)?;
        change.expires_at = match self.expires_at {
            Edit::Keep => Edit::Keep,
            Edit::Clear => Edit::Clear,
            Edit::Set(at) => Edit::Set(at.ahead(state)?),
        };
        Ok(change)
    }
}

/// Changes an access key.
#[utoipa::path(
    patch,
    path = "/api/access-keys/{id}",
    tag = "access keys",
    params(("id" = Uuid, Path, description = "The key.")),
    request_body = AccessKeyPatch,
    responses(
        (status = 200, description = "The key.", body = AccessKey),
        (status = 409, description = "There are as many budgets as there may be.", body = ErrorBody),
    )
)]
async fn change(
    state: State,
    caller: Caller,
    Id(id): Id,
    Json(wanted): Json<AccessKeyPatch>,
) -> Result<Reply<AccessKey>, Failure> {
    let change = wanted.change(&state)?;
    let scope = caller.scope(state.store());
    let keys = scope.access_keys();
    keys.get(id).await?;
    // A limit comes before what it limits is let loose, and goes after.
    let lifts = matches!(wanted.budget, Edit::Clear);
    if let Edit::Set(budget) = wanted.budget {
        budget.set(&scope, id).await?;
    }
    let changed = keys.change(id, change).await;
    state.auth().forget(caller.user().id);
    let key = changed?;
    if lifts {
        lift(&scope, id).await?;
    }
    shown(&scope, key).await
}

/// Lifts the limits of a key.
async fn lift(scope: &UserScope, key: Uuid) -> Result<(), Failure> {
    let subject = BudgetScope::AccessKey(key);
    for budget in scope.budgets().await? {
        if budget.scope == subject {
            match scope.delete_budget(budget.id).await {
                Err(error) if error.kind() == aurax::ErrorKind::NotFound => {}
                done => done?,
            }
        }
    }
    Ok(())
}

/// Forgets an access key, and the limits on what is spent with it.
#[utoipa::path(
    delete,
    path = "/api/access-keys/{id}",
    tag = "access keys",
    params(("id" = Uuid, Path, description = "The key.")),
    responses((status = 204, description = "It is gone."))
)]
async fn delete(state: State, caller: Caller, Id(id): Id) -> Result<StatusCode, Failure> {
    let scope = caller.scope(state.store());
    let deleted = scope.access_keys().delete(id).await;
    state.auth().forget(caller.user().id);
    deleted?;
    lift(&scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
