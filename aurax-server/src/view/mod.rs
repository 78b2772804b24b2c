//! Records as clients see them: the fields are the contract.

mod alerts;
mod amount;
mod budgets;
mod chat;
mod keys;
mod people;
mod playground;
mod providers;
mod usage;

use aurax::Paged;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

pub(crate) use alerts::{Alert, AlertEvent, Severity, UserMetric};
pub(crate) use amount::{Amount, Exact, Priced};
pub(crate) use budgets::{Budget, Kind, Period};
pub(crate) use chat::{Message, Session, Settings, SettingsChange, Tokens, edit};
pub(crate) use keys::{AccessKey, NewKey, ProviderKey};
pub(crate) use people::{Login, Plan, User};
pub(crate) use playground::{Diff, PastRequest, Run, Told};
pub(crate) use providers::{Model, Provider};
pub(crate) use usage::{Figures, Group, Point, Status, UsageRow};

/// A part of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Listed<T> {
    /// The items.
    pub(crate) data: Vec<T>,
    /// Where the next part begins; `null` at the end.
    pub(crate) next_cursor: Option<String>,
}

impl<T> Listed<T> {
    pub(crate) fn of<U: Into<T>>(page: Paged<U>) -> Self {
        Self {
            data: page.data.into_iter().map(Into::into).collect(),
            next_cursor: page.next_cursor,
        }
    }

    /// A part of a list of somebody's.
    pub(crate) fn owned<U>(user_id: Uuid, page: Paged<U>) -> Self
    where
        (Uuid, U): Into<T>,
    {
        Self::of(page.map(|one| (user_id, one)))
    }

    pub(crate) const fn all(data: Vec<T>) -> Self {
        Self {
            data,
            next_cursor: None,
        }
    }
}
