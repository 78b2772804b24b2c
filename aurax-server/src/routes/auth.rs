//! Accounts and logins.

use aurax::store::{NewUser, Renewal, Store, UsedInvitation};
use aurax::{Page, Principal, Secret};
use axum::Json as Reply;
use axum::extract::{FromRequest as _, Request};
use http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};
use tracing::Instrument as _;
use utoipa::ToSchema;
use utoipa_axum::routes;
use uuid::Uuid;

use super::Routes;
use super::paging::Paging;
use crate::admit::{Noun, Owned, Rule};
use crate::auth::Caller;
use crate::config;
use crate::error::Failure;
use crate::extract::{Id, Json, Params, read_body};
use crate::limits;
use crate::state::State;
use crate::view::{Listed, Login, User};

/// The longest address of an account.
const EMAIL: usize = 254;
/// What a login is named by in a path.
const LIST: &[Owned] = &[Owned::query("cursor", Noun::Cursor)];
const LOGIN: &[Owned] = &[Owned::path("id", Noun::Login)];
/// How much of a browser's name is kept.
const LABEL: usize = 200;

pub(super) fn add(routes: Routes) -> Routes {
    routes
        .add(Rule::public().credential(), routes!(register))
        .add(Rule::public().credential(), routes!(login))
        .add(Rule::public().credential(), routes!(refresh))
        .add(Rule::login(), routes!(logout))
        .add(Rule::login(), routes!(me))
        .add(Rule::login(), routes!(delete_me))
        .add(Rule::login().owning(LIST), routes!(logins))
        .add(Rule::login(), routes!(end_logins))
        .add(Rule::login().owning(LOGIN), routes!(end_login))
}

/// An address and a password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Credentials {
    #[schema(format = "email", max_length = 254, min_length = 3)]
    email: String,
    /// At most 1,024 bytes.
    #[schema(format = "password", min_length = 8, value_type = String)]
    password: Password,
}

/// Who wants an account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Registration {
    #[schema(format = "email", max_length = 254, min_length = 3)]
    email: String,
    /// At most 1,024 bytes.
    #[schema(format = "password", min_length = 8, value_type = String)]
    password: Password,
    /// What an operator gave out, where accounts are made by invitation.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    invitation: Option<Password>,
}

/// A password as it arrives.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Password(String);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}

impl Password {
    pub(super) fn into_secret(self) -> Secret {
        Secret::new(self.0)
    }

    /// Whether it is long enough to be chosen.
    pub(super) fn check(&self, state: &State) -> Result<(), Failure> {
        let shortest = state.config().auth.shortest_password;
        if self.0.chars().count() < shortest {
            let message = format!("a password has at least {shortest} characters");
            return Err(Failure::invalid("password", message));
        }
        Ok(())
    }
}

/// Tokens of a login.
#[derive(Serialize, ToSchema)]
struct LoginTokens {
    /// For `Authorization: Bearer`.
    access_token: String,
    /// Good for one call of `/auth/refresh`, which gives another one.
    refresh_token: String,
    /// `bearer`.
    token_type: &'static str,
    /// How many seconds the access token is good for.
    expires_in: u64,
}

pub(super) fn check_email(email: &str) -> Result<(), Failure> {
    let (name, host) = email.trim().rsplit_once('@').unwrap_or_default();
    let is_plain = |text: &str| {
        !text.is_empty()
            && !text
                .chars()
                .any(|c| c.is_whitespace() || c.is_control() || c == '@')
    };
    if !is_plain(name) || !is_plain(host) || email.chars().count() > EMAIL {
        let message = "an address is of the form name@host, at most 254 characters";
        return Err(Failure::invalid("email", message));
    }
    Ok(())
}

/// Refuses who may make no account here; the invitation of who needs one.
async fn may_register(
    state: &State,
    wanted: &Registration,
) -> Result<Option<UsedInvitation>, Failure> {
    match state.config().registration() {
        config::Registration::Open => Ok(None),
        config::Registration::Closed => {
            let message = "accounts are made by the operator here: ask for one";
            Err(Failure::forbidden(message))
        }
        config::Registration::Invite => {
            let message = "accounts are made by invitation here: send the `invitation` you were \
                           given, with the address it is for";
            let refused = || Failure::forbidden(message);
            let Password(shown) = wanted.invitation.as_ref().ok_or_else(refused)?;
            state.auth().meet(shown).await?;
            let invitation = state.auth().tokens().invited(shown, &wanted.email);
            Ok(Some(invitation.ok_or_else(refused)?))
        }
    }
}

