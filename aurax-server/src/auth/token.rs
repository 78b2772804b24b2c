//! Access tokens of the server's own.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use aurax::{Clock, Error, ErrorKind, Result, Secret, new_id};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header, encode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::shared::SharedKeys;
use super::signing::SigningKeys;

/// The type of an access token (RFC 9068).
const TYPE: &str = "at+jwt";
/// The longest token that is looked at, in bytes.
const LONGEST: usize = 8 * 1024;
/// The longest an access token may be good for.
const LONGEST_TTL: Duration = Duration::from_secs(15 * 60);
/// How far clocks of replicas may differ.
const SKEW: i64 = 30;

/// What an access token says. All of it has to be there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: Uuid,
    /// The login, which may have ended meanwhile.
    sid: Uuid,
    jti: Uuid,
    iat: i64,
    exp: i64,
    /// Ours have none; one that has may not be good yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
}

/// A token that is genuine, and good by the clock; whether its login goes on is another question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Genuine {
    /// The user.
    pub user_id: Uuid,
    /// The login.
    pub login_id: Uuid,
    /// Until when it is good.
    pub expires_at: OffsetDateTime,
}

/// Issues and reads access tokens: RS256 and nothing else, for a quarter of an hour at most.
#[derive(Debug, Clone)]
pub struct AccessTokens(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    keys: SigningKeys,
    shared: SharedKeys,
    issuer: String,
    ttl: Duration,
    clock: Arc<dyn Clock>,
    validation: Validation,
}

impl AccessTokens {
    /// Tokens of the server that clients know as `issuer`, good for `ttl`, 15 minutes at most.
    pub fn new(
        keys: SigningKeys,
        issuer: impl Into<String>,
        ttl: Duration,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let issuer = issuer.into();
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_issuer(&[&issuer]);
        validation.set_audience(&[&issuer]);
        validation.required_spec_claims = ["iss", "aud", "sub", "exp"]
            .map(str::to_owned)
            .into_iter()
            .collect::<HashSet<_>>();
        // The library reads the machine's clock; ours is asked below.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        Self(Arc::new(Inner {
            keys,
            shared: SharedKeys::new(),
            issuer,
            ttl: ttl.min(LONGEST_TTL),
            clock,
            validation,
        }))
    }

    /// The keys of this process, the first of which signs.
    pub fn keys(&self) -> &SigningKeys {
        &self.0.keys
    }

    /// The keys that are accepted, of this process and of those it shares a store with, for who
    /// checks tokens themselves.
    pub fn public(&self) -> JwkSet {
        let mut public = self.0.keys.public().clone();
        public.keys.extend(self.0.shared.public(&self.0.keys));
        public
    }

    pub(super) fn shared(&self) -> &SharedKeys {
        &self.0.shared
    }

    /// The id of the key that a token was signed with, where nobody here knows it.
    pub(super) fn stranger(&self, token: &str) -> Option<String> {
        if token.len() > LONGEST {
            return None;
        }
        let header = decode_header(token).ok()?;
        let id = header.kid.filter(|_| header.alg == Algorithm::RS256)?;
        (!self.0.keys.has(&id) && !self.0.shared.has(&id)).then_some(id)
    }

    /// Who signs.
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// How long a token is good for.
    pub fn ttl(&self) -> Duration {
        self.0.ttl
    }

    /// A token for a login.
    ///
    /// # Errors
    /// `Internal` when it cannot be signed.
    pub fn issue(&self, user_id: Uuid, login_id: Uuid) -> Result<Secret> {
        let inner = &*self.0;
        let iat = inner.clock.now().unix_timestamp();
        let ttl = i64::try_from(inner.ttl.as_secs()).unwrap_or(0);
        let claims = Claims {
            iss: inner.issuer.clone(),
            aud: inner.issuer.clone(),
            sub: user_id,
            sid: login_id,
            jti: new_id(),
            iat,
            exp: iat.saturating_add(ttl),
            nbf: None,
        };
        self.sign(TYPE, &claims)
    }

    /// Now, in Unix seconds.
    pub(super) fn now(&self) -> i64 {
        self.0.clock.now().unix_timestamp()
    }

    /// Signs claims as a token of a type.
    pub(super) fn sign(&self, kind: &str, claims: &impl Serialize) -> Result<Secret> {
        let keys = &self.0.keys;
        let mut header = Header::new(Algorithm::RS256);
        header.typ = Some(kind.to_owned());
        header.kid = Some(keys.id().to_owned());
        encode(&header, claims, keys.signer())
            .map(Secret::new)
            .map_err(|e| Error::new(ErrorKind::Internal, "a token was not signed").with_source(e))
    }

    /// The claims of a genuine token of a type, whether it is good by the clock or not.
    pub(super) fn verify<T: DeserializeOwned>(&self, kind: &str, token: &str) -> Option<T> {
        if token.len() > LONGEST {
            return None;
        }
        let header = decode_header(token).ok()?;
        // Nothing in a header chooses a key or an algorithm but `kid`, from a list of our own.
        let is_plain = header.alg == Algorithm::RS256
            && header.typ.as_deref() == Some(kind)
            && chooses_nothing(&header)
            && header.extras.inner().is_empty();
        if !is_plain {
            return None;
        }
        let id = header.kid.as_deref()?;
        let data = match self.0.keys.known(id) {
            Some(own) => decode(token, own, &self.0.validation),
            None => decode(token, &self.0.shared.get(id)?, &self.0.validation),
        };
        data.ok().map(|data| data.claims)
    }

    /// Reads a token; `None` for anything but a genuine one that is good now.
    pub fn read(&self, token: &str) -> Option<Genuine> {
        let claims: Claims = self.verify(TYPE, token)?;
        let now = self.now();
        let longest = i64::try_from(LONGEST_TTL.as_secs()).unwrap_or(0);
        let is_good = claims.exp > now
            && claims.iat <= now.saturating_add(SKEW)
            && claims.nbf.is_none_or(|nbf| nbf <= now.saturating_add(SKEW))
            && claims.exp > claims.iat
            && claims.exp.saturating_sub(claims.iat) <= longest;
        let expires_at = OffsetDateTime::from_unix_timestamp(claims.exp).ok()?;
        is_good.then_some(Genuine {
            user_id: claims.sub,
            login_id: claims.sid,
            expires_at,
        })
    }
}

/// Whether a header brings no key, no address of one, and nothing that has to be understood.
pub(super) fn chooses_nothing(header: &Header) -> bool {
    header.crit.is_none()
        && header.zip.is_none()
        && header.enc.is_none()
        && header.jwk.is_none()
        && header.jku.is_none()
        && header.x5u.is_none()
        && header.x5c.is_none()
}
