//! Who calls: passwords, access tokens, access keys, and what is known of them.

mod caller;
mod invite;
mod known;
mod password;
mod signing;
mod token;

use std::sync::Arc;

use aurax::store::{AccessKey, Store, User};
use aurax::{Clock, Principal, Secret};
use aws_lc_rs::digest;
use uuid::Uuid;

pub use caller::{Caller, Scope, Via};
pub use invite::INVITATION_TTL;
use known::{Known, KnownLogins, Shown};
pub use password::Passwords;
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
    known: KnownLogins,
}

fn refused() -> Failure {
    Failure::unauthorized("the token or key is not valid, or not any more: log in again")
}

impl Authenticator {
    /// Reads tokens with `tokens`; what the store says of logins and keys is believed for `ttl`, a
    /// minute at most.
    pub fn new(
        store: Store,
        tokens: AccessTokens,
        ttl: std::time::Duration,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self(Arc::new(Inner {
            store,
            tokens,
            known: KnownLogins::new(ttl, clock),
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
            Via::External { .. } => Err(refused()),
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

/// What an access key is remembered by: all of its SHA-256.
#[expect(
    clippy::disallowed_methods,
    reason = "a key is known by its hash, which is made here"
)]
fn hash(secret: &Secret) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, secret.expose().as_bytes());
    let mut hash = [0; 32];
    hash.iter_mut()
        .zip(digest.as_ref())
        .for_each(|(to, from)| *to = *from);
    hash
}