/// Makes an account.
#[utoipa::path(
    post,
    path = "/auth/register",
    tag = "auth",
    request_body = Registration,
    responses(
        (status = 201, description = "The account.", body = User),
        (status = 403, description = "Operators alone make accounts, or give out invitations.", body = crate::error::ErrorBody),
        (status = 409, description = "The address has an account.", body = crate::error::ErrorBody),
    )
)]
async fn register(
    state: State,
    Json(wanted): Json<Registration>,
) -> Result<(StatusCode, Reply<User>), Failure> {
    let invitation = may_register(&state, &wanted).await?;
    check_email(&wanted.email)?;
    wanted.password.check(&state)?;
    let hash = state
        .passwords()
        .hash(wanted.password.into_secret())
        .await?;
    let mut new = NewUser::new(wanted.email).with_hashed_password(hash);
    new.invitation = invitation;
    let admin = state.store().admin();
    // Whoever is first on a machine of their own runs it; elsewhere the command makes operators.
    if state.config().first_account_is_admin()
        && let Some(user) = admin.add_first_user(&new).await?
    {
        return Ok((StatusCode::CREATED, Reply(user.into())));
    }
    let user = admin.add_user(new).await?;
    Ok((StatusCode::CREATED, Reply(user.into())))
}

/// The password form of OAuth 2.0 (RFC 6749, 4.3.2).
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PasswordForm)]
#[expect(dead_code, reason = "clients send more than there is use for")]
struct Form {
    /// `password`, where it is sent.
    #[serde(default)]
    grant_type: Option<String>,
    username: String,
    #[schema(format = "password", value_type = String)]
    password: Password,
    #[serde(default)]
    scope: Option<String>,
    #[serde(default)]
    client_id: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    client_secret: Option<Password>,
}

/// Begins a login.
#[utoipa::path(
    post,
    path = "/auth/login",
    tag = "auth",
    request_body(content(
        (Credentials = "application/json"),
        (Form = "application/x-www-form-urlencoded"),
    )),
    responses(
        (status = 200, description = "The tokens.", body = LoginTokens),
        (status = 401, description = "The address or the password is wrong.", body = crate::error::ErrorBody),
    )
)]
async fn login(state: State, request: Request) -> Result<Reply<LoginTokens>, Failure> {
    let label = label(request.headers());
    let shown = read_credentials(&state, request).await?;
    limits::of_account(&state, &shown.email).await?;
    let found = state.store().admin().login(&shown.email).await?;
    let (user, hash) = found.map_or((None, None), |(user, hash)| (Some(user), hash));
    let password = shown.password.into_secret();
    let is_right = state.passwords().verify(password, hash).await?;
    let user = user.filter(|user| is_right && user.is_active);
    let user = user.ok_or_else(|| Failure::unauthorized("the address or the password is wrong"))?;
    let scope = state.store().user(&Principal::new(user.id.to_string()));
    let token = scope.begin_login(label.as_deref()).await?;
    tokens(&state, user.id, token.login_id, &token.token)
}

async fn read_credentials(state: &State, request: Request) -> Result<Credentials, Failure> {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    let is_form = content_type.is_some_and(|value| {
        value
            .as_bytes()
            .starts_with(b"application/x-www-form-urlencoded")
    });
    if !is_form {
        let Json(credentials) = Json::from_request(request, state).await?;
        return Ok(credentials);
    }
    let body = read_body(request, state).await?;
    let form: Form = crate::extract::parse_form(body).await?;
    if form
        .grant_type
        .as_deref()
        .is_some_and(|grant| grant != "password")
    {
        let message = "the grant here is `password`";
        return Err(Failure::invalid("grant_type", message));
    }
    Ok(Credentials {
        email: form.username,
        password: form.password,
    })
}

fn label(headers: &HeaderMap) -> Option<String> {
    let agent = headers.get(header::USER_AGENT)?.to_str().ok()?;
    Some(agent.chars().take(LABEL).collect())
}

#[expect(clippy::disallowed_methods, reason = "tokens are handed out here")]
fn tokens(
    state: &State,
    user: Uuid,
    login: Uuid,
    refresh: &Secret,
) -> Result<Reply<LoginTokens>, Failure> {
    let issuer = state.auth().tokens();
    let access = issuer.issue(user, login)?;
    Ok(Reply(LoginTokens {
        access_token: access.expose().to_owned(),
        refresh_token: refresh.expose().to_owned(),
        token_type: "bearer",
        expires_in: issuer.ttl().as_secs(),
    }))
}

