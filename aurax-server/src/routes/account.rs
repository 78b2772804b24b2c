//! What callers change of their own account.

use aurax::store::AccountChange;
use axum::Json as Reply;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::Routes;
use super::auth::{Password, check_email};
use crate::admit::Rule;
use crate::auth::Caller;
use crate::error::{ErrorBody, Failure};
use crate::extract::Json;
use crate::limits;
use crate::state::State;
use crate::view::User;

pub(super) fn add(routes: Routes) -> Routes {
    routes.add(Rule::login().credential(), routes!(change))
}

/// What to change of an account: a field that is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AccountPatch {
    /// The password that holds now.
    #[schema(format = "password", value_type = String)]
    current_password: Password,
    #[serde(default)]
    #[schema(format = "email", max_length = 254, min_length = 3)]
    email: Option<String>,
    /// At most 1,024 bytes. All other logins end.
    #[serde(default)]
    #[schema(format = "password", min_length = 8, value_type = Option<String>)]
    password: Option<Password>,
}

/// Changes the address or the password of the caller's account.
#[utoipa::path(
    patch,
    path = "/auth/me",
    tag = "auth",
    request_body = AccountPatch,
    responses(
        (status = 200, description = "The account.", body = User),
        (status = 403, description = "The current password is wrong.", body = ErrorBody),
        (status = 409, description = "The address has another account.", body = ErrorBody),
    )
)]
async fn change(
    state: State,
    caller: Caller,
    Json(wanted): Json<AccountPatch>,
) -> Result<Reply<User>, Failure> {
    if let Some(email) = &wanted.email {
        check_email(email)?;
    }
    if let Some(password) = &wanted.password {
        password.check(&state)?;
    }
    // Whoever has a token may guess the password here as at the door.
    limits::of_account(&state, &caller.user().email).await?;
    let scope = caller.scope(state.store());
    let hash = scope.hashed_password().await?;
    let shown = wanted.current_password.into_secret();
    if !state.passwords().verify(shown, hash).await? {
        let message = "the current password is wrong";
        return Err(Failure::forbidden(message).with_detail("field", "current_password"));
    }
    let mut change = AccountChange::default();
    change.email = wanted.email;
    change.keep_login = caller.login_id();
    if let Some(password) = wanted.password {
        change.hashed_password = Some(state.passwords().hash(password.into_secret()).await?);
    }
    let user = scope.change_account(change).await;
    state.auth().forget(caller.user().id);
    Ok(Reply(user?.into()))
}
