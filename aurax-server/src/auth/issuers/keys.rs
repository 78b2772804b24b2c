//! The public keys of an issuer: fetched when they are needed, and kept for a while.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aurax::providers::transport::{ByteStream, Transport};
use aurax::{Clock, Error, ErrorKind, Result};
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use http::{Request, StatusCode, Uri, header};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::Mutex as Turns;
use tokio::time::Instant;

use crate::error::{Code, Failure};

/// How long keys are used before they are fetched again.
const FRESH: Duration = Duration::from_secs(10 * 60);
/// How long keys are used while no others can be fetched.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// How often an issuer is asked at most, whatever tokens name.
const APART: Duration = Duration::from_secs(60);
/// How often it is asked as long as none of its keys is known.
const APART_AT_FIRST: Duration = Duration::from_secs(5);
/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most bytes it may say.
const LARGEST: usize = 256 * 1024;
/// The most keys of an issuer.
const KEYS: usize = 64;

/// A key, with the one algorithm it is good for.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) algorithm: Algorithm,
    pub(super) key: Arc<DecodingKey>,
}

/// The keys of one issuer.
pub(super) struct Keys {
    url: Uri,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    known: Mutex<Known>,
    /// Whose turn it is to ask the issuer.
    turns: Arc<Turns<()>>,
}

#[derive(Default)]
struct Known {
    keys: HashMap<String, Key>,
    fetched_at: Option<Instant>,
    asked_at: Option<Instant>,
}

/// What is known of a key.
enum Look {
    Fresh(Key),
    /// It is known, and the issuer should be asked again.
    Stale(Key),
    /// It is not known, and the issuer may be asked.
    Ask,
    /// It is not known, and the issuer was asked a moment ago.
    Absent,
    /// Nothing is known of the issuer, which was asked a moment ago.
    Silent,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl Known {
    fn look(&mut self, id: &str, now: Instant) -> Look {
        let age = |at: Instant| now.saturating_duration_since(at);
        if self.fetched_at.is_some_and(|at| age(at) > LONGEST) {
            *self = Self {
                asked_at: self.asked_at,
                ..Self::default()
            };
        }
        let apart = if self.keys.is_empty() {
            APART_AT_FIRST
        } else {
            APART
        };
        let may_ask = self.asked_at.is_none_or(|at| age(at) >= apart);
        let is_fresh = self.fetched_at.is_some_and(|at| age(at) < FRESH);
        match self.keys.get(id) {
            Some(key) if is_fresh || !may_ask => Look::Fresh(key.clone()),
            Some(key) => Look::Stale(key.clone()),
            None if may_ask => Look::Ask,
            None if self.keys.is_empty() => Look::Silent,
            None => Look::Absent,
        }
    }
}

impl Keys {
    /// Keys at an https address, none of which is known yet.
    pub(super) fn new(url: Uri, transport: Arc<dyn Transport>, clock: Arc<dyn Clock>) -> Self {
        Self {
            url,
            transport,
            clock,
            known: Mutex::default(),
            turns: Arc::default(),
        }
    }

    /// A key by its id; `None` where the issuer has none.
    ///
    /// # Errors
    /// 503 where nothing is known of the issuer and it cannot be asked.
    pub(super) async fn get(self: &Arc<Self>, id: &str) -> Result<Option<Key>, Failure> {
        match self.look(id) {
            Look::Fresh(key) => return Ok(Some(key)),
            Look::Stale(key) => {
                // Nobody waits for keys that are most likely the same.
                if let Ok(turn) = self.turns.clone().try_lock_owned() {
                    tokio::spawn(self.clone().fetch(turn));
                }
                return Ok(Some(key));
            }
            // Somebody may be asking just now, and what they find is waited for.
            Look::Ask | Look::Absent | Look::Silent => {}
        }
        let turn = self.turns.clone().lock_owned().await;
        // Whoever had the turn before may have fetched it.
        if let Look::Ask = self.look(id) {
            // A task of its own: it is not given up with the request that began it.
            let fetched = tokio::spawn(self.clone().fetch(turn));
            fetched.await.map_err(|_| silent())?;
        }
        match self.look(id) {
            Look::Fresh(key) | Look::Stale(key) => Ok(Some(key)),
            Look::Absent => Ok(None),
            Look::Ask | Look::Silent => Err(silent()),
        }
    }

