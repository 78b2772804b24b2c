//! Signing keys of other processes: each shares the public halves of its own through the store, so
//! that a token is good wherever it is shown.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use aurax::store::{PublicKey, Store};
use aurax::{Clock, Error, ErrorKind, Result};
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, ThumbprintHash};
use time::OffsetDateTime;
use tokio::time::Instant;

use super::signing::SigningKeys;

/// How often a process says that it has its keys.
pub(crate) const EVERY: Duration = Duration::from_secs(10 * 60);
/// How long a key is good that nobody says this of any more: longer than any access token that it
/// signed. An invitation that it signed ends with it.
const KEPT: time::Duration = time::Duration::HOUR;
/// How soon the store is asked again for a key that nobody knows: whoever makes keys up must not
/// keep it busy.
const AGAIN: Duration = Duration::from_secs(1);

/// A key of another process.
#[derive(Debug, Clone)]
struct Shared {
    key: DecodingKey,
    public: Jwk,
}

/// A look into the store.
#[derive(Debug, Clone, Copy)]
struct Looked {
    /// When it was over.
    at: Instant,
    is_failed: bool,
}

/// What other processes have shared, as of the last look.
#[derive(Debug)]
pub(super) struct SharedKeys {
    known: RwLock<Arc<HashMap<String, Shared>>>,
    looked: tokio::sync::Mutex<Option<Looked>>,
}

impl SharedKeys {
    pub(super) fn new() -> Self {
        Self {
            known: RwLock::default(),
            looked: tokio::sync::Mutex::new(None),
        }
    }

    pub(super) fn get(&self, id: &str) -> Option<DecodingKey> {
        self.known().get(id).map(|shared| shared.key.clone())
    }

    pub(super) fn has(&self, id: &str) -> bool {
        self.known().contains_key(id)
    }

    /// The keys, but those of `own`, in the order of their ids.
    pub(super) fn public(&self, own: &SigningKeys) -> Vec<Jwk> {
        let known = self.known();
        let mut others: Vec<_> = known.iter().filter(|(id, _)| !own.has(id)).collect();
        others.sort_unstable_by_key(|(id, _)| *id);
        let others = others.into_iter();
        others.map(|(_, shared)| shared.public.clone()).collect()
    }

    /// Reads what others have shared.
    pub(super) async fn look(&self, store: &Store) -> Result<()> {
        let found = store.jobs().signing_keys().await?;
        let known = found.into_iter().filter_map(read).collect();
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(known);
        Ok(())
    }

    /// Looks for a key that is not known, unless somebody did a moment ago. One look at a time:
    /// who comes meanwhile waits for what it finds.
    pub(super) async fn look_for(&self, id: &str, store: &Store, clock: &dyn Clock) -> Result<()> {
        let mut looked = self.looked.lock().await;
        let now = clock.monotonic();
        let lately = looked.filter(|look| now.saturating_duration_since(look.at) < AGAIN);
        match lately {
            _ if self.has(id) => Ok(()),
            Some(look) if look.is_failed => {
                let message = "the signing keys of other servers cannot be read: try again later";
                Err(Error::new(ErrorKind::Store, message))
            }
            Some(_) => Ok(()),
            None => {
                let found = self.look(store).await;
                // Those who waited meanwhile do not look one after the other.
                *looked = Some(Looked {
                    at: clock.monotonic(),
                    is_failed: found.is_err(),
                });
                found
            }
        }
    }

    fn known(&self) -> Arc<HashMap<String, Shared>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.clone()
    }
}

/// A key that is what it says: an RSA key, under the id that follows from it.
fn read(shared: PublicKey) -> Option<(String, Shared)> {
    let PublicKey { id, public, .. } = shared;
    let parsed = serde_json::from_str::<Jwk>(&public).ok().and_then(|jwk| {
        let is_rsa = matches!(jwk.algorithm, AlgorithmParameters::RSA(_));
        let own = jwk.thumbprint(ThumbprintHash::SHA256).ok()?;
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        (is_rsa && own == id).then_some(Shared { key, public: jwk })
    });
    if parsed.is_none() {
        tracing::warn!(key_id = %id, "a shared signing key cannot be read, and is left out");
    }
    parsed.map(|shared| (id, shared))
}

impl SigningKeys {
    /// Lets every process that opens this store accept what these keys sign, `until` then.
    ///
    /// # Errors
    /// `Store` when it cannot be written.
    ///
    /// # Cancel safety
    /// A dropped future may or may not have done so.
    pub async fn share(&self, store: &Store, until: OffsetDateTime) -> Result<()> {
        let keys: Vec<_> = self.to_public()?;
        store.jobs().share_signing_keys(&keys, until).await
    }
}

/// Until when keys are shared that are shared now.
pub(super) fn until(now: OffsetDateTime) -> OffsetDateTime {
    now.saturating_add(KEPT)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clock that stands still until it is moved.
    #[derive(Debug)]
    struct Hands(std::sync::Mutex<Instant>);

    impl Clock for Hands {
        fn now(&self) -> OffsetDateTime {
            OffsetDateTime::UNIX_EPOCH
        }

        fn monotonic(&self) -> Instant {
            *self.0.lock().unwrap()
        }
    }

    /// Whoever makes ids of keys up lets nobody ask the store more often than once a second.
    #[tokio::test]
    async fn an_unknown_key_is_looked_for_once_a_second() {
        let store = Store::in_memory().await.unwrap();
        #[expect(clippy::disallowed_methods, reason = "the clock begins somewhere")]
        let clock = Hands(std::sync::Mutex::new(Instant::now()));
        let (one, two) = (
            SigningKeys::generate().unwrap(),
            SigningKeys::generate().unwrap(),
        );
        let until = store.clock().now() + time::Duration::HOUR;
        let shared = SharedKeys::new();
        let look = |id: &str| {
            let (shared, store, clock, id) = (&shared, &store, &clock, id.to_owned());
            async move {
                shared.look_for(&id, store, clock).await.unwrap();
                shared.has(&id)
            }
        };
        assert!(!look("made-up").await);
        one.share(&store, until).await.unwrap();
        assert!(!look(one.id()).await);
        *clock.0.lock().unwrap() += AGAIN;
        assert!(look(one.id()).await);
        two.share(&store, until).await.unwrap();
        assert!(look(one.id()).await && !look(two.id()).await);
        // Those who ask at once wait for one look, and all of them learn what it finds.
        *clock.0.lock().unwrap() += AGAIN;
        let all = futures::future::join_all((0..8).map(|_| look(two.id()))).await;
        assert_eq!(all, [true; 8]);
        store.close().await;
    }
}
