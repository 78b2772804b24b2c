//! The callers' own keys to providers. They go in and never come out.

use std::fmt;
use std::time::Duration;

use aurax::store::{ProviderKeyChange, ProviderKeys};
use aurax::{Ctx, ErrorKind, KeyStatus, Page, Secret};
use axum::Json as Reply;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::Routes;
use super::paging;
use crate::admit::{Noun, Owned, Rule};
use crate::auth::{Caller, Scope};
use crate::call::check_base_url;
use crate::error::{ErrorBody, Failure, KeyOwner};
use crate::extract::{Id, Json, Params};
use crate::state::State;
use crate::view::{Listed, ProviderKey};

/// The longest key.
const KEY: usize = 16 * 1024;
/// How long a provider may take to say whether it takes a key.
const CHECK: Duration = Duration::from_secs(30);
/// What a key is named by in a path.
const OWN: &[Owned] = &[Owned::path("id", Noun::ProviderKey)];
const LIST: &[Owned] = &[Owned::query("cursor", Noun::Cursor)];

pub(super) fn add(routes: Routes) -> Routes {
    let user = Rule::user(Scope::Keys);
    routes
        .add(user.owning(LIST), routes!(list))
        .add(user, routes!(create))
        .add(user.owning(OWN), routes!(get))
        .add(user.owning(OWN), routes!(change))
        .add(user.owning(OWN), routes!(delete))
        .add(user.owning(OWN), routes!(validate))
}

pub(super) fn keys(state: &State, caller: &Caller) -> ProviderKeys {
    caller.scope(state.store()).provider_keys()
}

/// A provider's key as it arrives.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct KeyText(String);

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyText(…)")
    }
}

impl KeyText {
    fn into_secret(self) -> Result<Secret, Failure> {
        let is_plain = self.0.bytes().all(|byte| byte.is_ascii_graphic());
        if self.0.is_empty() || self.0.len() > KEY || !is_plain {
            let message = format!("a key has 1 to {KEY} visible ASCII characters, without spaces");
            return Err(Failure::invalid("key", message));
        }
        Ok(Secret::new(self.0))
    }
}

/// A key to keep for a provider that is named elsewhere.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewKeyOf {
    /// At most 16,384 visible ASCII characters.
    #[schema(value_type = String, min_length = 1, max_length = 16384, format = "password")]
    key: KeyText,
    /// Its name, which no other key of the caller's to the provider has; `default` unless set.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 100)]
    key_name: Option<String>,
    /// The address it is for, instead of the provider's own: one that the operator lists.
    #[serde(default)]
    #[schema(max_length = 2048)]
    base_url: Option<String>,
}

/// Keeps a key for a provider, by any of its names.
pub(super) async fn keep(
    state: &State,
    caller: &Caller,
    provider: &str,
    new: NewKeyOf,
) -> Result<(StatusCode, Reply<ProviderKey>), Failure> {
    let provider = state.engine().provider(provider)?;
    let info = provider.info();
    let key = new.key.into_secret()?;
    if let Some(base_url) = &new.base_url {
        check_base_url(state, info, base_url)?;
    }
    let name = new.key_name.as_deref().unwrap_or("default");
    let kept = keys(state, caller)
        .seal(
            state.vault(),
            &info.name,
            name,
            new.base_url.as_deref(),
            &key,
        )
        .await?;
    Ok((StatusCode::CREATED, Reply((caller.user().id, kept).into())))
}

/// Which keys.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Those of one provider.
    #[param(max_length = 100)]
    #[serde(default)]
    provider: Option<String>,
    /// The most items; 50 unless set.
    #[param(minimum = 1, maximum = 200)]
    #[serde(default)]
    limit: Option<u32>,
    /// Where to go on: `next_cursor` of the part before.
    #[serde(default)]
    cursor: Option<String>,
}

/// The caller's keys to providers.
#[utoipa::path(
    get,
    path = "/api/keys",
    tag = "keys",
    params(Wanted),
    responses((status = 200, description = "The keys, the latest made first.", body = Listed<ProviderKey>))
)]
async fn list(
    state: State,
    caller: Caller,
    Params(wanted): Params<Wanted>,
) -> Result<Reply<Listed<ProviderKey>>, Failure> {
    let page: Page = paging::page(wanted.limit, wanted.cursor)?;
    let provider = wanted.provider.as_deref();
    paging::short("provider", provider, 100)?;
    let listed = keys(&state, &caller).list(provider, &page).await?;
    Ok(Reply(Listed::owned(caller.user().id, listed)))
}

/// A key to keep.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewProviderKey {
    /// The provider, by any of its names.
    #[schema(max_length = 100)]
    provider: String,
    /// At most 16,384 visible ASCII characters.
    #[schema(value_type = String, min_length = 1, max_length = 16384, format = "password")]
    key: KeyText,
    /// Its name, which no other key of the caller's to the provider has; `default` unless set.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 100)]
    key_name: Option<String>,
    /// The address it is for, instead of the provider's own: one that the operator lists.
    #[serde(default)]
    #[schema(max_length = 2048)]
    base_url: Option<String>,
}

/// Keeps a key to a provider.
#[utoipa::path(
    post,
    path = "/api/keys",
    tag = "keys",
    request_body = NewProviderKey,
    responses(
        (status = 201, description = "The key, masked.", body = ProviderKey),
        (status = 404, description = "There is no such provider.", body = ErrorBody),
        (status = 409, description = "The caller has a key of that name, or as many keys as there may be.", body = ErrorBody),
    )
)]
async fn create(
    state: State,
    caller: Caller,
    Json(new): Json<NewProviderKey>,
) -> Result<(StatusCode, Reply<ProviderKey>), Failure> {
    let key = NewKeyOf {
        key: new.key,
        key_name: new.key_name,
        base_url: new.base_url,
    };
    keep(&state, &caller, &new.provider, key).await
}

