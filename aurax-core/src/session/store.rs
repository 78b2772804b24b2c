//! Where sessions are kept.

use std::fmt::Debug;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Session, SessionSettings, Turn};
use crate::ctx::Principal;
use crate::error::Result;

/// Which part of a list to give.
///
/// A list of turns gives fewer where what they say has more than [`Page::BYTES`] altogether, but
/// one at least.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page {
    /// The most items; 1 to 200, 50 unless set.
    pub limit: u32,
    /// Where to go on: [`Paged::next_cursor`] of the page before.
    pub cursor: Option<String>,
}

impl Page {
    /// The most items a page may have.
    pub const MOST: u32 = 200;

    /// The most bytes that the turns of a page say, unless a single one says more: 8 MiB.
    pub const BYTES: u64 = 8 << 20;

    /// The first page, of 50 items.
    pub const fn first() -> Self {
        Self {
            limit: 50,
            cursor: None,
        }
    }

    /// Asks for so many items; fewer than 1 are taken as 1, more than [`Page::MOST`] as that.
    #[must_use]
    pub const fn with_limit(mut self, limit: u32) -> Self {
        self.limit = if limit == 0 {
            1
        } else if limit > Self::MOST {
            Self::MOST
        } else {
            limit
        };
        self
    }

    /// Goes on after another page.
    #[must_use]
    pub fn after(mut self, cursor: impl Into<String>) -> Self {
        self.cursor = Some(cursor.into());
        self
    }
}

impl Default for Page {
    fn default() -> Self {
        Self::first()
    }
}

/// How far back from its end a branch is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reach {
    /// The most turns.
    pub turns: u32,
    /// The most bytes that the turns say, unless the last one says more by itself; without limit
    /// unless set.
    pub bytes: Option<u64>,
}

impl Reach {
    /// So many turns.
    pub const fn turns(turns: u32) -> Self {
        Self { turns, bytes: None }
    }

    /// Which say so many bytes altogether.
    #[must_use]
    pub const fn with_bytes(mut self, bytes: u64) -> Self {
        self.bytes = Some(bytes);
        self
    }
}

impl From<u32> for Reach {
    fn from(turns: u32) -> Self {
        Self::turns(turns)
    }
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Paged<T> {
    /// The items.
    pub data: Vec<T>,
    /// Where the next page begins; `None` at the end.
    pub next_cursor: Option<String>,
}

impl<T> Paged<T> {
    /// A part of a list and where the next one begins.
    pub const fn new(data: Vec<T>, next_cursor: Option<String>) -> Self {
        Self { data, next_cursor }
    }

    /// The same with other items.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Paged<U> {
        Paged::new(
            self.data.into_iter().map(change).collect(),
            self.next_cursor,
        )
    }
}

/// What to change of a session; what is `None` stays.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct SessionChange {
    /// The title.
    pub title: Option<String>,
    /// A title for a session that has none; any other stays.
    pub first_title: Option<String>,
    /// All settings.
    pub settings: Option<SessionSettings>,
    /// The end of the branch in use.
    pub leaf: Option<Uuid>,
    /// The settings that the change was made for: it changes nothing of a session that has others
    /// by now.
    pub expected: Option<SessionSettings>,
}

impl SessionChange {
    /// Another title.
    pub fn title(title: impl Into<String>) -> Self {
        Self {
            title: Some(title.into()),
            ..Self::default()
        }
    }

    /// A title, unless the session has one.
    pub fn first_title(title: impl Into<String>) -> Self {
        Self {
            first_title: Some(title.into()),
            ..Self::default()
        }
    }

    /// Other settings.
    pub fn settings(settings: SessionSettings) -> Self {
        Self {
            settings: Some(settings),
            ..Self::default()
        }
    }

    /// Another branch.
    pub fn leaf(leaf: Uuid) -> Self {
        Self {
            leaf: Some(leaf),
            ..Self::default()
        }
    }

    /// Changes nothing unless the settings are these.
    #[must_use]
    pub fn with_expected(mut self, settings: SessionSettings) -> Self {
        self.expected = Some(settings);
        self
    }
}

/// A turn that a search found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Found {
    /// The turn.
    pub turn: Turn,
    /// The words around the match.
    pub snippet: String,
}

impl Found {
    /// A turn and the words around the match.
    pub const fn new(turn: Turn, snippet: String) -> Self {
        Self { turn, snippet }
    }
}

