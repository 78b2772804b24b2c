//! Who calls: passwords, access tokens, access keys, and what is known of them.

mod caller;
mod invite;
mod issuers;
mod known;
mod password;
mod shared;
mod signing;
mod token;

use std::sync::Arc;

use aurax::store::{AccessKey, Identity, Store, User};
use aurax::{Clock, ErrorKind, Principal, Secret};
use aws_lc_rs::digest;
use uuid::Uuid;

pub use caller::{Caller, Scope, Via};
pub use invite::INVITATION_TTL;
pub use issuers::Issuers;
use issuers::Vouched;
use known::{Known, KnownLogins, Shown};
pub use password::Passwords;
pub(crate) use shared::EVERY as SHARE_EVERY;
pub use signing::SigningKeys;
pub use token::{AccessTokens, Genuine};

use crate::error::Failure;

/// What access keys begin with.
const KEY_PREFIX: &str = "aurax_";

/// Finds out who calls. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Authenticator(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    tokens: AccessTokens,
    issuers: Issuers,
    known: KnownLogins,
    clock: Arc<dyn Clock>,
}

fn refused() -> Failure {
    Failure::unauthorized("the token or key is not valid, or not any more: log in again")
}

impl Authenticator {
    /// Reads tokens with `tokens`, and those of other issuers with `issuers`; what the store says
    /// of logins and keys is believed for `ttl`, 40 seconds at most.
    pub fn new(
        store: Store,
        tokens: AccessTokens,
        issuers: Issuers,
        ttl: std::time::Duration,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self(Arc::new(Inner {
            store,
            tokens,
            issuers,
            known: KnownLogins::new(ttl, clock.clone()),
            clock,
        }))
    }

    /// Whoever has this token or key.
    ///
    /// # Errors
    /// 401 for one that is not valid, 503 when the store is away and nothing is remembered.
    ///
    /// # Cancel safety
    /// Dropping the future is harmless.
    pub async fn caller(&self, token: &str) -> Result<Caller, Failure> {
        if token.starts_with(KEY_PREFIX) {
            return self.by_key(Arc::new(Secret::new(token))).await;
        }
        if let Some(vouched) = self.0.issuers.read(token).await? {
            return self.vouched(vouched).await;
        }
        self.meet(token).await?;
        let Some(genuine) = self.0.tokens.read(token) else {
            return Err(refused());
        };
        let known = self.login(genuine.login_id, genuine.user_id).await?;
        let via = Via::Login {
            id: genuine.login_id,
            expires_at: genuine.expires_at,
        };
        Ok(Caller::new(known.user, known.plan, via))
    }

    /// Looks for the key of a token that nobody here knows among those that other processes share;
    /// at most once a second.
    ///
    /// # Errors
    /// 503 when the store is away.
    pub(crate) async fn meet(&self, token: &str) -> Result<(), Failure> {
        let inner = &*self.0;
        if let Some(id) = inner.tokens.stranger(token) {
            let shared = inner.tokens.shared();
            shared.look_for(&id, &inner.store, &*inner.clock).await?;
        }
        Ok(())
    }

    /// Lets the other processes that open this store accept what this one signs, for an hour, and
    /// learns what they sign with.
    ///
    /// # Errors
    /// `Store` when it is away.
    ///
    /// # Cancel safety
    /// A dropped future may or may not have done so.
    pub async fn share_keys(&self) -> aurax::Result<()> {
        let inner = &*self.0;
        let until = shared::until(inner.store.clock().now());
        inner.tokens.keys().share(&inner.store, until).await?;
        inner.tokens.shared().look(&inner.store).await
    }

    /// Whether a caller may go on: the same account, by what is known now.
    ///
    /// # Errors
    /// As of [`Authenticator::caller`].
    pub async fn again(&self, caller: &Caller) -> Result<Caller, Failure> {
        match caller.via() {
            Via::Login { id, .. } => {
                let known = self.login(*id, caller.user().id).await?;
                Ok(Caller::new(known.user, known.plan, caller.via().clone()))
            }
            Via::AccessKey { secret, .. } => self.by_key(secret.clone()).await,
            Via::External {
                identity,
                expires_at,
            } => {
                if *expires_at <= self.0.clock.now() {
                    return Err(refused());
                }
                let known = self.identified(identity).await?.ok_or_else(refused)?;
                Ok(Caller::new(known.user, known.plan, caller.via().clone()))
            }
        }
    }

    /// An account with its plan.
    async fn known(&self, user: User, key: Option<AccessKey>) -> Result<Known, Failure> {
        let scope = self.0.store.user(&Principal::new(user.id.to_string()));
        Ok(Known {
            plan: Arc::new(scope.plan().await?),
            user: Arc::new(user),
            key: key.map(Arc::new),
        })
    }

    async fn login(&self, login_id: Uuid, user_id: Uuid) -> Result<Known, Failure> {
        let inner = &*self.0;
        let shown = Shown::Login(login_id);
        if let Some(known) = inner.known.get(&shown)
            && known.user.id == user_id
        {
            return Ok(known);
        }
        let asked = inner.known.now();
        let user = inner.store.admin().login_account(login_id).await?;
        let user = user.filter(|user| user.id == user_id).ok_or_else(refused)?;
        let known = self.known(user, None).await?;
        inner.known.put(shown, known.clone(), asked);
        Ok(known)
    }