/// A key to a provider.
#[utoipa::path(
    get,
    path = "/api/keys/{id}",
    tag = "keys",
    params(("id" = Uuid, Path, description = "The key.")),
    responses((status = 200, description = "The key, masked.", body = ProviderKey))
)]
async fn get(state: State, caller: Caller, Id(id): Id) -> Result<Reply<ProviderKey>, Failure> {
    let key = keys(&state, &caller).get(id).await?;
    Ok(Reply((caller.user().id, key).into()))
}

/// What to change of a key: a field that is absent stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct KeyPatch {
    /// Whether calls may use it.
    #[serde(default)]
    is_active: Option<bool>,
    #[serde(default)]
    #[schema(min_length = 1, max_length = 100)]
    key_name: Option<String>,
    /// Another key in its place, for the same address; it is active unless `is_active` says
    /// otherwise.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 16384, format = "password")]
    key: Option<KeyText>,
}

/// Changes a key to a provider.
#[utoipa::path(
    patch,
    path = "/api/keys/{id}",
    tag = "keys",
    params(("id" = Uuid, Path, description = "The key.")),
    request_body = KeyPatch,
    responses(
        (status = 200, description = "The key, masked.", body = ProviderKey),
        (status = 409, description = "Another key has that name.", body = ErrorBody),
    )
)]
async fn change(
    state: State,
    caller: Caller,
    Id(id): Id,
    Json(wanted): Json<KeyPatch>,
) -> Result<Reply<ProviderKey>, Failure> {
    let secret = wanted.key.map(KeyText::into_secret).transpose()?;
    let keys = keys(&state, &caller);
    let known = keys.get(id).await?;
    if secret.is_some()
        && let Some(base_url) = &known.base_url
    {
        let provider = state.engine().provider(&known.provider)?;
        check_base_url(&state, provider.info(), base_url)?;
    }
    let mut change = ProviderKeyChange::default();
    change.key_name = wanted.key_name;
    change.is_active = wanted.is_active;
    let mut key = keys.change(id, change).await?;
    if let Some(secret) = secret {
        let base_url = known.base_url.as_deref();
        key = keys
            .seal_again(state.vault(), id, base_url, &secret)
            .await?;
        // A new key is active by itself.
        if wanted.is_active == Some(false) {
            let mut change = ProviderKeyChange::default();
            change.is_active = Some(false);
            key = keys.change(id, change).await?;
        }
    }
    Ok(Reply((caller.user().id, key).into()))
}

/// Forgets a key to a provider.
#[utoipa::path(
    delete,
    path = "/api/keys/{id}",
    tag = "keys",
    params(("id" = Uuid, Path, description = "The key.")),
    responses((status = 204, description = "It is gone."))
)]
async fn delete(state: State, caller: Caller, Id(id): Id) -> Result<StatusCode, Failure> {
    keys(&state, &caller).delete(id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a provider says of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    /// It takes it.
    Valid,
    /// It refuses it.
    Invalid,
    /// It takes it, but there is no credit left.
    NoCredit,
    /// It knows it and forbids the check; it may still work for chats.
    Restricted,
    /// It could not be asked, or there is no free way to find out.
    Unknown,
}

impl From<KeyStatus> for Verdict {
    fn from(status: KeyStatus) -> Self {
        match status {
            KeyStatus::Valid => Self::Valid,
            KeyStatus::Invalid => Self::Invalid,
            KeyStatus::NoCredit => Self::NoCredit,
            KeyStatus::Restricted => Self::Restricted,
            _ => Self::Unknown,
        }
    }
}

/// What a provider says of a key, and when it last took it.
#[derive(Debug, Serialize, ToSchema)]
struct Validated {
    status: Verdict,
    #[serde(with = "time::serde::rfc3339::option")]
    last_validated: Option<OffsetDateTime>,
}

const fn could_not_be_asked(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Unsupported
            | ErrorKind::Network
            | ErrorKind::Server
            | ErrorKind::Timeout
            | ErrorKind::Truncated
            | ErrorKind::Decode
            | ErrorKind::Overloaded
            | ErrorKind::RateLimited
    )
}

/// Asks the provider whether it takes a key, which costs nothing.
#[utoipa::path(
    post,
    path = "/api/keys/{id}/validate",
    tag = "keys",
    params(("id" = Uuid, Path, description = "The key.")),
    responses(
        (status = 200, description = "What the provider says.", body = Validated),
    )
)]
async fn validate(state: State, caller: Caller, Id(id): Id) -> Result<Reply<Validated>, Failure> {
    let keys = keys(&state, &caller);
    let (known, credential) = keys.opened(state.vault(), id).await?;
    let provider = state.engine().provider(&known.provider)?;
    if let Some(base_url) = &credential.base_url {
        check_base_url(&state, provider.info(), base_url)?;
    }
    let ctx = Ctx::new(caller.principal())
        .with_cancel(state.drain().over().child_token())
        .with_deadline(state.clock().monotonic() + CHECK)
        .with_credential(known.provider.as_str(), credential);
    let status = match provider.catalog().verify_key(&ctx).await {
        Ok(status) => status.into(),
        Err(error) if could_not_be_asked(error.kind()) => Verdict::Unknown,
        Err(error) => return Err(Failure::of_call(&error, KeyOwner::Caller)),
    };
    let mut last_validated = known.last_validated;
    if status == Verdict::Valid {
        let mut change = ProviderKeyChange::default();
        change.last_validated = Some(state.clock().now());
        last_validated = keys.change(id, change).await?.last_validated;
    }
    Ok(Reply(Validated {
        status,
        last_validated,
    }))
}
