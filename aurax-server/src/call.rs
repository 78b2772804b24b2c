//! What every call that costs money is made with: whose key, which limits, and when it ends.

use aurax::store::Origin;
use aurax::{Ctx, Engine, ProviderInfo, QuotaPolicy};
use http::StatusCode;

use crate::auth::Caller;
use crate::edge::Seen;
use crate::error::{Code, Failure, KeyOwner};
use crate::state::State;

/// The provider that answers by itself, for whom nobody needs a key.
const DEMO: &str = "demo";

/// A call that may be made.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// What it is made with.
    pub(crate) ctx: Ctx,
    /// Whose key it is made with.
    pub(crate) owner: KeyOwner,
}

/// Prepares a call of `caller` to a model, by its name as the caller gave it or with its provider.
pub(crate) async fn prepare(
    state: &State,
    caller: &Caller,
    seen: &Seen,
    model: &str,
    key_name: Option<&str>,
) -> Result<Prepared, Failure> {
    let engine = state.engine();
    let (provider, id) = engine.resolve(model)?;
    check_model(engine, caller, &provider.name, id.as_str())?;
    prepare_at(state, caller, seen, &provider, key_name).await
}

/// Prepares whatever `caller` asks of a provider.
pub(crate) async fn prepare_at(
    state: &State,
    caller: &Caller,
    seen: &Seen,
    provider: &ProviderInfo,
    key_name: Option<&str>,
) -> Result<Prepared, Failure> {
    let mut ctx = Ctx::new(caller.principal())
        .with_request_id(seen.request_id)
        .with_cancel(state.drain().over().child_token())
        .with_quota(quota(state, caller));
    if let Some(key) = caller.access_key() {
        let quota = per_minute(key.requests_per_minute, key.tokens_per_minute);
        ctx = ctx.with_access_key(key.id).with_access_key_quota(quota);
    }
    let keys = caller.scope(state.store()).provider_keys();
    let credential = keys
        .credential(state.vault(), &provider.name, key_name)
        .await?;
    let owner = match credential {
        Some(credential) => {
            if let Some(base_url) = &credential.base_url {
                check_base_url(state, provider, base_url)?;
            }
            ctx = ctx.with_credential(provider.name.clone(), credential);
            KeyOwner::Caller
        }
        None if is_open(provider) => KeyOwner::Operator,
        // Whoever names a key pays with that one, and not with another by mistake.
        None if key_name.is_some() => return Err(no_such_key(provider, key_name)),
        None if may_share(state, caller) => KeyOwner::Operator,
        None => {
            let name = &provider.name;
            let message =
                format!("there is no key for {name}: add one with POST /providers/{name}/keys");
            let failure = Failure::new(
                StatusCode::FAILED_DEPENDENCY,
                Code::ProviderKeyMissing,
                message,
            );
            return Err(failure.with_detail("provider", &**name));
        }
    };
    Ok(Prepared { ctx, owner })
}

/// The request, or its session's settings, name a key that is not there.
fn no_such_key(provider: &ProviderInfo, key_name: Option<&str>) -> Failure {
    let (name, key) = (&*provider.name, key_name.unwrap_or_default());
    let message = format!(
        "there is no active key `{key}` for {name}: add it with POST /providers/{name}/keys, or \
         change `settings.key_name` of the request or of its session"
    );
    let (status, code) = (StatusCode::FAILED_DEPENDENCY, Code::ProviderKeyMissing);
    Failure::new(status, code, message)
        .with_detail("provider", name)
        .with_detail("key_name", key)
}

/// What a user may use by the minute, as their plan says, and at a time.
fn quota(state: &State, caller: &Caller) -> QuotaPolicy {
    let plan = caller.plan();
    per_minute(plan.requests_per_minute, plan.tokens_per_minute)
        .with_in_flight(state.config().limits.user_in_flight)
}

fn per_minute(requests: Option<u32>, tokens: Option<u32>) -> QuotaPolicy {
    let mut quota = QuotaPolicy::none();
    quota.requests_per_minute = requests.map(u64::from);
    quota.tokens_per_minute = tokens.map(u64::from);
    quota
}

