//! Conversations as data: what a store keeps and a client sees.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::chat::Message;
use crate::pricing::Cost;
use crate::usage::Usage;

/// A conversation.
///
/// Its turns form a tree, because an edited or regenerated turn is a sibling of the one it
/// replaces; `leaf` names the end of the branch in use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Session {
    /// Its id, a UUIDv7.
    pub id: Uuid,
    /// A title for people.
    pub title: Option<String>,
    /// What its turns use unless they say otherwise.
    pub settings: SessionSettings,
    /// The last turn of the branch in use; `None` before the first.
    pub leaf: Option<Uuid>,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

impl Session {
    /// An empty conversation made `at`.
    pub fn new(id: Uuid, at: OffsetDateTime) -> Self {
        Self {
            id,
            title: None,
            settings: SessionSettings::default(),
            leaf: None,
            created_at: at,
            updated_at: at,
        }
    }
}

/// What a session's turns use unless they say otherwise.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct SessionSettings {
    /// The provider.
    pub provider: Option<String>,
    /// The model.
    pub model: Option<String>,
    /// Which of the caller's named provider keys to use.
    pub key_name: Option<String>,
    /// Instructions put before the history.
    pub system: Option<String>,
    /// Randomness.
    pub temperature: Option<f64>,
    /// The most tokens to generate a turn.
    pub max_output_tokens: Option<u32>,
}

/// Where a turn stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TurnStatus {
    /// It is being generated.
    Running,
    /// It is whole.
    Complete,
    /// It was cut short, and what had arrived is kept.
    Partial,
    /// It failed before anything arrived.
    Failed,
}

/// One message of a session, with where it stands in the tree and what it cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Turn {
    /// Its id, a UUIDv7.
    pub id: Uuid,
    /// The session it belongs to.
    pub session_id: Uuid,
    /// The turn it follows; `None` for the first.
    pub parent_id: Option<Uuid>,
    /// Its place in the order of creation within the session, from 1.
    pub seq: u64,
    /// What was said.
    pub message: Message,
    /// Where it stands.
    pub status: TurnStatus,
    /// The provider that answered; `None` for other roles.
    pub provider: Option<String>,
    /// The model that answered; `None` for other roles.
    pub model: Option<String>,
    /// What it used; `None` for other roles.
    pub usage: Option<Usage>,
    /// What it cost; `None` for other roles.
    pub cost: Option<Cost>,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

impl Turn {
    /// A whole turn without a parent, made `at`.
    pub const fn new(
        id: Uuid,
        session_id: Uuid,
        seq: u64,
        message: Message,
        at: OffsetDateTime,
    ) -> Self {
        Self {
            id,
            session_id,
            parent_id: None,
            seq,
            message,
            status: TurnStatus::Complete,
            provider: None,
            model: None,
            usage: None,
            cost: None,
            created_at: at,
        }
    }
}