/// Where sessions are kept.
///
/// * Everything is asked for a principal, and nobody sees another's: a foreign id is answered
///   like one that does not exist.
/// * Turns are added by the [`Ledger`](crate::Ledger) of the same store, with the intent and the
///   settlement of the call they belong to.
#[async_trait]
pub trait SessionStore: Debug + Send + Sync + 'static {
    /// Keeps a new session.
    ///
    /// # Errors
    /// `Store` when it cannot be kept.
    ///
    /// # Cancel safety
    /// A dropped future may or may not have kept it.
    async fn create(&self, principal: &Principal, session: &Session) -> Result<()>;

    /// A session; `None` where there is none.
    ///
    /// # Errors
    /// `Store` when it cannot be read.
    ///
    /// # Cancel safety
    /// Dropping the future is harmless.
    async fn session(&self, principal: &Principal, id: Uuid) -> Result<Option<Session>>;

    /// Changes a session, in all that the change names or in nothing; `None` where there is none.
    ///
    /// # Errors
    /// `Store` when it cannot be changed; `Conflict` where its settings are not the expected ones;
    /// for another leaf, `NotFound` where it is no turn of the session and `SessionBusy` while that
    /// answers something.
    ///
    /// # Cancel safety
    /// A dropped future may or may not have changed it.
    async fn change(
        &self,
        principal: &Principal,
        id: Uuid,
        change: &SessionChange,
        at: OffsetDateTime,
    ) -> Result<Option<Session>>;

    /// Deletes a session with all that was said in it; false where there is none. What it cost
    /// stays recorded.
    ///
    /// # Errors
    /// `Store` when it cannot be deleted.
    ///
    /// # Cancel safety
    /// A dropped future may or may not have deleted it.
    async fn delete(&self, principal: &Principal, id: Uuid) -> Result<bool>;

    /// Sessions, the latest made first.
    ///
    /// # Errors
    /// `Store` when they cannot be read; `InvalidRequest` for a cursor of another list.
    ///
    /// # Cancel safety
    /// Dropping the future is harmless.
    async fn sessions(&self, principal: &Principal, page: &Page) -> Result<Paged<Session>>;

    /// The turns from the beginning to `leaf`, in order; those beyond `reach` are left out. None
    /// where there is no such turn.
    ///
    /// # Errors
    /// `Store` when they cannot be read.
    ///
    /// # Cancel safety
    /// Dropping the future is harmless.
    async fn branch(
        &self,
        principal: &Principal,
        id: Uuid,
        leaf: Uuid,
        reach: Reach,
    ) -> Result<Vec<Turn>>;

    /// All turns of a session, of every branch, in the order they were made.
    ///
    /// # Errors
    /// `Store` when they cannot be read; `InvalidRequest` for a cursor of another list.
    ///
    /// # Cancel safety
    /// Dropping the future is harmless.
    async fn turns(&self, principal: &Principal, id: Uuid, page: &Page) -> Result<Paged<Turn>>;

    /// The turns that follow `parent`, or the first ones, in the order they were made: one, and its
    /// siblings.
    ///
    /// # Errors
    /// `Store` when they cannot be read; `InvalidRequest` for a cursor of another list.
    ///
    /// # Cancel safety
    /// Dropping the future is harmless.
    async fn children(
        &self,
        principal: &Principal,
        id: Uuid,
        parent: Option<Uuid>,
        page: &Page,
    ) -> Result<Paged<Turn>>;

    /// Adds turns that were said elsewhere, at most [`Page::MOST`], in order; those that are there
    /// already are left alone. The leaf stays.
    ///
    /// # Errors
    /// `Store` when they cannot be kept, `NotFound` without the session, `SessionBusy` while it
    /// answers something.
    ///
    /// # Cancel safety
    /// A dropped future may or may not have added them.
    async fn add(&self, principal: &Principal, id: Uuid, turns: &[Turn]) -> Result<()>;

    /// Turns of any session whose words ([`Message::text`](crate::Message::text)) include all those
    /// of `query`, the latest first.
    ///
    /// A word is a run of letters and digits; whether they are capital makes no difference. A query
    /// without words finds nothing.
    ///
    /// # Errors
    /// `Store` when they cannot be read; `InvalidRequest` for a cursor of another list.
    ///
    /// # Cancel safety
    /// Dropping the future is harmless.
    async fn search(&self, principal: &Principal, query: &str, page: &Page)
    -> Result<Paged<Found>>;
}
