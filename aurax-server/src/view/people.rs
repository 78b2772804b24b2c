//! Accounts and logins.

use aurax::store;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// An account.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct User {
    id: Uuid,
    /// In lower case.
    email: String,
    /// The plan, `free` unless an operator changed it.
    plan_type: String,
    /// `user` or `admin`.
    role: &'static str,
    /// False for an account that an operator has closed.
    is_active: bool,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
}

impl From<store::User> for User {
    fn from(user: store::User) -> Self {
        Self {
            id: user.id,
            email: user.email,
            plan_type: user.plan_type,
            role: user.role.as_str(),
            is_active: user.is_active,
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }
}

/// A login that goes on.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Login {
    id: Uuid,
    /// What it was made with, such as a browser's name.
    label: Option<String>,
    /// Whether it is the one that asks.
    pub(crate) is_current: bool,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// When it was last renewed.
    #[serde(with = "time::serde::rfc3339")]
    used_at: OffsetDateTime,
    /// When it ends unless it is renewed.
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
}

impl Login {
    pub(crate) fn new(login: store::Login, current: Option<Uuid>) -> Self {
        Self {
            is_current: current == Some(login.id),
            id: login.id,
            label: login.label,
            created_at: login.created_at,
            used_at: login.used_at,
            expires_at: login.expires_at,
        }
    }
}

/// What accounts are given.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Plan {
    name: String,
    /// For how many days messages are kept; `null` for ever.
    message_days: Option<u32>,
    /// `null` for the server's own limit.
    requests_per_minute: Option<u32>,
    /// `null` for no limit.
    tokens_per_minute: Option<u32>,
}

impl From<store::Plan> for Plan {
    fn from(plan: store::Plan) -> Self {
        Self {
            name: plan.name,
            message_days: plan.message_days,
            requests_per_minute: plan.requests_per_minute,
            tokens_per_minute: plan.tokens_per_minute,
        }
    }
}
