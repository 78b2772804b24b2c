//! Records as clients see them: the fields are the contract.

mod amount;
mod chat;
mod people;

use aurax::Paged;
use serde::Serialize;
use utoipa::ToSchema;

pub(crate) use amount::{Amount, Priced};
pub(crate) use chat::{Message, Session, Settings, SettingsChange, Tokens};
pub(crate) use people::{Login, User};

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

    pub(crate) const fn all(data: Vec<T>) -> Self {
        Self {
            data,
            next_cursor: None,
        }
    }
}
