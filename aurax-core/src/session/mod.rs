//! Conversations as data: what a store keeps and a client sees.

mod branch;
mod conversation;
mod export;
mod fit;
mod import;
mod lease;
mod memory;
mod model;
mod reply;
mod run;
mod send;
mod sessions;
mod step;
mod store;
mod title;
mod tools;
mod transcript;
mod words;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::chat::Message;
use crate::pricing::Cost;
use crate::usage::Usage;

pub use conversation::Conversation;
pub use export::ExportFormat;
pub use fit::ContextPolicy;
pub(crate) use lease::{Leased, Runs};
pub(crate) use memory::Shelf;
pub(crate) use model::model_for;
pub use reply::{Answer, SessionEvent, SessionReply};
pub use send::SendRequest;
pub use sessions::Sessions;
pub use step::{Lease, Step};
pub use store::{Found, Page, Paged, Reach, SessionChange, SessionStore};
pub use title::TitleRequest;
pub use tools::ToolRunner;

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
    /// How many turns it has, of every branch: the [`Turn::seq`] of the latest.
    #[serde(default)]
    pub turns: u64,
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
            turns: 0,
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

impl TurnStatus {
    /// The status in snake case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Failed => "failed",
        }
    }
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    fn at() -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(1_785_873_495).unwrap()
    }

    #[test]
    fn a_session_begins_without_turns_and_wishes() {
        let session = Session::new(id(1), at());
        assert_eq!(session.leaf, None);
        assert_eq!(session.settings, SessionSettings::default());
        assert_eq!(session.updated_at, session.created_at);
    }

    /// A client reads these names, and times as RFC 3339.
    #[test]
    fn a_session_is_json_and_comes_back() {
        let mut session = Session::new(id(1), at());
        session.leaf = Some(id(2));
        session.settings.model = Some("gpt-4o".to_owned());
        let json = serde_json::to_value(&session).unwrap();
        assert_eq!(json["id"], "00000000-0000-0000-0000-000000000001");
        assert_eq!(json["leaf"], "00000000-0000-0000-0000-000000000002");
        assert_eq!(json["created_at"], "2026-08-04T19:58:15Z");
        assert_eq!(json["settings"]["model"], "gpt-4o");
        assert_eq!(json["settings"]["temperature"], Value::Null);
        assert_eq!(serde_json::from_value::<Session>(json).unwrap(), session);
    }

    /// What was stored before a setting existed is read all the same.
    #[test]
    fn settings_that_are_not_there_are_not_set() {
        let settings: SessionSettings = serde_json::from_value(json!({"system": "S"})).unwrap();
        let expected = SessionSettings {
            system: Some("S".to_owned()),
            ..SessionSettings::default()
        };
        assert_eq!(settings, expected);
    }

    #[test]
    fn a_turn_is_whole_and_belongs_to_nobody_else_until_it_is_said() {
        let turn = Turn::new(id(3), id(1), 1, Message::user("Hi"), at());
        assert_eq!((turn.parent_id, turn.status), (None, TurnStatus::Complete));
        assert_eq!((&turn.provider, &turn.model), (&None, &None));
        assert!(turn.usage.is_none() && turn.cost.is_none());
        let json = serde_json::to_value(&turn).unwrap();
        assert_eq!(json["session_id"], "00000000-0000-0000-0000-000000000001");
        assert_eq!(
            (&json["seq"], &json["status"]),
            (&json!(1), &json!("complete"))
        );
        assert_eq!(json["message"]["role"], "user");
        assert_eq!(serde_json::from_value::<Turn>(json).unwrap(), turn);
    }

    #[test]
    fn a_status_has_one_word() {
        for (status, word) in [
            (TurnStatus::Running, "running"),
            (TurnStatus::Complete, "complete"),
            (TurnStatus::Partial, "partial"),
            (TurnStatus::Failed, "failed"),
        ] {
            assert_eq!(serde_json::to_value(status).unwrap(), word);
        }
    }
}
