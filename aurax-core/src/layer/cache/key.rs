//! What tells two calls apart.

use std::fmt;
use std::io;

use sha2::{Digest as _, Sha256};

use crate::call::Op;
use crate::chat::Request;
use crate::ctx::Principal;
use crate::error::{Error, ErrorKind, Result};
use crate::layer::lane::Lane;
use crate::model::ModelId;
use crate::provider::ProviderInfo;
use crate::secret::Secret;

/// Changes with the meaning of keys or entries: what older versions stored is not found any more.
const VERSION: &[u8] = b"aurax cache 1";

/// The key of an answer in a [`CacheStore`](super::CacheStore).
///
/// It is an HMAC-SHA-256 over the principal, the provider, its address, the caller's own key
/// where there is one, the model, and everything the request says. There is no key without a
/// principal, and no two principals have the same one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CacheKey([u8; 32]);

/// Where an answer comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) provider: &'a ProviderInfo,
    pub(super) lane: &'a Lane,
    /// The caller's own address, whole: one host may have several gateways.
    pub(super) address: Option<&'a str>,
    pub(super) model: &'a ModelId,
}

impl CacheKey {
    /// The key of what `principal` asks of `target`. Whether the answer is streamed makes no
    /// difference.
    ///
    /// # Errors
    /// `InvalidRequest` when the request has no JSON form.
    pub(super) fn new(
        principal: &Principal,
        target: Target<'_>,
        op: &Op,
        secret: &Secret,
    ) -> Result<Self> {
        let mut question = Vec::new();
        match op {
            Op::Chat(request) => {
                // Every field there is and will be, but this one.
                let request = Request {
                    stream: false,
                    ..Request::clone(request)
                };
                write_json(&mut question, &request)?;
            }
            Op::Embed(request) => write_json(&mut question, &**request)?,
        }
        let Target {
            provider,
            lane,
            address,
            model,
        } = target;
        let port = provider.server_port.map(u16::to_be_bytes);
        let fields: [Option<&[u8]>; 10] = [
            Some(VERSION),
            Some(principal.as_str().as_bytes()),
            Some(provider.name.as_bytes()),
            Some(provider.wire.as_bytes()),
            address.map(str::as_bytes),
            provider.server_address.as_deref().map(str::as_bytes),
            port.as_ref().map(<[u8; 2]>::as_slice),
            lane.key.as_ref().map(|key| key.as_bytes().as_slice()),
            Some(model.as_str().as_bytes()),
            Some(op.as_str().as_bytes()),
        ];
        Ok(Self(secret.authenticate(|hash| {
            for field in fields.into_iter().chain([Some(question.as_slice())]) {
                add(hash, field);
            }
        })))
    }

    /// The key's bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Adds a field so that no two lists of fields give the same bytes.
fn add(hash: &mut Sha256, field: Option<&[u8]>) {
    match field {
        None => hash.update([0]),
        Some(bytes) => {
            hash.update([1]);
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        }
    }
}

fn write_json(to: impl io::Write, request: &impl serde::Serialize) -> Result<()> {
    serde_json::to_writer(to, request).map_err(|e| {
        Error::new(ErrorKind::InvalidRequest, "the request has no JSON form").with_source(e)
    })
}

impl fmt::Display for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CacheKey({self})")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::chat::Request;
    use crate::ctx::{Credential, Ctx};
    use crate::embed::EmbedRequest;
    use crate::layer::lane::address;

    fn key(principal: &str, ctx: &Ctx, provider: &ProviderInfo, model: &str, op: &Op) -> CacheKey {
        let lane = Lane::of(provider, ctx);
        let target = Target {
            provider,
            lane: &lane,
            address: address(provider, ctx),
            model: &ModelId::parse(model).unwrap(),
        };
        CacheKey::new(&Principal::new(principal), target, op, &Secret::new("s")).unwrap()
    }

    fn chat(request: impl Into<Request>) -> Op {
        Op::Chat(Arc::new(request.into()))
    }

    #[test]
    fn everything_that_changes_the_answer_changes_the_key() {
        let local = Ctx::local();
        let first = ProviderInfo::new("first", "script");
        let mut moved = first.clone();
        moved.server_address = Some("elsewhere".to_owned());
        let own = |key: &str| Ctx::local().with_credential("first", Credential::new(key));
        let far = Credential::new("k").with_base_url("https://far.test");
        let hi = chat("Hi");
        let keys = [
            key("u", &local, &first, "a", &hi),
            key("v", &local, &first, "a", &hi),
            key("u", &own("k"), &first, "a", &hi),
            key("u", &own("l"), &first, "a", &hi),
            key(
                "u",
                &local.clone().with_credential("first", far),
                &first,
                "a",
                &hi,
            ),
            key("u", &local, &moved, "a", &hi),
            key(
                "u",
                &local,
                &ProviderInfo::new("second", "script"),
                "a",
                &hi,
            ),
            key("u", &local, &ProviderInfo::new("first", "other"), "a", &hi),
            key("u", &local, &first, "b", &hi),
            key("u", &local, &first, "a", &chat("Hi.")),
            key(
                "u",
                &local,
                &first,
                "a",
                &chat(Request::from("Hi").with_n(2)),
            ),
            key(
                "u",
                &local,
                &first,
                "a",
                &chat(Request::from("Hi").with_temperature(0.0)),
            ),
            key(
                "u",
                &local,
                &first,
                "a",
                &chat(Request::from("Hi").with_user("x")),
            ),
            key(
                "u",
                &local,
                &first,
                "a",
                &chat(Request::from("Hi").with_extra("x", 1)),
            ),
            key(
                "u",
                &local,
                &first,
                "a",
                &Op::Embed(Arc::new(EmbedRequest::new(["Hi"]))),
            ),
        ];
        let distinct: HashSet<&CacheKey> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len());
        let streamed = chat(Request::from("Hi").with_stream(true));
        assert_eq!(keys[0], key("u", &local, &first, "a", &streamed));
    }

    #[test]
    fn another_secret_makes_other_keys() {
        let first = ProviderInfo::new("first", "script");
        let lane = Lane::of(&first, &Ctx::local());
        let model = ModelId::parse("a").unwrap();
        let target = Target {
            provider: &first,
            lane: &lane,
            address: None,
            model: &model,
        };
        let with = |secret| {
            CacheKey::new(
                &Principal::local(),
                target,
                &chat("Hi"),
                &Secret::new(secret),
            )
            .unwrap()
        };
        assert_ne!(with("one"), with("two"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// Whatever two principals are called, and however their names and questions run into
        /// each other.
        #[test]
        fn no_two_principals_share_a_key(
            a in "[ab|:]{0,4}", b in "[ab|:]{0,4}",
            model in "[ab]{1,3}", question in "[ab|:]{0,4}",
        ) {
            prop_assume!(a != b);
            let first = ProviderInfo::new("first", "script");
            let op = chat(question.as_str());
            let local = Ctx::local();
            prop_assert_ne!(
                key(&a, &local, &first, &model, &op),
                key(&b, &local, &first, &model, &op)
            );
        }
    }
}