    fn look(&self, id: &str) -> Look {
        let now = self.clock.monotonic();
        self.known().look(id, now)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the issuer; what it said before holds where that fails.
    async fn fetch(self: Arc<Self>, _turn: tokio::sync::OwnedMutexGuard<()>) {
        self.known().asked_at = Some(self.clock.monotonic());
        let answered = tokio::time::timeout(PATIENCE, self.ask()).await;
        let late = || Error::new(ErrorKind::Timeout, "the issuer took too long");
        match answered.unwrap_or_else(|_| Err(late())) {
            Ok(keys) => {
                let mut known = self.known();
                known.keys = keys;
                known.fetched_at = Some(self.clock.monotonic());
            }
            Err(error) => {
                let host = self.url.host();
                tracing::warn!(host, %error, "the keys of an issuer were not fetched");
            }
        }
    }

    async fn ask(&self) -> Result<HashMap<String, Key>> {
        let unreadable = |what: &str| Error::new(ErrorKind::Decode, what.to_owned());
        let request = Request::get(&self.url)
            .header(header::ACCEPT, "application/json")
            .header(header::ACCEPT_ENCODING, "identity")
            .body(Bytes::new())
            .map_err(|_| unreadable("the address of the keys is no address"))?;
        let (head, body) = self.transport.send(request).await?.into_parts();
        if head.status != StatusCode::OK {
            let message = format!("the issuer answered {}", head.status.as_u16());
            return Err(Error::new(ErrorKind::Server, message));
        }
        let body = whole(body).await?;
        let keys = usable(&body).ok_or_else(|| unreadable("the issuer's keys are no JWK set"))?;
        if keys.is_empty() {
            return Err(unreadable("the issuer has no key of RS256 or ES256"));
        }
        Ok(keys)
    }
}

async fn whole(mut body: ByteStream) -> Result<BytesMut> {
    let mut whole = BytesMut::new();
    while let Some(bytes) = body.next().await {
        let bytes = bytes?;
        if whole.len().saturating_add(bytes.len()) > LARGEST {
            let message = format!("the issuer's keys have more than {LARGEST} bytes");
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        whole.extend_from_slice(&bytes);
    }
    Ok(whole)
}

/// The keys of a JWK set that can be used, by their ids. Others are left alone: a set may hold
/// keys of types nobody here knows. Of several with one id the first counts.
fn usable(set: &[u8]) -> Option<HashMap<String, Key>> {
    #[derive(Deserialize)]
    struct Set<'a> {
        #[serde(borrow)]
        keys: Vec<&'a RawValue>,
    }
    let set: Set<'_> = serde_json::from_slice(set).ok()?;
    let mut keys = HashMap::new();
    for key in set.keys.into_iter().take(KEYS) {
        let Ok(jwk) = serde_json::from_str::<Jwk>(key.get()) else {
            continue;
        };
        if let (Some(key), Some(id)) = (usable_key(&jwk), jwk.common.key_id) {
            keys.entry(id).or_insert(key);
        }
    }
    Some(keys)
}

/// A key, where its type says one of the two algorithms and nothing contradicts.
fn usable_key(jwk: &Jwk) -> Option<Key> {
    let (algorithm, named) = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        _ => return None,
    };
    let common = &jwk.common;
    let is_named = common.key_algorithm.is_none_or(|said| said == named);
    let signs = common
        .public_key_use
        .as_ref()
        .is_none_or(|said| *said == PublicKeyUse::Signature);
    if !is_named || !signs {
        return None;
    }
    let key = Arc::new(DecodingKey::from_jwk(jwk).ok()?);
    Some(Key { algorithm, key })
}

fn silent() -> Failure {
    let message = "the issuer of the token cannot be asked for its keys: try again";
    Failure::new(
        StatusCode::SERVICE_UNAVAILABLE,
        Code::IssuerUnavailable,
        message,
    )
    .with_retry_after(APART_AT_FIRST)
}

#[cfg(test)]
mod tests {
    use aurax::SystemClock;
    use aurax::providers::transport::{Answer, Replay};
    use http::Response;
    use tokio::sync::Semaphore;

    use super::*;

    /// An issuer that answers once it is let.
    #[derive(Debug)]
    struct Slow {
        answers: Replay,
        asked: Semaphore,
        let_go: Semaphore,
    }

    #[aurax::async_trait]
    impl Transport for Slow {
        async fn send(&self, request: Request<Bytes>) -> Result<Response<ByteStream>> {
            self.asked.add_permits(1);
            let _go = self.let_go.acquire().await.unwrap();
            self.answers.send(request).await
        }
    }

    #[tokio::test]
    async fn who_comes_while_the_issuer_is_asked_waits_for_its_answer() {
        // The key of RFC 7515, appendix A.3.
        let set = r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"one",
            "x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;
        let issuer = Arc::new(Slow {
            answers: Replay::from_fn(move |_| Answer::json(set.to_owned())),
            asked: Semaphore::new(0),
            let_go: Semaphore::new(0),
        });
        let url = Uri::from_static("https://id.example.com/keys");
        let keys = Arc::new(Keys::new(url, issuer.clone(), Arc::new(SystemClock)));
        let of = |keys: &Arc<Keys>| {
            let keys = keys.clone();
            async move { keys.get("one").await }
        };
        let first = tokio::spawn(of(&keys));
        issuer.asked.acquire().await.unwrap().forget();
        let mut second = Box::pin(of(&keys));
        assert!(futures::poll!(second.as_mut()).is_pending());
        issuer.let_go.add_permits(1);
        for found in [first.await.unwrap(), second.await] {
            assert!(found.is_ok_and(|key| key.is_some()));
        }
        assert_eq!(issuer.answers.requests().len(), 1);
    }
}