    async fn by_key(&self, secret: Arc<Secret>) -> Result<Caller, Failure> {
        let inner = &*self.0;
        let shown = Shown::AccessKey(hash(&secret));
        let caller = |known: Known, secret| {
            let key = known.key.ok_or_else(refused)?;
            Ok(Caller::new(
                known.user,
                known.plan,
                Via::AccessKey { key, secret },
            ))
        };
        if let Some(known) = inner.known.get(&shown) {
            return caller(known, secret);
        }
        let asked = inner.known.now();
        let found = inner.store.admin().access_key(&secret).await?;
        let (key, user) = found.ok_or_else(refused)?;
        let known = self.known(user, Some(key)).await?;
        inner.known.put(shown, known.clone(), asked);
        caller(known, secret)
    }

    /// Whoever another issuer vouches for; the first time, an account is found or made for them.
    async fn vouched(&self, vouched: Vouched) -> Result<Caller, Failure> {
        let identity = &vouched.identity;
        let known = match self.identified(identity).await? {
            Some(known) => known,
            None => {
                self.welcome(&vouched).await?;
                let known = self.identified(identity).await?;
                known.ok_or_else(refused)?
            }
        };
        let via = Via::External {
            identity: identity.clone(),
            expires_at: vouched.expires_at,
        };
        Ok(Caller::new(known.user, known.plan, via))
    }

    /// The account of an identity; `None` where it has none.
    async fn identified(&self, identity: &Identity) -> Result<Option<Known>, Failure> {
        let inner = &*self.0;
        let shown = Shown::Identity(hash_of(identity));
        if let Some(known) = inner.known.get(&shown) {
            return Ok(Some(known));
        }
        let asked = inner.known.now();
        let Some(user) = inner.store.admin().identified(identity).await? else {
            return Ok(None);
        };
        if !user.is_active {
            return Err(refused());
        }
        let known = self.known(user, None).await?;
        inner.known.put(shown, known.clone(), asked);
        Ok(Some(known))
    }

    /// Gives an identity an account: the one of its address where nobody can log in to that yet and
    /// the issuer is sure whose the address is, else one of its own where anybody may make one.
    async fn welcome(&self, vouched: &Vouched) -> Result<(), Failure> {
        let (admin, identity) = (self.0.store.admin(), &vouched.identity);
        let Some(email) = vouched.email.as_deref().filter(|email| is_address(email)) else {
            let message = "the token names no address for an account, or one that is not verified";
            return Err(Failure::forbidden(message));
        };
        let added = if vouched.owns_email {
            admin.link_identity(identity, email).await
        } else {
            Ok(None)
        };
        let added = match added {
            Ok(None) if self.0.issuers.may_register() => {
                admin.add_identified_user(identity, email).await.map(Some)
            }
            other => other,
        };
        match added {
            Ok(Some(_)) => Ok(()),
            Ok(None) => {
                let message = "accounts are made by the operator here: ask for one";
                Err(Failure::forbidden(message))
            }
            // Another request of theirs was faster, or the address is somebody's.
            Err(error) if error.kind() == ErrorKind::Conflict => {
                match admin.identified(identity).await? {
                    Some(_) => Ok(()),
                    None => {
                        let message = "the address of the token has an account that is logged in \
                                       to in another way";
                        Err(Failure::forbidden(message))
                    }
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Forgets what is known of a user, whose logins, keys or rights changed. Other processes
    /// notice when what they know is too old.
    pub fn forget(&self, user: Uuid) {
        self.0.known.forget(user);
    }

    /// The tokens.
    pub fn tokens(&self) -> &AccessTokens {
        &self.0.tokens
    }
}

/// Whether a text can be the address of an account.
fn is_address(email: &str) -> bool {
    let (name, host) = email.rsplit_once('@').unwrap_or_default();
    let is_plain = |text: &str| {
        let is_odd = |c: char| c.is_whitespace() || c.is_control() || c == '@';
        !text.is_empty() && !text.chars().any(is_odd)
    };
    is_plain(name) && is_plain(host) && email.chars().count() <= 254
}

/// What an identity is remembered by. An issuer has no NUL in it.
fn hash_of(identity: &Identity) -> [u8; 32] {
    let mut text = identity.issuer.clone().into_bytes();
    text.push(0);
    text.extend_from_slice(identity.subject.as_bytes());
    sha256(&text)
}

/// What an access key is remembered by: all of its SHA-256.
#[expect(
    clippy::disallowed_methods,
    reason = "a key is known by its hash, which is made here"
)]
fn hash(secret: &Secret) -> [u8; 32] {
    sha256(secret.expose().as_bytes())
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, bytes);
    let mut hash = [0; 32];
    hash.iter_mut()
        .zip(digest.as_ref())
        .for_each(|(to, from)| *to = *from);
    hash
}
