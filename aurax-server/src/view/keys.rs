//! Keys: the callers' own to providers, and AURAX's own for programs.

use aurax::store;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Budget;

/// A key to a provider. The key itself is never given out.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProviderKey {
    id: Uuid,
    /// Whose it is.
    user_id: Uuid,
    provider: String,
    key_name: String,
    /// Its last four characters.
    masked_key: String,
    /// The address it is bound to; `null` for the provider's own.
    base_url: Option<String>,
    /// Whether calls may use it.
    is_active: bool,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// When the provider last accepted it.
    #[serde(with = "time::serde::rfc3339::option")]
    last_validated: Option<OffsetDateTime>,
}

impl From<(Uuid, store::ProviderKey)> for ProviderKey {
    fn from((user_id, key): (Uuid, store::ProviderKey)) -> Self {
        Self {
            id: key.id,
            user_id,
            provider: key.provider,
            key_name: key.key_name,
            masked_key: key.masked_key,
            base_url: key.base_url,
            is_active: key.is_active,
            created_at: key.created_at,
            last_validated: key.last_validated,
        }
    }
}

/// A key of AURAX's own.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AccessKey {
    pub(crate) id: Uuid,
    /// Whose it is.
    user_id: Uuid,
    name: String,
    /// The secret's last four characters.
    masked_key: String,
    /// What it may be used for: `chat`, `sessions`, `usage`, `keys`, `admin`; empty for everything
    /// its user may do.
    scopes: Vec<String>,
    /// The models it may use; `null` for all.
    models: Option<Vec<String>>,
    /// `null` for the user's own limit.
    requests_per_minute: Option<u32>,
    /// `null` for the user's own limit.
    tokens_per_minute: Option<u32>,
    is_active: bool,
    /// What may be spent with it, by period.
    pub(crate) budgets: Vec<Budget>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// When it stops working; `null` for never.
    #[serde(with = "time::serde::rfc3339::option")]
    expires_at: Option<OffsetDateTime>,
    /// When it was last used, to the minute.
    #[serde(with = "time::serde::rfc3339::option")]
    last_used_at: Option<OffsetDateTime>,
}

impl From<(Uuid, store::AccessKey)> for AccessKey {
    fn from((user_id, key): (Uuid, store::AccessKey)) -> Self {
        Self {
            id: key.id,
            user_id,
            name: key.name,
            masked_key: key.masked_key,
            scopes: key.scopes,
            models: key.models,
            requests_per_minute: key.requests_per_minute,
            tokens_per_minute: key.tokens_per_minute,
            is_active: key.is_active,
            budgets: Vec::new(),
            created_at: key.created_at,
            expires_at: key.expires_at,
            last_used_at: key.last_used_at,
        }
    }
}

impl AccessKey {
    /// With those of the user's budgets that are the key's.
    pub(crate) fn with_budgets(mut self, all: &[store::Budget]) -> Self {
        let own = store::BudgetScope::AccessKey(self.id);
        let own = all.iter().filter(|budget| budget.scope == own);
        self.budgets = own
            .cloned()
            .map(|budget| (self.user_id, budget).into())
            .collect();
        self
    }
}

/// A key of AURAX's own that was made just now.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewKey {
    /// The key itself, this once.
    pub(crate) key: String,
    #[serde(flatten)]
    pub(crate) made: AccessKey,
}