/// Refuses a model that the caller's access key may not use.
fn check_model(
    engine: &Engine,
    caller: &Caller,
    provider: &str,
    model: &str,
) -> Result<(), Failure> {
    if may_use(engine, caller, provider, model) {
        return Ok(());
    }
    let message = format!("the access key may not use {provider}/{model}");
    Err(Failure::forbidden(message).with_detail("model", format!("{provider}/{model}")))
}

/// Whether the caller's access key may use a model: one is listed by `provider/model`, by the
/// model's name at its provider, or as `provider/*`.
pub(crate) fn may_use(engine: &Engine, caller: &Caller, provider: &str, model: &str) -> bool {
    let Some(models) = caller.access_key().and_then(|key| key.models.as_ref()) else {
        return true;
    };
    models.iter().any(|listed| match listed.split_once('/') {
        Some((first, "*")) => first == provider,
        Some((first, rest)) if engine.provider(first).is_ok() => first == provider && rest == model,
        _ => listed == model,
    })
}

/// A key goes to the provider's own address or to one of the operator's list, even where the list
/// was longer when the key was added.
pub(crate) fn check_base_url(
    state: &State,
    provider: &ProviderInfo,
    base_url: &str,
) -> Result<(), Failure> {
    let origin =
        Origin::parse(base_url).map_err(|error| Failure::invalid("base_url", error.message()))?;
    if state.config().base_urls.contains(&origin) || is_own(provider, &origin) {
        return Ok(());
    }
    let message = format!(
        "keys are not sent to {origin}: the operator adds it to `base_urls` in aurax.toml, \
         base_urls = [\"{origin}\"]"
    );
    Err(Failure::invalid("base_url", message))
}

/// Whether an origin is the one a provider is reached at anyway.
fn is_own(provider: &ProviderInfo, origin: &Origin) -> bool {
    let (Some(host), Some(port)) = (&provider.server_address, provider.server_port) else {
        return false;
    };
    // A key that is meant to go over TLS never goes without.
    let scheme = provider.server_scheme.unwrap_or("https");
    let own = Origin::parse(&format!("{scheme}://{host}:{port}"));
    own.is_ok_and(|own| own == *origin)
}

/// Whether nobody needs a key for a provider.
pub(crate) fn is_open(provider: &ProviderInfo) -> bool {
    &*provider.name == DEMO
}

/// Whether a caller may use the operator's keys.
pub(crate) fn may_share(state: &State, caller: &Caller) -> bool {
    let shared = &state.config().shared_keys;
    let by_key = caller
        .access_key()
        .is_some_and(|key| shared.access_keys.contains(&key.id));
    let by_plan = shared
        .plans
        .as_ref()
        .is_none_or(|plans| plans.iter().any(|plan| *plan == caller.user().plan_type));
    by_key || by_plan
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_its_own_origin_by_its_scheme_alone() {
        let mut provider = ProviderInfo::new("acme", "openai");
        provider.server_address = Some("llm.example".to_owned());
        let own = |provider: &ProviderInfo, origin: &str| {
            is_own(provider, &Origin::parse(origin).unwrap())
        };
        for (scheme, port, ours, others) in [
            (
                Some("https"),
                8443,
                "https://llm.example:8443",
                "http://llm.example:8443",
            ),
            (
                Some("http"),
                8080,
                "http://llm.example:8080/v1",
                "https://llm.example:8080",
            ),
            (
                Some("https"),
                443,
                "https://LLM.example",
                "http://llm.example:443",
            ),
            (
                Some("http"),
                80,
                "http://llm.example",
                "https://llm.example:80",
            ),
            (
                None,
                8443,
                "https://llm.example:8443",
                "http://llm.example:8443",
            ),
        ] {
            provider.server_scheme = scheme;
            provider.server_port = Some(port);
            assert!(own(&provider, ours), "{ours}");
            assert!(!own(&provider, others), "{others}");
            assert!(!own(&provider, "https://elsewhere.example"));
        }
    }
}
