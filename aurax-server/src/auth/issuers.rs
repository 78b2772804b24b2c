//! Access tokens of other issuers: OpenID Connect, Supabase and whoever else signs with RS256 or
//! ES256 and publishes its keys (RFC 7517).

mod keys;

use std::collections::HashSet;
use std::sync::Arc;

use aurax::providers::transport::Transport;
use aurax::store::Identity;
use aurax::{Clock, Error, ErrorKind, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header};
use serde::Deserialize;
use time::OffsetDateTime;

use self::keys::{Key, Keys};
use super::refused;
use crate::config::{ExternalIssuer, Registration};
use crate::error::Failure;

/// The longest token that is looked at, in bytes; others put more into theirs than we do.
const LONGEST: usize = 16 * 1024;
/// How far the clocks of issuers may differ from ours, in seconds.
const SKEW: i64 = 30;

/// Whoever else signs access tokens that are accepted, and whether people that come with one get
/// an account.
#[derive(Debug, Clone)]
pub struct Issuers {
    all: Arc<[Issuer]>,
    registration: Registration,
}

#[derive(Debug)]
struct Issuer {
    settings: ExternalIssuer,
    keys: Arc<Keys>,
    clock: Arc<dyn Clock>,
}

/// Somebody an issuer vouches for.
#[derive(Debug)]
pub(super) struct Vouched {
    pub(super) identity: Arc<Identity>,
    /// Their address, if the issuer says one.
    pub(super) email: Option<String>,
    /// Whether the issuer says outright that the address is theirs.
    pub(super) owns_email: bool,
    pub(super) expires_at: OffsetDateTime,
}

/// What a token says. Times are whole seconds.
#[derive(Debug, Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    sub: String,
    exp: i64,
    iat: i64,
    #[serde(default)]
    nbf: Option<i64>,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    email_verified: Option<Truth>,
}

/// One audience or several (RFC 7519, 4.1.3).
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// Some issuers write truth values as texts.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Truth {
    Said(bool),
    Written(String),
}

impl Audience {
    fn has(&self, name: &str) -> bool {
        match self {
            Self::One(one) => one == name,
            Self::Several(several) => several.iter().any(|one| one == name),
        }
    }
}

impl Truth {
    fn is_true(&self) -> bool {
        matches!(self, Self::Said(true)) || matches!(self, Self::Written(text) if text == "true")
    }
}

impl Issuers {
    /// These issuers, whose keys are fetched with `transport` when they are asked for first.
    ///
    /// # Errors
    /// `Config` for one without a name or an audience, whose keys are not at an https address, or
    /// that is `own`, the server itself.
    pub fn new(
        settings: &[ExternalIssuer],
        own: &str,
        registration: Registration,
        transport: &Arc<dyn Transport>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self> {
        let issuer = |settings: &ExternalIssuer| {
            let wrong = |what: &str| {
                let message = format!("`auth.issuers` has an entry {what}");
                Err(Error::new(ErrorKind::Config, message).with_context("field", "auth.issuers"))
            };
            if settings.issuer.trim().is_empty() || settings.audience.trim().is_empty() {
                return wrong("without an `issuer` or `audience`");
            }
            if settings.issuer == own {
                return wrong("for the server itself");
            }
            let url: Option<http::Uri> = settings.jwks_url.parse().ok();
            let url = url.filter(|url| url.scheme_str() == Some("https") && url.host().is_some());
            let Some(url) = url else {
                return wrong("whose `jwks_url` is no https address");
            };
            Ok(Issuer {
                settings: settings.clone(),
                keys: Arc::new(Keys::new(url, transport.clone(), clock.clone())),
                clock: clock.clone(),
            })
        };
        Ok(Self {
            all: settings.iter().map(issuer).collect::<Result<_>>()?,
            registration,
        })
    }

    /// Whether people that come with a token for the first time get an account.
    pub(super) fn may_register(&self) -> bool {
        self.registration == Registration::Open
    }

    /// Whom a token of one of the issuers stands for; `None` for a token that says it is of none of
    /// them.
    pub(super) async fn read(&self, token: &str) -> Result<Option<Vouched>, Failure> {
        if self.all.is_empty() || token.len() > LONGEST {
            return Ok(None);
        }
        let Some(said) = issuer_of(token) else {
            return Ok(None);
        };
        let mut named = self.all.iter().filter(|one| one.settings.issuer == said);
        let Some(first) = named.next() else {
            return Ok(None);
        };
        // One issuer may be there once for each audience.
        let mut last = first.read(token).await;
        for issuer in named {
            if last.is_ok() {
                break;
            }
            last = issuer.read(token).await;
        }
        last.map(Some)
    }
}

/// The issuer a token says it is of, which decides whose keys are asked and nothing else.
fn issuer_of(token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Said {
        iss: String,
    }
    let mut parts = token.split('.');
    let (_, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let claims = URL_SAFE_NO_PAD.decode(claims).ok()?;
    let said: Said = serde_json::from_slice(&claims).ok()?;
    Some(said.iss)
}

/// Whether nothing in a header chooses a key but `kid`, and its type is that of an access token.
fn is_plain(header: &Header) -> bool {
    let kind = header.typ.as_deref().unwrap_or("JWT");
    let kind = kind.strip_prefix("application/").unwrap_or(kind);
    let is_access = ["jwt", "at+jwt"]
        .iter()
        .any(|known| kind.eq_ignore_ascii_case(known));
    is_access && super::token::chooses_nothing(header)
}

/// The signature alone is the library's to check: it reads the machine's clock, and lets claims
/// pass in more than one form.
fn signature_alone(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims = HashSet::new();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}

impl Issuer {
    async fn read(&self, token: &str) -> Result<Vouched, Failure> {
        let header = decode_header(token).map_err(|_| refused())?;
        let id = header.kid.as_deref().filter(|_| is_plain(&header));
        // What is not signed as keys here sign is refused before anybody is asked for keys.
        let id = id.filter(|_| matches!(header.alg, Algorithm::RS256 | Algorithm::ES256));
        let key = self.keys.get(id.ok_or_else(refused)?).await?;
        let Some(Key { algorithm, key }) = key else {
            return Err(refused());
        };
        let claims = decode::<Claims>(token, &key, &signature_alone(algorithm));
        let claims = claims.map_err(|_| refused())?.claims;
        self.check(claims).ok_or_else(refused)
    }

    fn check(&self, claims: Claims) -> Option<Vouched> {
        let now = self.clock.now().unix_timestamp();
        let latest = now.saturating_add(SKEW);
        let is_good = claims.iss == self.settings.issuer
            && claims.aud.has(&self.settings.audience)
            && claims.exp > now
            && claims.exp > claims.iat
            && claims.iat <= latest
            && claims.nbf.is_none_or(|nbf| nbf <= latest);
        if !is_good {
            return None;
        }
        let says_no = claims
            .email_verified
            .as_ref()
            .is_some_and(|it| !it.is_true());
        Some(Vouched {
            identity: Arc::new(Identity::new(claims.iss, claims.sub).ok()?),
            // An address that the issuer says is not theirs is none at all.
            email: claims.email.filter(|_| !says_no),
            owns_email: claims.email_verified.is_some_and(|it| it.is_true()),
            expires_at: OffsetDateTime::from_unix_timestamp(claims.exp).ok()?,
        })
    }
}
