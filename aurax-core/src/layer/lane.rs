//! Whose way to a provider a call takes.

use std::sync::Arc;

use super::keyed::Keyed;
use crate::clock::Clock;
use crate::ctx::{Credential, Ctx};
use crate::error::Result;
use crate::provider::ProviderInfo;
use crate::secret::Fingerprint;

/// One key at one origin of one provider: what fails, or is used up, together.
///
/// Calls with the configured key share a lane. A caller's own key has a lane of its own at each
/// origin it is used at, so that nobody's key or address does harm to anyone else's calls.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Lane {
    pub(super) provider: Arc<str>,
    /// Where the key is used; `None` for the configured address.
    pub(super) origin: Option<Arc<str>>,
    /// `None` for the configured key.
    pub(super) key: Option<Fingerprint>,
}

impl Lane {
    /// The lane of a call to `provider`; a key is found by the provider's name, else its aliases.
    pub(super) fn of(provider: &ProviderInfo, ctx: &Ctx) -> Self {
        let own = own(provider, ctx);
        Self {
            provider: provider.name.clone(),
            origin: own
                .and_then(|own| own.base_url.as_deref())
                .map(|url| origin(url).into()),
            key: own.map(|own| own.key.fingerprint()),
        }
    }
}

/// State of each lane to one provider.
#[derive(Debug)]
pub(super) struct Lanes<V> {
    /// That of the configured key, which most calls use.
    configured: Arc<V>,
    own: Keyed<Lane, V>,
}

impl<V> Lanes<V> {
    pub(super) fn new(configured: V) -> Self {
        Self {
            configured: Arc::new(configured),
            own: Keyed::default(),
        }
    }

    /// The state of the lane a call takes, made now where there is none.
    ///
    /// # Errors
    /// `Overloaded` when too many callers' keys are in use.
    pub(super) fn get(
        &self,
        provider: &ProviderInfo,
        ctx: &Ctx,
        clock: &dyn Clock,
        make: impl FnOnce() -> V,
    ) -> Result<Arc<V>> {
        if own(provider, ctx).is_none() {
            return Ok(self.configured.clone());
        }
        let lane = Lane::of(provider, ctx);
        self.own.get(&lane, clock.monotonic(), make)
    }
}

/// The caller's own key for a provider.
fn own<'a>(provider: &ProviderInfo, ctx: &'a Ctx) -> Option<&'a Credential> {
    if !ctx.has_credentials() {
        return None;
    }
    std::iter::once(&provider.name)
        .chain(&provider.aliases)
        .find_map(|name| ctx.credential(name))
}

/// The caller's own address for a provider, whole.
pub(super) fn address<'a>(provider: &ProviderInfo, ctx: &'a Ctx) -> Option<&'a str> {
    own(provider, ctx).and_then(|own| own.base_url.as_deref())
}

/// The scheme, host and port of a URL in one spelling; the whole text of anything else.
///
/// Two spellings that were taken for two origins would only split a lane.
fn origin(url: &str) -> String {
    let url = url.trim();
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let scheme = scheme.to_ascii_lowercase();
    let authority = authority.to_ascii_lowercase();
    let implied = match scheme.as_str() {
        "https" => ":443",
        "http" => ":80",
        _ => "",
    };
    let host = authority.strip_suffix(implied).unwrap_or(&authority);
    format!("{scheme}://{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_one_spelling() {
        let same = [
            "https://api.acme.test",
            " https://API.acme.test/v1/ ",
            "HTTPS://api.acme.test:443/v2?x=1",
        ];
        for url in same {
            assert_eq!(origin(url), "https://api.acme.test", "{url}");
        }
        for url in [
            "http://api.acme.test",
            "https://api.acme.test:8443",
            "https://acme.test",
            "api.acme.test",
        ] {
            assert_ne!(origin(url), "https://api.acme.test", "{url}");
        }
    }

    #[test]
    fn lanes_differ_by_provider_origin_and_key() {
        let mut info = ProviderInfo::new("first", "script");
        info.aliases.push("one".into());
        let configured = Lane::of(&info, &Ctx::local());
        let with = |name: &str, credential| {
            Lane::of(&info, &Ctx::local().with_credential(name, credential))
        };
        let own = with("first", Credential::new("key-a"));
        assert_ne!(own, configured);
        assert_eq!(own, with("one", Credential::new("key-a")), "an alias");
        assert_ne!(own, with("first", Credential::new("key-b")));
        assert_eq!(configured, with("second", Credential::new("key-a")));
        let elsewhere = |url: &str| Credential::new("key-a").with_base_url(url);
        assert_ne!(own, with("first", elsewhere("https://a.test")));
        assert_ne!(
            with("first", elsewhere("https://a.test")),
            with("first", elsewhere("https://b.test"))
        );
        let second = ProviderInfo::new("second", "script");
        assert_ne!(configured, Lane::of(&second, &Ctx::local()));
    }
}
