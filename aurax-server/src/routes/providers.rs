//! Providers, their models, and what calls to them used.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use aurax::store::Grouping;
use aurax::{Bucket, Buckets, ModelInfo, Page, PriceBook, Usage, UsageSource};
use axum::Json as Reply;
use axum::extract::{FromRequestParts, Path};
use http::StatusCode;
use http::request::Parts;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::Routes;
use super::provider_keys::{NewKeyOf, keep, keys};
use super::usage::Between;
use crate::admit::Rule;
use crate::auth::{Caller, Scope};
use crate::call::{self, Prepared};
use crate::edge::Seen;
use crate::error::{ErrorBody, Failure};
use crate::extract::{Json, Params};
use crate::state::State;
use crate::view::{Figures, Listed, Model, Provider, ProviderKey};

/// How long a provider may take to list its models.
const LIST: Duration = Duration::from_secs(30);

pub(super) fn add(routes: Routes) -> Routes {
    let keys = Rule::user(Scope::Keys);
    routes
        .add(Rule::user(Scope::Chat), routes!(list))
        .add(Rule::user(Scope::Usage), routes!(usage))
        .add(Rule::user(Scope::Chat), routes!(models))
        .add(keys, routes!(add_key))
        .add(keys, routes!(delete_keys))
}

/// The provider a path names, by any of its names.
struct Named(String);

impl FromRequestParts<State> for Named {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Failure> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let Path(name) = path.map_err(|_| Failure::invalid("name", "the path is not UTF-8"))?;
        Ok(Self(
            state.engine().provider(&name)?.info().name.to_string(),
        ))
    }
}

/// The providers, and whether the caller can ask them.
#[utoipa::path(
    get,
    path = "/providers",
    tag = "providers",
    responses((status = 200, description = "The providers.", body = Listed<Provider>))
)]
async fn list(state: State, caller: Caller) -> Result<Reply<Listed<Provider>>, Failure> {
    let own = with_keys(&state, &caller).await?;
    let may_share = call::may_share(&state, &caller);
    let engine = state.engine();
    let providers = engine.providers().map(|info| {
        let provider = engine.provider(&info.name)?;
        let mut shown = Provider::new(info, provider.capability());
        shown.is_configured = call::is_open(info) || (info.has_credential && may_share);
        shown.has_keys = own.contains(&*info.name);
        Ok(shown)
    });
    let providers = providers.collect::<Result<Vec<_>, Failure>>()?;
    Ok(Reply(Listed::all(providers)))
}

/// To which providers the caller has active keys.
async fn with_keys(state: &State, caller: &Caller) -> Result<HashSet<String>, Failure> {
    let keys = keys(state, caller);
    let mut own = HashSet::new();
    let mut page = Page::first().with_limit(Page::MOST);
    loop {
        let listed = keys.list(None, &page).await?;
        let active = listed.data.into_iter().filter(|key| key.is_active);
        own.extend(active.map(|key| key.provider));
        match listed.next_cursor {
            Some(cursor) => page = page.after(cursor),
            None => return Ok(own),
        }
    }
}

/// A provider's models as the caller's key sees them, with what is known of them and their prices;
/// for an access key with a list of models, those of its list.
/// Lists are remembered for an hour.
#[utoipa::path(
    get,
    path = "/providers/{name}/models",
    tag = "providers",
    params(("name" = String, Path, description = "The provider, by any of its names.")),
    responses(
        (status = 200, description = "The models.", body = Listed<Model>),
        (status = 404, description = "There is no such provider.", body = ErrorBody),
        (status = 424, description = "The provider refuses the caller's key, or there is none.", body = ErrorBody),
        (status = 502, description = "The provider failed.", body = ErrorBody),
        (status = 504, description = "The provider took too long.", body = ErrorBody),
    )
)]
async fn models(
    state: State,
    caller: Caller,
    seen: Seen,
    Named(name): Named,
) -> Result<Reply<Listed<Model>>, Failure> {
    let provider = state.engine().provider(&name)?;
    let info = provider.info();
    let Prepared { ctx, owner } = call::prepare_at(&state, &caller, &seen, info, None).await?;
    let ctx = ctx.with_deadline(state.clock().monotonic() + LIST);
    let book = state.engine().prices();
    let sold = info.prices.as_deref();
    let listed = || sold.map_or_else(Vec::new, |sold| book.models(sold));
    let models = state.models().of(&*provider, &ctx, listed).await;
    let models = models.map_err(|error| crate::chat::failed(&state, &error, owner))?;
    let now = state.clock().now();
    let mine = |model: &ModelInfo| call::may_use(state.engine(), &caller, &info.name, &model.id);
    let models = models.into_iter().filter(mine).map(|model| {
        let known = sold.and_then(|sold| book.model_info(sold, &model.id));
        let prices = sold.and_then(|sold| prices(book, sold, &model.id, now));
        let model = match known {
            Some(known) => model.or(known),
            None => model,
        };
        Model::new(&info.name, model, prices)
    });
    Ok(Reply(Listed::all(models.collect())))
}