/// A refresh token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Refresh {
    #[schema(value_type = String, max_length = 512)]
    refresh_token: Password,
}

/// Exchanges a refresh token for new tokens. One that was exchanged before ends its login.
#[utoipa::path(
    post,
    path = "/auth/refresh",
    tag = "auth",
    request_body = Refresh,
    responses(
        (status = 200, description = "The tokens.", body = LoginTokens),
        (status = 401, description = "The token is not good, or not any more.", body = crate::error::ErrorBody),
    )
)]
async fn refresh(state: State, Json(shown): Json<Refresh>) -> Result<Reply<LoginTokens>, Failure> {
    let token = shown.refresh_token.into_secret();
    match state.store().admin().renew_login(&token).await? {
        Renewal::Renewed(next, user) => tokens(&state, user.id, next.login_id, &next.token),
        _ => Err(Failure::unauthorized(
            "the refresh token is not valid, or not any more: log in again",
        )),
    }
}

/// Ends the login that asks: none of its tokens is good any more.
#[utoipa::path(
    delete,
    path = "/auth/logout",
    tag = "auth",
    responses((status = 204, description = "It has ended."))
)]
async fn logout(state: State, caller: Caller) -> Result<StatusCode, Failure> {
    if let Some(login) = caller.login_id() {
        end(state.store(), &caller, login).await?;
    }
    state.auth().forget(caller.user().id);
    Ok(StatusCode::NO_CONTENT)
}

/// Ends a login; one that has ended already is as good.
async fn end(store: &Store, caller: &Caller, login: Uuid) -> Result<(), Failure> {
    match caller.scope(store).end_login(login).await {
        Err(error) if error.kind() == aurax::ErrorKind::NotFound => Ok(()),
        done => Ok(done?),
    }
}

/// The caller's account.
#[utoipa::path(
    get,
    path = "/auth/me",
    tag = "auth",
    responses((status = 200, description = "The account.", body = User))
)]
async fn me(state: State, caller: Caller) -> Result<Reply<User>, Failure> {
    let user = caller.scope(state.store()).account().await?;
    Ok(Reply(user.into()))
}

/// Deletes the account, everything that was said in its sessions, and its keys. Usage stays, under
/// an id that names nobody any more.
#[utoipa::path(
    delete,
    path = "/auth/me",
    tag = "auth",
    responses((status = 204, description = "It is gone."))
)]
async fn delete_me(state: State, caller: Caller) -> Result<StatusCode, Failure> {
    let scope = caller.scope(state.store());
    // It is begun once, and goes on though whoever asked is gone.
    let erased = state
        .drain()
        .tasks()
        .spawn(async move { scope.delete_account().await }.in_current_span());
    erased.await.map_err(|_| Failure::internal())??;
    state.auth().forget(caller.user().id);
    Ok(StatusCode::NO_CONTENT)
}

/// The caller's logins that go on.
#[utoipa::path(
    get,
    path = "/auth/sessions",
    tag = "auth",
    params(Paging),
    responses((status = 200, description = "The logins, the latest first.", body = Listed<Login>))
)]
async fn logins(
    state: State,
    caller: Caller,
    Params(paging): Params<Paging>,
) -> Result<Reply<Listed<Login>>, Failure> {
    let page: Page = paging.page()?;
    let logins = caller.scope(state.store()).logins(&page).await?;
    let current = caller.login_id();
    Ok(Reply(Listed {
        data: logins
            .data
            .into_iter()
            .map(|login| Login::new(login, current))
            .collect(),
        next_cursor: logins.next_cursor,
    }))
}

/// Ends all of the caller's logins, the one that asks among them.
#[utoipa::path(
    delete,
    path = "/auth/sessions",
    tag = "auth",
    responses((status = 204, description = "They have ended."))
)]
async fn end_logins(state: State, caller: Caller) -> Result<StatusCode, Failure> {
    caller.scope(state.store()).end_logins().await?;
    state.auth().forget(caller.user().id);
    Ok(StatusCode::NO_CONTENT)
}

/// Ends one of the caller's logins.
#[utoipa::path(
    delete,
    path = "/auth/sessions/{id}",
    tag = "auth",
    params(("id" = Uuid, Path, description = "The login.")),
    responses((status = 204, description = "It has ended."))
)]
async fn end_login(state: State, caller: Caller, Id(id): Id) -> Result<StatusCode, Failure> {
    caller.scope(state.store()).end_login(id).await?;
    state.auth().forget(caller.user().id);
    Ok(StatusCode::NO_CONTENT)
}
