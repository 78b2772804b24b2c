//! Who asks.

use std::sync::Arc;

use aurax::store::{AccessKey, Identity, Plan, Role, Store, User, UserScope};
use aurax::{Principal, Secret};
use axum::extract::FromRequestParts;
use http::request::Parts;
use serde::Deserialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::Failure;

/// What an access key may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Calls that cost money, and what belongs to them.
    Chat,
    /// Sessions and what was said in them.
    Sessions,
    /// Usage, budgets and alerts.
    Usage,
    /// Keys to providers.
    Keys,
    /// What operators do; only keys of operators have any use for it.
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 5] = [
        Self::Chat,
        Self::Sessions,
        Self::Usage,
        Self::Keys,
        Self::Admin,
    ];

    /// The scope in snake case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Sessions => "sessions",
            Self::Usage => "usage",
            Self::Keys => "keys",
            Self::Admin => "admin",
        }
    }
}

/// How somebody showed who they are.
#[derive(Debug, Clone)]
pub enum Via {
    /// An access token of a login here.
    Login {
        /// The login.
        id: Uuid,
        /// Until when the token is good.
        expires_at: OffsetDateTime,
    },
    /// An access key.
    AccessKey {
        /// The key.
        key: Arc<AccessKey>,
        /// Its secret, to look it up again.
        secret: Arc<Secret>,
    },
    /// A token of another issuer.
    External {
        /// Whom it names.
        identity: Arc<Identity>,
        /// Until when the token is good.
        expires_at: OffsetDateTime,
    },
}

/// Who asks. Every handler of a route that is not public gets one from the door before it; there is
/// no other way to a tenant's rows.
#[derive(Debug, Clone)]
pub struct Caller {
    user: Arc<User>,
    plan: Arc<Plan>,
    via: Via,
}

impl Caller {
    pub(crate) const fn new(user: Arc<User>, plan: Arc<Plan>, via: Via) -> Self {
        Self { user, plan, via }
    }

    /// The account.
    pub fn user(&self) -> &User {
        &self.user
    }

    /// What the account is given.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// How they showed who they are.
    pub const fn via(&self) -> &Via {
        &self.via
    }

    /// For whom calls are made.
    pub fn principal(&self) -> Principal {
        Principal::new(self.user.id.to_string())
    }

    /// What belongs to them.
    pub fn scope(&self, store: &Store) -> UserScope {
        store.user(&self.principal())
    }

    /// Whether they run the installation.
    pub fn is_admin(&self) -> bool {
        self.user.role == Role::Admin
    }

    /// The access key they came with.
    pub fn access_key(&self) -> Option<&AccessKey> {
        match &self.via {
            Via::AccessKey { key, .. } => Some(key),
            _ => None,
        }
    }

    /// The login they came with.
    pub const fn login_id(&self) -> Option<Uuid> {
        match &self.via {
            Via::Login { id, .. } => Some(*id),
            _ => None,
        }
    }

    /// Until when what they came with is good; `None` for a key that has no end.
    pub fn expires_at(&self) -> Option<OffsetDateTime> {
        match &self.via {
            Via::Login { expires_at, .. } | Via::External { expires_at, .. } => Some(*expires_at),
            Via::AccessKey { key, .. } => key.expires_at,
        }
    }

    /// Whether they may do what takes this scope.
    pub fn may(&self, scope: Scope) -> bool {
        self.access_key().is_none_or(|key| {
            key.scopes.is_empty() || key.scopes.iter().any(|own| own == scope.as_str())
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| {
            // A handler of a public route asks for a caller: the route is declared wrongly.
            tracing::error!(path = parts.uri.path(), "a public route asks who calls");
            Failure::internal()
        })
    }
}