/// What a million tokens of each kind cost; `None` where nobody knows.
fn prices(
    book: &PriceBook,
    provider: &str,
    model: &str,
    at: OffsetDateTime,
) -> Option<BTreeMap<&'static str, String>> {
    let kinds = [
        Bucket::Input,
        Bucket::CacheRead,
        Bucket::CacheWrite,
        Bucket::CacheWrite1h,
        Bucket::Output,
    ];
    let one_each = kinds
        .iter()
        .fold(Buckets::new(), |sum, kind| sum.with(*kind, 1));
    let usage = Usage::measured(one_each, UsageSource::Counted);
    let bill = book.bill(provider, model, &usage, at).ok()?;
    if bill.free {
        let free = [Bucket::Input, Bucket::Output].map(|kind| (kind.as_str(), "0".to_owned()));
        return Some(free.into());
    }
    let lines = bill.lines.iter().filter(|line| kinds.contains(&line.unit));
    let rates = lines.map(|line| (line.unit.as_str(), line.rate.normalize().to_string()));
    Some(rates.collect())
}

/// Keeps a key to a provider.
#[utoipa::path(
    post,
    path = "/providers/{name}/keys",
    tag = "providers",
    params(("name" = String, Path, description = "The provider, by any of its names.")),
    request_body = NewKeyOf,
    responses(
        (status = 201, description = "The key, masked.", body = ProviderKey),
        (status = 404, description = "There is no such provider.", body = ErrorBody),
        (status = 409, description = "The caller has a key of that name, or as many keys as there may be.", body = ErrorBody),
    )
)]
async fn add_key(
    state: State,
    caller: Caller,
    Named(name): Named,
    Json(new): Json<NewKeyOf>,
) -> Result<(StatusCode, Reply<ProviderKey>), Failure> {
    keep(&state, &caller, &name, new).await
}

/// Forgets all of the caller's keys to a provider.
#[utoipa::path(
    delete,
    path = "/providers/{name}/keys",
    tag = "providers",
    params(("name" = String, Path, description = "The provider, by any of its names.")),
    responses(
        (status = 204, description = "There are none any more."),
        (status = 404, description = "There is no such provider.", body = ErrorBody),
    )
)]
async fn delete_keys(
    state: State,
    caller: Caller,
    Named(name): Named,
) -> Result<StatusCode, Failure> {
    keys(&state, &caller).delete_all(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What the caller's calls to a provider used and cost.
#[derive(Debug, Serialize, ToSchema)]
struct ProviderUsage {
    provider: String,
    #[serde(flatten)]
    figures: Figures,
}

/// What the caller's calls used and cost, provider by provider.
#[utoipa::path(
    get,
    path = "/providers/usage",
    tag = "providers",
    params(Between),
    responses((status = 200, description = "The providers that were called, those with the most calls first.", body = Listed<ProviderUsage>))
)]
async fn usage(
    state: State,
    caller: Caller,
    Params(wanted): Params<Between>,
) -> Result<Reply<Listed<ProviderUsage>>, Failure> {
    let filter = wanted.filter()?;
    let usage = caller.scope(state.store()).usage();
    let groups = usage.grouped(&filter, Grouping::Provider).await?;
    let compared = groups.into_iter().map(|group| ProviderUsage {
        provider: group.key.unwrap_or_default(),
        figures: group.figures.into(),
    });
    Ok(Reply(Listed::all(compared.collect())))
}
